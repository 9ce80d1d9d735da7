"""Two systems on one card, and who picks one at start.

A slot is a partition with a read-only root and a folder of its own on the boot partition with the
kernel that belongs to it. What picks a slot is never written in place: a choice is a file that is
renamed, and where that is lost the old choice holds.

- ``TrybootSlots``: the Pi's own firmware. ``config.txt`` names the folder in ``os_prefix``;
  ``reboot "0 tryboot"`` reads ``tryboot.txt`` instead, once: a power cut or a hang comes back to
  ``config.txt``. No program of ours runs before the kernel.
- ``CountedSlots``: systemd-boot, for machines with UEFI firmware such as QEMU's. An entry that ends
  in ``+1`` may be tried once; the boot loader itself counts it down by renaming it, and passes over
  an entry whose tries are used up.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec

from scanner.disk import replace, settle
from scanner.errors import StoreError

Slot = Literal["a", "b"]
BOTH: Final[tuple[Slot, Slot]] = ("a", "b")
_PREFIX: Final = re.compile(r"^os_prefix=([ab])/$", re.MULTILINE)
_TRIES: Final = re.compile(r"^scanner-([ab])(?:\+(\d+)(?:-\d+)?)?[.]conf$")


class Running(msgspec.Struct, frozen=True):
    """``/usr/share/scanner/release.json``: what this system is."""

    target: str
    release: int
    built: int  # seconds since 1970


class Place(msgspec.Struct, frozen=True):
    """A slot's two places on the card."""

    root: Path  # partition, or a file
    boot: Path  # folder on the boot partition


class Slots(Protocol):
    """What an update needs of whoever picks a slot at start. All raise StoreError."""

    def kept(self) -> Slot:
        """The slot that starts when nothing is tried."""

    def close(self, slot: Slot) -> None:
        """From now on this slot is not started: it is about to be written."""

    def try_once(self, slot: Slot, release: int) -> None:
        """The next start, and only that, is in this slot."""

    def keep(self, slot: Slot, release: int) -> None:
        """From now on every start is in this slot."""

    def restart_argument(self) -> str:
        """What to tell reboot so that a marked slot is tried."""


def places_below(boot: Path, roots: Mapping[Slot, Path]) -> dict[Slot, Place]:
    """Where both slots lie."""
    return {slot: Place(roots[slot], boot / slot) for slot in BOTH}


def confirm(
    slots: Slots, slot: Slot, release: int, *, failed: frozenset[str], before: frozenset[str]
) -> bool:
    """Keep the slot that runs if no check failed that did not fail before the update.

    True if it is kept now. What failed before (a receiver that is not plugged in) is no fault of
    the update.
    """
    if slots.kept() == slot:
        return True
    if failed - before:
        return False
    slots.keep(slot, release)
    return True


def other(slot: Slot) -> Slot:
    """The slot that is not this one."""
    return "b" if slot == "a" else "a"


class TrybootSlots:
    """The Pi's firmware: ``boot`` is its partition."""

    def __init__(self, boot: Path) -> None:
        self._boot = boot

    def _text(self) -> str:
        try:
            return (self._boot / "config.txt").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as e:
            raise StoreError(f"{self._boot}/config.txt cannot be read: {e}") from e

    def _with_prefix(self, slot: Slot) -> bytes:
        return _PREFIX.sub(f"os_prefix={slot}/", self._text()).encode()

    def kept(self) -> Slot:
        """As ``Slots`` promises."""
        found = _PREFIX.findall(self._text())
        if found not in (["a"], ["b"]):
            raise StoreError(
                f"{self._boot}/config.txt names no slot",
                hint="one line must be os_prefix=a/ or os_prefix=b/",
            )
        slot: Slot = "a" if found == ["a"] else "b"
        return slot

    def close(self, slot: Slot) -> None:
        """As ``Slots`` promises."""
        if slot == self.kept():
            raise StoreError(f"slot {slot} is the one that starts")
        (self._boot / "tryboot.txt").unlink(missing_ok=True)
        settle(self._boot)

    def try_once(self, slot: Slot, release: int) -> None:  # noqa: ARG002 - the firmware asks for none
        """As ``Slots`` promises."""
        replace(self._boot / "tryboot.txt", self._with_prefix(slot))

    def keep(self, slot: Slot, release: int) -> None:  # noqa: ARG002 - as above
        """As ``Slots`` promises."""
        replace(self._boot / "config.txt", self._with_prefix(slot))
        (self._boot / "tryboot.txt").unlink(missing_ok=True)
        settle(self._boot)

    def restart_argument(self) -> str:
        """As ``Slots`` promises."""
        return "0 tryboot"


class CountedSlots:
    """systemd-boot: ``boot`` is the EFI partition, with ``loader/entries/scanner-a.conf``."""

    def __init__(self, boot: Path) -> None:
        self._entries = boot / "loader/entries"

    def entries(self) -> dict[Slot, tuple[Path, int | None]]:
        """Each slot's entry and its tries left; None: as often as wanted."""
        found: dict[Slot, tuple[Path, int | None]] = {}
        for path in sorted(self._entries.glob("scanner-*.conf")):
            if match := _TRIES.match(path.name):
                slot: Slot = "a" if match[1] == "a" else "b"
                found[slot] = (path, int(match[2]) if match[2] else None)
        return found

    def kept(self) -> Slot:
        """As ``Slots`` promises."""
        steady = {slot: path for slot, (path, tries) in self.entries().items() if tries is None}
        if not steady:
            raise StoreError(f"{self._entries}: no entry without a count")
        return max(steady, key=lambda slot: release_of(steady[slot]))

    def close(self, slot: Slot) -> None:
        """As ``Slots`` promises."""
        if slot == self.kept():
            raise StoreError(f"slot {slot} is the one that starts")
        for path in self._entries.glob(f"scanner-{slot}*.conf"):
            path.unlink()
        settle(self._entries)

    def try_once(self, slot: Slot, release: int) -> None:
        """As ``Slots`` promises."""
        kept = self.kept()
        said = self.entries()[kept][0].read_text(encoding="utf-8")
        options = said.partition("\noptions ")[2].strip()
        text = entry(slot, release, options.replace(f"slot={kept}", f"slot={slot}"))
        replace(self._entries / f"scanner-{slot}+1.conf", text.encode())

    def keep(self, slot: Slot, release: int) -> None:
        """As ``Slots`` promises."""
        if slot not in self.entries():
            self.try_once(slot, release)
        path, tries = self.entries()[slot]
        if tries is not None:
            path.rename(self._entries / f"scanner-{slot}.conf")
        settle(self._entries)

    def restart_argument(self) -> str:
        """As ``Slots`` promises."""
        return ""


def entry(slot: Slot, release: int, options: str) -> str:
    """An entry of systemd-boot; of several the one with the highest version starts."""
    return (
        f"title scanner {release} in slot {slot}\nsort-key scanner\nversion {release}\n"
        f"linux /{slot}/vmlinuz\ninitrd /{slot}/initrd\noptions {options}\n"
    )


def release_of(path: Path) -> int:
    """The release that an entry starts; 0 if it does not say."""
    found = re.search(r"^version (\d+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return int(found[1]) if found else 0
