"""Tags for OpenStreetMap, the linter, and tags as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.core.osm import tags as osm
from scanner.core.osm.reading import (
    LONGEST,
    Unread,
    View,
    date,
    directions,
    height_m,
    mount,
    read,
    surveils,
)
from scanner.core.wire import Claims
from scanner.records import Kind
from tests.helpers.shown import CHECKED, SEEN


def degrees(value: str) -> list[float] | str:
    """Middles of the views, or why there are none."""
    found = directions(value)
    return found.reason if isinstance(found, Unread) else [v.direction_deg for v in found]


# --- directions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", [0]),
        ("160", [160]),
        ("360", [0]),
        ("045", [45]),
        ("90.5", [90.5]),
        ("90,5", [90.5]),
        (" 90 ", [90]),
        ("90°", [90]),
        ("90 deg", [90]),
        ("~90", [90]),
        ("-90", [270]),
        ("N", [0]),
        ("nw", [315]),
        ("SSW", [202.5]),
        ("north", [0]),
        ("North-West", [315]),
        ("north east", [45]),
        ("southwestern", [225]),
        ("90;180", [90, 180]),
        ("90,180", [90, 180]),
        ("90 / 270", [90, 270]),
        ("N;S", [0, 180]),
        ("30;", [30]),
        ("0;0;0", [0]),
    ],
)
def test_degrees_names_and_lists_are_read(value: str, expected: list[float]) -> None:
    assert degrees(value) == expected


@pytest.mark.parametrize(
    ("value", "middle", "width"),
    [
        ("10-55", 32.5, 45),
        ("338-23", 0.5, 45),
        ("350\u201310", 0, 20),
        ("0-180", 90, 180),
        ("NW-NE", 0, 90),
        ("90 to 180", 135, 90),
        ("0-360", 180, 360),
        ("all", 0, 360),
    ],
)
def test_a_sector_runs_clockwise(value: str, middle: float, width: float) -> None:
    assert directions(value) == (View(direction_deg=middle, width_deg=width),)


def test_several_sectors_are_several_views() -> None:
    assert directions("338-23;265-310") == (
        View(direction_deg=0.5, width_deg=45),
        View(direction_deg=287.5, width_deg=45),
    )


@pytest.mark.parametrize(
    ("value", "middle"), [("NB", 0), ("eb", 90), ("SB", 180), ("WB", 270), ("northbound", 0)]
)
def test_the_traffic_that_is_watched_is_marked_as_such(value: str, middle: float) -> None:
    assert directions(value) == (View(direction_deg=middle, of_traffic=True),)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "empty"),
        (" ; ", "empty"),
        ("370", "beyond a full turn"),
        ("456", "beyond a full turn"),
        ("forward", "relative to a road"),
        ("Flock Raven", "not a direction"),
        ("O", "not a direction"),  # east in German, west in French
        ("90-", "not a direction"),
        ("10-20-30", "not a direction"),
        ("90;quay", "not a direction"),
        ("1e2", "not a direction"),
        ("٩٠", "not a direction"),
        ("9" * 300, "longer than 255"),
    ],
)
def test_what_is_no_direction_says_why(value: str, reason: str) -> None:
    assert reason in str(degrees(value))


@given(st.text(max_size=300))
def test_any_text_is_views_or_a_reason(value: str) -> None:
    found = directions(value)
    if isinstance(found, Unread):
        assert found.reason
    else:
        assert found
        assert all(0 <= v.direction_deg < 360 for v in found)
        assert all(v.width_deg is None or 0 < v.width_deg <= 360 for v in found)


@given(st.lists(st.integers(0, 359), min_size=1, max_size=8, unique=True))
def test_what_we_write_we_read(bearings: list[int]) -> None:
    assert degrees(";".join(map(str, bearings))) == bearings


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"direction": "90"}, [90]),
        ({"camera:direction": "90"}, [90]),
        ({"camera:direction": "90", "direction": "120"}, [90]),
        ({"camera:direction": "Flock Raven", "direction": "120"}, [120]),
        ({"camera:direction": "EB", "direction": "120"}, [120]),
        ({"camera:direction": "EB"}, [90]),
        ({}, []),
    ],
)
def test_the_key_that_says_where_the_lens_points_counts(
    tags: dict[str, str], expected: list[float]
) -> None:
    assert [v.direction_deg for v in read(tags).views] == expected


@pytest.mark.parametrize(
    ("value", "expected"), [("90", 90), ("90;180", None), ("all", None), ("10-50", 30)]
)
def test_one_direction_is_only_said_where_there_is_one(value: str, expected: float | None) -> None:
    assert read({"direction": value}).direction_deg == expected


# --- the rest of a camera ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("street_lamp", "street_lamp"),
        ("streetlight", "street_lamp"),
        ("streelight", "street_lamp"),
        ("Street Light", "street_lamp"),
        ("lighting_pole", "street_lamp"),
        ("light", "street_lamp"),
        ("pole", "pole"),
        ("mast", "pole"),
        ("post", "pole"),
        ("flock pole", "pole"),
        ("traffic_signals", "traffic_signals"),
        ("traffic light", "traffic_signals"),
        ("wall", "wall"),
        ("ceiling", "ceiling"),
    ],
)
def test_spellings_of_mounts_are_known(value: str, expected: str) -> None:
    assert mount(value) == expected


@pytest.mark.parametrize("value", ["PTZ", "Falcon Mobile Unit", "4 at a 4way intersection", ""])
def test_what_is_no_mount_says_so(value: str) -> None:
    assert mount(value) == Unread("not a mount")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("3", 3), ("3.5", 3.5), ("3,5 m", 3.5), ("12'", 3.6576), ("12'6\"", 3.81), ("10 ft", 3.048)],
)
def test_heights_are_metres_or_feet(value: str, expected: float) -> None:
    assert height_m(value) == pytest.approx(expected)


@pytest.mark.parametrize("value", ["", "0", "999", "high", "-3", "3;4", "1e1"])
def test_what_is_no_height_says_so(value: str) -> None:
    assert isinstance(height_m(value), Unread)


@pytest.mark.parametrize(
    ("value", "read_as"),
    [("2026", "2026"), ("2026-11", "2026-11"), ("2026-11-23", "2026-11-23")],
)
def test_dates_are_read(value: str, read_as: str) -> None:
    assert date(value) == read_as


@pytest.mark.parametrize("value", ["", "2026-13", "23.11.2026", "2026-11-23T10:00", "~2026"])
def test_what_is_no_date_says_so(value: str) -> None:
    assert isinstance(date(value), Unread)


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        ({"camera:type": "fixed"}, Kind.BULLET),
        ({"camera:type": "dome"}, Kind.DOME),
        ({"camera:type": "panning"}, Kind.PTZ),
        ({"camera:type": "fixed", "surveillance:type": "ALPR"}, Kind.ALPR),
        ({"camera:type": "hidden"}, Kind.UNKNOWN),
        ({}, Kind.UNKNOWN),
    ],
)
def test_kinds_are_read(tags: dict[str, str], kind: Kind) -> None:
    assert read(tags).kind is kind


def test_what_cannot_be_read_is_listed_with_its_key() -> None:
    found = read({"direction": "370", "camera:mount": "PTZ", "height": "tall", "check_date": "?"})
    assert [key for key, _ in found.unread] == ["direction", "camera:mount", "height", "check_date"]


@pytest.mark.parametrize(
    ("tags", "is_one"),
    [
        ({"man_made": "surveillance"}, True),
        ({"man_made": "surveillance", "surveillance:type": "ALPR"}, True),
        ({"man_made": "surveillance", "surveillance:type": "guard"}, False),
        ({"man_made": "surveillance", "surveillance:type": "gunshot_detector"}, False),
        ({"amenity": "bench"}, False),
    ],
)
def test_guards_and_benches_are_no_cameras(tags: dict[str, str], *, is_one: bool) -> None:
    assert surveils(tags) is is_one


# --- what we write -------------------------------------------------------------------------------


def test_a_camera_has_all_that_is_known_of_it() -> None:
    found = osm.tags(
        kind=Kind.BULLET,
        last_seen="2026-11",
        direction_deg=359.7,
        height_m=3.24,
        reviewed={"camera:mount": "wall", "surveillance": "public", "surveillance:zone": "town"},
        claims=SEEN,
    )
    assert found == {
        "camera:direction": "0",
        "camera:mount": "wall",
        "camera:type": "fixed",
        "check_date": "2026-11",
        "height": "3.2",
        "man_made": "surveillance",
        "source": "survey",
        "surveillance": "public",
        "surveillance:type": "camera",
        "surveillance:zone": "town",
    }


@pytest.mark.parametrize("kind", [Kind.DOME, Kind.PTZ])
def test_where_a_dome_looks_is_not_claimed(kind: Kind) -> None:
    assert "camera:direction" not in osm.tags(kind=kind, last_seen="2026-11", direction_deg=90)


ALPR = {"surveillance:type": "ALPR", "manufacturer": "Flock Safety", "operator": "A City"}


def test_number_plates_maker_and_operator_are_a_reviewers_word() -> None:
    found = osm.tags(kind=Kind.ALPR, last_seen="2026-11", reviewed=ALPR, claims=CHECKED)
    assert found["surveillance:type"] == "ALPR"
    assert found["camera:type"] == "fixed"
    assert found["manufacturer:wikidata"] == "Q108485435"
    assert found["operator"] == "A City"


@pytest.mark.parametrize("claims", [None, SEEN])
def test_nobody_elses_word_will_do(claims: Claims | None) -> None:
    found = osm.tags(kind=Kind.ALPR, last_seen="2026-11", reviewed=ALPR, claims=claims)
    assert found["surveillance:type"] == "camera"
    assert not {"manufacturer", "operator", "camera:type"} & found.keys()


def test_a_reviewer_who_says_no_is_heard() -> None:
    found = osm.tags(
        kind=Kind.ALPR,
        last_seen="2026-11",
        reviewed={"surveillance:type": "camera"},
        claims=CHECKED,
    )
    assert found["surveillance:type"] == "camera"


GOOD = osm.tags(kind=Kind.DOME, last_seen="2026-11")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"surveillance": None}, "surveillance is missing"),
        ({"check_date": None}, "check_date is missing"),
        ({"source": "phone"}, "source=phone"),
        ({"camera:type": "doorbell"}, "camera:type=doorbell"),
        ({"camera:mount": "streetlight"}, "camera:mount=streetlight"),
        ({"camera:direction": "NB"}, "camera:direction=NB"),
        ({"camera:direction": "360"}, "camera:direction=360"),
        ({"camera:direction": "90.5"}, "camera:direction=90.5"),
        ({"direction": "90"}, "camera:direction is meant"),
        ({"height": "3 m"}, "height=3 m"),
        ({"height": "0"}, "height=0"),
        ({"check_date": "2026"}, "check_date=2026"),
        ({"note": "by Ann"}, "note: not a tag of a camera"),
        ({"manufacturer": "x" * (LONGEST + 1)}, "longer than"),
        ({"manufacturer": " Axis"}, "blanks"),
        ({"operator": "a\nb"}, "cannot be printed"),
        ({"manufacturer:wikidata": "Q634815"}, "stands without manufacturer"),
        ({"operator": "X", "operator:wikidata": "634815"}, "a number like"),
    ],
)
def test_the_linter_finds(changes: dict[str, str | None], problem: str) -> None:
    merged = {**GOOD, **changes}
    problems = osm.lint({k: v for k, v in merged.items() if v is not None})
    assert len(problems) == 1
    assert problem in problems[0]


def test_the_linter_knows_whose_word_a_claim_is() -> None:
    found = osm.tags(kind=Kind.ALPR, last_seen="2026-11", reviewed=ALPR, claims=CHECKED)
    assert osm.lint(found, CHECKED) == []
    assert len(osm.lint(found, SEEN)) == 4  # number plates, maker and its number, operator


keys = st.sampled_from([*osm.RULES, "direction", "note", "name"])
values = st.text(max_size=20) | st.sampled_from(
    ["ALPR", "dome", "wall", "90", "90;180", "3.5", "Q1", "Axis Communications", "public"]
)
bases = st.sampled_from(["reports", "reviewer", "unknown"])


@given(
    kind=st.sampled_from(Kind),
    direction_deg=st.none() | st.floats(0, 360, exclude_max=True),
    height=st.none() | st.floats(0, 100),
    reviewed=st.dictionaries(keys, values, max_size=10),
    claims=st.builds(Claims, present=bases, kind=bases, alpr=bases, maker=bases, operator=bases),
)
def test_whatever_is_written_passes_the_linter(
    kind: Kind,
    direction_deg: float | None,
    height: float | None,
    reviewed: dict[str, str],
    claims: Claims,
) -> None:
    found = osm.tags(
        kind=kind,
        last_seen="2026-11",
        direction_deg=direction_deg,
        height_m=height,
        reviewed=reviewed,
        claims=claims,
    )
    assert osm.lint(found, claims) == []
