"""Which records could show the same cameras, so that only those are fused together."""

import math
from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from scanner.core.geometry import Origin
from scanner.core.wire import CameraEntry, Record

Floats = NDArray[np.float64]

STEP_E7: Final = 63_000  # side of a cell in latitude: 700 m
HALO_M: Final = 65.0  # round a cell: reach of a mark and extent of a record
METRES_PER_E7: Final = 0.0110  # of latitude, rounded down
TURN_E7: Final = 3_600_000_000

GATE_CHI2: Final = 13.8  # squared distance in sigmas within which cameras may be one: 99.9 %
FLOOR_M2: Final = 0.09  # no relative error is believed below 0.3 m


Cell = tuple[int, int]  # row from the south pole, column from the date line


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A record as the hub keeps it."""

    number: int  # order of arrival: only says which member names a camera
    record_id: str
    record: Record


def common_m2(record: Record) -> float:
    """Variance per axis of the error that all cameras of a record share."""
    return (record.common_sigma_cm / 100) ** 2


def relative(entry: CameraEntry) -> Floats:
    """Covariance (2, 2) of an entry's own error, square metres, east and north."""
    matrix = np.array([[entry.ee_cm2, entry.en_cm2], [entry.en_cm2, entry.nn_cm2]]) / 1e4
    return matrix + np.eye(2) * FLOOR_M2


def variance_m2(record: Record, entry: CameraEntry) -> float:
    """Greatest variance of an entry's place in any direction, shared part included."""
    mean = (entry.ee_cm2 + entry.nn_cm2) / 2
    swing = math.hypot((entry.ee_cm2 - entry.nn_cm2) / 2, entry.en_cm2)
    return (mean + swing) / 1e4 + FLOOR_M2 + common_m2(record)


# --- cells ----------------------------------------------------------------------------------------


def cell_of(record: Record) -> Cell:
    """The square of about 700 m that a record belongs to, by its first camera."""
    first = record.cameras[0]
    row = _row(first.lat_e7)
    return row, _column(row, first.lon_e7)


def cells_near(record: Record, within_m: float = HALO_M) -> set[Cell]:
    """The cells no farther from a record than that, its own included, and perhaps one more."""
    first = record.cameras[0]
    reach = math.ceil(within_m / METRES_PER_E7)
    found: set[Cell] = set()
    for row in range(_row(first.lat_e7 - reach), _row(first.lat_e7 + reach) + 1):
        wide = math.ceil(reach / _narrow(row))
        columns = _columns(row)
        west, east = _column(row, first.lon_e7 - wide), _column(row, first.lon_e7 + wide)
        span = (east - west) % columns if 2 * wide < TURN_E7 else columns - 1
        found |= {(row, (west + i) % columns) for i in range(span + 1)}
    return found


def middle_of(cell: Cell) -> Origin:
    """The middle of a cell."""
    row, column = cell
    lon_e7 = (column + 0.5) * TURN_E7 / _columns(row) - TURN_E7 / 2
    return Origin((row + 0.5) * STEP_E7 / 1e7 - 90, lon_e7 / 1e7)


def box_of(cells: Iterable[Cell], beyond_m: float = HALO_M) -> tuple[float, float, float, float]:
    """West, south, east, north of some cells that lie together and so far beyond, degrees.

    West lies east of east where the box spans the date line.
    """
    rows = sorted({row for row, _ in cells})
    reach = math.ceil(beyond_m / METRES_PER_E7)
    south = rows[0] * STEP_E7 - 900_000_000 - reach
    north = (rows[-1] + 1) * STEP_E7 - 900_000_000 + reach
    wide = math.ceil(reach / min(_narrow(rows[0]), _narrow(rows[-1])))
    start = next(iter(sorted(cells)))
    base = _west(start)
    offsets = [(_west(c) - base + TURN_E7 // 2) % TURN_E7 - TURN_E7 // 2 for c in cells]
    ends = [o + TURN_E7 // _columns(c[0]) + 1 for o, c in zip(offsets, cells, strict=True)]
    west, east = base + min(offsets) - wide, base + max(ends) + wide
    if east - west >= TURN_E7:
        return -180.0, south / 1e7, 180.0, north / 1e7
    half = TURN_E7 // 2
    west, east = ((edge + half) % TURN_E7 - half for edge in (west, east))
    return west / 1e7, south / 1e7, east / 1e7, north / 1e7


def _west(cell: Cell) -> int:
    return cell[1] * TURN_E7 // _columns(cell[0]) - TURN_E7 // 2


def _row(lat_e7: int) -> int:
    return min(max(0, lat_e7 + 900_000_000), 1_800_000_000 - 1) // STEP_E7


def _narrow(row: int) -> float:
    """How much narrower a degree of longitude is at a row's edge nearer to the pole."""
    edge = max(abs(row * STEP_E7 - 900_000_000), abs((row + 1) * STEP_E7 - 900_000_000)) / 1e7
    return max(1e-6, math.cos(math.radians(min(edge, 90.0))))


def _columns(row: int) -> int:
    return max(1, int(TURN_E7 * _narrow(row) / STEP_E7))


def _column(row: int, lon_e7: int) -> int:
    return (lon_e7 + TURN_E7 // 2) % TURN_E7 * _columns(row) // TURN_E7
