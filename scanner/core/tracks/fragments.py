"""Pieces of tracks: which of them show one camera, and which might have been mixed up.

A camera that is missed for a while, or leaves the view and comes back, gives several pieces. One
alone often has too little parallax to be located; together they do.
"""

import bisect
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Final

from scanner.core.geometry import wrap_deg
from scanner.core.locate import shows_kind
from scanner.core.tracks.bundle import SWAY_RAD, Bundle
from scanner.core.tracks.untangle import untangle
from scanner.records import Glimpse, Kind

Fragment = list[Glimpse]

JOIN_GAP_S: Final = 8.0  # a camera that was away for longer is a sighting of its own
TOGETHER_S: Final = 1.5  # looks so far apart are compared as if they were of one moment
RIVAL_DEG: Final = 8.0  # two cameras that come so close can be mixed up by a wearer's sway
TURN_DEG: Final = 45.0  # by which the direction to a camera may change unseen
SIZE_RATIO: Final = 3.0  # and its size
LEAST_VIEWS: Final = 2  # of a piece: one look alone may be anything
MOST_PIECES: Final = 16  # the longest; a busy view gives more, and time is short
MOST_RIVALS: Final = 5  # more are left as tracked
SAMPLES: Final = 10  # glimpses of a piece that are compared; their errors are shared anyway
JOIN_CHI2: Final = 16.0  # squared sigmas that one place may cost more than two: 99.7 %, 4 unknowns
MOST_CUTS: Final = 3  # places at which a cut is tried, those of the largest leaps
LEAP_DEG: Final = 7.5  # between two looks: three sigmas of a wearer's sway
HEADING_SHARE: Final = 0.8  # of the heading's sigma that may differ between two pieces
KIND_SHARE: Final = 0.25  # of the looks: from here on a piece may be of this kind


def may_mix(a: Fragment, b: Fragment) -> bool:
    """Whether two pieces overlap in time and come close in direction."""
    if _gap_s(a, b) > 0:
        return False
    times = [g.pose.at_ns for g in b]
    for seen in _sample(a):
        at = bisect.bisect_left(times, seen.pose.at_ns)
        for other in b[max(at - 1, 0) : at + 1]:
            near = abs(other.pose.at_ns - seen.pose.at_ns) <= TOGETHER_S * 1e9
            if near and apart_deg(seen, other) < RIVAL_DEG:
                return True
    return False


def may_continue(a: Fragment, b: Fragment) -> bool:
    """Whether one piece may go on where the other ended, going by time, direction and size."""
    if _gap_s(a, b) > JOIN_GAP_S:
        return False
    first, second = sorted((a, b), key=lambda piece: piece[0].frame)
    if first[0].frame == second[0].frame:
        return False
    before = next(g for g in reversed(first) if g.frame < second[0].frame)
    ratio = before.size_deg / second[0].size_deg
    return (
        apart_deg(before, second[0]) < TURN_DEG
        and 1 / SIZE_RATIO < ratio < SIZE_RATIO
        and _kinds_agree(a, b)
    )


def apart_deg(a: Glimpse, b: Glimpse) -> float:
    """Angle between two directions seen, for angles that are not steep."""
    right = wrap_deg(a.pose.heading_deg + a.azimuth_deg - b.pose.heading_deg - b.azimuth_deg)
    return math.hypot(right, a.elevation_deg - b.elevation_deg)


def sort_out(pieces: Sequence[Fragment]) -> list[Fragment]:
    """One list of glimpses for each camera that these pieces show, in the order of their frames."""
    parts = itertools.chain.from_iterable(_cut(piece) for piece in pieces)
    by_length = sorted((p for p in parts if len(p) >= LEAST_VIEWS), key=len, reverse=True)
    cameras = _join(by_length[:MOST_PIECES]) + by_length[MOST_PIECES:]
    sorted_out: list[Fragment] = []
    for group in components(cameras, may_mix):
        tangled = 1 < len(group) <= MOST_RIVALS
        sorted_out += untangle(group) if tangled else group
    return sorted(
        (piece for piece in sorted_out if piece), key=lambda piece: (piece[0].frame, len(piece))
    )


