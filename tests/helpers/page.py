"""The real page process, and a client that behaves like a phone's browser."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Self

import httpx

from scanner.hub.broker import free_port
from tests.helpers.waiting import until

ROOT = Path(__file__).parents[2]


class Page:
    """Start it; then ``address``, ``code``, ``socket`` and ``process`` are those of the page."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.socket = folder / "page.sock"
        config = folder / "page.toml"
        config.write_text(f'[page]\naddress = "127.0.0.1"\nport = {self.port}\n')
        self.command = [sys.executable, "-m", "scanner", "page", "--config", str(config)]
        self.command += ["--socket", str(self.socket)]

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert self.process.stdout
        said = self.process.stdout.readline()
        found = re.fullmatch(r"page: (http://\S+)/  code: (\S+)\n", said)
        assert found, self.process.communicate(timeout=20)
        self.address, self.code = found.groups()
        until(self._answers)
        return self

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.address}/", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def phone(self, *, inside: bool = True) -> httpx.Client:
        """A browser; ``inside``: the code was given."""
        client = httpx.Client(base_url=self.address, timeout=10)
        if inside:
            assert client.post("/enter", json={"code": self.code}).status_code == 204
        return client

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.out, self.errors = self.process.communicate(timeout=20)
        finally:
            self.process.kill()
