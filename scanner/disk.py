"""Files and names that are on the card, not on their way to it, when a function returns."""

import contextlib
import io
import os
import secrets
from pathlib import Path
from typing import Final

from scanner.errors import StoreError

BLOCK: Final = 1 << 20
LEAST_BYTES: Final = 64 * 1024  # without so much no database can be opened


def replace(path: Path, content: bytes, *, mode: int = 0o644, whatever_umask: bool = False) -> None:
    """A file with this content, or as it was; on the card when this returns. Raises StoreError.

    Its folder is there. At no time can anybody read it whom ``mode`` keeps out; the umask keeps out
    more, unless others have to read it.
    """
    new = unfinished(path)
    try:
        new.unlink(missing_ok=True)  # of a start that was cut off
        _write_new(new, content, mode, whatever_umask=whatever_umask)
        new.replace(path)
        settle(path.parent)
    except OSError as e:
        with contextlib.suppress(OSError):
            new.unlink()
        raise StoreError(f"{path}: cannot be written: {e.strerror}") from e


def replace_secret(path: Path, content: bytes, *, mode: int, whatever_umask: bool = False) -> None:
    """As ``replace``, and what the file held before is overwritten where that can be done.

    Other names of that file lose it, too. Raises StoreError.
    """
    with contextlib.ExitStack() as stack:
        old = None
        with contextlib.suppress(OSError):  # there is none, or it is not ours
            if not path.is_symlink():
                old = stack.enter_context(path.open("r+b", buffering=0))
        replace(path, content, mode=mode, whatever_umask=whatever_umask)
        with contextlib.suppress(OSError):  # a worn place of the card; the new one stands
            if old:
                scramble(old)


def _write_new(new: Path, content: bytes, mode: int, *, whatever_umask: bool = False) -> None:
    """A file that was not there, its content on the card. Raises OSError."""
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        if whatever_umask:
            os.fchmod(handle, mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def create_secret(path: Path, content: bytes) -> bool:
    """A file that only we read, whole or not at all; False where there is one. Raises StoreError.

    Written beside and linked: a full card leaves no half of it, and two that make it at once agree.
    """
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        try:
            _write_new(new, content, 0o600)
            os.link(new, path)
            settle(path.parent)
        finally:
            new.unlink(missing_ok=True)
    except FileExistsError:
        return False
    except OSError as e:
        raise StoreError(f"{path}: cannot be made: {e.strerror}") from e
    return True


def scramble(file: io.FileIO) -> None:
    """Random bytes in the place of what a file holds, then no length. Raises OSError."""
    left = os.fstat(file.fileno()).st_size
    while left > 0:
        left -= file.write(os.urandom(min(left, BLOCK)))
    os.fsync(file.fileno())
    file.truncate(0)
    os.fsync(file.fileno())


def unfinished(path: Path) -> Path:
    """Where ``replace`` writes: it stays, with all that was written, where power went meanwhile."""
    return path.with_name(f".{path.name}.new")  # no name that a person may have given


def make_folder(folder: Path, *, mode: int = 0o755) -> None:
    """A folder and those above it, where they are missing. Raises StoreError."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=mode)
    except OSError as e:
        raise StoreError(f"{folder}: cannot be made: {e.strerror}") from e


def own_file(path: Path) -> None:
    """A file that nobody else reads, empty where there was none; raises StoreError.

    What SQLite writes beside a database is kept from others as the database is. One that is there
    is not opened: closing it would take away the locks of every connection that this process has
    to it (https://sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        with contextlib.suppress(OSError):  # somebody else's, who lets us write
            path.chmod(0o600)
    except OSError as e:
        raise StoreError(f"{path}: cannot be opened: {e.strerror}") from e


def settle(folder: Path) -> None:
    """Names in a folder, too, are on the card when this returns. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def named(trouble: StoreError, folder: Path) -> StoreError:
    """The same trouble, or where the card of that folder is full, one that says so.

    SQLite tells of some writes for which there is no space as of any other that fails.
    """
    try:
        there = os.statvfs(folder)
    except OSError:
        return trouble
    if trouble.full or there.f_bavail * there.f_frsize >= LEAST_BYTES:
        return trouble
    return StoreError(
        f"{trouble.message}: the card is full", hint="free some space; what is on it is safe"
    )
