"""One button: its contact's changes -> what the person asks for.

press        pause, or go on; on a panel that is dark: light up
double press a new walk
hold 5 s     asks whether to wipe; a press within ``CONFIRM_S`` says yes, anything else no

The times are those of the changes, not of their handling: a busy processor changes no meaning.
"""

from enum import StrEnum
from typing import Final

SETTLE_S: Final = 0.02  # a contact bounces for so long
DOUBLE_S: Final = 0.4  # between the end of a press and the next
HOLD_S: Final = 5.0
CONFIRM_S: Final = 6.0


class Gesture(StrEnum):
    """What fingers do."""

    DOWN = "down"
    PRESS = "press"
    DOUBLE = "double"
    HOLD = "hold"


class Action(StrEnum):
    """What a person may ask of the scanner."""

    PAUSE = "pause"
    GO_ON = "go on"
    TOGGLE = "pause or go on"
    NEW_WALK = "new walk"
    ASK_WIPE = "wipe?"
    KEEP = "keep"  # the question about wiping was not answered with yes
    WIPE = "wipe"


class Contact:
    """Changes of a contact -> gestures. Times are seconds of one clock and never fall."""

    def __init__(self) -> None:
        self._raw = (False, 0.0)
        self._down = False
        self._down_s = 0.0
        self._released_s: float | None = None  # of a press that may become a double one
        self._spent = False  # this press has said all it has to say

    def change(self, at_s: float, *, down: bool) -> list[Gesture]:
        """The contact closed or opened."""
        gestures = self.tick(at_s)
        if down != self._raw[0]:
            self._raw = (down, at_s)
        return gestures

    def tick(self, at_s: float) -> list[Gesture]:
        """What follows from the time that has passed."""
        gestures: list[Gesture] = []
        down, since_s = self._raw
        if down != self._down and at_s - since_s >= SETTLE_S:
            gestures += self._pass_time(since_s)
            self._down = down
            gestures += self._pressed(since_s) if down else self._released(since_s)
        return gestures + self._pass_time(at_s)

    def next_s(self) -> float | None:
        """When to call ``tick`` at the latest; None: not before the next change."""
        times = []
        if self._raw[0] != self._down:
            times.append(self._raw[1] + SETTLE_S)
        if self._down and not self._spent:
            times.append(self._down_s + HOLD_S)
        if self._released_s is not None:
            times.append(self._released_s + DOUBLE_S)
        return min(times, default=None)

    def _pressed(self, at_s: float) -> list[Gesture]:
        self._down_s = at_s
        self._spent = self._released_s is not None
        self._released_s = None
        return [Gesture.DOWN, Gesture.DOUBLE] if self._spent else [Gesture.DOWN]

    def _released(self, at_s: float) -> list[Gesture]:
        self._released_s = None if self._spent else at_s
        return []

    def _pass_time(self, at_s: float) -> list[Gesture]:
        if self._down and not self._spent and at_s - self._down_s >= HOLD_S:
            self._spent = True
            return [Gesture.HOLD]
        if self._released_s is not None and at_s - self._released_s >= DOUBLE_S:
            self._released_s = None
            return [Gesture.PRESS]
        return []


class Talk:
    """Gestures -> actions; only wiping is asked about."""

    def __init__(self) -> None:
        self._asked_s: float | None = None

    def hear(self, gesture: Gesture, at_s: float, *, was_dark: bool = False) -> Action | None:
        """What the person wants; ``was_dark``: the press was for the light."""
        late = self.tick(at_s)
        if late:
            return late
        if self._asked_s is not None:
            if gesture is Gesture.DOWN:
                self._asked_s = None
                return Action.WIPE
            return None
        if gesture is Gesture.HOLD:
            self._asked_s = at_s
            return Action.ASK_WIPE
        if was_dark:
            return None
        return {Gesture.PRESS: Action.TOGGLE, Gesture.DOUBLE: Action.NEW_WALK}.get(gesture)

    def tick(self, at_s: float) -> Action | None:
        """``KEEP`` when the time to confirm is over."""
        if self._asked_s is not None and at_s - self._asked_s >= CONFIRM_S:
            self._asked_s = None
            return Action.KEEP
        return None

    def next_s(self) -> float | None:
        """When to call ``tick``; None: nothing is asked."""
        return None if self._asked_s is None else self._asked_s + CONFIRM_S
