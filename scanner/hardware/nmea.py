"""A receiver on a serial line or USB as a PositionSource: NMEA 0183, through termios alone."""

import os
import select
import stat
import termios
import time
from pathlib import Path
from typing import Final

from scanner.core.nmea import NmeaReader
from scanner.errors import DeviceError
from scanner.hardware.live import POLL_S, SILENCE_S, LivePositions, boot_ns

BAUDS: Final = (4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600)
LOCAL_8N1: Final = termios.CS8 | termios.CREAD | termios.CLOCAL


class SerialPositions(LivePositions):
    """Positions from the receiver at ``path``, which may be plugged in later and unplugged.

    It is opened for reading only: nothing is ever written into the receiver. Raises DeviceError if
    the path is something else than a device, or for a speed that serial lines do not have.
    """

    def __init__(self, path: Path, *, baud: int = 9600, sigma_m: float = 4.0) -> None:
        if baud not in BAUDS:
            raise DeviceError(f"{path}: no serial line runs at {baud} baud", hint=f"one of {BAUDS}")
        if path.exists() and not stat.S_ISCHR(path.stat().st_mode):
            raise DeviceError(f"{path}: is not a device", hint="a receiver is like /dev/ttyACM0")
        super().__init__(f"receiver at {path}", sigma_m=sigma_m)
        self._path = path
        self._speed: int = getattr(termios, f"B{baud}")
        self._start()

    def _listen(self) -> None:
        reader = NmeaReader()
        line = os.open(self._path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            _make_raw(line, self._speed)
            while data := self._receive(line):
                for news in reader.feed(data, boot_ns()):
                    self._note_heard()
                    self._take(news)
        finally:
            os.close(line)

    def _receive(self, line: int) -> bytes:
        """The next bytes; none when closed. Raises OSError when the device goes or is silent."""
        deadline = time.monotonic() + SILENCE_S
        poll = select.poll()
        poll.register(line, select.POLLIN)
        while not self._closed.is_set():
            if not poll.poll(POLL_S * 1000):
                if time.monotonic() > deadline:
                    raise TimeoutError("silent: is the speed right?")
                continue
            data = os.read(line, 4096)
            if not data:
                raise ConnectionError("unplugged")
            return data
        return b""


def _make_raw(line: int, speed: int) -> None:
    """Eight bits, no parity, no echo or translation; what had piled up is stale and dropped."""
    try:
        control = termios.tcgetattr(line)[6]
        control[termios.VMIN], control[termios.VTIME] = 0, 0
        termios.tcsetattr(line, termios.TCSANOW, [0, 0, LOCAL_8N1, 0, speed, speed, control])
        termios.tcflush(line, termios.TCIFLUSH)
    except termios.error as e:
        raise ConnectionError(f"not a serial line: {e.args[-1]}") from e
