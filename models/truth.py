"""Labelled photographs to measure on: a folder of a form that ``labels.py`` reads.

In it may lie ``kinds.csv`` (stem, kind, x0, y0, x1, y1: a kind beyond those of the labels) and
``ignore.csv`` (stem, x0, y0, x1, y1: regions that do not count); their numbers are shares of the
picture.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.labels import Source, picture_size, read_labelled
from models.plan import KINDS

NO_BOXES = np.zeros((0, 4), np.float32)
UNNAMED = "camera"
CORNERS = ("x0", "y0", "x1", "y1")
SAME_PLACE = 2e-3  # of the picture: a row of kinds.csv and a label are the same box
Row = tuple[str, NDArray[np.float32]]
Rows = dict[str, list[Row]]


@dataclass(frozen=True, slots=True)
class Truth:
    """An upright picture of size (width, height): cameras (n, 4) in pixels, their kinds (n).

    ``ignored`` are boxes (m, 4) that do not count.
    """

    path: Path
    size: tuple[int, int]
    boxes: NDArray[np.float32]
    kinds: tuple[str, ...]
    ignored: NDArray[np.float32]

    @classmethod
    def empty(cls, path: Path) -> Truth:
        """Return the truth of a picture without a camera."""
        return cls(path, picture_size(path), NO_BOXES, (), NO_BOXES)


def read_truth(folder: Path) -> list[Truth]:
    """Return the labelled pictures of a folder, in order of path; says on stderr what was read."""
    kinds, ignored = _rows(folder / "kinds.csv"), _rows(folder / "ignore.csv")
    labelled = read_labelled(folder)
    print(labelled.summary, file=sys.stderr)
    return [_truth(source, kinds, ignored) for source in labelled.sources]


def _truth(source: Source, kinds: Rows, ignored: Rows) -> Truth:
    size = picture_size(source.path)
    whole = np.array(size * 2, np.float32)
    stem = source.path.stem
    sure = [label for label in source.labels if label.sure]
    unsure = [label.box for label in source.labels if not label.sure]
    skipped = [box * whole for _, box in ignored.get(stem, [])]
    boxes = np.array([label.box for label in sure], np.float32).reshape(-1, 4)
    names = []
    for label, box in zip(sure, boxes, strict=True):
        fallback = KINDS[label.kind] if label.kind >= 0 else UNNAMED
        names.append(_kind(box / whole, kinds.get(stem, []), fallback))
    regions = np.array([*unsure, *skipped], np.float32).reshape(-1, 4)
    return Truth(source.path, size, boxes, tuple(names), regions)


def _rows(file: Path) -> Rows:
    """Return kind, or nothing, and box of each row of a .csv, by stem; none without the file."""
    rows: Rows = {}
    if not file.exists():
        return rows
    with file.open(newline="", encoding="utf-8-sig") as lines:
        for row in csv.DictReader(lines):
            try:
                box = np.array([float(row[name]) for name in CORNERS], np.float32)
                rows.setdefault(row["stem"], []).append((row.get("kind") or "", box))
            except (KeyError, TypeError, ValueError):
                wanted = ", ".join(("stem", *CORNERS))
                raise SystemExit(f"{file}: a row without {wanted}: {row}") from None
    return rows


def _kind(box: NDArray[np.float32], rows: Sequence[Row], fallback: str) -> str:
    for kind, other in rows:
        if np.abs(box - other).max() < SAME_PLACE:
            return kind
    return fallback
