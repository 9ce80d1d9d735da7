"""A simulated city of cameras at the spacing found in streets, and the passes through it.

What fusion is measured with. Truth travels beside every record, so that it can be judged which
sightings were taken for one camera. Real layouts can be passed by stops instead of by streets.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
from msgspec.structs import replace

from scanner.core import privacy
from scanner.core.geometry import Origin
from scanner.core.sites import group
from scanner.core.wire import Record
from scanner.records import Covariance, Kind, Sighting, Withheld
from scanner.simulated.walks import (
    GNSS_CORRELATION_S,
    KIND_RIGHT,
    KINDS,
    SPEED_MPS,
    Array,
    Errors,
    TownCamera,
    sighting,
    streets,
    visit_known,
)

FALSE: Final = -1  # the truth of a false alarm
DAY_S: Final = 86_400
START_UTC_S: Final = 1_780_000_000  # any time after 2025
KIND_SHARES: Final = (0.50, 0.36, 0.07, 0.07)  # of KINDS, about as OpenStreetMap has them


class Seen(msgspec.Struct, frozen=True):
    """One record and the numbers of the cameras that it shows, FALSE for a false alarm."""

    record: Record
    truth: tuple[int, ...]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a city is built and passed.

    Single cameras and facades with several, on both sides of straight streets. Every pass of a
    street is by one of ``volunteers``, each with an accuracy of their own; the error of their track
    wanders (first-order Gauss-Markov, 60 s). Stated errors are off by a log-normal factor.
    """

    cameras: int = 20_000
    passes: int = 6
    street_m: float = 100.0
    cameras_per_street: float = 5.0
    facades: float = 0.35  # share of the places with 2 to 6 cameras
    facade_sigma_m: float = 0.8  # along the facade
    kerb_m: tuple[float, float] = (4.0, 9.0)  # between the way walked and a place
    volunteers: int = 20
    gnss_m: tuple[float, float] = (3.0, 8.0)  # of a volunteer, 1 sigma per axis
    shared_m: float = 0.0  # 1 sigma of an error that every pass of a street makes alike
    detected: float = 0.75
    false_share: float = 0.05  # of all sightings
    misstated: float = 0.25  # log-normal sigma of the factor between true and stated errors


class Street(msgspec.Struct, frozen=True):
    """A straight way and the cameras along it."""

    start: Array  # east, north
    axis: Array  # direction of the way
    cameras: tuple[int, ...]


