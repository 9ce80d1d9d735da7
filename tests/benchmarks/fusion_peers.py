"""How others bring sightings together, for comparison; each takes them in order of arrival.

Places are metres east and north. None knows that cameras of one record are different ones.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np

from scanner.core.fusing.vicinity import GATE_CHI2
from tests.benchmarks.fusion_scores import Fused

HEX_M: Final = 9.4  # edge of an H3 cell of resolution 12
RADII_M: Final = (3.0, 5.0, 8.0, 10.0, 15.0, 25.0)


class Sight(msgspec.Struct, frozen=True):
    """One sighting by itself: place and covariance, the record's own error included."""

    east: float
    north: float
    ee: float
    en: float
    nn: float


def nearest_with_gate(sights: Sequence[Sight]) -> Fused:
    """Each joins the nearest camera in sigmas within the gate, and is averaged by information."""
    cameras: list[list[float]] = []  # east, north, ee, en, nn
    cells: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    owner = []
    for s in sights:
        best, mine = GATE_CHI2, -1
        x, y = int(s.east // 40), int(s.north // 40)
        near = [i for dx in (-1, 0, 1) for dy in (-1, 0, 1) for i in cells[x + dx, y + dy]]
        for i in near:
            east, north, cee, cen, cnn = cameras[i]
            de, dn, ee, en, nn = s.east - east, s.north - north, s.ee + cee, s.en + cen, s.nn + cnn
            chi2 = (nn * de * de - 2 * en * de * dn + ee * dn * dn) / (ee * nn - en * en)
            if chi2 < best:
                best, mine = chi2, i
        if mine < 0:
            mine = len(cameras)
            cameras.append([s.east, s.north, s.ee, s.en, s.nn])
            cells[x, y].append(mine)
        else:
            cameras[mine] = _averaged(cameras[mine], s)
        owner.append(mine)
    return Fused(np.array([c[:2] for c in cameras]), tuple(owner))


def _averaged(camera: Sequence[float], s: Sight) -> list[float]:
    east, north, cee, cen, cnn = camera
    de, dn, ee, en, nn = s.east - east, s.north - north, s.ee + cee, s.en + cen, s.nn + cnn
    det = ee * nn - en * en
    pull_e, pull_n = (nn * de - en * dn) / det, (ee * dn - en * de) / det
    aee, aen = (nn * cee - en * cen) / det, (nn * cen - en * cnn) / det
    ane, ann = (ee * cen - en * cee) / det, (ee * cnn - en * cen) / det
    return [
        east + cee * pull_e + cen * pull_n,
        north + cen * pull_e + cnn * pull_n,
        cee - cee * aee - cen * ane,
        cen - cee * aen - cen * ann,
        cnn - cen * aen - cnn * ann,
    ]


def fixed_radius(radius_m: float) -> Callable[[Sequence[Sight]], Fused]:
    """Each joins the nearest camera within a radius; a camera is the mean of its sightings."""

    def fused(sights: Sequence[Sight]) -> Fused:
        sums: list[list[float]] = []
        cells: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        owner = []
        for s in sights:
            best, mine = radius_m, -1
            x, y = int(s.east // (2 * radius_m)), int(s.north // (2 * radius_m))
            for dx in (-1, 0, 1):
                for dy in (-1, 0, 1):
                    for i in cells[x + dx, y + dy]:
                        east, north, count = sums[i]
                        far = math.hypot(s.east - east / count, s.north - north / count)
                        if far < best:
                            best, mine = far, i
            if mine < 0:
                mine = len(sums)
                sums.append([0.0, 0.0, 0])
                cells[x, y].append(mine)
            sums[mine][0] += s.east
            sums[mine][1] += s.north
            sums[mine][2] += 1
            owner.append(mine)
        return _means(sights, owner)

    return fused


def hexagons(sights: Sequence[Sight]) -> Fused:
    """Each falls into its hexagon of 9.4 m; a hexagon with sightings is a camera."""
    numbers: dict[tuple[int, int], int] = {}
    owner = []
    for s in sights:
        q = (math.sqrt(3) / 3 * s.east - s.north / 3) / HEX_M
        r = 2 / 3 * s.north / HEX_M
        x, z = round(q), round(r)
        y = round(-q - r)
        dx, dy, dz = abs(x - q), abs(y + q + r), abs(z - r)
        if dx > dy and dx > dz:
            x = -y - z
        elif dz >= dy:
            z = -x - y
        owner.append(numbers.setdefault((x, z), len(numbers)))
    return _means(sights, owner)


def dbscan(eps_m: float) -> Callable[[Sequence[Sight]], Fused]:
    """Density clusters with two sightings as the least: whatever chains within ``eps_m``."""

    def fused(sights: Sequence[Sight]) -> Fused:
        parent = list(range(len(sights)))

        def root(i: int) -> int:
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            return i

        cells: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for i, s in enumerate(sights):
            x, y = int(s.east // eps_m), int(s.north // eps_m)
            for dx in (-1, 0, 1):
                for dy in (-1, 0, 1):
                    for j in cells.get((x + dx, y + dy), ()):
                        if math.hypot(s.east - sights[j].east, s.north - sights[j].north) <= eps_m:
                            parent[root(i)] = root(j)
            cells[x, y].append(i)
        numbers: dict[int, int] = {}
        return _means(sights, [numbers.setdefault(root(i), len(numbers)) for i in parent])

    return fused


def _means(sights: Sequence[Sight], owner: Sequence[int]) -> Fused:
    count = max(owner) + 1
    places = np.array([(s.east, s.north) for s in sights])
    sums = np.zeros((count, 2))
    np.add.at(sums, np.array(owner), places)
    numbers = np.bincount(owner, minlength=count)
    return Fused(sums / numbers[:, None], tuple(owner))


PEERS: Final[dict[str, Callable[[Sequence[Sight]], Fused]]] = {
    "nearest with gate": nearest_with_gate,
    "hexagon 9.4 m": hexagons,
    "DBSCAN 3 m": dbscan(3.0),
    "DBSCAN 6 m": dbscan(6.0),
    **{f"radius {radius:g} m": fixed_radius(radius) for radius in RADII_M},
}
