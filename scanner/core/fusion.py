"""Records of many passes -> cameras.

Every record measures its cameras with one shared error, the walk's, and one error each. All
cameras of a neighbourhood and their errors form one joint Gaussian, so two cameras 3 m apart that
were once seen together stay two although a walk is off by more than that: their offset from each
other is known better than their place. Which camera of a record is which camera of the map is the
one-to-one assignment of greatest joint likelihood (J. Neira and J. D. Tardós, IEEE T-RA 17(6),
2001, with a beam in place of the full tree), "a new one" included. There is no merge radius.

The result depends on the set of records only. Records are taken in an order of their own: those
that show most cameras first, since they tell how many there are.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import numpy as np

from scanner.core.geometry import Origin
from scanner.core.vicinity import (
    GATE_CHI2,
    Floats,
    Report,
    common_m2,
    neighbourhoods,
    relative,
)
from scanner.core.wire import KIND_CODES, CameraEntry, Record
from scanner.records import Covariance, Kind

NEW_DENSITY: Final = 2e-4  # cameras not yet on the map per square metre, where one was just seen
KIND_RIGHT: Final = 0.8  # how often the detector names the right kind
BEAM: Final = 24  # assignments followed at once
UNKNOWN_M2: Final = 1e6  # variance of a place of which nothing is known
_NAMED: Final = tuple(kind for kind in KIND_CODES if kind is not Kind.UNKNOWN)


class Member(msgspec.Struct, frozen=True, order=True):
    """One camera of one record."""

    number: int
    record_id: str
    index: int


class Camera(msgspec.Struct, frozen=True, kw_only=True):
    """What the records say of one camera."""

    members: tuple[Member, ...]  # first to arrive at the front: it gives the camera its name
    kind: Kind
    kind_share: float  # probability of that kind, 0 to 1
    lat_deg: float
    lon_deg: float
    covariance: Covariance
    height_m: float | None
    first_day: int  # days since 1970
    last_day: int

    @property
    def reports(self) -> int:
        """Number of records that show it."""
        return len(self.members)

    @property
    def sigma_m(self) -> float:
        """1 sigma of the position per axis: root of the mean variance."""
        return math.sqrt((self.covariance.ee + self.covariance.nn) / 2)


class _Found:
    """One camera while its neighbourhood is being put together."""

    def __init__(self) -> None:
        self.members: list[tuple[Report, int]] = []
        self.kinds: Counter[Kind] = Counter()


def fuse(reports: Iterable[Report]) -> tuple[Camera, ...]:
    """The cameras of all reports, in order of their names.

    Independent of the order of ``reports``; each report may be given once.
    """
    cameras = [camera for group in neighbourhoods(reports) for camera in fuse_group(group)]
    return tuple(sorted(cameras, key=lambda camera: camera.members[0]))


def fuse_group(reports: Sequence[Report]) -> list[Camera]:
    """The cameras of one neighbourhood."""
    ordered = sorted(
        reports, key=lambda r: (-len(r.record.cameras), r.record.common_sigma_cm, r.record_id)
    )
    first = ordered[0].record.cameras[0]
    joint = _Joint(Origin(first.lat_e7 / 1e7, first.lon_e7 / 1e7))
    for report in ordered:
        joint.add(report)
    return [joint.camera(i) for i in range(len(joint.found))]


class _Joint:
    """Joint Gaussian over the places of all cameras of a neighbourhood, metres east and north."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.found: list[_Found] = []
        self.mean: Floats = np.zeros(0)  # (2 n): east, north of each camera
        self.covariance: Floats = np.zeros((0, 0))

    def add(self, report: Report) -> None:
        """Assign the cameras of a report and learn from them."""
        entries = report.record.cameras
        places = np.array(
            [self.origin.enu_from_geodetic(e.lat_e7 / 1e7, e.lon_e7 / 1e7) for e in entries]
        )
        noise = _noise(report.record)
        choice = self._assign(entries, places, noise)
        slots = [self._new(places[i]) if j is None else j for i, j in enumerate(choice)]
        self._learn(slots, places.ravel(), noise)
        for index, slot in enumerate(slots):
            self.found[slot].members.append((report, index))
            self.found[slot].kinds[KIND_CODES[entries[index].kind]] += 1

    def _assign(
        self, entries: Sequence[CameraEntry], places: Floats, noise: Floats
    ) -> tuple[int | None, ...]:
        """For each entry the camera it shows, None for a new one."""
        new_cost = -2 * math.log(NEW_DENSITY)
        beam: list[tuple[float, tuple[int | None, ...], float]] = [(0.0, (), 0.0)]
        for i, entry in enumerate(entries):
            options = [
                (slot, self._kind_cost(entry, slot)) for slot in self._gated(places[i], noise, i)
            ]
            grown: list[tuple[float, tuple[int | None, ...], float]] = []
            for cost, chosen, extra in beam:
                grown.append((cost + new_cost, (*chosen, None), extra + new_cost))
                for slot, kind_cost in options:
                    if slot not in chosen:
                        path = (*chosen, slot)
                        own = extra + kind_cost
                        grown.append((own + self._misfit(path, places, noise), path, own))
            beam = sorted(grown, key=lambda g: (g[0], [-1 if c is None else c for c in g[1]]))[
                :BEAM
            ]
        return beam[0][1]

    def _gated(self, place: Floats, noise: Floats, i: int) -> list[int]:
        """Cameras that a place with its noise could be, nearest first in sigmas."""
        n = len(self.found)
        if not n:
            return []
        offsets = self.mean.reshape(n, 2) - place
        blocks = self.covariance.reshape(n, 2, n, 2)[range(n), :, range(n), :]
        spread = blocks + noise[2 * i : 2 * i + 2, 2 * i : 2 * i + 2]
        chi2 = np.einsum("ni,nij,nj->n", offsets, np.linalg.inv(spread), offsets)
        near = [int(j) for j in np.argsort(chi2, kind="stable") if chi2[j] < GATE_CHI2]
        return near[:BEAM]

    def _misfit(self, path: tuple[int | None, ...], places: Floats, noise: Floats) -> float:
        """-2 ln of the joint likelihood of the places if these are the right cameras."""
        rows = np.array(
            [2 * i + k for i, slot in enumerate(path) if slot is not None for k in (0, 1)]
        )
        columns = np.array([2 * slot + k for slot in path if slot is not None for k in (0, 1)])
        offset = places.ravel()[rows] - self.mean[columns]
        spread = self.covariance[np.ix_(columns, columns)] + noise[np.ix_(rows, rows)]
        root = np.linalg.cholesky(spread)
        white = np.linalg.solve(root, offset)
        log_det = 2 * float(np.log(np.diag(root)).sum())
        return float(white @ white) + log_det + len(rows) * math.log(2 * math.pi)

    def _kind_cost(self, entry: CameraEntry, slot: int) -> float:
        """-2 ln of how much likelier the entry's kind is for this camera than for any."""
        kind = KIND_CODES[entry.kind]
        if kind is Kind.UNKNOWN:
            return 0.0
        posterior = kind_shares(self.found[slot].kinds)
        expected = sum(share * _naming(kind, true) for true, share in posterior.items())
        anyhow = sum(_naming(kind, true) for true in _NAMED) / len(_NAMED)
        return -2 * math.log(expected / anyhow)

    def _new(self, place: Floats) -> int:
        n = len(self.mean)
        covariance = np.eye(n + 2) * UNKNOWN_M2
        covariance[:n, :n] = self.covariance
        self.covariance = covariance
        self.mean = np.concatenate([self.mean, place])
        self.found.append(_Found())
        return len(self.found) - 1

    def _learn(self, slots: Sequence[int], places: Floats, noise: Floats) -> None:
        """Kalman update of all cameras by one record."""
        columns = np.array([2 * slot + k for slot in slots for k in (0, 1)])
        cross = self.covariance[:, columns]
        gain = np.linalg.solve(self.covariance[np.ix_(columns, columns)] + noise, cross.T).T
        self.mean = self.mean + gain @ (places - self.mean[columns])
        updated = self.covariance - gain @ cross.T
        self.covariance = (updated + updated.T) / 2

    def camera(self, slot: int) -> Camera:
        """What is known of one camera by now."""
        found = self.found[slot]
        lat_deg, lon_deg = self.origin.geodetic_from_enu(*self.mean[2 * slot : 2 * slot + 2])
        block = self.covariance[2 * slot : 2 * slot + 2, 2 * slot : 2 * slot + 2]
        kind, share = max(kind_shares(found.kinds).items(), key=lambda item: item[1])
        named = any(k is not Kind.UNKNOWN for k in found.kinds)
        days = [r.record.bucket * r.record.bucket_days for r, _ in found.members]
        return Camera(
            members=tuple(sorted(Member(r.number, r.record_id, i) for r, i in found.members)),
            kind=kind if named else Kind.UNKNOWN,
            kind_share=round(share, 6),
            lat_deg=float(lat_deg),
            lon_deg=float(lon_deg),
            covariance=Covariance(float(block[0, 0]), float(block[0, 1]), float(block[1, 1])),
            height_m=_height_m([r.record.cameras[i] for r, i in found.members]),
            first_day=min(days),
            last_day=max(days),
        )


