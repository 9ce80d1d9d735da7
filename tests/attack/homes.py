"""Where do the volunteers live? As many guesses as there are volunteers, judged at 200 m.

Two finders, and the better one counts: the peaks of a density of records, and a logistic model on
densities at several scales, learned in other towns. The second knows the cameras of the town and
the public grid of the home blocks, so that it can look for the holes that those leave.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from scanner.core.geometry import Origin
from scanner.core.places import BLOCK_CELL_M, cell_of
from scanner.simulated.volunteers import Month, Town
from scanner.simulated.walks import Array
from tests.attack.table import Table

STEP_M = 50.0
WIDTHS_M = (75.0, 150.0, 300.0, 600.0, 1200.0)
APART_M = (150.0, 250.0, 400.0, 600.0)  # between guesses
NEAR_M = 200.0
ROUNDS = 12
RIDGE = 3.0


@dataclass(frozen=True)
class Scene:
    """A town with its table."""

    town: Town
    month: Month
    table: Table


def found(train: list[Scene], test: list[Scene]) -> float:
    """Share of the homes in the towns of ``test`` that lie within 200 m of a guess."""
    return max(_by_density(train, test), _by_model(train, test))


def chance(scenes: list[Scene], rng: np.random.Generator) -> float:
    """The same for guesses at random, where people can live, not too near to one another."""
    shares = []
    for scene in scenes:
        places = _places(scene.town)
        margin = scene.town.margin_m
        inner = ((places >= margin) & (places <= scene.town.side_m - margin)).all(axis=1)
        for _ in range(20):
            values = np.where(inner, rng.random(len(places)), -1.0)
            shares.append(_share(scene, values, 2 * NEAR_M))
    return float(np.mean(shares))


def _by_density(train: list[Scene], test: list[Scene]) -> float:
    def shares(scenes: list[Scene], width_m: float, apart_m: float) -> float:
        densities = [_blur(_count(s.town, s.table.place_m), width_m).ravel() for s in scenes]
        return float(
            np.mean([_share(s, d, apart_m) for s, d in zip(scenes, densities, strict=True)])
        )

    tried = [(w, a) for w in WIDTHS_M for a in APART_M[1:3]]
    return shares(test, *max(tried, key=lambda t: shares(train, *t)))


def _by_model(train: list[Scene], test: list[Scene]) -> float:
    features = np.concatenate([_features(s) for s in train])
    near = np.concatenate([_distance_to_homes(s) < NEAR_M for s in train]).astype(float)
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-9

    def design(values: Array) -> Array:
        scaled = (values - mean) / spread
        return np.column_stack([np.ones(len(scaled)), scaled, scaled**2])

    weights = _logistic(design(features), near)
    ratings = [design(_features(s)) @ weights for s in train]
    apart_m = max(
        APART_M,
        key=lambda a: np.mean([_share(s, r, a) for s, r in zip(train, ratings, strict=True)]),
    )
    return float(np.mean([_share(s, design(_features(s)) @ weights, apart_m) for s in test]))


def _logistic(x: Array, y: Array) -> Array:
    """Weights of a logistic regression with a ridge, by Newton's method."""
    weights = np.zeros(x.shape[1])
    for _ in range(ROUNDS):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (y - p) - RIDGE * weights
        bend = (x * (p * (1 - p))[:, None]).T @ x + RIDGE * np.eye(len(weights))
        weights = weights + np.linalg.solve(bend, slope)
    return weights


def _features(scene: Scene) -> Array:
    """Per place: densities of records and of cameras, and how empty the grid's blocks are."""
    columns = []
    records = _count(scene.town, scene.table.place_m)
    cameras = _count(scene.town, scene.month.cameras_m)
    for width_m in WIDTHS_M:
        columns.append(np.log(_blur(records, width_m) + 1e-3))
        columns.append(np.log(_blur(cameras, width_m) + 1e-3))
    cells = _cells(scene.town, scene.month.origin)
    ratio = np.bincount(cells, records.ravel()) / (np.bincount(cells, cameras.ravel()) + 3)
    grid = ratio[cells].reshape(records.shape)
    step = round(BLOCK_CELL_M / STEP_M)
    padded = np.pad(grid, step, mode="edge")
    blocks = []
    for east in (-step, step):
        for north in (-step, step):
            sides = [
                padded[step + e : step + e + len(grid), step + n : step + n + len(grid)]
                for e, n in ((east, 0), (0, north), (east, north))
            ]
            blocks.append((grid + sum(sides)) / 4)
    columns += [grid, np.min(blocks, axis=0), np.max(blocks, axis=0)]
    return np.column_stack([c.ravel() for c in columns])


@lru_cache(maxsize=8)
def _places(town: Town) -> Array:
    line = np.arange(0, town.side_m + STEP_M / 2, STEP_M)
    return np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)


@lru_cache(maxsize=8)
def _cells(town: Town, origin: Origin) -> NDArray[np.int64]:
    """Number of the home grid's cell for each place."""
    names = [cell_of(*origin.geodetic_from_enu(e, n), BLOCK_CELL_M) for e, n in _places(town)]
    return np.unique(names, axis=0, return_inverse=True)[1].ravel()


def _count(town: Town, places_m: Array) -> Array:
    size = round(town.side_m / STEP_M) + 1
    index = np.clip(np.rint(places_m / STEP_M).astype(int), 0, size - 1)
    flat = np.bincount(index[:, 0] * size + index[:, 1], minlength=size * size)
    return flat.reshape(size, size).astype(float)


def _blur(counts: Array, width_m: float) -> Array:
    """Gaussian mean, corrected for the part that lies outside the town."""
    line = np.arange(len(counts)) * STEP_M
    kernel = np.exp(-((line[:, None] - line) ** 2) / (2 * width_m**2))
    kernel /= kernel.sum(axis=1, keepdims=True)
    return kernel @ counts @ kernel.T


def _distance_to_homes(scene: Scene) -> Array:
    places = _places(scene.town)
    return np.hypot(*(places[:, None] - scene.month.homes_m).T).min(axis=0)


def _share(scene: Scene, ratings: Array, apart_m: float) -> float:
    """Share of homes near the best-rated places, one guess per volunteer."""
    places = _places(scene.town)
    left = ratings.copy()
    near = np.zeros(len(scene.month.homes_m), bool)
    for _ in scene.month.homes_m:
        guess = places[int(np.argmax(left))]
        left[np.hypot(*(places - guess).T) < apart_m] = -np.inf
        near |= np.hypot(*(scene.month.homes_m - guess).T) <= NEAR_M
    return float(near.mean())
