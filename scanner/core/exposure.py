"""A way on the map -> which cameras on record may see it, and how much of it.

A camera may see a place that is within ``reach_m`` of it and, where the direction it looks is known
and it cannot turn, within a cone about that direction. Both are widened by 1 sigma of the camera's
place. Walls and trees are not known, so the answer is what may be seen at most, by the cameras that
are on record.

The way is cut exactly, not sampled: what a straight piece shares with a disc is one interval, found
from a quadratic, and each side of a cone is a straight line.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from scanner.core.geometry import Origin, wrap_deg
from scanner.records import Kind

Floats = NDArray[np.float64]
Place = tuple[float, float]  # latitude, longitude, degrees
Box = tuple[float, float, float, float]  # west, south, east, north, degrees
Interval = tuple[float, float]  # metres from the beginning of a line

PIECE_M: Final = 500.0  # longest straight piece: a local frame is good to centimetres on it
LEG_PIECES: Final = 64  # pieces looked at together
LEG_M: Final = 2_000.0
SAME_M: Final = 0.01  # intervals so close to each other are one
FIXED: Final = (Kind.BULLET, Kind.ALPR)  # the others turn, or look all round


class Eye(msgspec.Struct, frozen=True, kw_only=True):
    """A camera that may look; ``direction_deg`` is clockwise from north, None if not known."""

    id: str
    lat_deg: float
    lon_deg: float
    kind: Kind
    sigma_m: float
    direction_deg: float | None = None


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """How far and how wide a camera is taken to see."""

    reach_m: float = 30.0
    cone_deg: float = 90.0  # full width; at most 180


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What one camera may see of the way."""

    eye: Eye
    metres: float
    nearest_m: float


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the way that is seen throughout, or not at all."""

    places: tuple[Place, ...]
    metres: float
    cameras: int  # most that may see one point of it; 0: unseen


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """What the cameras on record may see of a way."""

    length_m: float
    seen_m: float
    longest_unseen_m: float
    cameras: tuple[Seen, ...]  # in the order in which they are met
    stretches: tuple[Stretch, ...]


class _Leg(msgspec.Struct, frozen=True):
    """Neighbouring pieces of a line: their ends in one local frame."""

    origin: Origin
    start: Floats  # (n, 2): east, north
    step: Floats  # (n, 2)
    along: Floats  # (n + 1): metres from the beginning of the line to the ends of the pieces


class _Met:
    """One camera on its way through the reckoning."""

    def __init__(self, eye: Eye) -> None:
        self.eye = eye
        self.metres = 0.0
        self.nearest_m = math.inf

    def add(self, spans: Sequence[Interval], nearest_m: float) -> None:
        self.metres += sum(end - start for start, end in spans)
        self.nearest_m = min(self.nearest_m, nearest_m)


def expose(
    lines: Iterable[Sequence[Place]], around: Callable[[Box], Iterable[Eye]], sight: Sight
) -> Exposure:
    """The exposure of a way of one or more lines.

    ``around`` gives the cameras in a box, and is asked for one small box after the other. What lies
    between the end of a line and the beginning of the next belongs to no way.
    """
    met: dict[str, _Met] = {}
    stretches: list[Stretch] = []
    for line in lines:
        places = _cut(line)
        along = [0.0]
        spans: dict[str, list[Interval]] = {}
        for leg in _legs(places):
            eyes = list(around(_box(leg, sight.reach_m)))
            for eye, own, nearest_m in _sights(leg, eyes, sight) if eyes else ():
                met.setdefault(eye.id, _Met(eye)).add(own, nearest_m)
                spans.setdefault(eye.id, []).extend(own)
            along += leg.along[1:].tolist()
        if len(places) > 1:
            joined = [span for own in spans.values() for span in _joined(own)]
            stretches += _stretches(places, along, joined)
    return Exposure(
        length_m=sum(s.metres for s in stretches),
        seen_m=sum(s.metres for s in stretches if s.cameras),
        longest_unseen_m=max((s.metres for s in stretches if not s.cameras), default=0.0),
        cameras=tuple(
            Seen(eye=m.eye, metres=m.metres, nearest_m=m.nearest_m) for m in met.values()
        ),
        stretches=tuple(stretches),
    )


def _cut(line: Sequence[Place]) -> list[Place]:
    """The line without standing still, in pieces of at most PIECE_M."""
    places: list[Place] = list(line[:1])
    for lat, lon in line[1:]:
        here = places[-1]
        east, north = Origin(*here).enu_from_geodetic(lat, lon)
        parts = math.ceil(math.hypot(east, north) / PIECE_M)
        turn = wrap_deg(lon - here[1])
        places += [
            (here[0] + (lat - here[0]) * i / parts, wrap_deg(here[1] + turn * i / parts))
            for i in range(1, parts + 1)
        ]
    return places


def _legs(places: Sequence[Place]) -> Iterator[_Leg]:
    """The line in legs, each with a local frame of its own."""
    first, begun_m = 0, 0.0
    while first < len(places) - 1:
        origin = Origin(*places[first])
        ends = np.array([origin.enu_from_geodetic(*p) for p in places[first:][: LEG_PIECES + 1]])
        step = np.diff(ends, axis=0)
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*step.T))])
        n = max(1, int(np.searchsorted(along, LEG_M, side="right")) - 1)
        yield _Leg(origin, ends[:n], step[:n], begun_m + along[: n + 1])
        first += n
        begun_m += float(along[n])


def _box(leg: _Leg, reach_m: float) -> Box:
    """What may hold a camera that sees the leg; wider than the reach for cameras ill placed."""
    ends = np.concatenate([leg.start, leg.start[-1:] + leg.step[-1:]])
    (west, south), (east, north) = ends.min(axis=0), ends.max(axis=0)
    margin_m = 2 * reach_m
    low = leg.origin.geodetic_from_enu(west - margin_m, south - margin_m)
    high = leg.origin.geodetic_from_enu(east + margin_m, north + margin_m)
    return low[1], max(-90.0, low[0]), high[1], min(90.0, high[0])


def _sights(
    leg: _Leg, eyes: Sequence[Eye], sight: Sight
) -> Iterator[tuple[Eye, list[Interval], float]]:
    """Each camera that may see a part of the leg, the parts, and how near the way comes to it."""
    places = np.array([leg.origin.enu_from_geodetic(e.lat_deg, e.lon_deg) for e in eyes])
    sigma = np.array([min(e.sigma_m, sight.reach_m) for e in eyes])[:, None]
    begin, end = _in_disc(leg.start - places[:, None], leg.step, sight.reach_m + sigma)
    for side in (1, -1):
        low, high = _beside(leg, eyes, places, sigma, side * (90 - sight.cone_deg / 2))
        begin, end = np.maximum(begin, low), np.minimum(end, high)
    lengths = np.diff(leg.along)
    hits = (end - begin) * lengths > 0
    at = np.where(hits, leg.along[:-1] + begin * lengths, math.inf)
    for i in np.argsort(at.min(axis=1), kind="stable"):
        columns = np.flatnonzero(hits[i])
        if not len(columns):
            return
        spans = [(float(at[i, j]), float(leg.along[j] + end[i, j] * lengths[j])) for j in columns]
        offset = leg.start[columns] - places[i]
        step = leg.step[columns]
        foot = np.clip(-(offset * step).sum(1) / (step * step).sum(1), begin[i, columns],
                       end[i, columns])  # fmt: skip
        nearest = np.hypot(*(offset + foot[:, None] * step).T).min()
        yield eyes[i], spans, float(nearest)


def _in_disc(offset: Floats, step: Floats, radius: Floats) -> tuple[Floats, Floats]:
    """From which share of each piece to which it lies in each disc, (m, n); 1, 0 if nowhere.

    ``offset`` (m, n, 2) from the disc's middle to the piece's start, ``step`` (n, 2).
    """
    a = (step * step).sum(-1)
    b = (offset * step).sum(-1)
    root2 = b * b - a * ((offset * offset).sum(-1) - radius * radius)
    root = np.sqrt(np.maximum(root2, 0.0))
    begin, end = np.maximum((-b - root) / a, 0.0), np.minimum((-b + root) / a, 1.0)
    return np.where(root2 > 0, begin, 1.0), np.where(root2 > 0, end, 0.0)


def _beside(
    leg: _Leg, eyes: Sequence[Eye], places: Floats, sigma: Floats, turn_deg: float
) -> tuple[Floats, Floats]:
    """The share of each piece on the right side of one edge of each camera's cone, (m, n).

    The edge is the line through the camera whose normal lies ``turn_deg`` off the direction it
    looks; moved back by 1 sigma, so that no place the camera may be at is left out.
    """
    bearing = np.radians(
        [0.0 if e.direction_deg is None else e.direction_deg + turn_deg for e in eyes]
    )
    normal = np.stack([np.sin(bearing), np.cos(bearing)], axis=-1)
    inside = ((leg.start - places[:, None]) * normal[:, None]).sum(-1) + sigma
    slope = normal @ leg.step.T
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = -inside / slope
    low = np.where(slope > 0, crossing, np.where((slope < 0) | (inside >= 0), 0.0, 1.0))
    high = np.where(slope < 0, crossing, np.where((slope > 0) | (inside >= 0), 1.0, 0.0))
    round_ = np.array([e.direction_deg is None or e.kind not in FIXED for e in eyes])[:, None]
    return np.where(round_, 0.0, low), np.where(round_, 1.0, high)


def _joined(spans: Sequence[Interval]) -> Iterator[Interval]:
    """One camera's parts of a line, in order; those that touch, as at a bend, are one."""
    start, end = spans[0]
    for following, its_end in spans:
        if following - end > SAME_M:
            yield start, end
            start = following
        end = its_end
    yield start, end


