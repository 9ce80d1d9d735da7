"""What this device holds is overwritten and removed: by ``scanner wipe``, by the button, the page.

Flash keeps old copies where no program reaches; records were sealed before they reached it.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from scanner import enrolment
from scanner.errors import StoreError
from scanner.storage import known, outbox, tokens

MAPPED: Final = "-shm"  # into the memory of whoever has a database open
LEFT_OVER: Final = ("", "-wal", "-journal", MAPPED)
BLOCK: Final = 1 << 20
EXIT_WIPED: Final = 80  # of ``watch``: its person wiped the device, nothing is to start again


def found(data: Path, config_file: Path) -> list[Path]:
    """Files of ours: what is remembered, home, tokens, enrolment, records."""
    paths = [data / known.FILE_NAME, data / known.HOME_NAME]
    paths += [config_file.with_name(n) for n in (enrolment.FILE, enrolment.CA_FILE)]
    for end in LEFT_OVER:
        paths += [data / (name + end) for name in (tokens.FILE_NAME, outbox.FILE_NAME)]
        paths.append(data / outbox.OWN_FOLDER / (outbox.FILE_NAME + end))
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def overwrite(path: Path) -> None:
    """Random bytes in its place, no length, a random name where that may be given, then none.

    Raises StoreError.
    """
    try:
        with path.open("r+b", buffering=0) as file:
            left = os.fstat(file.fileno()).st_size
            while left > 0:
                left -= file.write(os.urandom(min(left, BLOCK)))
            os.fsync(file.fileno())
            file.truncate(0)
            os.fsync(file.fileno())
        with suppress(PermissionError):  # behind the wall of `watch` nothing is renamed
            path = path.rename(path.with_name(os.urandom(8).hex()))
        path.unlink()
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as e:
        raise StoreError(f"{path}: cannot be wiped: {e.strerror}") from e


def wipe_now(data: Path, config_file: Path) -> list[Path]:
    """Overwrite all that can be reached, whoever has it open; returns what could not be.

    For a person in a hurry: a relay that is at work finds its outbox damaged, ends, and starts anew
    with an empty one.
    """
    left = []
    for path in found(data, config_file):
        try:
            if path.name.endswith(MAPPED):
                path.unlink()  # page numbers; cut short it would end whoever has it mapped
            else:
                overwrite(path)
        except (StoreError, OSError):
            left.append(path)
    return left
