"""Labelled photographs to measure on, in YOLO form (images/, labels/) or COCO form (a .json).

The .json names the pictures from where it lies; those that are missing are left out. Beside YOLO's
labels may lie ``classes.txt`` (a class per line, those named as a kind give the kind),
``kinds.csv`` (stem, kind, x0, y0, x1, y1) and ``ignore.csv`` (stem, x0, y0, x1, y1: regions that do
not count); their numbers are shares of the picture.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.plan import KINDS
from models.sources import Source, read_labelled

NO_BOXES = np.zeros((0, 4), np.float32)
UNNAMED = "camera"
SAME_PLACE = 2e-3  # of the picture: a row of kinds.csv and a label are the same box


@dataclass(frozen=True, slots=True)
class Truth:
    """A picture of size (width, height): cameras (n, 4) in pixels, their kinds (n).

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
        return cls(path, _size(path), NO_BOXES, (), NO_BOXES)


def read_truth(folder: Path) -> list[Truth]:
    """Return the labelled pictures of a folder, in order of name."""
    kinds, ignored = _rows(folder / "kinds.csv"), _rows(folder / "ignore.csv")
    return [
        _truth(source, _classes(folder, source), kinds, ignored)
        for source in sorted(_sources(folder), key=lambda source: source.path)
    ]


def _truth(
    source: Source, classes: list[str], kinds: dict[str, list[dict[str, str]]],
    ignored: dict[str, list[dict[str, str]]],
) -> Truth:  # fmt: skip
    size = _size(source.path)
    whole = np.array(size * 2, np.float32)
    stem = source.path.stem
    sure = [number for number, label in enumerate(source.labels) if label.sure]
    unsure = [label.box for label in source.labels if not label.sure]
    skipped = [np.array(_box(row), np.float32) * whole for row in ignored.get(stem, [])]
    boxes = np.array([source.labels[n].box for n in sure], np.float32).reshape(-1, 4)
    names = []
    for number, box in zip(sure, boxes, strict=True):
        label = source.labels[number]
        fallback = KINDS[label.kind] if label.kind >= 0 else (classes or {number: UNNAMED})[number]
        names.append(_kind(box / whole, kinds.get(stem, []), fallback))
    regions = np.array([*unsure, *skipped], np.float32).reshape(-1, 4)
    return Truth(source.path, size, boxes, tuple(names), regions)


def _sources(folder: Path) -> list[Source]:
    try:
        sources = read_labelled(folder)
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise SystemExit(f"{folder}: its .json is not of COCO form: {error}") from None
    if not sources:
        raise SystemExit(f"{folder}: none of the pictures in its .json is there")
    return sources


def _classes(folder: Path, source: Source) -> list[str]:
    """Return the kinds of a picture's boxes by classes.txt; empty without it."""
    listing, file = folder / "classes.txt", folder / "labels" / f"{source.path.stem}.txt"
    if not listing.exists() or not file.exists():
        return []
    names = [line.strip().lower() for line in listing.read_text().splitlines()]
    numbers = [int(line.split()[0]) for line in file.read_text().splitlines() if line.strip()]
    if max(numbers, default=0) >= len(names):
        raise SystemExit(f"{file}: class {max(numbers)} is not in classes.txt")
    return [names[number] if names[number] in KINDS else UNNAMED for number in numbers]


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def _rows(file: Path) -> dict[str, list[dict[str, str]]]:
    rows: dict[str, list[dict[str, str]]] = {}
    if file.exists():
        with file.open(newline="") as lines:
            for row in csv.DictReader(lines):
                rows.setdefault(row["stem"], []).append(row)
    return rows


def _box(row: dict[str, str]) -> list[float]:
    return [float(row[name]) for name in ("x0", "y0", "x1", "y1")]


def _kind(box: NDArray[np.float32], rows: list[dict[str, str]], fallback: str) -> str:
    for row in rows:
        if np.abs(box - np.array(_box(row))).max() < SAME_PLACE:
            return row["kind"]
    return fallback
