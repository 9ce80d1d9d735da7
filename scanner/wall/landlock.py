"""Files taken away for good: Landlock (Linux 5.13 and later), through ctypes.

It binds the calling thread and those it starts, so it comes before any other thread. Constants and
layouts: ``linux/landlock.h``; https://docs.kernel.org/userspace-api/landlock.html.
"""

import ctypes
import os
import stat
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from scanner.errors import WallError

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on all machines
VERSION_FLAG: Final = 1
PATH_BENEATH: Final = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = (1 << bit for bit in range(4))
REMOVE_FILE, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO = (1 << bit for bit in (5, 7, 8, 9, 10))
REFER, TRUNCATE, IOCTL_DEV = (1 << bit for bit in (13, 14, 15))
FIRST_BITS: Final = 13  # rights that the first version knew
ADDED: Final = ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV))  # version that brought them
SCOPES_SINCE: Final = 6
SCOPE_ABSTRACT_SOCKETS: Final = 1
OF_FILES: Final = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

READ: Final = READ_FILE | READ_DIR
WRITE: Final = READ | WRITE_FILE | TRUNCATE
CREATE: Final = WRITE | MAKE_DIR | MAKE_REG | REMOVE_FILE
DEVICE: Final = WRITE | IOCTL_DEV


class Grant(msgspec.Struct, frozen=True):
    """A path, with all that lies beneath it, and what may be done there."""

    path: Path
    rights: int


def version() -> int:
    """Of the kernel's Landlock; 0 where there is none or it is switched off."""
    return max(0, int(_libc().syscall(CREATE_RULESET, None, 0, VERSION_FLAG)))


def restrict(grants: Sequence[Grant]) -> int:
    """From now on this thread and its children reach files only as granted; returns ``version()``.

    Paths that do not exist are passed over. With version 0 nothing happens. Raises WallError.
    """
    known = version()
    if not known:
        return 0
    handled = (1 << FIRST_BITS) - 1
    for since, right in ADDED:
        handled |= right if known >= since else 0
    scopes = SCOPE_ABSTRACT_SOCKETS if known >= SCOPES_SINCE else 0
    attributes = struct.pack("=QQQ", handled, 0, scopes)
    ruleset = _call(CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for grant in grants:
            _add(ruleset, grant, handled)
        _call(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return known


def _add(ruleset: int, grant: Grant, handled: int) -> None:
    try:
        place = os.open(grant.path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        folder = stat.S_ISDIR(os.fstat(place).st_mode)
        rights = grant.rights & handled & (-1 if folder else OF_FILES)
        _call(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def _call(number: int, *arguments: int | bytes) -> int:
    libc = _libc()
    answer = int(libc.syscall(number, *arguments))
    if answer < 0:
        raise WallError(f"Landlock: {os.strerror(ctypes.get_errno())}")
    return answer


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
