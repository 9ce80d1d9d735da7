"""A small process that builds a wall as ``watch``, ``relay`` or ``page`` do, then tries everything.

    python -m tests.helpers.prober watch|relay|page DATA SECRET [before]

Prints a JSON object: attempt -> name of the error, or ``done``. SECRET is a file that none may
read. With ``before`` the attempts are made without a wall: they must succeed for the test to mean
anything.
"""

import ctypes
import errno
import json
import os
import resource
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from scanner import wall
from scanner.core.wire import SEALED_BYTES
from scanner.storage.outbox import Outbox
from scanner.wall.seccomp import FORBIDDEN, OPENAT2, machine

LIBC = ctypes.CDLL(None, use_errno=True)
FAMILIES = {
    "inet": (socket.AF_INET, socket.SOCK_STREAM),
    "inet6": (socket.AF_INET6, socket.SOCK_STREAM),
    "unix": (socket.AF_UNIX, socket.SOCK_STREAM),
    "netlink": (socket.AF_NETLINK, socket.SOCK_RAW),
    "packet": (socket.AF_PACKET, socket.SOCK_RAW),
    "bluetooth": (31, socket.SOCK_RAW),
    "alg": (38, socket.SOCK_SEQPACKET),
    "vsock": (40, socket.SOCK_STREAM),
}


def attempts(data: Path, secret: Path) -> dict[str, Callable[[], object]]:
    """What a broken or malicious part might try."""
    existing = Path("/etc/hostname") if os.access("/etc/hostname", os.W_OK) else secret
    tries: dict[str, Callable[[], object]] = {
        f"socket {name}": lambda kind=kind: socket.socket(*kind).close()
        for name, kind in FAMILIES.items()
    }
    tries |= {
        "new file": lambda: (data / "frame.jpg").write_bytes(b"\xff\xd8\xff"),
        "new file in tmp": lambda: Path(f"/var/tmp/frame.{os.getpid()}").write_bytes(b"\xff"),  # noqa: S108
        "new file in memory": lambda: Path(f"/dev/shm/f{os.getpid()}").write_bytes(b"\xff"),  # noqa: S108
        "nameless file": lambda: os.close(os.open(data, os.O_TMPFILE | os.O_RDWR)),
        "new folder": (data / "d").mkdir,
        "link": lambda: (data / "l").hardlink_to(data / "outbox.sqlite3"),
        "symlink": lambda: (data / "s").symlink_to(secret),
        "rename": lambda: (data / "outbox.sqlite3").rename(data / "o"),
        "device node": lambda: os.mknod(data / "n", 0o600 | 0o020000, os.makedev(1, 3)),
        "write elsewhere": lambda: os.close(os.open(existing, os.O_WRONLY)),
        "read a secret": secret.read_bytes,
        "read a key of the configuration": lambda: Path("/etc/shadow").read_bytes(),
        "program": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606
        "read a device": lambda: os.close(os.open("/dev/loop-control", os.O_RDONLY)),
    }
    column = 0 if machine() == "x86_64" else 1
    calls = {"openat2": OPENAT2, **FORBIDDEN}
    for name, numbers in calls.items():
        if numbers[column] is not None:
            tries[f"call {name}"] = lambda number=numbers[column]: _call(number)
    return tries


def _call(number: int) -> None:
    """With arguments that mean nothing: without a filter the kernel would say so."""
    if LIBC.syscall(number, -1, 0, -1, -1, -1, -1) < 0:
        raise OSError(ctypes.get_errno(), "")


def outcome(attempt: Callable[[], object]) -> str:
    """``done``, or the error's name."""
    try:
        attempt()
    except OSError as e:
        return errno.errorcode.get(e.errno or 0, str(e))
    return "done"


def main() -> None:
    """Build the wall and try."""
    who, data, secret, *before = sys.argv[1:]
    folder = Path(data)
    store = Outbox(folder)
    tries = attempts(folder, Path(secret))
    results: dict[str, object] = {}
    go = threading.Event()
    if before:
        for name in before[0].split(","):
            results[name] = outcome(tries[name])
        print(json.dumps(results))
        return
    if who == "watch":
        results["landlock"] = wall.fence_watch(folder, [])
    elif who == "page":
        results["landlock"] = wall.fence_page()
    else:
        results["landlock"] = wall.fence_relay(store.files, [])
    # Started before the door closes: it must be behind it all the same.
    other = threading.Thread(
        target=lambda: (
            go.wait(),
            results.update(
                {
                    f"thread: {n}": outcome(tries[n])
                    for n in ("socket packet", "new file", "program")
                }
            ),
        )
    )
    other.start()
    if who == "page":
        wall.close_page()
    else:
        (wall.close_watch if who == "watch" else wall.close_relay)(folder)
    go.set()
    other.join()
    results |= {name: outcome(attempt) for name, attempt in tries.items()}
    if who != "page":  # which has no outbox
        store.add(os.urandom(SEALED_BYTES))
        results["records"] = len(store.waiting())
    results["core"] = resource.getrlimit(resource.RLIMIT_CORE)
    results["largest"] = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    results["dumpable"] = LIBC.prctl(3, 0, 0, 0, 0)
    store.close()
    print(json.dumps(results))


if __name__ == "__main__":
    main()
