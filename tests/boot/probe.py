"""Tries, from inside a unit's sandbox, what it must not do; writes attempt -> ``done`` or an error.

    python3 probe.py FILE

Stands alone: it runs as ExecStartPre of the units, in the system under test.
"""

import ctypes
import errno
import json
import mmap
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

FAMILIES = range(1, 46)  # linux/socket.h knows no more
KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET)
LIBC = ctypes.CDLL(None, use_errno=True)
NEW_USER = 0x10000000


def outcome(attempt: Callable[[], object]) -> str:
    """``done``, or the error's name."""
    try:
        attempt()
    except OSError as e:
        return errno.errorcode.get(e.errno or 0, str(e))
    return "done"


def make_socket(family: int) -> None:
    """Of whatever kind the family has."""
    for kind in KINDS:
        try:
            socket.socket(family, kind).close()
        except OSError as e:
            last = e
        else:
            return
    raise last


def in_child(attempt: Callable[[], object]) -> None:
    """In a process of its own, as it would change this one."""
    pid = os.fork()
    if pid == 0:
        try:
            attempt()
        except OSError as e:
            os._exit(e.errno or 1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        raise OSError(code, os.strerror(code))


def run_own_program(folder: str) -> None:
    """A program that was written here."""
    program = Path(folder, "own-program")
    program.write_text("#!/bin/sh\ntrue\n")
    program.chmod(0o700)
    try:
        in_child(lambda: os.execv(program, [str(program)]))  # noqa: S606
    finally:
        program.unlink()


def unshare() -> None:
    """A user namespace of one's own."""
    if LIBC.unshare(NEW_USER):
        raise OSError(ctypes.get_errno(), "")


def main() -> None:
    """Try all."""
    tries: dict[str, Callable[[], object]] = {
        "write /etc": lambda: Path("/etc/probe").write_text(""),
        "write /usr": lambda: Path("/usr/probe").write_text(""),
        "write /var/lib": lambda: Path("/var/lib/probe").write_text(""),
        "list /root": lambda: list(Path("/root").iterdir()),
        "list /home": lambda: list(Path("/home").iterdir()),
        "list /srv": lambda: list(Path("/srv").iterdir()),
        "read /etc/shadow": lambda: Path("/etc/shadow").read_bytes(),
        "read the password's file": lambda: Path("/etc/scanner/mqtt-password").read_bytes(),
        "write and execute memory": lambda: mmap.mmap(-1, 4096, prot=7),
        "own program among the data": lambda: run_own_program("/var/lib/scanner"),
        "own program in /var/tmp": lambda: run_own_program("/var/tmp"),  # noqa: S108
        "namespace": lambda: in_child(unshare),
    }
    found: dict[str, object] = {name: outcome(attempt) for name, attempt in tries.items()}
    found["families"] = {n: outcome(lambda n=n: make_socket(n)) for n in FAMILIES}
    lines = Path("/proc/self/net/dev").read_text().splitlines()[2:]
    found["interfaces"] = sorted(line.split(":")[0].strip() for line in lines)
    found["user"] = os.geteuid()
    found["groups"] = os.getgroups()
    found["state"] = sorted(
        path.name
        for path in Path("/var/lib/scanner").iterdir()
        if outcome(lambda path=path: path.read_bytes()) == "done"
    )
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    found["credentials"] = (
        {p.name: p.read_text() for p in Path(folder).iterdir()} if folder else None
    )
    Path(sys.argv[1]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