def kind_shares(seen: Counter[Kind]) -> dict[Kind, float]:
    """Probability of each kind after it was named so many times; all alike before."""
    logs = {
        true: sum(n * math.log(_naming(kind, true)) for kind, n in sorted(seen.items()))
        for true in _NAMED
    }
    top = max(logs.values())
    weights = {kind: math.exp(value - top) for kind, value in logs.items()}
    total = sum(weights.values())
    return {kind: weight / total for kind, weight in weights.items()}


def _naming(named: Kind, true: Kind) -> float:
    """How likely the detector calls a camera of kind ``true`` ``named``."""
    if named is Kind.UNKNOWN:
        return 1.0
    return KIND_RIGHT if named is true else (1 - KIND_RIGHT) / (len(_NAMED) - 1)


def _height_m(entries: Sequence[CameraEntry]) -> float | None:
    """Median of the heights known: one pass with a wrong pitch must not move it."""
    heights = sorted(e.height_dm for e in entries if e.height_dm is not None)
    if not heights:
        return None
    n = len(heights)
    return (heights[n // 2] + heights[(n - 1) // 2]) / 20


def _noise(record: Record) -> Floats:
    """Covariance of all places of a record, (2 m, 2 m): each one's own and the shared part."""
    size = len(record.cameras)
    noise = np.tile(np.eye(2) * common_m2(record), (size, size))
    for i, entry in enumerate(record.cameras):
        noise[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] += relative(entry)
    return noise
