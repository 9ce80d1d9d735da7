"""Forged reports through the real intake: what a group of credentials can and cannot do."""

import json
import os
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec
import pytest
from nacl.public import PrivateKey

from scanner.cli import main
from scanner.core import blind, tokens
from scanner.core.wire import CameraFeature, Record, geohash
from scanner.errors import StoreError, UsageError
from scanner.hub import cohort_care, cohorts, keys, mapping
from scanner.hub.cohorts import Checker
from scanner.hub.features import OPEN, Policy
from scanner.hub.ingest import Ingest
from scanner.hub.plausibility import KEPT_DAYS, Limits, Plausibility, read_ground
from scanner.hub.review import ReviewDesk, Wanted, meaning
from scanner.hub.stores import open_store
from scanner.hub.stores.protocol import Store
from scanner.sealing import seal
from tests.adapters.test_cohorts import MONTH
from tests.helpers.reports import DAY, ORIGIN, Place, entry, record

KEY = PrivateKey(bytes(range(32)))
NAME = partial(keys.camera_id, keys.naming_key(KEY))
POINT = {"type": "Point", "coordinates": [4.9, 52.4]}
NOW_S = (DAY + 8) * 86_400.0
TWO = Policy(reports=2, cohorts=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with two cohorts: making their keys takes a while."""
    folder = tmp_path_factory.mktemp("hub")
    for name in ("harbour", "station"):
        cohorts.create(folder, name, MONTH, limit=3_000)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "hub.sqlite3")
    mapping.set_policy(opened, TWO)
    yield opened
    opened.close()


def wallet(data: Path, cohort: str, count: int) -> list[bytes]:
    """So many tokens, as devices come by them."""
    (issuer,) = cohorts.issuers(data, cohort)
    identity = tokens.key_id(issuer.key)
    found: list[bytes] = []
    for first in range(0, count, cohorts.MOST_A_REQUEST):
        some = range(min(cohorts.MOST_A_REQUEST, count - first))
        prepared = [blind.prepare(tokens.message(identity), os.urandom) for _ in some]
        hidden = [blind.blind(issuer.key, p, os.urandom) for p in prepared]
        answers = cohorts.sign(data, cohort, identity, [h.message for h in hidden])
        found += [
            tokens.pack(identity, p, blind.finalize(issuer.key, p, answer, h.inverse))
            for p, answer, h in zip(prepared, answers, hidden, strict=True)
        ]
    return found


def signed(values: Sequence[Record], purse: Sequence[bytes]) -> list[bytes]:
    """Records with a token each, sealed."""
    return [
        seal(msgspec.structs.replace(value, cohort=token), KEY.public_key)
        for value, token in zip(values, purse, strict=True)
    ]


def intake(store: Store, data: Path, limits: Limits | None = None) -> Ingest:
    doubt = Plausibility(store, limits or Limits()).doubts
    return Ingest(store, KEY, lambda: NOW_S, checker=Checker(cohorts.issuers(data)), doubt=doubt)


def fuse(store: Store) -> None:
    while mapping.fuse_waiting(store, NAME):
        pass


def public(store: Store) -> list[Place]:
    """Places of the published cameras, metres east and north."""
    features = [msgspec.json.decode(s.feature, type=CameraFeature) for s in store.shown(None)]
    places = [f.geometry.coordinates for f in features]
    return [ORIGIN.enu_from_geodetic(lat_deg, lon_deg) for lon_deg, lat_deg in places]


def near(place: Place, others: Sequence[Place], within_m: float = 8) -> bool:
    return any((place[0] - x) ** 2 + (place[1] - y) ** 2 <= within_m**2 for x, y in others)


# --- the bars -----------------------------------------------------------------------------------


def test_ten_credentials_of_one_inviter_publish_no_fake(store: Store, data: Path) -> None:
    """200 reports in a week on 40 fakes, by volunteers of one inviter, who are one cohort."""
    dice = random.Random(4)
    cameras = [(30.0 * i, 0.0) for i in range(10)]
    fakes = [(30.0 * i + 7, 15.0 + 20 * (i % 4)) for i in range(40)]

    def seen(place: Place) -> Record:
        error = dice.gauss(0, 2), dice.gauss(0, 2)
        return record(
            [entry((place[0] + error[0], place[1] + error[1]))], day=DAY + dice.randrange(7)
        )

    forged = [seen(fakes[i % len(fakes)]) for i in range(200)]
    honest = [seen(camera) for camera in cameras for _ in range(2)]
    others = [seen(camera) for camera in cameras]
    payloads = signed(forged + others, wallet(data, "harbour", 210))
    payloads += signed(honest, wallet(data, "station", 20))
    dice.shuffle(payloads)
    assert intake(store, data).take(payloads).added == 230
    fuse(store)
    shown = public(store)
    assert [place for place in shown if not near(place, cameras)] == []
    assert sum(near(camera, shown) for camera in cameras) >= 9
    # They are on the map, unpublished; and it is the second cohort that keeps them there.
    assert sum(near(fake, [at(s) for s in store.cameras()]) for fake in fakes) >= 36
    mapping.set_policy(store, Policy(reports=2, cohorts=1))
    assert sum(near(fake, public(store)) for fake in fakes) >= 30


def at(stored: object) -> Place:
    camera = getattr(stored, "camera")  # noqa: B009 - of either store
    return ORIGIN.enu_from_geodetic(camera.lat_deg, camera.lon_deg)


def test_a_rejected_place_stays_rejected_through_a_thousand_later_sightings(store: Store) -> None:
    """Where a single report publishes, and whatever fusion makes of them, also after a rebuild."""
    mapping.set_policy(store, OPEN)
    dice = random.Random(5)
    taking = Ingest(store, KEY, lambda: NOW_S)

    def sightings(count: int) -> list[bytes]:
        places = [(dice.gauss(0, 3), dice.gauss(0, 3)) for _ in range(count)]
        return [seal(record([entry(place)]), KEY.public_key) for place in places]

    taking.take(sightings(1))
    fuse(store)
    assert len(public(store)) == 1
    desk = ReviewDesk(store, OPEN, partial(mapping.refresh, name=NAME), lambda: NOW_S)
    desk.act("ana", Wanted(verb="reject", camera_id=store.cameras()[0].id))
    for _ in range(4):
        assert taking.take(sightings(250)).added == 250
        fuse(store)
        assert public(store) == []
    mapping.rebuild(store, NAME)
    assert public(store) == []
    assert store.counts()[0] == 1_001
    # Of a thousand sightings some lie 10 m off, so that another place begins beyond those.
    taking.take([seal(record([entry((30, 0))]), KEY.public_key)])
    fuse(store)
    assert len(public(store)) == 1


def test_a_rejected_place_does_not_reach_its_neighbour_at_15_m(store: Store) -> None:
    mapping.set_policy(store, OPEN)
    taking = Ingest(store, KEY, lambda: NOW_S)
    taking.take([seal(record([entry((0, 0))]), KEY.public_key)])
    fuse(store)
    desk = ReviewDesk(store, OPEN, partial(mapping.refresh, name=NAME), lambda: NOW_S)
    desk.act("ana", Wanted(verb="reject", camera_id=store.cameras()[0].id))
    taking.take([seal(record([entry((x, 0))]), KEY.public_key) for x in (-1, 0, 1, 15)])
    fuse(store)
    (place,) = public(store)
    assert place[0] == pytest.approx(15, abs=1)


# --- limits of a cohort -------------------------------------------------------------------------


def reasons(store: Store) -> dict[str, int]:
    return dict(store.quarantined())


def test_a_cohort_is_believed_so_many_records_a_week(store: Store, data: Path) -> None:
    taking = intake(store, data, Limits(a_week=10))
    monday = DAY - DAY % 7
    week = [record([entry((40.0 * i, 0))], day=monday + i % 7) for i in range(14)]
    assert taking.take(signed(week, wallet(data, "harbour", 14))).added == 10
    assert reasons(store) == {"cohort harbour: more than 10 records in a week": 4}
    before = [record([entry((40.0 * i, 90))], day=monday - 1) for i in range(3)]
    assert taking.take(signed(before, wallet(data, "harbour", 3))).added == 3
    assert taking.take(signed(week[:3], wallet(data, "station", 3))).added == 3
    assert taking.take([seal(value, KEY.public_key) for value in week]).added == 14


def test_what_was_put_aside_stays_there_however_often_it_comes(store: Store, data: Path) -> None:
    taking = intake(store, data, Limits(a_week=1))
    values = [record([entry((40.0 * i, 0))]) for i in range(2)]
    payloads = signed(values, wallet(data, "harbour", 2))
    assert taking.take(payloads).added == 1
    for _ in range(3):
        again = taking.take(payloads)
        assert (again.added, again.repeated, again.quarantined) == (0, 1, 1)
    assert store.counts() == (1, 1)


@pytest.mark.parametrize(
    ("bucket_days", "most", "words"),
    [(1, 6, "6 areas in a day"), (7, 24, "24 areas in 7 days"), (28, 24, "24 areas in 28 days")],
)
def test_a_cohort_is_not_everywhere_at_once(
    store: Store, data: Path, bucket_days: int, most: int, words: str
) -> None:
    """Records do not tell when in the day: how many areas in a time bucket is all there is."""
    towns = [record([entry((60_000.0 * (i % 6), 60_000.0 * (i // 6)))]) for i in range(27)]
    coarse = [
        msgspec.structs.replace(value, bucket_days=bucket_days, bucket=DAY // bucket_days)
        for value in towns
    ]
    taking = intake(store, data)
    assert taking.take(signed(coarse, wallet(data, "harbour", 27))).added == most
    assert reasons(store) == {f"cohort harbour: in more than {words}": 27 - most}
    back = signed([coarse[0]], wallet(data, "harbour", 1))
    assert taking.take(back).added == 1  # where it has been it may be again


def test_no_block_gets_more_new_cameras_than_ever_stand_in_one(store: Store, data: Path) -> None:
    taking = intake(store, data, Limits(block=8))
    grid = [(14.0 * i, 14.0 * j) for i in range(-10, 10) for j in range(-10, 10)]
    inside = [p for p in grid if geohash(*ORIGIN.geodetic_from_enu(*p), 7) == "u173zms"]
    many = [record([entry(place)]) for place in inside[:12]]
    assert taking.take(signed(many[:6], wallet(data, "harbour", 6))).added == 6
    fuse(store)
    assert taking.take(signed(many[6:], wallet(data, "harbour", 6))).added == 2
    assert reasons(store) == {"cohort harbour: more than 8 new cameras in one block": 4}
    fuse(store)
    again = signed(many[:6], wallet(data, "harbour", 6))
    assert taking.take(again).added == 6  # what is on the map may be reported on and on


def test_what_is_kept_of_a_cohort_are_sums_and_not_for_long(store: Store, data: Path) -> None:
    taking = intake(store, data)
    old = [record([entry((0, 0))], day=DAY - 2), record([entry((0, 0))], day=DAY - 2)]
    taking.take(signed(old, wallet(data, "harbour", 2)))
    kept = json.loads(store.get_meta("seen/harbour") or "")
    assert kept == {
        f"1/{DAY - 2}": {
            "last_day": DAY - 2, "records": 2, "areas": ["u173"], "blocks": {"u173zms": 2},
        }
    }  # fmt: skip
    doubts = Plausibility(store).doubts
    with store.transaction():
        later = record([entry((0, 0))], day=DAY - 2 + KEPT_DAYS)
        assert doubts([(later, "harbour")]) == [None]
    assert list(json.loads(store.get_meta("seen/harbour") or "")) == [f"1/{DAY - 2 + KEPT_DAYS}"]


# --- streets and water --------------------------------------------------------------------------


def land(path: Path) -> Path:
    """A street from west to east, and a lake north of it."""

    def at(east_m: float, north_m: float) -> list[float]:
        lat_deg, lon_deg = ORIGIN.geodetic_from_enu(east_m, north_m)
        return [lon_deg, lat_deg]

    lake = [at(0, 20), at(400, 20), at(400, 140), at(0, 140), at(0, 20)]
    features = [
        {"type": "Feature", "properties": {"highway": "residential"},
         "geometry": {"type": "LineString", "coordinates": [at(-500, 0), at(900, 0)]}},
        {"type": "Feature", "properties": {"natural": "water"},
         "geometry": {"type": "Polygon", "coordinates": [lake]}},
    ]  # fmt: skip
    box = [*at(-600, -600), *at(1000, 600)]
    path.write_text(json.dumps({"type": "FeatureCollection", "bbox": box, "features": features}))
    return path


def test_what_stands_in_water_or_far_from_streets_is_put_aside(
    store: Store, tmp_path: Path
) -> None:
    doubt = Plausibility(store, ground=read_ground(land(tmp_path / "land.geojson"))).doubts
    taking = Ingest(store, KEY, lambda: NOW_S, doubt=doubt)
    places = [(100.0, 5.0), (100.0, 80.0), (100.0, 300.0), (100.0, 5000.0)]
    taken = taking.take([seal(record([entry(p)]), KEY.public_key) for p in places])
    assert (taken.added, taken.quarantined) == (2, 2)
    assert reasons(store) == {
        "far from any street: no camera stands there": 1,
        "in the water: no camera stands there": 1,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a file of streets and water"),
        ('{"type": "FeatureCollection", "features": []}', "neither streets nor water"),
        (
            json.dumps({"type": "FeatureCollection", "features": [{"geometry": POINT}]}),
            "not a file of streets and water",
        ),
    ],
)
def test_a_file_of_the_ground_that_is_none_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "land.geojson").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_ground(tmp_path / "land.geojson")
    with pytest.raises(UsageError, match="cannot be read"):
        read_ground(tmp_path / "none.geojson")


# --- a cohort that is not trusted ---------------------------------------------------------------


def two_cohorts_see(store: Store, data: Path) -> None:
    values = [record([entry((40.0 * i, 0))]) for i in range(3)]
    payloads = signed(values, wallet(data, "harbour", 3))
    payloads += signed(values, wallet(data, "station", 3))
    intake(store, data).take(payloads)
    fuse(store)


@pytest.mark.parametrize("state", ["held", "rolled back"])
def test_a_cohort_is_taken_off_the_map_and_comes_back(
    store: Store, data: Path, state: cohort_care.CohortState
) -> None:
    two_cohorts_see(store, data)
    before = [(s.id, s.camera, s.shown) for s in store.cameras()]
    assert len(public(store)) == 3
    desk = ReviewDesk(store, TWO, partial(mapping.refresh, name=NAME), lambda: NOW_S)

    def decide(state: cohort_care.CohortState) -> None:
        cohort_care.set_state(
            store, "harbour", state, name=NAME, reviewer="ana", reason="too good", clock=lambda: 7
        )

    decide(state)
    assert public(store) == []
    assert {s.camera.reports for s in store.cameras()} == {1}
    # What comes later does not count either.
    intake(store, data).take(signed([record([entry((0, 0))])], wallet(data, "harbour", 1)))
    fuse(store)
    assert public(store) == []
    assert mapping.rebuild(store, NAME) == []
    with pytest.raises(UsageError, match=f"harbour is {state} already"):
        decide(state)
    decide("trusted")
    assert len(public(store)) == 3
    line, back = desk.log()
    assert (line.verb, line.reviewer, line.at_s) == ("rollback", "ana", 7)
    assert meaning(line) == f"harbour: {state}, too good"
    assert meaning(back) == "harbour: trusted, too good"
    with pytest.raises(UsageError, match="about a cohort"):
        desk.undo("ana", line.number)
    assert [s[0] for s in before] == [s.id for s in store.cameras()]


def test_a_cohort_is_not_held_by_half(store: Store, data: Path) -> None:
    two_cohorts_see(store, data)

    def hold(name: Callable[[str, int], str]) -> None:
        cohort_care.set_state(
            store, "harbour", "held", name=name, reviewer="ana", reason="", clock=lambda: 7
        )

    def broken_off(record_id: str, index: int) -> str:
        raise StoreError(f"no space left for {record_id} {index}")

    with pytest.raises(StoreError, match="no space left"):
        hold(broken_off)
    assert (store.cohort_states(), store.actions(), len(public(store))) == ({}, [], 3)
    hold(NAME)
    assert public(store) == []


def test_cohorts_are_held_and_trusted_by_command(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'hub.sqlite3'}"
    (data / keys.KEY_FILE).write_bytes(bytes(KEY))  # by which the map's cameras are named
    (data / keys.KEY_FILE).chmod(keys.PRIVATE_MODE)
    store = open_store(tmp_path / "hub.sqlite3")
    two_cohorts_see(store, data)
    store.close()

    def hub(*arguments: str) -> int:
        return main(["hub", "cohorts", *arguments, "--data", str(data), "--db", url])

    assert hub("hold", "harbour", "--reviewer", "ana", "--reason", "too good") == 0
    assert "harbour is held: 3 records, " in capsys.readouterr().out
    assert hub("list") == 0
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()[2:]] == [
        "held",
        "trusted",
    ]
    assert hub("rollback", "harbour", "--reviewer", "ana") == 0
    assert hub("trust", "harbour", "--reviewer", "ana") == 0
    assert hub("trust", "harbour", "--reviewer", "ana") == 2
    assert hub("hold", "nobody", "--reviewer", "ana") == 2
    assert "there is no cohort nobody" in capsys.readouterr().err
