"""Processor time and memory of processes, and what a PostgreSQL waits for, while something runs."""

import os
import threading
from collections import Counter
from pathlib import Path
from typing import Final, Self

import psycopg

TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
EVERY_S: Final = 0.05
WAITING: Final = (
    "SELECT coalesce(wait_event_type, ''), coalesce(wait_event, ''), state "
    "FROM pg_stat_activity WHERE application_name = 'cctv-hub' AND pid <> pg_backend_pid()"
)


def processor_s(pid: int) -> float:
    """Seconds of processor time of a process with all its threads and its ended children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) * TICK_S


def tree_s(pid: int) -> float:
    """The same with the children that live."""
    total = processor_s(pid)
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            try:
                total += tree_s(int(child))
            except FileNotFoundError:  # it has just ended
                continue
    return total


def lives(pid: int) -> bool:
    """Whether a process of ours has not ended."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def memory_mb(pid: int) -> float:
    """Resident memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Waits:
    """What the hub's connections to a PostgreSQL do, looked at twenty times a second.

    ``shares`` gives the part of looks in each state: "lock" waits for another worker's row or
    area, "light lock" for shared memory of the server, "disk" for a write or its sync, "worker"
    for the worker's next statement, "works" is at work.
    """

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._seen: Counter[str] = Counter()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        if self._url:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._url:
            self._thread.join(10)

    def _look(self) -> None:
        assert self._url
        with psycopg.connect(self._url, autocommit=True) as db:
            while not self._done.wait(EVERY_S):
                for kind, event, state in db.execute(WAITING).fetchall():
                    self._seen[named(kind, event, state)] += 1

    def shares(self) -> dict[str, float]:
        """Of the looks at connections that had something in hand."""
        busy = {name: n for name, n in self._seen.items() if name != "idle"}
        total = sum(busy.values()) or 1
        return {name: round(n / total, 3) for name, n in sorted(busy.items())}


def named(kind: str, event: str, state: str) -> str:
    """A wait of pg_stat_activity in our words."""
    if state == "idle":
        return "idle"
    if kind == "Client":
        return "worker"
    if kind == "Lock":
        return "lock"
    if kind == "LWLock":
        return "disk" if "WAL" in event else "light lock"
    if kind == "IO":
        return "disk"
    return "works"
