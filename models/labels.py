"""Reads folders of labelled photographs, in YOLO form (.txt files) or COCO form (a .json).

YOLO: the pictures of images/ and of folders in it, each with the .txt of the same path in labels/;
without images/ those of the folder itself, without labels/ the .txt beside a picture. A line is
class, x, y, w, h or class and the corners of a polygon, as shares of the picture; all classes are
cameras. ``classes.txt`` has the name of a class per line.

COCO: every .json of that form in the folder; it names pictures from where it lies or from images/
there. Of a listing of many things only the categories that are cameras count.

A class or category named as one of KINDS has that kind. Pictures are taken upright, as their EXIF
turns them. What is not of these forms ends the program with one line that names the file.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from models.plan import KINDS
from scanner.errors import MediaError
from scanner.replay.frames import PICTURES

UNKNOWN_KIND = -1
PAST_THE_EDGE = 0.01  # of the picture: so far tools round a corner
ORIENTATION, LYING = 0x0112, range(5, 9)  # of EXIF: width and height change places
SURELY_CAMERAS = {"cctv", "surveillance", "ptz", "alpr"}
CAMERAS = {"camera", "cameras"}


@dataclass(frozen=True, slots=True)
class Label:
    """A camera in a picture: box x0, y0, x1, y1 in pixels; kind counts in KINDS, -1 if unknown.

    One that is not ``sure`` is neither wanted nor a mistake.
    """

    box: tuple[float, float, float, float]
    kind: int = UNKNOWN_KIND
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Source:
    """A picture and the cameras in it; ``name`` is what a cut-out shows."""

    path: Path
    labels: tuple[Label, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Labelled:
    """What was read of a folder; ``left_out`` pictures are missing or cannot be read (yet)."""

    folder: Path
    sources: list[Source]
    left_out: int

    @property
    def summary(self) -> str:
        """One line for people."""
        boxes = sum(len(source.labels) for source in self.sources)
        lacking = f"; {self.left_out} left out, missing or not readable" if self.left_out else ""
        return f"{self.folder}: {len(self.sources)} pictures, {boxes} boxes{lacking}"


def read_labelled(folder: Path) -> Labelled:
    """Return the pictures of a folder with their labels."""
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    listings = {file: data for file in files if (data := _listing(file)) is not None}
    if listings:
        return read_coco(folder, listings)
    found = read_yolo(folder)
    if found is None:
        other = f" and {files[0].name} is not of COCO form" if files else ""
        raise SystemExit(
            f"{folder}: no picture has a .txt in labels/ or beside it{other}; "
            "if there is no camera in them, give it as --backgrounds or --negatives"
        )
    return found


def pictures(folder: Path) -> list[Path]:
    """Return the pictures in a folder, or below its images/, in order of path."""
    if not folder.is_dir():
        raise SystemExit(f"{folder}: no such folder")
    inner = folder / "images"
    paths = inner.rglob("*") if inner.is_dir() else folder.iterdir()
    found = sorted(path for path in paths if path.suffix.lower() in PICTURES)
    if not found:
        raise SystemExit(f"{folder}: no pictures in it")
    return found


@cache
def picture_size(path: Path) -> tuple[int, int]:
    """Return width and height of an upright picture in pixels; raises MediaError."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            lies = image.getexif().get(ORIENTATION) in LYING
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise MediaError(f"{path}: not a picture that can be read") from error
    return (height, width) if lies else (width, height)


def read_yolo(folder: Path) -> Labelled | None:
    """Return a folder of YOLO form, or None if no picture of it has a label file."""
    listing = folder / "classes.txt"
    names = _text(listing).splitlines() if listing.exists() else None
    sources, left_out, files = [], 0, 0
    for path in pictures(folder):
        file = _label_file(folder, path)
        lines = [line for line in _text(file).split("\n") if line.strip()] if file.exists() else []
        files += file.exists()
        try:
            size = picture_size(path)
        except MediaError:
            left_out += 1
            continue
        sources.append(Source(path, tuple(_yolo_label(file, line, size, names) for line in lines)))
    if files and not sources:
        raise SystemExit(f"{folder}: none of its pictures can be read")
    return Labelled(folder, sources, left_out) if files else None


def _label_file(folder: Path, picture: Path) -> Path:
    images, labels = folder / "images", folder / "labels"
    if not labels.is_dir():
        return picture.with_suffix(".txt")
    return (labels / picture.relative_to(images if images.is_dir() else folder)).with_suffix(".txt")


def _text(file: Path) -> str:
    """Return a text; what is none becomes signs that no number has."""
    return file.read_text("utf-8-sig", errors="replace")


