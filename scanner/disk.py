"""Files and names that are on the card, not on their way to it, when a function returns."""

import os
from pathlib import Path

from scanner.errors import StoreError


def replace(path: Path, content: bytes) -> None:
    """A file with this content, or as it was; on the card when this returns. Raises StoreError."""
    new = path.with_name(f"{path.name}.new")
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        settle(path.parent)
    except OSError as e:
        raise StoreError(f"{path}: cannot be written: {e.strerror}") from e


def settle(folder: Path) -> None:
    """Names in a folder, too, are on the card when this returns. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
