import numpy as np
import pytest

from models.figures import (
    Found,
    Ranking,
    at_threshold,
    average_precision,
    interval,
    match,
    mean_average_precision,
    overlaps,
    resamples,
    suppress,
)

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


def test_a_picture_drawn_twice_counts_twice() -> None:
    pictures = [found([0.9], [-1], 0), found([0.8], [0], 1), found([0.7], [0], 1)]
    ranking = Ranking(pictures)
    drawn = ranking.average_precision(np.array([[1.0, 2.0, 0.0], [0, 1, 1], [1, 0, 0]]))
    again = average_precision([pictures[0], pictures[1], pictures[1]])
    assert drawn[0] == pytest.approx(2 / 3)
    assert again == pytest.approx(2 / 3)
    assert drawn[1] == pytest.approx(1)
    assert np.isnan(drawn[2])


@pytest.mark.parametrize(
    ("height", "expected"),
    [(10, 1.0), (7.6, 0.6), (5, 0.1), (4.9, 0.0)],
)
def test_ap50_95_of_one_camera_is_the_share_of_overlaps_that_it_passes(
    height: float, expected: float
) -> None:
    """A box of full width and ``height`` of 10 has IoU height / 10: 0.76 passes 0.50 to 0.75."""
    steps = [0.5 + 0.05 * n for n in range(10)]
    hit = boxes((0, 0, 10, height)), np.ones(1, np.float32)
    rankings = [Ranking([match(*hit, boxes((0, 0, 10, 10)), NONE, step)]) for step in steps]
    assert mean_average_precision(rankings, np.ones((1, 1)))[0] == pytest.approx(expected)


def test_ap50_95_averages_over_cameras_too() -> None:
    """Two cameras, IoU 1 and 0.5: at 0.5 both are found, above only the first, at half recall."""
    hits = boxes((0, 0, 10, 10), (50, 0, 60, 5)), np.array([0.9, 0.8], np.float32)
    truth = boxes((0, 0, 10, 10), (50, 0, 60, 10))
    rankings = [Ranking([match(*hits, truth, NONE, 0.5 + 0.05 * n)]) for n in range(10)]
    mean = mean_average_precision(rankings, np.ones((1, 1)))[0]
    assert mean == pytest.approx((1.0 + 9 * 0.5) / 10)


# Ten pictures, five cameras; best first: right, wrong, right, right, wrong and wrong at one score.
RANKED = [
    found([0.9, 0.7, 0.5, 0.4], [0, 1, -1, 2], 3),
    found([0.8, 0.6, 0.5], [-1, 0, -1], 2),
    *(found([], [], 0) for _ in range(8)),
]


@pytest.mark.parametrize(
    ("alarms", "recall", "threshold"),
    [
        (0.0, 0.2, 0.9),
        (0.05, 0.2, 0.9),  # half an alarm is none
        (0.1, 0.6, 0.6),
        (0.2, 0.6, 0.6),  # the two at 0.5 come together, so three or none
        (0.3, 0.8, 0.4),
        (1.0, 0.8, 0.4),
    ],
)
def test_recall_at_a_rate_of_false_alarms(alarms: float, recall: float, threshold: float) -> None:
    assert Ranking(RANKED).recall_at_alarms(alarms) == pytest.approx((recall, threshold))


def test_a_best_detection_that_is_wrong_leaves_no_recall() -> None:
    assert Ranking([found([0.9, 0.8], [-1, 0], 1)]).recall_at_alarms(0.5) == (0.0, float("inf"))
    assert Ranking([found([], [], 1)]).recall_at_alarms(1.0) == (0.0, float("inf"))


def test_recall_and_alarms_of_resamples() -> None:
    ranking = Ranking(RANKED)
    weights = np.zeros((2, 10))
    weights[0, 0], weights[1, 1] = 1, 2
    assert ranking.recall(weights, 0.5) == pytest.approx([2 / 3, 1 / 2])
    assert ranking.alarms(weights, 0.5) == pytest.approx([1, 2])


def test_resamples_are_the_same_for_a_seed_and_draw_as_many_pictures() -> None:
    first = resamples(43, 200, 7)
    assert np.array_equal(first, resamples(43, 200, 7))
    assert not np.array_equal(first, resamples(43, 200, 8))
    assert set(first.sum(axis=1)) == {43}
    assert first.mean() == pytest.approx(1)


def test_the_interval_of_a_share_is_that_of_the_binomial_distribution() -> None:
    """100 pictures of one camera, 70 found: sigma is sqrt(0.7 * 0.3 / 100) = 0.046."""
    ranking = Ranking([found([0.9], [0 if n < 70 else -1], 1) for n in range(100)])
    low, high = interval(ranking.recall(resamples(100, 4000, 1), 0.5))
    assert low == pytest.approx(0.7 - 1.96 * 0.0458, abs=0.015)
    assert high == pytest.approx(0.7 + 1.96 * 0.0458, abs=0.015)


def test_an_interval_leaves_out_what_is_no_number() -> None:
    assert interval(np.array([np.nan, 1.0, 1.0])) == (1.0, 1.0)
    assert np.isnan(interval(np.array([np.nan]))).all()


def test_a_part_leaves_other_cameras_out_instead_of_calling_them_wrong() -> None:
    whole = found([0.9, 0.8, 0.7, 0.6], [1, -1, 0, -1], 3)
    part = whole.part(np.array([True, False, False]), np.array([True, True, True, False]))
    assert part.matches.tolist() == [-2, -1, 0, -2]
    assert part.wanted == 1


def test_a_wrong_name_is_a_miss_of_one_kind_and_a_false_alarm_of_the_other() -> None:
    whole = found([0.9, 0.8, 0.7], [0, 1, -1], 2)
    domes, bullets = np.array([True, False]), np.array([False, True])
    named_dome, named_bullet = np.array([True, True, True]), np.array([False] * 3)
    assert whole.called(domes, named_dome).matches.tolist() == [0, -1, -1]
    assert whole.called(bullets, named_bullet).matches.tolist() == [-2, -2, -2]
    assert average_precision([whole.called(bullets, named_bullet)]) == 0


def test_counts_at_a_threshold() -> None:
    some = at_threshold([found([0.9, 0.6, 0.3], [0, -1, 1], 4)], 0.5)
    assert (some.right, some.wrong, some.wanted) == (1, 1, 4)
    assert (some.recall, some.precision, some.f1) == (0.25, 0.5, pytest.approx(1 / 3))


def test_suppression_keeps_the_best_of_those_that_overlap() -> None:
    hits = boxes((0, 0, 10, 10), (1, 0, 11, 10), (50, 50, 60, 60))
    assert suppress(hits, np.array([0.5, 0.9, 0.1], np.float32)).tolist() == [1, 2]
