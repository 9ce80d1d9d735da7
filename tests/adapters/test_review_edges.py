"""Decisions at the edge of a cell: what is fused beside them leaves them as they are.

The map made record by record and decision by decision is the map made at once of all records and
the whole log.
"""

import hashlib
import math
import random
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.core.fusing.vicinity import STEP_E7, cells_near
from scanner.errors import UsageError
from scanner.hub import keys, mapping
from scanner.hub.features import OPEN
from scanner.hub.review import MERGE_M, ReviewDesk, Wanted
from scanner.hub.stores import open_store
from scanner.hub.stores.protocol import CohortState, Store, Stored
from tests.helpers.maps import STORES, database, keep
from tests.helpers.reports import ORIGIN, Place, entry, record

NAME = partial(keys.camera_id, bytes(32))
ELSEWHERE_M = -250.0  # north of the edge: in the cell south of it, far from all cameras


def _edge() -> Place:
    """A place on the edge of a cell with another one north of it, far from all other edges."""
    lat_e7 = round(ORIGIN.geodetic_from_enu(0, 0)[0] * 1e7) + 900_000_000
    north_m = ((lat_e7 // STEP_E7 + 1) * STEP_E7 - lat_e7) * 0.0111195
    for east_m in range(0, 700, 50):
        if len(cells_near(record([entry((east_m, north_m - 250))]), 150)) == 1:
            return east_m, north_m
    raise AssertionError


EDGE = _edge()


class World:
    """A hub whose map lies across the edge; places are metres from there."""

    def __init__(self, store: Store) -> None:
        mapping.set_policy(store, OPEN)
        self.store = store
        self.desk = ReviewDesk(store, OPEN, partial(mapping.refresh, name=NAME), lambda: 1.79e9)
        self._count = 0

    def see(self, *places: Place, sigma_m: float = 0.3, cohort: str = "") -> str:
        """Take in one pass; returns the record's id."""
        self._count += 1
        record_id = hashlib.blake2b(str(self._count).encode(), digest_size=16).hexdigest()
        entries = [entry((EDGE[0] + x, EDGE[1] + y), sigma_m=sigma_m) for x, y in places]
        with self.store.transaction():
            keep(self.store, record_id, record(entries, common_m=1.0), cohort)
        self.fuse()
        return record_id

    def fuse(self) -> None:
        while mapping.fuse_waiting(self.store, NAME):
            pass

    def decide_on(self, cohort: str, state: CohortState) -> None:
        """Let a cohort's records count, or not."""

        def change() -> list[int]:
            self.store.set_cohort_state(cohort, state)
            return self.store.reports_of_cohort(cohort)

        mapping.fuse_again(self.store, NAME, change)
        self.fuse()

    def at(self, x: float, y: float) -> Stored:
        """The camera nearest to a place, by what the records say."""
        return min(self.store.cameras(), key=lambda s: math.dist(self.place(s), (x, y)))

    def place(self, stored: Stored) -> Place:
        east, north = ORIGIN.enu_from_geodetic(stored.camera.lat_deg, stored.camera.lon_deg)
        return float(east) - EDGE[0], float(north) - EDGE[1]

    def act(self, verb: str, stored: Stored, **more: object) -> None:
        wanted = {"verb": verb, "camera_id": stored.id, **more}
        self.desk.act("ana", msgspec.convert(wanted, Wanted))

    def merge(self, one: Stored, other: Stored) -> None:
        self.act("merge", one, **{"with": other.id})

    def all(self) -> list[object]:
        return [(s.id, s.camera, s.shown) for s in self.store.cameras()]

    def statuses(self) -> list[str]:
        """From south to north."""
        found = sorted((s.camera.lat_deg, s.shown.status) for s in self.store.cameras() if s.shown)
        return [status for _, status in found]


@pytest.fixture(params=STORES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with database(request.param, tmp_path) as url, closing(open_store(url)) as store:
        yield World(store)


def test_a_record_elsewhere_leaves_a_merged_camera_whole(world: World) -> None:
    world.see((0, -3))
    world.see((0, 15), (0, -3))
    world.see((25, 18))
    world.merge(world.at(0, 15), world.at(25, 18))
    before = world.all()
    world.see((0, ELSEWHERE_M))
    assert [line for line in world.all() if line in before] == before
    assert mapping.rebuild(world.store, NAME) == []


def test_a_record_elsewhere_leaves_a_split_camera_split(world: World) -> None:
    world.see((0, -3))
    world.see((0, 15), (0, -3))
    apart = world.see((1, 16))
    world.act("split", world.at(0, 15), members=[(apart, 0)])
    before = world.all()
    world.see((0, ELSEWHERE_M))
    assert [line for line in world.all() if line in before] == before
    assert mapping.rebuild(world.store, NAME) == []


def test_a_decision_lifts_no_tombstone_far_from_it(world: World) -> None:
    """A camera that is judged again is judged by all lines on its place, farther ones included."""
    for north_m in (0, 140, 294):
        world.see((0, north_m))
    world.act("reject", world.at(0, 294))
    world.see((0, 286))
    world.act("confirm", world.at(0, 0))
    assert world.statuses() == ["confirmed", "confirmed", "rejected", "rejected"]
    assert mapping.rebuild(world.store, NAME) == []


@pytest.mark.parametrize(
    ("verb", "more"), [("tag", {"tags": {"camera:type": "doorbell"}}), ("reject", {})]
)
def test_a_record_elsewhere_publishes_no_half_of_a_private_home(
    world: World, verb: str, more: dict[str, object]
) -> None:
    world.see((30, 45))
    world.see((0, -3))
    world.see((0, 15), (0, -3))
    world.merge(world.at(0, 15), world.at(30, 45))
    world.act(verb, world.at(15, 30), **more)
    assert world.statuses() == ["confirmed", "rejected"]
    world.see((0, ELSEWHERE_M))
    assert world.statuses() == ["confirmed", "confirmed", "rejected"]
    assert mapping.rebuild(world.store, NAME) == []


# --- whatever happens -----------------------------------------------------------------------------


def see(world: World, dice: random.Random, places: list[Place]) -> None:
    """One pass by some of the cameras, or by one far from them."""
    cohort = dice.choice(["", "north", "south"])
    if dice.random() < 0.2:
        far_m = dice.choice([-1, 1]) * dice.uniform(180, 420)
        world.see((dice.uniform(-20, 20), far_m), cohort=cohort)
        return
    here = dice.choice(places)
    shown = [p for p in places if max(abs(p[0] - here[0]), abs(p[1] - here[1])) < 25][:8]
    dice.shuffle(shown)
    off = [(x + dice.gauss(0, 1), y + dice.gauss(0, 1)) for x, y in shown]
    world.see(*off, sigma_m=0.5, cohort=cohort)


def decide(world: World, dice: random.Random) -> None:
    """One decision of a reviewer or on a cohort, or taking one back."""
    cameras = world.store.cameras()
    one = dice.choice(cameras)
    x, y = world.place(one)
    match dice.choice(["merge", "split", "undo", "cohort", "tag", "move", "word"]):
        case "merge":
            near = [s for s in cameras if 0 < math.dist(world.place(s), (x, y)) < MERGE_M]
            if near:
                world.merge(one, dice.choice(near))
        case "split":
            world.act("split", max(cameras, key=lambda s: s.camera.reports))
        case "undo":
            for line in dice.sample(world.desk.log(), min(1, len(world.desk.log()))):
                world.desk.undo("ben", line.number)
        case "cohort":
            world.decide_on(dice.choice(["north", "south"]), dice.choice(["held", "trusted"]))
        case "tag":
            world.act("tag", one, tags={"camera:type": dice.choice(["doorbell", "", "dome"])})
        case "move":
            to = EDGE[0] + x + dice.uniform(-40, 40), EDGE[1] + y + dice.uniform(-40, 40)
            lat_deg, lon_deg = ORIGIN.geodetic_from_enu(*to)
            world.act("move", one, lat=float(lat_deg), lon=float(lon_deg))
        case _:
            world.act(dice.choice(["confirm", "reject", "reject", "gone", "withdraw"]), one)


def grow(world: World, seed: int, *, steps: int, reach_m: Place) -> None:
    """Let records and decisions come by chance, and compare with the map made at once."""
    dice = random.Random(seed)
    east_m, north_m = reach_m
    places = [(dice.uniform(-east_m, east_m), dice.uniform(-north_m, north_m)) for _ in range(7)]
    for step in range(steps):
        if dice.random() < 0.6 or not world.store.size():
            see(world, dice, places)
        else:
            with suppress(UsageError):  # what cannot be decided leaves everything as it is
                decide(world, dice)
        assert mapping.rebuild(world.store, NAME) == [], f"world {seed}, step {step}"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([(30.0, 40.0), (15.0, 200.0)]))
def test_the_map_made_piece_by_piece_is_the_map_made_at_once(seed: int, reach_m: Place) -> None:
    with (
        TemporaryDirectory() as folder,
        closing(open_store(f"sqlite:///{folder}/hub.sqlite3")) as store,
    ):
        grow(World(store), seed, steps=14, reach_m=reach_m)
