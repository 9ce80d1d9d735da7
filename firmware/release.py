"""Publishing updates: keys, signatures, a TUF repository that devices and sticks can hold.

::

    python -m firmware.release keygen KEY...                 one for each maintainer
    python -m firmware.release init REPO --root K K K --release K K K --online K
    python -m firmware.release add REPO PAYLOAD --keys K K --online K
    python -m firmware.release sign REPO --keys K            a further maintainer, elsewhere
    python -m firmware.release refresh REPO --online K       every few days

``root`` and ``targets`` want two of their keys. What is new and has too few signatures yet lies in
``REPO/staged``, files and all; devices see it when enough maintainers have signed it. What was
killed half-way is done by the same command again.
"""

import argparse
import datetime as dt
import hashlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]
from tuf.api.exceptions import LengthOrHashMismatchError, UnsignedMetadataError
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
from scanner.disk import replace
from scanner.errors import ScannerError, UsageError
from scanner.updating import LATEST, Release, address

THRESHOLD: Final = 2
DAYS: Final = {"root": 730, "targets": 365, "snapshot": 30, "timestamp": 30}
SERIALIZER: Final = JSONSerializer(compact=False)
AnyMetadata = Metadata[Root] | Metadata[Targets] | Metadata[Snapshot] | Metadata[Timestamp]


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
    """A folder with ``metadata/``, ``targets/`` and what waits for signatures in ``staged/``.

    Names carry a version or a digest (TUF's consistent snapshots), so that of what devices read
    only ``timestamp.json`` is replaced, last and at once: until then they see the release before.
    """

    def __init__(self, folder: Path, now: dt.datetime) -> None:
        self._folder, self._now = folder, now
        self._metadata = folder / "metadata"
        self._staged = folder / "staged"
        self._waiting = self._staged / "targets.json"

    def _until(self, role: str) -> dt.datetime:
        return (self._now + dt.timedelta(days=DAYS[role])).replace(microsecond=0)

    def init(
        self, root: Sequence[Path], release: Sequence[Path], online: Path, *, threshold: int
    ) -> None:
        """Begin with these keys and no release."""
        if self._metadata.exists():
            raise UsageError(f"{self._folder} is a repository already")
        signed = Root(expires=self._until("root"), consistent_snapshot=True)
        for role, keys in (("root", root), ("targets", release)):
            for key in keys:
                signed.add_key(signer(key).public_key, role)
            signed.roles[role].threshold = min(threshold, len(keys))
        for role in ("snapshot", "timestamp"):
            signed.add_key(signer(online).public_key, role)
        for folder in (self._metadata, self._folder / "targets"):
            folder.mkdir(parents=True)
        self._put(Metadata(signed), "1.root", root, signed)
        targets = Targets(expires=self._until("targets"))
        self._put(Metadata(targets), "1.targets", release, signed)
        shutil.copyfile(self._metadata / "1.root.json", self._folder / "root.json")
        self.refresh(online)

    def add(self, payload: Path, keys: Sequence[Path], online: Path) -> bool:
        """Offer what lies in ``payload``; whether enough keys have signed it to be seen."""
        if not (payload / LATEST).is_file():
            raise UsageError(
                f"{payload}: no {LATEST} in it", hint="the build leaves a folder `payload`"
            )
        root = self._root()
        return self._offer(Metadata(self._stage(payload)), keys, online, root)

    def sign(self, keys: Sequence[Path], online: Path | None) -> bool:
        """Sign what waits."""
        if not self._waiting.exists():
            raise UsageError("nothing waits for signatures")
        metadata = Metadata[Targets].from_file(str(self._waiting))
        return self._offer(metadata, keys, online, self._root())

    def refresh(self, online: Path) -> bool:
        """Say what is current, from now on for some days."""
        root, number = self._root(), self._newest("snapshot") + 1
        snapshot = Snapshot(version=number, expires=self._until("snapshot"))
        snapshot.meta["targets.json"] = MetaFile(self._newest("targets"))
        content = self._put(Metadata(snapshot), f"{number}.snapshot", [online], root)
        digest = {"sha256": hashlib.sha256(content).hexdigest()}
        timestamp = Timestamp(
            # Each has a snapshot of its own, though a snapshot may have been left without one.
            version=number,
            expires=self._until("timestamp"),
            snapshot_meta=MetaFile(number, len(content), digest),
        )
        self._put(Metadata(timestamp), "timestamp", [online], root)
        return True

    def _stage(self, payload: Path) -> Targets:
        """Copies of a payload where no device looks, instead of what waited there before."""
        shutil.rmtree(self._staged, ignore_errors=True)
        signed = Targets(version=self._newest("targets") + 1, expires=self._until("targets"))
        for path in sorted(p for p in payload.rglob("*") if p.is_file()):
            name = path.relative_to(payload).as_posix()
            file = TargetFile.from_file(name, str(path), ["sha256"])
            place = self._staged / "targets" / address(file)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            signed.targets[name] = file
        return signed

    def _offer(
        self, metadata: Metadata[Targets], keys: Sequence[Path], online: Path | None, root: Root
    ) -> bool:
        """Sign; files and signatures in place once there are enough, until then they wait."""
        if not _sign(metadata, keys, root):
            replace(self._waiting, metadata.to_bytes(SERIALIZER))
            return False
        self._move(metadata.signed)
        self._put(metadata, f"{metadata.signed.version}.targets", (), root)
        seen = bool(online and self.refresh(online))
        # Last: after a kill before this all can be done again.
        shutil.rmtree(self._staged)
        return seen

    def _move(self, signed: Targets) -> None:
        """The signed files to where devices look; all are there and whole, or none is moved."""
        moves = []
        for name, file in signed.targets.items():
            place = self._folder / "targets" / address(file)
            staged = self._staged / "targets" / address(file)
            # After a kill some have been moved.
            at = staged if staged.exists() else place
            try:
                with at.open("rb") as content:
                    file.verify_length_and_hashes(content)
            except (OSError, LengthOrHashMismatchError) as e:
                raise UsageError(
                    f"{at}: not what was signed as {name}: {e}", hint="add the release again"
                ) from e
            moves.append((at, place))
        for at, place in moves:
            place.parent.mkdir(parents=True, exist_ok=True)
            at.replace(place)

    def _put(self, metadata: AnyMetadata, name: str, keys: Sequence[Path], root: Root) -> bytes:
        """Sign and put in place; the file's content. Raises UsageError for others' keys."""
        if not _sign(metadata, keys, root):
            raise UsageError(f"{name}.json: not signed by enough of the keys that it wants")
        content = metadata.to_bytes(SERIALIZER)
        replace(self._metadata / f"{name}.json", content)
        return content

    def _newest(self, role: str) -> int:
        """Its newest version; 0 if there is none."""
        paths = self._metadata.glob(f"*.{role}.json")
        return max((int(path.name.split(".")[0]) for path in paths), default=0)

    def _root(self) -> Root:
        path = self._metadata / f"{self._newest('root')}.root.json"
        if not path.exists():
            raise UsageError(f"{self._folder} is no repository", hint="`init` begins one")
        return Metadata[Root].from_file(str(path)).signed


def _sign(metadata: AnyMetadata, keys: Sequence[Path], root: Root) -> bool:
    """Add signatures; whether there are enough."""
    for key in keys:
        metadata.sign(signer(key), append=True)
    try:
        root.verify_delegate(metadata.signed.type, metadata.signed_bytes, metadata.signatures)
    except UnsignedMetadataError:
        return False
    return True


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
