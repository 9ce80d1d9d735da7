"""``python -m tests.benchmarks.scale``: ten thousand scanners into several workers.

Simulated scanners publish to a real mosquitto; real ``scanner hub work`` processes share one
subscription and write to one database, PostgreSQL with its writes synced. Told are the rate, and
the processor time that each process takes for one record: on a machine where generator, broker,
database and workers share the cores the first is limited by the second, and the table says how
much of what the cores allow was reached. What is lost to locks is told apart.

    python -m tests.benchmarks.scale --fuse            # 1 worker and one per core, 10,000 scanners
    python -m tests.benchmarks.scale --live --hold     # all connected while workers work
"""

import argparse
import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import psycopg

from scanner.hub import keys
from scanner.hub.intake import Intake, IntakeOptions
from scanner.hub.stores import open_store
from tests.benchmarks import crowd
from tests.benchmarks.accounts import Waits, lives, memory_mb, tree_s
from tests.helpers.broker import Mosquitto
from tests.helpers.postgres import Cluster
from tests.helpers.waiting import until

ROOT: Final = Path(__file__).parents[2]
BAR: Final = 0.8  # of one worker's rate times the cores
FROM, TO = 0.15, 0.95  # the part of the records in which rates are taken
LOOK_S: Final = 0.05
PATIENCE_S: Final = 1800.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    workers: int
    scanners: int = 10_000
    each: int = 2  # records of every scanner
    cameras: int = 10_000
    towns: int = 8
    fuses: bool = False
    live: bool = False  # workers work while scanners publish
    hold: bool = False  # every scanner keeps its connection


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    plan: Plan
    records: int
    rate: float  # records a second, by the wall
    cpu_us: dict[str, float]  # processor time for each record, by process
    waits: dict[str, float]  # what the workers' connections do, shares
    memory_mb: list[float]  # of each worker at the end
    disk_bytes: float = 0.0  # of the database for each record, its indexes included
    broker_mb: float = 0.0  # of the broker while all are connected, or at the end
    balance: float = 1.0  # processor time of the worker that did least over that of the busiest
    connected: int = 0  # at the same time
    cores: int = msgspec.field(default_factory=lambda: os.cpu_count() or 1)

    @property
    def ceiling(self) -> float:
        """Records a second that the cores allow, were nothing ever waited for."""
        # None at all: too few records for the clock of a process, of ten milliseconds.
        spent = sum(self.cpu_us.values())
        return self.cores / spent * 1e6 if spent else math.inf


class Site:
    """Broker, database and keys of one run."""

    def __init__(self, folder: Path, broker: Mosquitto, cluster: Cluster, url: str) -> None:
        self.folder, self.broker, self.cluster, self.url = folder, broker, cluster, url
        self.private = keys.load_or_create(folder / "hub")

    def subscribe(self, name: str) -> None:
        """Make a worker's session at the broker, which keeps what comes for it."""
        options = IntakeOptions(
            data=self.folder / "hub",
            database=self.url,
            mqtt=self.broker.settings,
            client_id=f"cctv-hub-{name}",
        )
        with contextlib.closing(Intake(options)) as intake:
            intake.start()
            until(lambda: intake.inbox.online)

    @contextlib.contextmanager
    def worker(self, name: str, *, fuses: bool) -> Iterator["subprocess.Popen[bytes]"]:
        """A worker, as it is started by hand."""
        process = subprocess.Popen(
            [
                sys.executable, "-m", "scanner", "hub", "work", "--name", name,
                "--data", str(self.folder / "hub"), "--db", self.url,
                "--broker", f"127.0.0.1:{self.broker.port}",
                *([] if fuses else ["--intake-only"]),
            ],
            cwd=ROOT, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            finally:
                process.kill()


@contextlib.contextmanager
def site() -> Iterator[Site]:
    """A broker without persistence and a database whose commits are on the disk."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(Mosquitto(folder / "broker", CROWDED))
        cluster = Cluster("fsync=on", "shared_buffers=256MB", "max_wal_size=2GB")
        stack.callback(cluster.stop)
        url = stack.enter_context(cluster.database())
        yield Site(folder, broker, cluster, url)


CROWDED: Final = """
listener {port} 127.0.0.1
allow_anonymous true
max_connections -1
max_queued_messages 0
max_inflight_messages 1000
"""


class _Count:
    """How many records are in the database, or part of the map."""

    def __init__(self, url: str, *, fused: bool) -> None:
        self._db = psycopg.connect(url, autocommit=True)
        self._query = "SELECT coalesce(max(number), 0) FROM reports"
        if fused:
            self._query = (
                "SELECT coalesce(max(number), 0) - (SELECT count(*) FROM reports WHERE fused = 0) "
                "FROM reports"
            )

    def __call__(self) -> int:
        row = self._db.execute(self._query).fetchone()
        return int(row[0]) if row else 0

    def close(self) -> None:
        self._db.close()


def run(plan: Plan, payloads: Callable[[Site], list[bytes]] | None = None) -> Outcome:
    """One run from empty."""
    with site() as here, contextlib.ExitStack() as stack:
        made = (payloads or (lambda s: made_for(s, plan)))(here)
        names = [f"n{number}" for number in range(plan.workers)]
        for name in names:
            here.subscribe(name)
        sender = _Sender(here.broker, made, plan)
        if not plan.live:
            sender.run()
        count = stack.enter_context(contextlib.closing(_Count(here.url, fused=plan.fuses)))
        waits = stack.enter_context(Waits(here.url))
        workers = [stack.enter_context(here.worker(n, fuses=plan.fuses)) for n in names]
        if plan.live:
            until(lambda: _connected(here.url) >= plan.workers, timeout_s=60)
            sender.start()
        rate, cpu_us, balance = _watch(
            here, [w.pid for w in workers], count, len(made), live=plan.live
        )
        sender.join()
        with contextlib.closing(open_store(here.url)) as store:
            kept, bad = store.counts()
            assert (kept, bad) == (len(made), 0), f"{kept} kept, {bad} put aside of {len(made)}"
        return Outcome(
            plan=plan,
            records=len(made),
            rate=rate,
            cpu_us=cpu_us,
            balance=balance,
            waits=waits.shares(),
            memory_mb=[round(memory_mb(w.pid), 1) for w in workers],
            disk_bytes=round(_size(here.url) / len(made), 1),
            broker_mb=round(sender.broker_mb or memory_mb(here.broker.pid), 1),
            connected=sender.connected,
        )


def made_for(here: Site, plan: Plan) -> list[bytes]:
    """The records of a plan."""
    public = here.private.public_key
    return crowd.records(plan.scanners, plan.each, plan.cameras, public, towns=plan.towns)


def _size(url: str) -> int:
    """Bytes of all of the hub's tables with their indexes."""
    with psycopg.connect(url) as db:
        row = db.execute(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
            "WHERE relkind = 'r' AND relname IN ('reports', 'blocks', 'spent', 'cameras', "
            "'members', 'shown')"
        ).fetchone()
    return int(row[0]) if row else 0


def _connected(url: str) -> int:
    with psycopg.connect(url) as db:
        row = db.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cctv-hub'"
        ).fetchone()
    return int(row[0]) if row else 0


