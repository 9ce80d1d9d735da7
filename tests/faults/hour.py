"""An hour of the whole system in minutes, with everything breaking that is in the plan."""

import json
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from scanner.errors import StoreError
from scanner.hub.stores import open_store
from scanner.storage.outbox import Outbox
from tests.faults import disks, plan
from tests.faults.plan import Fault
from tests.faults.system import ROOT, System

STEP_S: Final = 0.05
COMMAND_S: Final = 90
TRIES: Final = 20
DRAIN_S: Final = 150.0
SILENT_S: Final = 15.0  # after which nothing more is on the way
PI_S: Final = 120.0  # of the clock, for a walk of ten seconds


class Hour:
    """Carries out a plan. ``speed``: accelerated seconds in one of the clock."""

    def __init__(
        self, system: System, faults: list[Fault], *, seed: int, speed: float, duration_s: float
    ) -> None:
        self.system = system
        self.done: Counter[str] = Counter()
        self.notes: list[str] = []
        self.gone_with_card: set[str] = set()
        self.restored = False
        self._speed, self._duration_s, self._seed = speed, duration_s, seed
        self._left = list(faults)
        self._ends: list[tuple[float, Fault]] = []
        self._threads: list[threading.Thread] = []
        self._backup = system.folder / "backup"
        self._backed_up = threading.Event()
        self._seen, self._seen_at = (-1, -1), 0.0  # what the hub had, and since when

    def run(self, tell: bool) -> None:  # noqa: FBT001 - its only argument
        """From the first fault to the last."""
        system = self.system
        system.start()
        if plan.PI in system.parts:
            self._beside(self._walk_the_demo)
        told_s = 0.0
        while (now_s := (time.monotonic() - system.begun_s) * self._speed) < self._duration_s:
            system.care()
            for until_s, fault in [e for e in self._ends if e[0] <= now_s]:
                self._ends.remove((until_s, fault))
                self._mend(fault)
            while self._left and self._left[0].at_s <= now_s:
                self._break(self._left.pop(0))
            if tell and now_s - told_s > 60:
                told_s = now_s
                kept, broken = len(system.journal.kept), sum(self.done.values())
                line = f"{now_s / 60:3.0f} min, {broken} faults, {kept} records announced"
                print(f"\r{line}", end="", file=sys.stderr, flush=True)
            time.sleep(STEP_S)
        if tell:
            print(file=sys.stderr)
        self._mend_all()

    def _note(self, text: str) -> None:
        now_s = (time.monotonic() - self.system.begun_s) * self._speed
        self.notes.append(f"{now_s:6.0f} s  {text}")

    # --- breaking -------------------------------------------------------------------------------

    def _break(self, fault: Fault) -> None:
        if fault.target in self.system.lost or fault.target.removeprefix("relay-") in (
            self.system.lost
        ):
            return
        self.done[fault.kind if fault.kind != "line" else f"line {fault.target}"] += 1
        self._note(f"{fault.kind} {fault.target} for {fault.for_s:.0f} s, {fault.amount:g}")
        match fault.kind:
            case "lose":
                self._lose(fault.target)
            case "backup":
                self._beside(self._back_up)
            case "restore":
                self._beside(self._restore)
            case "cut off":  # asked of a server that may be stalled, and is let go on by this loop
                self._beside(self.system.postgres.cut_off)
            case "line" | "full disk" | "clock":
                self._ends.append((fault.at_s + fault.for_s, fault))
                self._begin(fault)
            case kind if kind not in plan.INSIDE:
                self._hit(fault, fault.for_s / self._speed)

    def _beside(self, work: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()

    def _begin(self, fault: Fault) -> None:
        system = self.system
        if fault.kind == "line":
            system.line.shares[fault.target] = fault.amount
        elif fault.kind == "clock":
            system.set_clock(fault.target, fault.amount)
        else:
            disks.fill(system.disks[fault.target], int(12 * fault.amount))

    def _mend(self, fault: Fault) -> None:
        system = self.system
        if fault.kind == "line":
            system.line.shares.pop(fault.target, None)
        elif fault.kind == "clock":
            system.set_clock(fault.target, 0.0)
        elif fault.target not in system.lost:
            disks.clear(system.disks[fault.target])

    def _hit(self, fault: Fault, for_s: float) -> None:
        part = self.system.parts[fault.target]
        match fault.kind:
            case "kill" | "kill broker" | "kill server":
                part.kill(for_s)
            case "stop broker":
                part.kill(for_s, signal.SIGTERM)
            case "empty broker":
                part.kill(for_s)
                for file in self.system.disks["broker"].glob("mosquitto.db*"):
                    file.unlink()
            case "stall":
                part.stall(for_s)

    def _lose(self, device: str) -> None:
        """It never comes back, and with it what was on its card."""
        system = self.system
        system.lost.add(device)
        for name in (device, f"relay-{device}"):
            system.parts[name].stop(signal.SIGKILL)
        disks.clear(system.disks[device])
        with closing(Outbox(system.disks[device])) as store:
            self.gone_with_card = {r.record_id for r in store.waiting()}

    def _walk_the_demo(self) -> None:
        """`scanner watch`, killed in mid-walk, then to its end; what is on the card is announced.

        It says no ids, so its relay begins when they have been read from its outbox.
        """
        system, dice = self.system, random.Random(self._seed)
        part = system.parts[plan.PI]
        for lives_s in (dice.uniform(1.0, 15.0), PI_S):
            part.held, part.wanted = True, True
            part.begin()
            deadline = time.monotonic() + lives_s
            while part.pid and time.monotonic() < deadline:
                time.sleep(0.1)
            self._note(f"pi: {'killed' if part.pid else 'at the end of its walk'}")
            part.stop(signal.SIGKILL)
        with closing(Outbox(system.disks[plan.PI])) as store:
            for record in store.waiting():
                system.journal.tell(plan.PI, record.record_id, record.payload)
        system.parts[f"relay-{plan.PI}"].start()

    def _command(self, *words: object) -> bool:
        """A command of the operator, who tries again when it fails."""
        for _ in range(TRIES):
            try:
                done = subprocess.run(
                    [str(w) for w in self.system.scanner("hub", *words)],
                    capture_output=True, text=True, check=False, timeout=COMMAND_S, cwd=ROOT,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                self._note(f"{words[0]}: no end after {COMMAND_S} s")
                continue
            if done.returncode == 0:
                self._note(f"{words[0]}: {done.stdout.strip()}")
                return True
            self._note(f"{words[0]}: {done.stderr.strip()[-200:]}")
            time.sleep(1)
        return False

    def _back_up(self) -> None:
        data = self.system.hub_data
        self._command("backup", self._backup, "--db", self.system.url, "--data", data)
        self._backed_up.set()

    def _restore(self) -> None:
        """The database is gone: an older copy of it takes its place, in a new one."""
        system = self.system
        self._backed_up.wait(COMMAND_S)
        if not self._backup.exists():
            self._note("restore: there was no backup")
            return
        for name in plan.HUB:
            system.parts[name].held = True
            system.parts[name].kill(0)
        for _ in range(TRIES):
            try:
                system.postgres.create("hub_again")
                break
            except Exception as e:  # noqa: BLE001 - the server may be away: an operator waits
                self._note(f"restore: {str(e).splitlines()[0]}")
                time.sleep(1)
        system.database = "hub_again"
        self.restored = self._command(
            "restore", self._backup, "--db", system.url, "--data", system.hub_data
        )
        for name in plan.HUB:
            system.parts[name].held = False

    # --- afterwards -----------------------------------------------------------------------------

    def _mend_all(self) -> None:
        for _, fault in self._ends:
            self._mend(fault)
        self._ends.clear()
        for thread in self._threads:
            thread.join()
        system = self.system
        for device in plan.DEVICES:
            if device not in system.lost:
                disks.clear(system.disks[device])
        for part in system.parts.values():
            part.go_on()
        relays = [f"relay-{device}" for device in self._devices()]
        for name in (*relays, *plan.HUB):  # as at a new day: no pause of theirs lasts on
            if name.removeprefix("relay-") not in system.lost:
                system.parts[name].kill(0, signal.SIGTERM)

    def drain(self) -> float:
        """Wait until all that can arrive has; the seconds that took."""
        system, begun = self.system, time.monotonic()
        for device in plan.DEVICES:
            system.parts[device].wanted = False
        while time.monotonic() - begun < DRAIN_S:
            system.care()
            if not any(system.parts[d].pid for d in plan.DEVICES):
                system.journal.finish()
                if self._taken():
                    break
            time.sleep(0.5)
        # As an operator does who has restored a backup, or set a clock.
        kept = sorted((system.folder / "kept").iterdir())
        self._command("ingest", *kept, *self._hub())
        return time.monotonic() - begun

    def _devices(self) -> list[str]:
        return [*plan.DEVICES, *([plan.PI] if plan.PI in self.system.parts else [])]

    def _hub(self) -> tuple[object, ...]:
        return ("--db", self.system.url, "--data", self.system.hub_data)

    def waiting(self) -> set[str]:
        """Records in the outboxes of the living."""
        found: set[str] = set()
        for device in self._devices():
            if device not in self.system.lost:
                with closing(Outbox(self.system.disks[device])) as store:
                    found |= {r.record_id for r in store.waiting()}
        return found

    def _taken(self) -> bool:
        """Whether nothing is on the way any more: all is known, or nothing has come for long."""
        try:
            with closing(open_store(self.system.url)) as store:
                count, waiting = store.counts(), store.waiting(1)
                known = store.numbers_of(self.system.journal.kept)
        except StoreError:
            return False
        if waiting or self.waiting() - set(known):
            return False
        now = time.monotonic()
        if count != self._seen:
            self._seen, self._seen_at = count, now
        missing = self.system.journal.kept - set(known) - self.gone_with_card
        return not missing or now - self._seen_at > SILENT_S

    def keep_logs(self, where: Path, result: dict[str, object]) -> None:
        """Logs of a failing seed."""
        where.mkdir(parents=True, exist_ok=True)
        for log in self.system.folder.glob("*.log"):
            shutil.copy(log, where)
        (where / "result.json").write_text(json.dumps(result, indent=1))
        (where / "notes").write_text("\n".join(self.notes) + "\n")
