"""A scripted walk past poles: pictures, positions and the truth follow from geometry.

Each camera is a square of one colour on a black frame: red holds its kind, green its number. The
projection here is written down independently of ``scanner.core.geometry``.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from scanner.core.geometry import LensModel
from scanner.frame import Frame, Pixels
from scanner.records import Box, Detection, Kind, Position

WIDTH, HEIGHT, HFOV_DEG, PITCH_DEG, LENS_M = 1280, 720, 66.0, 8.0, 1.5
SPEED_MPS, RATE = 1.4, 4.0
ORIGIN = (55.752, 37.6175)
EARTH_M = 6_371_008.8
KINDS = [Kind.BULLET, Kind.DOME, Kind.PTZ, Kind.ALPR]


LENS = LensModel(
    width_px=WIDTH, height_px=HEIGHT, hfov_deg=HFOV_DEG, mount_pitch_deg=PITCH_DEG, height_m=LENS_M
)


@dataclass(frozen=True)
class Mounted:
    """A camera on a pole: east and north of the walk's start, height above ground, metres."""

    east_m: float
    north_m: float
    height_m: float
    kind: Kind
    size_m: float = 0.2


def place(east_m: float, north_m: float) -> tuple[float, float]:
    """Latitude, longitude on a locally fitted ellipsoid: independent of the code under test."""
    lat = math.radians(ORIGIN[0])
    # Lengths of a degree after the American Practical Navigator's series, metres.
    north = 111_132.954 - 559.822 * math.cos(2 * lat) + 1.175 * math.cos(4 * lat)
    east = 111_412.84 * math.cos(lat) - 93.5 * math.cos(3 * lat) + 0.118 * math.cos(5 * lat)
    return ORIGIN[0] + north_m / north, ORIGIN[1] + east_m / east


def frame_at(
    number: int, east_m: float, north_m: float, course_deg: float, mounted: Sequence[Mounted]
) -> Frame:
    """What a lens that looks along the course sees."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    focal = WIDTH / 2 / math.tan(math.radians(HFOV_DEG / 2))
    course, pitch = math.radians(course_deg), math.radians(PITCH_DEG)
    for index, camera in enumerate(mounted):
        east, north = camera.east_m - east_m, camera.north_m - north_m
        ahead = east * math.sin(course) + north * math.cos(course)
        right = east * math.cos(course) - north * math.sin(course)
        up = camera.height_m - LENS_M
        depth = ahead * math.cos(pitch) + up * math.sin(pitch)
        rise = up * math.cos(pitch) - ahead * math.sin(pitch)
        if depth < 1:
            continue
        x, y = WIDTH / 2 + focal * right / depth, HEIGHT / 2 - focal * rise / depth
        slant = math.hypot(ahead, right, up)
        # A ball's image: once the ray's length across, twice along it; a square of the same area.
        half = focal * camera.size_m / slant * (slant / depth) ** 1.5 / 2
        if half < 3 or not (half < x < WIDTH - half and half < y < HEIGHT - half):
            continue
        box = np.rint([x - half, y - half, x + half, y + half]).astype(int)
        pixels[box[1] : box[3], box[0] : box[2]] = (
            40 * (1 + KINDS.index(camera.kind)),
            index + 1,
            255,
        )
    return Frame(number, int(number / RATE * 1e9), pixels)


def read_colours(tile: Pixels) -> list[Detection]:
    """The scripted detector: a box around each colour."""
    found = []
    for index in np.flatnonzero(np.bincount(tile[..., 1].ravel(), minlength=256))[1:]:
        rows, columns = np.nonzero(tile[..., 1] == index)
        kind = KINDS[int(tile[rows[0], columns[0], 0]) // 40 - 1]
        box = Box(
            *(float(v) for v in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
        )
        found.append(Detection(box=box, score=0.9, kind=kind))
    return found


Path2D = Callable[[float], tuple[float, float, float]]


def straight_north(t_s: float) -> tuple[float, float, float]:
    """East, north, course after ``t_s`` seconds."""
    return 0.0, SPEED_MPS * t_s, 0.0


def round_a_corner(t_s: float) -> tuple[float, float, float]:
    """25 m north, then a quarter circle of 6 m to the right, then east."""
    way, bend = SPEED_MPS * t_s, 6 * math.pi / 2
    if way < 25:
        return 0.0, way, 0.0
    if way < 25 + bend:
        turn = (way - 25) / 6
        return 6 * (1 - math.cos(turn)), 25 + 6 * math.sin(turn), math.degrees(turn)
    return 6 + way - 25 - bend, 31.0, 90.0


def frames(path: Path2D, duration_s: float, mounted: Sequence[Mounted]) -> Iterator[Frame]:
    """The frames of a walk."""
    for number in range(int(duration_s * RATE)):
        east, north, course = path(number / RATE)
        yield frame_at(number, east, north, course, mounted)


def positions(
    path: Path2D, sigma_m: float = 0.5, start_utc_s: float = 1_780_000_000.0
) -> Callable[[int], Position]:
    """True positions of a walk, by time on the boot clock."""

    def position_at(at_ns: int) -> Position:
        east, north, course = path(at_ns / 1e9)
        lat, lon = place(east, north)
        return Position(
            at_ns=at_ns,
            lat_deg=lat,
            lon_deg=lon,
            sigma_m=sigma_m,
            course_deg=course,
            course_sigma_deg=2.0,
            utc_s=start_utc_s + at_ns / 1e9,
        )

    return position_at
