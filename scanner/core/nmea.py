"""NMEA 0183 sentences -> fixes.

RMC gives time, place, speed and course, GGA the quality, GST the error. Sentences with a wrong
checksum are dropped.
"""

import math
from collections.abc import Iterable
from typing import Final

import msgspec

from scanner.core.fixes import Fix, Lost
from scanner.errors import WireError

KNOTS_MPS: Final = 0.514_444
DAY_S: Final = 86_400
HDOP_SIGMA_M: Final = 3.0  # 1 sigma per axis at HDOP 1 when the receiver sends no GST
NO_GNSS: Final = frozenset("NEMS")  # mode of RMC: none, dead reckoning, typed in, simulated
NO_GNSS_QUALITY: Final = frozenset((0, 6, 7, 8))  # the same in GGA
ERROR_LASTS_S: Final = 2.5  # an error told for one epoch stands for those so near to it
MAX_LINE: Final = 4096  # bytes without an end of line are no NMEA


def fields_of(sentence: str) -> list[str]:
    """Fields of a sentence, address first; raises WireError if it is damaged."""
    body, star, checksum = sentence.strip().lstrip("$").partition("*")
    total = 0
    for byte in body.encode("ascii", errors="replace"):
        total ^= byte
    if not sentence.strip().startswith("$") or not star or checksum[:2].upper() != f"{total:02X}":
        raise WireError(f"damaged NMEA sentence: {sentence.strip()[:24]!r}")
    return body.split(",")


class NmeaReader:
    """Sentences in pieces, as a wire brings them -> fixes.

    RMC makes a fix at once; GGA and GST that follow it for the same moment make it again, better.
    So no fix waits for the next epoch, and whoever takes them lets the last of a moment count.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._fix: Fix | None = None  # of the newest RMC, without error
        self._time = ""  # of that RMC
        self._bad_time = ""  # GGA said at this time of day that there is no fix
        self._dilution: tuple[float, float] | None = None  # time of day, sigma
        self._error: tuple[float, float] | None = None  # the same from GST

    def feed(self, data: bytes, at_ns: int) -> list[Fix | Lost]:
        """What the sentences that end in ``data`` say; ``at_ns``: boot clock when it was read."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-MAX_LINE:]
        news = (
            self._read(line.decode("ascii", errors="replace"), at_ns)
            for line in lines
            if b"$" in line
        )
        return [n for n in news if n is not None]

    def _read(self, line: str, at_ns: int) -> Fix | Lost | None:
        try:
            fields = fields_of(line[max(line.rfind("$"), 0) :])
            kind = fields[0][-3:]
            if kind == "RMC" and len(fields) > 9:  # noqa: PLR2004
                return self._rmc(fields, at_ns)
            if kind == "GGA" and len(fields) > 8:  # noqa: PLR2004
                return self._gga(fields, at_ns)
            if kind == "GST" and len(fields) > 7:  # noqa: PLR2004
                return self._gst(fields)
        except (WireError, ValueError):
            pass
        return None

    def _rmc(self, fields: list[str], at_ns: int) -> Fix | Lost:
        mode = fields[12][:1] if len(fields) > 12 else ""  # noqa: PLR2004
        self._fix = None
        if fields[2] != "A" or mode in NO_GNSS or fields[1] == self._bad_time:
            return Lost(at_ns=at_ns)
        self._fix = msgspec.structs.replace(_fix_from_rmc(fields), at_ns=at_ns)
        self._time = fields[1]
        return self._with_error(self._fix)

    def _gga(self, fields: list[str], at_ns: int) -> Fix | Lost | None:
        told = self._fix if fields[1] == self._time else None
        if int(fields[6] or 0) in NO_GNSS_QUALITY:
            self._bad_time = fields[1]
            return Lost(at_ns=at_ns, utc_s=told.utc_s if told else None)
        hdop = _number(fields[8])
        if hdop is None:
            return None
        self._dilution = _of_day_s(fields[1]), hdop * HDOP_SIGMA_M
        return self._with_error(told) if told else None

    def _gst(self, fields: list[str]) -> Fix | None:
        lat, lon = _number(fields[6]), _number(fields[7])
        if lat is None or lon is None:
            return None
        self._error = _of_day_s(fields[1]), max(lat, lon)
        return self._with_error(self._fix) if self._fix and fields[1] == self._time else None

    def _with_error(self, fix: Fix) -> Fix:
        now_s = _of_day_s(self._time)
        for told in (self._error, self._dilution):
            if told is not None and abs(now_s - told[0]) <= ERROR_LASTS_S:
                return msgspec.structs.replace(fix, sigma_m=told[1])
        return fix


def fixes_from_nmea(lines: Iterable[str]) -> list[Fix]:
    """All fixes of a recording, in its order, each once."""
    reader = NmeaReader()
    fixes: list[Fix] = []
    for line in lines:
        if "$" not in line:
            continue
        for news in reader.feed(line.encode("ascii", errors="replace") + b"\n", 0):
            if fixes and fixes[-1].utc_s == news.utc_s:
                fixes.pop()
            if isinstance(news, Fix):
                fixes.append(news)
    return fixes


def _of_day_s(time: str) -> float:
    """``090000.25`` -> seconds since midnight; raises ValueError."""
    seconds = int(time[:2]) * 3600 + int(time[2:4]) * 60 + float(time[4:])
    if not 0 <= seconds < DAY_S + 1:  # with a leap second
        raise ValueError(f"{time!r}: no time of day")
    return seconds


def _fix_from_rmc(fields: list[str]) -> Fix:
    speed, course = _number(fields[7]), _number(fields[8])
    return Fix(
        utc_s=utc_from_nmea(fields[9], fields[1]),
        lat_deg=_degrees(fields[3], fields[4]),
        lon_deg=_degrees(fields[5], fields[6]),
        speed_mps=None if speed is None else speed * KNOTS_MPS,
        course_deg=course,
    )


def _number(text: str) -> float | None:
    """None also for ``nan``, which receivers write where they know nothing; raises ValueError."""
    value = float(text) if text else math.nan
    return value if math.isfinite(value) else None


def _degrees(text: str, side: str) -> float:
    """``5545.1200`` and ``N`` -> 55.752; raises ValueError."""
    point = text.index(".") if "." in text else len(text)
    value = float(text[: point - 2]) + float(text[point - 2 :]) / 60
    if not math.isfinite(value):
        raise ValueError(f"{text!r}: no angle")
    return -value if side in ("S", "W") else value


def utc_from_nmea(date: str, time: str) -> float:
    """``010626``, ``090000.25`` -> seconds since 1970; raises ValueError.

    Days of the civil calendar after H. Hinnant, "chrono-compatible low-level date algorithms";
    the core has no datetime.
    """
    day, month, year = int(date[:2]), int(date[2:4]), 2000 + int(date[4:6])
    shifted = year - (month <= 2)  # noqa: PLR2004 - the year begins in March
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1  # noqa: PLR2004
    of_era = shifted % 400 * 365 + shifted % 400 // 4 - shifted % 400 // 100 + of_year
    days = shifted // 400 * 146_097 + of_era - 719_468
    return days * DAY_S + _of_day_s(time)
