"""The budget of tiles follows what a tile costs, when the accelerator is lost and comes back."""

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.core.pace import LEAST, LOOKS, SHARE, Pace
from scanner.frame import Pixels
from scanner.hardware.picamera import PicameraFrames
from scanner.looking import Watcher
from scanner.records import Detection
from scanner.replay.lens import Board
from scanner.walking import at_work

FRAME_S = 0.2
GREY = np.full((720, 1280, 3), 114, np.uint8)


class Engine:
    """A detector that sees nothing and takes its time, by a clock of its own or truly."""

    tile_size = 320

    def __init__(self, cost_s: float, *, truly: bool = False) -> None:
        self.cost_s, self.truly = cost_s, truly
        self.now_s = 0.0
        self.tiles = 0

    def infer(self, _: Pixels) -> list[Detection]:
        self.tiles += 1
        self.now_s += self.cost_s
        if self.truly:
            time.sleep(self.cost_s)
        return []


def paced(engine: Engine, wanted: float = 4.0) -> Watcher:
    return Watcher(engine, wanted, pace=Pace(wanted, FRAME_S), clock=lambda: engine.now_s)


def turns(engine: Engine, watcher: Watcher, frames: int, attention: float = 1.0) -> list[float]:
    """How long each frame's turn takes."""
    took = []
    for _ in range(frames):
        began_s = engine.now_s
        watcher.look(GREY, attention)
        took.append(engine.now_s - began_s)
    return took


@pytest.mark.parametrize(
    ("cost_s", "wanted", "budget"),
    [
        (0.005, 4.0, 4.0),
        (0.1, 4.0, 1.6),
        (0.4, 4.0, 0.4),
        (60.0, 4.0, LEAST),
        (0.1, 0.0, 1.6),
        (0.0, 0.0, SHARE * FRAME_S / 1e-6),
    ],
)
def test_a_frame_gets_what_there_is_time_for(cost_s: float, wanted: float, budget: float) -> None:
    pace = Pace(wanted, FRAME_S)
    assert pace.budget == (wanted or math.inf)
    for _ in range(LOOKS):
        pace.took(2, 2 * cost_s)
    assert pace.budget == pytest.approx(budget)
    assert pace.held_back == (0 < budget < wanted)


@given(st.lists(st.tuples(st.integers(0, 15), st.floats(0, 100)), max_size=30))
def test_it_never_wants_more_and_never_nothing(looks: list[tuple[int, float]]) -> None:
    pace = Pace(4.0, FRAME_S)
    for tiles, seconds in looks:
        pace.took(tiles, seconds)
        assert LEAST <= pace.budget <= 4.0


def test_an_accelerator_is_lost_and_comes_back_and_the_budget_with_it() -> None:
    engine = Engine(0.005)
    watcher = paced(engine)
    assert max(turns(engine, watcher, 20)) == pytest.approx(0.02)
    engine.cost_s = 0.06  # the processor
    before = engine.tiles
    late = [took > FRAME_S for took in turns(engine, watcher, 25)]
    assert 0 < sum(late) <= LOOKS // 2 + 1  # until most of what is remembered is new
    assert not any(late[LOOKS:])
    assert engine.tiles - before >= 2.6 * 25  # what it can do is used
    engine.cost_s = 0.005
    turns(engine, watcher, 2 * LOOKS)
    before = engine.tiles
    turns(engine, watcher, 10)
    assert engine.tiles - before == 40


def test_the_page_says_how_fast_it_looks_only_where_that_is_slower_than_asked() -> None:
    pace = Pace(4.0, FRAME_S)
    assert at_work("Edge TPU", pace) == "Edge TPU"
    pace.took(1, 0.1)
    assert at_work("processor; unplugged", pace) == "processor; unplugged, 8.0 looks a second"


def test_one_inference_that_hung_changes_nothing() -> None:
    engine = Engine(0.005)
    watcher = paced(engine)
    turns(engine, watcher, 10)
    engine.cost_s = 2.0
    turns(engine, watcher, 1)
    engine.cost_s = 0.005
    before = engine.tiles
    turns(engine, watcher, 10)
    assert engine.tiles - before == 40


def test_a_hint_may_ask_for_more_only_while_there_is_time() -> None:
    for cost_s, tiles in ((0.01, 80), (0.1, 16)):
        engine = Engine(cost_s)
        watcher = paced(engine)
        turns(engine, watcher, 20)
        before = engine.tiles
        turns(engine, watcher, 10, attention=2.0)
        assert engine.tiles - before == pytest.approx(tiles, abs=1)


def test_a_recording_is_looked_at_in_its_own_time() -> None:
    engine = Engine(10.0)
    watcher = Watcher(engine, 4.0, clock=lambda: engine.now_s)
    turns(engine, watcher, 10)
    assert engine.tiles == 40


def frames_seen(watcher: Watcher, seconds: float) -> int:
    """Of a lens that gives five frames a second, in real time."""
    end_s = time.monotonic() + seconds
    lens = PicameraFrames(640, 360, rate=1 / FRAME_S, open_camera=Board())
    count = 0
    for frame in lens.frames():
        watcher.look(frame.pixels)
        count += 1
        if time.monotonic() > end_s:
            break
    lens.close()
    return count


def test_a_slow_processor_sees_as_many_frames_as_a_fast_one_not_as_many_tiles() -> None:
    slow = Engine(0.2, truly=True)
    kept = frames_seen(Watcher(slow, 4.0, pace=Pace(4.0, FRAME_S)), 6.0)
    dropped = frames_seen(Watcher(slow, 4.0), 6.0)
    assert kept >= 1.7 * dropped, "frames wait behind four tiles of a fifth of a second each"
