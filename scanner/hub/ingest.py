"""Sealed payloads -> records in the database, or quarantine with the reason.

Nothing here trusts what came: any bytes may have been sent, by anyone. Keeping a record twice is
the same as keeping it once, so the broker may deliver as often as it likes.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from nacl.public import PrivateKey

from scanner.core.vicinity import variance_m2
from scanner.core.wire import Record, record_id
from scanner.errors import WireError
from scanner.hub.store import Store
from scanner.sealing import unseal

DAY_S: Final = 86_400
EARLIEST_DAY: Final = 20_089  # 2025-01-01: before it no scanner existed
CLOCK_SLACK_DAYS: Final = 1  # time zones and clocks of the hub itself
SIGMA_MAX_M: Final = 50.0  # a place known worse than this says nothing about a camera
SITE_MAX_M: Final = 60.0  # cameras of one record lie within 25 m; their errors may add


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch of payloads."""

    added: int
    repeated: int
    quarantined: int


def plausible(record: Record, today: int) -> str | None:
    """Why a record cannot be true, None if it can; ``today`` in days since 1970."""
    first_day = record.bucket * record.bucket_days
    if first_day > today + CLOCK_SLACK_DAYS:
        return "from the future"
    if first_day + record.bucket_days <= EARLIEST_DAY:
        return "from before there were scanners"
    if any(variance_m2(record, e) > SIGMA_MAX_M**2 for e in record.cameras):
        return "place too uncertain"
    if any(e.lat_e7 == 0 and e.lon_e7 == 0 for e in record.cameras):
        return "place is the zero of the coordinates"
    if _extent_m(record) > SITE_MAX_M:
        return "cameras of one site too far apart"
    return None


def _extent_m(record: Record) -> float:
    """Greatest distance of a camera from the record's first one, metres, on a sphere."""
    first = record.cameras[0]
    return max(_distance_m(first.lat_e7, first.lon_e7, e.lat_e7, e.lon_e7) for e in record.cameras)


def _distance_m(lat_a: int, lon_a: int, lat_b: int, lon_b: int) -> float:
    turn = abs(lon_a - lon_b) % 3_600_000_000
    east = math.radians(min(turn, 3_600_000_000 - turn) / 1e7) * math.cos(math.radians(lat_a / 1e7))
    return 6_371_000 * math.hypot(math.radians((lat_a - lat_b) / 1e7), east)


class Ingest:
    """Opens payloads and keeps them.

    ``clock`` gives seconds since 1970.
    """

    def __init__(self, store: Store, key: PrivateKey, clock: Callable[[], float]) -> None:
        self._store = store
        self._key = key
        self._clock = clock

    def take(self, payloads: Sequence[bytes]) -> Received:
        """Keep all payloads; on return they survive a power cut. Raises StoreError."""
        today = int(self._clock() // DAY_S)
        read = [(payload, self._read(payload, today)) for payload in payloads]
        added = repeated = quarantined = 0
        with self._store.transaction():
            for payload, result in read:
                if isinstance(result, str):
                    self._store.add_quarantine(record_id(payload), result, payload)
                    quarantined += 1
                elif self._store.add_report(record_id(payload), result):
                    added += 1
                else:
                    repeated += 1
        return Received(added=added, repeated=repeated, quarantined=quarantined)

    def _read(self, payload: bytes, today: int) -> Record | str:
        """The record, or the reason why it is none."""
        try:
            record = unseal(payload, self._key)
        except WireError as e:
            return e.message
        return plausible(record, today) or record
