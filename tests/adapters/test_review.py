"""The reviewers' desk on a real database: what a decision does to the map, and what comes first."""

import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec
import pytest
from nacl.public import PrivateKey

from scanner.core.reviewing.decisions import judged
from scanner.core.wire import CameraFeature, Record
from scanner.errors import StoreError, UsageError
from scanner.hub import keys, mapping
from scanner.hub.features import Policy, project
from scanner.hub.ingest import Ingest
from scanner.hub.review import ReviewDesk, Wanted, meaning
from scanner.hub.review_queue import likely
from scanner.hub.stores import open_store
from scanner.hub.stores.protocol import PUBLIC, Box, Known, Store
from scanner.records import Kind
from scanner.sealing import seal
from tests.helpers.maps import STORES, database, keep
from tests.helpers.reports import DAY, ORIGIN, entry, record

KEY = PrivateKey(bytes(range(32)))
NAME = partial(keys.camera_id, keys.naming_key(KEY))
REFRESH = partial(mapping.refresh, name=NAME)
NOW_S = (DAY + 3) * 86_400.0
TWO = Policy(reports=2)
BOTH = pytest.mark.parametrize("store", STORES, indirect=True)


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with (
        database(getattr(request, "param", "sqlite"), tmp_path) as url,
        closing(open_store(url)) as opened,
    ):
        mapping.set_policy(opened, TWO)
        yield opened


@pytest.fixture
def desk(store: Store) -> ReviewDesk:
    return ReviewDesk(store, mapping.policy_of(store), REFRESH, lambda: NOW_S)


def take_in(store: Store, *values: Record) -> None:
    Ingest(store, KEY, lambda: NOW_S).take([seal(v, KEY.public_key) for v in values])
    while mapping.fuse_waiting(store, NAME):
        pass


def public(store: Store) -> list[CameraFeature]:
    return [
        msgspec.json.decode(s.feature, type=CameraFeature)
        for s in store.shown(None, statuses=PUBLIC)
    ]


def ids(store: Store) -> list[str]:
    """Of all cameras, from west to east."""
    return [s.id for s in sorted(store.cameras(), key=lambda s: s.camera.lon_deg)]


def want(verb: str, camera_id: str, **more: object) -> Wanted:
    return msgspec.convert({"verb": verb, "camera_id": camera_id, **more}, Wanted)


# --- decisions ----------------------------------------------------------------------------------


def test_a_reviewer_publishes_and_takes_off(store: Store, desk: ReviewDesk) -> None:
    take_in(store, record([entry((0, 0))]))
    (camera_id,) = ids(store)
    assert public(store) == []
    first = desk.act("ana", want("confirm", camera_id))
    (feature,) = public(store)
    assert (feature.id, feature.properties.basis.present) == (camera_id, "reviewer")
    second = desk.act("ben", want("reject", camera_id))
    assert public(store) == []
    assert [(line.number, line.reviewer, line.verb) for line in desk.log()] == [
        (first, "ana", "confirm"),
        (second, "ben", "reject"),
    ]


@BOTH
def test_every_decision_can_be_taken_back_and_the_map_is_as_before(
    store: Store, desk: ReviewDesk
) -> None:
    for shift in (0, 0.7):
        take_in(store, record([entry((shift, 0)), entry((9 + shift, 0))]))
        take_in(store, record([entry((60, 0), Kind.BULLET)]))
    west, middle, east = ids(store)

    def everything() -> list[object]:
        return [(s.id, s.camera, s.shown) for s in store.cameras()]

    before = everything()
    assert len(public(store)) == 3
    lat_deg, lon_deg = ORIGIN.geodetic_from_enu(62, 3)
    for wanted in (
        want("confirm", west),
        want("reject", west),
        want("gone", middle),
        want("merge", west, **{"with": middle}),
        want("split", west),
        want("move", east, lat=lat_deg, lon=lon_deg),
        want("tag", east, tags={"surveillance:type": "ALPR", "manufacturer": "Genetec"}),
        want("tag", east, tags={"camera:type": "doorbell"}),
    ):
        number = desk.act("ana", wanted)
        assert everything() != before, wanted
        undoing = desk.undo("ben", number)
        assert everything() == before, wanted
        with pytest.raises(UsageError, match="does not count any more"):
            desk.undo("ben", number)
        desk.undo("ana", undoing)
        assert everything() != before
        desk.undo("ana", desk.log(limit=1000)[-1].number)
        assert everything() == before
    assert len(desk.log(limit=1000)) == 8 * 4
    assert mapping.rebuild(store, NAME) == []


