"""Records per second from an outbox to a broker on loopback, in `open`; seal and store of one.

python -m tests.benchmarks.relay --records 5000 --folder /dev/shm
"""

import argparse
import random
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from nacl.public import PrivateKey

from scanner.network.session import MqttPublisher
from scanner.relay import SENDING, Relay
from scanner.storage.outbox import Outbox
from tests.benchmarks.clients import listening
from tests.helpers.broker import Mosquitto
from tests.helpers.sealed import sealed
from tests.helpers.soak import hub_session
from tests.helpers.waiting import until


class Sent(NamedTuple):
    """Figures of one relay."""

    rate: float  # records a second, by the wall
    cpu_us: float  # of the relay's process for each


def relay_alone(folder: Path, records: int) -> Sent:
    """From an outbox to a broker on loopback, while another program listens there."""
    key = PrivateKey.generate()
    with (
        closing(Outbox(folder)) as store,
        Mosquitto(folder / "broker") as broker,
        listening(broker),
    ):
        for number in range(records):
            store.add(sealed(number, key.public_key))
        relay = relay_of(store, broker)
        begun, cpu = time.perf_counter(), time.process_time()
        sent = relay.drain()
        return Sent(
            rate=sent / (time.perf_counter() - begun),
            cpu_us=(time.process_time() - cpu) / sent * 1e6,
        )


def relay_of(store: Outbox, broker: Mosquitto) -> Relay:
    """As the profile ``open`` sends."""
    return Relay(
        store,
        MqttPublisher(broker.settings),
        SENDING["open"],
        now_s=time.time,
        uniform=random.Random(1).random,
    )


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description="speed of the relay on loopback")
    parser.add_argument("--records", type=int, default=5_000)
    parser.add_argument("--folder", help="where the files lie; a tmpfs leaves the disk out")
    args = parser.parse_args()
    key = PrivateKey.generate()
    with tempfile.TemporaryDirectory(dir=args.folder) as name, closing(Outbox(Path(name))) as store:
        begun = time.perf_counter()
        for number in range(args.records):
            store.add(sealed(number, key.public_key))
        seal_ms = (time.perf_counter() - begun) / args.records * 1e3
        with (
            Mosquitto(Path(name) / "broker") as broker,
            hub_session(broker, key, Path(name) / "hub") as hub,
        ):
            relay = relay_of(store, broker)
            begun, cpu = time.perf_counter(), time.process_time()
            sent = relay.drain()
            seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
            until(lambda: hub.added == args.records, timeout_s=120)
    print(f"seal and store {seal_ms:.2f} ms a record")
    print(f"relay {sent / seconds:.0f} records/s, {cpu / sent * 1e3:.2f} ms CPU each with the hub")


if __name__ == "__main__":
    main()
