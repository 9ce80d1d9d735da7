"""Sealed payloads -> records in the database, or quarantine with the reason.

Nothing here trusts what came: any bytes may have been sent, by anyone. Keeping a record twice is
the same as keeping it once, so the broker may deliver as often as it likes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from nacl.public import PrivateKey

from scanner.core.fusing.vicinity import variance_m2
from scanner.core.wire import Dummy, Record, record_id
from scanner.errors import StoreError, WireError
from scanner.hub.cohorts import Accepted, Checker
from scanner.hub.keys import NO_EPOCH, KeyRing
from scanner.hub.stores.protocol import Store
from scanner.sealing import NotOurs, unseal

DAY_S: Final = 86_400
EARLIEST_DAY: Final = 20_089  # 2025-01-01: before it no scanner existed
CLOCK_SLACK_DAYS: Final = 1  # time zones and clocks of the hub itself
FARTHEST_E7: Final = 890_000_000  # from the equator; plane maps of a place end there
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
        if (e.lat_e7 == 0 and e.lon_e7 == 0) or abs(e.lat_e7) > FARTHEST_E7:
            return f"place is {'at a pole' if e.lat_e7 else 'the zero of the coordinates'}"
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


class _Good(NamedTuple):
    """A record that could be read."""

    payload: bytes
    record: Record
    token: Accepted | None

    @property
    def cohort(self) -> str:
        """Whose token it carries, empty for none."""
        return self.token.cohort if self.token else ""


# Of records and their cohorts, "" for none: why each is not believed, None if it is.
Doubt = Callable[[Sequence[tuple[Record, str]]], list[str | None]]


class Ingest:
    """Opens payloads and keeps them.

    ``clock`` gives seconds since 1970. With ``checker`` a record may carry a cohort token, which
    is good for one record; one without a token is of no cohort, or is put aside if
    ``token_required``. Without ``checker`` tokens are not looked at. ``doubt`` says of
    records and their cohorts why they are not believed, in the transaction that keeps them.
    """

    def __init__(
        self,
        store: Store,
        keys: PrivateKey | KeyRing,
        clock: Callable[[], float],
        *,
        checker: Checker | None = None,
        token_required: bool = False,
        doubt: Doubt | None = None,
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
        if today < EARLIEST_DAY:  # every record would be from the future
            raise StoreError(
                "the clock of this machine was never set",
                hint="set it; records wait at the broker meanwhile",
            )
        read: dict[str, _Good] = {}
        bad: list[tuple[str, str, bytes]] = []
        twice = dummies = 0
        for payload in payloads:
            result = self._read(payload, today)
            if result is None:
                dummies += 1
                continue
            name = record_id(payload)
            if isinstance(result, str):
                bad.append((name, result, payload))
            elif name in read:
                twice += 1
            else:
                read[name] = _Good(payload, *result)
        with self._store.transaction():
            added, refused = self._keep(read)
            bad += [(name, reason, read[name].payload) for name, reason in refused.items()]
            for name, reason, payload in bad:
                self._store.add_quarantine(name, reason, payload)
        repeated = twice + len(read) - added - len(refused)
        return Received(added=added, repeated=repeated, quarantined=len(bad), dummies=dummies)

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

    def _keep(self, read: Mapping[str, _Good]) -> tuple[int, dict[str, str]]:
        """How many records were added, and why others are put aside, by their ids.

        Whatever is asked of the database is asked of all records at once: one by one it costs
        several times what opening does, and others wait for the transaction meanwhile.
        """
        there = self._store.numbers_of(read)
        fresh = {name: good for name, good in read.items() if name not in there}
        refused = self._refused(fresh)
        # Another intake may have been quicker with what was sent twice.
        there = self._store.numbers_of(refused)
        refused = {name: reason for name, reason in refused.items() if name not in there}
        kept = [
            (name, good.record, good.cohort)
            for name, good in fresh.items()
            if name not in refused and name not in there
        ]
        if self._doubt:
            reasons = self._doubt([(record, cohort) for _, record, cohort in kept])
            refused |= {k[0]: reason for k, reason in zip(kept, reasons, strict=True) if reason}
        added = self._store.add_reports([k for k in kept if k[0] not in refused])
        return len(added), refused

    def _refused(self, fresh: Mapping[str, _Good]) -> dict[str, str]:
        """Those whose token was spent before; from now on those of the others are."""
        tokens = {name: good.token for name, good in fresh.items() if good.token}
        new = self._store.spend_all((token.digest, token.month) for token in tokens.values())
        refused: dict[str, str] = {}
        for name, token in tokens.items():
            if token.digest in new:
                new.remove(token.digest)
            else:
                refused[name] = SPENT
        return refused