@BOTH
def test_a_merged_camera_stays_one_while_reports_come_in_and_through_a_rebuild(
    store: Store, desk: ReviewDesk
) -> None:
    take_in(store, record([entry((0, 0))], common_m=0.5), record([entry((7, 0))], common_m=0.5))
    west, east = ids(store)
    desk.act("ana", want("merge", west, **{"with": east}))
    (merged,) = store.cameras()
    assert merged.camera.reports == 2
    take_in(store, record([entry((0.2, 0))], common_m=0.5), record([entry((7, 0))], common_m=0.5))
    assert [s.camera.reports for s in store.cameras()] == [4]
    assert mapping.rebuild(store, NAME) == []
    assert [s.camera.reports for s in store.cameras()] == [4]


@BOTH
def test_a_split_divides_what_differs_and_lasts(store: Store, desk: ReviewDesk) -> None:
    take_in(store, *[record([entry((x, 0), sigma_m=2)]) for x in (0, 0.3, -0.2, 5, 5.2, 4.9)])
    (camera_id,) = ids(store)
    number = desk.act("ana", want("split", camera_id))
    assert meaning(desk.log()[-1]) == "3 records apart"
    cameras = sorted((s.camera for s in store.cameras()), key=lambda c: c.lon_deg)
    assert [c.reports for c in cameras] == [3, 3]
    places = [ORIGIN.enu_from_geodetic(c.lat_deg, c.lon_deg)[0] for c in cameras]
    assert places == pytest.approx([0.03, 5.03], abs=0.05)
    assert mapping.rebuild(store, NAME) == []
    assert number == 1


@BOTH
def test_the_parts_of_a_split_follow_the_records_that_come_later(
    store: Store, desk: ReviewDesk
) -> None:
    take_in(store, *[record([entry((x, 0), sigma_m=2)]) for x in (0, 0.3, 5)])
    desk.act("ana", want("split", *ids(store)))
    take_in(store, *[record([entry((x, 0), sigma_m=2)], day=DAY + 2) for x in (1, 1.4, 6.2, 6.4)])
    cameras = sorted((s.camera for s in store.cameras()), key=lambda c: c.lon_deg)
    assert [(c.reports, c.last_day) for c in cameras] == [(4, DAY + 2), (3, DAY + 2)]
    places = [ORIGIN.enu_from_geodetic(c.lat_deg, c.lon_deg)[0] for c in cameras]
    assert places == pytest.approx([0.7, 5.9], abs=0.2)
    before = [(s.id, s.camera, s.shown) for s in store.cameras()]
    mapping.set_policy(store, Policy(reports=3))
    mapping.set_policy(store, TWO)
    assert [(s.id, s.camera, s.shown) for s in store.cameras()] == before
    assert mapping.rebuild(store, NAME) == []


def test_a_neighbour_that_a_reviewer_moved_is_spared_by_a_rejection(
    store: Store, desk: ReviewDesk
) -> None:
    for _ in range(2):
        take_in(store, record([entry((0, 0)), entry((6, 0))]))
    west, east = ids(store)
    lat_deg, lon_deg = ORIGIN.geodetic_from_enu(96, 0)
    desk.act("ana", want("move", east, lat=lat_deg, lon=lon_deg))
    desk.act("ana", want("reject", west))
    assert [f.id for f in public(store)] == [east]


def test_a_split_needs_records_on_either_side(store: Store, desk: ReviewDesk) -> None:
    take_in(store, record([entry((0, 0))]))
    (camera_id,) = ids(store)
    with pytest.raises(UsageError, match="on either side"):
        desk.act("ana", want("split", camera_id))


def test_what_a_reviewer_says_of_a_camera_is_published_with_its_basis(
    store: Store, desk: ReviewDesk
) -> None:
    take_in(store, record([entry((0, 0))]), record([entry((0, 0))]))
    (camera_id,) = ids(store)
    desk.act("ana", want("tag", camera_id, tags={"operator": "City", "camera:direction": "90"}))
    desk.act("ana", want("tag", camera_id, tags={"camera:type": "fixed"}))
    (feature,) = public(store)
    p = feature.properties
    assert (p.kind, p.direction_deg) == (Kind.BULLET, 90)
    assert (p.basis.kind, p.basis.operator, p.basis.maker) == ("reviewer", "reviewer", "unknown")
    assert p.tags["operator"] == "City"
    desk.act("ana", want("gone", camera_id))
    assert [f.properties.status for f in public(store)] == ["gone"]


