"""Labelled photographs to measure on: images/, labels/, and kinds.csv and ignore.csv if present."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.sources import read_yolo

NO_BOXES = np.zeros((0, 4), np.float32)
UNNAMED = "camera"
SAME_PLACE = 2e-3  # of the picture: a row of kinds.csv and a label are the same box


@dataclass(frozen=True, slots=True)
class Truth:
    """A picture: cameras (n, 4) in pixels and their kinds (n), boxes (m, 4) that do not count."""

    path: Path
    boxes: NDArray[np.float32]
    kinds: tuple[str, ...]
    ignored: NDArray[np.float32]

    @classmethod
    def empty(cls, path: Path) -> Truth:
        """Return the truth of a picture without a camera."""
        return cls(path, NO_BOXES, (), NO_BOXES)


def read_truth(folder: Path) -> list[Truth]:
    """Return the labelled pictures of a folder, in order of name."""
    kinds, ignored = _rows(folder / "kinds.csv"), _rows(folder / "ignore.csv")
    truths = []
    for source in read_yolo(folder):
        with Image.open(source.path) as image:
            size = np.array(image.size * 2, np.float32)
        boxes = np.array([label.box for label in source.labels], np.float32).reshape(-1, 4)
        named = kinds.get(source.path.stem, [])
        skipped = [_box(row) for row in ignored.get(source.path.stem, [])]
        truths.append(
            Truth(
                source.path,
                boxes,
                tuple(_kind(box / size, named) for box in boxes),
                np.array(skipped, np.float32).reshape(-1, 4) * size,
            )
        )
    return truths


def _rows(file: Path) -> dict[str, list[dict[str, str]]]:
    rows: dict[str, list[dict[str, str]]] = {}
    if file.exists():
        with file.open(newline="") as lines:
            for row in csv.DictReader(lines):
                rows.setdefault(row["stem"], []).append(row)
    return rows


def _box(row: dict[str, str]) -> list[float]:
    return [float(row[name]) for name in ("x0", "y0", "x1", "y1")]


def _kind(box: NDArray[np.float32], rows: list[dict[str, str]]) -> str:
    for row in rows:
        if np.abs(box - np.array(_box(row))).max() < SAME_PLACE:
            return row["kind"]
    return UNNAMED