def _stretches(
    places: Sequence[Place], along: Sequence[float], spans: Sequence[Interval]
) -> Iterator[Stretch]:
    """The line cut where it comes under view or leaves it, in order."""
    edges = [0.0]
    cameras: list[int] = []
    for start, end, seen in _parts(spans, along[-1]):
        if end - start > SAME_M:
            edges.append(end)
            cameras.append(seen)
    edges[-1] = along[-1]
    inner = 0
    for start, end, seen in zip(edges, edges[1:], cameras, strict=False):
        way = [_at(places, along, start)]
        while inner < len(along) and along[inner] <= start:
            inner += 1
        while inner < len(along) and along[inner] < end:
            way.append(places[inner])
            inner += 1
        way.append(_at(places, along, end))
        yield Stretch(places=tuple(way), metres=end - start, cameras=seen)


def _parts(spans: Sequence[Interval], length_m: float) -> Iterator[tuple[float, float, int]]:
    """Start, end and most cameras of each part of [0, length] that is seen, or is not."""
    events = sorted([(s - SAME_M / 2, 1) for s, _ in spans] + [(e, -1) for _, e in spans])
    done, count, most = 0.0, 0, 0
    for at, turn in events:
        if count == 0 and turn == 1:
            yield done, at, 0
            done, most = max(at, 0.0), 0
        count += turn
        most = max(most, count)
        if count == 0:
            yield done, at, most
            done = at
    yield done, length_m, 0


def _at(places: Sequence[Place], along: Sequence[float], at_m: float) -> Place:
    """The place so many metres along the line."""
    i = min(max(bisect_right(along, at_m) - 1, 0), len(along) - 2)
    share = min(1.0, (at_m - along[i]) / (along[i + 1] - along[i]))
    (lat_a, lon_a), (lat_b, lon_b) = places[i], places[i + 1]
    return lat_a + (lat_b - lat_a) * share, wrap_deg(lon_a + wrap_deg(lon_b - lon_a) * share)
