"""Publication in batches: records wait in a pool, and become part of the map together.

Where carrying a scanner is a risk, a camera that appears on the map a day after somebody has walked
there points at them. So the pool is opened when a month begins, and only if enough records are in
it: else they wait for another month (a timed pool with a threshold; Serjantov, Dingledine and
Syverson, "From a Trickle to a Flood: Active Attacks on Several Mix Types", 2002).
"""

from collections.abc import Callable
from typing import Final

import msgspec

from scanner.hub.features import month
from scanner.hub.stores.protocol import POOLING, Store

BATCH: Final = "batch"  # in the store's meta
DAY_S: Final = 86_400
EARLIEST: Final = "2026-01"  # before it no clock is right
AHEAD_YEARS: Final = 1  # a month noted further ahead than that came from a wrong clock


class _Pool(msgspec.Struct, frozen=True):
    """The rule, and the month in which the pool was looked at last, or made."""

    least: int
    month: str


class Batches:
    """Opens the pool of a store when it is time; ``least`` 0: there is none, records go on at once.

    The rule is kept in the store: whoever takes records in obeys it. ``clock``: seconds since 1970.
    Raises StoreError.
    """

    def __init__(self, store: Store, least: int, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        with store.transaction():
            known = self._pool()
            if not least:
                store.release_pool()
            self._keep(_Pool(least, known.month if known and known.least else self._month()))
            store.put_meta(POOLING, "1" if least else "")

    def open_if_due(self) -> bool:
        """When a month begins, if enough records are in the pool; whether it was opened."""
        pool, now = self._pool(), self._month()
        if not pool or not pool.least or now < EARLIEST:
            return False
        ahead = int(pool.month[:4]) - int(now[:4])
        if pool.month < EARLIEST or ahead > AHEAD_YEARS:
            # Written by a clock that was wrong: this month counts as begun.
            with self._store.transaction():
                self._keep(_Pool(pool.least, now))
            return False
        if now <= pool.month:  # or a clock that lags, as after a start without network
            return False
        enough = self._store.pooled() >= pool.least
        with self._store.transaction():
            # First, as at a start: two who do both must not wait for one another.
            if enough:
                self._store.release_pool()
            # Opened later in the month the pool would tell when the last of them came.
            self._keep(_Pool(pool.least, now))
        return enough

    def _month(self) -> str:
        return month(int(self._clock() // DAY_S))

    def _pool(self) -> _Pool | None:
        text = self._store.get_meta(BATCH)
        return None if text is None else msgspec.json.decode(text, type=_Pool)

    def _keep(self, pool: _Pool) -> None:
        self._store.put_meta(BATCH, msgspec.json.encode(pool).decode())
