"""A reader who comes late to the map of a city, on a real broker."""

import contextlib
import time
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from scanner.config import Mqtt
from scanner.core.wire import Cell, Topics
from scanner.hub import mapping
from scanner.hub.features import OPEN
from scanner.hub.publishing import MapPublisher
from scanner.hub.stores import open_store
from scanner.network.session import MqttSession
from tests.helpers.maps import town
from tests.helpers.waiting import until

REGION: Final = "u/1/7"  # geohash u17: 156 km wide, the whole city lies in it


class Late(NamedTuple):
    """What a late subscriber got."""

    cells: int  # cells that the broker keeps
    got: int  # cells that came
    cameras: int  # cameras in them
    seconds: float


def make_city(path: Path, cameras: int) -> Path:
    """A database with a city."""
    with contextlib.closing(open_store(path)) as store:
        mapping.set_policy(store, OPEN)
        with store.transaction():
            store.put_cameras([], town(cameras, 1, extent=0.1))
    return path


def publish_city(broker: Mqtt, password: str, city: Path) -> int:
    """Publish a city as the hub does at its start; returns the number of its cells."""
    with contextlib.closing(open_store(city)) as store:
        session = MqttSession(
            broker, client_id="hub", filters=[], status=Topics().status, password=password
        )
        session.start(lambda _: None)
        until(lambda: session.online)
        MapPublisher(store, Topics(), session.publish).everything()
        session.stop()
        return len(store.filled_cells())


def listen(broker: Mqtt, cells: int, cameras: int, *, qos: int, patience_s: float) -> Late:
    """Subscribe to the region, and count until everything is there or patience ends."""
    found: dict[str, int] = {}
    decode = msgspec.json.Decoder(Cell).decode

    def take(_client: Client, _data: object, message: MQTTMessage) -> None:
        found[message.topic] = len(decode(message.payload).features)

    client = Client(
        CallbackAPIVersion.VERSION2, client_id=f"late{qos}", protocol=MQTTProtocolVersion.MQTTv311
    )
    client.on_message = take
    client.connect(broker.host, broker.port)
    client.loop_start()
    begun = time.monotonic()
    client.subscribe(f"{Topics().root}/map/{REGION}/#", qos=qos)
    while sum(found.values()) < cameras and time.monotonic() - begun < patience_s:
        time.sleep(0.01)
    seconds = time.monotonic() - begun
    client.disconnect()
    client.loop_stop()
    return Late(cells, len(found), sum(found.values()), seconds)
