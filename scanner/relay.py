"""Outbox -> broker: takes each record whose time has come and forgets it once acknowledged.

The order is publish, acknowledgement, removal: a crash in between sends a record twice, which the
hub counts once, and never loses one.
"""

from collections.abc import Callable
from typing import Final

from scanner.errors import BrokerError
from scanner.ports import Publisher, RecordStore

BATCH: Final = 50
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 300.0
IDLE_PAUSE_S: Final = 2.0


def drain(store: RecordStore, connect: Callable[[], Publisher], now_s: float) -> int:
    """Send all records due at ``now_s`` over one connection; return how many.

    Raises BrokerError when the broker is away or goes away; what was not acknowledged stays.
    """
    sent = 0
    batch = store.due(now_s, BATCH)
    if not batch:
        return 0
    publisher = connect()
    try:
        while batch:
            for record in batch:
                publisher.publish(record.payload)
                store.remove(record.record_id)
                sent += 1
            batch = store.due(now_s, BATCH)
    finally:
        publisher.close()
    return sent


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


def keep_sending(
    store: RecordStore,
    connect: Callable[[], Publisher],
    *,
    now_s: Callable[[], float],
    wait: Callable[[float], bool],
    uniform: Callable[[], float],
    tell: Callable[[str], None],
) -> None:
    """Drain the store again and again until ``wait(seconds)`` says to stop by returning True.

    ``tell`` gets one line for each failure and each successful batch.
    """
    pauses = Pauses(uniform)
    stop = False
    while not stop:
        try:
            sent = drain(store, connect, now_s())
        except BrokerError as e:
            pause = pauses.after_failure()
            tell(f"{e}; {len(store.waiting())} waiting, next try in {pause:.0f} s")
            stop = wait(pause)
            continue
        pauses.reset()
        if sent:
            tell(f"sent {sent}, {len(store.waiting())} waiting")
        stop = wait(IDLE_PAUSE_S)
