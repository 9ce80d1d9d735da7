"""The hub's table after a simulated month, decrypted: what an opponent with the hub's key has.

Each find goes through the device's own code: ``Sealer`` with its memory and home block decides, and
``wire`` packs. Only the sealed box is left out, and the days on which nothing is sent.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scanner.core.places import home_block
from scanner.core.privacy import COMMON_M, DAY_S, Policy
from scanner.core.wire import decode_record, encode_record
from scanner.replay.standins import MemoryStore
from scanner.reporting import Sealer
from scanner.simulated.volunteers import Month, Outing
from scanner.simulated.walks import Array
from scanner.storage.known import Known

# A Thursday on which a day, a week, 28 days and a quarter begin.
FIRST_DAY_S = 57 * 364 * DAY_S
COMPLETE_S = 20.0
Sending = Callable[[float, float, np.random.Generator], float]  # due, end of walk -> sent, s


@dataclass(frozen=True)
class Design:
    """What is sent, and when."""

    policy: Policy
    sent: Sending


@dataclass(frozen=True)
class Table:
    """One row per record. Times in seconds after the first day; ``device`` and ``walk`` are what
    the opponent wants to know."""

    place_m: Array  # (records, 2), mean of its cameras
    bucket: NDArray[np.int64]
    band: NDArray[np.int64]  # which of COMMON_M the record tells
    arrived_s: Array
    device: NDArray[np.int64]
    walk: NDArray[np.int64]
    cameras: int  # different cameras that were found, of those that were passed


def as_due(due_s: float, end_s: float, _: np.random.Generator) -> float:
    """Sent when due; without a delay, when the walk has ended."""
    return max(due_s, end_s)


def table(month: Month, design: Design, rng: np.random.Generator) -> Table:
    """Run the devices of a month and open all that they sent."""
    devices = [_Device(month, design, n, rng) for n in range(len(month.homes_m))]
    rows = [
        row
        for walk, outing in enumerate(month.outings)
        for row in devices[outing.volunteer].walk(outing, walk)
    ]
    values = np.array(rows).reshape(-1, 8)
    return Table(
        place_m=values[:, :2],
        bucket=values[:, 2].astype(int),
        band=values[:, 3].astype(int),
        arrived_s=values[:, 4],
        device=values[:, 5].astype(int),
        walk=values[:, 6].astype(int),
        cameras=int(values[:, 7].sum()),
    )


class _Device:
    def __init__(self, month: Month, design: Design, number: int, rng: np.random.Generator) -> None:
        self._origin, self._design, self._number = month.origin, design, number
        self._rng = rng
        self._known = Known(None, design.policy, uniform=rng.random, random_bytes=rng.bytes)
        if design.policy.home:
            place = month.origin.geodetic_from_enu(*month.homes_m[number])
            self._known.home = home_block(*place, salt=rng.bytes(16), uniform=rng.random())

    def walk(self, outing: Outing, number: int) -> list[tuple[float, ...]]:
        """The rows of one walk."""
        store = MemoryStore()
        sealer = Sealer(
            store,
            encode_record,
            self._design.policy,
            model="simulated",
            uniform=self._rng.random,
            known=self._known,
        )
        start_s = FIRST_DAY_S + outing.start_s
        sealer.take([], start_s, 0)
        for find in outing.finds:
            at_s = find.at_s + COMPLETE_S
            sealer.take([find.site], start_s + at_s, int(at_s * 1e9))
        sealer.take([], start_s + outing.lasts_s, int(outing.lasts_s * 1e9))
        sealer.end()
        sealer.keep()
        return [
            (*self._row(w.payload), self._sent(w.due_s, outing), self._number, number, n)
            for w in store.waiting()
            if (n := len(decode_record(w.payload).cameras))
        ]

    def _sent(self, due_s: float, outing: Outing) -> float:
        end_s = outing.start_s + outing.lasts_s
        return self._design.sent(due_s - FIRST_DAY_S, end_s, self._rng)

    def _row(self, plain: bytes) -> tuple[float, float, int, int]:
        record = decode_record(plain)
        places = [
            self._origin.enu_from_geodetic(e.lat_e7 / 1e7, e.lon_e7 / 1e7) for e in record.cameras
        ]
        east, north = np.mean(places, axis=0)
        band = COMMON_M.index(record.common_sigma_cm / 100)
        return float(east), float(north), record.bucket, band
