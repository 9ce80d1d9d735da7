import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from scanner.core.schedule import CANDIDATE_SHARE, MAX_AGE_ROUNDS, MAX_MISSES, Schedule
from scanner.core.tiles import Tile, grid
from scanner.frame import Pixels
from scanner.looking import Watcher, textures
from scanner.records import Box, Detection
from scanner.replay.standins import ScriptedDetector
from tests.helpers.walk import read_colours

NATIVE = grid(1280, 720, 320)
budgets = st.floats(0.1, 14.9)
boxes = st.builds(
    lambda x, y, side: Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2),
    *(st.floats(0, 1280), st.floats(0, 720), st.floats(4, 400)),
)
# Slow examples are no fault of the schedule where the machine is busy.
few = settings(deadline=None, max_examples=30)
shares = st.lists(st.floats(0, 1), min_size=15, max_size=15)


def at(x: float, y: float, side: float = 40) -> Box:
    return Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def holds(tile: Tile, box: Box) -> bool:
    across = tile.x <= box.x0 and box.x1 <= tile.x + tile.side
    return across and tile.y <= box.y0 and box.y1 <= tile.y + tile.side


def looked_at(schedule: Schedule, frames: int, texture: list[float] | None = None) -> Counter[Tile]:
    """Tiles of so many frames in which nothing is found."""
    return Counter(tile for _ in range(frames) for tile in schedule.next_tiles([], texture or []))


@few
@given(
    budgets,
    st.lists(st.lists(boxes, max_size=6), min_size=1, max_size=8),
    shares,
    st.integers(0, 3),
)
def test_every_tile_is_seen_within_a_bounded_number_of_inferences(
    budget: float, finds: list[list[Box]], texture: list[float], coarse_every: int
) -> None:
    schedule = Schedule(1280, 720, 320, budget, coarse_every=coarse_every)
    looks: list[Tile] = []
    found = itertools.cycle(finds)
    while len(looks) < 250:
        looks += schedule.next_tiles(next(found), texture)
    bound = (MAX_AGE_ROUNDS + 1) * len(NATIVE)
    for tile in NATIVE:
        when = [0, *(i for i, look in enumerate(looks, 1) if look == tile), len(looks)]
        assert max(b - a for a, b in itertools.pairwise(when)) <= bound


@few
@given(budgets, st.lists(boxes, max_size=6))
def test_the_budget_is_kept_on_average_and_no_tile_comes_twice(
    budget: float, found: list[Box]
) -> None:
    schedule = Schedule(1280, 720, 320, budget)
    spent = 0
    for frame in range(1, 41):
        tiles = schedule.next_tiles(found)
        assert len(set(tiles)) == len(tiles)
        spent += len(tiles)
        assert abs(spent - frame * budget) <= 1


@few
@given(budgets, st.lists(boxes, max_size=6), shares)
def test_the_same_calls_give_the_same_tiles(
    budget: float, found: list[Box], texture: list[float]
) -> None:
    one, other = (Schedule(1280, 720, 320, budget) for _ in range(2))
    for _ in range(20):
        assert one.next_tiles(found, texture) == other.next_tiles(found, texture)


@pytest.mark.parametrize("budget", [0, 15, 15.5, 100])
def test_without_a_limit_every_frame_is_seen_whole(budget: float) -> None:
    schedule = Schedule(1280, 720, 320, budget)
    assert not schedule.wants_texture
    for _ in range(3):
        assert schedule.next_tiles([at(700, 300)]) == NATIVE


def test_a_frame_smaller_than_a_tile_is_one_tile() -> None:
    assert Schedule(200, 100, 320, 0.5).native == [Tile(0, 0, 320)]
    assert looked_at(Schedule(200, 100, 320, 0.5), 10) == {Tile(0, 0, 320): 5}


def test_what_was_just_seen_is_looked_at_again_in_the_middle_of_a_tile() -> None:
    schedule = Schedule(1280, 720, 320, 2)
    schedule.next_tiles([])
    assert Tile(550, 150, 320) in schedule.next_tiles([at(710, 310)])


