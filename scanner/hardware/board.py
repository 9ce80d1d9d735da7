"""The computer itself: temperature, throttling, supply voltage, and the service's watchdog.

Temperature and hwmon: ``Documentation/ABI/testing/sysfs-class-thermal`` and ``sysfs-class-hwmon``
of Linux. Throttling bits: ``vcgencmd get_throttled`` in Raspberry Pi's documentation. Watchdog:
``sd_notify(3)``.
"""

import os
import socket
import time
from pathlib import Path
from typing import Final

import msgspec

HOT_C: Final = 80.0  # the firmware begins to slow the processor here
MILLI: Final = 1000
PROCESSOR: Final = ("cpu-thermal", "cpu_thermal", "x86_pkg_temp", "soc-thermal")
SUPPLY: Final = "rpi_volt"  # the hwmon device that watches the 5 V supply
# Where kernels of Raspberry Pi tell the firmware's word.
THROTTLED: Final = (
    "sys/devices/platform/soc/soc:firmware/get_throttled",
    "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled",  # Pi 5
)
UNDER_VOLTAGE, CAPPED, THROTTLING, SOFT_LIMIT = (1 << bit for bit in range(4))
WAS_UNDER_VOLTAGE: Final = 1 << 16  # since it was switched on


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The board's state; None and False where it tells nothing."""

    temperature_c: float | None = None
    throttled: bool = False  # slower than it could be, by heat or by voltage
    under_voltage: bool = False  # now
    was_under_voltage: bool = False  # at any time since it was switched on

    @property
    def trouble(self) -> str:
        """What a person can do something about; empty if nothing is wrong."""
        if self.under_voltage:
            return "the supply is too weak: another cable or power bank"
        if self.temperature_c is not None and self.temperature_c >= HOT_C:
            return f"{self.temperature_c:.0f} degrees: shade and air, or it slows down"
        return "slowed down by heat" if self.throttled else ""


class Board:
    """Reads the kernel's files below ``root``; what is missing reads as nothing.

    Files are opened anew each time, which the wall of ``watch`` allows below /sys.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._thermal = _zone(root / "sys/class/thermal")
        self._alarm = _alarm(root / "sys/class/hwmon")
        files = [root / name for name in THROTTLED]
        self._throttled = next((f for f in files if f.is_file()), None)

    def read(self) -> Reading:
        """The state now."""
        milli = _number(self._thermal)
        bits = _number(self._throttled, 16) or 0
        alarm = bool(_number(self._alarm))
        return Reading(
            temperature_c=None if milli is None else milli / MILLI,
            throttled=bool(bits & (CAPPED | THROTTLING | SOFT_LIMIT)),
            under_voltage=alarm or bool(bits & UNDER_VOLTAGE),
            was_under_voltage=alarm or bool(bits & (UNDER_VOLTAGE | WAS_UNDER_VOLTAGE)),
        )


def _zone(folder: Path) -> Path | None:
    """The processor's thermal zone, or the first."""
    zones = sorted(folder.glob("thermal_zone*"))
    named = [z for z in zones if _text(z / "type") in PROCESSOR]
    return (named or zones)[0] / "temp" if zones else None


def _alarm(folder: Path) -> Path | None:
    for device in sorted(folder.glob("hwmon*")):
        if _text(device / "name") == SUPPLY:
            return device / "in0_lcrit_alarm"
    return None


def _text(path: Path | None) -> str:
    try:
        return path.read_text(encoding="ascii").strip() if path else ""
    except (OSError, ValueError):
        return ""


def _number(path: Path | None, base: int = 10) -> int | None:
    try:
        return int(_text(path), base)
    except ValueError:
        return None


class Service:
    """What systemd is told of us; nothing where it did not start us.

    Connected at once: behind the wall an abstract socket could not be reached any more.
    ``environment`` is that of the process unless given.
    """

    def __init__(self, environment: "os._Environ[str] | dict[str, str] | None" = None) -> None:
        given = os.environ if environment is None else environment
        self._socket: socket.socket | None = None
        self._status = ""
        self._fed_s = 0.0
        self._feed_every_s = _feeding_s(given)
        name = given.get("NOTIFY_SOCKET", "")
        if not name.startswith(("/", "@")):
            return
        one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            one.connect("\0" + name[1:] if name[0] == "@" else name)
        except OSError:
            one.close()  # a manager that has gone; we go on without
            return
        self._socket = one

    @property
    def told(self) -> bool:
        """Whether anybody listens."""
        return self._socket is not None

    def ready(self) -> None:
        """All is open and the wall stands."""
        self._send("READY=1")

    def alive(self) -> None:
        """To be called after a new frame and a finished inference, and at no other time."""
        now = time.monotonic()
        if self._feed_every_s and now - self._fed_s >= self._feed_every_s:
            self._fed_s = now
            self._send("WATCHDOG=1")

    def status(self, line: str) -> None:
        """One line for ``systemctl status``, sent when it changes; it names no place."""
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Hang up; may be called twice."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def _send(self, text: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.send(text.encode(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:
            return  # full or gone: the watchdog is for systemd to judge


def _feeding_s(environment: "os._Environ[str] | dict[str, str]") -> float:
    """Seconds between two words to the watchdog, a quarter of its patience; 0: there is none."""
    pid = environment.get("WATCHDOG_PID", "")
    if pid and pid != str(os.getpid()):
        return 0.0
    try:
        return max(0.0, int(environment.get("WATCHDOG_USEC", "0")) / 4e6)
    except ValueError:
        return 0.0
