"""System calls taken away for good: a seccomp filter in classic BPF, for x86-64 and aarch64.

What is refused answers EPERM, so that a library meets an ordinary error; a call in another binary
interface than the one we were built for ends the process. Numbers: ``asm/unistd_64.h`` and
``asm-generic/unistd.h`` of Linux; layout: ``linux/seccomp.h``, ``linux/filter.h``.
"""

import ctypes
import errno
import os
import platform
import socket
import struct
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from scanner.errors import WallError

# name: (x86-64, aarch64); None where the call does not exist.
Numbers = tuple[int | None, int | None]

# Ways around the wall, and ways into other processes or the kernel. Nobody needs them once all
# devices are open.
FORBIDDEN: Final[dict[str, Numbers]] = {
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "io_uring_setup": (425, 425),  # its requests pass no filter
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "unshare": (272, 97),
    "setns": (308, 268),
    "chroot": (161, 51),
    "swapon": (167, 224),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "acct": (163, 89),
    # New names in the file system; ``open`` with O_CREAT is looked at below.
    "creat": (85, None),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "mknod": (133, None),
    "mknodat": (259, 33),
}
OPEN: Final[dict[str, tuple[Numbers, int]]] = {  # and which argument holds the flags
    "open": ((2, None), 1),
    "openat": ((257, 56), 2),
}
OPENAT2: Final[Numbers] = (437, 437)  # its flags lie in memory, where a filter cannot look
SOCKET: Final[Numbers] = (41, 198)
SOCKETPAIR: Final[Numbers] = (53, 199)
# What only those need who wait to be called.
BIND: Final[Numbers] = (49, 200)
SERVING: Final[dict[str, Numbers]] = {
    "bind": BIND,
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
}
DEVICE_EVENTS: Final = 15  # NETLINK_KOBJECT_UEVENT
NETLINK_ADDRESS_BYTES: Final = 12  # struct sockaddr_nl
CREATING: Final = os.O_CREAT | 0o20000000  # and __O_TMPFILE, a file without a name

AUDIT_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
SECCOMP: Final = {"x86_64": 317, "aarch64": 277}
X32_BIT: Final = 0x40000000
SET_MODE_FILTER: Final = 1
FLAG_TSYNC: Final = 1  # all threads, not only the caller

ALLOW: Final = 0x7FFF0000
KILL_PROCESS: Final = 0x80000000
ERRNO: Final = 0x00050000
LOAD, RETURN = 0x20, 0x06  # BPF_LD|W|ABS, BPF_RET|K
EQUAL, AT_LEAST, ANY_BIT = 0x15, 0x35, 0x45  # BPF_JMP with K: JEQ, JGE, JSET
NUMBER_AT, ARCH_AT, ARGUMENTS_AT = 0, 4, 16  # in struct seccomp_data


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What a process may still do."""

    families: frozenset[int]  # of sockets it may make
    may_serve: bool = False  # bind, listen, accept
    may_hear_devices: bool = False  # the kernel's own word on devices that come and go


Step = tuple[int, int, int, int]  # code, jump if true, jump if false, value


def machine(name: str = "") -> str:
    """``x86_64`` or ``aarch64``; raises WallError for anything else, 32-bit programs included.

    ``name`` is this machine's unless given.
    """
    name = name or platform.machine()
    if name not in AUDIT_ARCH or struct.calcsize("P") != 8:  # noqa: PLR2004 - bytes of a pointer
        raise WallError(f"no system call filter for {name} ({struct.calcsize('P') * 8} bit)")
    return name


def program(rules: Rules, name: str) -> list[Step]:
    """The filter for a machine of this name."""
    column = list(AUDIT_ARCH).index(name)
    refuse = ERRNO | errno.EPERM
    steps: list[Step] = [
        (LOAD, 0, 0, ARCH_AT),
        (EQUAL, 1, 0, AUDIT_ARCH[name]),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, NUMBER_AT),
    ]
    if name == "x86_64":
        steps += [(AT_LEAST, 0, 1, X32_BIT), (RETURN, 0, 0, refuse)]
    serving = {} if rules.may_serve else SERVING
    if rules.may_hear_devices:
        steps += _if_number(BIND[column], _if_netlink_address())
    for numbers in (*FORBIDDEN.values(), *serving.values()):
        steps += _if_number(numbers[column], [(RETURN, 0, 0, refuse)])
    steps += _if_number(OPENAT2[column], [(RETURN, 0, 0, ERRNO | errno.ENOSYS)])
    for numbers, argument in OPEN.values():
        steps += _if_number(
            numbers[column],
            [
                (LOAD, 0, 0, ARGUMENTS_AT + 8 * argument),
                (ANY_BIT, 0, 1, CREATING),
                (RETURN, 0, 0, refuse),
                (RETURN, 0, 0, ALLOW),
            ],
        )
    heard = _if_device_events() if rules.may_hear_devices else []
    steps += _if_number(SOCKET[column], [*heard, *_only(rules.families, refuse)])
    # A pair is connected to itself only.
    steps += _if_number(SOCKETPAIR[column], _only({socket.AF_UNIX}, refuse))
    return [*steps, (RETURN, 0, 0, ALLOW)]


def _if_number(number: int | None, then: Sequence[Step]) -> list[Step]:
    """Steps to take for one system call; they end with a return."""
    return [] if number is None else [(EQUAL, 0, len(then), number), *then]


def _only(families: Iterable[int], refuse: int) -> list[Step]:
    """Allow when the first argument, as int, is one of these."""
    steps: list[Step] = [(LOAD, 0, 0, ARGUMENTS_AT)]
    for family in sorted(families):
        steps += [(EQUAL, 0, 1, family), (RETURN, 0, 0, ALLOW)]
    return [*steps, (RETURN, 0, 0, refuse)]


def _if_device_events() -> list[Step]:
    """Allow ``socket(AF_NETLINK, any, NETLINK_KOBJECT_UEVENT)``."""
    return [
        (LOAD, 0, 0, ARGUMENTS_AT),
        (EQUAL, 0, 3, socket.AF_NETLINK),
        (LOAD, 0, 0, ARGUMENTS_AT + 16),
        (EQUAL, 0, 1, DEVICE_EVENTS),
        (RETURN, 0, 0, ALLOW),
    ]


def _if_netlink_address() -> list[Step]:
    """Allow ``bind`` with an address of netlink's size; the fence lets it make no file."""
    return [
        (LOAD, 0, 0, ARGUMENTS_AT + 16),
        (EQUAL, 0, 1, NETLINK_ADDRESS_BYTES),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, ERRNO | errno.EPERM),
    ]


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("count", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def install(rules: Rules) -> None:
    """Put the filter on all threads of this process, for ever; raises WallError.

    No new privileges must have been given up before.
    """
    name = machine()
    code = b"".join(struct.pack("=HBBI", *step) for step in program(rules, name))
    libc = ctypes.CDLL(None, use_errno=True)
    packed = _Program(len(code) // 8, code)
    answer = libc.syscall(SECCOMP[name], SET_MODE_FILTER, FLAG_TSYNC, ctypes.byref(packed))
    if answer:
        reason = os.strerror(ctypes.get_errno()) if answer < 0 else f"thread {answer} is in the way"
        raise WallError(f"the kernel takes no system call filter: {reason}")
