"""The whole system, each part a real process: devices, relays, broker, hub, workers, database."""

import base64
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, Self

import psycopg

from scanner.hub import keys
from scanner.hub.broker import find_mosquitto, free_port
from tests.faults import disks, plan
from tests.faults.line import Line
from tests.faults.parts import Journal, Part
from tests.helpers.postgres import USER, _ordinary_user, binary
from tests.helpers.waiting import until

ROOT: Final = Path(__file__).parents[2]
TEMPLATE: Final = "with_postgis"
BROKER: Final = """
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_interval 5
max_queued_messages 0
max_inflight_messages 500
"""
SLOW: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # one thread before the fence
DISKS: Final = {"broker": "24m", "postgres": "420m"}
DEVICE_DISK: Final = "8m"


def faketime() -> str:
    """The library that lies about the time."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert found, "this needs libfaketime: apt-get install libfaketime"
    return str(found[0])


class Postgres:
    """A server whose processes may be killed: the files stay."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._user = _ordinary_user()
        disks.mount(folder, DISKS["postgres"], self._user)
        subprocess.run(
            [
                *(binary("initdb"), "-D", folder / "data", "-U", USER, "-A", "trust"),
                *("-E", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
            ],
            user=self._user, cwd=folder, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        options = {
            "listen_addresses": "",
            "unix_socket_directories": folder,
            "fsync": "off",  # the disk is memory
            "max_connections": 60,
            "shared_buffers": "48MB",
            "max_wal_size": "64MB",
            "checkpoint_timeout": "60s",
        }
        words = [w for name, value in options.items() for w in ("-c", f"{name}={value}")]
        command = [binary("postgres"), "-D", folder / "data", *words]
        # Killed, it refuses to start until the last of its old processes has let go of the memory.
        self.part = Part("postgres", lambda: command, folder.parent, user=self._user, refuses=1)
        self.part.start()
        until(self._answers, timeout_s=60)
        self._admin("postgres", f"CREATE DATABASE {TEMPLATE}")
        self._admin(TEMPLATE, "CREATE EXTENSION postgis")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _admin(self, where: str, *statements: str) -> None:
        with psycopg.connect(self.url(where), autocommit=True) as db:
            for statement in statements:
                db.execute(statement)

    def url(self, name: str) -> str:
        """Where a database is."""
        return f"postgresql://{USER}@/{name}?host={self.folder}"

    def create(self, name: str) -> None:
        """An empty database."""
        again = f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"
        self._admin("postgres", again, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")

    def cut_off(self) -> None:
        """End every connection."""
        with contextlib.suppress(psycopg.Error):
            self._admin(
                "postgres",
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
            )


class System:
    """All parts in one folder; a context manager that ends them."""

    def __init__(self, folder: Path, seed: int, faults: list[plan.Fault], *, speed: float,
                 duration_s: float, forgetful: float = 0.0) -> None:  # fmt: skip
        self.folder = folder
        self.journal = Journal()
        self.hub_data = folder / "hub"
        self.key = keys.load_or_create(self.hub_data)
        self.postgres = Postgres(folder / "postgres")
        self.database = "hub"
        self.postgres.create(self.database)
        self.port = free_port()
        self.line = Line(self.port, seed, forgetful=forgetful)
        self.parts: dict[str, Part] = {"postgres": self.postgres.part}
        self.disks: dict[str, Path] = {"postgres": folder / "postgres"}
        self.lost: set[str] = set()
        self.clocks: dict[str, Path] = {}
        self.offsets: dict[str, float] = {}
        self._add_broker()
        self._add_hub()
        (folder / "scanner.toml").write_text('[privacy]\nprofile = "open"\n')
        self.begun_s = 0.0  # when the hour begins, on the monotonic clock
        for device in plan.DEVICES:
            self._add_device(device, seed, faults, speed=speed, duration_s=duration_s)
        if duration_s >= plan.PI_FROM_S:
            self.add_pi()

    @property
    def url(self) -> str:
        """Of the hub's database."""
        return self.postgres.url(self.database)

    def scanner(self, *words: object) -> list[object]:
        """A command of the program."""
        return [sys.executable, "-m", "scanner", *words]

    def _add(self, name: str, command: Callable[[], list[object]], **more: object) -> None:
        self.parts[name] = Part(name, command, self.folder, **more)  # type: ignore[arg-type]

    def _add_broker(self) -> None:
        folder = self.folder / "broker"
        disks.mount(folder, DISKS["broker"])
        self.disks["broker"] = folder
        root = "user root\n" if os.geteuid() == 0 else ""
        config = self.folder / "mosquitto.conf"
        config.write_text(BROKER.format(port=self.port, folder=folder) + root)
        program = find_mosquitto()
        assert program, "this needs a broker: apt-get install mosquitto"
        self._add("broker", lambda: [program, "-c", config])

    def _add_hub(self) -> None:
        shared: list[object] = ["--data", self.hub_data, "--broker", f"127.0.0.1:{self.port}"]
        shared += ["--keep", self.folder / "kept"]
        self._add(
            "serve",
            lambda: self.scanner(
                "hub", "serve", "--port", 0, "--cohorts", 0, "--db", self.url, *shared
            ),
        )
        for name in plan.WORKERS:
            clock = self.folder / f"clock-{name}"
            clock.write_text("+0\n")
            self.clocks[name] = clock
            env = {
                "LD_PRELOAD": faketime(),
                "FAKETIME_TIMESTAMP_FILE": str(clock),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
            self._add(name, partial(self._worker, name, shared), env=env)

    def _worker(self, name: str, shared: list[object]) -> list[object]:
        return self.scanner("hub", "work", "--name", name, "--db", self.url, *shared)

    def _add_device(self, device: str, seed: int, faults: list[plan.Fault], *, speed: float,
                    duration_s: float) -> None:  # fmt: skip
        data = self.folder / device
        disks.mount(data, DEVICE_DISK)
        self.disks[device] = data
        what, _, number = device.partition("-")
        key = base64.b64encode(bytes(self.key.public_key)).decode()
        life = [speed, duration_s, plan.inside(faults, device), what, number]
        program = [sys.executable, "-m", "tests.faults.device", data, key, seed]
        self._add(
            device,
            lambda: [*program, self.begun_s, *life],
            journal=self.journal,
            env=SLOW,
        )
        self._add_relay(device, data)

    def add_pi(self) -> None:
        """A device with the real program, and the demo's walk in front of the real detector."""
        data, demo = self.folder / plan.PI, ROOT / "scanner" / "demo"
        disks.mount(data, DEVICE_DISK)
        self.disks[plan.PI] = data
        key = base64.b64encode(bytes(self.key.public_key)).decode()
        watch = self.scanner("watch", "--source", demo / "walk.mp4", "--track", demo / "walk.gpx")
        watch += ["--once", "--data", data, "--hub-key", key]
        watch += ["--config", self.folder / "scanner.toml"]
        self._add(plan.PI, lambda: watch, env=SLOW)
        self._add_relay(plan.PI, data)

    def _add_relay(self, device: str, data: Path) -> None:
        relay = self.scanner("relay", "--data", data, "--config", self.folder / "scanner.toml")
        relay += ["--broker", f"127.0.0.1:{self.line.port}"]
        self._add(f"relay-{device}", lambda: relay, env=SLOW)

    def start(self) -> None:
        """Everything, the hub before the devices: the hour begins when it works."""
        for name in ("broker", *plan.HUB):
            self.parts[name].start()
        until(self._hub_works, timeout_s=120)
        self.begun_s = time.monotonic() + 2.0
        for name in (*plan.DEVICES, *plan.RELAYS):
            self.parts[name].start()

    def _hub_works(self) -> bool:
        self.care()
        return all("broker  " in self.parts[name].log() for name in plan.HUB)

    def care(self) -> None:
        """Whoever ended without being told to is started again."""
        for part in self.parts.values():
            part.care()

    def set_clock(self, name: str, offset_s: float) -> None:
        """A worker's clock jumps while it runs; a relay's, which may read no file, by a restart."""
        if name in self.clocks:
            self.clocks[name].write_text(f"{offset_s:+.0f}\n")
            return
        part = self.parts[name]
        fake = {"LD_PRELOAD": faketime(), "FAKETIME": f"{offset_s:+.0f}"}
        fake["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
        part.env = {**SLOW, **fake} if offset_s else SLOW
        part.kill(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()
        for part in self.parts.values():
            part.stop()
        for disk in self.disks.values():
            disks.unmount(disk)
