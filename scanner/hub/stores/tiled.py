"""What a vector tile is made of."""

import msgspec

from scanner.core.wire import Band


class TilePoint(msgspec.Struct, frozen=True, array_like=True):
    """A confirmed camera in the units of a vector tile; outside 0..4096 in the buffer."""

    x: int
    y: int
    id: str
    kind: int  # index into wire.KIND_CODES
    direction_deg: float | None
    month: str  # last seen
    confirmations: Band
    sigma_m: float = 0.0  # 1 sigma of the place, for the circle drawn round it


class Cluster(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Confirmed cameras counted together; the place is their mean in the units of the tile."""

    x: int
    y: int
    count: int
    kinds: tuple[int, ...]  # counts in the order of wire.KIND_CODES
