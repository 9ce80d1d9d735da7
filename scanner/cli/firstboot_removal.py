"""What was taken from the boot partition leaves it: overwritten, then removed.

A file that is only removed can be read from the card until something else is written over it. The
power may go at any instant, so its first bytes go first and alone: by them the next start knows it
for one that was taken, and goes on. It is never without content as long as it has its name: empty
settings would be taken as such. Flash keeps old copies where no program reaches.
"""

import os
from pathlib import Path
from typing import BinaryIO, Final

from scanner.disk import settle
from scanner.errors import StoreError

SPENT: Final = b"\0taken\0\n"
CHUNK: Final = 1 << 20


def remove(path: Path) -> None:
    """On the card when this returns. Raises StoreError."""
    try:
        with path.open("r+b", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            _fill(file, min(size, len(SPENT)))
            _fill(file, size)
        path.unlink()
        settle(path.parent)
    except OSError as e:
        raise StoreError(f"{path.name}: cannot be removed: {e.strerror}") from e


def _fill(file: BinaryIO, size: int) -> None:
    file.seek(0)
    filler = SPENT * (CHUNK // len(SPENT))
    left = size
    while left > 0:
        left -= file.write(filler[: min(left, CHUNK)]) or 0
    os.fsync(file.fileno())


def spent(path: Path) -> bool:
    """Whether its removal was begun."""
    try:
        with path.open("rb") as file:
            return file.read(len(SPENT)) == SPENT
    except OSError:
        return False
