"""A device that lives fast: the real pipeline behind the real wall, with a scripted lens.

    python -m tests.faults.device DATA KEY SEED BEGUN SPEED DURATION FAULTS walker NUMBER
    python -m tests.faults.device DATA KEY SEED BEGUN SPEED DURATION FAULTS crowd NUMBER

A walker goes along its street ``SPEED`` times as fast as people do and looks at what is there now:
one that was dead or stopped goes on where it would be, as a lens does. A crowd seals records
without pictures. Both say ``sealed ID PAYLOAD`` before a record goes to the card, and ``kept ID``
after. BEGUN is on the monotonic clock. FAULTS: see ``plan.inside``.
"""

import base64
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from threading import Event

from nacl.public import PublicKey

from scanner import wall
from scanner.core import privacy
from scanner.core.wire import record_id
from scanner.errors import DeviceError, ScannerError, StoreError
from scanner.frame import Frame, Pixels
from scanner.looking import Watcher
from scanner.pipeline import Finder, watch
from scanner.records import Detection, Position
from scanner.replay.standins import ConsolePanel, ScriptedDetector, ScriptedPositions
from scanner.reporting import Sealer
from scanner.sealing import seal
from scanner.storage.known import Known
from scanner.storage.outbox import Outbox
from tests.faults.town import Street
from tests.helpers import walk
from tests.helpers.sealed import sealed
from tests.helpers.walk import LENS, RATE

CROWD_S = 0.35  # of the clock, between two records
SITES_MAX = 900_000
CROWD_E7 = (400_000_000, 100_000_000)  # far from every street


class Announcing(Outbox):
    """An outbox whose records are known before and after they are on the card."""

    def add(self, payload: bytes, *, due_s: int = 0) -> str:
        name = record_id(payload)
        say(f"sealed {name} {base64.b64encode(payload).decode()}")
        super().add(payload, due_s=due_s)
        say(f"kept {name}")
        return name


def say(line: str) -> None:
    """One line in one write: whoever reads it may believe a whole one."""
    os.write(1, f"{line}\n".encode())


class Life:
    """The time of this hour, and what is broken in it."""

    def __init__(self, begun_s: float, speed: float, faults: str) -> None:
        self._begun_s, self.speed = begun_s, speed
        self._faults: list[tuple[str, float, float]] = [tuple(f) for f in json.loads(faults)]
        self._done = self.now_s()  # errors before our birth were somebody else's

    def now_s(self) -> float:
        """Accelerated seconds since the walk began."""
        return (time.monotonic() - self._begun_s) * self.speed

    def broken(self, kind: str, at_s: float) -> bool:
        """Whether a part is broken at a time."""
        return any(k == kind and since <= at_s < until for k, since, until in self._faults)

    def error_due(self, at_s: float) -> bool:
        """Whether the lens ends with an error since this was asked last."""
        due = any(k == "lens error" and self._done < since <= at_s for k, since, _ in self._faults)
        self._done = max(self._done, at_s)
        return due


class Lens:
    """Frames as they come, none while it is broken; a stalled process has missed some."""

    def __init__(self, street: Street, life: Life, duration_s: float) -> None:
        self._street, self._life, self._duration_s = street, life, duration_s

    def frames(self) -> Iterator[Frame]:
        pause = Event()
        number = int(self._life.now_s() * RATE)
        while number < self._duration_s * RATE:
            behind = self._life.now_s() - number / RATE
            if behind < 0:
                pause.wait(-behind / self._life.speed)
            elif behind > 2.0:
                number = int(self._life.now_s() * RATE)
            if self._life.error_due(number / RATE):
                raise DeviceError("the lens is gone")
            if not self._life.broken("lens", number / RATE):
                yield self._street.frame(number)
            number += 1

    def close(self) -> None:
        """Nothing is held open."""


def detector(life: Life) -> Callable[[Pixels], Sequence[Detection]]:
    """Sees colours; hangs while the accelerator is broken."""
    pause = Event()

    def look(tile: Pixels) -> Sequence[Detection]:
        while life.broken("accelerator", life.now_s()):
            pause.wait(0.02)
        return walk.read_colours(tile)

    return look


def positions(street: Street, life: Life, start_utc_s: float) -> Callable[[int], Position | None]:
    """Where it is, unless nobody says."""
    known = walk.positions(street.way, start_utc_s=start_utc_s)
    return lambda at_ns: None if life.broken("position", at_ns / 1e9) else known(at_ns)


def stroll(
    store: Outbox, known: Known, key: PublicKey, street: Street, *, life: Life, duration_s: float
) -> int:
    """The walk from now on; what a unit's ``Restart=`` would be told."""
    finder = Finder(
        Watcher(ScriptedDetector(detector(life), 320), 4),
        ScriptedPositions(positions(street, life, evening_s())),
        LENS,
    )
    sealer = Sealer(
        *(store, lambda record: seal(record, key), privacy.OPEN),
        model="t",
        uniform=random.SystemRandom().random,
        known=known,
    )
    try:
        watch(Lens(street, life, duration_s), finder, sealer, ConsolePanel(sys.stderr))
    except ScannerError as e:
        print(f"device: {e}", file=sys.stderr)
        return int(e.exit_code)
    return 0


def evening_s() -> float:
    """GNSS time at the beginning: the evening before, of which the hour is over at midnight."""
    return time.time() // 86_400 * 86_400 - 7_200


def gather(store: Outbox, key: PublicKey, life: Life, number: int, duration_s: float) -> int:
    """Records without pictures until the hour is over."""
    pause, dice = Event(), random.Random()
    waiting: list[bytes] = []
    while life.now_s() < duration_s:
        pause.wait(CROWD_S)
        waiting.append(sealed(dice.randrange(SITES_MAX) * 2 + number, key, *CROWD_E7))
        try:
            while waiting:
                store.add(waiting[0])
                waiting.pop(0)
        except StoreError as e:
            print(f"device: {e}", file=sys.stderr)
    return 0


def main() -> int:
    """As the program does: one line, and the exit code that its unit knows."""
    try:
        return live()
    except ScannerError as e:
        print(f"device: {e}", file=sys.stderr)
        return int(e.exit_code)


def live() -> int:
    """Until the hour is over, or somebody kills it."""
    data, key64, seed, begun, speed, duration, faults, what, number = sys.argv[1:]
    folder, key = Path(data), PublicKey(base64.b64decode(key64))
    life = Life(float(begun), float(speed), faults)
    with closing(Announcing(folder)) as store, closing(Known(folder, privacy.OPEN)) as known:
        wall.fence_watch(folder, [])
        wall.close_watch(folder)
        if what == "crowd":
            return gather(store, key, life, int(number), float(duration))
        street = Street(int(seed), int(number), float(duration))
        return stroll(store, known, key, street, life=life, duration_s=float(duration))


if __name__ == "__main__":
    sys.exit(main())
