"""Fusers, a new rule of publication and a rebuild at the same time: nothing is lost or shown."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from scanner.core.wire import Record
from scanner.errors import StoreError
from scanner.hub import cohort_care, mapping
from scanner.hub.batches import Batches
from scanner.hub.features import OPEN, Policy
from scanner.hub.review import ReviewDesk, Wanted
from scanner.hub.stores import open_store
from scanner.hub.stores.protocol import PUBLIC, Store
from scanner.hub.stores.sqlite import SqliteStore
from tests.helpers.maps import STORES, database, keep
from tests.helpers.reports import entry, record

Open = Callable[[], Store]
TWO = Policy(reports=2, cohorts=2)
THREE = Policy(reports=3, cohorts=3)
LONGER_S = mapping.HELD_S + 0.2  # than a transaction goes on taking pieces


@pytest.fixture(params=STORES)
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same database, as often as wanted."""
    with ExitStack() as stack:
        url = stack.enter_context(database(request.param, tmp_path))
        yield lambda: stack.enter_context(closing(open_store(url)))


def name(record_id: str, index: int) -> str:
    return f"{record_id}{index}"


class Held:
    """Names cameras as ``name`` does, the first one only when it is let go."""

    def __init__(self) -> None:
        self.inside, self.go_on = threading.Event(), threading.Event()

    def __call__(self, record_id: str, index: int) -> str:
        self.inside.set()
        assert self.go_on.wait(20)
        return name(record_id, index)