def test_a_small_one_is_looked_at_from_closer_and_where_that_missed_it_from_usual() -> None:
    schedule = Schedule(1280, 720, 320, 2)
    schedule.next_tiles([])
    small = at(710, 310, 16)
    assert Tile(630, 230, 160) in schedule.next_tiles([small])
    assert Tile(630, 230, 160) in schedule.next_tiles([small])
    again = [tile for _ in range(2) for tile in schedule.next_tiles([])]
    assert Tile(550, 150, 320) in again
    assert Tile(630, 230, 160) not in again


def test_candidates_that_fit_share_a_tile() -> None:
    schedule = Schedule(1280, 720, 320, 2)
    schedule.next_tiles([])
    pair = [at(600, 300), at(740, 340)]
    shared = [tile for tile in schedule.next_tiles(pair) if all(holds(tile, box) for box in pair)]
    assert len(shared) == 1


def test_the_candidate_not_looked_at_for_longest_comes_first() -> None:
    schedule = Schedule(1280, 720, 320, 1)
    places = [at(200, 200), at(700, 300), at(1100, 250)]
    seen: Counter[Box] = Counter()
    found = places
    for _ in range(45):
        (tile,) = schedule.next_tiles(found)
        found = [box for box in places if holds(tile, box)]
        if tile not in NATIVE:
            seen.update(found)
    assert sum(seen.values()) >= 45 * CANDIDATE_SHARE * 0.9
    assert max(seen.values()) - min(seen.values()) <= 4


def test_a_candidate_that_stays_away_is_given_up() -> None:
    schedule = Schedule(1280, 720, 320, 2)
    schedule.next_tiles([])
    schedule.next_tiles([at(710, 310)])
    again = looked_at(schedule, 30)
    assert again[Tile(550, 150, 320)] <= MAX_MISSES


def test_a_candidate_is_followed_across_the_frame() -> None:
    schedule = Schedule(1280, 720, 320, 2)
    misses = 0
    tiles = schedule.next_tiles([])
    for frame in range(40):
        box = at(300 + 20 * frame, 300)
        known = frame == 0 or any(holds(tile, box) for tile in tiles)
        misses += not known
        tiles = schedule.next_tiles([box] if known else [])
    assert misses <= 12


def test_the_upper_two_thirds_are_preferred() -> None:
    looks = looked_at(Schedule(1280, 720, 320, 1), 150)
    low = [tile for tile in NATIVE if tile.y + 160 > 480]
    assert max(looks[tile] for tile in low) < min(looks[t] for t in NATIVE if t not in low)


def test_places_where_cameras_turn_up_are_looked_at_more_often() -> None:
    schedule = Schedule(1280, 720, 320, 1)
    favourite = NATIVE[1]
    before = looked_at(schedule, 100)[favourite]
    for _ in range(200):
        (tile,) = schedule.next_tiles([])
        if tile == favourite:
            schedule.next_tiles([at(favourite.x + 100, favourite.y + 100)])
    assert looked_at(schedule, 100)[favourite] > 1.5 * before


def test_flat_tiles_wait() -> None:
    texture = [1.0] * 15
    texture[2] = 0.05
    looks = looked_at(Schedule(1280, 720, 320, 1), 200, texture)
    assert looks[NATIVE[2]] <= min(looks[NATIVE[i]] for i in (0, 1, 3, 4)) / 2


def test_coarse_tiles_come_now_and_then_where_asked_for() -> None:
    looks = looked_at(Schedule(1280, 720, 320, 1, coarse_every=5), 100)
    assert sum(count for tile, count in looks.items() if tile.side == 640) >= 15
    assert {tile for tile in looks if tile.side == 640} == set(grid(1280, 720, 640))
    assert all(tile.side == 320 for tile in looked_at(Schedule(1280, 720, 320, 1), 100))
    assert all(t.side == 320 for t in looked_at(Schedule(848, 480, 320, 1, coarse_every=5), 100))


