"""Bluetooth LE receivers as a PositionSource: NMEA over Nordic UART, or Location and Navigation.

Nordic UART (``6e400001-...``) is what receivers for surveyors and hikers speak; the Location and
Navigation Service 0x1819 is the SIG's own. Its characteristic Location and Speed 0x2A67 is laid
out as in the GATT Specification Supplement: 16 flags, then the fields they announce, little-endian.
"""

import asyncio
import importlib
import struct
import time
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, Final

import msgspec

from scanner.core.fixes import Fix, Lost
from scanner.core.nmea import NmeaReader
from scanner.errors import DeviceError, from_checkout
from scanner.hardware.live import POLL_S, SILENCE_S, LivePositions, boot_ns

NORDIC_UART_TX: Final = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
LOCATION_AND_SPEED: Final = "00002a67-0000-1000-8000-00805f9b34fb"
FIND_S: Final = 15.0
CONNECT_S: Final = 20.0
HANG_UP_S: Final = 5.0

SPEED, DISTANCE, LOCATION, ELEVATION, HEADING, ROLLING, UTC_TIME = (1 << bit for bit in range(7))
STATUS: Final = 0b11 << 7  # none, good, estimated or the last known
STATUS_GOOD: Final = 0b01 << 7
COMPASS: Final = 1 << 12  # the heading is that of a compass, not the course
WIDTHS: Final = {  # bytes, in the order of transmission
    SPEED: 2,
    DISTANCE: 3,
    LOCATION: 8,
    ELEVATION: 3,
    HEADING: 2,
    ROLLING: 1,
    UTC_TIME: 7,
}


def fix_from_location(data: bytes, at_ns: int) -> Fix | Lost | None:
    """A value of Location and Speed; None if it is damaged or has no place, as parts may have."""
    flags = int.from_bytes(data[:2], "little")
    fields: dict[int, bytes] = {}
    at = 2
    for flag, width in WIDTHS.items():
        if flags & flag:
            fields[flag] = data[at : at + width]
            at += width
    if len(data) < at:
        return None
    if flags & STATUS != STATUS_GOOD:
        return Lost(at_ns=at_ns)
    if LOCATION not in fields:
        return None
    speed = _unsigned(fields.get(SPEED))
    heading = None if flags & COMPASS else _unsigned(fields.get(HEADING))
    return Fix(
        at_ns=at_ns,
        utc_s=_utc_s(fields.get(UTC_TIME)),
        lat_deg=int.from_bytes(fields[LOCATION][:4], "little", signed=True) * 1e-7,
        lon_deg=int.from_bytes(fields[LOCATION][4:], "little", signed=True) * 1e-7,
        speed_mps=None if speed is None else speed / 100,
        course_deg=None if heading is None else heading / 100,
    )


class LocationReader:
    """Values of Location and Speed -> fixes; their time has whole seconds.

    Of several in one second the later ones are so much later as they came.
    """

    def __init__(self) -> None:
        self._second: tuple[float, int] | None = None  # GNSS time, boot clock at its first value

    def read(self, data: bytes, at_ns: int) -> Fix | Lost | None:
        """The fix, its time refined; None as for ``fix_from_location``."""
        news = fix_from_location(data, at_ns)
        if not isinstance(news, Fix) or news.utc_s is None:
            return news
        if self._second is None or self._second[0] != news.utc_s:
            self._second = news.utc_s, at_ns
        later_s = min((at_ns - self._second[1]) / 1e9, 0.999)
        return msgspec.structs.replace(news, utc_s=news.utc_s + later_s)


def _unsigned(field: bytes | None) -> int | None:
    return None if field is None else int.from_bytes(field, "little")


def _utc_s(field: bytes | None) -> float | None:
    """Year, month, day, hour, minute, second; zeros where the receiver does not know."""
    if field is None:
        return None
    year, month, day, hour, minute, second = struct.unpack("<H5B", field)
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp()


class BlePositions(LivePositions):
    """Positions from the receiver with this address or name, which may be switched on later.

    Raises DeviceError when bleak is not installed.
    """

    def __init__(self, receiver: str, *, sigma_m: float = 4.0) -> None:
        try:
            self._bleak: ModuleType = importlib.import_module("bleak")
            dbus = importlib.import_module("dbus_fast.errors")
        except ModuleNotFoundError as e:
            raise DeviceError("Bluetooth receivers need bleak", hint=from_checkout("pi")) from e
        super().__init__(f"Bluetooth receiver {receiver}", sigma_m=sigma_m)
        self._lost = (self._bleak.BleakError, dbus.DBusFastError, EOFError)
        self._receiver = receiver
        self._heard_s = 0.0
        self._start()

    def _run(self) -> None:
        """One loop for the thread's life: bleak keeps one connection to BlueZ per loop."""
        with asyncio.Runner() as self._loop:
            super()._run()

    def _listen(self) -> None:
        try:
            self._loop.run(self._session())
        except self._lost as e:
            raise ConnectionError(str(e) or "lost") from e

    async def _session(self) -> None:
        """Receive until the source is closed, wherever bleak waits at that moment."""
        work = asyncio.ensure_future(self._receive())
        while not work.done() and not self._closed.is_set():
            await asyncio.wait([work], timeout=POLL_S)
        work.cancel()
        await asyncio.wait([work], timeout=HANG_UP_S)
        if work.done() and not work.cancelled():
            work.result()

    async def _receive(self) -> None:
        """Find, connect, take what comes; raises OSError or BleakError when that ends."""
        device = await self._bleak.BleakScanner.find_device_by_filter(self._is_it, timeout=FIND_S)
        if device is None:
            raise ConnectionError("not in reach, or switched off")
        async with self._bleak.BleakClient(device, timeout=CONNECT_S) as client:
            self._heard_s = time.monotonic()
            await self._subscribe(client)
            while client.is_connected:
                if time.monotonic() > self._heard_s + SILENCE_S:
                    raise TimeoutError("connected, but silent")
                await asyncio.sleep(POLL_S)
        raise ConnectionError("out of reach")

    def _is_it(self, device: Any, advertised: Any) -> bool:
        names = (device.address, device.name, advertised.local_name)
        return self._receiver.lower() in [name.lower() for name in names if name]

    async def _subscribe(self, client: Any) -> None:
        """Nordic UART if the receiver has it: it tells more."""
        sentences, values = NmeaReader(), LocationReader()

        def on_text(_: Any, data: bytearray) -> None:
            self._hand_over(sentences.feed(bytes(data), boot_ns()))

        def on_location(_: Any, data: bytearray) -> None:
            news = values.read(bytes(data), boot_ns())
            self._hand_over([] if news is None else [news])

        for uuid, taker in ((NORDIC_UART_TX, on_text), (LOCATION_AND_SPEED, on_location)):
            if client.services.get_characteristic(uuid) is not None:
                await client.start_notify(uuid, taker)
                return
        raise ConnectionError("speaks neither Nordic UART nor Location and Navigation")

    def _hand_over(self, fixes: list[Fix | Lost]) -> None:
        self._heard_s = time.monotonic()
        for news in fixes:
            self._note_heard()
            self._take(news)
