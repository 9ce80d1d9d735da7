"""What a listener on the line sees of each profile: packets written down by a proxy in between."""

import random
import time
from contextlib import closing
from pathlib import Path

import pytest
from nacl.public import PrivateKey

from scanner.network.session import MqttPublisher
from scanner.relay import SENDING, Relay
from scanner.sealing import seal_dummy
from scanner.storage.outbox import Outbox
from tests.helpers.broker import Mosquitto
from tests.helpers.rough import PUBLISH, CapturingProxy
from tests.helpers.sealed import sealed
from tests.helpers.soak import hub_session
from tests.helpers.waiting import until

CONNECT, DISCONNECT = 1, 14
TICKS = 40
RECORDS = 25


@pytest.mark.parametrize("profile", ["open", "careful", "hostile"])
def test_all_packets_have_one_length(tmp_path: Path, profile: str) -> None:
    key = PrivateKey.generate()
    sending = SENDING[profile]
    with (
        Mosquitto(tmp_path / "broker") as broker,
        hub_session(broker, key, tmp_path / "hub") as hub,
        closing(Outbox(tmp_path / "device")) as store,
    ):
        for number in range(RECORDS):
            store.add(sealed(number, key.public_key))
        proxy = CapturingProxy(broker.port)
        relay = Relay(
            store,
            MqttPublisher(Mosquitto.settings_of(proxy.port), timeout_s=10),
            sending,
            now_s=time.time,
            uniform=random.Random(1).random,
            dummy=lambda: seal_dummy(key.public_key),
        )
        ticks = iter(range(TICKS))
        relay.run(lambda _: next(ticks, None) is None)
        until(lambda: hub.added == RECORDS)
        sent = TICKS if sending.dummies else RECORDS
        until(lambda: len(proxy.packets(PUBLISH)) == sent)
        until(lambda: hub.delivered == sent)
        assert (hub.added, hub.quarantined) == (RECORDS, 0)  # dummies leave no trace
        assert len({len(p) for p in proxy.packets(PUBLISH)}) == 1
        connections = [c for c in proxy.connections if c]
        assert len(connections) == (sent if sending.connection_per_record else 1)
        if sending.connection_per_record:
            # Packets of each connection: the same kinds, the same lengths, another client id.
            shapes = {
                tuple((p[0], len(p)) for p in c if p[0] >> 4 != DISCONNECT) for c in connections
            }
            assert len(shapes) == 1
            assert len(set(proxy.packets(CONNECT))) == sent
        proxy.close()
