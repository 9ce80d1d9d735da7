"""The power goes, or the program is killed, between two things that are done to files."""

import sys
from pathlib import Path
from typing import Final

EVENTS: Final = ("open", "os.remove", "os.rename", "os.mkdir", "os.rmdir")
_armed: list[tuple[int, str]] = []
_hooked: list[bool] = []


class PowerCut(BaseException):
    """The device is off: nothing after this is done."""


def arm(after: int, below: Path) -> None:
    """The power goes at the so-manyth thing that is done to files below a folder."""
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked.append(True)
    _armed[:] = [(after, str(below))]


def disarm() -> None:
    """The power stays."""
    _armed.clear()


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if not _armed or event not in EVENTS:
        return
    after, below = _armed[0]
    # A folder is emptied by names within it, without the folder's own.
    if not str(arguments[0]).startswith("/") or below in str(arguments[0]):
        _armed[:] = [(after - 1, below)]
        if after == 0:
            disarm()
            raise PowerCut
