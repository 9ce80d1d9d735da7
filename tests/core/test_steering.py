"""What is asked between two frames: pause, go on, a new walk, a wipe, the end."""

import io
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from scanner.core.button import Action
from scanner.frame import Frame
from scanner.replay.standins import ConsolePanel
from scanner.steering import HALT_S, Steering
from tests.helpers.waiting import until


class Lens:
    """Frames as fast as they are taken; says how many were."""

    def __init__(self, frames: int = 1_000_000) -> None:
        self.count, self.taken = frames, 0

    def frames(self) -> Iterator[Frame]:
        pixels = np.zeros((2, 2, 3), np.uint8)
        for number in range(self.count):
            self.taken += 1
            yield Frame(pixels=pixels, number=number, at_ns=number)
            time.sleep(0.002)

    def close(self) -> None:
        """Nothing is held open."""


class Loop:
    """A loop that looks, on a thread of its own, as ``watch`` does."""

    def __init__(self, frames: int = 1_000_000) -> None:
        self.lens, self.walks = Lens(frames), [0]
        self.wiped, self.stop = threading.Event(), threading.Event()
        self.alive = self.told = 0
        self.steering = Steering(
            wipe=self.wiped.set, told_to_stop=self.stop.is_set, alive=self._alive
        )
        self.steering.attach(ConsolePanel(), self._told)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _alive(self) -> None:
        self.alive += 1

    def _told(self) -> None:
        self.told += 1

    def _run(self) -> None:
        for walk in self.steering.walks(self.lens):
            for _ in walk.frames():
                self.walks[-1] += 1
            self.walks.append(0)

    def end(self) -> None:
        self.stop.set()
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    until(lambda: loop.walks[0] > 3)
    yield loop
    loop.end()


def standing_still(loop: Loop) -> bool:
    before = loop.lens.taken
    time.sleep(0.3)
    return loop.lens.taken == before


def test_paused_means_that_no_frame_is_taken_and_the_watchdog_is_fed(loop: Loop) -> None:
    loop.steering.ask(Action.TOGGLE)
    until(lambda: standing_still(loop))
    fed = loop.alive
    until(lambda: loop.alive > fed)
    loop.steering.ask(Action.PAUSE)  # twice is as once
    assert loop.steering.paused
    taken = loop.lens.taken
    loop.steering.ask(Action.TOGGLE)
    until(lambda: loop.lens.taken > taken + 3)
    assert len(loop.walks) == 1


class LostLens(Lens):
    """No frame comes until it is plugged in; it tends what is asked meanwhile."""

    def __init__(self, steering: Steering) -> None:
        super().__init__(frames=1)
        self.steering, self.plugged = steering, threading.Event()

    def frames(self) -> Iterator[Frame]:
        while not self.plugged.wait(0.01):
            self.steering.tend()
        yield from super().frames()


def test_a_pause_is_told_and_kept_where_no_frame_comes() -> None:
    fed: list[float] = []
    shown = io.StringIO()
    steering = Steering(wipe=lambda: None, alive=lambda: fed.append(time.monotonic()))
    steering.attach(ConsolePanel(shown))
    lens, looked_at = LostLens(steering), []
    thread = threading.Thread(
        target=lambda: [looked_at.extend(walk.frames()) for walk in steering.walks(lens)]
    )
    thread.start()
    steering.ask(Action.TOGGLE)
    until(lambda: len(fed) > 3)
    steering.ask(Action.TOGGLE)
    until(lambda: "searching" in shown.getvalue())
    steering.ask(Action.TOGGLE)
    until(lambda: shown.getvalue() == "_ asleep\n~ searching\n_ asleep\n")
    lens.plugged.set()
    until(lambda: lens.taken)
    time.sleep(0.3)
    steering.ask(Action.GO_ON)
    thread.join(10)
    assert not thread.is_alive()
    assert looked_at == [], "the frame came while it was paused"


@pytest.mark.parametrize("paused", [False, True])
def test_a_new_walk_begins_with_the_next_frame(loop: Loop, paused: bool) -> None:  # noqa: FBT001
    if paused:
        loop.steering.ask(Action.PAUSE)
        until(lambda: standing_still(loop))
    loop.steering.ask(Action.NEW_WALK)
    until(lambda: len(loop.walks) == 2 and loop.walks[1] > 3)
    assert loop.told == 1
    assert not loop.steering.paused


def test_the_source_ends_the_walks() -> None:
    loop = Loop(frames=5)
    loop.thread.join(10)
    assert not loop.thread.is_alive()
    assert loop.walks == [5, 0]


def test_no_frame_is_lost_between_walks(loop: Loop) -> None:
    loop.steering.ask(Action.NEW_WALK)
    until(lambda: len(loop.walks) == 2)
    loop.end()
    assert sum(loop.walks) in (loop.lens.taken, loop.lens.taken - 1)


@pytest.mark.parametrize("paused", [False, True])
def test_a_wipe_waits_until_the_loop_stands_still_and_it_never_goes_on(
    loop: Loop,
    paused: bool,  # noqa: FBT001
) -> None:
    if paused:
        loop.steering.ask(Action.PAUSE)
    loop.steering.ask(Action.WIPE)
    until(loop.wiped.is_set, HALT_S)
    assert standing_still(loop)
    loop.steering.ask(Action.GO_ON)
    assert standing_still(loop)


def test_a_loop_that_hangs_does_not_hold_up_a_wipe() -> None:
    wiped = threading.Event()
    steering = Steering(wipe=wiped.set)
    steering.ask(Action.WIPE)
    started = time.monotonic()
    assert wiped.wait(HALT_S + 5)
    assert time.monotonic() - started >= HALT_S - 0.1


def test_stopping_ends_a_pause() -> None:
    loop = Loop()
    loop.steering.ask(Action.PAUSE)
    until(lambda: standing_still(loop))
    loop.end()
