"""A real PostgreSQL with PostGIS, started once for all tests that need one.

It listens at a Unix socket in a folder of its own, and runs as an ordinary user: root may not.
"""

import atexit
import functools
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

BINARIES = Path("/usr/lib/postgresql")
TEMPLATE = "with_postgis"
USER = "hub"


def binary(name: str) -> Path:
    """A program of the newest PostgreSQL that is installed; Debian keeps them off the PATH."""
    found = sorted(
        BINARIES.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]), reverse=True
    )
    assert found, "these tests need PostgreSQL: apt-get install postgresql postgresql-postgis"
    return found[0]


class Cluster:
    """A server with its databases, gone when it is stopped."""

    def __init__(self, *settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._user = _ordinary_user()
        if self._user is not None:
            os.chown(self.folder, self._user, -1)
        self._run(
            binary("initdb"), "-D", self.folder / "data", "-U", USER, "-A", "trust",
            "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync",
        )  # fmt: skip
        options = [
            "listen_addresses=",
            f"unix_socket_directories={self.folder}",
            "fsync=off",  # no test pulls the plug
            "max_connections=60",
            "shared_buffers=64MB",
            *settings,
        ]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [binary("postgres"), "-D", self.folder / "data"]
                + [part for option in options for part in ("-c", option)],
                stdout=log, stderr=log, user=self._user, cwd=self.folder,
            )  # fmt: skip
        self._await_start()
        with psycopg.connect(self.url("postgres"), autocommit=True) as db:
            db.execute(f"CREATE DATABASE {TEMPLATE}")
        with psycopg.connect(self.url(TEMPLATE), autocommit=True) as db:
            db.execute("CREATE EXTENSION postgis")

    def _run(self, *command: object) -> None:
        done = subprocess.run(
            [str(word) for word in command],
            user=self._user, cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def _await_start(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.05)
            else:
                return

    def url(self, name: str) -> str:
        """Where a database is."""
        return f"postgresql://{USER}@/{name}?host={self.folder}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of an empty database with PostGIS, dropped afterwards."""
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as db:
            db.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY = FILE_COPY")
            try:
                yield self.url(name)
            finally:
                db.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        """End it and remove its files; may be called twice."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # without waiting for clients
            self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


def _ordinary_user() -> int | None:
    """Whom to be instead of root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise AssertionError("root needs an ordinary user to run PostgreSQL as")


@functools.cache
def cluster() -> Cluster:
    """The one of this process, started at the first call and stopped at its end."""
    started = Cluster()
    atexit.register(started.stop)
    return started
