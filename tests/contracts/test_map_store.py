"""What every database of the hub promises, on SQLite and on PostgreSQL alike."""

import math
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec
import pytest

from scanner.core.reviewing.decisions import judged
from scanner.core.wire import KIND_CODES, CameraFeature, Topics, geohash
from scanner.errors import StoreError
from scanner.hub.features import OPEN, Policy, project
from scanner.hub.publishing import MapPublisher
from scanner.hub.stores import open_store
from scanner.hub.stores.gathered import JOURNAL_MAX
from scanner.hub.stores.morton import cell_box
from scanner.hub.stores.protocol import Box, Known, Shown, Store, Tally
from scanner.hub.stores.tiled import Cluster, TilePoint
from scanner.network.session import Message
from scanner.records import Kind
from tests.helpers.maps import STORES, Line, database, keep, kept, line, spend, town
from tests.helpers.reports import ORIGIN, entry, record

HERE: Box = (4.84, 52.32, 4.94, 52.42)
Open = Callable[[], Store]


@pytest.fixture(params=STORES)
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same database, as often as wanted."""
    with ExitStack() as stack:
        url = stack.enter_context(database(request.param, tmp_path))
        yield lambda: stack.enter_context(closing(open_store(url)))


@pytest.fixture
def store(again: Open) -> Store:
    return again()


def put(store: Store, *lines: Line, old: tuple[str, ...] = ()) -> None:
    with store.transaction():
        store.put_cameras(old, lines)


def ids(rows: list[Shown]) -> list[str]:
    return [row.id for row in rows]


# --- what came in -------------------------------------------------------------------------------


def test_a_record_is_kept_once(store: Store) -> None:
    value = record([entry((0, 0)), entry((5, 0)), entry((900, 0))])
    with store.transaction():
        assert keep(store, "a", value)
        assert not keep(store, "a", value)
    assert "a" in kept(store)
    assert "b" not in kept(store)
    assert [(r.record_id, r.record) for r in store.waiting(9)] == [("a", value)]
    assert store.counts() == (1, 0)


def test_the_first_records_wait_until_they_are_fused(store: Store) -> None:
    """In the order of their ids, which tells nothing of that of their arrival."""
    with store.transaction():
        for name in "cabd":
            keep(store, name, record([entry((0, 0))]))
    waiting = store.waiting(3)
    assert [r.record_id for r in waiting] == ["a", "b", "c"]
    with store.transaction():
        store.mark_fused(r.number for r in waiting)
    assert [r.record_id for r in store.waiting(9)] == ["d"]
    (left,) = store.waiting(9)
    assert store.waiting_of([waiting[0].number, left.number]) == {left.number}
    assert [r.record_id for r in store.all_reports()] == ["c", "a", "b", "d"]
    assert [r.record_id for r in store.reports([waiting[2].number, waiting[1].number])] == [
        "c",
        "b",
    ]
    assert store.numbers_of(["a", "nobody"]) == {"a": waiting[0].number}


def test_records_in_a_box_are_all_found_and_none_far_away(store: Store) -> None:
    places = [(0, 0), (40, 0), (0, -900), (3000, 0)]
    with store.transaction():
        for number, place in enumerate(places):
            keep(store, str(number), record([entry(place), entry((place[0] + 3, place[1]))]))
    lat, lon = ORIGIN.lat_deg, ORIGIN.lon_deg
    found = {
        r.record_id for r in store.reports_in((lon - 1e-3, lat - 1e-3, lon + 1e-3, lat + 1e-3))
    }
    assert {"0", "1"} <= found
    assert "3" not in found
    assert store.reports_in((lon + 1, -90.0, lon - 0.1, 90.0)) == []
    assert len(store.reports_in((lon - 0.1, -90.0, lon + 0.1, 90.0))) == len(places)


def test_a_token_is_spent_once_in_all_months(store: Store) -> None:
    with store.transaction():
        assert spend(store, b"x", "2026-09")
        assert not spend(store, b"x", "2026-10")
        assert spend(store, b"y", "2026-10")


def test_quarantine_counts_reasons_and_each_payload_once(store: Store) -> None:
    with store.transaction():
        for number in range(9):
            store.add_quarantine(str(number), "odd" if number % 3 else "even", bytes(5000))
        store.add_quarantine("8", "again", b"")
    assert store.counts() == (0, 9)
    assert store.quarantined() == [("odd", 6), ("even", 3)]


def test_an_error_in_a_transaction_leaves_nothing_behind(store: Store) -> None:
    before = store.version()

    def fail_half_way() -> None:
        with store.transaction():
            keep(store, "a", record([entry((0, 0))]))
            store.put_cameras([], [line(1, 52.37, 4.89)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert store.counts() == (0, 0)
    assert store.version() == before
    put(store, line(2, 52.37, 4.89))
    assert [t.count for t in store.tally()] == [1]
    assert [c.id for c in store.changes_since(0) or []] == ["c0000002"]


def test_what_is_kept_is_there_when_the_database_is_opened_again(again: Open) -> None:
    first = again()
    with first.transaction():
        keep(first, "a", record([entry((0, 0))]))
    put(first, line(1, 52.37, 4.89))
    version = first.version()
    first.close()
    first.close()
    second = again()
    assert "a" in kept(second)
    assert second.version() == version
    assert ids(second.shown(HERE)) == ["c0000001"]


# --- cameras ------------------------------------------------------------------------------------


def test_a_camera_comes_back_as_it_was_put(store: Store) -> None:
    name, cell, camera, shown = line(7, 52.37, 4.89, kind=Kind.PTZ, reports=3)
    version = store.version()
    put(store, (name, cell, camera, shown))
    stored = store.camera(name)
    assert stored
    assert (stored.camera, stored.shown, stored.cell) == (camera, shown, cell)
    assert store.cameras() == store.cameras_in(cell) == store.cameras(HERE) == [stored]
    assert store.camera("nobody") is None
    assert store.version() != version
    assert store.cameras_of([701, 702, 5]) == [name]


def test_what_only_reviewers_see_changes_nothing_that_others_could_count(store: Store) -> None:
    """A number that rises with each candidate would tell when a record came."""
    put(store, line(1, 52.37, 4.89))
    public, revision, private = store.version(), store.revision(), store.private_version()
    put(store, line(2, 52.37, 4.89, policy=Policy(reports=2)))
    assert (store.version(), store.revision()) == (public, revision)
    assert store.private_version() != private
    private = store.private_version()
    put(store, line(2, 52.37, 4.89), old=("c0000002",))
    assert store.revision() > revision
    assert store.private_version() != private


def test_what_is_published_together_is_in_no_order_of_arrival(store: Store) -> None:
    begun = store.revision()
    put(store, *(line(n, 52.37 + n / 1e4, 4.89) for n in (5, 3, 9, 1)))
    changes = store.changes_since(begun)
    assert changes
    assert [change.id[-1] for change in changes] == ["1", "3", "5", "9"]


def test_cameras_are_replaced_and_removed(store: Store) -> None:
    put(store, line(1, 52.37, 4.89), line(2, 52.38, 4.90))
    put(store, line(1, 52.375, 4.89), line(3, 52.39, 4.90), old=("c0000001", "c0000002", "none"))
    assert [s.id for s in store.cameras()] == ["c0000001", "c0000003"]
    assert store.shown(HERE)[0].lat_deg == 52.375
    assert store.cameras_of([201]) == []


def test_pages_of_cameras_and_rows_are_complete(store: Store) -> None:
    lines = town(25, 1)
    put(store, *lines)
    for box in (None, HERE):
        cameras, rows = [], []
        after: str | None = None
        while page := store.cameras(box, limit=10, after_id=after):
            cameras += [s.id for s in page]
            after = cameras[-1]
        after = None
        while some := store.shown(box, limit=10, after_id=after):
            rows += ids(some)
            after = rows[-1]
        assert cameras == rows == sorted(name for name, *_ in lines)


def test_many_cameras_in_one_place_are_all_there(store: Store) -> None:
    put(store, *[line(i, 52.37, 4.89) for i in range(300)])
    put(store, *[line(i, 52.3700001, 4.89) for i in range(300, 320)])
    assert len(store.features(HERE)) == 320
    assert len(store.points(*tile(52.37, 4.89, 15))) == 320


@pytest.mark.parametrize(
    ("box", "found"),
    [
        ((179.9, -1.0, -179.9, 1.0), [1, 2]),
        ((-180.0, -1.0, -179.9, 1.0), [2]),
        ((-180.0, 84.0, 180.0, 90.0), [3]),
        ((-180.0, -90.0, 180.0, -80.0), [4]),
        ((-180.0, -90.0, 180.0, 90.0), [1, 2, 3, 4]),
        ((20.0, 10.0, 30.0, 40.0), []),
    ],
)
def test_boxes_across_the_date_line_and_at_the_poles(
    store: Store, box: Box, found: list[int]
) -> None:
    places = [(0.5, 179.95), (-0.5, -179.95), (89.5, 10.0), (-89.9, 3.0)]
    put(store, *[line(i, *place) for i, place in enumerate(places, 1)])
    assert ids(store.shown(box)) == [f"c{i:07d}" for i in found]
    assert len(store.features(box)) == len(found)


@pytest.mark.parametrize("gap_deg", [1e-7, 1e-5, 0.0001, 0.01, 0.05])
def test_a_box_round_the_earth_but_for_a_gap_holds_each_camera_once(
    store: Store, thousand: list[Shown], gap_deg: float
) -> None:
    west, east = 4.89, 4.89 - gap_deg
    inside = sorted(s.id for s in thousand if s.lon_deg >= west or s.lon_deg <= east)
    assert len(inside) > 400
    assert ids(store.shown((west, 52.0, east, 53.0))) == inside
    assert len(store.features((west, 52.0, east, 53.0))) == len(inside)


# --- the projection, against the plain truth ----------------------------------------------------


def tile(lat_deg: float, lon_deg: float, z: int) -> tuple[int, int, int]:
    x, y = world(lat_deg, lon_deg)
    return z, int(x * 2**z), int(y * 2**z)


def world(lat_deg: float, lon_deg: float) -> tuple[float, float]:
    """0 to 1 across the map in Web Mercator."""
    y = math.log(math.tan(math.pi / 4 + math.radians(lat_deg) / 2))
    return (lon_deg + 180) / 360, (1 - y / math.pi) / 2


@pytest.fixture
def thousand(store: Store) -> list[Shown]:
    lines = town(1000, 3)
    put(store, *lines)
    return [shown for *_, shown in lines]


def test_a_box_holds_what_lies_in_it(store: Store, thousand: list[Shown]) -> None:
    dice = random.Random(5)
    for _ in range(40):
        west, east = sorted(dice.uniform(4.84, 4.94) for _ in "ab")
        south, north = sorted(dice.uniform(52.32, 52.42) for _ in "ab")
        inside = [s for s in thousand if west <= s.lon_deg <= east and south <= s.lat_deg <= north]
        box = west, south, east, north
        assert store.shown(box) == inside
        assert sorted(store.features(box)) == sorted(s.feature for s in inside)


def test_a_box_is_counted_up_to_a_number(store: Store, thousand: list[Shown]) -> None:
    box = (4.85, 52.34, 4.9, 52.4)
    west, south, east, north = box
    inside = Counter(
        (KIND_CODES.index(s.kind), s.first_month)
        for s in thousand
        if s.status == "confirmed" and west <= s.lon_deg <= east and south <= s.lat_deg <= north
    )
    count = inside.total()
    assert 100 < count < 1000
    found = store.tally_in(box, count)
    assert found == [Tally(KIND_CODES[k], month, n) for (k, month), n in sorted(inside.items())]
    assert store.tally_in(box, count - 1) is None
    assert store.tally_in((-180.0, -90.0, 180.0, 90.0), 1000) == store.tally()
    assert store.tally_in((-180.0, -90.0, 180.0, 90.0), 10) is None


@pytest.mark.parametrize("z", [13, 14, 16, 20])
def test_a_tile_holds_the_points_in_it_and_a_little_round_it(
    store: Store, thousand: list[Shown], z: int
) -> None:
    z, x, y = tile(52.37, 4.89, z)
    rim = 64 / 4096
    inside: dict[str, TilePoint] = {}
    for s in thousand:
        across, down = (v * 2**z - corner for v, corner in zip(
            world(s.lat_deg, s.lon_deg), (x, y), strict=True
        ))  # fmt: skip
        if -rim <= across <= 1 + rim and -rim <= down <= 1 + rim:
            inside[s.id] = TilePoint(
                round(across * 4096), round(down * 4096), s.id, KIND_CODES.index(s.kind),
                s.direction_deg, s.last_month, s.confirmations, s.sigma_m,
            )  # fmt: skip
    found = {p.id: p for p in store.points(z, x, y)}
    grain = max(1, 2 ** (z - 15))  # places are whole squares of 2^28
    edge = list(inside.keys() ^ found.keys())
    assert all(to_rim((found | inside)[i]) < 2 * grain for i in edge)
    for name in inside.keys() & found.keys():
        mine, theirs = inside[name], found[name]
        assert abs(mine.x - theirs.x) <= grain
        assert abs(mine.y - theirs.y) <= grain
        assert msgspec.structs.replace(theirs, x=mine.x, y=mine.y) == mine
    assert len(found) > 10 or z > 14


def to_rim(point: TilePoint) -> int:
    """How far a point lies from the rim of its tile's buffer."""
    return min(abs(v - rim) for v in (point.x, point.y) for rim in (-64, 4096 + 64))


