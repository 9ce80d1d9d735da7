"""Sealed records as they came, beside the database: what a restored backup lacks is in them.

One file per intake and day, to which each batch is added before the broker hears that we have it.
They are sealed, so a destroyed key makes them unreadable; and all of one size, so a file that was
cut short lacks its last record and nothing else. What is older than the oldest backup can go.
"""

import datetime as dt
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from scanner.core.wire import SEALED_BYTES
from scanner.errors import StoreError, UsageError

SUFFIX: Final = ".kept"
AT_ONCE: Final = 500
_PRIVATE: Final = 0o600
_FOLDER: Final = 0o700


class Keeper:
    """Adds to the files of one intake in a folder; ``name`` is that intake's alone.

    ``clock`` gives seconds since 1970. Raises StoreError if there is no such folder to be had.
    """

    def __init__(self, folder: Path, name: str, clock: Callable[[], float]) -> None:
        self._folder, self._name, self._clock = folder, name, clock
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=_FOLDER)
        except OSError as e:
            raise StoreError(f"{folder}: cannot be made: {e.strerror}") from e

    def keep(self, payloads: Sequence[bytes]) -> None:
        """Add what can be a record; on return it survives a power cut. Raises StoreError."""
        records = b"".join(p for p in payloads if len(p) == SEALED_BYTES)
        if not records:
            return
        day = dt.datetime.fromtimestamp(self._clock(), dt.UTC).date()
        path = self._folder / f"{self._name}-{day}{SUFFIX}"
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, _PRIVATE)
            try:
                # What a full disk or our own end has cut short is written over.
                whole = os.fstat(file).st_size // SEALED_BYTES * SEALED_BYTES
                _write(file, records, whole)
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as e:
            raise StoreError(f"{path}: {e.strerror}", hint="free some space") from e


def _write(file: int, data: bytes, at: int) -> None:
    while data:
        count = os.pwrite(file, data, at)
        data, at = data[count:], at + count


def read(path: Path) -> Iterator[list[bytes]]:
    """The records of a file by the portion; raises UsageError."""
    try:
        with path.open("rb") as file:
            while content := file.read(AT_ONCE * SEALED_BYTES):
                whole = len(content) // SEALED_BYTES * SEALED_BYTES
                yield [content[i : i + SEALED_BYTES] for i in range(0, whole, SEALED_BYTES)]
    except OSError as e:
        raise UsageError(f"{path}: cannot be read: {e.strerror}") from e
