"""The one-to-one assignment of a record's marks to cameras that is likeliest as a whole.

Joint compatibility (J. Neira and J. D. Tardos, IEEE T-RA 17(6), 2001) with a beam in place of the
full tree. Each assignment carries its own estimate of the record's error, a random walk from mark
to mark that a Kalman filter follows. Costs are -2 ln of likelihoods.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from scanner.core.fusing.spots import Frame, Mark, Pass, Spot, inverse

NEW_DENSITY: Final = 4e-4  # cameras not yet on the map per square metre, where one was just seen
BEAM: Final = 6  # assignments followed at once
GATE_CHI2: Final = 13.8  # squared distance in sigmas within which cameras may be one: 99.9 %
REACH_M: Final = 40.0  # no mark is taken for a camera farther away, however large its error
BESIDE_M: Final = 4.0  # who sees a camera would see another as near as this
MISSED: Final = 0.5  # chance that it is left out all the same; in truth less, but views are hidden

NEW_COST: Final = -2 * math.log(NEW_DENSITY)
MISS_COST: Final = -2 * math.log(MISSED)
WORTH: Final = 12.0  # what a later pair can gain over a new camera, about
HOPE: Final = 15.0  # an assignment that costs so much more than the best is given up
PLANE: Final = 2 * math.log(2 * math.pi)  # -2 ln of a two-dimensional Gaussian's constant


# A camera that a mark could show: bit, camera, its frame, offset (2), sum of both own covariances
# (3), cost of the kinds, variance of the frame's shift.
Option = tuple[int, Spot, Frame, float, float, float, float, float, float, float]
# An assignment of the first few marks: cost, the same without cameras left out, frame of its first
# camera, the record's error (2) and its covariance (3), the cameras, their bits, all bits in view.
Chosen = tuple[Spot | None, ...]
State = tuple[float, float, Frame | None, float, float, float, float, float, Chosen, int, int]
Step = tuple[float, float, State, Option | None]  # cost, the same without, and what it is made of


class View(msgspec.Struct, frozen=True):
    """What a record could show."""

    options: list[list[Option]]  # for each mark
    beside: dict[int, int]  # by the bit of a camera, those that are in view with it
    misses: dict[int, float]  # and what it costs to leave it out
    missed: dict[int, float]  # the same for several, as far as it was asked for


def match(record: Pass, candidates: Sequence[Spot]) -> tuple[list[Spot | None], float]:
    """For each mark of the record the camera it shows, None for a new one.

    And by how much the next best assignment costs more.
    """
    view = _view(record, candidates)
    choice: list[Spot | None] = [None] * len(record.marks)
    if not view.misses:
        return choice, HOPE
    beam: list[State] = [(0.0, 0.0, None, 0.0, 0.0, 0.0, 0.0, 0.0, (), 0, 0)]
    before = None
    left = len(record.order)
    steps: list[Step] = []
    for index in record.order:
        left -= 1
        drift = record.drift_m2(before, index) if before is not None else 0.0
        before = index
        steps = []
        for state in beam:
            _extend(state, view, index, record.variance, drift, left, steps)
        steps.sort(key=_cost)
        if left:
            worst = steps[0][0] + HOPE
            beam = [
                _taken(step, view, record.variance, drift)
                for step in steps[:BEAM]
                if step[0] <= worst
            ]
    _, _, state, option = steps[0]
    chosen = (*state[8], option[1] if option else None)
    for index, spot in zip(record.order, chosen, strict=True):
        choice[index] = spot
    return choice, min(HOPE, steps[1][0] - steps[0][0]) if len(steps) > 1 else HOPE


def _cost(step: Step) -> float:
    return step[0]


def _extend(  # noqa: PLR0917 - called for every state: keywords cost
    state: State,
    view: View,
    index: int,
    variance: float,
    drift: float,
    left: int,
    steps: list[Step],
) -> None:
    """Add to ``steps`` each way to assign one mark more, ``left`` being still to come."""
    cost, bare, frame, east, north, vee, ven, vnn, _, taken, known = state
    vee, vnn = vee + drift, vnn + drift
    alone = cost + NEW_COST
    steps.append((alone, bare + NEW_COST, state, None))
    limit = alone + WORTH * left
    base = 0.0 if frame is None else frame.loose_m2
    for option in view.options[index]:
        bit, _, there, de, dn, ee, en, nn, own, loose = option
        if bit & taken:
            continue
        if frame is there:
            ee, en, nn = ee + vee, en + ven, nn + vnn
        elif frame is None:
            ee, nn = ee + variance + loose, nn + variance + loose
        else:
            ee, en, nn = ee + vee + loose + base, en + ven, nn + vnn + loose + base
        re, rn = de - east, dn - north
        det = ee * nn - en * en
        plain = bare + own + math.log(det) + (nn * re * re - 2 * en * re * rn + ee * rn * rn) / det
        if plain < limit:
            out = (known | view.beside[bit]) & ~(taken | bit)
            missing = view.missed.get(out)
            if missing is None:
                missing = view.missed[out] = _sum_of(view.misses, out)
            if plain + missing < limit:
                steps.append((plain + missing, plain, state, option))


def _taken(step: Step, view: View, variance: float, drift: float) -> State:
    """The assignment with that mark: a Kalman update of the record's error."""
    cost, bare, state, option = step
    _, _, frame, east, north, vee, ven, vnn, chosen, taken, known = state
    vee, vnn = vee + drift, vnn + drift
    if option is None:
        return cost, bare, frame, east, north, vee, ven, vnn, (*chosen, None), taken, known
    bit, spot, there, de, dn, see, sen, snn, _, loose = option
    if frame is None:
        frame = there
        vee, ven, vnn = variance + loose, 0.0, variance + loose
    elif frame is not there:
        see, snn = see + loose + frame.loose_m2, snn + loose + frame.loose_m2
    wee, wen, wnn = inverse((see + vee, sen + ven, snn + vnn))
    re, rn = de - east, dn - north
    # Gain V (S + V)^-1; what is left is V less the gain times V.
    gee, gen = vee * wee + ven * wen, vee * wen + ven * wnn
    gne, gnn = ven * wee + vnn * wen, ven * wen + vnn * wnn
    east, north = east + gee * re + gen * rn, north + gne * re + gnn * rn
    left = (vee - gee * vee - gen * ven, ven - gee * ven - gen * vnn, vnn - gne * ven - gnn * vnn)
    known |= view.beside[bit]
    return cost, bare, frame, east, north, *left, (*chosen, spot), taken | bit, known


