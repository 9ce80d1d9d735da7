"""Reviewers' decisions on fused cameras: what holds whatever the order, and for how long."""

import math
import random
from collections.abc import Iterable, Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.core.fusing.fusion import Camera, Member, fuse
from scanner.core.fusing.vicinity import Report
from scanner.core.reviewing import decisions, reviewlog
from scanner.core.reviewing.decisions import Judged, apply
from scanner.core.reviewing.parting import split
from scanner.core.reviewing.reviewlog import (
    Anchor,
    Body,
    Merge,
    Move,
    Part,
    Rollback,
    Split,
    Tag,
    Undo,
    Word,
    encode_body,
)
from scanner.errors import WireError
from scanner.records import Covariance, Kind
from tests.helpers.reports import DAY, ORIGIN, Place, entry, report


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the log."""

    number: int
    verb: str
    camera_id: str = "c"
    anchor: Anchor = ("", 0)
    lat_deg: float = 0.0
    lon_deg: float = 0.0
    body: bytes = b""


def camera(
    place: Place,
    *members: int,
    kind: Kind = Kind.DOME,
    sigma_m: float = 1.0,
    share: float = 0.99,
    days: tuple[int, int] = (DAY, DAY),
) -> Camera:
    lat_deg, lon_deg = ORIGIN.geodetic_from_enu(*place)
    return Camera(
        members=tuple(Member(n, f"record-{n:04}", 0) for n in members),
        kind=kind,
        kind_share=share,
        lat_deg=float(lat_deg),
        lon_deg=float(lon_deg),
        covariance=Covariance(sigma_m**2, 0, sigma_m**2),
        height_m=3.0,
        first_day=days[0],
        last_day=days[1],
    )


def anchor(number: int) -> Anchor:
    return f"record-{number:04}", 0


def line(number: int, verb: str, on: Camera, body: Body | None = None) -> Line:
    """A decision on a camera as it is."""
    first = on.members[0]
    default = Word(on.kind, on.kind_share, on.covariance)
    return Line(
        number=number,
        verb=verb,
        camera_id=f"c{first.number}",
        anchor=(first.record_id, first.index),
        lat_deg=on.lat_deg,
        lon_deg=on.lon_deg,
        body=encode_body(body or default),
    )


def part(of: Camera, *members: int) -> Part:
    return Part(
        anchors=tuple(anchor(n) for n in members),
        lat_deg=of.lat_deg,
        lon_deg=of.lon_deg,
        covariance=of.covariance,
        kind=of.kind,
        kind_share=of.kind_share,
        height_m=of.height_m,
        first_day=of.first_day,
        last_day=of.last_day,
    )


def members(result: Sequence[Judged]) -> list[list[int]]:
    return sorted([m.number for m in j.camera.members] for j in result)


# --- verdicts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verbs", "verdict", "present"),
    [
        ([], None, ("yes", "reports")),
        (["confirm"], "confirmed", ("yes", "reviewer")),
        (["reject"], "rejected", ("no", "reviewer")),
        (["gone"], "gone", ("gone", "reviewer")),
        (["confirm", "reject"], "rejected", ("no", "reviewer")),
        (["reject", "confirm"], "confirmed", ("yes", "reviewer")),
        (["reject", "withdraw"], None, ("yes", "reports")),
    ],
)
def test_the_last_word_counts(
    verbs: list[str], verdict: str | None, present: tuple[str, str]
) -> None:
    here = camera((0, 0), 1)
    (found,) = apply([here], [line(i, verb, here) for i, verb in enumerate(verbs, 1)])
    assert found.verdict == verdict
    assert (found.present.value, found.present.basis) == present


def test_a_word_follows_its_anchor_to_whichever_camera_has_it() -> None:
    first, second = camera((0, 0), 1, 2), camera((30, 0), 3)
    log = [line(1, "reject", first)]
    moved = [camera((0, 0), 2), camera((30, 0), 1, 3)]
    assert [(j.camera.members[0].number, j.verdict) for j in apply(moved, log)] == [
        (1, "rejected"),
        (2, None),
    ]
    assert apply([second], log)[0].verdict is None


def test_undoing_an_undo_brings_the_word_back() -> None:
    here = camera((0, 0), 1)
    log = [line(1, "reject", here), line(2, "undo", here, Undo(1)), line(3, "undo", here, Undo(2))]
    assert [apply([here], log[:n])[0].verdict for n in range(4)] == [
        None,
        "rejected",
        None,
        "rejected",
    ]


def test_an_undo_cannot_reach_forward_or_itself() -> None:
    here = camera((0, 0), 1)
    log = [line(1, "undo", here, Undo(2)), line(2, "reject", here), line(3, "undo", here, Undo(3))]
    assert apply([here], log)[0].verdict == "rejected"


# --- tombstones ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kept", [True, False])
def test_a_rejected_place_stays_rejected_through_a_thousand_later_sightings(
    seed: int,
    kept: bool,  # noqa: FBT001
) -> None:
    """Whatever fusion makes of them, and whether the rejected record is still part of the map."""
    dice = random.Random(seed)
    first = report(1, [entry((0, 0))])
    log = [line(1, "reject", fuse([first])[0])]
    later = [report(n, [entry((dice.gauss(0, 3), dice.gauss(0, 3)))]) for n in range(2, 1_002)]
    found = apply(fuse([first, *later] if kept else later), log)
    assert sum(j.camera.reports for j in found) == 1_000 + kept
    assert {j.verdict for j in found} == {"rejected"}
    assert len(found) > 1 or kept


def test_a_reviewer_brings_back_what_stands_in_a_rejected_place() -> None:
    old, new = camera((0, 0), 1), camera((2, 0), 2)
    log = [line(1, "reject", old)]
    assert apply([new], log)[0].tombstone == 1
    confirmed = apply([new], [*log, line(2, "confirm", new)])[0]
    assert (confirmed.verdict, confirmed.tombstone) == ("confirmed", None)
    released = apply([new], [*log, line(2, "withdraw", new)])[0]
    assert (released.verdict, released.tombstone) == (None, None)
    assert apply([new], [*log, line(2, "undo", new, Undo(1))])[0].verdict is None


def test_a_tombstone_is_lifted_by_a_later_word_on_the_same_camera() -> None:
    old, new = camera((0, 0), 1), camera((2, 0), 2)
    log = [line(1, "reject", old), line(2, "confirm", old)]
    assert apply([new], log)[0].verdict is None
    assert [j.verdict for j in apply([old, new], log)] == ["confirmed", None]


@settings(max_examples=100, deadline=None)
@given(
    bearing=st.floats(0, 6.3),
    distance_m=st.floats(15, 100),
    sigma_m=st.floats(0.3, 20),
)
def test_a_different_camera_15_m_away_is_not_hit(
    bearing: float, distance_m: float, sigma_m: float
) -> None:
    old = camera((0, 0), 1, sigma_m=sigma_m)
    place = distance_m * math.cos(bearing), distance_m * math.sin(bearing)
    other = camera(place, 2, sigma_m=sigma_m)
    log = [line(1, "reject", old)]
    assert apply([other], log)[0].verdict is None
    assert {j.verdict for j in apply([old, other], log)} == {"rejected", None}


def test_a_neighbour_that_stood_there_at_the_rejection_is_spared() -> None:
    bogus, real = camera((0, 0), 1), camera((3, 0), 2)
    word = Word(bogus.kind, bogus.kind_share, bogus.covariance, (anchor(2),))
    log = [line(1, "reject", bogus, word)]
    later = camera((3.2, 0), 2, 5, 6)
    assert [j.verdict for j in apply([bogus, later], log)] == ["rejected", None]
    assert apply([real], [line(1, "reject", bogus)])[0].verdict == "rejected"


@pytest.mark.parametrize(
    ("kind", "share", "hit"),
    [
        (Kind.DOME, 0.99, True),
        (Kind.UNKNOWN, 0.2, True),
        (Kind.BULLET, 0.8, True),  # named once: may be the same thing, named wrongly
        (Kind.BULLET, 0.99, False),
    ],
)
def test_a_tombstone_is_for_its_kind_of_camera(kind: Kind, share: float, *, hit: bool) -> None:
    old, new = camera((0, 0), 1), camera((1, 0), 2, kind=kind, share=share)
    assert (apply([new], [line(1, "reject", old)])[0].verdict == "rejected") == hit


# --- merge and split ----------------------------------------------------------------------------


def test_a_merge_makes_one_camera_of_two() -> None:
    one = camera((0, 0), 1, 4, sigma_m=1, days=(DAY - 5, DAY))
    other = camera((2, 0), 2, sigma_m=1, days=(DAY, DAY + 9))
    (found,) = apply([one, other], [line(1, "merge", other, Merge(anchor(1)))])
    assert members([found]) == [[1, 2, 4]]
    east, north = ORIGIN.enu_from_geodetic(found.place.lat_deg, found.place.lon_deg)
    assert (float(east), float(north)) == pytest.approx((1, 0), abs=0.01)
    assert (found.camera.first_day, found.camera.last_day) == (DAY - 5, DAY + 9)
    assert found.place.sigma_m == pytest.approx(0.5**0.5, rel=0.01)  # 2 m apart: as expected


def test_cameras_that_disagree_are_less_certain_when_merged() -> None:
    one, other = camera((0, 0), 1), camera((10, 0), 2, kind=Kind.BULLET)
    (found,) = apply([one, other], [line(1, "merge", one, Merge(anchor(2)))])
    assert found.place.sigma_m > 3
    assert found.kind == decisions.NOTHING  # half say dome, half bullet


def test_a_split_takes_members_out_and_leaves_the_rest() -> None:
    both = camera((1, 0), 1, 2, 3, 4)
    left, right = camera((0, 0), 1, 3), camera((2, 0), 2, 4)
    log = [line(1, "split", both, Split(part(right, 2, 4), part(left, 1, 3)))]
    assert members(apply([both], log)) == [[1, 3], [2, 4]]
    places = [round(float(ORIGIN.enu_from_geodetic(j.place.lat_deg, j.place.lon_deg)[0]), 2)
              for j in apply([both], log)]  # fmt: skip
    assert places == [0, 2]
    grown = msgspec.structs.replace(both, members=(*both.members, Member(9, "record-0009", 0)))
    assert members(apply([grown], log)) == [[1, 3, 9], [2, 4]]


def test_a_split_that_fusion_has_come_to_see_changes_nothing() -> None:
    both = camera((1, 0), 1, 2)
    left, right = camera((0, 0), 1), camera((2, 0), 2)
    log = [line(1, "split", both, Split(part(right, 2), part(left, 1)))]
    now = [camera((0.2, 0), 1, 5), camera((2.2, 0), 2, 6)]
    assert [j.camera for j in apply(now, log)] == now


def test_later_records_go_to_the_nearer_part_of_a_split_and_move_it() -> None:
    """In whatever order they come; and what comes of it is judged again without a change."""
    dice = random.Random(5)
    at = {1: 0.0, 2: 0.4, 3: 6.0} | {n: 1.5 + 6 * (n % 2) for n in range(4, 24)}
    reports = [report(n, [entry((x, 0), sigma_m=2)]) for n, x in at.items()]
    later = [
        msgspec.structs.replace(r, record=msgspec.structs.replace(r.record, bucket=DAY + 50))
        for r in reports[3:]
    ]
    reports[3:] = later

    def fetch(numbers: Iterable[int]) -> list[Report]:
        return [r for r in reports if r.number in set(numbers)]

    (early,) = fuse(reports[:3])
    said = split(early, {r.record_id: r.record for r in reports[:3]}, [(reports[2].record_id, 0)])
    log = [line(1, "split", early, said)]
    (all_in_one,) = fuse(reports)
    west, east = apply([all_in_one], log, fetch)
    assert members([west]) == [[1, 2, *range(4, 24, 2)]]
    assert members([east]) == [[3, *range(5, 24, 2)]]
    places = [float(ORIGIN.enu_from_geodetic(j.place.lat_deg, j.place.lon_deg)[0])
              for j in (west, east)]  # fmt: skip
    assert places == pytest.approx([1.3, 7.4], abs=0.15)
    assert {j.camera.last_day for j in (west, east)} == {DAY + 50}
    assert east.place.sigma_m < 2

    assert apply([west.camera, east.camera], log, fetch) == [west, east]
    dice.shuffle(reports)
    assert apply(fuse(reports), log, fetch) == [west, east]
    merge = line(2, "merge", west.camera, Merge(said.named.anchors[0]))
    (one,) = apply([all_in_one], [*log, merge], fetch)
    (again,) = apply([one.camera], [*log, merge], fetch)
    assert again.place == one.place


def test_a_merge_after_a_split_makes_them_one_again() -> None:
    both = camera((1, 0), 1, 2)
    left, right = camera((0, 0), 1), camera((2, 0), 2)
    log = [line(1, "split", both, Split(part(right, 2), part(left, 1)))]
    log.append(line(2, "merge", left, Merge(anchor(2))))
    assert members(apply([both], log)) == [[1, 2]]


def test_merge_and_split_survive_a_rebuild() -> None:
    """The same records fused afresh in another order, with more of them: the log still fits."""
    dice = random.Random(3)
    reports = [
        report(n, [entry((dice.gauss(x, 0.5), 0)), entry((x + 8, dice.gauss(0, 0.5)))])
        for n, x in enumerate([0, 0, 0, 40, 40, 40], 1)
    ]
    before = fuse(reports)
    assert len(before) == 4
    log = [line(1, "merge", before[0], Merge((before[1].members[0].record_id, 1)))]
    expected = apply(before, log)
    assert len(expected) == 3
    dice.shuffle(reports)
    assert apply(fuse(reports), log) == expected
    more = [*reports, report(9, [entry((0.3, 0)), entry((8.2, 0))])]
    again = apply(fuse(more), log)
    assert sorted(j.camera.reports for j in again) == [3, 3, 8]


# --- move, tags, claims -------------------------------------------------------------------------


def test_a_move_puts_the_camera_where_the_reviewer_says() -> None:
    here = camera((0, 0), 1, sigma_m=4)
    lat_deg, lon_deg = map(float, ORIGIN.geodetic_from_enu(5, 5))
    (found,) = apply([here], [line(1, "move", here, Move(lat_deg, lon_deg))])
    assert (found.place.lat_deg, found.place.lon_deg) == (lat_deg, lon_deg)
    assert (found.place.sigma_m, found.place.basis) == (1.0, "reviewer")
    assert found.camera == here


@pytest.mark.parametrize(
    ("tags", "claim", "value"),
    [
        ({"camera:type": "fixed"}, "kind", "bullet"),
        ({"surveillance:type": "ALPR"}, "kind", "alpr"),
        ({"surveillance:type": "ALPR"}, "alpr", "yes"),
        ({"surveillance:type": "camera"}, "alpr", "no"),
        ({"manufacturer": "Axis"}, "maker", "Axis"),
        ({"operator": "City"}, "operator", "City"),
    ],
)
def test_each_claim_rests_on_its_own_basis(tags: dict[str, str], claim: str, value: str) -> None:
    here = camera((0, 0), 1)
    (found,) = apply([here], [line(1, "tag", here, Tag(tags))])
    assert getattr(found, claim) == decisions.Claim(value, "reviewer")
    for other in {"kind", "alpr", "maker", "operator"} - {claim, "kind", "alpr"}:
        assert getattr(found, other) == decisions.NOTHING
    assert found.present.basis == "reports"


def test_tags_add_up_and_an_empty_value_takes_one_away() -> None:
    here = camera((0, 0), 1)
    log = [line(1, "tag", here, Tag({"operator": "City", "camera:mount": "pole"}))]
    log.append(line(2, "tag", here, Tag({"operator": "", "height": "4"})))
    assert apply([here], log)[0].tags == {"camera:mount": "pole", "height": "4"}
    undone = [*log, line(3, "undo", here, Undo(2))]
    assert apply([here], undone)[0].tags == {"operator": "City", "camera:mount": "pole"}


def test_reports_alone_never_say_that_a_camera_reads_plates() -> None:
    (found,) = apply([camera((0, 0), 1, kind=Kind.ALPR)], [])
    assert (found.kind.value, found.alpr) == ("alpr", decisions.Claim("looks", "reports"))


def test_a_reviewer_who_says_that_it_reads_no_plates_takes_that_kind_away() -> None:
    here = camera((0, 0), 1, kind=Kind.ALPR)
    log = [line(1, "tag", here, Tag({"surveillance:type": "camera"}))]
    (found,) = apply([here], log)
    assert (found.kind, found.alpr) == (decisions.NOTHING, decisions.Claim("no", "reviewer"))
    log.append(line(2, "tag", here, Tag({"camera:type": "fixed"})))
    assert apply([here], log)[0].kind == decisions.Claim(Kind.BULLET, "reviewer")
    log += [line(n, "undo", here, Undo(n - 2)) for n in (3, 4)]
    assert apply([here], log)[0].kind == decisions.Claim(Kind.ALPR, "reports")


def test_a_doorbell_is_private() -> None:
    here = camera((0, 0), 1)
    (found,) = apply([here], [line(1, "tag", here, Tag({"camera:type": "doorbell"}))])
    assert found.private


DOORBELL = Tag({"camera:type": "doorbell"})


@pytest.mark.parametrize("kind", [Kind.DOME, Kind.BULLET])
def test_the_place_of_a_doorbell_stays_rejected_without_the_record_that_was_tagged(
    kind: Kind,
) -> None:
    here, again = camera((0, 0), 1), camera((2, 0), 2, kind=kind)
    log = [line(1, "tag", here, DOORBELL)]
    assert [(j.verdict, j.tombstone) for j in apply([again], log)] == [("rejected", 1)]
    # A word on the doorbell itself changes nothing about that.
    for verb in ("confirm", "withdraw", "gone"):
        assert apply([again], [*log, line(2, verb, here)])[0].verdict == "rejected"
    assert apply([again], [*log, line(2, "undo", here, Undo(1))])[0].verdict is None
    for tags in ({"camera:type": ""}, {"camera:type": "fixed"}):
        assert apply([again], [*log, line(2, "tag", here, Tag(tags))])[0].verdict is None
    assert apply([again], [*log, line(2, "tag", here, Tag({"height": "2"}))])[0].tombstone == 1


def test_beside_a_doorbell_a_later_look_publishes_and_an_earlier_one_does_not() -> None:
    bell, other = camera((0, 0), 1), camera((8, 0), 2)
    tag = line(2, "tag", bell, DOORBELL)
    for lines, verdict in (
        ([line(1, "confirm", other), tag], "rejected"),
        ([tag, line(3, "withdraw", other)], "rejected"),
        ([tag, line(3, "confirm", other)], "confirmed"),
    ):
        found = apply([bell, other], lines)
        assert [j.private for j in found] == [True, False]
        assert found[1].verdict == verdict
        assert found[1].tombstone == (None if verdict == "confirmed" else 2)
    seen = Word(bell.kind, bell.kind_share, bell.covariance, (anchor(2),))
    spared = line(2, "tag", bell, Tag(DOORBELL.tags, seen))
    assert apply([bell, other], [spared])[1].verdict is None


# --- the log as a whole -------------------------------------------------------------------------

CAMERAS = [
    camera((0, 0), 1, 2, 3),
    camera((6, 0), 4, 5),
    camera((12, 2), 6, kind=Kind.BULLET),
    camera((40, 0), 7, 8),
]
EMPTY = Rollback("harbour", "held")
SPLIT = Split(part(camera((1, 1), 3), 3), part(camera((0, 0), 1, 2), 1, 2))
ENTRIES = st.one_of(
    st.tuples(st.sampled_from(["confirm", "reject", "withdraw", "gone"]), st.none()),
    st.tuples(st.just("merge"), st.integers(1, 8).map(lambda n: Merge(anchor(n)))),
    st.just(("split", SPLIT)),
    st.just(("rollback", EMPTY)),
    st.tuples(st.just("move"), st.builds(Move, st.floats(52.3, 52.4), st.floats(4.8, 4.9))),
    st.tuples(
        st.just("tag"),
        st.builds(Tag, st.dictionaries(st.sampled_from("ab"), st.sampled_from(["", "x", "y"]))),
    ),
    st.just(("tag", DOORBELL)),
    st.just(("tag", Tag({"camera:type": ""}))),
    st.tuples(st.just("undo"), st.integers(1, 12).map(Undo)),
)


@st.composite
def logs(draw: st.DrawFn) -> list[Line]:
    entries = draw(st.lists(ENTRIES, max_size=12))
    return [
        line(i, verb, draw(st.sampled_from(CAMERAS)), body)
        for i, (verb, body) in enumerate(entries, 1)
    ]


@settings(max_examples=60, deadline=None)
@given(log=logs(), order=st.permutations(CAMERAS), data=st.data())
def test_the_order_of_cameras_and_lines_does_not_matter(
    log: list[Line], order: list[Camera], data: st.DataObject
) -> None:
    expected = apply(CAMERAS, log)
    assert apply(order, data.draw(st.permutations(log))) == expected
    assert members(expected) == sorted(members(expected))
    assert sum(map(len, members(expected))) == 8  # nothing is lost, nothing doubled


@settings(max_examples=60, deadline=None)
@given(log=logs(), data=st.data())
def test_undoing_a_decision_is_never_having_made_it(log: list[Line], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(log)))
    extra = line(100, *[("reject", "merge", "tag")[number % 3], CAMERAS[number % 4]],
                 [None, Merge(anchor(1)), Tag({"a": "z"})][number % 3])  # fmt: skip
    undo = line(101, "undo", CAMERAS[0], Undo(100))
    assert apply(CAMERAS, [*log, extra, undo]) == apply(CAMERAS, log)


@settings(max_examples=50, deadline=None)
@given(log=logs())
def test_a_part_of_the_map_with_its_anchors_is_judged_as_the_whole(log: list[Line]) -> None:
    whole = {j.camera.members: j for j in apply(CAMERAS, log)}
    near = CAMERAS[:3]
    wanted = reviewlog.anchors(log)
    if any((m.record_id, m.index) in wanted for m in CAMERAS[3].members):
        near = CAMERAS
    for found in apply(near, log):
        assert whole[found.camera.members] == found


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("confirm", b""),
        ("confirm", b"\xc1"),
        ("confirm", encode_body(Undo(1))),
        ("burn", encode_body(Undo(1))),
        ("merge", encode_body(Tag({}))),
    ],
)
def test_a_damaged_log_is_an_error_and_not_a_guess(verb: str, body: bytes) -> None:
    with pytest.raises(WireError, match="line 7 of the review log"):
        apply(CAMERAS, [Line(number=7, verb=verb, body=body)])
