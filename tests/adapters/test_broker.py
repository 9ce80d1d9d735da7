"""The shipped access list, limits and password file, in a real mosquitto started by the hub."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from scanner.config import Mqtt
from scanner.errors import BrokerError
from scanner.hub import broker
from scanner.network.mqtt import NEW, Link, Message
from tests.helpers.broker import Mosquitto
from tests.helpers.waiting import until

SHIPPED = Path(broker.__file__).parent
# What Debian 12 installs as /etc/mosquitto/mosquitto.conf.
DEBIAN = """
pid_file {folder}/mosquitto.pid
persistence true
persistence_location {folder}/
log_dest file {folder}/mosquitto.log
include_dir {folder}/conf.d
"""
ROOT = "cctv/v1"
EVERYWHERE = [
    f"{ROOT}/in",
    f"{ROOT}/map/u/1/7/3/z/t",
    f"{ROOT}/changes/u/1/7/3/z/t",
    f"{ROOT}/hub/status",
    f"{ROOT}/hub/stats",
    f"{ROOT}/device/x/health",
    "elsewhere",
]
MAY_WRITE = {"hub": EVERYWHERE[1:5], "scanner": EVERYWHERE[:1], "": []}
MAY_READ = {"hub": EVERYWHERE[:5], "scanner": EVERYWHERE[1:5], "": EVERYWHERE[1:5]}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[broker.Broker]:
    started = broker.start(tmp_path_factory.mktemp("data"))
    yield started
    started.stop()
    started.stop()


def connect(settings: Mqtt, password: str, got: list[bytes] | None = None) -> Link:
    link = Link(
        settings,
        client_id=os.urandom(8).hex(),
        version=NEW,
        password=password,
        on_message=(lambda m: (got.append(m.payload), m.acknowledge()))
        if got is not None
        else None,
    )
    link.open(5)
    return link


def login(running: broker.Broker, who: str) -> tuple[Mqtt, str]:
    if who:
        access = running.access("hub" if who == "hub" else "scanner")
        return access.settings, access.password
    return msgspec.structs.replace(running.access("hub").settings, username=""), ""


@pytest.mark.parametrize("topic", EVERYWHERE)
@pytest.mark.parametrize("who", ["hub", "scanner", ""])
def test_each_writes_only_what_is_its_own(running: broker.Broker, who: str, topic: str) -> None:
    link = connect(*login(running, who))
    try:
        if topic in MAY_WRITE[who]:
            link.send([Message(topic, b"x")], 5)
        else:
            with pytest.raises(BrokerError, match="Not authorized"):
                link.send([Message(topic, b"x")], 5)
    finally:
        link.close()


@pytest.mark.parametrize("who", ["hub", "scanner", ""])
def test_each_reads_only_what_is_meant_for_it(running: broker.Broker, who: str) -> None:
    got: list[bytes] = []
    writers = {name: connect(*login(running, name)) for name in ("hub", "scanner")}
    reader = connect(*login(running, who), got)
    reader.subscribe("#", 5)
    for name, link in writers.items():
        link.send([Message(topic, topic.encode()) for topic in MAY_WRITE[name]], 5)
    # Topics that nobody may write are not to be told from those that nobody may read.
    expected = sorted(t.encode() for t in MAY_READ[who])
    until(lambda: len(got) >= len(expected))
    assert sorted(got) == expected
    for link in (*writers.values(), reader):
        link.close()


@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_name_needs_its_password(running: broker.Broker, password: str) -> None:
    settings = running.access("scanner").settings
    with pytest.raises(BrokerError, match="refuses us"):
        connect(settings, password)


def test_it_listens_on_this_machine_only(running: broker.Broker) -> None:
    others = [info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None)]
    for address in {a for a in others if isinstance(a, str) and not a.startswith("127.")}:
        with pytest.raises(OSError, match=r".+"):
            socket.create_connection((address, running.port), timeout=1).close()


def test_all_of_a_large_map_reaches_a_new_reader(running: broker.Broker) -> None:
    hub = connect(*login(running, "hub"))
    topics = [f"{ROOT}/map/large/{i}" for i in range(2500)]
    hub.send([Message(topic, b"cell", retain=True) for topic in topics], 20)
    got: list[bytes] = []
    reader = connect(*login(running, ""), got)
    reader.subscribe(f"{ROOT}/map/large/#", 20)
    until(lambda: len(got) == 2500)
    hub.send([Message(topic, b"", retain=True) for topic in topics], 20)
    hub.close()
    reader.close()


def test_files_with_secrets_are_private_and_stay_the_same(tmp_path: Path) -> None:
    first = broker.start(tmp_path)
    before = first.access("scanner").password
    first.stop()
    for path in (tmp_path / "broker").glob("*"):
        if path.name not in ("log", "mosquitto.db"):
            assert path.stat().st_mode & 0o077 == 0, path
    second = broker.start(tmp_path)
    assert second.access("scanner").password == before
    second.stop()


def test_the_shipped_settings_are_taken_beside_those_of_debian(tmp_path: Path) -> None:
    """As their first lines say: copied, two passwords given, and the state outlives a restart."""
    served = Mosquitto(tmp_path, DEBIAN)
    text = (SHIPPED / "mosquitto.conf").read_text().replace("/etc/mosquitto", str(tmp_path))
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "mosquitto.conf").write_text(
        text.replace("listener 1883", f"listener {served.port}")
    )
    (tmp_path / "acl").write_bytes((SHIPPED / "acl").read_bytes())
    for first, who in ((["-c"], "hub"), ([], "scanner")):
        command = ["mosquitto_passwd", *first, "-b", tmp_path / "passwd", who, f"secret of {who}"]
        subprocess.run(command, check=True)
    named = msgspec.structs.replace(served.settings, username="hub")
    with served:
        hub = connect(named, "secret of hub")
        hub.send([Message(f"{ROOT}/map/u/1/7/3/z/t", b"cell", retain=True)], 5)
        hub.close()
        with pytest.raises(BrokerError, match="refuses us"):
            connect(named, "another")
        served.restart()
        got: list[bytes] = []
        reader = connect(served.settings, "", got)
        reader.subscribe(f"{ROOT}/map/#", 5)
        until(lambda: got == [b"cell"])
        reader.close()


def test_a_port_in_use_is_named(running: broker.Broker, tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=f"port {running.port} is in use"):
        broker.start(tmp_path, port=running.port)


def test_a_broker_that_cannot_start_says_why(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    (folder / "mosquitto.db").mkdir(parents=True)
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho this is not a broker\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(BrokerError, match="this is not a broker"):
        broker.Mosquitto(str(program), folder, broker.free_port(), ROOT)


def test_without_any_broker_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "iotcore", None)  # as if it were not installed
    with pytest.raises(BrokerError, match="apt-get install mosquitto"):
        broker.start(tmp_path, kind="iotcore")


def test_the_broker_ends_with_the_hub_however_that_dies(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from scanner.hub import broker;"
        "b = broker.start(Path(sys.argv[1])); print(b.port, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, text=True
    ) as hub:
        assert hub.stdout
        port = int(hub.stdout.readline())
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
        hub.send_signal(signal.SIGKILL)

    def gone() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return True
        return False

    until(gone)
