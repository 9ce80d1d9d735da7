import numpy as np
import pytest

from models.figures import Found, at_threshold, average_precision, match, overlaps, suppress

NONE = np.zeros((0, 4), np.float32)


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def found(scores: list[float], matches: list[int], wanted: int) -> Found:
    return Found(np.array(scores, np.float32), np.array(matches), wanted)


def test_overlap_of_half_moved_squares_is_a_third() -> None:
    table = overlaps(boxes((0, 0, 10, 10)), boxes((5, 0, 15, 10), (20, 20, 30, 30)))
    assert table[0] == pytest.approx([1 / 3, 0])


def test_a_camera_is_found_once_and_the_second_hit_is_a_false_alarm() -> None:
    hits = boxes((0, 0, 10, 10), (0, 0, 10, 9))
    result = match(hits, np.array([0.5, 0.9], np.float32), boxes((0, 0, 10, 10)), NONE)
    assert result.scores == pytest.approx([0.9, 0.5])
    assert result.matches.tolist() == [0, -1]


def test_a_hit_in_an_ignored_region_counts_neither_way() -> None:
    result = match(boxes((1, 1, 9, 9)), np.ones(1, np.float32), NONE, boxes((0, 0, 10, 10)))
    assert result.matches.tolist() == [-2]
    assert at_threshold([result], 0.5).wrong == 0


@pytest.mark.parametrize(
    ("matches", "expected"),
    [
        ([0, 1], 1.0),
        ([-1, 0], 0.25),
        ([0, -1], 0.5),
        ([0, -1, 1], 0.5 + 0.5 * 2 / 3),
        ([-2, 0, 1], 1.0),
        ([], 0.0),
    ],
)
def test_average_precision_by_hand(matches: list[int], expected: float) -> None:
    scores = [0.9, 0.8, 0.7][: len(matches)]
    assert average_precision([found(scores, matches, 2)]) == pytest.approx(expected)


def test_average_precision_ranks_over_all_pictures() -> None:
    right, wrong = found([0.6], [0], 1), found([0.9], [-1], 0)
    assert average_precision([right, wrong]) == pytest.approx(0.5)


def test_counts_at_a_threshold() -> None:
    some = at_threshold([found([0.9, 0.6, 0.3], [0, -1, 1], 4)], 0.5)
    assert (some.right, some.wrong, some.wanted) == (1, 1, 4)
    assert (some.recall, some.precision, some.f1) == (0.25, 0.5, pytest.approx(1 / 3))


def test_suppression_keeps_the_best_of_those_that_overlap() -> None:
    hits = boxes((0, 0, 10, 10), (1, 0, 11, 10), (50, 50, 60, 60))
    assert suppress(hits, np.array([0.5, 0.9, 0.1], np.float32)).tolist() == [1, 2]
