"""The hub with a real broker, a real database and a real web server."""

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Self

import httpx
import msgspec
import pytest

from scanner.config import Mqtt
from scanner.core.wire import Cell, Change, Record, Stats, geohash
from scanner.errors import BrokerError, ConfigError
from scanner.hub import broker as brokers
from scanner.hub import keys, mapping
from scanner.hub.features import OPEN
from scanner.hub.review import ReviewDesk, Wanted
from scanner.hub.service import DATABASE, Hub, Options
from scanner.hub.stores import open_store
from scanner.network.mqtt import NEW, Incoming, Link, open_link
from scanner.network.session import MqttPublisher
from scanner.records import Kind
from scanner.sealing import seal
from tests.helpers import contract
from tests.helpers.broker import Mosquitto
from tests.helpers.reports import ORIGIN, entry, record
from tests.helpers.taken import taken_in
from tests.helpers.waiting import until

TODAY = int(time.time() // 86_400)
CELL = geohash(ORIGIN.lat_deg, ORIGIN.lon_deg)
PROGRAM = [sys.executable, "-m", "scanner"]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as running:
        yield running


def options(data: Path, mqtt: Mqtt, **more: object) -> Options:
    return msgspec.structs.replace(Options(data=data, mqtt=mqtt, port=0), **more)


@contextlib.contextmanager
def running_hub(data: Path, mqtt: Mqtt, **more: object) -> Iterator[Hub]:
    with Hub(options(data, mqtt, **more)) as hub:
        until(lambda: hub.health().ok)
        yield hub


def sealed(data: Path, value: Record) -> bytes:
    return seal(value, keys.load_or_create(data).public_key)


def site(number: int) -> Record:
    """One camera, 100 m from the next one, seen today."""
    return record([entry((100 * number, 0))], day=TODAY)


def deliver(settings: Mqtt, payloads: list[bytes], *, password: str = "") -> None:
    """Send each until the broker has it, as a relay does."""
    publisher = MqttPublisher(settings, password=password, timeout_s=5)
    deadline = time.monotonic() + 60
    for payload in payloads:
        while True:
            try:
                publisher.publish(payload)
                break
            except BrokerError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
    publisher.close()


def published(hub: Hub) -> Cell:
    answer = httpx.get(f"{hub.url}/api/cameras.geojson")
    assert answer.headers["content-type"] == "application/geo+json"
    return msgspec.json.decode(answer.content, type=Cell)


class Reader:
    """Someone who follows the map by MQTT; topics without their root."""

    def __init__(self, settings: Mqtt) -> None:
        self.retained: dict[str, bytes] = {}
        self.all: list[tuple[str, bytes]] = []
        self._settings = settings

    def _take(self, message: Incoming) -> None:
        topic = message.topic.removeprefix("cctv/v1/")
        self.all.append((topic, message.payload))
        self.retained[topic] = message.payload
        message.acknowledge()

    def _make(self, version: int) -> Link:
        name = os.urandom(8).hex()
        return Link(self._settings, client_id=name, version=version, on_message=self._take)

    def __enter__(self) -> Self:
        self._link, _ = open_link(self._make, NEW, 5)
        for part in ("map", "changes", "hub"):
            self._link.subscribe(f"{self._settings.root}/{part}/#", 5)
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close()
        for topic, payload in self.all:
            contract.check(topic, payload)

    def cell(self, name: str = CELL) -> Cell:
        body = self.retained.get(f"map/{'/'.join(name)}", b"")
        return msgspec.json.decode(body, type=Cell) if body else Cell(features=[])

    @property
    def changes(self) -> list[Change]:
        return [
            msgspec.json.decode(body, type=Change)
            for topic, body in self.all
            if topic.startswith("changes/")
        ]


# --- nothing is lost, nothing counts twice ------------------------------------------------------


def test_a_broker_restarted_in_the_middle_loses_nothing(tmp_path: Path, broker: Mosquitto) -> None:
    data = tmp_path / "hub"
    payloads = [sealed(data, site(number)) for number in range(60)]
    with running_hub(data, broker.settings) as hub:
        senders = [
            threading.Thread(target=deliver, args=(broker.settings, payloads[start::3]))
            for start in range(3)
        ]
        for sender in senders:
            sender.start()
        for wanted in (10, 30):
            until(lambda wanted=wanted: taken_in(data)[0] >= wanted)
            broker.restart()
        for sender in senders:
            sender.join()
        deliver(broker.settings, payloads[:10])  # some come twice
        until(lambda: taken_in(data)[0] >= 60)
        until(lambda: len(published(hub).features) == 60)
        assert taken_in(data)[0] == 60
        assert {f.properties.confirmations for f in published(hub).features} == {"1"}


def test_what_comes_while_the_hub_is_away_waits(tmp_path: Path, broker: Mosquitto) -> None:
    data = tmp_path / "hub"
    with running_hub(data, broker.settings):
        pass
    deliver(broker.settings, [sealed(data, site(number)) for number in range(30)])
    broker.restart()
    with running_hub(data, broker.settings):
        until(lambda: taken_in(data)[0] == 30)


def serve(data: Path, *arguments: str) -> "subprocess.Popen[str]":
    environment = os.environ | {"SCANNER_CONFIG": ""}
    return subprocess.Popen(
        [*PROGRAM, "hub", "serve", "--data", data, "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_a_hub_says_that_its_broker_is_away(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*PROGRAM, "hub", "serve", "--data", tmp_path, "--port", "0", "--broker", "127.0.0.1:9"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"SCANNER_CONFIG": ""},
    ) as hub:
        assert hub.stderr
        assert hub.stderr.readline() == "scanner: broker 127.0.0.1:9: Connection refused\n"
        hub.terminate()


def count(data: Path) -> int:
    with contextlib.closing(sqlite3.connect(data / DATABASE)) as db:
        return int(db.execute("SELECT count(*) FROM reports").fetchone()[0])


def cameras(data: Path) -> int:
    with contextlib.closing(open_store(data / DATABASE)) as store:
        return store.size()


def test_a_hub_killed_before_it_could_write_gets_the_record_again(
    tmp_path: Path, broker: Mosquitto
) -> None:
    data = tmp_path / "hub"
    payload = sealed(data, site(0))
    with serve(data, "--broker", f"127.0.0.1:{broker.port}") as hub:
        assert hub.stdout
        hub.stdout.readline()
        with Reader(broker.settings) as reader:
            until(lambda: reader.retained.get("hub/status") == b"online")
        with contextlib.closing(sqlite3.connect(data / DATABASE, isolation_level=None)) as lock:
            lock.execute("BEGIN IMMEDIATE")  # the hub can receive, but not write
            deliver(broker.settings, [payload])
            time.sleep(0.3)  # time to receive, and to do wrong
            hub.send_signal(signal.SIGKILL)
            hub.wait()
            lock.execute("ROLLBACK")
    assert count(data) == 0
    with running_hub(data, broker.settings) as again:
        until(lambda: taken_in(data)[0] == 1)
        until(lambda: len(published(again).features) == 1)


def test_a_disk_that_is_full_for_a_while_loses_nothing(tmp_path: Path, broker: Mosquitto) -> None:
    data = tmp_path / "hub"
    with running_hub(data, broker.settings) as hub:
        with contextlib.closing(sqlite3.connect(data / DATABASE, isolation_level=None)) as db:
            db.execute("CREATE TRIGGER full BEFORE INSERT ON reports BEGIN "
                       "SELECT RAISE(ABORT, 'database or disk is full'); END")  # fmt: skip
            deliver(broker.settings, [sealed(data, site(0))])
            until(lambda: "disk is full" in hub.health().store)
            assert httpx.get(f"{hub.url}/api/health").status_code == 503
            db.execute("DROP TRIGGER full")
        until(lambda: taken_in(data)[0] == 1)
        until(lambda: hub.health().ok)


def test_garbage_is_put_aside_and_good_records_go_on(tmp_path: Path, broker: Mosquitto) -> None:
    data = tmp_path / "hub"
    with running_hub(data, broker.settings) as hub:
        future = record([entry((0, 0))], day=TODAY + 400)
        garbage = [b"", b"x", b"\xff" * 1072, os.urandom(1072), b"y" * 200_000]
        deliver(broker.settings, [*garbage, sealed(data, future), sealed(data, site(0))])
        until(lambda: taken_in(data)[1] == 6)
        until(lambda: len(published(hub).features) == 1)
        assert hub.health().ok


# --- what is published --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mosquitto", "iotcore"])
def test_from_record_to_map_topic(tmp_path: Path, kind: brokers.KindName) -> None:
    data = tmp_path / "hub"
    own = brokers.start(data, kind=kind)
    hub_access, scanner = own.access("hub"), own.access("scanner")
    try:
        with (
            running_hub(data, hub_access.settings, password=hub_access.password),
            Reader(msgspec.structs.replace(hub_access.settings, username="")) as reader,
        ):
            pair = record([entry((0, 0), Kind.DOME), entry((3, 0), Kind.BULLET)], day=TODAY)
            deliver(scanner.settings, [sealed(data, pair)], password=scanner.password)
            until(lambda: len(reader.cell().features) == 2 and len(reader.changes) == 2)
            assert {f.properties.kind for f in reader.cell().features} == {"dome", "bullet"}
            assert {c.change for c in reader.changes} == {"added"}
            assert {c.id for c in reader.changes} == {f.id for f in reader.cell().features}
            until(lambda: b'"cameras":2' in reader.retained.get("hub/stats", b""))
            stats = msgspec.json.decode(reader.retained["hub/stats"], type=Stats)
            assert stats.kinds == {Kind.DOME: 1, Kind.BULLET: 1}
            assert reader.retained["hub/status"] == b"online"
    finally:
        own.stop()


def test_a_broker_that_forgot_the_map_is_told_again(tmp_path: Path, broker: Mosquitto) -> None:
    data = tmp_path / "hub"
    with running_hub(data, broker.settings) as hub:
        deliver(broker.settings, [sealed(data, site(0))])
        until(lambda: len(published(hub).features) == 1)
        broker.stop()
        (tmp_path / "broker" / "mosquitto.db").unlink()
        broker.start()
        until(lambda: hub.health().ok)
        with Reader(broker.settings) as reader:
            until(lambda: len(reader.cell().features) == 1)


def desk(data: Path) -> ReviewDesk:
    """A reviewer at the command line: another process, as far as the hub can tell."""
    name = partial(keys.camera_id, keys.load_naming(data))
    store = open_store(data / DATABASE)
    return ReviewDesk(store, OPEN, partial(mapping.refresh, name=name), time.time)


def test_a_camera_that_somebody_else_rejects_leaves_topics_and_pages(
    tmp_path: Path, broker: Mosquitto
) -> None:
    data = tmp_path / "hub"
    with running_hub(data, broker.settings) as hub, Reader(broker.settings) as reader:
        deliver(broker.settings, [sealed(data, site(0))])
        until(lambda: len(reader.cell().features) == 1)
        (camera,) = reader.cell().features
        with httpx.stream("GET", f"{hub.url}/api/changes", timeout=30) as stream:
            heard = events(stream.iter_lines())
            assert next(heard)[0] == "hello"
            begun = time.monotonic()
            desk(data).act("ana", Wanted(verb="reject", camera_id=camera.id))
            name, told = next(heard)
            until(lambda: reader.cell().features == [], timeout_s=10)
            took_s = time.monotonic() - begun
        assert (name, msgspec.json.decode(told, type=Change).change) == ("change", "removed")
        assert published(hub).features == []
        assert [c.change for c in reader.changes] == ["added", "removed"]
        assert took_s < 5  # a quarter of a second and what a loaded machine adds


def test_what_leaves_the_map_while_the_hub_is_down_leaves_the_broker_when_it_is_back(
    tmp_path: Path, broker: Mosquitto
) -> None:
    data = tmp_path / "hub"
    with running_hub(data, broker.settings):
        deliver(broker.settings, [sealed(data, site(0))])
        with Reader(broker.settings) as reader:
            until(lambda: len(reader.cell().features) == 1)
            (camera,) = reader.cell().features
    desk(data).act("ana", Wanted(verb="reject", camera_id=camera.id))
    with Reader(broker.settings) as reader:
        until(lambda: len(reader.cell().features) == 1)  # still what the broker keeps
        with running_hub(data, broker.settings) as hub:
            until(lambda: reader.cell().features == [])
            assert published(hub).features == []
    with Reader(broker.settings) as late:
        until(lambda: late.retained.get("hub/status") == b"offline")
        assert [topic for topic in late.retained if topic.startswith("map/")] == []


# --- the web side -------------------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path: Path, broker: Mosquitto) -> Iterator[Hub]:
    truth = tmp_path / "truth.geojson"
    truth.write_text('{"type":"FeatureCollection","features":[]}')
    with running_hub(tmp_path / "hub", broker.settings, truth=truth) as running:
        deliver(broker.settings, [sealed(tmp_path / "hub", site(n)) for n in range(3)])
        until(lambda: len(published(running).features) == 3)
        yield running


def test_cameras_by_box_and_only_when_they_changed(
    tmp_path: Path, broker: Mosquitto, hub: Hub
) -> None:
    url = f"{hub.url}/api/cameras.geojson"
    west, south = ORIGIN.lon_deg - 0.001, ORIGIN.lat_deg - 0.001
    box = {"bbox": f"{west},{south},{west + 0.002},{south + 0.002}"}
    answer = httpx.get(url, params=box)
    assert len(msgspec.json.decode(answer.content, type=Cell).features) == 1
    known = {"If-None-Match": answer.headers["etag"]}
    assert httpx.get(url, params=box, headers=known).status_code == 304
    assert httpx.get(url, headers=known).status_code == 200
    deliver(broker.settings, [sealed(tmp_path / "hub", site(9))])
    until(lambda: httpx.get(url, params=box, headers=known).status_code == 200)


@pytest.mark.parametrize(
    "box", ["1,2,3", "a,b,c,d", "0,10,1,5", "nan,0,1,1", "inf,0,1,1", "1,2,3,4,5"]
)
def test_a_box_that_is_none_is_refused_in_words(hub: Hub, box: str) -> None:
    answer = httpx.get(f"{hub.url}/api/cameras.geojson", params={"bbox": box})
    assert answer.status_code == 400
    assert "west,south,east,north" in answer.text


def events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Name and data of each server-sent event."""
    name = ""
    for line in lines:
        key, _, value = line.partition(": ")
        if key == "event":
            name = value
        elif key == "data":
            yield name, value


def test_open_pages_hear_of_changes(tmp_path: Path, broker: Mosquitto, hub: Hub) -> None:
    with httpx.stream("GET", f"{hub.url}/api/changes", timeout=30) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        heard = events(stream.iter_lines())
        assert next(heard)[0] == "hello"
        deliver(broker.settings, [sealed(tmp_path / "hub", site(5))])
        name, data = next(heard)
        assert name == "change"
        change = msgspec.json.decode(data, type=Change)
        assert change.change == "added"
        deliver(broker.settings, [sealed(tmp_path / "hub", site(5))])
        assert msgspec.json.decode(next(heard)[1], type=Change).id == change.id


def test_every_answer_carries_the_security_headers(hub: Hub) -> None:
    for path in ("/", "/page/map.js", "/api/status", "/nothing", "/api/cameras.geojson?bbox=x"):
        headers = httpx.get(hub.url + path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in headers


def test_the_page_is_complete_and_asks_nobody_else(hub: Hub) -> None:
    page = httpx.get(hub.url).text
    assert "No record is not no camera." in page
    assert "ODbL" in page
    links = re.findall(r'(?:src|href)="(?!https://opendatacommons|#)([^"]+)"', page)
    assert len(links) >= 6
    for link in links:
        assert httpx.get(f"{hub.url}/{link}").status_code == 200, link
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=", page)  # nothing inline


def test_small_answers_about_the_hub(hub: Hub) -> None:
    assert httpx.get(f"{hub.url}/api/health").json() == {"ok": True}
    status = httpx.get(f"{hub.url}/api/status").json()
    assert status == {"ok": True, "broker": "online", "store": "ok"}  # and no count of records
    assert httpx.get(f"{hub.url}/api/page.json").json()["truth"] is True
    assert httpx.get(f"{hub.url}/api/truth.geojson").json()["features"] == []
    assert httpx.get(f"{hub.url}/page/../service.py").status_code == 404
    assert httpx.post(f"{hub.url}/api/cameras.geojson").status_code == 405


def test_truth_is_only_there_when_given(tmp_path: Path, broker: Mosquitto) -> None:
    with running_hub(tmp_path / "hub", broker.settings) as hub:
        assert httpx.get(f"{hub.url}/api/truth.geojson").status_code == 404
        assert httpx.get(f"{hub.url}/api/page.json").json()["truth"] is False


def test_a_basemap_is_let_through_the_policy_when_configured(
    tmp_path: Path, broker: Mosquitto
) -> None:
    tiles = "https://tiles.example.org/{z}/{x}/{y}.png"
    with running_hub(tmp_path / "hub", broker.settings, tiles=tiles) as hub:
        policy = httpx.get(hub.url).headers["content-security-policy"]
        assert policy.count("https://tiles.example.org") == 2
        assert httpx.get(f"{hub.url}/api/page.json").json()["tiles"] == tiles


def test_a_broker_that_is_away_is_told_and_waited_for(tmp_path: Path, broker: Mosquitto) -> None:
    with running_hub(tmp_path / "hub", broker.settings) as hub:
        broker.stop()
        until(lambda: httpx.get(f"{hub.url}/api/health").status_code == 503)
        assert str(broker.port) in hub.health().broker
        assert httpx.get(f"{hub.url}/api/cameras.geojson").status_code == 200
        broker.start()
        until(lambda: hub.health().ok)


def test_a_port_in_use_is_an_error_before_anything_starts(
    tmp_path: Path, broker: Mosquitto, hub: Hub
) -> None:
    port = int(hub.url.rpartition(":")[2])
    with pytest.raises(ConfigError, match=f"cannot listen at 127.0.0.1:{port}"):
        Hub(options(tmp_path / "other", broker.settings, port=port))


# --- the commands -------------------------------------------------------------------------------


def scanner(*arguments: object, home: Path | None = None) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"SCANNER_CONFIG": "", "HOME": str(home or "/nonexistent")}
    return subprocess.run(
        [*PROGRAM, "hub", *map(str, arguments)],
        capture_output=True, text=True, check=False, env=environment, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_with_a_broker_of_its_own_and_stop(tmp_path: Path, number: signal.Signals) -> None:
    own = ("--embedded-broker", "--broker-port", "0", "--cohorts", "0")
    with serve(tmp_path, *own) as process:
        assert process.stdout
        lines = dict(process.stdout.readline().split() for _ in range(3))
        assert lines["key"] == scanner("keys", "--data", tmp_path).stdout.strip()
        host, _, port = lines["broker"].partition(":")
        settings = Mqtt(host=host, port=int(port), username="scanner")
        password = (tmp_path / "broker" / "scanner.password").read_text()
        url = f"{lines['map']}/api/cameras.geojson"
        with httpx.stream("GET", f"{lines['map']}/api/changes") as page:  # an open page
            deliver(settings, [sealed(tmp_path, site(0))], password=password)
            until(lambda: len(httpx.get(url).json()["features"]) == 1)
            process.send_signal(number)
            assert process.wait(15) == 0
            page.close()
    shown = scanner("export", "--data", tmp_path, "--format", "geojson")
    assert len(msgspec.json.decode(shown.stdout, type=Cell).features) == 1
    assert scanner("rebuild", "--data", tmp_path).stdout == "1 cameras, nothing changed\n"


@pytest.mark.parametrize(("options", "shown"), [((), 0), (("--cohorts", "0"), 1)])
def test_one_report_is_published_only_by_a_hub_that_was_told_so(
    tmp_path: Path, broker: Mosquitto, options: tuple[str, ...], shown: int
) -> None:
    with serve(tmp_path, "--broker", f"127.0.0.1:{broker.port}", *options) as process:
        assert process.stdout
        page = process.stdout.readline().split()[1]
        with Reader(broker.settings) as reader:
            until(lambda: reader.retained.get("hub/status") == b"online")
        deliver(broker.settings, [sealed(tmp_path, site(0))])
        until(lambda: cameras(tmp_path) == 1)
        time.sleep(1)  # time to publish what should not be
        features = httpx.get(f"{page}/api/cameras.geojson").json()["features"]
        process.terminate()
    assert len(features) == shown


def test_a_hub_that_publishes_in_batches_keeps_what_comes_and_shows_nothing_of_it(
    tmp_path: Path, broker: Mosquitto
) -> None:
    options = ("--broker", f"127.0.0.1:{broker.port}", "--cohorts", "0", "--batch", "1")
    with serve(tmp_path, *options) as process:
        assert process.stdout
        page = process.stdout.readline().split()[1]
        with Reader(broker.settings) as reader:
            until(lambda: reader.retained.get("hub/status") == b"online")
        deliver(broker.settings, [sealed(tmp_path, site(0))])
        with contextlib.closing(open_store(tmp_path / "hub.sqlite3")) as store:
            until(lambda: store.pooled() == 1)
            assert not store.waiting(1)
        features = httpx.get(f"{page}/api/cameras.geojson").json()["features"]
        process.terminate()
    assert features == []


def test_export_reads_the_database_that_is_named(tmp_path: Path) -> None:
    open_store(tmp_path / "db").close()
    result = scanner("export", "--db", f"sqlite:///{tmp_path}/db", "--all")
    assert msgspec.json.decode(result.stdout, type=Cell).features == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["export", "--db", "postgresql:///x?host=/nowhere"], 74, "PostgreSQL: "),
        (["work", "--name", "1"], 78, "--broker HOST:PORT"),
        (["work", "--name", "A B", "--broker", "localhost"], 2, "a-z"),
        (["export", "--db", "mysql:///y"], 2, "sqlite:///PATH"),
        (["export", "--db", "sqlite:////nowhere/at/all"], 2, "/nowhere/at/all: no such database"),
        (["serve", "--broker", "localhost:x"], 2, "HOST:PORT"),
        (["serve"], 78, "--embedded-broker"),
        (["serve", "--truth", "/nowhere"], 2, "no such file"),
        (["serve", "--port", "99999"], 2, "0 to 65535"),
        (["review", "log", "--since", "9" * 20], 2, "is wanted"),
        (["review", "undo", "9" * 20], 2, "is wanted"),
    ],
)
def test_what_cannot_work_ends_in_one_line(
    tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    result = scanner(*arguments, home=tmp_path)
    assert result.returncode == code
    assert result.stderr.startswith("scanner: error: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
