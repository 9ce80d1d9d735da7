"""Fixes on the boot clock: between them, past them, jumps, courses, and clocks gone wrong."""

import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.core.fixes import Fix, FixRing, Lost
from scanner.records import Position

NS = 1_000_000_000
UTC = 1_795_000_000.0  # 2026-11-18
ROUND_S = 1024 * 7 * 86_400.0  # after which the week of a satellite counts from 0 again
LAT, LON, SPEED = 55.752, 37.6175, 1.4
DEGREE_M = 111_333.0  # of latitude at 55.75 degrees north


def fix(t: float, *, delay: float = 0.0, off_m: float = 0.0, **more: float | None) -> Fix:
    """Of a walk north, measured ``t`` seconds after boot, arriving ``delay`` seconds later."""
    told = {"utc_s": UTC + t, "speed_mps": SPEED, "course_deg": 0.0, "sigma_m": 2.0}
    return Fix(
        at_ns=round((t + delay) * NS),
        lat_deg=LAT + (SPEED * t + off_m) / DEGREE_M,
        lon_deg=LON,
        **{**told, **more},
    )


def ring_of(*fixes: Fix | Lost, **more: float) -> FixRing:
    ring = FixRing(sigma_m=4.0, **more)
    for one in fixes:
        ring.add(one)
    return ring


def at(ring: FixRing, t: float) -> Position | None:
    return ring.position_at(round(t * NS))


def off_m(position: Position | None, t: float) -> float:
    assert position is not None
    return abs((position.lat_deg - LAT) * DEGREE_M - SPEED * t)


WALK = [fix(t) for t in range(11)]


@pytest.mark.parametrize("t", [0, 0.5, 3, 9.99, 10, 10.5, 11.5])
def test_positions_between_the_fixes_and_a_little_past_them(t: float) -> None:
    position = at(ring_of(*WALK), t)
    assert off_m(position, t) < 0.01
    assert position is not None
    assert position.utc_s == pytest.approx(UTC + t, abs=1e-3)
    assert position.at_ns == round(t * NS)


@pytest.mark.parametrize("t", [-1, -0.001, 11.501, 13, 1e6])
def test_none_before_the_first_or_long_after_the_newest(t: float) -> None:
    assert at(ring_of(*WALK), t) is None


def test_an_empty_ring_knows_nothing() -> None:
    assert at(ring_of(), 0) is None


def test_the_error_grows_past_the_newest_fix() -> None:
    ring = ring_of(*WALK)
    sigmas = [p.sigma_m for p in (at(ring, t) for t in (10, 10.5, 11.5)) if p]
    assert sigmas[0] == 2.0
    assert sigmas == sorted(sigmas)
    assert sigmas[2] == pytest.approx(2.5)


def test_the_configured_error_stands_in_for_an_untold_one() -> None:
    position = at(ring_of(fix(0, sigma_m=None), fix(1, sigma_m=None)), 0.5)
    assert position is not None
    assert position.sigma_m == 4.0


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"speed_mps": None, "course_deg": None},
        {"course_deg": None},
    ],
)
def test_a_walk_goes_on_past_the_newest_fix_whatever_is_told(more: dict[str, None]) -> None:
    ring = ring_of(*(fix(t, **more) for t in range(11)))
    assert off_m(at(ring, 11.4), 11.4) < 0.05


def test_who_stands_stays_past_the_newest_fix() -> None:
    ring = ring_of(*WALK, fix(11, speed_mps=0.1))
    assert off_m(at(ring, 12.4), 11) < 0.01


def test_a_hole_gives_no_position() -> None:
    ring = ring_of(*WALK, *(fix(t) for t in range(16, 20)))
    assert at(ring, 13) is None
    assert off_m(at(ring, 17.5), 17.5) < 0.01


def test_a_jump_is_dropped() -> None:
    ring = ring_of(*WALK[:5], fix(5, off_m=100), *WALK[6:])
    assert off_m(at(ring, 5), 5) < 0.01
    assert len(ring) == 10


def test_a_step_below_60_m_s_is_none_of_our_business() -> None:
    assert len(ring_of(*WALK[:5], fix(5, off_m=55))) == 6