def _sum_of(misses: dict[int, float], bits: int) -> float:
    """What it costs to leave some cameras out."""
    total = 0.0
    while bits:
        low = bits & -bits
        total += misses[low]
        bits ^= low
    return total


def _view(record: Pass, candidates: Sequence[Spot]) -> View:
    """What a record could show, mark by mark."""
    ground = []
    wide = max(mark.covariance[0] + mark.covariance[2] for mark in record.marks)
    for spot in candidates:
        frame = spot.frame
        shift = frame.shift
        free = record.variance + frame.loose_m2
        ee, _, nn = spot.covariance
        reach2 = min(REACH_M * REACH_M, GATE_CHI2 * (2 * free + ee + nn + wide))
        ground.append((spot, frame, spot.east + shift[0], spot.north + shift[1], free, reach2))
    bits: dict[int, int] = {}
    options = [_options(mark, ground, bits) for mark in record.marks]
    seen = [(bits[spot.number], spot, e, n) for spot, _, e, n, *_ in ground if spot.number in bits]
    misses = {bit: MISS_COST * len(s.seen) / (len(s.seen) + 1) for bit, s, _, _ in seen}
    beside = dict.fromkeys(misses, 0)
    for bit, _, e, n in seen:
        for other, _, oe, on in seen:
            if -BESIDE_M < oe - e < BESIDE_M and -BESIDE_M < on - n < BESIDE_M:
                beside[bit] |= other
    return View(options, beside, misses, {0: 0.0})


def _options(
    mark: Mark,
    ground: Sequence[tuple[Spot, Frame, float, float, float, float]],
    bits: dict[int, int],
) -> list[Option]:
    """The cameras that a mark could show by itself; those new to ``bits`` get one."""
    found: list[Option] = []
    mee, men, mnn = mark.covariance
    for spot, frame, east, north, free, reach2 in ground:
        de, dn = mark.east - east, mark.north - north
        if de * de + dn * dn > reach2:
            continue
        ee, en, nn = spot.covariance
        ee, en, nn = mee + ee, men + en, mnn + nn
        fee, fnn = ee + free, nn + free
        if fnn * de * de - 2 * en * de * dn + fee * dn * dn > GATE_CHI2 * (fee * fnn - en * en):
            continue
        bit = bits.setdefault(spot.number, 1 << len(bits))
        own = PLANE + spot.kind_cost(mark)
        found.append((bit, spot, frame, de, dn, ee, en, nn, own, frame.loose_m2))
    return found


def bounds(record: Pass) -> tuple[float, float, float, float]:
    """West, east, south and north ends of where a record's cameras could be."""
    reach = min(REACH_M, math.sqrt(GATE_CHI2 * 2 * record.variance) + 5.0)
    easts, norths = [m.east for m in record.marks], [m.north for m in record.marks]
    return min(easts) - reach, max(easts) + reach, min(norths) - reach, max(norths) + reach
