"""A recorded GPX or NMEA track as a PositionSource."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import msgspec

from scanner.core.fixes import Fix, FixRing
from scanner.core.nmea import fixes_from_nmea
from scanner.errors import MediaError
from scanner.records import Position

NS: Final = 1_000_000_000


class RecordedTrack:
    """Positions between the fixes of a file.

    Time 0 of the boot clock is the first fix, moved by ``offset_s`` (positive: the first frame was
    taken so many seconds after the first fix). ``sigma_m`` is used where the file gives none.
    """

    def __init__(self, path: Path, *, sigma_m: float = 4.0, offset_s: float = 0.0) -> None:
        self._ring = FixRing(sigma_m=sigma_m, keep=None, ahead_s=0.0)
        start_ns: int | None = None
        for fix in _read(path):
            utc_ns = round((fix.utc_s or 0.0) * NS)
            start_ns = utc_ns + round(offset_s * NS) if start_ns is None else start_ns
            self._ring.add(msgspec.structs.replace(fix, at_ns=utc_ns - start_ns))
        newest = self._ring.newest
        if newest is None:
            raise MediaError(f"{path}: holds no fix with a time", hint="GPX or NMEA is wanted")
        self._end_ns = newest.at_ns

    @property
    def duration_s(self) -> float:
        """From the moment of frame 0 to the last fix."""
        return self._end_ns / NS

    def position_at(self, at_ns: int) -> Position | None:
        """Position at a time after frame 0; None outside the track and in its holes."""
        return self._ring.position_at(at_ns)

    def close(self) -> None:
        """Nothing is held open."""


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
