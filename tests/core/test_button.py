"""One button: what fingers do and what it means."""

import random

import pytest

from scanner.core.button import (
    CONFIRM_S,
    DOUBLE_S,
    HOLD_S,
    SETTLE_S,
    Action,
    Contact,
    Gesture,
    Talk,
)

DOWN, PRESS, DOUBLE, HOLD = Gesture.DOWN, Gesture.PRESS, Gesture.DOUBLE, Gesture.HOLD


def fingers(*edges_s: float, until_s: float = 30, every_s: float = 0.005) -> list[Gesture]:
    """Gestures of a contact that closes and opens at these times, looked at every so often."""
    contact = Contact()
    changes = [(s, n % 2 == 0) for n, s in enumerate(edges_s)]
    gestures = []
    at_s = 0.0
    while at_s < until_s:
        while changes and changes[0][0] <= at_s:
            edge_s, down = changes.pop(0)
            gestures += contact.change(edge_s, down=down)
        gestures += contact.tick(at_s)
        at_s += every_s
    return gestures


@pytest.mark.parametrize(
    ("edges_s", "meant"),
    [
        ((1, 1.2), [DOWN, PRESS]),
        ((1, 1.1, 1.3, 1.4), [DOWN, DOWN, DOUBLE]),
        ((1, 1.1, 1.2 + DOUBLE_S, 2), [DOWN, PRESS, DOWN, PRESS]),
        ((1, 1 + HOLD_S + 1), [DOWN, HOLD]),
        ((1, 1 + HOLD_S - 0.1), [DOWN, PRESS]),
        ((1, 1.01), []),  # shorter than a finger can
        ((1, 1.1, 1.3, 1.3 + HOLD_S + 1), [DOWN, DOWN, DOUBLE]),  # no wipe by a clumsy double
        ((1, 1.005, 1.008, 1.2, 1.203, 1.206), [DOWN, PRESS]),  # bouncing
    ],
)
def test_gestures(edges_s: tuple[float, ...], meant: list[Gesture]) -> None:
    found = fingers(*edges_s)
    order = [DOWN, DOUBLE] if DOUBLE in meant else None
    assert sorted(found) == sorted(meant)
    assert order is None or found[-2:] == order


def test_being_looked_at_late_changes_no_meaning() -> None:
    assert fingers(1, 1 + HOLD_S + 0.3, every_s=0.9) == [DOWN, HOLD]
    assert fingers(1, 1.3, every_s=0.7) == [DOWN, PRESS]


def test_ticking_only_when_told_to_is_enough() -> None:
    random_ = random.Random(5)
    for _ in range(50):
        edges, at_s = [], 1.0
        for _ in range(6):
            at_s += random_.choice([0.1, 0.3, 0.6, HOLD_S + 0.5])
            edges.append(at_s)
        contact, told = Contact(), []
        for number, edge in enumerate([*edges, 100.0]):
            while (due := contact.next_s()) is not None and due < edge:
                told += contact.tick(due + 1e-9)
            if edge < 100:
                told += contact.change(edge, down=number % 2 == 0)
        assert told == fingers(*edges, until_s=60)


def test_nothing_to_wait_for_when_nothing_happens() -> None:
    contact = Contact()
    assert contact.next_s() is None
    contact.change(1.0, down=True)
    assert contact.next_s() == pytest.approx(1 + SETTLE_S)


def test_meanings() -> None:
    talk = Talk()
    assert talk.hear(DOWN, 0) is None
    assert talk.hear(PRESS, 0.5) is Action.TOGGLE
    assert talk.hear(DOUBLE, 2) is Action.NEW_WALK
    assert talk.hear(PRESS, 3, was_dark=True) is None


def test_a_wipe_wants_a_second_press_in_time() -> None:
    talk = Talk()
    assert talk.hear(HOLD, 10) is Action.ASK_WIPE
    assert talk.next_s() == 10 + CONFIRM_S
    assert talk.hear(DOWN, 12) is Action.WIPE
    assert talk.next_s() is None


def test_a_question_that_is_not_answered_keeps_everything() -> None:
    talk = Talk()
    talk.hear(HOLD, 10)
    assert talk.tick(10 + CONFIRM_S - 0.1) is None
    assert talk.tick(10 + CONFIRM_S) is Action.KEEP
    assert talk.hear(DOWN, 20) is None
    talk.hear(HOLD, 30)
    assert talk.hear(DOWN, 30 + CONFIRM_S + 1) is Action.KEEP  # too late is no yes
