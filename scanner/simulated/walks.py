"""Simulated volunteers: towns of cameras, walks past them, what a scanner makes of it.

One simulator for location, fusion, privacy and load. All randomness comes from the generator that
is passed in. ``walk_past`` gives glimpses, to be located; ``visit`` skips pixels and location and
draws sightings with the errors that located tracks were measured to have, for towns of thousands.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from scanner.core import locate as model
from scanner.core.geometry import LensModel, Origin
from scanner.core.sites import group
from scanner.core.tracking import glimpse
from scanner.records import Box, Covariance, Detection, Glimpse, Kind, Pose, Sighting, Track

Array = NDArray[np.float64]
KINDS: Final = (Kind.BULLET, Kind.DOME, Kind.PTZ, Kind.ALPR)

SPEED_MPS: Final = 1.4
FAR_M: Final = 25.0  # from where on a camera can be made out
GNSS_CORRELATION_S: Final = 60.0
STREET_M: Final = 60.0  # cameras within one square of this side are passed in one go
OFFSET_M: Final = (4.0, 9.0)  # between the way walked and the row of cameras
# Errors of a located track per metre of distance to the way, along it and across it: what
# tests/benchmarks/location.py prints for perfect GNSS, lens of 102 degrees.
ALONG_PER_M: Final = 0.16
ACROSS_PER_M: Final = 0.14
HUNG_M: Final = 4.0  # half of the cameras hang lower: over doors; some as high as lamp posts
HUNG_SIGMA: Final = 0.4  # natural logarithm
HUNG_BETWEEN_M: Final = (2.2, 14.0)
LEAST_SIGMA_M: Final = 0.4
KIND_RIGHT: Final = 0.8  # share of cameras whose kind is told rightly


class TownCamera(msgspec.Struct, frozen=True, kw_only=True):
    """A camera of a simulated town."""

    lat_deg: float
    lon_deg: float
    kind: Kind
    height_m: float = 3.8


class Errors(msgspec.Struct, frozen=True, kw_only=True):
    """What goes wrong on a simulated walk."""

    gnss_m: float = 4.0  # 1 sigma per axis, correlated over a minute
    heading_deg: float = 5.0  # of which 0.6 is a bias
    sway_deg: float = model.SWAY_SIGMA_DEG
    detected: float = 0.75  # share of the cameras in reach that give a track
    false_per_site: float = 0.05


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A straight walk past one camera."""

    offset_m: float  # of the camera, to the right of the way
    hfov_deg: float
    errors: Errors
    rate: float = 2.0  # detections per second
    lens_height_m: float = 1.5
    pitch_deg: float = 8.0
    hung_m: float | None = None  # how high the camera hangs; None: as they do


def wander(
    rng: np.random.Generator, count: int, sigma: float, tau_s: float, step_s: float
) -> Array:
    """First-order Gauss-Markov sequence of length ``count``."""
    keep = math.exp(-step_s / tau_s)
    values = np.empty(count)
    values[0] = rng.normal(0, sigma)
    for i in range(1, count):
        values[i] = keep * values[i - 1] + rng.normal(0, sigma * math.sqrt(1 - keep**2))
    return values


def hung_m(rng: np.random.Generator) -> float:
    """How high a camera hangs above ground, metres."""
    return float(np.clip(rng.lognormal(math.log(HUNG_M), HUNG_SIGMA), *HUNG_BETWEEN_M))


def walk_past(rng: np.random.Generator, setting: Setting, origin: Origin) -> Track:
    """Track of a dome that hangs ``offset_m`` east of ``origin``, seen on a walk due north."""
    errors, step_s = setting.errors, 1 / setting.rate
    lens = LensModel(
        width_px=1280,
        height_px=720,
        hfov_deg=setting.hfov_deg,
        mount_pitch_deg=setting.pitch_deg,
        height_m=setting.lens_height_m,
    )
    up = (setting.hung_m or hung_m(rng)) - setting.lens_height_m
    size = model.HEAD_SIZE_M[Kind.DOME] * math.exp(rng.normal(0, model.SIZE_SIGMA))
    count = int(FAR_M / SPEED_MPS * setting.rate) + 1
    east = wander(rng, count, errors.gnss_m, GNSS_CORRELATION_S, step_s)
    north = wander(rng, count, errors.gnss_m, GNSS_CORRELATION_S, step_s)
    share = model.HEADING_BIAS_SHARE
    heading = rng.normal(0, share * errors.heading_deg) + wander(
        rng, count, math.sqrt(1 - share**2) * errors.heading_deg, model.HEADING_WANDER_S, step_s
    )
    pitch = rng.normal(0, model.PITCH_BIAS_SIGMA_DEG)
    glimpses: list[Glimpse] = []
    for number in range(count):
        ahead = FAR_M - SPEED_MPS * number * step_s
        azimuth = math.degrees(math.atan2(setting.offset_m, ahead))
        if azimuth > setting.hfov_deg / 2 - 1:
            break
        ground = math.hypot(setting.offset_m, ahead)
        lat, lon = origin.geodetic_from_enu(east[number], north[number] - ahead)
        pose = Pose(
            at_ns=int(number * step_s * 1e9),
            lat_deg=lat,
            lon_deg=lon,
            sigma_m=errors.gnss_m,
            heading_deg=0.0,
            heading_sigma_deg=errors.heading_deg,
            pitch_deg=setting.pitch_deg,
            height_m=setting.lens_height_m,
        )
        seen = glimpse(
            Detection(box=Box(0, 0, 40, 40), score=0.8, kind=Kind.DOME), pose, lens, number
        )
        elevation = math.degrees(math.atan2(up, ground)) + pitch
        angle = size / math.hypot(ground, up) * math.exp(rng.normal(0, model.GLIMPSE_SIZE_SIGMA))
        glimpses.append(
            replace(
                seen,
                azimuth_deg=azimuth + heading[number] + rng.normal(0, errors.sway_deg),
                elevation_deg=elevation + rng.normal(0, errors.sway_deg),
                size_deg=math.degrees(angle),
            )
        )
    return Track(number=0, glimpses=tuple(glimpses))