def test_a_private_home_is_never_published(store: Store, desk: ReviewDesk) -> None:
    take_in(store, record([entry((0, 0))]), record([entry((0, 0))]))
    (camera_id,) = ids(store)
    desk.act("ana", want("tag", camera_id, tags={"camera:type": "doorbell"}))
    desk.act("ana", want("confirm", camera_id))
    take_in(store, *[record([entry((0, 0))]) for _ in range(5)])
    assert public(store) == []


@BOTH
def test_a_private_home_stays_hidden_when_the_tagged_record_leaves_the_map(
    store: Store, desk: ReviewDesk
) -> None:
    with store.transaction():
        for number, cohort in enumerate(("north", "south", "east")):
            keep(store, f"{number:032x}", record([entry((0, 0))]), cohort)
    while mapping.fuse_waiting(store, NAME):
        pass
    number = desk.act("ana", want("tag", ids(store)[0], tags={"surveillance:zone": "home"}))
    assert desk.queue() == []
    with store.transaction():
        store.set_cohort_state("north", "held")
    mapping.fuse_again(store, NAME, lambda: store.reports_of_cohort("north"))
    assert [s.camera.reports for s in store.cameras()] == [2]
    assert public(store) == []
    assert mapping.rebuild(store, NAME) == []
    desk.undo("ana", number)
    assert len(public(store)) == 1


def test_what_is_seen_again_beside_a_private_home_waits_for_a_reviewer(
    store: Store, desk: ReviewDesk
) -> None:
    for _ in range(2):
        take_in(store, record([entry((0, 0))], common_m=1))
    (bell,) = ids(store)
    desk.act("ana", want("tag", bell, tags={"camera:type": "doorbell"}))
    for _ in range(2):
        take_in(store, record([entry((8, 0), Kind.BULLET)], common_m=1))
    (new,) = set(ids(store)) - {bell}
    assert public(store) == []
    assert [(item.id, item.reasons) for item in desk.queue()] == [
        (new, ["in a place that was rejected, beside a private home"])
    ]
    desk.act("ana", want("confirm", new))
    assert [f.id for f in public(store)] == [new]


@BOTH
@pytest.mark.parametrize("page", [1, 2_000])
def test_a_new_rule_takes_a_tombstone_for_where_its_camera_is_now(
    store: Store, desk: ReviewDesk, page: int
) -> None:
    """However the cameras come by page: the place was rejected, the camera is elsewhere since."""
    take_in(store, record([entry((0, 0), sigma_m=3)], common_m=4))
    desk.act("ana", want("reject", *ids(store)))
    take_in(store, *[record([entry((8, 0), sigma_m=1)], common_m=2) for _ in range(12)])
    take_in(store, record([entry((8, 0), sigma_m=0.3), entry((19, 0), sigma_m=0.3)], common_m=2))
    assert [s.verdict for s in store.cameras()] == ["rejected", "rejected"]
    before = [(s.id, s.camera, s.shown) for s in store.cameras()]
    mapping.set_policy(store, Policy(reports=3), page=page)
    mapping.set_policy(store, TWO, page=page)
    assert [(s.id, s.camera, s.shown) for s in store.cameras()] == before
    assert mapping.rebuild(store, NAME) == []


