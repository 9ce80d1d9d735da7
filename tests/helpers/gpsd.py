"""A real gpsd, to be stopped and started again within a test."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from scanner.hub.broker import free_port

SEARCH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def program(name: str, package: str) -> str:
    """Path of a program these tests cannot do without."""
    found = shutil.which(name, path=SEARCH)
    assert found, f"these tests need {name}: apt-get install {package}"
    return found


class Gpsd:
    """Reads the receiver at ``tty``; serves TCP, or only the Unix socket ``json`` if given.

    gpsd takes its sockets from systemd: the first is for control, all others speak JSON.
    """

    def __init__(
        self,
        tty: Path,
        folder: Path,
        *,
        unix: bool = False,
        env: dict[str, str] | None = None,
    ) -> None:
        self._env = env
        self.log = folder / "gpsd.log"
        self.port = free_port()
        self.json = folder / "json.sock"
        gpsd = [program("gpsd", "gpsd"), "-N", "-n", "-b"]
        if unix:
            activate = program("systemd-socket-activate", "systemd")
            sockets = ["-l", str(folder / "control.sock"), "-l", str(self.json)]
            self._command = [activate, *sockets, *gpsd, str(tty)]
        else:
            self._command = [*gpsd, "-S", str(self.port), str(tty)]
        self._unix = unix
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def source(self) -> str:
        """How scanner.toml names it."""
        return f"gpsd://{self.json}" if self._unix else f"gpsd://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it listens."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._env)
        deadline = time.monotonic() + 30
        while not (self.json.exists() if self._unix else self._answers()):
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def kill(self) -> None:
        """End it without a word to those who listen."""
        if self._process:
            self._process.kill()
        self.stop()

    def hang(self) -> None:
        """It stands still: connections stay open, nothing is told."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """It goes on after ``hang``."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it and wait; may be called twice."""
        if self._process:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