def _yolo_label(file: Path, line: str, size: tuple[int, int], names: list[str] | None) -> Label:
    try:
        number, box = _yolo_box([float(value) for value in line.split()])
    except ValueError:
        wanted = "class, x, y, w, h or class and a polygon, as shares of the picture"
        raise SystemExit(f"{file}: not a line of {wanted}: {line}") from None
    if names is not None and number >= len(names):
        raise SystemExit(f"{file}: class {number} is not in classes.txt")
    kind = UNKNOWN_KIND if names is None else _kind(names[number])
    width, height = size
    return Label((box[0] * width, box[1] * height, box[2] * width, box[3] * height), kind)


def _yolo_box(numbers: list[float]) -> tuple[int, tuple[float, float, float, float]]:
    """Return the class and the box as shares; a box may end with its score; raises ValueError."""
    number, *shares = numbers
    inside = all(-PAST_THE_EDGE <= share <= 1 + PAST_THE_EDGE for share in shares)
    if len(shares) in {4, 5}:
        x, y, w, h = shares[:4]
        box = x - w / 2, y - h / 2, x + w / 2, y + h / 2
    elif len(shares) >= 6 and len(shares) % 2 == 0:
        across, down = shares[::2], shares[1::2]
        box = min(across), min(down), max(across), max(down)
    else:
        raise ValueError
    if not inside or box[2] <= box[0] or box[3] <= box[1] or number < 0 or number % 1:
        raise ValueError
    return int(number), box


def _listing(file: Path) -> dict[str, Any] | None:
    """Return what a .json of COCO form holds, None of another."""
    try:
        data = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) and {"images", "annotations"} <= data.keys() else None


def read_coco(folder: Path, listings: Mapping[Path, dict[str, Any]]) -> Labelled:
    """Return the pictures of all listings; one that stands in two has the boxes of both."""
    found: dict[Path, dict[Label, None]] = {}
    missing = set()
    for file, data in listings.items():
        try:
            labels = _coco_labels(file, data)
            images = [(str(image["file_name"]), image["id"]) for image in data["images"]]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else f"{error}"
            raise SystemExit(f"{file}: not of COCO form: {reason}") from None
        for name, number in images:
            places = (file.parent / name, file.parent / "images" / name)
            path = next((place for place in places if place.is_file()), None)
            if path is None:
                missing.add(name)
                continue
            found.setdefault(path, {}).update(dict.fromkeys(labels.get(number, ())))
    if not found:
        raise SystemExit(f"{folder}: none of the pictures in its .json is there")
    sources = [Source(path, tuple(found[path])) for path in sorted(found)]
    return Labelled(folder, sources, len(missing))


def _coco_labels(file: Path, data: dict[str, Any]) -> dict[Any, list[Label]]:
    """Return the cameras of a listing by picture; a crowd of them is nothing to be sure of."""
    names = {entry["id"]: str(entry["name"]) for entry in data.get("categories", [])}
    cameras = {number for number, name in names.items() if _is_camera(name)}
    if len(names) > 1 and not cameras:
        listed = ", ".join(sorted(names.values())[:8])
        raise SystemExit(f"{file}: no category is a camera: {listed}; name one cctv")
    labels: dict[Any, list[Label]] = {}
    for entry in data["annotations"]:
        category = entry.get("category_id")
        if cameras and category not in cameras:
            continue
        label = Label(_coco_box(entry), _kind(names.get(category, "")), not entry.get("iscrowd"))
        labels.setdefault(entry["image_id"], []).append(label)
    return labels


def _coco_box(entry: dict[str, Any]) -> tuple[float, float, float, float]:
    """Return the box of an annotation; raises ValueError."""
    given = entry.get("bbox")
    numbers = [float(number) for number in given or ()]
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)) or min(numbers[2:]) <= 0:
        raise ValueError(f"annotation {entry.get('id')} has no bbox of x, y, w, h: {given}")
    x, y, w, h = numbers
    return x, y, x + w, y + h


def _words(name: str) -> set[str]:
    return set(re.split(r"[^a-z]+", name.lower())) - {""}


def _is_camera(category: str) -> bool:
    """Whether a category is a surveillance camera: by kind, or as public data sets name it.

    There are also bullet trains and domes of churches.
    """
    words = _words(category)
    named = bool(words & {"security", *KINDS} and words & CAMERAS)
    return bool(words & SURELY_CAMERAS) or named or (len(words) == 1 and words <= set(KINDS))


def _kind(name: str) -> int:
    """Return the place in KINDS of the one kind that a name has among its words, else -1."""
    places = [place for place, kind in enumerate(KINDS) if kind in _words(name)]
    return places[0] if len(places) == 1 else UNKNOWN_KIND
