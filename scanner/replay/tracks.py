"""A recorded GPX or NMEA track as a PositionSource."""

import bisect
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import msgspec

from scanner.core.geometry import MIN_COURSE_SPEED_MPS, Origin, wrap_deg
from scanner.core.nmea import Fix, fixes_from_nmea
from scanner.errors import MediaError
from scanner.records import Position

MAX_GAP_S: Final = 5.0  # between two fixes; a longer hole gives no position
MAX_SPEED_MPS: Final = 60.0  # a step faster than this is a jump of the receiver
COURSE_BASE_S: Final = 6.0  # course is taken over so long a stretch of the track
COURSE_NOISE_M: Final = 0.5  # of the difference between two fixes some seconds apart
MIN_COURSE_SIGMA_DEG: Final = 3.0
NS: Final = 1_000_000_000


class RecordedTrack:
    """Positions between the fixes of a file.

    Time 0 of the boot clock is the first fix, moved by ``offset_s`` (positive: the first frame was
    taken so many seconds after the first fix). ``sigma_m`` is used where the file gives none.
    """

    def __init__(self, path: Path, *, sigma_m: float = 4.0, offset_s: float = 0.0) -> None:
        fixes = _without_jumps(_read(path))
        if not fixes:
            raise MediaError(f"{path}: holds no fix with a time", hint="GPX or NMEA is wanted")
        self._fixes = fixes
        self._times = [f.utc_s for f in fixes]
        self._sigma_m = sigma_m
        self._start_s = fixes[0].utc_s + offset_s
        self._origin = Origin(fixes[0].lat_deg, fixes[0].lon_deg)

    @property
    def duration_s(self) -> float:
        """From the moment of frame 0 to the last fix."""
        return self._times[-1] - self._start_s

    def position_at(self, at_ns: int) -> Position | None:
        """Position at a time after frame 0; None outside the track and in its holes."""
        utc_s = self._start_s + at_ns / NS
        here = self._place(utc_s)
        if here is None:
            return None
        east, north, sigma = here
        lat, lon = self._origin.geodetic_from_enu(east, north)
        course = self._course(utc_s)
        return Position(
            at_ns=at_ns,
            lat_deg=lat,
            lon_deg=lon,
            sigma_m=sigma,
            course_deg=course[0] if course else None,
            course_sigma_deg=course[1] if course else 180.0,
            utc_s=utc_s,
        )

    def close(self) -> None:
        """Nothing is held open."""

    def _place(self, utc_s: float) -> tuple[float, float, float] | None:
        """East, north and sigma by straight lines between fixes."""
        after = bisect.bisect_left(self._times, utc_s)
        if after == len(self._times):
            return None
        a, b = self._fixes[max(after - 1, 0)], self._fixes[after]
        if after == 0:
            if utc_s < self._times[0]:
                return None
            a = b
        if b.utc_s - a.utc_s > MAX_GAP_S:
            return None
        share = (utc_s - a.utc_s) / (b.utc_s - a.utc_s) if b.utc_s > a.utc_s else 0.0
        ea, na = self._origin.enu_from_geodetic(a.lat_deg, a.lon_deg)
        eb, nb = self._origin.enu_from_geodetic(b.lat_deg, b.lon_deg)
        sigma = max(a.sigma_m or self._sigma_m, b.sigma_m or self._sigma_m)
        return ea + share * (eb - ea), na + share * (nb - na), sigma

    def _course(self, utc_s: float) -> tuple[float, float] | None:
        """Course over ground and its sigma, degrees, over a stretch around the time.

        A receiver's own course (Doppler) is smoother than differences of fixes; it is used where
        the file has it.
        """
        told = self._told_course(utc_s)
        if told is not None:
            return told
        half = COURSE_BASE_S / 2
        start = max(utc_s - half, self._times[0])
        end = min(utc_s + half, self._times[-1])
        a, b = self._place(start), self._place(end)
        if a is None or b is None or end - start < half:
            return None
        east, north = b[0] - a[0], b[1] - a[1]
        way = math.hypot(east, north)
        if way < MIN_COURSE_SPEED_MPS * (end - start):
            return None
        sigma = max(math.degrees(math.atan2(COURSE_NOISE_M, way)), MIN_COURSE_SIGMA_DEG)
        return math.degrees(math.atan2(east, north)) % 360.0, sigma

    def _told_course(self, utc_s: float) -> tuple[float, float] | None:
        after = bisect.bisect_left(self._times, utc_s)
        around = self._fixes[max(after - 1, 0) : after + 1]
        courses = [
            f.course_deg
            for f in around
            if f.course_deg is not None and (f.speed_mps or 0) >= MIN_COURSE_SPEED_MPS
        ]
        if len(courses) < len(around) or not courses:
            return None
        if len(courses) == 1:
            return courses[0], MIN_COURSE_SIGMA_DEG
        a, b = around
        share = (utc_s - a.utc_s) / (b.utc_s - a.utc_s)
        return (
            courses[0] + share * wrap_deg(courses[1] - courses[0])
        ) % 360.0, MIN_COURSE_SIGMA_DEG


def _read(path: Path) -> list[Fix]:
    try:
        raw = path.read_bytes()
    except OSError as e:
        raise MediaError(f"{path}: cannot be read: {e.strerror}") from e
    if path.suffix.lower() == ".gpx" or raw.lstrip()[:1] == b"<":
        return _read_gpx(path, raw)
    return fixes_from_nmea(raw.decode("ascii", errors="replace").splitlines())


def _read_gpx(path: Path, raw: bytes) -> list[Fix]:
    """Fixes of a GPX file that have a time; those without are of no use here."""
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise MediaError(f"{path}: not a plain GPX file: it declares entities")
    try:
        root = ET.fromstring(raw)  # noqa: S314 - entities were refused above
    except ET.ParseError as e:
        raise MediaError(f"{path}: not valid XML: {e}") from e
    fixes = []
    for point in root.iter():
        if point.tag.rpartition("}")[2] != "trkpt":
            continue
        time = next((c.text for c in point if c.tag.rpartition("}")[2] == "time"), None)
        if time is None:
            continue
        try:
            moment = datetime.fromisoformat(time.strip())
            lat, lon = float(point.attrib["lat"]), float(point.attrib["lon"])
        except (KeyError, ValueError) as e:
            raise MediaError(f"{path}: a track point is damaged: {e}") from e
        if not (abs(lat) <= 90 and abs(lon) <= 180):  # noqa: PLR2004
            raise MediaError(f"{path}: a track point lies at {lat}, {lon}")
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        fixes.append(Fix(utc_s=moment.timestamp(), lat_deg=lat, lon_deg=lon))
    return fixes


def _without_jumps(fixes: Sequence[Fix]) -> list[Fix]:
    """Fixes with rising times; a step faster than any vehicle is left out."""
    kept: list[Fix] = []
    for fix in fixes:
        if kept:
            last = kept[-1]
            seconds = fix.utc_s - last.utc_s
            if seconds <= 0:
                continue
            step = Origin(last.lat_deg, last.lon_deg).enu_from_geodetic(fix.lat_deg, fix.lon_deg)
            if math.hypot(*step) > MAX_SPEED_MPS * seconds:
                continue
        kept.append(msgspec.structs.replace(fix))
    return kept
