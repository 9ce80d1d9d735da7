"""Which glimpse of a frame is of which camera, for all frames at once.

Each frame has a sway of its own, shared by its glimpses, so they are labelled together: every
one-to-one answer is weighed by its likelihood with the sway integrated out.
"""

import functools
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

NOBODY: Final = -1
CLUTTER_COST: Final = 25.0  # squared sigmas from which a glimpse is of no camera at all
MOST_ANSWERS: Final = 500  # for one frame; where there are more, the glimpses go one by one


def label_frames(
    frame: Integers, off: Array, extra: Array, own2: Array, sway2: Array
) -> tuple[Integers, Array, float]:
    """Labels (n,), margins (n,) and the cost of all: minus twice the log of the likelihood.

    ``frame`` (n,) rises; ``off`` (2, n, k) is bearing and elevation seen less expected, degrees;
    ``extra`` (n, k) further costs; ``own2`` (n,) and ``sway2`` (2, n) variances, square degrees. A
    margin is what the best answer costs more in which the glimpse is of another camera.
    """
    labels, margins = np.full(len(frame), NOBODY), np.full(len(frame), math.inf)
    cameras, total = off.shape[2], 0.0
    starts = np.flatnonzero(np.concatenate([[True], frame[1:] != frame[:-1]]))
    counts = np.concatenate([starts[1:], [len(frame)]]) - starts
    for size in np.unique(counts).tolist():
        rows = starts[counts == size][:, None] + np.arange(size)  # (f, size)
        if _number(size, cameras) > MOST_ANSWERS:
            rows = rows.reshape(-1, 1)  # the sway is not shared then, which only costs certainty
        answers = _answers(rows.shape[1], cameras)  # (m, size)
        own, shared = own2[rows].mean(axis=1), sway2[:, rows[:, 0]]
        costs = _costs(answers, off[:, rows], extra[rows], own, shared)
        best = np.argmin(costs, axis=1)
        least = costs[np.arange(len(rows)), best]
        chosen = answers[best]  # (f, size)
        labels[rows] = chosen
        other = (answers[None] != chosen[:, None]) & (answers[None] != NOBODY)  # (f, m, size)
        margins[rows] = np.where(other, costs[:, :, None], math.inf).min(axis=1) - least[:, None]
        total += float(least.sum())
    return labels, margins, total


def _costs(answers: Integers, off: Array, extra: Array, own2: Array, sway2: Array) -> Array:
    """(f, m): the cost of each answer for each frame; ``off`` (2, f, s, k), ``extra`` (f, s, k)."""
    size = answers.shape[1]
    taken = answers != NOBODY  # (m, s)
    count = taken.sum(axis=1)  # (m,)
    slots = np.arange(size)
    costs: Array = (extra[:, slots, answers] * taken).sum(axis=2)
    costs += CLUTTER_COST * (size - count)
    some = np.maximum(count, 1)
    for values, shared2 in zip(off, sway2, strict=True):
        picked = values[:, slots, answers] * taken  # (f, m, s)
        total = picked.sum(axis=2)
        spread = (picked**2).sum(axis=2) - total**2 / some
        joint = own2[:, None] / some + shared2[:, None]
        costs += spread / own2[:, None] + (total / some) ** 2 / joint
        costs += (some - 1) * np.log(own2)[:, None] + (count > 0) * np.log(some * joint)
    return costs


@functools.cache
def _answers(size: int, cameras: int) -> Integers:
    """(m, size): every way to give each glimpse a camera of its own or none."""
    ways: list[tuple[int, ...]] = [()]
    for _ in range(size):
        ways = [
            (*way, camera)
            for way in ways
            for camera in (*range(cameras), NOBODY)
            if camera == NOBODY or camera not in way
        ]
    return np.array(ways, dtype=np.int64)


@functools.cache
def _number(size: int, cameras: int) -> int:
    """How many answers there are."""
    return sum(math.comb(size, n) * math.perm(cameras, n) for n in range(min(size, cameras) + 1))
