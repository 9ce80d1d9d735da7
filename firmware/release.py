"""Publishing updates: keys, signatures, a TUF repository that devices and sticks can hold.

::

    python -m firmware.release keygen KEY...                 one for each maintainer
    python -m firmware.release init REPO --root K K K --release K K K --online K
    python -m firmware.release add REPO PAYLOAD --keys K K --online K
    python -m firmware.release sign REPO --keys K            a further maintainer, elsewhere
    python -m firmware.release refresh REPO --online K       every few days

``root`` and ``targets`` want two of their keys. What is new and has too few signatures yet lies in
``REPO/staged``; devices see it when enough maintainers have signed it.
"""

import argparse
import datetime as dt
import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import (  # type: ignore[attr-defined]
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from firmware.rootfs import Built
from scanner.errors import ScannerError, UsageError
from scanner.updating import LATEST, Release

THRESHOLD: Final = 2
DAYS: Final = {"root": 730, "targets": 365, "snapshot": 30, "timestamp": 30}
SERIALIZER: Final = JSONSerializer(compact=False)


def write_payload(folder: Path, built: Built, root: Path, slot: dict[str, bytes]) -> Release:
    """What makes up a slot, as files to be signed: the packed root, the kernel's folder."""
    shutil.rmtree(folder, ignore_errors=True)
    at = folder / built.target / str(built.release)
    at.mkdir(parents=True)
    shutil.copyfile(root, at / "root.squashfs")
    names = {}
    for name, content in slot.items():
        path = at / "boot" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        names[name] = str(path.relative_to(folder))
    packed = str((at / "root.squashfs").relative_to(folder))
    release = Release(target=built.target, release=built.release, root=packed, boot=names)
    (folder / LATEST).write_bytes(msgspec.json.encode(release) + b"\n")
    return release


def keygen(path: Path) -> None:
    """A key that is not there yet, PKCS #8, unencrypted: keep it where no network is."""
    if path.exists():
        raise UsageError(f"{path} is there already: a key is not overwritten")
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.touch(mode=0o600)
    path.write_bytes(pem)


def signer(path: Path) -> CryptoSigner:
    """A key file's; raises UsageError."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as e:
        raise UsageError(f"{path}: no key: {e}") from e
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path}: not an ed25519 key")
    return CryptoSigner(key)


class Repository:
    """A folder with ``metadata/``, ``targets/`` and what waits for signatures in ``staged/``."""

    def __init__(self, folder: Path, now: dt.datetime) -> None:
        self._folder, self._now = folder, now
        self._metadata = folder / "metadata"
        self._staged = folder / "staged"

    def _until(self, role: str) -> dt.datetime:
        return (self._now + dt.timedelta(days=DAYS[role])).replace(microsecond=0)

    def init(
        self, root: Sequence[Path], release: Sequence[Path], online: Path, *, threshold: int
    ) -> None:
        """Begin with these keys and no release."""
        if self._metadata.exists():
            raise UsageError(f"{self._folder} is a repository already")
        signed = Root(expires=self._until("root"), consistent_snapshot=False)
        for role, keys in (("root", root), ("targets", release)):
            for key in keys:
                signed.add_key(signer(key).public_key, role)
            signed.roles[role].threshold = min(threshold, len(keys))
        for role in ("snapshot", "timestamp"):
            signed.add_key(signer(online).public_key, role)
        for folder in (self._metadata, self._staged, self._folder / "targets"):
            folder.mkdir(parents=True)
        self._sign(Metadata(signed), "1.root", root)
        self._sign(Metadata(Targets(expires=self._until("targets"))), "targets", release)
        shutil.copyfile(self._metadata / "1.root.json", self._folder / "root.json")
        self.refresh(online)

    def add(self, payload: Path, keys: Sequence[Path], online: Path) -> bool:
        """Offer what lies in ``payload``; whether enough keys have signed it to be seen."""
        old = Metadata[Targets].from_file(str(self._metadata / "targets.json")).signed
        targets = self._folder / "targets"
        signed = Targets(version=old.version + 1, expires=self._until("targets"))
        for path in sorted(p for p in payload.rglob("*") if p.is_file()):
            name = str(path.relative_to(payload))
            place = targets / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            signed.targets[name] = TargetFile.from_file(name, str(place), ["sha256"])
        return self._sign(Metadata(signed), "targets", keys) and self.refresh(online)

    def sign(self, keys: Sequence[Path], online: Path | None) -> bool:
        """Sign what waits."""
        path = self._staged / "targets.json"
        if not path.exists():
            raise UsageError("nothing waits for signatures")
        done = self._sign(Metadata[Targets].from_file(str(path)), "targets", keys)
        return done and bool(online and self.refresh(online))

    def refresh(self, online: Path) -> bool:
        """Say what is current, from now on for some days."""
        targets = Metadata[Targets].from_file(str(self._metadata / "targets.json")).signed
        snapshot = Snapshot(version=self._next("snapshot"), expires=self._until("snapshot"))
        snapshot.meta["targets.json"] = MetaFile(targets.version)
        self._sign(Metadata(snapshot), "snapshot", [online])
        content = (self._metadata / "snapshot.json").read_bytes()
        digest = {"sha256": hashlib.sha256(content).hexdigest()}
        timestamp = Timestamp(
            version=self._next("timestamp"),
            expires=self._until("timestamp"),
            snapshot_meta=MetaFile(snapshot.version, len(content), digest),
        )
        return self._sign(Metadata(timestamp), "timestamp", [online])

    def _next(self, role: str) -> int:
        path = self._metadata / f"{role}.json"
        return int(json.loads(path.read_bytes())["signed"]["version"]) + 1 if path.exists() else 1

    def _sign(self, metadata: Metadata, name: str, keys: Sequence[Path]) -> bool:  # type: ignore[type-arg]
        """Add signatures; in place once there are enough, among what waits until then."""
        role = name.rpartition(".")[2]
        for key in keys:
            metadata.sign(signer(key), append=True)
        root = metadata.signed if isinstance(metadata.signed, Root) else self._root()
        content = metadata.to_bytes(SERIALIZER)
        staged = self._staged / f"{name}.json"
        try:
            root.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        except UnsignedMetadataError:
            staged.write_bytes(content)
            return False
        (self._metadata / f"{name}.json").write_bytes(content)
        staged.unlink(missing_ok=True)
        return True

    def _root(self) -> Root:
        newest = max(
            self._metadata.glob("*.root.json"), key=lambda path: int(path.name.split(".")[0])
        )
        return Metadata[Root].from_file(str(newest)).signed


def main() -> int:
    """Keep a repository."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("keygen").add_argument("key", type=Path, nargs="+")
    for name in ("init", "add", "sign", "refresh"):
        one = commands.add_parser(name)
        one.add_argument("repo", type=Path)
        if name == "add":
            one.add_argument("payload", type=Path)
        if name == "init":
            one.add_argument("--root", type=Path, nargs="+", required=True)
            one.add_argument("--release", type=Path, nargs="+", required=True)
            one.add_argument("--threshold", type=int, default=THRESHOLD)
        if name in ("add", "sign"):
            one.add_argument("--keys", type=Path, nargs="+", required=True)
        one.add_argument("--online", type=Path, required=name != "sign")
    try:
        print(_run(parser.parse_args()))
    except ScannerError as e:
        print(f"firmware: error: {e}", file=sys.stderr)
        return e.exit_code
    return 0


def _run(args: argparse.Namespace) -> str:
    if args.command == "keygen":
        for path in args.key:
            keygen(path)
        return "keep them apart, and where no network is"
    repository = Repository(args.repo, dt.datetime.now(dt.UTC))
    if args.command == "init":
        repository.init(args.root, args.release, args.online, threshold=args.threshold)
        return f"build images with --trust {args.repo}/root.json"
    if args.command == "add":
        seen = repository.add(args.payload, args.keys, args.online)
    elif args.command == "sign":
        seen = repository.sign(args.keys, args.online)
    else:
        seen = repository.refresh(args.online)
    return "devices see it now" if seen else "waits for more signatures"


if __name__ == "__main__":
    sys.exit(main())