@pytest.mark.parametrize("z", [0, 5, 9, 10, 11, 12])
def test_clusters_count_every_camera_once(store: Store, thousand: list[Shown], z: int) -> None:
    tiles = {tile(s.lat_deg, s.lon_deg, z) for s in thousand}
    found: list[Cluster] = []
    for t in tiles:
        clusters = store.clusters(*t)
        assert len(clusters) <= 256
        assert all(0 <= c.x <= 4096 and 0 <= c.y <= 4096 for c in clusters)
        found += clusters
    assert sum(c.count for c in found) == 1000
    kinds = [sum(c.kinds[i] for c in found) for i in range(len(KIND_CODES))]
    assert kinds == [sum(s.kind is kind for s in thousand) for kind in KIND_CODES]


def test_the_zooms_do_not_overlap(store: Store, thousand: list[Shown]) -> None:
    assert thousand
    assert store.points(*tile(52.37, 4.89, 12)) == []
    assert store.clusters(*tile(52.37, 4.89, 13)) == []


@pytest.mark.parametrize("seed", range(3))
def test_sums_follow_every_change(store: Store, tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    here = {name: (name, *rest) for name, *rest in town(120, seed)}
    put(store, *here.values())
    for _ in range(12):
        gone = dice.sample(sorted(here), 5)
        fresh = [
            line(
                dice.randrange(150),
                dice.uniform(52.3, 52.4),
                dice.uniform(4.8, 4.9),
                kind=dice.choice([Kind.DOME, Kind.BULLET]),
                policy=Policy(reports=dice.choice([1, 2])),
            )
            for _ in range(6)
        ]
        fresh = list({f[0]: f for f in fresh}.values())
        put(store, *fresh, old=tuple(gone))
        for name in gone:
            here.pop(name)
        here |= {f[0]: f for f in fresh}
    clean = open_store(tmp_path / "clean")
    put(clean, *here.values())
    for z in (0, 8, 9, 11, 12):
        for t in {tile(s.lat_deg, s.lon_deg, z) for *_, s in here.values()}:
            assert set(store.clusters(*t)) == set(clean.clusters(*t))
    assert store.tally() == clean.tally()
    assert store.filled_cells() == clean.filled_cells()
    assert sorted(store.features(HERE)) == sorted(clean.features(HERE))
    clean.close()


def test_the_public_sees_no_candidate(store: Store) -> None:
    put(store, line(1, 52.37, 4.89, policy=Policy(reports=2)), line(2, 52.37, 4.89, reports=2))
    assert ids(store.shown(HERE)) == ["c0000002"]
    assert ids(store.shown(None, statuses=("candidate",))) == ["c0000001"]
    assert ids(store.shown(None, statuses=("candidate", "confirmed"), limit=1)) == ["c0000001"]
    assert len(store.features(HERE)) == 1
    assert [p.id for p in store.points(*tile(52.37, 4.89, 14))] == ["c0000002"]
    assert [c.count for c in store.clusters(*tile(52.37, 4.89, 12))] == [1]
    cell = store.shown(HERE)[0].cell
    assert ids(store.shown_in(cell)) == ["c0000002"]
    assert store.filled_cells() == [cell]
    assert [(t.kind, t.first_month, t.count) for t in store.tally()] == [(Kind.DOME, "2026-09", 1)]


# --- the journal --------------------------------------------------------------------------------


def heard(store: Store, since: int) -> list[tuple[str, str]]:
    changes = store.changes_since(since)
    assert changes is not None
    return [(c.change, c.id) for c in changes]


def test_the_journal_says_what_everyone_may_notice(store: Store) -> None:
    hidden = Policy(reports=2)
    marks = [store.revision()]

    def step(*lines: Line, old: tuple[str, ...] = ()) -> list[tuple[str, str]]:
        put(store, *lines, old=old)
        news = heard(store, marks[-1])
        marks.append(store.revision())
        return news

    assert step(line(1, 52.37, 4.89)) == [("added", "c0000001")]
    assert step(line(1, 52.37, 4.89)) == []
    assert step(line(1, 52.37, 4.89, reports=2)) == [("updated", "c0000001")]
    assert step(line(1, 52.3701, 4.89)) == [("moved", "c0000001")]
    assert step(line(2, 52.37, 4.89, policy=hidden)) == []
    assert step(line(2, 52.37, 4.89, reports=2, policy=hidden)) == [("added", "c0000002")]
    assert step(line(2, 52.37, 4.89, policy=hidden)) == [("removed", "c0000002")]
    assert heard(store, marks[3])[0] == ("moved", "c0000001")
    moved = (store.changes_since(marks[3]) or [])[0]
    assert msgspec.json.decode(moved.feature, type=CameraFeature).id == "c0000001"
    assert step(old=("c0000001", "c0000002")) == [("removed", "c0000001")]
    last = (store.changes_since(marks[-2]) or [])[0]
    assert last.revision <= store.revision()
    assert store.changes_since(0, limit=2) == (store.changes_since(0) or [])[:2]


def test_a_camera_that_moves_to_another_cell_is_told_in_both(store: Store) -> None:
    put(store, line(1, 52.37, 4.89))
    since = store.revision()
    put(store, line(1, 52.40, 4.89))
    changes = store.changes_since(since) or []
    assert {c.change for c in changes} == {"moved"}
    assert len({c.cell for c in changes}) == 2


def over_the_edge(*, apart_deg: float) -> tuple[Line, Line]:
    """A camera on both sides of a cell's east edge."""
    west, _, east, _ = cell_box(geohash(52.37, 4.89))
    assert west < 4.89 < east
    return line(1, 52.37, east - apart_deg / 2), line(1, 52.37, east + apart_deg / 2)


def taken_down(there: Line) -> Line:
    name, cell, camera, _ = there
    camera = msgspec.structs.replace(camera, gone=1.0)
    return name, cell, camera, project(judged(camera), OPEN, 0, camera_id=name)


# 4e-6 degrees are less than half a metre: no move, but another cell.
@pytest.mark.parametrize(("apart_deg", "word"), [(4e-6, "updated"), (6e-5, "gone")])
def test_the_broker_has_a_camera_in_one_cell_however_it_left_the_other(
    store: Store, apart_deg: float, word: str
) -> None:
    before, after = over_the_edge(apart_deg=apart_deg)
    after = taken_down(after) if word == "gone" else after
    retained: dict[str, bytes] = {}

    def send(messages: Sequence[Message]) -> None:
        retained.update({m.topic: m.payload for m in messages if m.retain})

    publisher = MapPublisher(store, Topics(), send)
    put(store, before)
    publisher.everything()
    since = store.revision()
    put(store, after)
    assert publisher.changes()
    assert {c.change for c in store.changes_since(since) or []} == {word}
    assert [topic for topic, body in retained.items() if body] == [Topics().map_cell(after[1])]
    assert len(retained) == 2


def test_of_a_camera_that_left_the_map_the_journal_keeps_that_alone(store: Store) -> None:
    hidden = Policy(reports=9)
    put(store, line(1, 52.37, 4.89), line(2, 52.37, 4.90))
    put(store, line(1, 52.3701, 4.89))
    behind = store.revision()
    put(store, line(1, 52.3702, 4.89))
    put(store, line(1, 52.3702, 4.89, policy=hidden))
    assert heard(store, 0) == [("added", "c0000002"), ("removed", "c0000001")]
    assert heard(store, behind) == [("removed", "c0000001")]
    assert (store.changes_since(behind) or [])[0].feature == b""
    # Back on the map it is told as any other.
    put(store, line(1, 52.3702, 4.89))
    assert heard(store, behind) == [("removed", "c0000001"), ("added", "c0000001")]
    put(store, old=("c0000001",))
    assert heard(store, 0) == [("added", "c0000002"), ("removed", "c0000001")]


def test_who_reads_a_cell_that_a_camera_had_left_hears_there_that_it_is_off_the_map(
    store: Store,
) -> None:
    put(store, line(1, 52.37, 4.89))
    put(store, line(1, 52.40, 4.89))
    (cell,) = store.filled_cells()
    put(store, line(1, 52.40, 4.89, policy=Policy(reports=9)))
    changes = store.changes_since(0) or []
    assert {(c.change, c.feature) for c in changes} == {("removed", b"")}
    assert len({c.cell for c in changes}) == 2
    assert changes[-1].cell == cell


def test_what_came_and_left_in_one_transaction_leaves_no_place_either(store: Store) -> None:
    hidden = Policy(reports=9)
    with store.transaction():
        store.put_cameras([], [line(1, 52.37, 4.89), line(2, 52.37, 4.89)])
        store.put_cameras([], [line(1, 52.37, 4.89, policy=hidden)])
        store.put_cameras([], [line(2, 52.37, 4.89, policy=hidden)])
        store.put_cameras([], [line(2, 52.37, 4.89)])
    assert heard(store, 0) == [
        ("removed", "c0000001"),
        ("removed", "c0000002"),
        ("added", "c0000002"),
    ]


def test_too_long_ago_is_told_and_the_journal_stays_small(store: Store) -> None:
    put(store, line(0, 52.37, 4.89))
    _, cell, camera, shown = line(1, 52.37, 4.89)
    many: list[Line] = [
        (name, cell, camera, msgspec.structs.replace(shown, id=name, lat_deg=52.3 + i * 1e-6))
        for i in range(JOURNAL_MAX + 10)
        for name in [f"d{i:07d}"]
    ]
    put(store, *many)
    newest = store.revision()
    assert store.changes_since(0) is None
    assert store.changes_since(newest) == []
    kept = store.changes_since(newest - JOURNAL_MAX, limit=2 * JOURNAL_MAX)
    assert kept is not None
    assert len(kept) == JOURNAL_MAX
    assert kept[-1].id == many[-1][0]


def test_a_reader_who_follows_the_journal_misses_nothing_of_two_writers(again: Open) -> None:
    reader = again()
    writers = [again(), again()]
    done = threading.Event()

    def write(number: int) -> None:
        for i in range(40):
            put(writers[number], line(1000 * number + i, 52.37 + number, 4.89 + i * 1e-3))

    threads = [threading.Thread(target=write, args=(n,)) for n in (0, 1)]
    for thread in threads:
        thread.start()
    seen: list[str] = []
    since = 0
    while not done.is_set():
        if not any(thread.is_alive() for thread in threads):
            done.set()
        for change in reader.changes_since(since) or []:
            seen.append(change.id)
            since = change.revision
    assert sorted(seen) == sorted({line(1000 * n + i, 0, 0)[0] for n in (0, 1) for i in range(40)})
    assert sum(t.count for t in reader.tally()) == 80


# --- reviews, cohorts, known cameras ------------------------------------------------------------


def test_the_log_is_kept_in_order_and_by_place(store: Store) -> None:
    with store.transaction():
        for i in range(5):
            number = store.add_action(
                at_s=1_800_000_000 + i, reviewer="ana", verb="confirm", camera_id=f"c{i}",
                anchor=(f"r{i}", i), lat_deg=52.0 + i, lon_deg=4.0, body=bytes([i]),
            )  # fmt: skip
    log = store.actions()
    assert [a.number for a in log] == sorted(a.number for a in log)
    assert log[-1].number == number
    assert (log[2].anchor, log[2].verb, log[2].body) == (("r2", 2), "confirm", b"\x02")
    assert store.actions(log[1].number, limit=2) == log[2:4]
    assert store.actions_near((3.9, 52.5, 4.1, 54.5)) == log[1:3]


def test_records_of_a_held_cohort_take_no_part(store: Store) -> None:
    with store.transaction():
        keep(store, "a", record([entry((0, 0))]), "north")
        keep(store, "b", record([entry((1, 0))]), "south")
        keep(store, "c", record([entry((2, 0))]))
    a, b, c = (r.number for r in store.waiting(9))
    assert store.cohorts_of_reports([a, b, c]) == {a: "north", b: "south"}
    assert store.reports_of_cohort("north") == [a]
    assert store.reports_of_cohort("") == []
    with store.transaction():
        store.mark_fused([a, c])
        store.set_cohort_state("north", "held")
        keep(store, "d", record([entry((0, 0))]), "north")
    assert [r.record_id for r in store.waiting(9)] == ["b"]
    assert [r.record_id for r in store.all_reports()] == ["b", "c"]
    assert [r.record_id for r in store.reports_in(HERE)] == ["b", "c"]
    assert [r.number for r in store.reports([a, b], held=False)] == [b]
    assert [r.number for r in store.reports([a, b])] == [a, b]
    with store.transaction():
        store.mark_fused([a])
        store.set_cohort_state("north", "rolled back")
    assert store.cohort_states() == {"north": "rolled back"}
    assert [r.record_id for r in store.all_reports()] == ["b", "c"]
    with store.transaction():
        store.set_cohort_state("north", "trusted")
    assert [r.record_id for r in store.waiting(9)] == ["a", "b", "d"]


def test_cohorts_of_a_camera_are_counted(store: Store) -> None:
    with store.transaction():
        for name, cohort in (("a", "north"), ("b", "south"), ("c", "north"), ("d", "")):
            keep(store, name, record([entry((0, 0))]), cohort)
    name, cell, camera, shown = line(1, 52.37, 4.89)
    members = tuple(
        msgspec.structs.replace(camera.members[0], number=r.number, record_id=r.record_id)
        for r in store.waiting(9)
    )
    put(store, (name, cell, msgspec.structs.replace(camera, members=members), shown))
    stored = store.camera(name)
    assert stored
    assert stored.cohorts == 2
    assert store.cohorts_of(name) == ["north", "south"]
    assert store.cameras_with([members[0].number, members[1].number]) == [stored]
    assert store.cameras_with([10**9]) == []


def test_known_cameras_are_replaced_by_source_and_linked(store: Store) -> None:
    one = Known(ref="node/1", lat_deg=52.37, lon_deg=4.89, tags={"a": "b"}, direction_deg=90.0)
    two = Known(ref="node/2", lat_deg=52.38, lon_deg=4.89)
    with store.transaction():
        store.put_known("osm", [one, two])
        store.put_known("other", [Known(ref="x/1", lat_deg=60.0, lon_deg=4.89)])
        store.link("c1", "node/1")
        store.link("c2", "node/2")
    assert store.known_in(HERE) == [one, two]
    with store.transaction():
        store.put_known("osm", [two])
        store.link("c1", "node/2")
        store.link("c2", None)
    assert store.known_in(HERE) == [two]
    assert store.links() == {"c1": "node/2"}


def test_names_with_values_and_cells(store: Store) -> None:
    assert store.get_meta("x") is None
    with store.transaction():
        store.put_meta("x", "1")
        store.put_meta("x", "2")
        store.put_cells(["u173zm", "u173zq"], [])
        store.put_cells(["u173zm"], ["u173zq"])
    assert store.get_meta("x") == "2"
    assert store.cells() == {"u173zm"}


# --- several at once ----------------------------------------------------------------------------


def test_two_databases_tell_their_maps_apart(store: Store, tmp_path: Path) -> None:
    other = open_store(tmp_path / "other")
    assert other.version() != store.version()
    other.close()


def test_a_region_belongs_to_one_fuser_at_a_time(again: Open) -> None:
    one, two = again(), again()
    order: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with one.transaction(), one.region(["5,6", "5,7"]) as mine:
            assert mine
            order.append("one begins")
            inside.set()
            assert go_on.wait(10)
            order.append("one ends")

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(10)
    waiter = threading.Thread(target=_enter, args=(two, order))
    waiter.start()
    waiter.join(0.3)
    assert order == ["one begins"]
    go_on.set()
    thread.join(10)
    waiter.join(10)
    assert order == ["one begins", "one ends", "two"]


def test_who_has_the_map_alone_has_more_areas_than_a_server_has_locks(again: Open) -> None:
    one, two = again(), again()
    names = [f"{i},{i}" for i in range(40_000)]
    with one.transaction():
        one.hold_map(alone=True)
        with one.region(names, wait=True) as mine:
            assert mine
    # And none of it is left over: in the next transaction an area is asked for as ever.
    order: list[str] = []
    with one.transaction(), one.region(["5,7"]) as mine:
        assert mine
        waiter = threading.Thread(target=_enter, args=(two, order))
        waiter.start()
        waiter.join(0.3)
        assert order == []
    waiter.join(10)
    assert order == ["two"]


def _enter(store: Store, order: list[str]) -> None:
    with store.transaction(), store.region(["5,7"], wait=True) as mine:
        assert mine
        order.append("two")


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_who_has_the_map_alone_shares_it_with_nobody(
    again: Open,
    first: bool,  # noqa: FBT001
    second: bool,  # noqa: FBT001
) -> None:
    one, two = again(), again()
    seen: list[str | None] = []

    def other() -> None:
        with two.transaction():
            two.hold_map(alone=second)
            seen.append(two.get_meta("rule"))

    with one.transaction():
        one.hold_map(alone=first)
        waiter = threading.Thread(target=other)
        waiter.start()
        waiter.join(0.3)
        assert seen == []
        one.put_meta("rule", "new")
    waiter.join(10)
    assert seen == ["new"]  # read after the wait, not as it was before


def test_what_cannot_be_done_is_a_store_error(store: Store) -> None:
    name, cell, camera, shown = line(1, 52.37, 4.89)
    with pytest.raises(StoreError), store.transaction():
        store.put_cameras([], [(name, cell, camera, shown), (name, cell, camera, shown)])
    assert store.cameras() == []
