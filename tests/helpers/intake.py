"""A real worker on a real broker, measured, and killed at any instant."""

import contextlib
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nacl.public import PrivateKey

from scanner.core.wire import Topics, record_id
from scanner.errors import BrokerError
from scanner.hub import keys
from scanner.hub.intake import Intake, IntakeOptions
from scanner.hub.stores import open_store
from scanner.network.mqtt import NEW, Link, Message, open_link
from scanner.sealing import unseal
from tests.helpers.broker import Mosquitto
from tests.helpers.sealed import sealed
from tests.helpers.waiting import until

ROOT = Path(__file__).parents[2]
AT_ONCE = 100
UNSEALED = 4000  # payloads opened to know what that alone costs


class Measured(NamedTuple):
    """Processor and wall time of an intake, microseconds per record."""

    records: int
    unseal_us: float  # processor time of opening alone
    cpu_us: float  # processor time of everything
    wall_us: float

    @property
    def share(self) -> float:
        """Rate of the intake as a share of what opening alone allows, on one core."""
        return self.unseal_us / self.cpu_us


def options(folder: Path, broker: Mosquitto, name: str, **more: object) -> IntakeOptions:
    return IntakeOptions(
        data=folder / "hub",
        database=folder / "hub" / "hub.sqlite3",
        mqtt=broker.settings,
        client_id=f"cctv-hub-{name}",
        **more,  # type: ignore[arg-type]
    )


def publish(broker: Mosquitto, payloads: list[bytes], *, quick: bool = False) -> None:
    """Send each until the broker has acknowledged it, as relays do; a broker may be away."""
    topic = Topics().inbox

    def make(version: int) -> Link:
        name = f"p{random.getrandbits(60):x}"
        return Link(broker.settings, client_id=name, version=version)

    link: Link | None = None
    sent = 0
    deadline = time.monotonic() + 300
    while sent < len(payloads):
        assert time.monotonic() < deadline
        try:
            link = (
                link
                or open_link(
                    lambda v: Link(
                        broker.settings, client_id=f"p{random.getrandbits(60):x}", version=v
                    ),
                    NEW,
                    5,
                )[0]
            )
            some = payloads[sent : sent + AT_ONCE]
            if link.send([Message(topic, payload) for payload in some], 5):
                sent += len(some)
            if not quick:
                time.sleep(0.02)
        except BrokerError:
            if link:
                link.close()
            link = None
            time.sleep(0.05)
    if link:
        link.close()


def subscribe(folder: Path, broker: Mosquitto, name: str) -> None:
    """Make the session at the broker, so that it keeps what comes while nobody is there."""
    with contextlib.closing(Intake(options(folder, broker, name))) as intake:
        intake.start()
        until(lambda: intake.inbox.online)


def measure(folder: Path, records: int, *, fuses: bool) -> Measured:
    """Records that wait at a mosquitto -> SQLite, by one worker, in this process."""
    private = keys.load_or_create(folder / "hub")
    payloads = [sealed(number, private.public_key) for number in range(records)]
    with Mosquitto(folder / "broker") as broker:
        subscribe(folder, broker, "1")
        publish(broker, payloads, quick=True)
        unseal_us = _unsealing_us(payloads[:UNSEALED], private)
        settings = options(folder, broker, "1", fuses=fuses)
        reader = open_store(folder / "hub" / "hub.sqlite3")
        with contextlib.closing(reader), contextlib.closing(Intake(settings)) as intake:
            cpu, wall = time.process_time(), time.monotonic()
            intake.start()
            # Counting costs something, too: seldom, and before the last ones not at all.
            while reader.counts()[0] < records or (fuses and reader.waiting(1)):
                assert time.monotonic() - wall < 600
                time.sleep(0.2)
            cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        # Opened before and after, since a shared machine is not always as fast.
        unseal_us = (unseal_us + _unsealing_us(payloads[:UNSEALED], private)) / 2
    return Measured(records, unseal_us, cpu / records * 1e6, wall / records * 1e6)


def _unsealing_us(payloads: list[bytes], private: PrivateKey) -> float:
    begun = time.process_time()
    for payload in payloads:
        unseal(payload, private)
    return (time.process_time() - begun) / len(payloads) * 1e6


# --- kills --------------------------------------------------------------------------------------


class Survived(NamedTuple):
    """What became of the records."""

    records: int
    hub_kills: int
    broker_stops: int
    lost: int
    doubled: int
    quarantined: int
    seconds: float


def kill_at_random(folder: Path, records: int, kills: int, *, seed: int = 1) -> Survived:
    """As many kill -9 of the hub as ends of the broker, while records come.

    The broker is told to stop (SIGTERM), so that it writes what it holds: mosquitto has nothing
    that lets it survive kill -9 without losing what it has acknowledged since its last save.
    """
    dice = random.Random(seed)
    begun = time.monotonic()
    private = keys.load_or_create(folder / "hub")
    payloads = [sealed(number, private.public_key) for number in range(records)]
    with Mosquitto(folder / "broker") as broker:
        subscribe(folder, broker, "1")
        publisher = threading.Thread(target=publish, args=(broker, payloads))
        with contextlib.ExitStack() as running:
            hub = running.enter_context(_worker(folder, broker))
            publisher.start()
            for number in range(2 * kills):
                time.sleep(dice.uniform(0.2, 1.5))
                if number % 2:
                    broker.restart()
                    continue
                hub.send_signal(signal.SIGKILL)
                hub.wait(10)
                hub = running.enter_context(_worker(folder, broker))
            publisher.join(300)
            assert not publisher.is_alive()
            reader = running.enter_context(
                contextlib.closing(open_store(folder / "hub" / "hub.sqlite3"))
            )
            with contextlib.suppress(AssertionError):
                until(lambda: _complete(reader, records), timeout_s=120)
            wanted = [record_id(payload) for payload in payloads]
            cameras = reader.cameras()
            return Survived(
                records=records,
                hub_kills=kills,
                broker_stops=kills,
                lost=records - len(reader.numbers_of(wanted)),
                doubled=sum(s.camera.reports - 1 for s in cameras)
                + max(0, len(cameras) - records)
                + max(0, reader.counts()[0] - records),
                quarantined=reader.counts()[1],
                seconds=time.monotonic() - begun,
            )


def _complete(reader: object, records: int) -> bool:
    store = reader
    return store.counts()[0] >= records and not store.waiting(1)  # type: ignore[attr-defined]


@contextlib.contextmanager
def _worker(folder: Path, broker: Mosquitto) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [
            sys.executable, "-m", "scanner", "hub", "work", "--name", "1",
            "--data", str(folder / "hub"), "--broker", f"127.0.0.1:{broker.port}",
        ],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