def streets(town: Sequence[TownCamera]) -> list[list[TownCamera]]:
    """The cameras that one walk passes together: those of one square of 60 m."""
    if not town:
        return []
    origin = Origin(town[0].lat_deg, town[0].lon_deg)
    squares: dict[tuple[int, int], list[TownCamera]] = {}
    for camera in town:
        east, north = origin.enu_from_geodetic(camera.lat_deg, camera.lon_deg)
        cell = math.floor(east / STREET_M), math.floor(north / STREET_M)
        squares.setdefault(cell, []).append(camera)
    return [squares[cell] for cell in sorted(squares)]


def visit(
    rng: np.random.Generator, cameras: Sequence[TownCamera], errors: Errors
) -> Iterator[tuple[Sighting, ...]]:
    """Sites that one walk past these cameras reports."""
    for site, _ in visit_known(rng, cameras, errors):
        yield site


def visit_known(
    rng: np.random.Generator, cameras: Sequence[TownCamera], errors: Errors
) -> Iterator[tuple[tuple[Sighting, ...], tuple[int | None, ...]]]:
    """The same, with the index of the camera that each sighting shows; None for a false alarm."""
    origin = Origin(cameras[0].lat_deg, cameras[0].lon_deg)
    places = np.array([origin.enu_from_geodetic(c.lat_deg, c.lon_deg) for c in cameras])
    along = rng.uniform(0, math.pi)
    axis = np.array([math.sin(along), math.cos(along)])
    across = np.array([axis[1], -axis[0]])
    way = places.mean(axis=0) + across * rng.choice([-1, 1]) * rng.uniform(*OFFSET_M)
    bias = rng.normal(0, errors.gnss_m, 2)
    sightings: list[Sighting] = []
    shown: list[int | None] = []
    for index, (camera, place) in enumerate(zip(cameras, places, strict=True)):
        if rng.random() < errors.detected:
            kind = camera.kind if rng.random() < KIND_RIGHT else KINDS[rng.integers(len(KINDS))]
            distance_m = abs(float((place - way) @ across))
            found = sighting(rng, origin, place + bias, (axis, across), distance_m, errors)
            sightings.append(replace(found, kind=kind, height_m=camera.height_m))
            shown.append(index)
    for _ in range(rng.poisson(errors.false_per_site)):
        place = places.mean(axis=0) + rng.uniform(-20, 20, 2)
        sightings.append(sighting(rng, origin, place + bias, (axis, across), 6.0, errors))
        shown.append(None)
    for site in group([replace(s, frames=(i,) * s.views) for i, s in enumerate(sightings)]):
        yield site, tuple(shown[s.first_frame] for s in site)


def sighting(  # noqa: PLR0917 - one place, one frame
    rng: np.random.Generator,
    origin: Origin,
    place: Array,
    axes: tuple[Array, Array],
    distance_m: float,
    errors: Errors,
) -> Sighting:
    """A sighting of unknown kind at a place (east, north), with errors along and across the way."""
    sigma_along = max(LEAST_SIGMA_M, ALONG_PER_M * distance_m)
    sigma_across = max(LEAST_SIGMA_M, ACROSS_PER_M * distance_m)
    axis, across = axes
    seen = place + axis * rng.normal(0, sigma_along) + across * rng.normal(0, sigma_across)
    matrix = np.outer(axis, axis) * sigma_along**2 + np.outer(across, across) * sigma_across**2
    lat, lon = origin.geodetic_from_enu(float(seen[0]), float(seen[1]))
    return Sighting(
        kind=KINDS[rng.integers(len(KINDS))],
        score=float(rng.uniform(0.5, 0.95)),
        lat_deg=lat,
        lon_deg=lon,
        relative=Covariance(float(matrix[0, 0]), float(matrix[0, 1]), float(matrix[1, 1])),
        common_sigma_m=errors.gnss_m,
        height_m=None,
        frames=(0,) * int(rng.integers(4, 30)),
        at_ns=0,
    )
