"""A GPX file that a stranger sends -> the lines in it, and nothing else of it."""

import math
from itertools import pairwise
from typing import Final
from xml.parsers import expat

from scanner.core.exposure import Place
from scanner.errors import UsageError

BYTES_MAX: Final = 5_000_000
POINTS_MAX: Final = 20_000  # five hours at one a second; more take longer than a second to answer
LENGTH_MAX_M: Final = 500_000.0
_LINES: Final = ("trkseg", "rte")
_POINTS: Final = ("trkpt", "rtept")
# Whatever Python's codecs think of the encoding that a file says it has comes through expat.
_BROKEN: Final = (expat.ExpatError, LookupError, ValueError)
_EARTH_M: Final = 6_371_009.0


class _Reader:
    """Collects the points; refuses a file that declares anything, before expat acts on it.

    Without a document type there are no entities, so nothing can grow and nothing is fetched.
    The parser is lent: one that holds who holds it waits for Python's collector, with all it has.
    """

    def __init__(self) -> None:
        self.lines: list[list[Place]] = []
        self.points = 0

    def attend(self, parser: expat.XMLParserType) -> None:
        """Hear what it reads."""
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start

    def _doctype(self, *_: object) -> None:
        raise UsageError("a GPX file with a document type is not read", hint="leave DOCTYPE out")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(" ")[2]
        if tag in _LINES:
            self.lines.append([])
        elif tag in _POINTS and self.lines:
            self.points += 1
            if self.points > POINTS_MAX:
                raise UsageError(f"more than {POINTS_MAX} points", hint="send a shorter way")
            self.lines[-1].append(_place(attributes))


def lines_from_gpx(body: bytes) -> list[list[Place]]:
    """Latitude and longitude of each point of each track segment and route.

    Times, names and everything else is passed over. Raises UsageError with words for the sender.
    """
    reader, parser = _Reader(), expat.ParserCreate(namespace_separator=" ")
    reader.attend(parser)
    try:
        parser.Parse(body, True)
    except _BROKEN as e:
        raise UsageError(f"not a GPX file: {e}", hint="a track or a route is wanted") from e
    lines = [line for line in reader.lines if len(line) > 1]
    if not lines:
        raise UsageError("the GPX file holds no track and no route of two points or more")
    if sum(map(_length_m, lines)) > LENGTH_MAX_M:
        raise UsageError(f"longer than {LENGTH_MAX_M / 1000:.0f} km", hint="send a shorter way")
    return lines


def _place(attributes: dict[str, str]) -> Place:
    try:
        lat, lon = float(attributes["lat"]), float(attributes["lon"])
    except (KeyError, ValueError) as e:
        raise UsageError("a point of the GPX file has no latitude and longitude") from e
    if not (abs(lat) <= 90 and abs(lon) <= 180):  # noqa: PLR2004 - refuses NaN, too
        raise UsageError("a point of the GPX file does not lie on the Earth")
    return lat, lon


def _length_m(line: list[Place]) -> float:
    """Length along great circles on a sphere (haversine formula)."""
    return sum(
        2 * _EARTH_M * math.asin(math.sqrt(min(1.0, _haversine(a, b)))) for a, b in pairwise(line)
    )


def _haversine(a: Place, b: Place) -> float:
    lat_a, lon_a, lat_b, lon_b = map(math.radians, (*a, *b))
    across = math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    return math.sin((lat_b - lat_a) / 2) ** 2 + across
