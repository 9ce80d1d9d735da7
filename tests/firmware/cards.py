"""Cards as folders and files, and what a board would start from them."""

import datetime as dt
import hashlib
from pathlib import Path
from typing import Final, Literal

from firmware.keys import keygen
from firmware.release import Repository, write_payload
from firmware.rootfs import Built
from scanner.slots import (
    CountedSlots,
    Place,
    Running,
    Slot,
    Slots,
    TrybootSlots,
    entry,
    places_below,
)
from scanner.updating import Source

Kind = Literal["tryboot", "bootcounting"]
KINDS: Final[tuple[Kind, ...]] = ("tryboot", "bootcounting")
NOW: Final = dt.datetime.now(dt.UTC)
OLD: Final = 100
ROOM: Final = 5_000  # bytes of a slot's partition


def content(release: int) -> tuple[bytes, dict[str, bytes]]:
    """A release's packed root and its kernel's folder."""
    root = hashlib.sha256(f"root {release}".encode()).digest() * 120
    return root, {"vmlinuz": b"kernel %d " % release * 40, "dtb/board.dtb": b"tree %d" % release}


class Card:
    """Two slots; a holds release ``OLD``, b nothing that starts."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self.boot, self.kind = folder / "boot", kind
        self.roots: dict[Slot, Path] = {"a": folder / "root-a", "b": folder / "root-b"}
        root, files = content(OLD)
        (self.boot / "a").mkdir(parents=True)
        (self.boot / "b").mkdir()
        self.roots["a"].write_bytes(root.ljust(ROOM, b"\0"))
        self.roots["b"].write_bytes(bytes(ROOM))
        for name, text in files.items():
            path = self.boot / "a" / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text)
        if kind == "tryboot":
            (self.boot / "config.txt").write_text("os_prefix=a/\ndtoverlay=disable-wifi\n")
        else:
            (self.boot / "loader/entries").mkdir(parents=True)
            first = entry("a", OLD, "quiet scanner.slot=a")
            (self.boot / "loader/entries/scanner-a.conf").write_text(first)

    def slots(self) -> Slots:
        return TrybootSlots(self.boot) if self.kind == "tryboot" else CountedSlots(self.boot)

    def places(self) -> dict[Slot, Place]:
        return places_below(self.boot, self.roots)

    def start(self, *, trying: bool = False) -> int:
        """The release that a start ends in, wholly; 0 if what would start is not complete.

        ``trying``: what was marked is tried, if anything was; used up by that, as on a board.
        """
        slot = self._tryboot(trying=trying) if self.kind == "tryboot" else self._counted()
        return self.holds(slot)

    def _tryboot(self, *, trying: bool) -> Slot:
        tried = self.boot / "tryboot.txt"
        chosen = tried if trying and tried.exists() else self.boot / "config.txt"
        return "b" if "os_prefix=b/" in chosen.read_text().splitlines() else "a"

    def _counted(self) -> Slot:
        """As systemd-boot: tries used up go last, then the highest version; counts down."""
        rows = []
        for path in (self.boot / "loader/entries").glob("*.conf"):
            name, _, count = path.stem.partition("+")
            left = int(count.split("-")[0]) if count else None
            version = int(path.read_text().split("version ")[1].split()[0])
            rows.append((left != 0, version, name, left, path))
        _, _, name, left, path = max(rows)
        if left:
            path.rename(path.with_name(f"{name}+{left - 1}-1.conf"))
        return "b" if name.endswith("b") else "a"

    def holds(self, slot: Slot) -> int:
        """The release whose root and kernel are complete in a slot; 0: none."""
        for release in range(OLD, OLD + 10):
            root, files = content(release)
            there = {
                str(p.relative_to(self.boot / slot)): p.read_bytes()
                for p in (self.boot / slot).rglob("*")
                if p.is_file()
            }
            if self.roots[slot].read_bytes()[: len(root)] == root and there == files:
                return release
        return 0


class Makers:
    """Three maintainers with keys, two of whom must sign."""

    def __init__(self, folder: Path, now: dt.datetime = NOW) -> None:
        self.folder, self.repo, self.now = folder, folder / "repo", now
        folder.mkdir(parents=True, exist_ok=True)
        self.keys = [folder / f"key-{n}" for n in range(3)]
        self.online = folder / "online"
        for path in (*self.keys, self.online):
            keygen(path)
        self.repository = Repository(self.repo, now)
        self.repository.init(self.keys, self.keys, self.online, threshold=2)
        self.root = (self.repo / "root.json").read_bytes()

    def offer(self, release: int, *, target: str = "test", keys: int = 2) -> bool:
        """Publish a release, signed by so many."""
        payload = self.folder / f"payload-{release}"
        packed = self.folder / "root.squashfs"
        root, files = content(release)
        packed.write_bytes(root)
        write_payload(payload, Built(target, release, 0), packed, files)
        return self.repository.add(payload, self.keys[:keys], self.online)

    def source(self, state: Path) -> Source:
        return Source(self.repo.as_uri(), root=self.root, state=state)


RUNNING: Final = Running(target="test", release=OLD, built=0)
