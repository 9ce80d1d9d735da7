"""The time that counts as walked."""

import pytest

from scanner.core.walked import Walked

S = 1_000_000_000


def walked(*steps: tuple[int, bool]) -> Walked:
    clock = Walked()
    for at_s, moving in steps:
        clock.step(at_s * S, moving=moving)
    return clock


def test_it_begins_with_the_first_move_and_knows_the_last() -> None:
    clock = walked((0, False), (90, True), (95, True), (99, False))
    assert clock.start_ns == 90 * S
    assert clock.still_s(100 * S) == 5
    assert clock.unseen_s(100 * S) == 1
    assert walked((0, False)).still_s(1000 * S) == 0


@pytest.mark.parametrize(
    ("from_s", "to_s", "counts_s"),
    [
        (0, 10, 10),
        (10, 60, 0),  # a stop is no part of it
        (10, 70, 10),
        (0, 90, 20),  # two stops
        (70, 90, 0),
        (90, 100, 10),
    ],
)
def test_only_what_lies_between_two_moves_counts(from_s: int, to_s: int, counts_s: int) -> None:
    moves = [(0, True), (10, True)]
    stop = [(30, False), (45, False), (60, True)]
    clock = walked(*moves, *stop, (70, True), (80, False), (90, True), (100, True))
    assert clock.between_s(from_s * S, to_s * S) == counts_s


def test_a_stop_is_left_out_while_it_lasts() -> None:
    assert walked((0, True), (10, True), (20, False), (45, False)).between_s(0, 45 * S) == 10
