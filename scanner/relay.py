"""Outbox -> broker: takes each record whose time has come and forgets it once acknowledged.

The order is publish, acknowledgement, removal: a crash in between sends a record twice, which the
hub counts once, and never loses one. A broker that dies may forget what it acknowledged and holds
for a hub that is away, since it writes to its disk every few seconds or never. So over a connection
that is kept, a record is removed only when the connection has stood for a while after the
acknowledgement; if it breaks meanwhile, what was acknowledged in that time is sent again, after all
that never was.

How it is sent belongs to the profile. ``open`` sends what is due at once, over one connection. The
others send on a clock that knows nothing of the records: at each tick, after exponential pauses,
one record that is due, in a connection of its own, and in ``hostile`` a dummy of the same size if
none is. So the times of sending tell neither when something was found nor whether, and weeks
offline are caught up at the same pace, in a mixed order.
"""

import math
import time
from collections.abc import Callable
from typing import Final

import msgspec

from scanner.core.wire import SEALED_BYTES
from scanner.errors import BrokerError, StoreError
from scanner.ports import Publisher, RecordStore, Waiting

BATCH: Final = 50  # records taken from the outbox at a time, and mixed among each other
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 300.0
IDLE_PAUSE_S: Final = 2.0
HELD_MAX: Final = 5_000  # records held after their acknowledgement; more are removed at once
ACKNOWLEDGED_ENOUGH: Final = 5  # times, over a line that never stands for long


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """How a profile sends."""

    mean_gap_s: float  # between two sends, exponential; 0: as fast as the broker takes them
    dummies: bool  # send one when nothing is due

    @property
    def connection_per_record(self) -> bool:
        """A fresh connection and client id for each; else one is kept."""
        return self.mean_gap_s > 0


SENDING: Final = {
    "open": Sending(mean_gap_s=0.0, dummies=False),
    "careful": Sending(mean_gap_s=120.0, dummies=False),
    # 144 a day: several times what a walk a day finds, and 0.3 MB.
    "hostile": Sending(mean_gap_s=600.0, dummies=True),
}


class Pauses:
    """How long to wait after failures: doubling up to five minutes, the upper half at random.

    ``uniform`` draws from [0, 1), so that a hundred scanners do not return in one instant.
    """

    def __init__(self, uniform: Callable[[], float]) -> None:
        self._uniform = uniform
        self._next_s = FIRST_PAUSE_S

    def after_failure(self) -> float:
        """Seconds to wait before the next try."""
        pause = self._next_s * (0.5 + self._uniform() / 2)
        self._next_s = min(self._next_s * 2, LONGEST_PAUSE_S)
        return pause

    def reset(self) -> None:
        """The broker was reached."""
        self._next_s = FIRST_PAUSE_S


