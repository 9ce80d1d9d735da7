"""MQTT through a SOCKS5 proxy: what Tor would see."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import paho.mqtt.client as mqtt
import pytest

from scanner.config import parse
from scanner.errors import BrokerError, ConfigError
from scanner.network.session import MqttPublisher
from tests.helpers.broker import Mosquitto
from tests.helpers.socks import DOMAIN_NAME, SocksServer
from tests.helpers.waiting import until

ROOT = Path(__file__).parents[2]
ONION = "cctvhubcctvhubcctvhubcctvhubcctvhubcctvhubcctvhubcctvhub.onion"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def proxy(broker: Mosquitto) -> Iterator[SocksServer]:
    running = SocksServer(broker.port)
    yield running
    running.close()


@pytest.fixture
def arrived(broker: Mosquitto) -> Iterator[list[bytes]]:
    payloads: list[bytes] = []
    reader = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    reader.on_message = lambda _c, _u, message: payloads.append(message.payload)
    ready: list[int] = []
    reader.on_subscribe = lambda *_: ready.append(1)
    reader.connect("127.0.0.1", broker.port)
    reader.loop_start()
    reader.subscribe("cctv/v1/in", qos=1)
    until(lambda: ready)
    yield payloads
    reader.disconnect()
    reader.loop_stop()


def test_the_proxy_looks_up_the_name_and_each_connection_is_a_stranger(
    broker: Mosquitto, proxy: SocksServer, arrived: list[bytes]
) -> None:
    settings = msgspec.structs.replace(
        broker.settings, host=ONION, socks_proxy=f"127.0.0.1:{proxy.port}"
    )
    publisher = MqttPublisher(settings, timeout_s=10)
    for number in range(5):
        publisher.publish(b"%d" % number)
        publisher.close()
    until(lambda: len(arrived) == 5)
    assert [(a.kind, a.host, a.port) for a in proxy.asked] == [
        (DOMAIN_NAME, ONION, broker.port)
    ] * 5
    # Tor leads each name and password over another circuit.
    assert len({(a.user, a.password) for a in proxy.asked}) == 5


def test_a_proxy_that_is_away_is_a_broker_error_and_nothing_goes_past_it(
    broker: Mosquitto, proxy: SocksServer, arrived: list[bytes]
) -> None:
    proxy.close()
    settings = msgspec.structs.replace(broker.settings, socks_proxy=f"127.0.0.1:{proxy.port}")
    with pytest.raises(BrokerError):
        MqttPublisher(settings, timeout_s=3).publish(b"x")
    assert arrived == []


@pytest.mark.parametrize("text", ["9050", "localhost", "a:b", "http://x:1", "a:0", "a:65536"])
def test_what_is_no_proxy_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="socks_proxy"):
        parse(f'[mqtt]\nsocks_proxy = "{text}"\n', "scanner.toml")


def test_hostile_without_tor_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "scanner.toml"
    config.write_text('[privacy]\nprofile = "hostile"\n')
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "scanner",
            "relay",
            "--broker",
            "127.0.0.1:9",
            "--config",
            config,
            "--data",
            tmp_path,
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert result.returncode == 78
    assert "mqtt.socks_proxy" in result.stderr
