"""The page's side of the link: a Unix socket that ``watch`` connects to, one at a time."""

import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import Final

from scanner.core.button import Action
from scanner.errors import DeviceError
from scanner.phone.lines import LINE_BYTES, Meter, decode
from scanner.phone.walk import Walk

RIGHTS: Final = 0o660  # for the group that watch is in, too
SILENCE_S: Final = 15.0  # watch tells facts every two seconds
SEND_S: Final = 2.0


def listen(path: Path) -> socket.socket:
    """The socket, ready to be connected to; raises DeviceError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        ear = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        ear.bind(str(path))
        path.chmod(RIGHTS)
        ear.listen(1)
    except OSError as e:
        raise DeviceError(
            f"{path}: cannot be listened on: {e.strerror}",
            hint="--socket names a place that may be written",
        ) from e
    return ear


class Ear:
    """Hears ``watch`` and hands its lines to a walk, on a thread of its own from ``start`` on."""

    def __init__(self, ear: socket.socket, walk: Walk) -> None:
        self._ear, self._walk = ear, walk
        self._link: socket.socket | None = None
        self._lock = threading.Lock()
        self.refused = 0  # lines that were none, or too many

    def start(self) -> None:
        """Listen from now on."""
        threading.Thread(target=self._run, name="ear", daemon=True).start()

    def pass_on(self, action: Action) -> bool:
        """Hand to ``watch`` what is asked for; whether it is there."""
        with self._lock:
            if self._link is None:
                return False
            try:
                self._link.sendall(action.encode() + b"\n")
            except OSError:
                return False
            return True

    def _run(self) -> None:
        while True:
            link, _ = self._ear.accept()
            link.settimeout(SILENCE_S)
            with self._lock:
                self._link = link
            self._walk.running(on=True)
            with contextlib.suppress(OSError), link:
                self._hear(link)
            with self._lock:
                self._link = None
            self._walk.running(on=False)

    def _hear(self, link: socket.socket) -> None:
        """Until it hangs up, falls silent or says what is no line."""
        meter, rest = Meter(), b""
        while data := link.recv(4096):
            now_s = time.monotonic()
            if not meter.passes(len(data), now_s):
                self.refused += 1
                return
            *lines, rest = (rest + data).split(b"\n")
            for raw in lines:
                line = decode(raw)
                if line is None:
                    self.refused += 1
                    return
                self._walk.take(line, now_s)
            if len(rest) > LINE_BYTES:
                self.refused += 1
                return
