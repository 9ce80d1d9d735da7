"""Many records over a bad line, and processes killed at any instant; in small and in full."""

import base64
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from nacl.public import PrivateKey

from scanner.hub.ingest import Ingest
from scanner.hub.stores import open_store
from scanner.network.session import Incoming, MqttPublisher, MqttSession
from scanner.relay import SENDING, Relay
from scanner.storage.outbox import FILE_NAME, Outbox
from tests.helpers.broker import Mosquitto
from tests.helpers.rough import RoughProxy
from tests.helpers.sealed import sealed
from tests.helpers.waiting import until

ROOT = Path(__file__).parents[2]
MEAN_BYTES = 1_000_000.0  # of a connection's life: some 900 records


class Soaked(NamedTuple):
    """What became of the records."""

    records: int
    delivered: int  # messages, repetitions included
    on_the_map: int
    lost: int
    quarantined: int
    ends: dict[str, int]
    restarts: int
    seconds: float


@contextmanager
def hub_session(broker: Mosquitto, key: PrivateKey, folder: Path) -> Iterator["Hub"]:
    """A hub's lasting session and its real intake."""
    hub = Hub(broker, key, folder)
    try:
        yield hub
    finally:
        hub.close()


class Hub:
    """Takes in what the broker delivers; acknowledges what is kept."""

    def __init__(self, broker: Mosquitto, key: PrivateKey, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.store = open_store(folder / "hub.sqlite3")
        self._intake = Ingest(self.store, key, time.time)
        self.delivered = self.added = self.repeated = self.quarantined = 0
        self._pending: list[Incoming] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._session = MqttSession(
            broker.settings, client_id="hub", filters=["cctv/v1/in"], status="cctv/v1/hub/status"
        )
        self._session.start(self._take)
        self._thread.start()
        until(lambda: self._session.online)

    def _take(self, message: Incoming) -> None:
        with self._lock:
            self._pending.append(message)

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            with self._lock:
                batch, self._pending = self._pending, []
            if batch:
                received = self._intake.take([m.payload for m in batch])
                self.delivered += len(batch)
                self.added += received.added
                self.repeated += received.repeated
                self.quarantined += received.quarantined
                for message in batch:
                    message.acknowledge()

    def close(self) -> None:
        """Hang up."""
        self._stop.set()
        self._thread.join()
        self._session.stop()
        self.store.close()


def soak(
    folder: Path, records: int, *, restarts: int, mean_bytes: float = MEAN_BYTES, seed: int = 1
) -> Soaked:
    """``records`` through the relay to the hub, over a line that drops, stalls, lies."""
    key = PrivateKey.generate()
    rng = random.Random(seed)
    begun = time.monotonic()
    ids = set()
    with closing(Outbox(folder / "device")) as store:
        # Half lies there from weeks offline; the other half comes while it is sent.
        for number in range(records // 2):
            ids.add(store.add(sealed(number, key.public_key)))
    with Mosquitto(folder / "broker") as broker, hub_session(broker, key, folder / "hub") as hub:
        proxy = RoughProxy(broker.port, rng, mean_bytes)
        stop = threading.Event()
        relaying = threading.Thread(target=_relay, args=(folder / "device", proxy.port, stop))
        relaying.start()
        with closing(Outbox(folder / "device")) as store:
            for number in range(records // 2, records):
                ids.add(store.add(sealed(number, key.public_key)))
            for _ in range(restarts):
                time.sleep(rng.uniform(0.5, 2.0))
                broker.restart()
            until(lambda: not store.waiting(), timeout_s=3600)
        until(lambda: hub.added >= records, timeout_s=300)
        stop.set()
        relaying.join()
        proxy.close()
        known = {row[0] for row in hub.store._db.rows("SELECT record_id FROM reports")}
        return Soaked(
            records=len(ids),
            delivered=hub.delivered,
            on_the_map=len(known),
            lost=len(ids - known),
            quarantined=hub.quarantined,
            ends=proxy.ended,
            restarts=restarts,
            seconds=time.monotonic() - begun,
        )


def _relay(data: Path, port: int, stop: threading.Event) -> None:
    """The relay itself, with less patience and shorter pauses than in life."""
    settings = Mosquitto.settings_of(port)
    with closing(Outbox(data)) as store:
        relay = Relay(
            store,
            MqttPublisher(settings, timeout_s=1.0),
            SENDING["open"],
            now_s=time.time,
            uniform=random.Random(2).random,
        )
        relay.run(lambda seconds: stop.wait(min(seconds, 0.05)))


# --- kill -9 ------------------------------------------------------------------------------------


class Killed(NamedTuple):
    """What 200 murders came to."""

    kills: int
    announced: int
    lost: int
    corrupt: int
    seconds: float


def kill_at_random(folder: Path, kills: int, *, seed: int = 1) -> Killed:
    """``watch`` and ``relay`` on one outbox, by turns killed and started again."""
    key = PrivateKey.generate()
    rng = random.Random(seed)
    begun = time.monotonic()
    data = folder / "device"
    announced: set[str] = set()
    corrupt = 0
    with Mosquitto(folder / "broker") as broker, hub_session(broker, key, folder / "hub") as hub:
        config = folder / "scanner.toml"
        config.write_text('[privacy]\nprofile = "open"\n')
        feed = [sys.executable, "-m", "tests.helpers.feed", data]
        feed += [base64.b64encode(bytes(key.public_key)).decode()]
        relay = [sys.executable, "-m", "scanner", "relay", "--data", data, "--config", config]
        relay += ["--broker", f"127.0.0.1:{broker.port}"]
        watcher, sender = _start(feed), _start(relay)
        for number in range(kills):
            time.sleep(rng.uniform(0.0, 1.5))
            victim, command = (watcher, feed) if number % 2 else (sender, relay)
            victim.send_signal(signal.SIGKILL)
            announced |= _announced(victim)
            corrupt += not _intact(data)
            again = _start(command)
            watcher, sender = (again, sender) if number % 2 else (watcher, again)
        for process in (watcher, sender):
            process.kill()
            announced |= _announced(process)
        corrupt += not _intact(data)
        with closing(Outbox(data)) as store:
            waiting = {r.record_id for r in store.waiting()}
        until(lambda: hub.added + len(waiting) >= len(announced), timeout_s=60)
        time.sleep(0.5)
        known = {row[0] for row in hub.store._db.rows("SELECT record_id FROM reports")}
    lost = len(announced - known - waiting)
    return Killed(kills, len(announced), lost, corrupt, time.monotonic() - begun)


def _start(command: list[object]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )


def _announced(process: "subprocess.Popen[bytes]") -> set[str]:
    """Ids in whole lines: half a line was not announced."""
    out, _ = process.communicate()
    return {line.decode() for line in out.split(b"\n")[:-1] if len(line) == 32}


def _intact(data: Path) -> bool:
    if not (data / FILE_NAME).exists():
        return True
    with closing(sqlite3.connect(data / FILE_NAME, timeout=20)) as db:
        return db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