class Relay:
    """Sends the records of a store in the way of a profile.

    Parameters
    ----------
    store : holds the sealed records.
    publisher : connects when something is published, under another name after each ``close``.
    sending : as the profile wants it.
    now_s : seconds since 1970.
    uniform : draws from [0, 1).
    dummy : a sealed nothing, needed if ``sending.dummies``.
    hold_s : with one connection, how long it must stand after an acknowledgement.
    elapsed_s : a clock that nobody sets, for ``hold_s``.
    tell : gets one line for each failure and, in ``open``, for each batch: times of sending are
        written down nowhere else.

    """

    def __init__(
        self,
        store: RecordStore,
        publisher: Publisher,
        sending: Sending,
        *,
        now_s: Callable[[], float],
        uniform: Callable[[], float],
        dummy: Callable[[], bytes] | None = None,
        hold_s: float = 0.0,
        elapsed_s: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._sending = sending
        self._now_s = now_s
        self._uniform = uniform
        self._dummy = dummy if sending.dummies else None
        self._tell = tell
        self._odd: set[str] = set()
        self._sent: set[str] = set()  # and believed, but a full card cannot forget them
        self._hold_s = hold_s
        self._elapsed_s = elapsed_s
        self._held: dict[str, tuple[float, int]] = {}  # acknowledged when, over which connection
        # Acknowledged over connections that broke: how often, and when first.
        self._unsure: dict[str, tuple[int, float]] = {}

    def run(self, wait: Callable[[float], bool]) -> None:
        """Send until ``wait(seconds)`` says to stop by returning True."""
        pauses = Pauses(self._uniform)
        stop = self._sending.connection_per_record and wait(self._gap_s())
        while not stop:
            pause = self._gap_s()
            try:
                self._turn()
                pauses.reset()
            except BrokerError as e:
                pause = max(pause, pauses.after_failure())
                waiting = self._store.count()
                self._tell(f"{e}; {waiting} waiting, next try in {pause:.0f} s")
            stop = wait(pause)
        self._publisher.close()

    def drain(self, wait: Callable[[float], object] = lambda _: None) -> int:
        """Send all that is due now and return how many records; raises BrokerError.

        With one connection per record it calls ``wait(seconds)`` between them. Acknowledgements are
        believed at once: who calls this does not stay.
        """
        sent, self._hold_s = 0, 0.0
        try:
            while batch := self._due():
                if self._sending.connection_per_record:
                    self.tick()
                    wait(self._gap_s())
                    sent += 1
                else:
                    sent += self._send_all(batch)
        finally:
            self._publisher.close()
        return sent

    def tick(self) -> bool:
        """One send on the clock; returns whether it was a record. Raises BrokerError.

        Both are made ready before it is known which one goes, so that they take the same time.
        """
        due = self._due()
        dummy = self._dummy() if self._dummy else None
        record = due[int(self._uniform() * len(due))] if due else None
        payload = record.payload if record else dummy
        if payload is None:
            return False
        try:
            self._publisher.publish(payload)
        finally:
            self._publisher.close()
        self._remove([record.record_id] if record else [])
        return record is not None

    def _turn(self) -> None:
        if self._sending.connection_per_record:
            self.tick()
            return
        sent = 0
        self._believe()
        while batch := self._due():
            sent += self._send_all(batch)
        if sent:
            waiting = self._store.count() - len(self._held) - len(self._sent)
            self._tell(f"sent {sent}, {waiting} waiting")

    def _send_all(self, batch: list[Waiting]) -> int:
        sure = []
        try:
            for record in batch:
                name = record.record_id
                self._publisher.publish(record.payload)
                now_s = self._elapsed_s()
                count, first_s = self._unsure.get(name, (0, now_s))
                enough = count + 1 >= ACKNOWLEDGED_ENOUGH and now_s - first_s >= self._hold_s
                if self._hold_s and not enough:
                    self._held[name] = now_s, self._publisher.connection
                else:
                    sure.append(name)
        finally:
            self._remove(sure)
        self._believe()
        return len(batch)

    def _believe(self) -> None:
        """Remove what was acknowledged long enough ago; the rest may have been lost since."""
        standing, now_s = self._publisher.connection, self._elapsed_s()
        sure = []
        for name, (since_s, connection) in list(self._held.items()):
            if connection != standing:
                del self._held[name]
                count, first_s = self._unsure.get(name, (0, since_s))
                self._unsure[name] = count + 1, first_s
            elif now_s - since_s >= self._hold_s or len(self._held) > HELD_MAX:
                del self._held[name]
                sure.append(name)
        self._remove(sure)

    def _remove(self, names: list[str]) -> None:
        """What the broker has is not sent again, also while the card cannot forget it."""
        for name in names:
            self._unsure.pop(name, None)
        waiting = bool(self._sent)
        self._sent.update(names)
        if not self._sent:
            return
        try:
            self._store.remove(*self._sent)
            self._sent.clear()
        except StoreError as e:
            if not waiting:  # once: a line for each would be a list of the times of sending
                self._tell(f"sent and cannot be removed yet: {e}")

    def _due(self) -> list[Waiting]:
        """Some records whose time has come; one of another size would stand out and stays."""
        apart = self._odd | self._sent | self._held.keys()
        due = self._store.due(self._now_s(), BATCH + len(apart) + len(self._unsure))
        odd = {r.record_id for r in due if len(r.payload) != SEALED_BYTES} - self._odd
        if odd:
            self._odd |= odd
            self._tell(f"{len(odd)} records of a wrong size are not sent: they would stand out")
            return self._due()
        due = [r for r in due if r.record_id not in apart]
        return [r for r in due if r.record_id not in self._unsure] or due

    def _gap_s(self) -> float:
        if not self._sending.connection_per_record:
            return IDLE_PAUSE_S
        return -self._sending.mean_gap_s * math.log(1.0 - self._uniform())