@contextmanager
def running(work: Callable[[], object]) -> Iterator[threading.Thread]:
    """A thread that does it, and has done it at the end of the block."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as e:  # noqa: BLE001 told below
            failed.append(e)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(20)
    assert not thread.is_alive()
    assert failed == []


def put(store: Store, record_id: str, cohort: str, value: Record) -> None:
    with store.transaction():
        keep(store, record_id, value, cohort)


def fuse_all(store: Store) -> None:
    while mapping.fuse_waiting(store, name):
        pass


def public(store: Store) -> list[str]:
    return [shown.id for shown in store.shown(None, statuses=PUBLIC)]


def test_a_stricter_rule_holds_for_what_is_fused_meanwhile(again: Open) -> None:
    serve, work = again(), again()
    mapping.set_policy(serve, TWO)
    here, far = record([entry((0, 0))]), record([entry((30_000, 0))])
    put(serve, "a", "north", here)
    put(serve, "x", "north", far)
    fuse_all(serve)
    put(serve, "b", "south", here)
    put(serve, "y", "south", far)  # fused in the next transaction of the same call
    held = Held()
    with running(lambda: mapping.fuse_waiting(work, held)):
        assert held.inside.wait(20)
        with running(lambda: mapping.set_policy(serve, THREE)) as ruling:
            ruling.join(LONGER_S)
            held.go_on.set()
    assert mapping.policy_of(work) == THREE
    assert [s.camera.reports for s in work.cameras()] == [2, 2]
    assert public(work) == []
    assert mapping.rebuild(work, name) == []
    assert not mapping.set_policy(work, THREE)


@pytest.mark.parametrize("again", ["postgres"], indirect=True)
def test_fusers_have_the_map_together(again: Open) -> None:
    one, two = again(), again()
    with one.transaction():
        one.hold_map()

        def enter() -> None:
            with two.transaction():
                two.hold_map()

        with running(enter) as entering:
            entering.join(10)
            assert not entering.is_alive()


def test_a_rebuild_loses_no_record_that_is_fused_meanwhile(again: Open) -> None:
    first, other = again(), again()
    mapping.set_policy(first, OPEN)
    for record_id in "ab":
        put(first, record_id, "", record([entry((0, 0))]))
    fuse_all(first)
    with first.transaction():
        first.put_cameras([s.id for s in first.cameras()], [])

    def add() -> None:
        put(other, "c", "", record([entry((0, 0))]))
        fuse_all(other)

    held = Held()
    with running(lambda: mapping.rebuild(first, held)):
        assert held.inside.wait(20)
        with running(add) as adding:
            adding.join(LONGER_S)
            held.go_on.set()
    assert [s.camera.reports for s in other.cameras()] == [3]
    assert other.waiting(9) == []
    assert mapping.rebuild(other, name) == []


def test_what_an_intake_has_in_hand_while_its_cohort_is_rolled_back_does_not_count(
    again: Open,
) -> None:
    serve, work = again(), again()
    mapping.set_policy(serve, TWO)
    put(serve, "b", "south", record([entry((0, 0))]))
    fuse_all(serve)

    def roll_back() -> None:
        cohort_care.set_state(
            serve, "north", "rolled back", name=name, reviewer="ana", reason="", clock=lambda: 7
        )

    with ExitStack() as stack, work.transaction():
        keep(work, "a", record([entry((0, 0))]), "north")
        deciding = stack.enter_context(running(roll_back))
        deciding.join(0.5)
    fuse_all(work)
    assert work.cohort_states() == {"north": "rolled back"}
    assert public(work) == []
    assert [s.camera.reports for s in work.cameras()] == [1]
    assert mapping.rebuild(work, name) == []


def test_what_an_intake_has_in_hand_while_the_pool_is_given_up_is_not_left_in_it(
    again: Open,
) -> None:
    serve, work = again(), again()
    mapping.set_policy(serve, OPEN)
    Batches(serve, 50, lambda: 1.79e9)
    with ExitStack() as stack, work.transaction():
        keep(work, "a", record([entry((0, 0))]))
        giving_up = stack.enter_context(running(lambda: Batches(serve, 0, lambda: 1.79e9)))
        giving_up.join(0.5)
    fuse_all(work)
    assert work.pooled() == 0
    assert public(work) == ["a0"]


def test_a_worker_that_finds_no_rule_does_not_replace_one_that_is_just_set(again: Open) -> None:
    serve, work = again(), again()
    put(serve, "a", "north", record([entry((0, 0))]))
    with ExitStack() as stack, serve.transaction():
        serve.hold_map(alone=True)
        fusing = stack.enter_context(running(lambda: fuse_all(work)))
        fusing.join(0.3)
        serve.put_meta(mapping.POLICY, '{"reports":2,"cohorts":2}')
    assert mapping.policy_of(work) == TWO
    assert public(work) == []


def test_the_first_decision_of_all_holds_for_what_is_fused_meanwhile(tmp_path: Path) -> None:
    """A worker began before there was a log, and comes to the place only after the decision."""
    with (
        database("postgres", tmp_path) as url,
        closing(open_store(url)) as serve,
        closing(open_store(url)) as work,
    ):
        mapping.set_policy(serve, OPEN)
        put(serve, "a", "north", record([entry((0, 0))]))
        fuse_all(serve)
        desk = ReviewDesk(serve, OPEN, partial(mapping.refresh, name=name), lambda: 1.79e9)
        put(serve, "b", "north", record([entry((20_000, 0))]))
        put(serve, "c", "north", record([entry((0, 0))]))
        held = Held()
        with running(lambda: mapping.fuse_waiting(work, held)):
            assert held.inside.wait(20)
            desk.act("ana", Wanted(verb="reject", camera_id="a0"))
            held.go_on.set()
        fuse_all(work)
        assert {s.id: s.verdict for s in serve.cameras()} == {"a0": "rejected", "b0": None}
        assert public(serve) == ["b0"]


def test_a_rule_that_was_broken_off_is_applied_to_the_rest_by_the_next_start(
    tmp_path: Path,
) -> None:
    with closing(SqliteStore(tmp_path / "hub.sqlite3")) as store:
        mapping.set_policy(store, OPEN)
        for number, record_id in enumerate("abc"):
            put(store, record_id, "", record([entry((900 * number, 0))]))
        fuse_all(store)
        store._db.run(
            "CREATE TRIGGER full_disk BEFORE INSERT ON shown WHEN NEW.id = 'b0' "
            "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
        with pytest.raises(StoreError, match="disk is full"):
            mapping.set_policy(store, TWO, page=1)
        store._db.run("DROP TRIGGER full_disk")
        assert (mapping.policy_of(store), public(store)) == (TWO, ["b0", "c0"])
        assert mapping.set_policy(store, TWO)
        assert public(store) == []
        assert not mapping.set_policy(store, TWO)
