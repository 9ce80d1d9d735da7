"""The wall between what sees and what sends, built by each process around itself.

``watch`` may look and write into its data folder, but make no socket that leaves the machine and,
once all is open, no file. ``relay`` may use the network, but read nothing except the outbox and
what a connection needs: no lens, no receiver, no key, no home folder.

Two steps, because Landlock binds a thread and its children, seccomp all threads at once:

1. ``fence_watch``/``fence_relay``   before any other thread runs: which files can be reached;
2. ``close_watch``/``close_relay``   when all is open: which system calls remain, no core dumps, no
   debugger.

The units in ``systemd/`` build the same wall from outside. Not reversible, and inherited by
children.
"""

import contextlib
import ctypes
import errno
import os
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from scanner.errors import WallError
from scanner.wall import landlock, seccomp
from scanner.wall.landlock import Grant

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_SET_NO_NEW_PRIVS: Final = 38
GROWTH_BYTES: Final = 64 * 1024 * 1024  # that a file may still grow: 60,000 records
NETWORK: Final = (socket.AF_INET, socket.AF_INET6, socket.AF_PACKET)
# What lens and accelerator are driven by asks the kernel which devices come and go.
WATCH: Final = seccomp.Rules(families=frozenset({socket.AF_UNIX}), may_hear_devices=True)
HELPER: Final = seccomp.Rules(families=frozenset(), may_hear_devices=True)
# paho wakes its own thread through a connection on loopback.
RELAY: Final = seccomp.Rules(families=frozenset({socket.AF_INET, socket.AF_INET6}), may_serve=True)
# Lens, accelerator, panel; a glob each, as numbers differ.
DEVICES: Final = (
    *("video*", "media*", "v4l-subdev*", "dma_heap", "apex_*", "bus/usb", "gpiochip*", "gpiomem*"),
    *("vchiq", "vcio", "vcsm-cma", "null"),
)
MACHINE: Final = (  # what libraries that drive devices read about the machine
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/device-tree"),
    *("/sys", "/run/udev", "/etc/udev", "/etc/libcamera"),
)
PROGRAM: Final = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime")
CHECKOUT_MODELS: Final = Path(__file__).parents[2] / "models"  # installed, it is in the package
PACKAGES: Final = ("site-packages", "dist-packages")
HELD: Final = (errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT, errno.EROFS)  # answers of a wall
NAMES: Final = (  # what resolving a name, and TLS, read
    *("/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf"),
    *("/etc/services", "/etc/protocols", "/etc/ssl/certs", "/etc/ssl/openssl.cnf"),
    *("/etc/ca-certificates", "/dev/null", "/dev/urandom"),
)
RESOLVER: Final = Path("/etc/resolv.conf")


def fence_watch(data: Path, inputs: Sequence[Path]) -> int:
    """Leave the data folder to write, ``inputs``, system and devices to read; Landlock's version.

    Must come before the first thread. 0: this kernel has no Landlock, and only the system call
    filter and systemd hold. Raises WallError.
    """
    _refuse_threads()
    grants = [
        Grant(data, landlock.CREATE | landlock.MAKE_FIFO),  # lgpio wants a pipe, once
        # A receiver that is plugged in again is a new device: reading is allowed for all.
        Grant(Path("/dev"), landlock.READ | landlock.IOCTL_DEV),
        *_devices(),
        *_program(),
        Grant(CHECKOUT_MODELS, landlock.READ),
        *(Grant(path.resolve(), landlock.READ) for path in inputs),
    ]
    return landlock.restrict(grants)


def fence_relay(outbox: Sequence[Path], inputs: Sequence[Path]) -> int:
    """Leave the files of the outbox to write, what a connection needs to read; Landlock's version.

    The files must exist. Otherwise as ``fence_watch``.
    """
    _refuse_threads()
    grants = [
        *(Grant(path, landlock.WRITE) for path in outbox),
        *(Grant(Path(name), landlock.READ) for name in NAMES),
        *(Grant(Path(name), landlock.READ) for name in _authorities()),
        *_resolver_folder(),
        *_program(),
        *(Grant(path.resolve(), landlock.READ) for path in inputs),
    ]
    return landlock.restrict(grants)


def fence_helper(inputs: Sequence[Path]) -> int:
    """Leave devices to drive and ``inputs`` to read; otherwise as ``fence_watch``.

    For a process that drives a device for ``watch``. Its sockets must be open.
    """
    _refuse_threads()
    grants = [*_devices(), *_program(), *(Grant(path.resolve(), landlock.READ) for path in inputs)]
    return landlock.restrict(grants)


def fence_page() -> int:
    """Leave nothing but the program itself to read; otherwise as ``fence_watch``.

    Its sockets must be open.
    """
    _refuse_threads()
    return landlock.restrict(_program())


