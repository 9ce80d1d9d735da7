"""Two sockets that are one line."""

import contextlib
import socket
import threading
from collections.abc import Callable

Through = Callable[[bytes], bytes | None]  # what is passed on; None: hang up


def pump_both(
    a: socket.socket, b: socket.socket, to_b: Through | None = None, to_a: Through | None = None
) -> None:
    """Bytes from either to the other, in two threads, until one hangs up."""
    for ends in ((a, b, to_b), (b, a, to_a)):
        threading.Thread(target=pump, args=ends, daemon=True).start()


def pump(source: socket.socket, sink: socket.socket, through: Through | None) -> None:
    """One direction."""
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            passed = through(data) if through else data
            if passed is None:
                break
            sink.sendall(passed)
    shut(source)
    shut(sink)


def shut(one: socket.socket) -> None:
    """Hang up at once; a thread that reads from it wakes."""
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
