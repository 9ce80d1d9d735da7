"""What its person asks of the scanner while it looks: pause, go on, a new walk, wipe.

Asks come on the threads of panel and page; the loop meets them between two frames.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from scanner.core.blink import State
from scanner.core.button import Action
from scanner.frame import Frame
from scanner.ports import FrameSource, Panel

LOOK_AGAIN_S: Final = 0.2
HALT_S: Final = 2.0  # a turn of the loop takes less; a lens that hangs takes for ever


class Steering:
    """Hears what is asked and hands out frames accordingly.

    ``wipe`` is called on a thread of its own once the loop stands still, or does not answer; it is
    not expected to return. ``told_to_stop``: the program is to end. ``alive`` is called while
    paused, for a watchdog.
    """

    def __init__(
        self,
        *,
        wipe: Callable[[], None],
        told_to_stop: Callable[[], bool] = lambda: False,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._wipe, self._told_to_stop, self._alive = wipe, told_to_stop, alive
        self._paused = threading.Event()
        self._new_walk = threading.Event()
        self._wiping = threading.Event()
        self._halted = threading.Event()
        self._told = False  # that looking is paused
        self._panel: Panel | None = None
        self._on_new_walk: Callable[[], None] = lambda: None

    def attach(self, panel: Panel, on_new_walk: Callable[[], None] = lambda: None) -> None:
        """Where it is shown that looking is paused; what else a new walk concerns."""
        self._panel, self._on_new_walk = panel, on_new_walk

    @property
    def paused(self) -> bool:
        """Whether nothing is looked at for now."""
        return self._paused.is_set()

    def ask(self, action: Action) -> None:
        """Do as the person says; from any thread."""
        if action is Action.TOGGLE:
            action = Action.GO_ON if self.paused else Action.PAUSE
        if action is Action.PAUSE:
            self._paused.set()
        elif action is Action.GO_ON:
            self._paused.clear()
        elif action is Action.NEW_WALK:
            self._new_walk.set()
            self._paused.clear()
        elif action is Action.WIPE and not self._wiping.is_set():
            self._wiping.set()
            threading.Thread(target=self._halt_and_wipe, name="wipe").start()

    def _halt_and_wipe(self) -> None:
        self._halted.wait(HALT_S)
        self._wipe()

    def walks(self, source: FrameSource) -> Iterator[FrameSource]:
        """The frames of a source, one walk after the other, until it ends or we are told to.

        Each must be used up before the next is taken. What the source raises goes through.
        """
        frames = source.frames()
        while True:
            walk = _OneWalk(frames, self._ready, self._paused.is_set)
            yield walk
            if walk.last or self._told_to_stop():
                return
            self._new_walk.clear()
            self._on_new_walk()

    def tend(self) -> bool:
        """To be called often by a source without a frame: tells of a pause; whether it is one."""
        if self.paused:
            self._tell_pause()
            return True
        if self._told:
            self._told = False
            self._show(State.SEARCHING)  # until a frame comes and says more
        return False

    def _tell_pause(self) -> None:
        if not self._told:
            self._told = True
            self._show(State.ASLEEP)
        self._alive()

    def _show(self, state: State) -> None:
        if self._panel:
            self._panel.show(state)

    def _ready(self) -> bool:
        """Wait while paused; whether this walk goes on."""
        while not self._told_to_stop() and not self._new_walk.is_set():
            if self._wiping.is_set():
                self._halted.set()
                self._alive()
            elif self.paused:
                self._tell_pause()
            else:
                self._told = False
                return True
            time.sleep(LOOK_AGAIN_S)
        return False


class _OneWalk:
    """Frames of one walk; ``last``: there are no more after it."""

    def __init__(
        self, frames: Iterator[Frame], ready: Callable[[], bool], paused: Callable[[], bool]
    ) -> None:
        self._frames, self._ready, self._paused = frames, ready, paused
        self.last = False

    def frames(self) -> Iterator[Frame]:
        """Yield frames while the walk goes on."""
        while self._ready():
            frame = next(self._frames, None)
            if frame is None:
                self.last = True
                return
            if not self._paused():  # while it was waited for, which may have been long
                yield frame

    def close(self) -> None:
        """The source is closed by whoever opened it."""
