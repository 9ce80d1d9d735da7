"""Publishing updates: keys, signatures, a TUF repository that devices and sticks can hold.

::

    python -m firmware.release keygen KEY...                 one for each maintainer
    python -m firmware.release init REPO --root K K K --release K K K --online K
    python -m firmware.release add REPO PAYLOAD --keys K K --online K
    python -m firmware.release sign REPO --keys K            a further maintainer, elsewhere
    python -m firmware.release refresh REPO --online K       every few days
    python -m firmware.release renew REPO --keys K K --online K    what is offered, each year
    python -m firmware.release root REPO --keys K K          the root itself, each year
    python -m firmware.release root REPO --keys K K --root K K K --release K K K    other keys

``root`` and ``targets`` want two of their keys. What is new and has too few signatures yet lies in
``REPO/staged``, files and all; devices see it when enough maintainers have signed it. A new root
waits in ``REPO/next-root.json``, for ``root`` by the others. What was killed half-way is done by
the same command again.
"""

import argparse
import datetime as dt
import hashlib
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from tuf.api.exceptions import LengthOrHashMismatchError
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

from firmware.keys import AnyMetadata, keygen, sign, signer
from firmware.rootfs import Built
from firmware.trust import EARLY, ROLES, early, successor
from scanner.disk import replace
from scanner.errors import ScannerError, UsageError
from scanner.updating import LATEST, Release, address

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
        self._next_root = folder / "next-root.json"

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

    def renew(self, keys: Sequence[Path], online: Path) -> bool:
        """Offer what is offered for another year, or by other keys; whether enough have signed."""
        if self._waiting.exists():
            raise UsageError("a release waits for signatures", hint="`sign` it: that renews, too")
        root, number = self._root(), self._newest("targets")
        last = Metadata[Targets].from_file(str(self._metadata / f"{number}.targets.json")).signed
        signed = Targets(number + 1, expires=self._until("targets"), targets=last.targets)
        self._staged.mkdir(exist_ok=True)
        return self._offer(Metadata(signed), keys, online, root)

    def root(self, keys: Sequence[Path], others: Mapping[str, Sequence[Path]]) -> bool:
        """The next root, or signatures below the one that waits; whether devices see it.

        ``others`` names new keys for some of ROLES, and begins anew. What these are for is to be
        signed by them afterwards: ``renew``.
        """
        old = self._root()
        changed = {
            name: [signer(path).public_key for path in paths] for name, paths in others.items()
        }
        metadata = Metadata(successor(old, self._until("root"), changed))
        if self._next_root.exists() and not others:
            waiting = Metadata[Root].from_file(str(self._next_root))
            # Or it is in place already, and only its name here was left by a kill.
            metadata = waiting if waiting.signed.version == old.version + 1 else metadata
        enough = sign(metadata, keys, old) and sign(metadata, (), metadata.signed)
        if not enough:
            replace(self._next_root, metadata.to_bytes(SERIALIZER))
            return False
        self._put(metadata, f"{metadata.signed.version}.root", (), old)
        self._hand_out()
        self._next_root.unlink(missing_ok=True)
        return True

    def _hand_out(self) -> None:
        """The newest root where images are told to look for it."""
        newest = self._metadata / f"{self._newest('root')}.root.json"
        replace(self._folder / "root.json", newest.read_bytes())

    def early(self) -> list[str]:
        """What is to be renewed before long, a line each."""
        paths = [self._metadata / f"{self._newest(role)}.{role}.json" for role in EARLY]
        return early(paths, self._now)

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
        self._hand_out()
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
        if not sign(metadata, keys, root):
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
        if not sign(metadata, keys, root):
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


def main() -> int:
    """Keep a repository."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("keygen").add_argument("key", type=Path, nargs="+")
    for name in ("init", "add", "sign", "refresh", "renew", "root"):
        one = commands.add_parser(name)
        one.add_argument("repo", type=Path)
        if name == "add":
            one.add_argument("payload", type=Path)
        if name in ("init", "root"):
            one.add_argument("--root", type=Path, nargs="+", required=name == "init")
            one.add_argument("--release", type=Path, nargs="+", required=name == "init")
        if name == "init":
            one.add_argument("--threshold", type=int, default=THRESHOLD)
        if name in ("add", "sign", "renew", "root"):
            one.add_argument("--keys", type=Path, nargs="+", required=True)
        one.add_argument("--online", type=Path, required=name not in ("sign", "root"))
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
    elif args.command == "renew":
        seen = repository.renew(args.keys, args.online)
    elif args.command == "root":
        seen = repository.root(args.keys, _others(args))
    else:
        seen = repository.refresh(args.online)
    return "\n".join(
        ["devices see it now" if seen else "waits for more signatures", *repository.early()]
    )


def _others(args: argparse.Namespace) -> dict[str, list[Path]]:
    """Keys that a command of ``root`` names, by the names of ROLES."""
    online = [args.online] if args.online else None
    told = {"root": args.root, "release": args.release, "online": online}
    return {name: told[name] for name in ROLES if told[name]}


if __name__ == "__main__":
    sys.exit(main())
