"""Several workers on one inbox, killed at any instant; and other processes that change the map."""

import contextlib
import time
from pathlib import Path

import pytest

from scanner.core.wire import record_id
from scanner.hub import keys
from scanner.hub.ingest import Ingest
from scanner.hub.intake import Intake, IntakeOptions
from scanner.hub.stores import open_store
from scanner.hub.worker import Worker
from scanner.network.inbox import Delivery
from tests.helpers.broker import Mosquitto
from tests.helpers.intake import kill_at_random, publish
from tests.helpers.maps import STORES, database, kept
from tests.helpers.sealed import sealed
from tests.helpers.waiting import until

RECORDS = 300


def test_nothing_is_lost_or_doubled_when_hub_and_broker_die(tmp_path: Path) -> None:
    survived = kill_at_random(tmp_path, 600, 2)
    assert (survived.lost, survived.doubled, survived.quarantined) == (0, 0, 0)


@pytest.mark.parametrize("kind", STORES)
def test_workers_share_the_inbox_and_make_one_map(tmp_path: Path, kind: str) -> None:
    key = keys.load_or_create(tmp_path / "hub").public_key
    # Every place is reported by three records: each camera is the work of several workers.
    payloads = [sealed(number % 100, key) for number in range(RECORDS)]
    with (
        database(kind, tmp_path) as url,
        Mosquitto(tmp_path / "broker") as broker,
        contextlib.ExitStack() as running,
    ):
        workers = [
            running.enter_context(
                contextlib.closing(
                    Intake(
                        IntakeOptions(
                            data=tmp_path / "hub",
                            database=url,
                            mqtt=broker.settings,
                            client_id=f"cctv-hub-{number}",
                        )
                    )
                )
            )
            for number in range(3)
        ]
        for worker in workers:
            worker.start()
        until(lambda: all(worker.inbox.online for worker in workers))
        publish(broker, payloads)
        store = running.enter_context(contextlib.closing(open_store(url)))
        until(lambda: store.counts() == (RECORDS, 0) and not store.waiting(1), timeout_s=60)
        cameras = store.cameras()
        assert len(cameras) == 100
        assert {s.camera.reports for s in cameras} == {3}
        assert sum(t.count for t in store.tally()) == 100
        assert len(store.features((-180.0, -90.0, 180.0, 90.0))) == 100
        assert all(not worker.worker.trouble for worker in workers)


def test_messages_are_acknowledged_after_they_were_kept(tmp_path: Path) -> None:
    key = keys.load_or_create(tmp_path / "hub")
    payloads = [sealed(number, key.public_key) for number in range(3)]
    seen: list[list[bool]] = []
    with (
        contextlib.closing(open_store(tmp_path / "db")) as store,
        contextlib.closing(open_store(tmp_path / "db")) as other,
    ):

        def acknowledge() -> None:
            seen.append([record_id(payload) in kept(other) for payload in payloads])

        worker = Worker(
            store=store, ingest=Ingest(store, key, time.time), name=lambda record, _: record
        )
        worker.receive(Delivery(payloads, acknowledge))
        worker.start()
        until(lambda: seen)
        worker.stop()
    assert seen == [[True, True, True]]
