"""A broker that was away for a moment is not taken for one that speaks MQTT 3.1.1 alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.errors import BrokerError
from scanner.network.session import MqttPublisher
from tests.helpers.broker import Mosquitto
from tests.helpers.proxy import HoldingProxy

CONNACK = 0x20


class Shy:
    """Keeps back the answers to the first so many connections."""

    def __init__(self, silent: int) -> None:
        self._left = silent

    def hold(self, data: bytes) -> bool:
        if data[0] != CONNACK or not self._left:
            return False
        self._left -= 1
        return True


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


def test_a_relay_still_hears_that_nobody_listens(broker: Mosquitto) -> None:
    line = HoldingProxy(broker.port, Shy(1).hold)
    publisher = MqttPublisher(Mosquitto.settings_of(line.port), timeout_s=2)
    try:
        publisher.publish(b"in 3.1.1, which has no word for it")
        publisher.close()
        with pytest.raises(BrokerError, match="no hub listens"):
            publisher.publish(b"thrown away by the broker")
    finally:
        publisher.close()
        line.close()