@pytest.mark.parametrize("page", [1, 2_000])
def test_a_new_rule_knows_which_tombstones_were_taken_back_under_another_name(
    store: Store, desk: ReviewDesk, page: int
) -> None:
    take_in(store, record([entry((40, 0))], common_m=1))
    take_in(store, record([entry((0, 0))], common_m=1))
    rejected, other = ids(store)
    desk.act("ana", want("reject", rejected))
    for _ in range(2):
        take_in(store, record([entry((-9, 0))], common_m=1))
    desk.act("ana", want("merge", rejected, **{"with": other}))
    desk.act("ana", want("confirm", ids(store)[-1]))
    assert len(public(store)) == 2
    mapping.set_policy(store, Policy(reports=1), page=page)
    assert len(public(store)) == 2
    assert mapping.rebuild(store, NAME) == []


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"verb": "burn"}, "burn: not a decision"),
        ({"verb": "undo"}, "undo: not a decision"),
        ({"verb": "merge"}, "there is no camera"),
        ({"verb": "merge", "with": "WEST"}, "with another one"),
        ({"verb": "merge", "with": "FAR"}, "is not merged with what is 90 m away"),
        ({"verb": "move"}, "needs lat and lon"),
        ({"verb": "move", "lat": 1.0, "lon": 1.0}, "is not moved to"),
        ({"verb": "move", "lat": 91.0, "lon": 1.0}, "not a place"),
        ({"verb": "tag"}, "no tags"),
        ({"verb": "tag", "tags": {"note": "at Anna's house"}}, "not a tag that reviewers set"),
        ({"verb": "tag", "tags": {"height": "tall"}}, "height=tall"),
    ],
)
def test_what_cannot_be_decided_is_refused_and_leaves_no_line(
    store: Store, desk: ReviewDesk, wanted: dict[str, object], message: str
) -> None:
    take_in(store, record([entry((0, 0))]), record([entry((90, 0))]))
    west, far = ids(store)
    names = {"WEST": west, "FAR": far}
    wanted = {k: names.get(v, v) if isinstance(v, str) else v for k, v in wanted.items()}
    with pytest.raises(UsageError, match=message):
        desk.act("ana", msgspec.convert({"camera_id": west, **wanted}, Wanted))
    assert desk.log() == []


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 65])
def test_a_review_needs_a_name(store: Store, desk: ReviewDesk, name: str) -> None:
    take_in(store, record([entry((0, 0))]))
    with pytest.raises(UsageError, match="needs a name"):
        desk.act(name, want("confirm", ids(store)[0]))
    with pytest.raises(UsageError, match="needs a name"):
        desk.undo(name, 1)


def test_a_decision_that_cannot_be_carried_out_leaves_no_line(store: Store) -> None:
    take_in(store, record([entry((0, 0))]))

    def fail(_store: Store, _box: Box) -> None:
        raise StoreError("the disk is full")

    desk = ReviewDesk(store, TWO, fail, lambda: NOW_S)
    with pytest.raises(StoreError, match="disk is full"):
        desk.act("ana", want("confirm", ids(store)[0]))
    assert desk.log() == []
    assert public(store) == []


# --- the queue ----------------------------------------------------------------------------------


def test_only_what_a_decision_changes_waits(store: Store, desk: ReviewDesk) -> None:
    take_in(store, record([entry((0, 0))]), record([entry((0, 0))]), record([entry((200, 0))]))
    confirmed, candidate = ids(store)
    assert [item.id for item in desk.queue()] == [candidate]
    assert "1 short of the rule" in desk.queue()[0].reasons[0]
    desk.act("ana", want("reject", candidate))
    assert desk.queue() == []
    assert confirmed in {f.id for f in public(store)}


def test_what_many_saw_comes_before_what_one_saw(store: Store) -> None:
    mapping.set_policy(store, Policy(reports=9))
    desk = ReviewDesk(store, mapping.policy_of(store), REFRESH, lambda: NOW_S)
    take_in(store, record([entry((0, 0))]), *[record([entry((300, 0))]) for _ in range(4)])
    once, often = ids(store)
    assert [item.id for item in desk.queue()] == [often, once]


def test_a_lone_candidate_comes_before_one_beside_a_known_camera(
    store: Store, desk: ReviewDesk
) -> None:
    for _ in range(2):
        take_in(store, record([entry((0, 0))]))
    take_in(store, record([entry((16, 0))], common_m=0.3), record([entry((300, 0))], common_m=0.3))
    _, beside, lone = ids(store)
    assert [item.id for item in desk.queue()] == [lone, beside]


def test_reports_that_disagree_on_the_kind_are_asked_about(store: Store, desk: ReviewDesk) -> None:
    for kind in (Kind.DOME, Kind.BULLET, Kind.DOME, Kind.BULLET):
        take_in(store, record([entry((0, 0), kind)]))
    (item,) = desk.queue()
    assert "disagree on its kind" in item.reasons[0]
    desk.act("ana", want("tag", item.id, tags={"camera:type": "dome"}))
    assert desk.queue() == []