def test_a_receiver_that_insists_on_another_place_is_believed() -> None:
    ring = ring_of(fix(0, off_m=1e6), *WALK[1:])
    assert off_m(at(ring, 10), 10) < 0.01
    assert at(ring, 0.5) is None  # between the wrong place and the right one lies nothing
    assert [len(ring_of(fix(0, off_m=1e6), *WALK[1:n])) for n in (2, 3, 4)] == [1, 1, 4]


def test_of_several_fixes_for_one_moment_the_last_counts() -> None:
    rough, fine = fix(5, off_m=8, sigma_m=9.0), fix(5, delay=0.2)
    position = at(ring_of(*WALK[:5], rough, fine), 5)
    assert off_m(position, 5) < 0.01
    assert position is not None
    assert position.sigma_m == 2.0


def test_without_gnss_time_fixes_of_one_moment_are_told_by_their_arrival() -> None:
    many = [fix(t + e, utc_s=None, off_m=e * 900) for t in range(6) for e in (0, 0.005)]
    ring = ring_of(*many)
    assert len(ring) == 6
    position = at(ring, 4.5)
    assert off_m(position, 4.5) < 5
    assert position is not None
    assert position.utc_s is None


def test_a_fix_out_of_order_changes_nothing() -> None:
    late = fix(4.5, delay=1.2, off_m=3)
    assert at(ring_of(*WALK[:6], late, *WALK[6:]), 5.5) == at(ring_of(*WALK), 5.5)


@pytest.mark.parametrize(
    "wrong",
    [{"lat_deg": math.nan}, {"lat_deg": 91.0}, {"lon_deg": math.nan}, {"lon_deg": -181.0},
     {"sigma_m": math.inf}, {"speed_mps": math.nan}, {"course_deg": math.inf},
     {"utc_s": math.nan}],
)  # fmt: skip
def test_impossible_numbers_are_dropped(wrong: dict[str, float]) -> None:
    assert len(ring_of(msgspec.structs.replace(WALK[0], **wrong))) == 0


def test_only_so_many_fixes_are_kept() -> None:
    ring = ring_of(*WALK, keep=4)
    assert len(ring) == 4
    assert at(ring, 2) is None


def test_without_a_fix_nothing_is_guessed_and_the_next_fix_is_taken() -> None:
    ring = ring_of(*WALK, Lost(at_ns=10 * NS + 1))
    assert at(ring, 10.2) is None
    assert at(ring, 9.5) is not None
    ring.add(fix(11))
    assert at(ring, 11.2) is not None


def test_a_fix_that_is_taken_back_is_forgotten() -> None:
    ring = ring_of(*WALK, Lost(at_ns=10 * NS + 1, utc_s=UTC + 10))
    assert at(ring, 9.5) is None
    assert at(ring, 9) is not None


@pytest.mark.parametrize(("speed", "sigma"), [(3.0, 3.0), (1.4, 3.0), (0.7, 5.7), (0.4, 9.9)])
def test_the_course_is_the_less_certain_the_slower(speed: float, sigma: float) -> None:
    position = at(ring_of(*(fix(t, speed_mps=speed, course_deg=77.0) for t in range(3))), 1.5)
    assert position is not None
    assert position.course_deg == pytest.approx(77)
    assert position.course_sigma_deg == pytest.approx(sigma, abs=0.1)


def test_the_course_turns_the_short_way_through_north() -> None:
    position = at(ring_of(fix(0, course_deg=350.0), fix(1, course_deg=20.0)), 0.5)
    assert position is not None
    assert position.course_deg == pytest.approx(5)


def test_no_course_while_standing() -> None:
    drift = [fix(t, off_m=random.Random(t).gauss(0, 0.3) - SPEED * t) for t in range(9)]
    for told in (0.05, None):
        still = [msgspec.structs.replace(f, speed_mps=told, course_deg=None) for f in drift]
        position = at(ring_of(*still), 7.5)
        assert position is not None
        assert (position.course_deg, position.course_sigma_deg) == (None, 180.0)


def test_without_doppler_the_course_is_that_of_a_stretch() -> None:
    walk = [fix(t, speed_mps=None, course_deg=None) for t in range(11)]
    ring = ring_of(*walk)
    for t in (0, 5, 10, 11):
        position = at(ring, t)
        assert position is not None
        assert position.course_deg == pytest.approx(0, abs=0.01)
        assert 3 <= position.course_sigma_deg < 10
    assert at(ring_of(*walk[:3]), 1).course_deg is None  # two seconds are too short