def components(
    pieces: Sequence[Fragment], related: Callable[[Fragment, Fragment], bool]
) -> list[list[Fragment]]:
    """The pieces in groups; those of different groups are not related."""
    groups: list[list[Fragment]] = []
    for piece in pieces:
        mine = [g for g in groups if any(related(piece, other) for other in g)]
        groups = [g for g in groups if g not in mine]
        groups.append([*itertools.chain.from_iterable(mine), piece])
    return groups


def _cut(piece: Fragment) -> list[Fragment]:
    """A piece, in two or more where no one place explains what comes before and after.

    The wearer's sway hides it when one camera is lost and the next one is taken for it. It is tried
    where the direction leapt.
    """
    leaps = {
        at: apart_deg(piece[at - 1], piece[at])
        for at in range(LEAST_VIEWS, len(piece) - LEAST_VIEWS + 1)
    }
    wide = sorted((at for at in leaps if leaps[at] > LEAP_DEG), key=lambda at: -leaps[at])
    costs = [(_parting(piece[:at], piece[at:]), at) for at in wide[:MOST_CUTS]]
    cost, at = max(costs, default=(0.0, 0))
    if cost <= JOIN_CHI2:
        return [piece]
    return _cut(piece[:at]) + _cut(piece[at:])


def _join(pieces: Sequence[Fragment]) -> list[Fragment]:
    """The best pair first, as long as one place explains a pair about as well as two do."""
    left, alive = list(pieces), list(pieces)  # ids are those of living lists
    costs: dict[tuple[int, int], float] = {}
    while True:
        pairs = []
        for (i, a), (j, b) in itertools.combinations(enumerate(left), 2):
            if (id(a), id(b)) not in costs:
                costs[id(a), id(b)] = _join_cost(a, b)
            pairs.append((costs[id(a), id(b)], i, j))
        cost, i, j = min(pairs, default=(math.inf, 0, 0))
        if cost > JOIN_CHI2:
            return left
        joined = sorted(left[i] + left[j], key=lambda g: g.frame)
        alive += [joined]
        left = [piece for n, piece in enumerate(left) if n not in (i, j)] + [joined]


def _join_cost(a: Fragment, b: Fragment) -> float:
    """How much worse one place explains two pieces than two places do, squared sigmas."""
    if not {g.frame for g in a}.isdisjoint(g.frame for g in b) or not may_continue(a, b):
        return math.inf
    return _parting(a, b)


def _parting(a: Fragment, b: Fragment) -> float:
    """How much better two places explain two pieces than one, squared sigmas."""
    first, second = _sample(a), _sample(b)
    return _misfit([*first, *second]) - _misfit(first) - _misfit(second)


def _misfit(glimpses: Sequence[Glimpse]) -> float:
    bundle = Bundle([glimpses])
    heading = math.radians(HEADING_SHARE * max(g.pose.heading_sigma_deg for g in glimpses))
    bundle.sway2[0] = SWAY_RAD**2 + heading**2
    return bundle.fit(bundle.start())[1]


def _kinds_agree(a: Fragment, b: Fragment) -> bool:
    """Whether some kind was told of both in a fair share of their looks."""
    if Kind.UNKNOWN in (_kinds(a) | _kinds(b)):
        return True
    return not _kinds(a).isdisjoint(_kinds(b))


def _kinds(piece: Fragment) -> set[Kind]:
    told = [g.detection.kind for g in piece if shows_kind(g)]
    likely = {kind for kind in told if told.count(kind) >= KIND_SHARE * len(told)}
    return likely or {Kind.UNKNOWN}


def _gap_s(a: Fragment, b: Fragment) -> float:
    """Time between two pieces; negative if they overlap."""
    later = max(a[0].pose.at_ns, b[0].pose.at_ns)
    return (later - min(a[-1].pose.at_ns, b[-1].pose.at_ns)) / 1e9


def _sample(piece: Fragment) -> Fragment:
    """At most SAMPLES of the glimpses, evenly spread, first and last included."""
    if len(piece) <= SAMPLES:
        return piece
    step = (len(piece) - 1) / (SAMPLES - 1)
    return [piece[round(i * step)] for i in range(SAMPLES)]
