"""What this device holds is overwritten and removed: by ``scanner wipe``, by the button, the page.

A file that cannot be overwritten keeps no other: what is left is told when all have been tried.
Behind its wall ``watch`` reaches the data folder only, so a wipe by button or page has two halves:
``wipe_now`` there, and ``finish`` by whoever may do the rest: ``scanner run``, or as a service
``scanner-wipe``. Between them stands a mark. It is there before anything is overwritten and goes
last, so that after a power cut the next start goes on with the wipe.

Flash keeps old copies where no program reaches; records were sealed before they reached it.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from scanner import enrolment
from scanner.disk import scramble, settle, unfinished
from scanner.errors import StoreError
from scanner.storage import known, outbox, tokens

MAPPED: Final = "-shm"  # into the memory of whoever has a database open
LEFT_OVER: Final = ("", "-wal", "-journal", MAPPED)
EXIT_WIPED: Final = 80  # of ``watch``: its person wiped the device, nothing is to start again
MARK: Final = outbox.WIPE_MARK  # in the data folder; without content, a wipe is only possible
# Beside scanner.toml: whose campaign this is, the password of its broker, the name of a wireless
# network, which public maps place within metres.
SETTINGS: Final = (enrolment.FILE, enrolment.CA_FILE, "mqtt-password", "wifi.conf")
ROUNDS: Final = 5  # of ``finish``: what was still at work may have written something again


def found(data: Path, config_file: Path) -> list[Path]:
    """Files of ours: what is remembered, home, tokens, records, enrolment."""
    paths = [data / known.FILE_NAME, data / known.HOME_NAME]
    for end in LEFT_OVER:
        paths += [data / (name + end) for name in (tokens.FILE_NAME, outbox.FILE_NAME)]
        paths.append(data / outbox.OWN_FOLDER / (outbox.FILE_NAME + end))
    settings = [config_file.with_name(name) for name in SETTINGS]
    paths += [*settings, *map(unfinished, settings)]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def overwrite(path: Path) -> None:
    """Random bytes in its place, no length, a random name where that may be given, then none.

    One that is not there any more is wiped. Raises StoreError.
    """
    try:
        with path.open("r+b", buffering=0) as file:
            scramble(file)
        with suppress(PermissionError):  # behind the wall of `watch` nothing is renamed
            path = path.rename(path.with_name(os.urandom(8).hex()))
        _remove(path)
    except FileNotFoundError:
        return  # whoever had it open has removed it
    except OSError as e:
        raise StoreError(f"{path}: cannot be wiped: {e.strerror}") from e


def _remove(path: Path) -> None:
    """The name goes, and the card knows it."""
    path.unlink()
    settle(path.parent)


def begun(data: Path) -> bool:
    """Whether a wipe was begun here and is not finished."""
    with suppress(OSError):
        return (data / MARK).stat().st_size > 0
    return False


@contextmanager
def markable(data: Path) -> Iterator[None]:
    """While this lasts ``wipe_now`` can set its mark, also where no file can be made any more.

    Raises StoreError.
    """
    path = data / MARK
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        fcntl.flock(handle, fcntl.LOCK_SH)
    except OSError as e:
        raise StoreError(f"{path}: cannot be made: {e.strerror}") from e
    try:
        yield
    finally:
        with suppress(BlockingIOError):  # another `watch` on this folder may still want it
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not begun(data):
                path.unlink(missing_ok=True)
        os.close(handle)


def wipe_now(data: Path, config_file: Path) -> list[Path]:
    """Overwrite all that can be reached, whoever has it open; returns what could not be.

    For a person in a hurry: a relay that is at work finds its outbox damaged and ends. The mark
    stays while anything is left for ``finish``.
    """
    marked = _mark(data)
    left = _wipe_all(data, config_file)
    if left and not marked:
        _mark(data)  # the card was full
    if not left:
        unmark(data)
    return left


def finish(data: Path, config_file: Path) -> list[Path]:
    """The other half, by whoever may reach all of it; returns what could not be overwritten.

    At least their names go. The mark goes, too: it stands for a wipe that was cut short, and this
    one was not. It would wipe for ever what a person sets up after it.
    """
    left: list[Path] = []
    for _ in range(ROUNDS):
        left = _wipe_all(data, config_file)
        if not found(data, config_file):
            unmark(data)
            return []
    for path in left:
        with suppress(OSError):
            _remove(path)
    if left:
        unmark(data)
    return left


def _wipe_all(data: Path, config_file: Path) -> list[Path]:
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


def _mark(data: Path) -> bool:
    """Whether the mark stands on the card."""
    try:
        handle = os.open(data / MARK, os.O_WRONLY)
    except OSError:
        return False
    try:
        os.write(handle, b"1")
        os.fsync(handle)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def unmark(data: Path) -> None:
    """No wipe is under way here."""
    with suppress(OSError):
        _remove(data / MARK)