def test_texture_tells_a_wall_from_the_sky() -> None:
    pixels = np.full((720, 1280, 3), 200, np.uint8)
    pixels[:, 640:] = np.random.default_rng(1).integers(0, 256, (720, 640, 3), dtype=np.uint8)
    by_tile = dict(zip(NATIVE, textures(pixels, NATIVE), strict=True))
    assert by_tile[NATIVE[0]] == 0
    assert by_tile[NATIVE[4]] > 0.6
    assert textures(np.zeros((720, 1280, 3), np.uint8), NATIVE) == [0.0] * 15


def test_the_watcher_finds_and_follows_with_a_fraction_of_a_tile_per_frame() -> None:
    pixels: Pixels = np.zeros((720, 1280, 3), np.uint8)
    pixels[300:330, 300:340] = (40, 1, 255)
    watcher = Watcher(ScriptedDetector(read_colours, 320), 0.5)
    found: list[list[Detection]] = [watcher.look(pixels) for _ in range(80)]
    assert watcher.looks == 40
    assert sum(map(len, found)) >= 15


@pytest.mark.parametrize(("score", "times"), [(0.6, 20), (0.4, 0)])
def test_the_watcher_looks_twice_at_what_it_finds(score: float, times: int) -> None:
    def answer(tile: Pixels) -> list[Detection]:
        return [replace(d, score=score) for d in read_colours(tile)]

    pixels: Pixels = np.zeros((720, 1280, 3), np.uint8)
    pixels[300:330, 300:340] = (40, 1, 255)
    watcher = Watcher(ScriptedDetector(answer, 320), least=0.5)
    found = [d for _ in range(20) for d in watcher.look(pixels)]
    assert len(found) == times
    assert watcher.looks == 20 * (15 + 1)


@pytest.mark.parametrize(
    ("budget", "looks"), [(3.0, 300), (15.0, 1500), (15.5, 1550), (40.0, 1600)]
)
def test_second_looks_come_out_of_the_budget(budget: float, looks: int) -> None:
    pixels: Pixels = np.zeros((720, 1280, 3), np.uint8)
    pixels[300:330, 300:340] = (40, 1, 255)
    watcher = Watcher(ScriptedDetector(read_colours, 320), budget, least=0.5)
    found = [watcher.look(pixels) for _ in range(100)]
    assert sum(map(len, found)) > 30
    assert looks - 15 <= watcher.looks <= looks + 2


@pytest.mark.parametrize(("score", "found"), [(0.6, True), (0.4, False)])
def test_with_few_tiles_a_find_counts_by_one_look(score: float, *, found: bool) -> None:
    def answer(tile: Pixels) -> list[Detection]:
        return [replace(d, score=score) for d in read_colours(tile)]

    pixels: Pixels = np.zeros((720, 1280, 3), np.uint8)
    pixels[300:330, 300:340] = (40, 1, 255)
    watcher = Watcher(ScriptedDetector(answer, 320), 2, least=0.5)
    looked = [watcher.look(pixels) for _ in range(30)]
    assert any(looked) == found
    assert watcher.looks == 60


def test_nothing_is_charged_where_there_is_no_limit() -> None:
    schedule = Schedule(1280, 720, 320)
    schedule.charge(100)
    assert schedule.next_tiles([]) == NATIVE


def test_a_debt_of_second_looks_is_paid_before_the_next_tile() -> None:
    schedule = Schedule(1280, 720, 320, 2.0)
    assert len(schedule.next_tiles([])) == 2
    schedule.charge(3)
    assert [len(schedule.next_tiles([])) for _ in range(3)] == [0, 1, 2]


def test_the_watcher_starts_anew_when_the_size_of_the_frames_changes() -> None:
    watcher = Watcher(ScriptedDetector(read_colours, 320), 2)
    wide: Pixels = np.zeros((720, 1280, 3), np.uint8)
    small: Pixels = np.zeros((480, 640, 3), np.uint8)
    for pixels in (wide, small, wide):
        assert watcher.look(pixels) == []
    assert watcher.looks == 6
