"""Blink codes: pure functions of state and time, told apart by shape alone."""

import itertools

import pytest

from scanner.core.blink import (
    AWAKE_S,
    BEEPS,
    FOUND_S,
    PATTERNS,
    TROUBLE_S,
    TROUBLES,
    TURN_S,
    UNSHOWN,
    Lamp,
    Levels,
    Showing,
    State,
    levels,
)

SAME_CODE = {State.HEAT, State.VOLTAGE}
STEP_S = 0.01


def runs(state: State, seconds: float = 40) -> list[tuple[bool, float]]:
    """Light and dark of a single lamp, one after the other, as an eye would see them."""
    sampled = [bool(levels(state, n * STEP_S).lamps) for n in range(round(seconds / STEP_S))]
    return [(lit, round(len(list(same)) * STEP_S, 2)) for lit, same in itertools.groupby(sampled)]


def shape(state: State) -> str:
    """What an eye makes of it: flashes by length, split at the long pauses."""
    words = ""
    for lit, lasts_s in runs(state)[:-1]:
        if lit:
            lengths = (("f", 0.14), (".", 0.5), ("-", 2.0), ("=", 99.0))
            words += next(sign for sign, most_s in lengths if lasts_s < most_s)
        elif lasts_s > 1:
            words += " " if lasts_s < 6 else "  "
    first, *rest = words.split(" ", 1)
    return first[:12] + ("" if not rest else " " if rest[0][:1] != " " else "  ")


def test_every_state_has_a_pattern_or_is_meant_for_readers_only() -> None:
    assert set(State) == {*PATTERNS, *UNSHOWN}


def test_one_lamp_is_enough_to_tell_the_states_apart() -> None:
    shapes = {s: shape(s) for s in PATTERNS if s not in {State.DONE, State.WIPED, State.VOLTAGE}}
    assert len(set(shapes.values())) == len(shapes), shapes
    assert PATTERNS[State.HEAT] == PATTERNS[State.VOLTAGE]


@pytest.mark.parametrize("state", PATTERNS)
def test_flashes_are_slow_enough_to_be_counted(state: State) -> None:
    inner = runs(state)[1:-1]
    assert all(s >= 0.11 for _, s in inner)
    if state is not State.ASK_WIPE:
        assert all(s >= 0.3 for lit, s in inner if not lit)


def test_no_lamp_flashes_more_than_four_times_a_second() -> None:
    for state in PATTERNS:
        assert sum(lit for lit, _ in runs(state, 10)) <= 41


def test_troubles_are_red_and_counted_after_a_dash() -> None:
    counted = [shape(s).count(".") for s in TROUBLES if s is not State.DISK_FULL]
    assert sorted(counted) == [1, 2, 3, 4, 5, 6, 7, 7]
    assert all(PATTERNS[s].lamps == {Lamp.RED} for s in TROUBLES)
    assert all(PATTERNS[s].cycle_s <= TURN_S for s in TROUBLES)


@pytest.mark.parametrize("state", PATTERNS)
def test_the_time_of_the_next_change_is_told_exactly(state: State) -> None:
    at = 0.0
    for _ in range(30):
        now = levels(state, at)
        if now.change_in_s is None:
            assert state is State.DONE
            return
        just_before = levels(state, at + now.change_in_s - 1e-6)
        assert (just_before.lamps, just_before.buzzer) == (now.lamps, now.buzzer)
        at += now.change_in_s + 1e-6


def test_sounds_end() -> None:
    assert all(not levels(state, 5).buzzer for state in State)
    assert all(any(levels(s, t / 100).buzzer for t in range(100)) for s in BEEPS)


def shown(showing: Showing, at_s: float) -> State:
    return showing.current(at_s)[0]


def test_a_find_is_shown_for_a_moment() -> None:
    showing = Showing()
    showing.show(State.SCANNING, 0)
    showing.show(State.FOUND, 10)
    showing.show(State.SCANNING, 10.2)
    assert shown(showing, 10.3) is State.FOUND
    assert shown(showing, 10 + FOUND_S) is State.SCANNING


def test_showing_the_same_again_does_not_start_it_anew() -> None:
    showing = Showing()
    for tenth in range(100):
        showing.show(State.NO_FIX, tenth / 10)
    assert showing.current(10) == (State.NO_FIX, 10)


def test_a_pause_is_seen_beside_a_trouble() -> None:
    showing = Showing()
    showing.show(State.LENS, 0)
    showing.show(State.ASLEEP, 1)
    assert [shown(showing, 1.1 + n * TURN_S) for n in range(2)] == [State.LENS, State.ASLEEP]


def test_a_trouble_takes_turns_with_scanning_and_is_forgotten_when_it_is_not_told_again() -> None:
    showing = Showing()
    showing.show(State.SCANNING, 0)
    showing.show(State.ACCELERATOR, 1)
    turns = [shown(showing, 1.1 + n * TURN_S) for n in range(4)]
    assert turns == [State.ACCELERATOR, State.SCANNING, State.SCANNING, State.SCANNING]
    showing = Showing()
    showing.show(State.SCANNING, 0)
    for second in range(60):
        showing.show(State.ACCELERATOR, 1 + second)
    turns = [shown(showing, 1.1 + n * TURN_S) for n in range(4)]
    assert turns == [State.ACCELERATOR, State.SCANNING] * 2


def test_what_cannot_scan_shows_its_trouble_all_the_time() -> None:
    showing = Showing()
    showing.show(State.NO_FIX, 0)
    showing.show(State.GNSS, 0)
    assert {shown(showing, s / 2) for s in range(30)} == {State.GNSS}
    assert shown(showing, TROUBLE_S + 0.1) is State.NO_FIX


def test_several_troubles_take_turns() -> None:
    showing = Showing()
    for state in (State.LENS, State.DISK):
        showing.show(state, 0)
    assert [shown(showing, 0.1), shown(showing, TURN_S + 0.1)] == [State.DISK, State.LENS]


def test_the_question_about_wiping_goes_before_everything() -> None:
    showing = Showing(invisible=True)
    showing.show(State.DISK, 0)
    showing.show(State.ASK_WIPE, 1)
    assert shown(showing, 1.1) is State.ASK_WIPE
    assert showing.levels(1.01).lamps == set(Lamp)  # also where the panel is invisible
    showing.answered()
    assert shown(showing, 1.2) is State.DISK


def test_an_invisible_panel_lights_up_for_a_while_when_pressed() -> None:
    showing = Showing(invisible=True)
    showing.show(State.SCANNING, 0)
    assert showing.levels(4.2) == Levels()
    assert showing.wake(4.2)
    assert not showing.wake(5.0)
    lit = [t / 100 for t in range(500, 2500) if showing.levels(t / 100).lamps]
    assert lit
    assert max(lit) < 5 + AWAKE_S
    assert showing.levels(15.0) == Levels()


@pytest.mark.parametrize("invisible", [False, True])
def test_nothing_changes_before_the_time_that_was_told(invisible: bool) -> None:  # noqa: FBT001
    showing = Showing(invisible=invisible)
    showing.show(State.SCANNING, 0)
    showing.show(State.FOUND, 1)
    showing.show(State.HEAT, 2)
    showing.wake(2.5)
    at_s = 3.0
    for _ in range(80):
        now = showing.levels(at_s)
        if now.change_in_s is None:
            break
        for part in (0.3, 0.999):
            later = showing.levels(at_s + part * now.change_in_s)
            assert (later.lamps, later.buzzer) == (now.lamps, now.buzzer)
        at_s += now.change_in_s + 1e-6
    assert at_s > 12
