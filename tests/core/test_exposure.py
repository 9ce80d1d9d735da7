"""Which cameras may see a way: the exact cut against a dense walk along it."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.core.exposure import Box, Exposure, Eye, Place, Sight, expose
from scanner.core.geometry import Origin, wrap_deg
from scanner.records import Kind

ORIGIN = Origin(60.17, 24.94)
SIGHT = Sight()
Metres = tuple[float, float]  # east, north


def place(at: Metres, origin: Origin = ORIGIN) -> Place:
    return origin.geodetic_from_enu(*at)


def eye(
    at: Metres,
    kind: Kind = Kind.DOME,
    *,
    direction_deg: float | None = None,
    sigma_m: float = 0.0,
    name: str = "a",
    origin: Origin = ORIGIN,
) -> Eye:
    lat, lon = place(at, origin)
    return Eye(id=name, lat_deg=lat, lon_deg=lon, kind=kind, sigma_m=sigma_m,
               direction_deg=direction_deg)  # fmt: skip


def exposure(
    line: list[Metres], eyes: list[Eye], sight: Sight = SIGHT, origin: Origin = ORIGIN
) -> Exposure:
    return expose([[place(at, origin) for at in line]], lambda _: eyes, sight)


STREET: list[Metres] = [(0, 0), (300, 0)]


def test_a_dome_by_the_road_sees_its_chord() -> None:
    found = exposure(STREET, [eye((150, 18))])
    assert found.length_m == pytest.approx(300, abs=0.05)
    assert found.seen_m == pytest.approx(2 * math.sqrt(30**2 - 18**2), abs=0.05)
    assert found.longest_unseen_m == pytest.approx(126, abs=0.05)
    (seen,) = found.cameras
    assert seen.nearest_m == pytest.approx(18, abs=0.05)
    assert seen.metres == pytest.approx(48, abs=0.05)
    assert [s.cameras for s in found.stretches] == [0, 1, 0]


@pytest.mark.parametrize(
    ("kind", "direction_deg", "seen_m"),
    [
        (Kind.BULLET, 180.0, 20.0),  # looks at the road, 10 m away, 90 degrees wide
        (Kind.ALPR, 180.0, 20.0),
        (Kind.BULLET, 0.0, 0.0),  # looks away
        (Kind.BULLET, None, 2 * math.sqrt(800)),  # may look anywhere
        (Kind.DOME, 0.0, 2 * math.sqrt(800)),  # looks all round
        (Kind.PTZ, 0.0, 2 * math.sqrt(800)),  # may turn
    ],
)
def test_only_what_cannot_turn_has_a_cone(
    kind: Kind, direction_deg: float | None, seen_m: float
) -> None:
    found = exposure(STREET, [eye((150, 10), kind, direction_deg=direction_deg)])
    assert found.seen_m == pytest.approx(seen_m, abs=0.05)


def test_doubt_about_the_place_widens_what_may_be_seen() -> None:
    sure = exposure(STREET, [eye((150, 10), Kind.BULLET, direction_deg=180)])
    unsure = exposure(STREET, [eye((150, 10), Kind.BULLET, direction_deg=180, sigma_m=3)])
    assert unsure.seen_m == pytest.approx(sure.seen_m + 2 * 3 * math.sqrt(2), abs=0.05)


def test_two_cameras_over_one_place_count_its_metres_once() -> None:
    found = exposure(STREET, [eye((140, 0), name="a"), eye((160, 0), name="b")])
    assert found.seen_m == pytest.approx(80, abs=0.05)
    assert [s.cameras for s in found.stretches] == [0, 2, 0]
    assert sum(c.metres for c in found.cameras) == pytest.approx(120, abs=0.1)


@pytest.mark.parametrize("pieces", [1, 2, 30, 1_000])
def test_a_camera_counts_once_however_many_points_the_track_has(pieces: int) -> None:
    line = [(300 * i / pieces, 0.0) for i in range(pieces + 1)]
    one = exposure(line, [eye((150, 18))])
    assert [s.cameras for s in one.stretches] == [0, 1, 0]
    assert one.stretches[1].metres == pytest.approx(48, abs=0.05)
    two = exposure(line, [eye((140, 0), name="a"), eye((160, 0), name="b")])
    assert [s.cameras for s in two.stretches] == [0, 2, 0]
    apart = exposure(line, [eye((50, 0), name="a"), eye((250, 0), name="b")])
    assert [s.cameras for s in apart.stretches] == [0, 1, 0, 1, 0]


BENT: list[Metres] = [(0, 0), (150, 0), (150, 10), (160, 10), (160, 0), (300, 0)]


@pytest.mark.parametrize("line", [BENT, [*STREET, (0, 0)], [(0, 0), (310, 0), (300, 0), (310, 5)]])
def test_a_camera_counts_once_where_the_way_bends_or_turns(line: list[Metres]) -> None:
    bends = [eye(at, name=str(at)) for at in line[1:-1]]
    for one in bends:
        assert {s.cameras for s in exposure(line, [one]).stretches} == {0, 1}
    assert max(s.cameras for s in exposure(line, bends).stretches) == len(bends)


def test_cameras_come_in_the_order_in_which_they_are_met() -> None:
    eyes = [eye((x, 5), name=str(x)) for x in (250, 50, 150)]
    assert [c.eye.id for c in exposure(STREET, eyes).cameras] == ["50", "150", "250"]


def test_there_and_back_is_under_view_twice() -> None:
    once = exposure(STREET, [eye((150, 0))])
    twice = exposure([*STREET, (0, 0)], [eye((150, 0))])
    assert twice.seen_m == pytest.approx(2 * once.seen_m, abs=0.05)
    assert twice.longest_unseen_m == pytest.approx(240, abs=0.05)


def test_what_lies_between_two_lines_belongs_to_no_way() -> None:
    lines = [[place((0, 0)), place((100, 0))], [place((900, 0)), place((1000, 0))]]
    found = expose(lines, lambda _: [eye((500, 0))], SIGHT)
    assert found.length_m == pytest.approx(200, abs=0.05)
    assert found.longest_unseen_m == pytest.approx(100, abs=0.05)
    assert found.seen_m == 0


@pytest.mark.parametrize("line", [[], [(5.0, 5.0)], [(5.0, 5.0), (5.0, 5.0)]])
def test_standing_still_is_no_way(line: list[Metres]) -> None:
    found = exposure(line, [eye((5, 5))])
    assert (found.length_m, found.seen_m, found.stretches) == (0, 0, ())


def test_a_way_across_the_date_line_is_as_long_as_any_other() -> None:
    edge = Origin(-17.0, 179.9995)
    found = exposure(STREET, [eye((150, 10), origin=edge)], origin=edge)
    assert found.length_m == pytest.approx(300, abs=0.05)
    assert found.seen_m == pytest.approx(2 * math.sqrt(800), abs=0.05)
    assert all(abs(lon) <= 180 for s in found.stretches for _, lon in s.places)


def test_a_long_straight_piece_is_asked_for_in_small_boxes() -> None:
    asked: list[Box] = []

    def around(box: Box) -> list[Eye]:
        asked.append(box)
        return []

    found = expose([[(60.0, 25.0), (60.5, 25.0)]], around, SIGHT)
    assert found.length_m == pytest.approx(55_708, rel=0.001)
    assert len(asked) > 20
    assert max(north - south for _, south, _, north in asked) < 0.03


def test_a_camera_at_the_edge_is_within_the_box_asked_for() -> None:
    boxes: list[Box] = []
    expose([[place(p) for p in STREET]], lambda box: boxes.append(box) or [], SIGHT)
    lat, lon = place((330, 0))
    assert any(w <= lon <= e and s <= lat <= n for w, s, e, n in boxes)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[Metres], list[Eye], Sight]:
    metres = st.floats(-120, 120).map(lambda v: round(v, 2))
    line = draw(st.lists(st.tuples(metres, metres), min_size=2, max_size=6, unique=True))
    kinds = st.sampled_from(list(Kind))
    directions = st.one_of(st.none(), st.floats(0, 359.9))
    eyes = [
        eye(draw(st.tuples(metres, metres)), draw(kinds), direction_deg=draw(directions),
            sigma_m=draw(st.floats(0, 5)), name=str(i))
        for i in range(draw(st.integers(1, 4)))
    ]  # fmt: skip
    return line, eyes, Sight(reach_m=draw(st.floats(5, 80)), cone_deg=draw(st.floats(10, 180)))


def seen_by(at: Metres, of: Eye, sight: Sight) -> bool:
    """The promise of the module, word for word, for one point."""
    camera = ORIGIN.enu_from_geodetic(of.lat_deg, of.lon_deg)
    east, north = at[0] - camera[0], at[1] - camera[1]
    if math.hypot(east, north) > sight.reach_m + min(of.sigma_m, sight.reach_m):
        return False
    if of.direction_deg is None or of.kind not in (Kind.BULLET, Kind.ALPR):
        return True
    half = math.radians(sight.cone_deg / 2)
    back = of.sigma_m / math.sin(half)  # the cone's point moved back covers the doubt
    turn = math.radians(of.direction_deg)
    east, north = east + back * math.sin(turn), north + back * math.cos(turn)
    off = wrap_deg(math.degrees(math.atan2(east, north)) - of.direction_deg)
    return abs(off) <= sight.cone_deg / 2 + 1e-9


@given(scenes())
@settings(max_examples=150, deadline=None)
def test_the_exact_cut_agrees_with_a_walk_in_small_steps(
    scene: tuple[list[Metres], list[Eye], Sight],
) -> None:
    line, eyes, sight = scene
    found = exposure(line, eyes, sight)
    step, seen, total = 0.25, 0.0, 0.0
    for a, b in pairwise(line):
        length = math.dist(a, b)
        parts = max(1, round(length / step))
        for t in (np.arange(parts) + 0.5) / parts:
            at = (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t)
            seen += length / parts * any(seen_by(at, e, sight) for e in eyes)
        total += length
    corners = 2 * step * len(eyes) * len(line) + 0.1
    assert found.length_m == pytest.approx(total, abs=0.1)
    assert found.seen_m == pytest.approx(seen, abs=corners)
    assert sum(s.metres for s in found.stretches) == pytest.approx(found.length_m)
    assert all(s.cameras <= len(found.cameras) for s in found.stretches)
