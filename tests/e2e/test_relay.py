"""``scanner relay`` as a process, a real broker and a real hub: killed at the worst moment."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from scanner.core.wire import CameraEntry, Record
from scanner.hub import broker as brokers
from scanner.hub.keys import load_or_create
from scanner.hub.service import Hub, Options
from scanner.sealing import seal
from scanner.storage.outbox import FILE_NAME, Outbox
from tests.helpers.proxy import HoldingProxy
from tests.helpers.taken import taken_in
from tests.helpers.waiting import until

ROOT = Path(__file__).parents[2]
PAGE, LEAF = 4096, 10  # of SQLite; first byte of a page of rows
DEADLINE_S = 30.0
PUBACK = 0x40  # first byte of an MQTT acknowledgement


def record(number: int) -> Record:
    entry = CameraEntry(
        kind=2,
        lat_e7=557_520_000 + number * 20_000,
        lon_e7=376_175_000,
        ee_cm2=10_000,
        en_cm2=0,
        nn_cm2=10_000,
        height_dm=40,
        views_band=2,
        score_band=3,
    )
    today = int(time.time() // 86400)
    return Record(bucket_days=1, bucket=today, common_sigma_cm=150, model="t", cameras=(entry,))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[brokers.Broker]:
    own = brokers.start(tmp_path / "hub", kind="mosquitto")
    yield own
    own.stop()


@pytest.fixture
def hub(tmp_path: Path, broker: brokers.Broker) -> Iterator[Hub]:
    access = broker.access("hub")
    options = Options(data=tmp_path / "hub", mqtt=access.settings, password=access.password, port=0)
    with Hub(options) as hub:
        until(lambda: hub.health().ok)
        yield hub


@pytest.fixture
def wire(broker: brokers.Broker) -> Iterator[list[bytes]]:
    """Every payload that the broker passed on."""
    seen: list[bytes] = []
    access = broker.access("hub")
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.username_pw_set(access.settings.username, access.password)
    client.on_message = lambda _c, _u, message: seen.append(message.payload)
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.subscribe("cctv/v1/in", qos=1)
    assert subscribed.wait(DEADLINE_S)
    yield seen
    client.disconnect()
    client.loop_stop()


def fill(tmp_path: Path, count: int) -> None:
    key = load_or_create(tmp_path / "hub").public_key
    store = Outbox(tmp_path / "device")
    for number in range(count):
        store.add(seal(record(number), key))
    store.close()


def waiting(tmp_path: Path) -> int:
    store = Outbox(tmp_path / "device")
    try:
        return len(store.waiting())
    finally:
        store.close()


def relay(tmp_path: Path, broker: brokers.Broker, port: int, *more: str) -> subprocess.Popen[str]:
    access = broker.access("scanner")
    (tmp_path / "credentials").mkdir(exist_ok=True)
    (tmp_path / "credentials" / "mqtt-password").write_text(access.password)
    config = tmp_path / "scanner.toml"
    config.write_text(
        '[privacy]\nprofile = "open"\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\nhold_s = 0\n'
        f'username = "{access.settings.username}"\n'
    )
    command = [sys.executable, "-m", "scanner", "relay", "--config", str(config)]
    return subprocess.Popen(
        [*command, "--data", str(tmp_path / "device"), *more],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "CREDENTIALS_DIRECTORY": str(tmp_path / "credentials"),
        },
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], number: signal.Signals) -> str:
    process.send_signal(number)
    _, errors = process.communicate(timeout=DEADLINE_S)
    return errors


@pytest.mark.usefixtures("hub")
def test_killed_between_publish_and_acknowledgement(
    tmp_path: Path, broker: brokers.Broker, wire: list[bytes]
) -> None:
    """At least once on the wire, once on the map."""
    fill(tmp_path, 1)
    proxy = HoldingProxy(broker.port, hold=lambda data: data[0] == PUBACK)
    try:
        process = relay(tmp_path, broker, proxy.port)
        until(lambda: len(wire) == 1)
        finish(process, signal.SIGKILL)
    finally:
        proxy.close()
    assert waiting(tmp_path) == 1
    process = relay(tmp_path, broker, broker.port)
    until(lambda: waiting(tmp_path) == 0)
    finish(process, signal.SIGTERM)
    until(lambda: len(wire) == 2)
    assert wire[0] == wire[1]
    until(lambda: taken_in(tmp_path / "hub")[0] == 1)
    assert taken_in(tmp_path / "hub")[1] == 0


@pytest.mark.usefixtures("hub")
def test_a_broker_that_restarts_in_mid_run_loses_nothing(
    tmp_path: Path, broker: brokers.Broker
) -> None:
    fill(tmp_path, 60)
    process = relay(tmp_path, broker, broker.port)
    until(lambda: waiting(tmp_path) < 60)
    port = broker.port
    broker.stop()
    time.sleep(0.5)
    fill(tmp_path, 20)  # other seals, other ids: 20 more records
    again = brokers.start(tmp_path / "hub", port=port, kind="mosquitto")
    try:
        until(lambda: waiting(tmp_path) == 0)
        until(lambda: taken_in(tmp_path / "hub")[0] == 80)
    finally:
        errors = finish(process, signal.SIGTERM)
        again.stop()
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert "next try in" in errors or "sent" in errors


def test_relay_ends_at_once_when_told(tmp_path: Path, broker: brokers.Broker, hub: Hub) -> None:
    assert hub.health().ok
    fill(tmp_path, 0)
    process = relay(tmp_path, broker, broker.port)
    until(lambda: "Seccomp:\t2" in Path(f"/proc/{process.pid}/status").read_text())
    start = time.monotonic()
    finish(process, signal.SIGTERM)
    assert process.returncode == 0
    assert time.monotonic() - start < 5


def test_what_is_not_due_stays(tmp_path: Path, broker: brokers.Broker, hub: Hub) -> None:
    assert hub.health().ok
    key = load_or_create(tmp_path / "hub").public_key
    store = Outbox(tmp_path / "device")
    store.add(seal(record(1), key), due_s=int(time.time()) + 3600)
    store.add(seal(record(2), key))
    store.close()
    process = relay(tmp_path, broker, broker.port, "--once")
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, errors
    assert waiting(tmp_path) == 1


@pytest.mark.usefixtures("hub")
def test_a_worn_page_of_the_outbox_is_mended_behind_the_wall(
    tmp_path: Path, broker: brokers.Broker
) -> None:
    fill(tmp_path, 60)
    path = tmp_path / "device" / FILE_NAME
    content = bytearray(path.read_bytes())
    leaf = next(at for at in range(PAGE, len(content), PAGE) if content[at] == LEAF)
    content[leaf : leaf + PAGE] = os.urandom(PAGE)
    path.write_bytes(content)
    process = relay(tmp_path, broker, broker.port, "--once")
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, errors
    assert "the card is worn" in errors
    assert waiting(tmp_path) == 0
    until(lambda: 40 < taken_in(tmp_path / "hub")[0] < 60)
