"""Promises of ports.Publisher, kept by MQTT on a real broker and by the stand-in."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import paho.mqtt.client as mqtt
import pytest

from scanner.errors import BrokerError
from scanner.network.session import MqttPublisher
from scanner.ports import Publisher
from scanner.replay.standins import RecordingPublisher
from tests.helpers.broker import Mosquitto
from tests.helpers.waiting import until


class Line(NamedTuple):
    """A publisher, what came out at the other end, and how to cut the line."""

    publisher: Publisher
    arrived: list[bytes]
    cut: Callable[[], None]


@pytest.fixture(params=["mqtt", "recording"])
def line(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Line]:
    if request.param == "recording":
        recording = RecordingPublisher()

        def refuse() -> None:
            recording.refuse_after = 0

        yield Line(recording, recording.published, refuse)
        return
    with Mosquitto(tmp_path) as broker:
        arrived: list[bytes] = []
        subscribed = threading.Event()
        reader = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        reader.on_message = lambda _c, _u, message: arrived.append(message.payload)
        reader.on_subscribe = lambda *_: subscribed.set()
        reader.connect("127.0.0.1", broker.port)
        reader.loop_start()
        reader.subscribe("cctv/v1/in", qos=1)
        assert subscribed.wait(20)
        publisher = MqttPublisher(broker.settings, timeout_s=5)
        yield Line(publisher, arrived, broker.stop)
        publisher.close()
        reader.disconnect()
        reader.loop_stop()


def test_what_was_published_has_arrived_in_order(line: Line) -> None:
    payloads = [bytes([n]) * 1072 for n in range(20)]
    for payload in payloads:
        line.publisher.publish(payload)
    until(lambda: len(line.arrived) == 20)
    assert line.arrived == payloads


def test_a_broker_that_is_gone_is_a_broker_error(line: Line) -> None:
    line.publisher.publish(b"one")
    line.cut()
    for _ in range(3):
        with pytest.raises(BrokerError):
            line.publisher.publish(b"two")
    assert b"two" not in line.arrived


def test_closing_twice_is_no_error(line: Line) -> None:
    line.publisher.close()
    line.publisher.close()
