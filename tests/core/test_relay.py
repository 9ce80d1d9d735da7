"""When the relay sends what, with time and chance in the test's hands."""

import math
import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from scanner.core.wire import SEALED_BYTES
from scanner.errors import BrokerError
from scanner.relay import FIRST_PAUSE_S, LONGEST_PAUSE_S, SENDING, Pauses, Relay, Sending
from scanner.replay.standins import MemoryStore, RecordingPublisher

DAY_S = 86_400.0
DUMMY = b"d" * SEALED_BYTES


class Clock:
    """Time that passes only by waiting."""

    def __init__(self, end_s: float = math.inf) -> None:
        self.now_s = 0.0
        self._end_s = end_s

    def wait(self, seconds: float) -> bool:
        self.now_s += seconds
        return self.now_s >= self._end_s


class Line(RecordingPublisher):
    """Notes when, and over which connection."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.log: list[tuple[float, bytes, int]] = []
        self.connections = 0
        self._open = False
        self._clock = clock
        self.away: Callable[[float], bool] = lambda _: False

    def publish(self, payload: bytes) -> None:
        if self.away(self._clock.now_s):
            raise BrokerError("away")
        self.connections += not self._open
        self._open = True
        super().publish(payload)
        self.log.append((self._clock.now_s, payload, self.connections))

    def close(self) -> None:
        self._open = False


def payload(number: int) -> bytes:
    return number.to_bytes(4, "big") * (SEALED_BYTES // 4)


def make(
    sending: Sending, store: MemoryStore, clock: Clock, seed: int = 1, told: list[str] | None = None
) -> tuple[Relay, Line]:
    line = Line(clock)
    relay = Relay(
        store,
        line,
        sending,
        now_s=lambda: clock.now_s,
        uniform=random.Random(seed).random,
        dummy=lambda: DUMMY,
        tell=(told if told is not None else []).append,
    )
    return relay, line


def kolmogorov_smirnov_p(a: list[float], b: list[float]) -> float:
    """Two-sample test, asymptotic p (Numerical Recipes 14.3.3, Stephens' correction)."""
    values = sorted([(v, 0) for v in a] + [(v, 1) for v in b])
    seen, apart = [0, 0], 0.0
    for _, which in values:
        seen[which] += 1
        apart = max(apart, abs(seen[0] / len(a) - seen[1] / len(b)))
    root = math.sqrt(len(a) * len(b) / (len(a) + len(b)))
    x = (root + 0.12 + 0.11 / root) * apart
    terms = (2 * (-1) ** (k - 1) * math.exp(-2 * k * k * x * x) for k in range(1, 101))
    return min(1.0, max(0.0, sum(terms)))


def sends_of(seed: int, relay_of: Callable[..., tuple[Relay, Line]] = make) -> Line:
    """2,000 sends of ``hostile`` while a walk a day makes a burst of 40 records due at once."""
    store, clock = MemoryStore(), Clock(end_s=2_000 * 600.0)
    for day in range(14):
        for number in range(40):
            store.add(payload(day * 100 + number), due_s=int(day * DAY_S + 10 * 3600))
    relay, line = relay_of(SENDING["hostile"], store, clock, seed)
    relay.run(clock.wait)
    return line


def gaps(line: Line) -> tuple[list[float], list[float]]:
    """Seconds since the send before, of records and of dummies."""
    since = [(b[0] - a[0], b[1] == DUMMY) for a, b in pairwise(line.log)]
    return [g for g, dummy in since if not dummy], [g for g, dummy in since if dummy]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_times_of_records_and_dummies_are_not_told_apart(seed: int) -> None:
    line = sends_of(seed)
    real, dummies = gaps(line)
    assert len(line.log) > 1_850
    assert 500 < len(real) <= 560
    assert kolmogorov_smirnov_p(real, dummies) > 0.05
    rng = random.Random(9 + seed)
    exponential = [-600 * math.log(1 - rng.random()) for _ in range(2_000)]
    assert kolmogorov_smirnov_p(real + dummies, exponential) > 0.05


def test_the_test_of_times_finds_a_relay_that_hurries() -> None:
    """Mutation: records go as soon as they are due, dummies on the clock."""

    class Hasty(Relay):
        def _gap_s(self) -> float:
            return 5.0 if self._due() else super()._gap_s()

    def hasty(sending: Sending, store: MemoryStore, clock: Clock, seed: int) -> tuple[Relay, Line]:
        line = Line(clock)
        chance = random.Random(seed).random
        return Hasty(
            store, line, sending, now_s=lambda: clock.now_s, uniform=chance, dummy=lambda: DUMMY
        ), line

    assert kolmogorov_smirnov_p(*gaps(sends_of(1, hasty))) < 0.001


def test_each_send_has_a_connection_of_its_own() -> None:
    line = sends_of(4)
    assert [connection for _, _, connection in line.log] == list(range(1, len(line.log) + 1))


def test_weeks_offline_are_caught_up_without_a_burst_and_in_mixed_order() -> None:
    store, clock = MemoryStore(), Clock(end_s=42 * DAY_S)
    for number in range(300):
        store.add(payload(number), due_s=number * 3600)
    relay, line = make(SENDING["careful"], store, clock)
    line.away = lambda now_s: now_s < 30 * DAY_S
    relay.run(clock.wait)
    numbers = [int.from_bytes(p[:4], "big") for _, p, _ in line.log]
    assert sorted(numbers) == list(range(300))
    assert store.waiting() == []
    times = [t for t, _, _ in line.log]
    assert times[-1] - times[0] > 300 * 120 * 0.7
    # Those due long ago go before those due lately, neighbours in any order.
    assert sum(numbers[:100]) / 100 < 110
    assert sum(numbers[-100:]) / 100 > 190
    later = sum(b > a for a, b in pairwise(numbers))
    assert 0.3 < later / len(numbers) < 0.7


def test_careful_is_silent_when_nothing_is_due() -> None:
    store, clock = MemoryStore(), Clock(end_s=DAY_S)
    store.add(payload(1), due_s=int(2 * DAY_S))
    relay, line = make(SENDING["careful"], store, clock)
    relay.run(clock.wait)
    assert line.log == []


def test_open_sends_at_once_and_keeps_its_connection() -> None:
    store, clock = MemoryStore(), Clock(end_s=3600)
    for number in range(120):
        store.add(payload(number), due_s=0 if number < 100 else 1800)
    told: list[str] = []
    relay, line = make(SENDING["open"], store, clock, told=told)
    relay.run(clock.wait)
    assert len(line.log) == 120
    assert line.connections == 1
    assert {t for t, _, _ in line.log[:100]} == {0.0}
    assert 1800 <= line.log[-1][0] < 1805
    assert told == ["sent 100, 20 waiting", "sent 20, 0 waiting"]


def test_what_would_stand_out_is_not_sent_and_not_lost() -> None:
    store, clock = MemoryStore(), Clock(end_s=60)
    odd = store.add(b"short")
    store.add(payload(1))
    told: list[str] = []
    relay, line = make(SENDING["open"], store, clock, told=told)
    relay.run(clock.wait)
    assert {len(p) for _, p, _ in line.log} == {SEALED_BYTES}
    assert [r.record_id for r in store.waiting()] == [odd]
    assert sum("wrong size" in line for line in told) == 1


def test_a_record_is_forgotten_only_after_the_acknowledgement() -> None:
    store, clock = MemoryStore(), Clock()
    store.add(payload(1))
    relay, line = make(SENDING["hostile"], store, clock)
    line.refuse_after = 0
    with pytest.raises(BrokerError):
        relay.tick()
    assert len(store.waiting()) == 1
    line.refuse_after = None
    assert relay.tick()
    assert not relay.tick()  # a dummy
    assert [p for _, p, _ in line.log] == [payload(1), DUMMY]


def test_draining_waits_between_records_where_the_profile_asks_for_it() -> None:
    store, clock = MemoryStore(), Clock()
    for number in range(20):
        store.add(payload(number))
    relay, line = make(SENDING["careful"], store, clock)
    assert relay.drain(clock.wait) == 20
    assert line.connections == 20
    assert clock.now_s > 20 * 120 * 0.4


def test_pauses_double_up_to_five_minutes_with_jitter() -> None:
    pauses = Pauses(random.Random(1).random)
    waited = [pauses.after_failure() for _ in range(20)]
    for number, pause in enumerate(waited):
        full = min(FIRST_PAUSE_S * 2**number, LONGEST_PAUSE_S)
        assert full / 2 <= pause <= full
    assert len(set(waited[10:])) == 10
    pauses.reset()
    assert pauses.after_failure() <= FIRST_PAUSE_S


# --- a broker that forgets ----------------------------------------------------------------------


class ForgetfulBroker(RecordingPublisher):
    """Acknowledges at once, and keeps only what it had for ``writes_s`` when it dies."""

    def __init__(self, clock: Clock, writes_s: float) -> None:
        super().__init__()
        self._clock, self._writes_s = clock, writes_s
        self._had: dict[bytes, float] = {}

    def publish(self, payload: bytes) -> None:
        super().publish(payload)
        self._had.setdefault(payload, self._clock.now_s)

    def die(self) -> None:
        """It comes back, and connections are new ones."""
        self.connection += 1
        written_s = self._clock.now_s - self._writes_s
        self._had = {p: at for p, at in self._had.items() if at <= written_s}

    @property
    def kept(self) -> set[bytes]:
        return set(self._had)


def sent_to_a_broker_that_dies(hold_s: float, deaths: int = 30) -> int:
    """How many of the records that were found all the time were lost."""
    store, clock, dice = MemoryStore(), Clock(), random.Random(4)
    broker = ForgetfulBroker(clock, writes_s=5.0)
    relay = Relay(
        *(store, broker, SENDING["open"]),
        now_s=lambda: clock.now_s,
        uniform=dice.random,
        hold_s=hold_s,
        elapsed_s=lambda: clock.now_s,
    )
    dies_s = [dice.uniform(0, 3_000) for _ in range(deaths)]
    sealed: list[bytes] = []

    def wait(seconds: float) -> bool:
        clock.wait(seconds)
        while dies_s and min(dies_s) <= clock.now_s:
            dies_s.remove(min(dies_s))
            broker.die()
        if clock.now_s < 3_000 and dice.random() < 0.5:
            sealed.append(payload(len(sealed)))
            store.add(sealed[-1])
        return clock.now_s > 3_200

    relay.run(wait)
    assert len(sealed) > 500
    assert not store.waiting()
    return len(set(sealed) - broker.kept)


def test_a_broker_that_forgets_what_it_just_acknowledged_is_told_again() -> None:
    assert sent_to_a_broker_that_dies(hold_s=15.0) == 0
    assert sent_to_a_broker_that_dies(hold_s=0.0) > 10  # or this test would mean nothing


def test_over_a_line_that_never_stands_all_is_sent_and_nothing_for_ever() -> None:
    store, clock = MemoryStore(), Clock()
    for number in range(400):
        store.add(payload(number))
    line = RecordingPublisher()
    relay = Relay(
        *(store, line, SENDING["open"]),
        now_s=lambda: clock.now_s,
        uniform=random.Random(1).random,
        hold_s=15.0,
        elapsed_s=lambda: clock.now_s,
    )

    def wait(seconds: float) -> bool:
        line.connection += 1
        line.refuse_after = 60  # then it breaks
        return clock.wait(seconds) or clock.now_s > 4 * 3_600 or not store.waiting()

    relay.run(wait)
    assert not store.waiting()
    assert len(line.published) <= 6 * 400
    first = {p: line.published.index(p) for p in line.published}
    assert max(first.values()) < 2 * 400  # what was never sent comes before what may be lost
