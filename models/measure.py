"""Makes figures of what a detector saw: of everything looked at, without looking again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from models.charts import Curve
from models.figures import (
    OVERLAPS,
    Found,
    Ranking,
    Reals,
    at_threshold,
    average_precision,
    in_parts,
    interval,
    mean_average_precision,
    resamples,
)
from models.looks import EVERY_SCALE, WAYS, Look, as_arrays
from models.plan import KINDS
from models.truth import Truth

ALARMS_PER_PICTURE = (0.05, 0.1, 0.3, 1.0)
RESAMPLES, SEED = 1000, 20260601
SIDES_PX = (0, 32, 64, 128, np.inf)
WIDTHS_PERCENT = (0, 1, 3, 10, np.inf)


class Seen:
    """All looks of one model, in order; those with truth to find are ``labelled``."""

    def __init__(self, looks: Sequence[Look], labelled: str, threshold: float) -> None:
        self.looks = looks
        self.labelled = [one for one in looks if one.group == labelled]
        self.threshold = threshold

    @cached_property
    def weights(self) -> Reals:
        """Resamples of the labelled pictures, the same for every model."""
        return resamples(len(self.labelled), RESAMPLES, SEED)

    def rankings(self, way: str) -> list[Ranking]:
        """Return the rankings of the labelled pictures at each of OVERLAPS."""
        return [Ranking([one.found(way, o) for one in self.labelled]) for o in OVERLAPS]

    def figures(self, way: str) -> dict[str, Callable[[Reals], Reals]]:
        """Return what can be said of the labelled pictures under weights (r, p)."""
        rankings = self.rankings(way)
        return {
            "ap50": rankings[0].average_precision,
            "ap50_95": lambda weights: mean_average_precision(rankings, weights),
            "recall": lambda weights: rankings[0].recall(weights, self.threshold),
            "false_alarms_per_picture": lambda weights: rankings[0].alarms(weights, self.threshold),
        }


def with_interval(figure: Callable[[Reals], Reals], weights: Reals) -> dict[str, float | None]:
    """Return the plain value of a figure and the limits of 95 % of its resamples."""
    value = float(figure(np.ones_like(weights[:1]))[0])
    low, high = interval(in_parts(figure, weights))
    return {"value": rounded(value), "low": rounded(low), "high": rounded(high)}


def rounded(value: float) -> float | None:
    """Return four decimals, or nothing where there is no number, which JSON does not know."""
    return round(value, 4) if np.isfinite(value) else None


def photographs(seen: Seen) -> dict[str, Any]:
    """Return the figures of the labelled pictures."""
    found = [one.found(EVERY_SCALE) for one in seen.labelled]
    some = at_threshold(found, seen.threshold)
    ways = {
        way: {name: with_interval(f, seen.weights) for name, f in seen.figures(way).items()}
        for way in WAYS
    }
    kinds = sorted({kind for one in seen.labelled for kind in one.truth.kinds})
    return {
        "pictures": len(found),
        "cameras": some.wanted,
        "precision": rounded(some.precision),
        **ways,
        "kinds": {kind: _of_kind(seen, kind) for kind in kinds},
        "larger_side_px": _by_size(seen, SIDES_PX, "px", lambda _: 1.0),
        "share_of_width": _by_size(seen, WIDTHS_PERCENT, "%", lambda t: 100 / t.size[0]),
    }


def _of_kind(seen: Seen, kind: str) -> dict[str, Any]:
    parts, called, right = [], [], 0
    for one in seen.labelled:
        found = one.found(EVERY_SCALE)
        truth = np.array([name == kind for name in one.truth.kinds], bool)
        named = np.array([d.kind.value == kind for d in one.ways[EVERY_SCALE]], bool)
        parts.append(found.part(truth, np.ones(len(named), bool)))
        called.append(found.called(truth, named))
        right += int(((called[-1].matches >= 0) & (found.scores >= seen.threshold)).sum())
    named_ap = {"ap50_named": rounded(average_precision(called))} if kind in KINDS else {}
    return _row(parts, seen.threshold) | {"kind_right": right} | named_ap


def _row(parts: Sequence[Found], threshold: float) -> dict[str, Any]:
    some = at_threshold(parts, threshold)
    return {
        "cameras": some.wanted,
        "found": some.right,
        "recall": rounded(some.recall) if some.wanted else None,
        "ap50": rounded(average_precision(parts)) if some.wanted else None,
    }


def _by_size(
    seen: Seen, edges: Sequence[float], unit: str, factor: Callable[[Truth], float]
) -> dict[str, Any]:
    """Return a row per range of the larger side; a false alarm counts in the range of its own."""
    rows = {}
    for low, high in pairwise(edges):
        parts = []
        for one in seen.labelled:
            boxes = one.truth.boxes, as_arrays(one.ways[EVERY_SCALE])[0]
            sides = [
                (b[:, 2:] - b[:, :2]).max(axis=1, initial=0) * factor(one.truth) for b in boxes
            ]
            truth, alarms = ((side >= low) & (side < high) for side in sides)
            parts.append(one.found(EVERY_SCALE).part(truth, alarms))
        name = f">={low}" if high == np.inf else f"{low}-{high}" if low else f"<{high}"
        rows[f"{name} {unit}"] = _row(parts, seen.threshold)
    return rows


def recall_at_alarms(seen: Seen) -> dict[str, Any]:
    """Return recall where so many false alarms a picture are let through, over all pictures."""
    rows: dict[str, Any] = {"pictures": len(seen.looks)}
    for way in WAYS:
        ranking = Ranking([one.found(way) for one in seen.looks])
        rows[way] = {}
        for alarms in ALARMS_PER_PICTURE:
            recall, threshold = ranking.recall_at_alarms(alarms)
            rows[way][str(alarms)] = {"recall": rounded(recall), "threshold": rounded(threshold)}
    return rows


def without_cameras(seen: Seen, group: str) -> dict[str, Any]:
    """Return the false alarms on one folder of pictures without a camera."""
    found = [one.found(EVERY_SCALE) for one in seen.looks if one.group == group]
    ranking = Ranking(found)
    alarms = [at_threshold([one], seen.threshold).wrong for one in found]
    weights = resamples(len(found), RESAMPLES, SEED)
    return {
        "pictures": len(found),
        "false_alarms": sum(alarms),
        "pictures_with_one": sum(count > 0 for count in alarms),
        "false_alarms_per_picture": with_interval(
            lambda some: ranking.alarms(some, seen.threshold), weights
        ),
    }


def difference(seen: Seen, other: Seen) -> dict[str, Any]:
    """Return by how much the first is above the second, on the same resamples of the pictures."""
    rows: dict[str, Any] = {}
    for way in WAYS:
        ours, theirs = seen.figures(way), other.figures(way)
        rows[way] = {
            name: with_interval(_minus(ours[name], theirs[name]), seen.weights) for name in ours
        }
    return rows


def _minus(
    first: Callable[[Reals], Reals], second: Callable[[Reals], Reals]
) -> Callable[[Reals], Reals]:
    return lambda weights: first(weights) - second(weights)


def curves(seen: Seen, ways: Sequence[str], before: str = "") -> list[Curve]:
    """Return precision over recall of the labelled pictures, a curve per way."""
    found = []
    for way in ways:
        parts = [one.found(way) for one in seen.labelled]
        some = at_threshold(parts, seen.threshold)
        recall, precision = Ranking(parts).curve()
        name = f"{before}{way.replace('_', ' ')}: AP50 {average_precision(parts):.2f}"
        found.append(Curve(name, recall, precision, (some.recall, some.precision)))
    return found