def test_two_that_may_be_one_are_shown_together(store: Store, desk: ReviewDesk) -> None:
    take_in(store, *[record([entry((x, 0), sigma_m=1)], common_m=0.1) for x in (0, 5.8)])
    west, east = ids(store)
    first = desk.queue()[0]
    assert any("may be the same as" in reason for reason in first.reasons)
    assert {first.id, first.near[0]} == {west, east}
    # One record with both of them says that they are two.
    take_in(store, record([entry((0, 0)), entry((5.8, 0))], common_m=0.1))
    assert not any("may be the same" in r for item in desk.queue() for r in item.reasons)


@BOTH
def test_a_rejected_place_that_is_reported_again_comes_back_to_the_desk(
    store: Store, desk: ReviewDesk
) -> None:
    take_in(store, record([entry((0, 0))], common_m=0.2))
    (old,) = ids(store)
    desk.act("ana", want("reject", old))
    assert desk.queue() == []
    take_in(store, *[record([entry((8, 0))], common_m=0.2) for _ in range(4)])
    (new,) = set(ids(store)) - {old}
    assert public(store) == []
    assert [(item.id, item.reasons) for item in desk.queue()] == [
        (new, ["in a place that was rejected"])
    ]
    desk.act("ben", want("confirm", new))
    assert [f.id for f in public(store)] == [new]
    assert desk.queue() == []


def test_a_camera_called_gone_that_is_seen_again_comes_back_to_the_desk(
    store: Store, desk: ReviewDesk
) -> None:
    take_in(store, record([entry((0, 0))], day=DAY - 9), record([entry((0, 0))], day=DAY - 9))
    (camera_id,) = ids(store)
    desk.act("ana", want("gone", camera_id))
    assert desk.queue() == []
    take_in(store, record([entry((0, 0))], day=DAY + 4))
    assert [item.reasons for item in desk.queue()] == [["seen again since it was called gone"]]
    assert [f.properties.status for f in public(store)] == ["gone"]


def test_a_reviewer_is_told_what_openstreetmap_has_there(store: Store, desk: ReviewDesk) -> None:
    take_in(store, record([entry((0, 0))]), record([entry((200, 0))]))
    lat_deg, lon_deg = ORIGIN.geodetic_from_enu(203, 4)
    with store.transaction():
        store.put_known("osm", [Known(ref="node/7", lat_deg=lat_deg, lon_deg=lon_deg)])
    told = {item.id: "; ".join(item.reasons) for item in desk.queue()}
    west, east = ids(store)
    assert told[east].endswith("OpenStreetMap has node/7 5 m away")
    assert "OpenStreetMap" not in told[west]


def test_cameras_that_nobody_can_tell_apart_are_asked_about(store: Store, desk: ReviewDesk) -> None:
    take_in(store, record([entry((0, 0))]), record([entry((0, 0))]))
    (stored,) = store.cameras()
    several = msgspec.structs.replace(stored.camera, cluster=3)
    shown = project(judged(several), TWO, 0, camera_id=stored.id)
    with store.transaction():
        store.put_cameras([], [(stored.id, shown.cell, several, shown)])
    assert [item.reasons for item in desk.queue()] == [["one of 3 that records cannot tell apart"]]
    assert [f.properties.cluster for f in public(store)] == [3]


@BOTH
def test_the_queue_follows_what_other_processes_write(store: Store, desk: ReviewDesk) -> None:
    take_in(store, record([entry((0, 0))]))
    assert len(desk.queue()) == 1
    other = open_store(store.url)
    ReviewDesk(other, TWO, REFRESH, lambda: NOW_S).act("ben", want("confirm", ids(store)[0]))
    other.close()
    assert desk.queue() == []


def test_several_parties_convince_more_than_one_that_repeats_itself() -> None:
    assert likely(1, 1) == pytest.approx(0.74, abs=0.005)
    assert likely(1, 0) == likely(1, 1)
    assert likely(2, 2) > likely(8, 1)
    assert likely(6, 3) > 0.98


def test_many_candidates_are_ordered_in_a_moment(store: Store, desk: ReviewDesk) -> None:
    take_in(store, *[record([entry((40.0 * (i % 12), 40.0 * (i // 12)))]) for i in range(120)])
    before = time.process_time()
    items = desk.queue(10)
    assert len(items) == 10
    assert time.process_time() - before < 2
    before = time.process_time()
    for item in items:
        desk.act("ana", want("confirm", item.id))
        desk.queue(1)
    assert time.process_time() - before < 10  # a person needs a minute for them
