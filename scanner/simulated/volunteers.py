"""Simulated volunteers over weeks: where they live, how they walk, what they find on their way.

The part of the simulator that privacy is measured with. The errors of a find are those of
``scanner.simulated.walks``; what is done with it is left to the real policies.
"""

import math
from typing import Final

import msgspec
import numpy as np
from msgspec.structs import replace

from scanner.core.geometry import Origin
from scanner.core.sites import group
from scanner.records import Sighting
from scanner.simulated.walks import GNSS_CORRELATION_S, SPEED_MPS, Array, Errors, sighting

EVEN: Final = 0.5


class Town(msgspec.Struct, frozen=True, kw_only=True):
    """A square town of straight streets and how its volunteers live.

    They live on its streets and on most days walk some way from home and back by other streets.
    """

    side_m: float = 4000.0
    block_m: float = 100.0
    cameras_per_km: float = 6.0
    volunteers: int = 20
    days: int = 28
    walks_a_day: float = 0.6
    way_m: tuple[float, float] = (3000.0, 7000.0)
    hours: tuple[float, float] = (9.0, 20.0)
    margin_m: float = 250.0  # nobody lives nearer to the edge
    kerb_m: float = 6.0  # between the way walked and the cameras
    errors: Errors = Errors(detected=0.6)
    receivers_m: tuple[float, ...] = (1.5, 3.0, 5.0, 8.0)  # errors of those that people carry
    skies: float = 0.3  # how much those differ from place to place, as a share


class Find(msgspec.Struct, frozen=True):
    """A site as one walk found it."""

    at_s: float  # after the start of the walk
    site: tuple[Sighting, ...]


class Outing(msgspec.Struct, frozen=True, kw_only=True):
    """One walk of one volunteer."""

    volunteer: int
    start_s: float  # after the start of the first day
    lasts_s: float
    finds: tuple[Find, ...]


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in a town."""

    origin: Origin
    homes_m: Array  # (volunteers, 2), east and north
    cameras_m: Array  # (cameras, 2)
    outings: tuple[Outing, ...]  # in order of time


Corner = tuple[int, int]
Street = tuple[Corner, Corner]  # from one corner to the next, the lesser one first


def live(rng: np.random.Generator, town: Town, origin: Origin) -> Month:
    """Let the volunteers of a new town live and walk."""
    cameras, on_street = _hang(rng, town)
    homes = [_settle(rng, town) for _ in range(town.volunteers)]
    receivers = rng.choice(town.receivers_m, town.volunteers)
    carried = [
        replace(town, errors=replace(town.errors, gnss_m=float(error_m))) for error_m in receivers
    ]
    outings = []
    for day in range(town.days):
        for volunteer, (_, street) in enumerate(homes):
            if rng.random() < town.walks_a_day:
                start_s = day * 86_400 + 3600 * rng.uniform(*town.hours)
                way = _ramble(rng, town, street)
                passed = [on_street.get(s, []) for s in way]
                finds = _look(rng, carried[volunteer], passed, cameras, origin)
                outings.append(
                    Outing(
                        volunteer=volunteer,
                        start_s=start_s,
                        lasts_s=len(way) * town.block_m / SPEED_MPS,
                        finds=finds,
                    )
                )
    return Month(
        origin=origin,
        homes_m=np.array([place for place, _ in homes]),
        cameras_m=cameras,
        outings=tuple(sorted(outings, key=lambda o: o.start_s)),
    )


def _hang(rng: np.random.Generator, town: Town) -> tuple[Array, dict[Street, list[int]]]:
    """Cameras on both sides of all streets, and which hang on which."""
    blocks = round(town.side_m / town.block_m)
    places: list[tuple[float, float]] = []
    on_street: dict[Street, list[int]] = {}
    for line in range(blocks + 1):
        for northward in (False, True):
            for along in rng.uniform(
                0, town.side_m, rng.poisson(town.cameras_per_km * town.side_m / 1000)
            ):
                aside = line * town.block_m + rng.choice([-1, 1]) * town.kerb_m
                step = min(blocks - 1, int(along / town.block_m))
                street = ((step, line), (step + 1, line))
                place = (along, aside)
                if northward:
                    street = ((line, step), (line, step + 1))
                    place = (aside, along)
                on_street.setdefault(street, []).append(len(places))
                places.append(place)
    return np.array(places), on_street


def _settle(rng: np.random.Generator, town: Town) -> tuple[Array, Street]:
    """A home and its street."""
    low, high = town.margin_m, town.side_m - town.margin_m
    along = rng.uniform(low, high)
    line = int(rng.integers(math.ceil(low / town.block_m), int(high / town.block_m) + 1))
    step = int(along / town.block_m)
    if rng.random() < EVEN:
        return np.array([line * town.block_m, along]), ((line, step), (line, step + 1))
    return np.array([along, line * town.block_m]), ((step, line), (step + 1, line))


def _ramble(rng: np.random.Generator, town: Town, home: Street) -> list[Street]:
    """The streets of a walk from home to some corner and back another way."""
    blocks = round(town.side_m / town.block_m)
    while True:
        steps = int(rng.uniform(*town.way_m) / town.block_m / 2)
        east = int(rng.integers(-steps, steps + 1))
        north = int(rng.choice([-1, 1])) * (steps - abs(east))
        goal = home[0][0] + east, home[0][1] + north
        if 0 <= goal[0] <= blocks and 0 <= goal[1] <= blocks:
            break
    out = _wind(rng, home[int(rng.integers(2))], goal)
    back = _wind(rng, goal, home[int(rng.integers(2))])
    return [home, *out, *back, home]


def _wind(rng: np.random.Generator, start: Corner, goal: Corner) -> list[Street]:
    """A shortest way, its turns at random."""
    east, north = goal[0] - start[0], goal[1] - start[1]
    moves = [(int(math.copysign(1, east)), 0)] * abs(east)
    moves += [(0, int(math.copysign(1, north)))] * abs(north)
    streets, here = [], start
    for i in rng.permutation(len(moves)):
        there = here[0] + moves[i][0], here[1] + moves[i][1]
        streets.append((min(here, there), max(here, there)))
        here = there
    return streets


def _look(
    rng: np.random.Generator, town: Town, way: list[list[int]], cameras: Array, origin: Origin
) -> tuple[Find, ...]:
    """The sites found on a way, street by street."""
    errors, pace_s = town.errors, town.block_m / SPEED_MPS
    keep = math.exp(-pace_s / GNSS_CORRELATION_S)
    bias = rng.normal(0, errors.gnss_m, 2)
    axes = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    finds: list[Find] = []
    for number, passed in enumerate(way):
        bias = keep * bias + rng.normal(0, errors.gnss_m * math.sqrt(1 - keep**2), 2)
        at_s = (number + 0.5) * pace_s
        told_m = errors.gnss_m * math.exp(town.skies * rng.normal())
        seen = [
            sighting(rng, origin, cameras[i] + bias, axes, town.kerb_m, errors)
            for i in passed
            if rng.random() < errors.detected
        ]
        seen = [
            replace(s, frames=(n,) * s.views, at_ns=int(at_s * 1e9), common_sigma_m=told_m)
            for n, s in enumerate(seen)
        ]
        finds += [Find(at_s, site) for site in group(seen)]
    return tuple(finds)