class City(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything is."""

    origin: Origin
    places: Array  # (cameras, 2), east and north
    kinds: tuple[Kind, ...]
    heights_m: Array
    streets: tuple[Street, ...]

    def town(self) -> list[TownCamera]:
        """The cameras alone."""
        return [
            TownCamera(lat_deg=lat, lon_deg=lon, kind=kind, height_m=float(height))
            for (lat, lon), kind, height in zip(
                (self.origin.geodetic_from_enu(*map(float, p)) for p in self.places),
                self.kinds,
                self.heights_m,
                strict=True,
            )
        ]


def build(rng: np.random.Generator, plan: Plan, origin: Origin) -> City:
    """A square city of as many cameras as planned."""
    blocks = max(1, round(math.sqrt(plan.cameras / plan.cameras_per_street / 2)))
    corners = [(x, y, way) for x in range(blocks) for y in range(blocks) for way in (0, 1)]
    homes: list[list[int]] = [[] for _ in corners]
    places: list[Array] = []
    while len(places) < plan.cameras:
        number = int(rng.integers(len(corners)))
        start, axis = _line(corners[number], plan)
        across = np.array([axis[1], -axis[0]])
        middle = (
            start
            + axis * rng.uniform(0, plan.street_m)
            + across * rng.choice([-1, 1]) * rng.uniform(*plan.kerb_m)
        )
        several = rng.random() < plan.facades
        for _ in range(int(rng.integers(2, 7)) if several else 1):
            if len(places) < plan.cameras:
                homes[number].append(len(places))
                places.append(middle + axis * rng.normal(0, plan.facade_sigma_m) * several)
    return City(
        origin=origin,
        places=np.array(places),
        kinds=tuple(KINDS[i] for i in rng.choice(len(KINDS), len(places), p=KIND_SHARES)),
        heights_m=np.clip(rng.normal(3.8, 0.8, len(places)), 2.4, 7.0),
        streets=tuple(
            Street(*_line(corner, plan), tuple(home))
            for corner, home in zip(corners, homes, strict=True)
            if home
        ),
    )


def _line(corner: tuple[int, int, int], plan: Plan) -> tuple[Array, Array]:
    x, y, way = corner
    axis = np.array([1.0, 0.0]) if way else np.array([0.0, 1.0])
    return np.array([x, y]) * plan.street_m, axis


def passes(rng: np.random.Generator, city: City, plan: Plan) -> Iterator[Seen]:
    """The records of all passes, street by street, the passes a day apart."""
    # Evenly over the range: by chance, cities would differ in nothing else as much.
    accuracies = np.linspace(*plan.gnss_m, plan.volunteers)
    shared = rng.normal(0, plan.shared_m, (len(city.streets), 2))
    for number in range(plan.passes):
        for street, offset in zip(city.streets, shared, strict=True):
            gnss_m = float(accuracies[rng.integers(plan.volunteers)])
            yield from _along(rng, city, plan, street, gnss_m, offset, number)


def _along(  # noqa: PLR0917 - one street, one walk
    rng: np.random.Generator,
    city: City,
    plan: Plan,
    street: Street,
    gnss_m: float,
    offset: Array,
    day: int,
) -> Iterator[Seen]:
    """What one walk along one street reports."""
    axis = street.axis
    across = np.array([axis[1], -axis[0]])
    way = street.start + across * rng.uniform(-1, 1)
    errors = Errors(gnss_m=gnss_m)
    found = [(i, city.places[i], city.kinds[i]) for i in street.cameras]
    found = [item for item in found if rng.random() < plan.detected]
    false = rng.poisson(len(found) * plan.false_share / (1 - plan.false_share))
    for _ in range(false):
        aside = across * rng.choice([-1, 1]) * rng.uniform(*plan.kerb_m)
        place = street.start + axis * rng.uniform(0, plan.street_m) + aside
        found.append((FALSE, place, KINDS[rng.integers(len(KINDS))]))
    found.sort(key=lambda item: float((item[1] - way) @ axis))
    walked = [float((place - way) @ axis) for _, place, _ in found]
    biases = _wander(rng, walked, gnss_m)
    sightings: list[Sighting] = []
    told = gnss_m * math.exp(rng.normal(0, plan.misstated))
    for number, (camera, place, kind) in enumerate(found):
        distance_m = max(2.0, abs(float((place - way) @ across)))
        there = place + biases[number] + offset
        raw = sighting(rng, city.origin, there, (axis, across), distance_m, errors)
        sightings.append(_stated(rng, plan, raw, told, _named(rng, kind), number))
        if camera != FALSE:
            height_m = float(city.heights_m[camera] + rng.normal(0, 0.4))
            sightings[-1] = replace(sightings[-1], height_m=max(0.5, round(height_m, 1)))
    for site in group(sightings):
        yield _sealed(site, [found[s.frames[0]][0] for s in site], day)


def _wander(rng: np.random.Generator, walked_m: Sequence[float], sigma_m: float) -> list[Array]:
    """The track's error abeam of each place, in order of the way."""
    biases: list[Array] = []
    for i, here in enumerate(walked_m):
        keep = math.exp((walked_m[i - 1] - here) / SPEED_MPS / GNSS_CORRELATION_S) if i else 0.0
        step = rng.normal(0, sigma_m * math.sqrt(max(0.0, 1 - keep**2)), 2)
        biases.append(step + keep * biases[-1] if i else step)
    return biases


def _named(rng: np.random.Generator, kind: Kind) -> Kind:
    """The kind as the detector tells it: rightly, or any other."""
    if rng.random() < KIND_RIGHT:
        return kind
    others = [other for other in KINDS if other is not kind]
    return others[rng.integers(len(others))]


def _stated(  # noqa: PLR0917 - one sighting
    rng: np.random.Generator, plan: Plan, raw: Sighting, told_m: float, kind: Kind, number: int
) -> Sighting:
    """A sighting as its scanner states it: the errors only about right."""
    scale = math.exp(2 * rng.normal(0, plan.misstated))
    true = raw.relative
    return replace(
        raw,
        kind=kind,
        relative=Covariance(true.ee * scale, true.en * scale, true.nn * scale),
        common_sigma_m=told_m,
        frames=(number,) * raw.views,
    )


def _sealed(site: Sequence[Sighting], truth: Sequence[int], day: int) -> Seen:
    """A site as a record, its cameras in the order of the record."""
    utc_s = START_UTC_S + day * DAY_S
    numbered = [
        replace(s, score=0.5, frames=(t,) * s.views) for s, t in zip(site, truth, strict=True)
    ]
    ordered = sorted(numbered, key=_place_e7)
    record = privacy.decide(ordered, privacy.OPEN, utc_s=utc_s, model="simulated")
    if isinstance(record, Withheld):
        raise TypeError(record.reason)
    return Seen(record, tuple(s.frames[0] for s in ordered))


def _place_e7(sighting: Sighting) -> tuple[int, int]:
    return round(sighting.lat_deg * 1e7), round(sighting.lon_deg * 1e7)


def walks(
    rng: np.random.Generator, town: Sequence[TownCamera], errors: Errors, number: int
) -> Iterator[Seen]:
    """Passes through a layout as ``hub simulate`` makes them, street by street."""
    order = {id(camera): i for i, camera in enumerate(town)}
    for day in range(number):
        for cameras in streets(town):
            for site, indices in visit_known(rng, cameras, errors):
                truth = [FALSE if i is None else order[id(cameras[i])] for i in indices]
                yield _sealed(site, truth, day)


class Stops(msgspec.Struct, frozen=True, kw_only=True):
    """Passes by stops: each shows the cameras in reach with one error of the track for all."""

    passes: int = 4
    reach_m: float = 40.0
    detected: float = 0.6
    gnss_m: float = 3.0
    ranging_m: float = 2.0  # 1 sigma per axis of a camera's own error
    kinds: bool = True  # whether kinds are told at all


def stops(rng: np.random.Generator, town: Sequence[TownCamera], plan: Stops) -> Iterator[Seen]:
    """The records of all stops of all passes; each camera is in reach of one stop of a pass."""
    origin = Origin(town[0].lat_deg, town[0].lon_deg)
    places = np.array([origin.enu_from_geodetic(c.lat_deg, c.lon_deg) for c in town])
    for day in range(plan.passes):
        left = np.ones(len(town), dtype=bool)
        for centre in rng.permutation(len(town)):
            if not left[centre]:
                continue
            apart = np.hypot(*(places - places[centre]).T)
            here = np.flatnonzero(left & (apart <= plan.reach_m))
            left[here] = False
            seen = [int(i) for i in here if rng.random() < plan.detected]
            bias = rng.normal(0, plan.gnss_m, 2)
            sites = group([_ranged(rng, origin, town[i], places[i] + bias, plan, i) for i in seen])
            for site in sites:
                yield _sealed(site, [s.frames[0] for s in site], day)


def _ranged(  # noqa: PLR0917 - one camera, one stop
    rng: np.random.Generator,
    origin: Origin,
    camera: TownCamera,
    place: Array,
    plan: Stops,
    number: int,
) -> Sighting:
    lat, lon = origin.geodetic_from_enu(*map(float, place + rng.normal(0, plan.ranging_m, 2)))
    return Sighting(
        kind=_named(rng, camera.kind) if plan.kinds else Kind.UNKNOWN,
        score=0.7,
        lat_deg=lat,
        lon_deg=lon,
        relative=Covariance(plan.ranging_m**2, 0.0, plan.ranging_m**2),
        common_sigma_m=plan.gnss_m,
        height_m=None,
        frames=(number,) * 8,
        at_ns=0,
    )
