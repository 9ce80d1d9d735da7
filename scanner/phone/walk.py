"""What the page knows: the last state, facts, and this walk's finds; in memory, without a place."""

import threading
from collections import deque
from typing import Final

import msgspec

from scanner.core.blink import TROUBLES, State
from scanner.phone.lines import Line

KEPT_FACTS: Final = 12
KEPT_FINDS: Final = 200  # newest; a walk through a city centre shows fewer
TROUBLE_LASTS_S: Final = 16.0
STARTING: Final = "starting"  # it runs and has not looked at anything
SENTENCES: Final[dict[str, str]] = {
    State.NO_FIX: "No position yet: open sky is wanted",
    State.SEARCHING: "A position, but no direction: walk on",
    State.SCANNING: "Looking",
    State.ASLEEP: "Paused",
    State.TROUBLE: "Trouble",
    State.LENS: "The lens is lost or covered",
    State.ACCELERATOR: "No accelerator: the processor looks, slower",
    State.GNSS: "The position receiver is silent",
    State.DISK: "The card cannot be written",
    State.DISK_FULL: "The card is full: free some space",
    State.CLOCK: "No time from satellites: finds are kept back",
    State.HEAT: "Too hot",
    State.VOLTAGE: "Too little power",
    State.WIPED: "Wiped",
    State.DONE: "The walk is over",
    STARTING: "Starting",
}
LOOKING: Final = (State.NO_FIX, State.SEARCHING, State.SCANNING, STARTING)
BLIND: Final = "Not looking"
AWAY: Final = "The scanner is not running"
NOT_YET: Final = "The scanner is not running yet"


class Find(msgspec.Struct, frozen=True):
    """One camera of this walk."""

    text: str
    ago_s: int


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What the phone is shown; times are durations, so that the page knows no clock."""

    state: str
    text: str
    detail: str
    troubles: list[str]
    paused: bool
    running: bool
    facts: dict[str, str]
    finds: list[Find]
    sites: int  # on the card
    withheld: int  # sites kept back by the profile


class Walk:
    """Takes in lines and gives views; times are seconds of one clock. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._met = False
        self._forget()

    def _forget(self) -> None:
        self._state, self._detail = "", ""
        self._troubles: dict[str, tuple[str, float]] = {}
        self._facts: dict[str, str] = {}
        self._paused = self._running = False
        self._begin()

    def _begin(self) -> None:
        self._finds: deque[tuple[str, float]] = deque(maxlen=KEPT_FINDS)
        self._sites = 0
        self._withheld = 0

    def running(self, *, on: bool) -> None:
        """``watch`` is connected, or has gone."""
        with self._lock:
            self._running = on
            self._met |= on

    def take(self, line: Line, at_s: float) -> None:
        """Take in what ``watch`` tells."""
        with self._lock:
            if line.new_walk:
                self._begin()
            if line.fact and (line.fact in self._facts or len(self._facts) < KEPT_FACTS):
                self._facts[line.fact] = line.detail
            if line.state:
                self._tell(line.state, line.detail, at_s)

    def _tell(self, state: str, detail: str, at_s: float) -> None:
        if state == State.SEEN:
            self._finds.append((detail, at_s))
        elif state == State.FOUND:
            sites = detail.split(" ", 1)[0]
            self._sites += int(sites) if sites.isdecimal() else 1
        elif state == State.WITHHELD:
            self._withheld += 1
        elif state == State.WIPED:
            self._forget()
            self._state = state
        elif state in TROUBLES:
            self._troubles[state] = (detail, at_s)
        else:
            self._state, self._detail = state, detail
            self._paused = state == State.ASLEEP

    def view(self, at_s: float) -> View:
        """What there is to show now."""
        with self._lock:
            self._troubles = {
                s: (d, told) for s, (d, told) in self._troubles.items()
                if at_s - told < TROUBLE_LASTS_S
            }  # fmt: skip
            state = self._state or STARTING
            text = SENTENCES.get(state, state)
            if State.LENS in self._troubles and state in LOOKING:
                text = BLIND
            away = not self._running and state not in (State.WIPED, State.DONE)
            return View(
                state="away" if away else state,
                text=(AWAY if self._met else NOT_YET) if away else text,
                detail=self._detail,
                troubles=[_told(s, self._troubles[s][0]) for s in TROUBLES if s in self._troubles],
                paused=self._paused,
                running=self._running,
                facts=dict(self._facts),
                finds=[Find(text, round(max(0.0, at_s - s))) for text, s in reversed(self._finds)],
                sites=self._sites,
                withheld=self._withheld,
            )


def _told(trouble: str, detail: str) -> str:
    """A trouble in a sentence; that a lens is lost need not be said twice."""
    detail = detail.removeprefix("lost: ")
    return f"{SENTENCES[trouble]}{': ' if detail else ''}{detail}"
