import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from scanner.core.tiles import (
    Tile,
    agreed,
    closer,
    confirmed,
    cut_by_edge,
    grid,
    iou,
    merge,
    mirrored,
    pyramid,
    to_frame,
)
from scanner.frame import Pixels
from scanner.looking import cut, detect_everywhere, look_again, look_at
from scanner.ports import Detector
from scanner.records import Box, Detection, Kind
from scanner.replay.standins import ScriptedDetector
from tests.helpers.walk import read_colours

sizes = st.integers(1, 3000)


def detection(x0: float, y0: float, x1: float, y1: float, score: float = 0.9) -> Detection:
    return Detection(box=Box(x0, y0, x1, y1), score=score, kind=Kind.DOME)


@given(sizes, sizes)
def test_the_grid_covers_every_pixel(width: int, height: int) -> None:
    tiles = grid(width, height, 320)
    for length, starts in (
        (width, {t.x for t in tiles}),
        (height, {t.y for t in tiles}),
    ):
        ordered = sorted(starts)
        assert ordered[0] == 0
        assert ordered[-1] + 320 >= length
        assert all(b - a <= 256 for a, b in itertools.pairwise(ordered))


@pytest.mark.parametrize(
    ("width", "height", "count"), [(1920, 1080, 32), (1280, 720, 15), (320, 320, 1), (848, 480, 8)]
)
def test_the_number_of_native_tiles(width: int, height: int, count: int) -> None:
    assert len(grid(width, height, 320)) == count


def test_the_pyramid_goes_from_the_whole_picture_to_native_tiles() -> None:
    tiles = pyramid(1600, 1200, 320)
    assert tiles[-1] == Tile(0, 0, 1600)
    assert sorted({t.side for t in tiles}, reverse=True) == [1600, 800, 320]


def test_boxes_come_back_to_frame_pixels() -> None:
    placed = to_frame(detection(10, 20, 30, 40), Tile(100, 200, 640), 320)
    assert placed.box == Box(120, 240, 160, 280)


@pytest.mark.parametrize(
    ("box", "cut_off"),
    [
        ((0, 50, 20, 70), False),  # the frame's own edge
        ((300, 50, 320, 70), True),
        ((100, 300, 120, 320), True),
        ((100, 100, 120, 120), False),
    ],
)
def test_boxes_cut_by_an_inner_edge_are_known(box: tuple[int, ...], *, cut_off: bool) -> None:
    assert cut_by_edge(detection(*box), Tile(0, 0, 320), 1280, 720) is cut_off


def test_one_camera_in_several_looks_is_one_detection() -> None:
    looks = [
        detection(100, 100, 140, 130, 0.8),
        detection(101, 99, 141, 131, 0.9),
        detection(100, 100, 118, 130, 0.5),  # half of it
        detection(200, 100, 240, 130, 0.4),
    ]
    assert [d.score for d in merge(looks)] == [0.9, 0.4]


def test_two_cameras_side_by_side_stay_two() -> None:
    assert len(merge([detection(100, 100, 140, 130), detection(138, 100, 178, 130)])) == 2


