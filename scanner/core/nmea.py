"""NMEA 0183 sentences -> fixes.

RMC gives time, place, speed and course, GGA the quality, GST the error. Sentences with a wrong
checksum are dropped.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from scanner.errors import WireError

KNOTS_MPS: Final = 0.514_444
HDOP_SIGMA_M: Final = 3.0  # 1 sigma per axis at HDOP 1 when the receiver sends no GST


class Fix(msgspec.Struct, frozen=True, kw_only=True):
    """One fix of a receiver."""

    utc_s: float
    lat_deg: float
    lon_deg: float
    sigma_m: float | None = None  # 1 sigma per axis
    speed_mps: float | None = None
    course_deg: float | None = None


def fields_of(sentence: str) -> list[str]:
    """Fields of a sentence, address first; raises WireError if it is damaged."""
    body, star, checksum = sentence.strip().lstrip("$").partition("*")
    total = 0
    for byte in body.encode("ascii", errors="replace"):
        total ^= byte
    if not sentence.strip().startswith("$") or not star or checksum[:2].upper() != f"{total:02X}":
        raise WireError(f"damaged NMEA sentence: {sentence.strip()[:24]!r}")
    return body.split(",")


def fixes_from_nmea(lines: Iterable[str]) -> list[Fix]:
    """All fixes of a recording, in its order; RMC marks a second, GGA and GST add to it."""
    fixes: list[Fix] = []
    quality: dict[str, tuple[int, float | None]] = {}  # time of day: GGA quality, sigma from HDOP
    sigmas: dict[str, float] = {}
    pending: list[tuple[str, Fix]] = []
    for line in lines:
        try:
            fields = fields_of(line)
            kind = fields[0][-3:]
            if kind == "GGA" and len(fields) > 8:  # noqa: PLR2004
                hdop = _number(fields[8])
                quality[fields[1]] = int(fields[6] or 0), hdop and hdop * HDOP_SIGMA_M
            elif kind == "GST" and len(fields) > 7:  # noqa: PLR2004
                lat, lon = _number(fields[6]), _number(fields[7])
                if lat is not None and lon is not None:
                    sigmas[fields[1]] = max(lat, lon)
            elif kind == "RMC" and len(fields) > 9 and fields[2] == "A":  # noqa: PLR2004
                pending.append((fields[1], _fix_from_rmc(fields)))
        except (WireError, ValueError):
            continue
    for time, fix in pending:
        grade, sigma = quality.get(time, (1, None))
        if grade > 0:
            fixes.append(msgspec.structs.replace(fix, sigma_m=sigmas.get(time, sigma)))
    return fixes


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
    return float(text) if text else None


def _degrees(text: str, side: str) -> float:
    """``5545.1200`` and ``N`` -> 55.752; raises ValueError."""
    point = text.index(".") if "." in text else len(text)
    value = float(text[: point - 2]) + float(text[point - 2 :]) / 60
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
    return days * 86_400 + int(time[:2]) * 3600 + int(time[2:4]) * 60 + float(time[4:])
