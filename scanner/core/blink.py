"""What the panel's lamps do: a state and the time since it began -> which lamps are lit.

Each state has a shape of its own, so that one lamp is enough and colours need not be told apart:

====== ==================== =====================================================
shape  state                what it means for the person carrying the device
====== ==================== =====================================================
.      scanning             all is well
..     searching            a position, but no direction yet: walk on
...    no-fix               no position: open sky is wanted
=      found                a site is on the card (one long light)
-      asleep               paused by its person
-.     trouble              something else: the journal or the page says what
-..    lens                 lost or covered
-...   accelerator          the Edge TPU is gone; the processor looks instead, slower
-....  gnss                 the receiver is silent
-..... disk                 the card cannot be written
-6.    clock                no time from GNSS: nothing may be reported without it
-7.    heat, voltage        too hot, or too little power
---    disk-full            free some space: nothing is lost yet
fast   wipe?                press again to wipe
====== ==================== =====================================================

A dot is 0.15 s of light, a dash 1 s; a long light is 2.5 s. Nothing flashes faster than 4 times a
second. Lamps are lit or not: no brightness, so no timer that wakes the processor.
"""

from enum import StrEnum
from typing import Final

import msgspec

DOT_S: Final = 0.15
DASH_S: Final = 1.0
LIGHT_S: Final = 2.5
GAP_S: Final = 0.35
FAST_S: Final = 0.125
TURN_S: Final = 8.0  # a whole cycle of the longest code fits
TROUBLE_S: Final = 2 * TURN_S  # a trouble stands so long after it was told last
FOUND_S: Final = LIGHT_S + 0.5
AWAKE_S: Final = 10.0  # an invisible panel shows itself so long after a press
LENGTHS: Final = {".": DOT_S, "-": DASH_S, "=": LIGHT_S, "!": FAST_S}


class State(StrEnum):
    """What a panel may be told to show; others are shown by none and break none."""

    NO_FIX = "no-fix"
    SEARCHING = "searching"
    SCANNING = "scanning"
    SEEN = "seen"  # a camera was located and is not on the card yet; no lamp shows it
    WITHHELD = "withheld"  # a site was kept back by the profile; no lamp shows it
    FOUND = "found"
    ASLEEP = "asleep"
    TROUBLE = "trouble"
    LENS = "lens"
    ACCELERATOR = "accelerator"
    GNSS = "gnss"
    DISK = "disk"
    CLOCK = "clock"
    HEAT = "heat"
    VOLTAGE = "voltage"
    DISK_FULL = "disk-full"
    ASK_WIPE = "wipe?"
    WIPED = "wiped"
    DONE = "done"


class Lamp(StrEnum):
    """One of a row; a single lamp stands for all."""

    RED = "red"
    YELLOW = "yellow"
    GREEN = "green"


class Pattern(msgspec.Struct, frozen=True):
    """Flashes with gaps between them, then a rest, over and over."""

    flashes: str  # of LENGTHS
    lamps: frozenset[Lamp]
    rest_s: float = 2.0
    gap_s: float = GAP_S

    @property
    def edges(self) -> list[float]:
        """Times of a cycle, seconds, at which the light goes on, off, on, ..."""
        at, edges = 0.0, []
        for flash in self.flashes:
            edges += [at, at + LENGTHS[flash]]
            at += LENGTHS[flash] + self.gap_s
        return edges

    @property
    def cycle_s(self) -> float:
        """Length of a cycle; 0 for one that never lights up."""
        return self.edges[-1] + self.rest_s if self.flashes else 0.0

    def lit(self, since_s: float) -> bool:
        """Whether there is light so long after the beginning."""
        return self.until_s(since_s)[0]

    def until_s(self, since_s: float) -> tuple[bool, float | None]:
        """Whether there is light, and in how many seconds that changes; None: never."""
        if not self.flashes:
            return False, None
        at = since_s % self.cycle_s
        for number, edge in enumerate(self.edges):
            if at < edge:
                return number % 2 == 1, edge - at
        return False, self.cycle_s - at


ALL: Final = frozenset(Lamp)
DARK: Final = Pattern("", frozenset())


def _trouble(dots: int) -> Pattern:
    return Pattern("-" + "." * dots, frozenset({Lamp.RED}))


