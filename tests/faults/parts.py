"""Processes that are killed, stopped, and started again, as by systemd."""

import base64
import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

AGAIN_S: Final = 0.5  # after an end that nobody planned
ORDINARY: Final = (0, 69, 74, 75)  # ends that a unit's Restart= is for: device, disk, broker


class Journal:
    """What the devices said of their records: the truth that the hub is held against."""

    def __init__(self) -> None:
        self.sealed: dict[str, bytes] = {}
        self.kept: set[str] = set()
        self.by: dict[str, str] = {}  # record -> device
        self.kept_at: dict[str, float] = {}  # on the monotonic clock
        self._readers: list[threading.Thread] = []

    def follow(self, device: str, process: "subprocess.Popen[bytes]") -> None:
        """Read what it says until it ends; half a line was not said."""
        reader = threading.Thread(target=self._read, args=(device, process), daemon=True)
        reader.start()
        self._readers.append(reader)

    def _read(self, device: str, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout
        with process.stdout:
            for line in process.stdout:
                word, *rest = line.decode().split()
                if not line.endswith(b"\n"):
                    continue
                if word == "sealed":
                    self.sealed[rest[0]] = base64.b64decode(rest[1])
                    self.by[rest[0]] = device
                else:
                    self.kept.add(rest[0])
                    self.kept_at[rest[0]] = time.monotonic()

    def tell(self, device: str, record_id: str, payload: bytes) -> None:
        """A record that was found on a card."""
        self.sealed[record_id], self.by[record_id] = payload, device
        self.kept_at[record_id] = time.monotonic()
        self.kept.add(record_id)

    def finish(self) -> None:
        """Everybody who spoke has ended: read the rest."""
        for reader in self._readers:
            reader.join(10)


class Part:
    """One process, wanted from ``start`` to ``stop``, whatever happens to it in between."""

    def __init__(
        self,
        name: str,
        command: Callable[[], list[object]],
        folder: Path,
        *,
        env: dict[str, str] | None = None,
        user: int | None = None,
        journal: Journal | None = None,
        refuses: int | None = None,
    ) -> None:
        """``refuses``: the exit code that says it cannot start yet, which is no crash."""
        self.name = name
        self.command = command
        self.env = env or {}
        self.crashes: list[str] = []
        self._refuses = refuses
        self._log = folder / f"{name}.log"
        self._user = user
        self._journal = journal
        self._process: subprocess.Popen[bytes] | None = None
        self._back_at = 0.0
        self._on_at = 0.0  # when a stalled one goes on; 0: it runs
        self.wanted = False
        self.held = False  # by somebody who starts it again

    @property
    def pid(self) -> int:
        """Of the process, 0 for none."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    def start(self) -> None:
        """Want it from now on."""
        self.wanted = True
        self.care()

    def care(self) -> None:
        """Start it if it should run and does not; let it go on if its time has come."""
        now = time.monotonic()
        if self._on_at and now >= self._on_at:
            self.go_on()
        if not self.wanted or self.held:
            return
        if self._process and (code := self._process.poll()) is not None:
            self._process = None
            if code not in (*ORDINARY, -signal.SIGKILL, self._refuses):
                self.crashes.append(f"{self.name} ended with {code}")
            self._back_at = max(self._back_at, now + AGAIN_S)
        if not self._process and now >= self._back_at:
            self.begin()

    def begin(self) -> None:
        """Start it now."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(word) for word in self.command()],
                stdout=subprocess.PIPE if self._journal else log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.env},
                user=self._user,
            )
        if self._journal:
            self._journal.follow(self.name, self._process)

    def kill(self, down_s: float, how: signal.Signals = signal.SIGKILL) -> None:
        """End it; it is back after so many seconds of the clock."""
        self.go_on()
        self._back_at = time.monotonic() + down_s
        if self._process:
            self._process.send_signal(how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            if self._process.poll() is None:  # it does not hear: as systemd does
                self.crashes.append(f"{self.name} does not end")
                self._process.kill()
                self._process.wait(10)
            self._process = None

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Want it no more, and end it."""
        self.wanted = False
        self.kill(0, how)

    def stall(self, for_s: float) -> None:
        """Hold it, with its children, for seconds of the clock."""
        self._signal(signal.SIGSTOP)
        self._on_at = time.monotonic() + for_s

    def go_on(self) -> None:
        """Let a stalled one go on."""
        if self._on_at:
            self._signal(signal.SIGCONT)
            self._on_at = 0.0

    def _signal(self, number: signal.Signals) -> None:
        if pid := self.pid:
            for one in (pid, *children(pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, number)

    def log(self) -> str:
        """All that it wrote."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    try:
        return [int(w) for w in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
