"""The scripted walk as a process: the real pipeline from pixels to the card, again and again.

    python -m tests.helpers.street DATA KEY

Prints a line for each state of the panel. Killed in mid-walk, it leaves a card to be searched.
"""

import base64
import random
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from nacl.public import PublicKey

from scanner.core import privacy
from scanner.frame import Frame
from scanner.looking import Watcher
from scanner.pipeline import Finder, watch
from scanner.records import Kind
from scanner.replay.standins import ConsolePanel, ScriptedDetector, ScriptedPositions
from scanner.reporting import Sealer
from scanner.sealing import seal
from scanner.storage.known import Known
from scanner.storage.outbox import Outbox
from tests.helpers import walk
from tests.helpers.walk import LENS, Mounted

STREET = [
    Mounted(5, 14, 4.0, Kind.DOME),
    Mounted(5, 16, 4.0, Kind.BULLET),
    Mounted(-4, 24, 3.5, Kind.ALPR),
    Mounted(6, 36, 5.0, Kind.PTZ),
    Mounted(-5, 52, 4.0, Kind.DOME),
]
WALK_S = 44.0


def places() -> list[tuple[float, float]]:
    """Latitude and longitude of the cameras and of the way walked."""
    found = [walk.place(m.east_m, m.north_m) for m in STREET]
    return found + [walk.place(0, n) for n in range(48)]


class Street:
    """Frames made as they are looked at: a whole walk would fill the memory."""

    def frames(self) -> Iterator[Frame]:
        """What the lens sees on the way."""
        yield from walk.frames(walk.straight_north, WALK_S, STREET)

    def close(self) -> None:
        """Nothing is held open."""


def stroll(data: Path, key: PublicKey, panel: ConsolePanel) -> Finder:
    """One walk; what the finder counted. Raises StoreError when records could not be kept."""
    finder = Finder(
        Watcher(ScriptedDetector(walk.read_colours, 320)),
        ScriptedPositions(walk.positions(walk.straight_north, start_utc_s=time.time() - 60)),
        LENS,
    )
    with closing(Outbox(data)) as store, closing(Known(data, privacy.OPEN)) as known:
        sealer = Sealer(
            store,
            lambda record: seal(record, key),
            privacy.OPEN,
            model="t",
            uniform=random.Random(1).random,
            known=known,
        )
        watch(Street(), finder, sealer, panel)
    return finder


if __name__ == "__main__":
    while True:
        stroll(
            Path(sys.argv[1]), PublicKey(base64.b64decode(sys.argv[2])), ConsolePanel(sys.stdout)
        )