def test_iou() -> None:
    assert iou(Box(0, 0, 10, 10), Box(5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert iou(Box(0, 0, 10, 10), Box(20, 0, 30, 10)) == 0


def test_a_native_tile_is_cut_without_change() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    assert np.array_equal(cut(pixels, Tile(10, 20, 320), 320), pixels[20:340, 10:330])


def test_a_larger_tile_is_averaged() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (640, 640, 3), dtype=np.uint8)
    mean = pixels.reshape(320, 2, 320, 2, 3).mean(axis=(1, 3))
    assert np.abs(cut(pixels, Tile(0, 0, 640), 320) - mean).max() <= 0.51


def test_a_tile_of_half_the_size_is_drawn_up() -> None:
    slope = np.arange(160, dtype=np.uint8)[None, :, None].repeat(160, 0).repeat(3, 2)
    drawn = cut(slope, Tile(0, 0, 160), 320)
    assert drawn.shape == (320, 320, 3)
    assert np.abs(drawn[7, 1:-1, 0] - (np.arange(1, 319) - 0.5) / 2).max() <= 0.5


def test_what_lies_outside_the_picture_is_grey() -> None:
    tile = cut(np.zeros((100, 200, 3), np.uint8), Tile(0, 0, 320), 320)
    assert tile.shape == (320, 320, 3)
    assert (tile[100:] == 114).all()
    assert (tile[:, 200:] == 114).all()
    assert not tile[:100, :200].any()


def test_a_camera_is_found_once_at_whatever_scale() -> None:
    pixels = np.zeros((1080, 1920, 3), np.uint8)
    pixels[300:330, 300:340] = (40, 1, 255)
    pixels[200:900, 900:1700] = (80, 2, 255)  # fills no native tile
    found = detect_everywhere(ScriptedDetector(read_colours, 320), pixels)
    assert len(found) == 2
    small = next(d for d in found if d.kind == Kind.BULLET)
    assert iou(small.box, Box(300, 300, 340, 330)) > 0.8


def test_a_camera_on_a_tile_border_is_found_whole() -> None:
    pixels = np.zeros((720, 1280, 3), np.uint8)
    pixels[300:330, 225:265] = (40, 1, 255)  # across the left edge of the second tile
    found = look_at(ScriptedDetector(read_colours, 320), pixels, grid(1280, 720, 320))
    assert [d.box for d in found] == [Box(225, 300, 265, 330)]


def seen(x0: float, x1: float, score: float) -> Detection:
    return Detection(box=Box(x0, 10, x1, 30), score=score, kind=Kind.DOME)


def test_two_looks_that_agree_give_the_mean_of_their_scores() -> None:
    (both,) = agreed([seen(100, 120, 0.9)], [seen(104, 124, 0.7), seen(102, 122, 0.6)])
    assert both == seen(100, 120, pytest.approx(0.8))


@pytest.mark.parametrize("again", [[], [seen(200, 220, 0.9)]], ids=["nothing", "elsewhere"])
def test_what_the_mirror_image_does_not_show_counts_half(again: list[Detection]) -> None:
    assert agreed([seen(100, 120, 0.9)], again) == [seen(100, 120, 0.45)]


def test_a_find_in_the_mirror_image_is_turned_back() -> None:
    assert mirrored(seen(10, 30, 0.9), 320) == seen(290, 310, 0.9)


def test_only_tiles_with_a_find_are_looked_at_twice() -> None:
    counted = Counted(ScriptedDetector(read_colours, 320))
    pixels = np.zeros((320, 1280, 3), np.uint8)
    pixels[100:130, 100:140] = (40, 1, 255)
    detect_everywhere(counted, pixels)
    again = counted.looks - len(pyramid(1280, 320, 320))
    assert again == counted.finds / 2 > 0  # each find is one of both looks


@pytest.mark.parametrize(
    ("boxes", "tiles"),
    [
        ([(600, 300, 620, 310)], [Tile(530, 225, 160)]),
        ([(600, 300, 640, 310)], [Tile(460, 145, 320)]),
        ([(0, 700, 12, 720)], [Tile(0, 560, 160)]),  # the frame ends there
        ([(600, 300, 620, 310), (640, 300, 650, 310)], [Tile(530, 225, 160)]),
        ([(600, 300, 620, 310), (700, 300, 710, 310)], [Tile(530, 225, 160), Tile(625, 225, 160)]),
        ([(0, 0, 400, 400)], []),
        ([], []),
    ],
    ids=["small", "large", "corner", "together", "apart", "huge", "none"],
)
def test_where_a_second_look_goes(boxes: list[tuple[float, ...]], tiles: list[Tile]) -> None:
    found = [detection(*box, score=0.9 - i / 10) for i, box in enumerate(boxes)]
    assert closer(found, 1280, 720, 320) == tiles


@given(
    st.lists(st.tuples(st.floats(0, 1240), st.floats(0, 680), st.floats(3, 40)), max_size=20),
)
def test_every_find_that_fits_is_shown_again(places: list[tuple[float, float, float]]) -> None:
    found = [detection(x, y, x + side, y + side) for x, y, side in places]
    tiles = closer(found, 1280, 720, 320)
    assert len(tiles) <= len(found)
    for tile in tiles:
        assert 0 <= tile.x <= 1280 - tile.side
        assert 0 <= tile.y <= 720 - tile.side
    for find in found:
        box = find.box
        assert any(
            t.x <= box.x0 and t.y <= box.y0 and box.x1 <= t.x + t.side and box.y1 <= t.y + t.side
            for t in tiles
        )


HERE = [Tile(0, 0, 160)]


@pytest.mark.parametrize(
    ("first", "again", "score"),
    [
        (seen(100, 120, 0.6), [seen(102, 122, 0.9), seen(101, 121, 0.3)], 0.8),
        (seen(100, 120, 0.6), [], 0.2),
        (seen(100, 120, 0.6), [seen(130, 150, 0.9)], 0.2),
        (seen(100, 140, 0.6), [seen(102, 142, 0.9)], 0.75),
        (seen(200, 220, 0.6), [], 0.6),
    ],
    ids=["closer counts twice", "nothing", "elsewhere", "as large as before", "not shown again"],
)
def test_the_score_of_both_looks(first: Detection, again: list[Detection], score: float) -> None:
    (both,) = confirmed([first], again, HERE, 320)
    assert both.score == pytest.approx(score)


def test_box_and_kind_are_those_of_the_closer_look() -> None:
    rough, fine = detection(100, 10, 120, 30), detection(103, 12, 119, 28)
    (both,) = confirmed([rough], [replace(fine, kind=Kind.PTZ)], HERE, 320)
    assert (both.box, both.kind) == (fine.box, Kind.PTZ)


def test_two_finds_of_one_camera_are_one_after_a_closer_look() -> None:
    rough = [detection(100, 10, 110, 20), detection(104, 16, 114, 26)]
    assert len(merge(rough)) == 2
    assert len(confirmed(rough, [detection(102, 12, 114, 24)], HERE, 320)) == 1


def test_a_second_look_finds_things_where_they_are() -> None:
    pixels: Pixels = np.zeros((720, 1280, 3), np.uint8)
    pixels[300:316, 300:320] = (40, 1, 255)
    detector = ScriptedDetector(read_colours, 320)
    first = look_at(detector, pixels, grid(1280, 720, 320))
    (again,), looks = look_again(detector, pixels, first, most=15)
    assert looks == 1
    assert iou(again.box, Box(300, 300, 320, 316)) > 0.8


def test_no_more_second_looks_than_asked_for() -> None:
    pixels: Pixels = np.zeros((720, 1280, 3), np.uint8)
    first = [detection(x, 10, x + 10, 20, 0.9) for x in (10, 400, 800)]
    counted = Counted(ScriptedDetector(read_colours, 320))
    found, looks = look_again(counted, pixels, first, most=2)
    assert looks == counted.looks == 2
    assert sorted(d.score for d in found) == pytest.approx([0.3, 0.3, 0.9])


class Counted:
    """Counts what is asked of a detector."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.tile_size = detector.tile_size
        self.looks = 0
        self.finds = 0

    def infer(self, tile: Pixels) -> Sequence[Detection]:
        found = self._detector.infer(tile)
        self.looks += 1
        self.finds += bool(found)
        return found
