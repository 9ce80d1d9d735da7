"""CSV (RFC 4180, UTF-8) that no spreadsheet takes for a program.

A text that a spreadsheet would run as a formula gets an apostrophe in front (OWASP, "CSV
injection"): at its start, and after anything that a spreadsheet set to another separator would cut
at. Numbers stay numbers, so a western longitude keeps its bare minus sign.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Final

from scanner.core.osm import tags as osm
from scanner.core.wire import CameraFeature, Claims
from scanner.hub.exports import LICENCE_URL, NOTICE

TAGS: Final = tuple(sorted(osm.RULES))
CLAIMS: Final = Claims.__struct_fields__
COLUMNS: Final = (
    *("id", "lat", "lon", "kind", "sigma_m", "status", "direction_deg", "height_m"),
    *("cluster", "confirmations", "first_seen", "last_seen"),
    *(f"basis:{claim}" for claim in CLAIMS),
    *TAGS,
    *("licence", "notice"),
)
_STARTS: Final = frozenset(
    "=+-@\uff1d\uff0b\uff0d\uff20\t\r\n"
)  # a formula, or what is dropped first
_CUTS: Final = frozenset(";,|\t\r\n")  # where a spreadsheet may be set to begin another cell
_PASSED: Final = frozenset("\"'")  # as blanks: what may stand before a formula


def chunks(cameras: Iterable[CameraFeature]) -> Iterator[str]:
    """The text, piece by piece, first the names of the columns."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")

    def taken() -> str:
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text

    writer.writerow(COLUMNS)
    yield taken()
    for camera in cameras:
        writer.writerow(_row(camera))
        yield taken()


def _row(camera: CameraFeature) -> list[str | float | None]:
    lon_deg, lat_deg = camera.geometry.coordinates
    p = camera.properties
    return [
        safe(camera.id),
        *(lat_deg, lon_deg, p.kind.value, p.sigma_m, p.status, p.direction_deg, p.height_m),
        p.cluster,
        *(p.confirmations.replace("-", " to "), p.first_seen, p.last_seen),  # 3-5 is no day of May
        *(getattr(p.basis, claim) for claim in CLAIMS),
        *(safe(p.tags.get(key, "")) for key in TAGS),
        *(LICENCE_URL, NOTICE),
    ]


def safe(text: str) -> str:
    """The text, with an apostrophe wherever a formula could begin."""
    if _STARTS.isdisjoint(text):
        return text
    written: list[str] = []
    starts = False  # whether what was passed last, from the end, could start a formula
    for character in reversed(text):
        if starts and character in _CUTS:
            written.append("'")
        written.append(character)
        if character in _STARTS:
            starts = True
        elif not character.isspace() and character not in _PASSED:
            starts = False
    return ("'" if starts else "") + "".join(reversed(written))