class _Sender(threading.Thread):
    """The scanners."""

    def __init__(self, broker: Mosquitto, payloads: list[bytes], plan: Plan) -> None:
        super().__init__(daemon=True)
        self._broker, self._payloads, self._plan = broker, payloads, plan
        self.connected = min(crowd.AT_ONCE, len(payloads))
        self.broker_mb = 0.0

    def run(self) -> None:
        if self._plan.hold:
            self.connected = crowd.hold(
                self._broker.port, self._payloads, self._plan.scanners, self._look
            )
        else:
            crowd.publish(self._broker.port, self._payloads)

    def _look(self) -> None:
        self.broker_mb = memory_mb(self._broker.pid)

    def join(self, timeout: float | None = None) -> None:
        if self.ident:
            super().join(timeout)


def _watch(
    here: Site, pids: list[int], count: _Count, total: int, *, live: bool
) -> tuple[float, dict[str, float], float]:
    """Rate and processor time per record between FROM and TO of the records; workers' balance."""
    watched = {f"worker {pid}": pid for pid in pids}
    watched |= {"database": here.cluster.process.pid, "broker": here.broker.pid}
    marks: list[tuple[float, int, dict[str, float]]] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(marks) < 2:
        assert time.monotonic() < deadline
        assert all(map(lives, watched.values())), "a worker, the database or the broker has ended"
        done = count()
        if done >= total * (TO if marks else FROM):
            used = {name: tree_s(pid) for name, pid in watched.items()}
            used["scanners"] = time.process_time() if live else 0.0
            marks.append((time.monotonic(), done, used))
        time.sleep(LOOK_S)
    (begun, first, before), (ended, last, after) = marks
    until(lambda: count() >= total, timeout_s=PATIENCE_S)
    records = max(1, last - first)
    spent = {name: (after[name] - before[name]) / records * 1e6 for name in after}
    each = [us for name, us in spent.items() if name.startswith("worker ")]
    cost = {"workers": sum(each)} | {
        n: us for n, us in spent.items() if not n.startswith("worker ")
    }
    return (
        records / (ended - begun),
        {name: round(us, 1) for name, us in cost.items() if us or name != "scanners" or live},
        round(min(each) / max(*each, 1e-9), 2),
    )


def line(o: Outcome) -> str:
    """A row of the table."""
    costs = ", ".join(f"{name} {us:.0f}" for name, us in o.cpu_us.items())
    waits = ", ".join(f"{name} {share:.0%}" for name, share in o.waits.items())
    return (
        f"{o.plan.workers} workers: {o.rate:7.0f} records/s, {o.rate / o.ceiling:4.0%} of what "
        f"{o.cores} cores allow ({o.ceiling:.0f}/s); us per record: {costs}; connections: {waits}; "
        f"least busy worker {o.balance:.0%} of the busiest"
    )


def main() -> int:
    """Print the table; 1 if the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, os.cpu_count() or 1])
    parser.add_argument("--scanners", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=2, help="records of every scanner")
    parser.add_argument("--cameras", type=int, default=10_000)
    parser.add_argument("--towns", type=int, default=8)
    parser.add_argument("--fuse", action="store_true", help="and make cameras of them")
    parser.add_argument("--live", action="store_true", help="publish while the workers work")
    parser.add_argument("--hold", action="store_true", help="all scanners connected at once")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    outcomes = []
    for workers in args.workers:
        plan = Plan(
            workers=workers, scanners=args.scanners, each=args.each, cameras=args.cameras,
            towns=args.towns, fuses=args.fuse, live=args.live, hold=args.hold,
        )  # fmt: skip
        outcomes.append(run(plan))
        print(line(outcomes[-1]), file=sys.stderr if args.json else sys.stdout, flush=True)
    if args.json:
        print(json.dumps([msgspec.to_builtins(o) for o in outcomes]))
    if len(outcomes) == 1:
        return 0
    share = outcomes[-1].rate / outcomes[0].rate / outcomes[-1].cores
    print(f"{share:.2f} of one worker's rate times the cores; bar {BAR}", file=sys.stderr)
    return int(share < BAR)


if __name__ == "__main__":
    sys.exit(main())
