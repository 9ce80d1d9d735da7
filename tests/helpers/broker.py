"""A real mosquitto, to be started, stopped, killed and started again within a test."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from scanner.config import Mqtt
from scanner.hub.broker import find_mosquitto, free_port

PLAIN = """
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
max_queued_messages 0
"""


class Mosquitto:
    """Keeps port and state from one start to the next.

    ``config`` may name ``{port}`` and ``{folder}``.
    """

    def __init__(self, folder: Path, config: str = PLAIN) -> None:
        found = find_mosquitto()
        assert found, "these tests need a broker: apt-get install mosquitto"
        self._program = found
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        root = "user root\n" if os.geteuid() == 0 else ""
        (folder / "conf").write_text(config.format(port=self.port, folder=folder) + root)

    @property
    def settings(self) -> Mqtt:
        """How to connect without a name."""
        return self.settings_of(self.port)

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process
        return self._process.pid

    @staticmethod
    def settings_of(port: int) -> Mqtt:
        """The same for another port that leads here."""
        return Mqtt(host="127.0.0.1", port=port)

    def start(self) -> None:
        """Start and wait until it listens."""
        assert self._process is None
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-c", self._folder / "conf"], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 20
        while not self._listens():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it and wait; may be called twice."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None

    def restart(self) -> None:
        """Stop and start again on the same port with the same state."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
