"""Places recognised without being kept: a fixed grid, keyed digests of its cells, a home block.

The grid is the same for everybody and everywhere: rows of equal height in latitude, columns of
equal width in longitude within each band of one degree of latitude (cells within 2 % of square up
to 60 degrees north or south; at the date line one or two of each row are narrower). Nothing here
draws at random or keeps a coordinate.
"""

import hashlib
import math
from typing import Annotated, Final

import msgspec
from msgspec import Meta

METRES_PER_DEGREE: Final = 111_195.0  # of latitude, on a sphere of 6,371,009 m
SEEN_CELL_M: Final = 12.0
SEEN_BITS: Final = 1 << 17
SAME_WALK_M: Final = 6.0  # between two places of one camera, passed twice on one walk
BLOCK_CELL_M: Final = 600.0
BLOCK_CODES: Final = 64
SECRET_BYTES: Final = 16

Cell = tuple[int, int]  # row, column


def _row(lat_deg: float, side_m: float) -> int:
    return math.floor(lat_deg * METRES_PER_DEGREE / side_m)


def _width_deg(row: int, side_m: float) -> float:
    """Width of a row's cells in degrees of longitude; the same for all rows of a band."""
    band = math.floor((row + 0.5) * side_m / METRES_PER_DEGREE)
    shrinking = max(0.01, math.cos(math.radians(band + 0.5)))
    return side_m / METRES_PER_DEGREE / shrinking


def _column(lon_deg: float, row: int, side_m: float, step: int = 0) -> int:
    """The column that holds a longitude, or so many columns to the east of it."""
    width_deg = _width_deg(row, side_m)
    count = math.ceil(360.0 / width_deg)
    first = -math.ceil(180.0 / width_deg)
    # East of the date line comes the first column again.
    return (math.floor(lon_deg / width_deg) + step - first) % count + first


def cell_of(lat_deg: float, lon_deg: float, side_m: float) -> Cell:
    """The cell of the public grid that holds a place."""
    row = _row(lat_deg, side_m)
    return row, _column(lon_deg, row, side_m)


def cells_around(lat_deg: float, lon_deg: float, side_m: float) -> list[Cell]:
    """The cell that holds a place and its eight neighbours."""
    middle = _row(lat_deg, side_m)
    rows = range(middle - 1, middle + 2)
    return [(r, _column(lon_deg, r, side_m, step)) for r in rows for step in (-1, 0, 1)]


def _digest(cell: Cell, secret: bytes) -> int:
    """32 bits of keyed BLAKE2b."""
    name = b"%d,%d" % cell
    return int.from_bytes(hashlib.blake2b(name, key=secret, digest_size=4).digest(), "big")


class Seen:
    """The places reported in one period: a Bloom filter of one keyed digest per 12 m cell.

    A place is recognised if the filter holds its cell or one of the eight around it. A second
    look that is up to 12 m off is recognised always, one that is 24 m off on both axes never; with
    4 m of GNSS error per axis in each look that is 97 % of second looks. What the walk itself has
    just reported is recognised by its true place, in memory until ``settle``: the cameras of one
    street are nearer to each other than any cell could tell apart.

    Who has the filter and its secret can test any place. A filter that is filled to a share ``f``
    answers yes to ``1 - (1 - f)^9`` of places never seen: 5 % with the random filling of a new
    period (``fresh_filter``), 12 % after 1,000 cameras. So a yes for one camera proves nothing, and
    that share of new cameras is wrongly kept back until the next period. A street in which most
    cameras answer yes was walked: the filter cannot hide that.
    """

    def __init__(self, secret: bytes, bits: bytes) -> None:
        self.secret = secret
        self._bits = bytearray(bits)
        self._before = bytearray(bits)
        self._here: list[tuple[float, float, float]] = []

    @property
    def bits(self) -> bytes:
        """The filter, SEEN_BITS / 8 bytes."""
        return bytes(self._bits)

    def has(self, lat_deg: float, lon_deg: float) -> bool:
        """Whether this place was reported on an earlier walk or on this one; rarely by chance."""
        if any(_apart_m((lat_deg, lon_deg), place) < SAME_WALK_M for place in self._here):
            return True
        cells = cells_around(lat_deg, lon_deg, SEEN_CELL_M)
        return any(self._is_set(_digest(cell, self.secret) % SEEN_BITS) for cell in cells)

    def add(self, lat_deg: float, lon_deg: float, at_s: float = 0.0) -> None:
        """Remember a place; ``at_s`` is any clock of the walk."""
        self._here.append((lat_deg, lon_deg, at_s))
        set_bit(self._bits, self._bit(lat_deg, lon_deg))

    def settle(self, before_s: float = math.inf) -> None:
        """What was added before this time is known by its cells only: one may come back to it."""
        for lat_deg, lon_deg, at_s in self._here:
            if at_s < before_s:
                set_bit(self._before, self._bit(lat_deg, lon_deg))
        self._here = [place for place in self._here if place[2] >= before_s]

    def _bit(self, lat_deg: float, lon_deg: float) -> int:
        return _digest(cell_of(lat_deg, lon_deg, SEEN_CELL_M), self.secret)

    def _is_set(self, index: int) -> bool:
        return bool(self._before[index >> 3] >> (index & 7) & 1)


def _apart_m(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Between two places (lat, lon, ...) of one street. No numpy: its threads outrun the wall."""
    turn = (a[1] - b[1] + 180.0) % 360.0 - 180.0
    east = turn * math.cos(math.radians(a[0]))
    return math.hypot(a[0] - b[0], east) * METRES_PER_DEGREE


def set_bit(bits: bytearray, number: int) -> None:
    """Set the bit of a filter that a number of any size falls on."""
    index = number % SEEN_BITS
    bits[index >> 3] |= 1 << (index & 7)


class Home(msgspec.Struct, frozen=True):
    """A block of 2 x 2 cells of 600 m, known by six bits of a keyed digest.

    Who has both can test every block of a town, and one in 64 answers yes: of the 2,800 blocks of a
    town of 1,000 km2 some 44, the true one among them. That is all a short digest can do, since a
    slow one would be through 2,800 blocks in minutes. The price: 6 % of the cells elsewhere lie in
    a block that answers yes too, and what is found there is kept back for good.
    """

    salt: Annotated[bytes, Meta(min_length=SECRET_BYTES, max_length=SECRET_BYTES)]
    code: int

    def covers(self, lat_deg: float, lon_deg: float) -> bool:
        """Whether a place lies in the block, or in one that cannot be told from it."""
        return any(_code(c, self.salt) == self.code for c in _blocks(lat_deg, lon_deg))


def home_block(lat_deg: float, lon_deg: float, *, salt: bytes, uniform: float) -> Home:
    """One of the four blocks that hold a home; ``uniform`` in [0, 1) says which.

    Drawn once and kept: blocks drawn again and again would have only the home in common.
    """
    return Home(salt, _code(_blocks(lat_deg, lon_deg)[int(uniform * 4)], salt))


def _blocks(lat_deg: float, lon_deg: float) -> list[Cell]:
    """South-west cells of the four blocks that hold a place.

    Columns are counted in the block's lower row, so that a block keeps its shape where two bands
    of the grid meet.
    """
    row = _row(lat_deg, BLOCK_CELL_M)
    return [
        (r, _column(lon_deg, r, BLOCK_CELL_M, step)) for r in (row, row - 1) for step in (0, -1)
    ]


def _code(block: Cell, salt: bytes) -> int:
    return _digest(block, salt) % BLOCK_CODES