PATTERNS: Final[dict[State, Pattern]] = {
    State.SCANNING: Pattern(".", frozenset({Lamp.GREEN}), rest_s=4.0),
    State.SEARCHING: Pattern("..", frozenset({Lamp.YELLOW})),
    State.NO_FIX: Pattern("...", frozenset({Lamp.YELLOW})),
    State.FOUND: Pattern("=", frozenset({Lamp.GREEN})),
    State.ASLEEP: Pattern("-", frozenset({Lamp.YELLOW}), rest_s=7.0),
    State.TROUBLE: _trouble(1),
    State.LENS: _trouble(2),
    State.ACCELERATOR: _trouble(3),
    State.GNSS: _trouble(4),
    State.DISK: _trouble(5),
    State.CLOCK: _trouble(6),
    State.HEAT: _trouble(7),
    State.VOLTAGE: _trouble(7),
    State.DISK_FULL: Pattern("---", frozenset({Lamp.RED})),
    State.ASK_WIPE: Pattern("!", ALL, rest_s=FAST_S),
    State.WIPED: Pattern("=", ALL),
    State.DONE: DARK,
}
# In the order of urgency.
TROUBLES: Final[tuple[State, ...]] = (
    *(State.DISK_FULL, State.DISK, State.LENS, State.GNSS, State.CLOCK, State.HEAT),
    *(State.VOLTAGE, State.ACCELERATOR, State.TROUBLE),
)
UNSHOWN: Final[tuple[State, ...]] = (State.SEEN, State.WITHHELD)
BEEPS: Final[dict[State, tuple[float, ...]]] = {  # edges as above, seconds after the beginning
    State.FOUND: (0.0, 0.1, 0.2, 0.3),
    State.ASK_WIPE: (0.0, 0.1, 0.2, 0.3, 0.4, 0.5),
    State.WIPED: (0.0, 1.0),
    **dict.fromkeys(TROUBLES, (0.0, 0.6)),
}


class Levels(msgspec.Struct, frozen=True):
    """What is on at one moment, and in how many seconds that changes by itself; None: never."""

    lamps: frozenset[Lamp] = frozenset()
    buzzer: bool = False
    change_in_s: float | None = None


def levels(state: State, since_s: float) -> Levels:
    """Lamps and buzzer so long after a state began to be shown."""
    pattern = PATTERNS.get(state, DARK)
    lit, light_s = pattern.until_s(since_s)
    beeps = [edge - since_s for edge in BEEPS.get(state, ())]
    waits = [s for s in (light_s, *(b for b in beeps if b > 0)) if s is not None]
    return Levels(
        lamps=pattern.lamps if lit else frozenset(),
        buzzer=sum(b <= 0 for b in beeps) % 2 == 1,
        change_in_s=min(waits, default=None),
    )


class Showing:
    """Which of the states told is shown: what is asked, then troubles, finds, and what goes on.

    A trouble takes turns with other troubles and, where the scanner scans on or is paused, with
    that; it is forgotten ``TROUBLE_S`` after it was told last. ``invisible``: dark and silent but
    for ``AWAKE_S`` after ``wake`` and while a wipe is asked about. Times are seconds of one clock.
    """

    def __init__(self, *, invisible: bool = False) -> None:
        self._invisible = invisible
        self._base = (State.DONE, 0.0)
        self._found_s: float | None = None
        self._troubles: dict[State, float] = {}  # when told last
        self._turns_from_s = 0.0
        self._awake_until_s = 0.0
        self._asked: tuple[State, float] | None = None

    def show(self, state: State, at_s: float) -> None:
        """Take in what the scanner tells."""
        if state in TROUBLES:
            self._forget(at_s)
            if not self._troubles:
                self._turns_from_s = at_s
            self._troubles[state] = at_s
        elif state is State.FOUND:
            self._found_s = at_s
        elif state in (State.ASK_WIPE, State.WIPED):
            self._asked = (state, at_s)
        elif state not in UNSHOWN and state is not self._base[0]:
            self._base = (state, at_s)

    def answered(self) -> None:
        """The question about wiping is over."""
        self._asked = None

    def wake(self, at_s: float) -> bool:
        """The button was pressed: light up for a while; whether it was dark until now."""
        was_dark = self._invisible and at_s >= self._awake_until_s and self._asked is None
        self._awake_until_s = at_s + AWAKE_S
        return was_dark

    def current(self, at_s: float) -> tuple[State, float]:
        """The state to show and for how many seconds it has been shown."""
        if self._asked:
            return self._asked[0], at_s - self._asked[1]
        self._forget(at_s)
        state, since_s = self._base
        turns: list[State] = [t for t in TROUBLES if t in self._troubles]
        turns += [state] if turns and state in (State.SCANNING, State.ASLEEP) else []
        if turns:
            turn, into_s = divmod(at_s - self._turns_from_s, TURN_S)
            return turns[int(turn) % len(turns)], into_s
        if self._found_s is not None and at_s - self._found_s < FOUND_S:
            return State.FOUND, at_s - self._found_s
        return state, at_s - since_s

    def levels(self, at_s: float) -> Levels:
        """Lamps and buzzer now, and when to look again."""
        state, since_s = self.current(at_s)
        if self._invisible and self._asked is None and at_s >= self._awake_until_s:
            return Levels()
        now = levels(state, since_s)
        limits = [now.change_in_s, self._turn_ends_s(at_s), self._found_ends_s(at_s)]
        if self._invisible and self._asked is None:
            limits.append(self._awake_until_s - at_s)
        soonest = min((s for s in limits if s is not None), default=None)
        return Levels(now.lamps, now.buzzer, soonest)

    def _turn_ends_s(self, at_s: float) -> float | None:
        return TURN_S - (at_s - self._turns_from_s) % TURN_S if self._troubles else None

    def _found_ends_s(self, at_s: float) -> float | None:
        left_s = FOUND_S - (at_s - self._found_s) if self._found_s is not None else 0.0
        return left_s if left_s > 0 else None

    def _forget(self, at_s: float) -> None:
        self._troubles = {s: told for s, told in self._troubles.items() if at_s - told < TROUBLE_S}
