"""Sealed payloads -> records in the database, or quarantine with the reason.

Nothing here trusts what came: any bytes may have been sent, by anyone. Keeping a record twice is
the same as keeping it once, so the broker may deliver as often as it likes.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from nacl.public import PrivateKey

from scanner.core.fusing.vicinity import variance_m2
from scanner.core.wire import Dummy, Record, record_id
from scanner.errors import WireError
from scanner.hub.cohorts import Accepted, Checker
from scanner.hub.keys import NO_EPOCH, KeyRing
from scanner.hub.stores.protocol import Store
from scanner.sealing import NotOurs, unseal

DAY_S: Final = 86_400
EARLIEST_DAY: Final = 20_089  # 2025-01-01: before it no scanner existed
CLOCK_SLACK_DAYS: Final = 1  # time zones and clocks of the hub itself
SIGMA_MAX_M: Final = 50.0  # a place known worse than this says nothing about a camera
TRACE_SURE_CM2: Final = 10_000_000  # with less, and
COMMON_SURE_CM: Final = 3_500  # with less than that, nothing is too uncertain
SITE_MAX_M: Final = 60.0  # cameras of one record lie within 25 m; their errors may add


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch of payloads."""

    added: int
    repeated: int
    quarantined: int
    dummies: int = 0  # nothing is kept of them


def plausible(record: Record, today: int) -> str | None:
    """Why a record cannot be true, None if it can; ``today`` in days since 1970."""
    first_day = record.bucket * record.bucket_days
    if first_day > today + CLOCK_SLACK_DAYS:
        return "from the future"
    if first_day + record.bucket_days <= EARLIEST_DAY:
        return "from before there were scanners"
    for e in record.cameras:
        # The trace is never less than the greatest variance, and cheap.
        sure = e.ee_cm2 + e.nn_cm2 <= TRACE_SURE_CM2 and record.common_sigma_cm <= COMMON_SURE_CM
        if not sure and variance_m2(record, e) > SIGMA_MAX_M**2:
            return "place too uncertain"
        if e.lat_e7 == 0 and e.lon_e7 == 0:
            return "place is the zero of the coordinates"
    if len(record.cameras) > 1 and _extent_m(record) > SITE_MAX_M:
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


NO_TOKEN: Final = "no cohort token"  # noqa: S105 - a reason
SPENT: Final = "cohort token was spent before"


class Ingest:
    """Opens payloads and keeps them.

    ``clock`` gives seconds since 1970. With ``checker`` a record may carry a cohort token, which
    is good for one record; one without a token is of no cohort, or is put aside if
    ``token_required``. Without ``checker`` tokens are not looked at. ``doubt`` says of a record and
    its cohort why it is not believed.
    """

    def __init__(
        self,
        store: Store,
        keys: PrivateKey | KeyRing,
        clock: Callable[[], float],
        *,
        checker: Checker | None = None,
        token_required: bool = False,
        doubt: Callable[[Record, str], str | None] | None = None,
    ) -> None:
        self._store = store
        self._doubt = doubt
        self._ring = keys if isinstance(keys, KeyRing) else KeyRing({NO_EPOCH: keys})
        self._clock = clock
        self._checker = checker
        self._token_required = token_required

    def take(self, payloads: Sequence[bytes]) -> Received:
        """Keep all payloads; on return they survive a power cut. Raises StoreError."""
        today = int(self._clock() // DAY_S)
        read = [(payload, self._read(payload, today)) for payload in payloads]
        added = repeated = quarantined = dummies = 0
        with self._store.transaction():
            for payload, result in read:
                if result is None:
                    dummies += 1
                    continue
                name = record_id(payload)
                reason = result if isinstance(result, str) else self._keep(name, *result)
                if reason:
                    self._store.add_quarantine(name, reason, payload)
                    quarantined += 1
                elif reason is None:
                    repeated += 1
                else:
                    added += 1
        return Received(added=added, repeated=repeated, quarantined=quarantined, dummies=dummies)

    def _read(self, payload: bytes, today: int) -> tuple[Record, Accepted | None] | str | None:
        """The record with its token, the reason why it cannot be used, None for a dummy."""
        try:
            record = unseal(payload, *self._ring.private.values())
        except Dummy:
            return None
        except NotOurs:
            return self._ring.unopened
        except WireError as e:
            return e.message
        return plausible(record, today) or self._token(record)

    def _token(self, record: Record) -> tuple[Record, Accepted | None] | str:
        # What is kept is the record without its token: the cohort's name is all that is needed.
        bare = msgspec.structs.replace(record, cohort=b"") if record.cohort else record
        if not record.cohort or not self._checker:
            return NO_TOKEN if self._token_required else (bare, None)
        accepted = self._checker.check(record)
        return accepted if isinstance(accepted, str) else (bare, accepted)

    def _keep(self, name: str, record: Record, token: Accepted | None) -> str | None:
        """Why the record is put aside, empty if it was added, None if it was there before."""
        if not token and not self._doubt:
            return "" if self._store.add_report(name, record) else None
        if self._store.has_report(name):
            return None
        if token and not self._store.spend(token.digest, token.month):
            return SPENT
        cohort = token.cohort if token else ""
        if self._doubt and (reason := self._doubt(record, cohort)):
            return reason
        self._store.add_report(name, record, cohort)
        return ""
