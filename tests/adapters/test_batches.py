"""The pool that new records wait in, so that nobody's walk shows on the map a day later."""

import calendar
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.hub import mapping
from scanner.hub.batches import Batches
from scanner.hub.stores import open_store
from scanner.hub.stores.protocol import Store
from tests.cli.test_commands import error_of, scanner
from tests.helpers.maps import STORES, database, keep
from tests.helpers.reports import entry, record

WORLD = (-180.0, -90.0, 180.0, 90.0)


class Calendar:
    """A clock that is put to days."""

    def __init__(self, day: str) -> None:
        self.day = day

    def __call__(self) -> float:
        return calendar.timegm((*map(int, self.day.split("-")), 12, 0, 0))


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with database(request.param, tmp_path) as url, contextlib.closing(open_store(url)) as opened:
        yield opened


def receive(store: Store, *names: str, cohort: str = "") -> None:
    """Records of cameras far from each other."""
    with store.transaction():
        for name in names:
            keep(store, name, record([entry((100.0 * ord(name), 0.0))]), cohort)


def on_map(store: Store) -> int:
    while mapping.fuse_waiting(store, lambda record_id, index: f"{record_id}-{index}"):
        pass
    return len(store.shown(WORLD))


def test_records_wait_for_the_next_month_and_for_enough_others(store: Store) -> None:
    today = Calendar("2026-11-03")
    batches = Batches(store, 3, today)
    receive(store, "a", "b")
    today.day = "2026-11-30"
    assert not batches.open_if_due()
    today.day = "2026-12-01"
    assert not batches.open_if_due()  # two are too few
    assert on_map(store) == 0
    receive(store, "c")
    today.day = "2026-12-13"
    assert not batches.open_if_due()  # it would tell on which day the third one came
    today.day = "2027-01-01"
    assert batches.open_if_due()
    assert on_map(store) == 3
    receive(store, "d", "e", "f", "g")
    today.day = "2027-01-31"
    assert not batches.open_if_due()
    assert on_map(store) == 3
    today.day = "2027-02-01"
    assert batches.open_if_due()
    assert on_map(store) == 7


def test_neither_a_rebuild_nor_a_trusted_cohort_nor_a_restart_opens_the_pool(store: Store) -> None:
    today = Calendar("2026-11-03")
    Batches(store, 2, today)
    receive(store, "a")
    receive(store, "b", cohort="north")
    with store.transaction():
        store.set_cohort_state("north", "held")
    assert store.pooled() == 1
    with store.transaction():
        store.set_cohort_state("north", "trusted")
    assert store.pooled() == 2
    mapping.rebuild(store, lambda record_id, _: record_id)
    today.day = "2026-11-20"
    again = Batches(store, 2, today)
    assert not again.open_if_due()
    assert on_map(store) == 0
    today.day = "2026-12-20"
    assert again.open_if_due()
    assert on_map(store) == 2


def test_a_cohort_that_is_held_and_trusted_again_fills_no_pool(store: Store) -> None:
    today = Calendar("2026-11-03")
    batches = Batches(store, 3, today)
    receive(store, "a", "b", "c", cohort="north")
    today.day = "2026-12-01"
    assert batches.open_if_due()
    assert on_map(store) == 3
    receive(store, "d", cohort="north")
    for state in ("held", "rolled back"):
        with store.transaction():
            store.set_cohort_state("north", state)
    receive(store, "e", cohort="north")
    assert store.pooled() == 0
    assert [r.record_id for r in store.all_reports()] == []
    with store.transaction():
        store.set_cohort_state("north", "trusted")
    # What was public is again; what had waited, or came meanwhile, waits.
    assert store.pooled() == 2
    assert on_map(store) == 3
    today.day = "2027-01-01"
    assert not batches.open_if_due()
    assert on_map(store) == 3


def test_a_held_cohort_stays_held_when_the_pool_is_opened(store: Store) -> None:
    today = Calendar("2026-11-03")
    batches = Batches(store, 1, today)
    receive(store, "a")
    receive(store, "b", cohort="north")
    with store.transaction():
        store.set_cohort_state("north", "held")
    receive(store, "c", cohort="north")
    today.day = "2026-12-01"
    assert batches.open_if_due()
    assert on_map(store) == 1


def test_a_clock_that_was_ahead_opens_nothing_when_it_is_put_back(store: Store) -> None:
    today = Calendar("2031-05-01")
    batches = Batches(store, 1, today)
    receive(store, "a")
    today.day = "2026-11-03"
    assert not batches.open_if_due()
    today.day = "2026-11-30"
    assert not batches.open_if_due()
    today.day = "2026-12-01"
    assert batches.open_if_due()


@pytest.mark.parametrize("wrong", ["1970-01-01", "2026-10-20"])
def test_a_clock_that_lags_for_a_while_opens_nothing_when_it_is_right_again(
    store: Store, wrong: str
) -> None:
    today = Calendar("2026-11-03")
    batches = Batches(store, 1, today)
    receive(store, "a")
    for day in (wrong, "2026-11-04"):
        today.day = day
        assert not batches.open_if_due()
        assert not Batches(store, 1, today).open_if_due()
    today.day = "2026-12-01"
    assert batches.open_if_due()


def test_a_pool_made_by_a_clock_of_1970_is_not_opened_when_that_is_set(store: Store) -> None:
    today = Calendar("1970-01-01")
    batches = Batches(store, 1, today)
    receive(store, "a")
    today.day = "2026-11-03"
    assert not batches.open_if_due()
    today.day = "2026-12-01"
    assert batches.open_if_due()


def test_without_a_batch_records_go_on_at_once_and_what_waited_too(store: Store) -> None:
    today = Calendar("2026-11-03")
    Batches(store, 5, today)
    receive(store, "a")
    assert on_map(store) == 0
    Batches(store, 0, today)
    receive(store, "b")
    assert on_map(store) == 2


def test_a_rule_that_is_changed_does_not_begin_the_month_again(store: Store) -> None:
    today = Calendar("2026-11-03")
    Batches(store, 5, today)
    receive(store, "a")
    today.day = "2026-12-03"
    assert Batches(store, 1, today).open_if_due()


def test_a_batch_of_less_than_none_is_refused(tmp_path: Path) -> None:
    text = error_of(
        scanner("hub", "serve", "--data", tmp_path, "--broker", "127.0.0.1", "--batch", "-1"), 2
    )
    assert "--batch -1: 0 or more is wanted" in text
