"""Tracks that were broken, or that look alike -> one track for each camera.

A frame alone cannot tell two heads on one pole apart when one of them was missed: the wearer's
sway is larger than their distance. In hindsight much can be told. All cameras of a bundle are fixed
points; all directions of one frame share one sway. Points, sway and the share of each glimpse are
found in turn, the best labels for the points, then the best points for the labels (hard-assignment
expectation maximisation: A. Dempster, N. Laird and D. Rubin, J. Royal Statistical Society B 39,
1977). What stays ambiguous is left out: a place is better found from fewer glimpses than from
another camera's.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scanner.core.assignment import FORBIDDEN, assign
from scanner.core.tracks.bundle import Bundle
from scanner.core.tracks.labels import NOBODY
from scanner.records import Glimpse

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

ROUNDS: Final = 4  # of labels and points in turn; they settle within three
LIKELY_COST: Final = 10.0  # is enough for a camera that was seen too few times
ENOUGH: Final = 3  # glimpses
CERTAIN_COST: Final = 20.0  # twice the log of the odds against another camera; real tails are fat
CAMERA_COST: Final = 10.0  # squared sigmas that one more camera must explain
TOGETHER_FRAMES: Final = 4  # that show all cameras of a bundle, and
TOGETHER_SHARE: Final = 0.1  # of its frames, prove that there are so many


class Answer(NamedTuple):
    """Labels that agree with the points they gave."""

    labels: Integers
    margins: Array
    cost: float  # minus twice the log of the likelihood, up to a constant


def settle(bundle: Bundle, known: Sequence[Answer] = ()) -> Answer:
    """Points for the labels, labels for the points, until they agree; changes the bundle.

    Ends early at the labels of an answer that is known.
    """
    points = bundle.start()
    answer = Answer(bundle.labels, np.zeros(len(bundle.labels)), math.inf)
    for _ in range(ROUNDS):
        points, _ = bundle.fit(points)
        bundle.learn_errors(points)
        labels, margins, cost = bundle.relabel(points)
        if len(np.unique(labels[labels != NOBODY])) < bundle.count:
            return answer
        settled = bool(np.array_equal(labels, bundle.labels))
        bundle.labels = labels
        answer = Answer(labels, margins, cost + bundle.cost_of_misses())
        if settled or any(_are_alike(labels, other.labels) for other in known):
            break
    return answer


def untangle(tracks: Sequence[Sequence[Glimpse]]) -> list[list[Glimpse]]:
    """The glimpses of tracks that may have been mixed up, sorted: as many tracks or fewer.

    Glimpses that might nearly as well be of another of these cameras are in none. A track too many
    goes if the other cameras explain its glimpses.
    """
    bundle, answer = _best(tracks)
    while bundle.count > 1 and not _shows_all(bundle, answer):
        fewer = _best(*_without_the_least(bundle, answer))
        if fewer[1].cost > answer.cost + CAMERA_COST:
            break
        bundle, answer = fewer
    sorted_out: list[list[Glimpse]] = []
    for label in range(bundle.count):
        mine = np.flatnonzero(answer.labels == label)
        sure = mine[answer.margins[mine] >= CERTAIN_COST]
        if len(sure) < ENOUGH:
            best = mine[np.argsort(-answer.margins[mine])][:ENOUGH]
            sure = np.sort(best[answer.margins[best] >= LIKELY_COST])
        sorted_out.append([bundle.glimpses[i] for i in sure])
    return sorted_out


def _best(
    tracks: Sequence[Sequence[Glimpse]], spare: Sequence[Glimpse] = ()
) -> tuple[Bundle, Answer]:
    """The likeliest answer: as tracked, or if that is another one, from the cameras' order."""
    bundle = Bundle(tracks, spare)
    fresh = [bundle.copy(), bundle.copy()]
    results = [(bundle, settle(bundle))]
    for axis, other in enumerate(fresh):
        if other.label_in_order(axis):
            results.append((other, settle(other, [known for _, known in results])))
    results.sort(key=lambda result: result[1].cost)
    (best, answer), *others = results
    for _, other_answer in others:
        answer = doubted(answer, other_answer)
    return best, answer


def doubted(answer: Answer, other: Answer) -> Answer:
    """The answer, surer of no glimpse than one allows that gives it to another camera."""
    both = (answer.labels != NOBODY) & (other.labels != NOBODY)
    if not both.any() or not other.cost < math.inf:
        return answer
    # Each answer numbers the cameras in its own way: those are one that share the most glimpses.
    count = 1 + int(max(answer.labels.max(), other.labels.max()))
    shared = np.zeros((count, count))
    np.add.at(shared, (other.labels[both], answer.labels[both]), 1)
    number = np.array(assign((shared.max() - shared).tolist(), FORBIDDEN), dtype=np.int64)
    differs = both & (number[other.labels] != answer.labels)
    margins = np.where(
        differs, np.minimum(answer.margins, other.cost - answer.cost), answer.margins
    )
    return Answer(answer.labels, margins, answer.cost)


def _are_alike(labels: Integers, others: Integers) -> bool:
    """Whether two answers part the glimpses alike, whatever they call the cameras."""
    pairs = len(np.unique((labels + 1) * (len(labels) + 1) + others))
    return pairs == len(np.unique(labels)) == len(np.unique(others))


def _shows_all(bundle: Bundle, answer: Answer) -> bool:
    """Whether enough frames show all cameras at once: none of them can be one too many."""
    sure = bundle.frame[answer.labels != NOBODY]
    together = np.bincount(sure, minlength=bundle.frames) == bundle.count
    return int(together.sum()) >= max(TOGETHER_FRAMES, TOGETHER_SHARE * bundle.frames)


def _without_the_least(bundle: Bundle, answer: Answer) -> tuple[list[list[Glimpse]], list[Glimpse]]:
    """The cameras' glimpses without those of the camera seen least, and all the others."""
    counts = [int(np.sum(answer.labels == k)) for k in range(bundle.count)]
    least = counts.index(min(counts))
    kept: dict[int, list[Glimpse]] = {k: [] for k in range(bundle.count) if k != least}
    spare: list[Glimpse] = []
    for seen, label in zip(bundle.glimpses, answer.labels.tolist(), strict=True):
        kept.get(label, spare).append(seen)
    return list(kept.values()), spare
