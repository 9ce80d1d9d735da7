"""A GNSS receiver that walks north in real time, and the serial line it hangs on."""

import os
import pty
import select
import struct
import threading
import time
import tty
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from scanner.hardware.live import boot_ns
from scanner.records import Position
from tests.helpers.media import nmea

UTC_START = 1_795_000_000.0  # 2026-11-18
LAT, LON, SPEED_MPS = 55.752, 37.6175, 1.4
DEGREE_M = 111_333.0  # of latitude at 55.75 degrees north


class Receiver:
    """Tells ``write`` of ``rate`` epochs a second from a thread.

    ``fixed`` may be switched: without a fix it goes on talking, as receivers do.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        *,
        rate: int = 5,
        gst: bool = True,
        speed_mps: float = SPEED_MPS,
    ) -> None:
        self.fixed = True
        self.speed_mps = speed_mps
        self._write, self._rate, self._gst = write, rate, gst
        self.start_ns = boot_ns()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._talk, daemon=True)

    def lat_deg(self, at_ns: int) -> float:
        """Where it truly is."""
        return LAT + self.speed_mps * (at_ns - self.start_ns) / 1e9 / DEGREE_M

    def utc_s(self, at_ns: int) -> float:
        """What GNSS time truly is."""
        return UTC_START + (at_ns - self.start_ns) / 1e9

    def off_m(self, position: Position) -> float:
        """How far off a position is."""
        return abs(position.lat_deg - self.lat_deg(position.at_ns)) * DEGREE_M

    def epoch(self, at_ns: int) -> bytes:
        """The sentences of one moment."""
        moment = datetime.fromtimestamp(self.utc_s(at_ns), UTC)
        clock, day = moment.strftime("%H%M%S.%f")[:10], moment.strftime("%d%m%y")
        if not self.fixed:
            lines = [f"GNRMC,{clock},V,,,,,,,{day},,,N", f"GNGGA,{clock},,,,,0,00,99.9,,,,,,"]
        else:
            where = f"{_dm(self.lat_deg(at_ns), 2)},N,{_dm(LON, 3)},E"
            lines = [
                f"GNRMC,{clock},A,{where},{self.speed_mps / 0.514444:.3f},0.0,{day},,,A",
                f"GNGGA,{clock},{where},1,10,0.9,150.0,M,14.0,M,,",
            ]
            lines += [f"GNGST,{clock},1.9,,,,1.7,2.0,4.0"] if self._gst else []
        return "".join(f"{nmea(line)}\r\n" for line in lines).encode()

    def _talk(self) -> None:
        number = 0
        while not self._stop.is_set():
            at_ns = self.start_ns + number * 1_000_000_000 // self._rate
            wait_s = (at_ns - boot_ns()) / 1e9
            if wait_s > 0:
                self._stop.wait(wait_s)
            elif wait_s < -1:  # a loaded machine: leave out what is long past
                number += self._rate
                continue
            self._write(self.epoch(at_ns))
            number += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)


class LocationReceiver(Receiver):
    """The same walk as values of the characteristic Location and Speed."""

    def epoch(self, at_ns: int) -> bytes:
        """Speed, place, heading, time, with the position's status."""
        flags = 0b1 | 0b100 | 0b10000 | 0b1000000 | (self.fixed << 7)
        moment = datetime.fromtimestamp(self.utc_s(at_ns), UTC)
        lat, lon = round(self.lat_deg(at_ns) * 1e7), round(LON * 1e7)
        place = struct.pack("<HHiiH", flags, round(self.speed_mps * 100), lat, lon, 0)
        return place + struct.pack("<H5B", *moment.timetuple()[:6])


def _dm(degrees: float, digits: int) -> str:
    whole, part = divmod(degrees, 1)
    return f"{int(whole):0{digits}d}{part * 60:010.7f}"


class Port:
    """A serial device at ``path``, to be plugged in and unplugged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._ends: tuple[int, int] | None = None

    def plug(self) -> None:
        """The device appears."""
        near, far = pty.openpty()
        tty.setraw(far)
        os.set_blocking(near, False)
        name = os.ttyname(far)
        Path(name).chmod(0o666)  # gpsd gives up root before it opens a device again
        with self._lock:
            self._ends = near, far
        self.path.symlink_to(name)

    def unplug(self) -> None:
        """The device vanishes; those who read it get an error."""
        self.path.unlink(missing_ok=True)
        with self._lock:
            ends, self._ends = self._ends, None
        for end in ends or ():
            os.close(end)

    def write(self, data: bytes) -> None:
        """Bytes as the receiver sends them; lost when nobody reads."""
        with self._lock, suppress(BlockingIOError):
            if self._ends and select.select([], [self._ends[0]], [], 0)[1]:
                os.write(self._ends[0], data)

    def __enter__(self) -> Self:
        self.plug()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()


def now_position(source: object, timeout_s: float = 40) -> Position:
    """The first position that a live source gives of now."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        position = source.position_at(boot_ns())
        if position is not None:
            return position
        time.sleep(0.02)
    raise AssertionError(f"no position within {timeout_s} s: {getattr(source, 'state', '')}")