# Time. The boot clock is the only one that the scanner reads; GNSS time may do what it likes.


def test_delays_do_not_bend_the_walk() -> None:
    delays = random.Random(4)
    ring = ring_of(*(fix(t, delay=0.1 + delays.random() * 0.8) for t in range(20)))
    assert max(off_m(at(ring, t), t) for t in range(5, 19)) < SPEED * 0.25


def test_fixes_that_waited_and_come_all_at_once_are_set_apart_again() -> None:
    stuck = [fix(t, delay=11.9 - t) for t in (10.5, 11, 11.5)]
    ring = ring_of(*WALK, *stuck, fix(12))
    assert off_m(at(ring, 11.2), 11.2) < 0.01


YEARS = 20 * 365 * 86_400.0


@pytest.mark.parametrize(
    "step_s", [-UTC, -YEARS, YEARS, -18.0, 18.0, 3600.0, 1.0, -1.0], ids=lambda s: f"{s:+.0f}s"
)
def test_gnss_time_that_steps_costs_two_seconds_at_most(step_s: float) -> None:
    before = [fix(t, utc_s=UTC + step_s + t) for t in range(11)]
    ring = ring_of(*before)
    for t in range(11, 20):
        ring.add(fix(t))
        position = at(ring, t + 0.1)
        if abs(step_s) <= 1:
            assert off_m(position, t + 0.1) < 1.1 * SPEED
        elif t >= 13:
            assert off_m(position, t + 0.1) < 0.01
            assert position is not None
            assert position.utc_s == pytest.approx(UTC + t + 0.1, abs=1e-3)
    assert off_m(at(ring, 5), 5) <= 1.1 * SPEED
    assert off_m(at(ring, 15.5), 15.5) <= 1.1 * SPEED


def test_gnss_time_that_runs_backwards_gives_no_wrong_place() -> None:
    ring = ring_of(*(fix(t, utc_s=UTC - t) for t in range(30)))
    for t in range(30):
        position = at(ring, t)
        assert position is None or off_m(position, t) < 5


@pytest.mark.parametrize("rounds", [-2, -1, 1, 2])
def test_a_receiver_that_does_not_know_the_date_gives_places_but_no_wall_time(rounds: int) -> None:
    says_s = UTC + rounds * ROUND_S
    ring = ring_of(
        *(fix(t, utc_s=says_s + t) for t in range(5)), utc_from_s=UTC, utc_until_s=UTC + ROUND_S
    )
    position = at(ring, 3)
    assert off_m(position, 3) < 0.01
    assert position is not None
    assert position.utc_s is None


mishaps = st.lists(
    st.tuples(
        st.sampled_from(["ok", "ok", "ok", "twice", "jump", "lost", "missing", "late", "date"]),
        st.floats(0.0, 0.4),
    ),
    min_size=5,
    max_size=40,
)


@given(mishaps)
@settings(max_examples=40, deadline=None)
def test_no_mishap_moves_the_walker(story: list[tuple[str, float]]) -> None:
    """After a good fix, with never two wrong ones in a row: right to some metres, or absent."""
    ring = FixRing(sigma_m=4.0)
    may_err = False
    for t, (what, delay) in enumerate(story):
        good = fix(t, delay=delay)
        if what == "lost":
            ring.add(Lost(at_ns=good.at_ns))
        elif what in ("jump", "date") and may_err:
            may_err = False
            wrong = {"off_m": (-1) ** t * 5000.0} if what == "jump" else {"utc_s": UTC + t - YEARS}
            ring.add(fix(t, delay=delay, **wrong))
        elif what != "missing":
            may_err = True
            ring.add(good)
            if what == "twice":
                ring.add(msgspec.structs.replace(good, at_ns=good.at_ns + NS // 100))
            if what == "late" and t:
                ring.add(fix(t - 0.5, delay=delay + 0.5))
        for moment in (t - 1.8, t - 0.6, t + 0.1, t + 0.4):
            position = at(ring, moment)
            assert position is None or off_m(position, moment) < 3
    times = [f.at_ns for f in ring._fixes]
    assert times == sorted(set(times))