def close_watch(data: Path) -> None:
    """From now on no network and no new file, for all threads; raises WallError if it fails.

    All devices and files must be open. Sockets to local services (gpsd, D-Bus) stay possible.
    """
    _refuse_open_network()
    _limit_growth(data)
    _close(WATCH)
    _must_fail("a network socket", lambda: socket.socket(socket.AF_INET).close())
    _must_fail("a new file", lambda: _try_to_create(data))


def close_relay(data: Path) -> None:
    """From now on no program, no new file, no socket but TCP and UDP; raises WallError."""
    _close(RELAY)
    _must_fail("a local socket", lambda: socket.socket(socket.AF_UNIX).close())
    _must_fail("a new file", lambda: _try_to_create(data))


def close_helper() -> None:
    """From now on no program, no file, no socket but what ``watch`` has; raises WallError."""
    _refuse_open_network()
    _close(HELPER)
    _must_fail("a network socket", lambda: socket.socket(socket.AF_INET).close())


def close_page() -> None:
    """From now on no program, no file, no socket but TCP and UDP; raises WallError."""
    _close(RELAY)
    _must_fail("a local socket", lambda: socket.socket(socket.AF_UNIX).close())
    _must_fail("a new file", lambda: _try_to_create(Path("/tmp")))  # noqa: S108


def names_are_out_of_reach() -> bool:
    """Whether the system's name servers changed behind the fence: only a new start reads them."""
    try:
        RESOLVER.read_bytes()
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def describe() -> str:
    """What this machine's wall is made of, for ``scanner doctor``; raises WallError without one."""
    seccomp.machine()
    known = landlock.version()
    files = f"files fenced by Landlock {known}" if known else "no Landlock: systemd fences files"
    return f"system calls filtered, {files}"


def _close(rules: seccomp.Rules) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _prctl(PR_SET_DUMPABLE, 0)
    seccomp.install(rules)


def end_with_parent(parent: int) -> None:
    """Have this process told to end when the one that started it is gone, however it went."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # gone before it was asked for: nobody would tell
        os.kill(os.getpid(), signal.SIGTERM)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0):
        raise WallError(f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def _refuse_threads() -> None:
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        raise WallError(f"{threads - 1} threads run already: the fence would not bind them")
    _prctl(PR_SET_NO_NEW_PRIVS, 1)


def _refuse_open_network() -> None:
    """A connection made before would stay open behind the door."""
    for entry in Path("/proc/self/fd").iterdir():
        number = int(entry.name)
        try:
            if not str(entry.readlink()).startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(number)) as one:
                family = one.family
        except OSError:
            continue  # closed in between
        if family in NETWORK:
            raise WallError(
                "a network connection is open where the lens is",
                hint="gpsd is to be reached by its socket: gpsd:///run/gpsd/json.sock",
            )


def _limit_growth(data: Path) -> None:
    """No file of ours becomes larger than the outbox may."""
    largest = 0
    for path in data.iterdir():
        with contextlib.suppress(FileNotFoundError):  # as SQLite's log, removed in between
            largest = max(largest, path.stat().st_size)
    limit = largest + GROWTH_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def _devices() -> list[Grant]:
    """Lens, accelerator, panel, and what their libraries read."""
    devices = [path for name in DEVICES for path in Path("/dev").glob(name)]
    return [
        *(Grant(path, landlock.DEVICE) for path in devices),
        *(Grant(Path(name), landlock.READ) for name in MACHINE),
    ]


def _program() -> list[Grant]:
    """Python and its packages, which load parts of themselves late.

    Not all of ``sys.path``: it may begin with the folder that a person happens to be in.
    """
    folders = {*PROGRAM, sys.prefix, sys.base_prefix, str(Path(__file__).parents[1])}
    folders |= {entry for entry in sys.path if Path(entry).name in PACKAGES}
    return [Grant(Path(name).resolve(), landlock.READ) for name in sorted(folders)]


def _authorities() -> list[str]:
    """Where OpenSSL looks for certificate authorities."""
    paths = ssl.get_default_verify_paths()
    return [p for p in (paths.cafile, paths.capath, paths.openssl_cafile) if p]


def _resolver_folder() -> list[Grant]:
    """The file of the name servers is replaced, not written; where it lies in /run, its folder."""
    real = RESOLVER.resolve()
    return [Grant(real.parent, landlock.READ)] if real.is_relative_to("/run") else []


def _must_fail(what: str, attempt: Callable[[], None]) -> None:
    try:
        attempt()
    except OSError as e:
        if e.errno in HELD:
            return
        raise WallError(f"whether the wall holds cannot be told: {what}: {e.strerror}") from e
    raise WallError(f"the wall does not hold: {what} can still be made")


def _try_to_create(folder: Path) -> None:
    path = folder / ".wall"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    path.unlink()
