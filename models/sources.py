"""What training tiles are made of: cut-outs, rendered streets, photographs and labelled folders."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from models.plan import KINDS

PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
HELD_OUT_EVERY = 20  # of cut-outs and streets: those whose number divides by it are for validation
LEAST_VISIBLE = 0.35  # a camera of which less shows is neither wanted nor a mistake
UNKNOWN_KIND = -1


@dataclass(frozen=True, slots=True)
class Label:
    """A camera in a picture: box x0, y0, x1, y1 in pixels; kind counts in KINDS, -1 if unknown."""

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
class Sources:
    """Pictures by use. ``labelled`` are crops as they are; ``plain`` are free of cameras."""

    cameras: list[Source] = field(default_factory=list)
    lookalikes: list[Source] = field(default_factory=list)
    labelled: list[Source] = field(default_factory=list)
    plain: list[Source] = field(default_factory=list)


def find_sources(
    renders: Path,
    backgrounds: Sequence[Path] = (),
    data: Sequence[Path] = (),
    *,
    held_out: bool = False,
) -> Sources:
    """Return what lies in the folders now, without the held-out renders or only those.

    Of a folder of backgrounds every second picture is used, or the others for ``held_out``.
    """
    found = Sources()
    for source in read_index(renders, "cutouts"):
        if _is_held_out(source.path) == held_out:
            (found.cameras if source.labels else found.lookalikes).append(source)
    streets = [s for s in read_index(renders, "streets") if _is_held_out(s.path) == held_out]
    found.labelled.extend(streets)
    for folder in backgrounds:
        found.plain.extend(Source(path) for path in pictures(folder)[int(held_out) :: 2])
    for folder in data if not held_out else ():
        for source in read_labelled(folder):
            (found.labelled if source.labels else found.plain).append(source)
    if not found.cameras and not any(s.labels for s in found.labelled):
        raise SystemExit(f"{renders}: no camera to train on; see python -m models.render --help")
    return found


def _is_held_out(path: Path) -> bool:
    return int(path.stem) % HELD_OUT_EVERY == 0


def read_index(renders: Path, what: str) -> list[Source]:
    """Return the pictures that DIR/cutouts/index.jsonl or DIR/streets/index.jsonl lists."""
    if not renders.is_dir():
        raise SystemExit(f"{renders}: no such folder; see python -m models.render --help")
    index = renders / what / "index.jsonl"
    if not index.exists():
        return []
    sources = []
    for line in index.read_text().splitlines(keepends=True):
        if not line.endswith("\n"):
            break  # being written
        entry = json.loads(line)
        labels = [
            Label(
                tuple(camera["box"]),
                _kind_number(camera["kind"]),
                camera.get("visible", 1.0) >= LEAST_VISIBLE,
            )
            for camera in entry["cameras"]
        ]
        sources.append(Source(renders / entry["file"], tuple(labels), entry.get("name", "")))
    return sorted(sources, key=lambda source: source.path)


def _kind_number(name: str) -> int:
    return KINDS.index(name) if name in KINDS else UNKNOWN_KIND


def pictures(folder: Path) -> list[Path]:
    """Return the pictures in a folder, or in its images/, in order of name."""
    if not folder.is_dir():
        raise SystemExit(f"{folder}: no such folder")
    inner = folder / "images"
    found = sorted(
        path
        for path in (inner if inner.is_dir() else folder).iterdir()
        if path.suffix.lower() in PICTURES
    )
    if not found:
        raise SystemExit(f"{folder}: no pictures in it")
    return found


def read_labelled(folder: Path) -> list[Source]:
    """Return a folder in COCO form (one .json beside the pictures) or YOLO form (labels/*.txt)."""
    listings = sorted(folder.glob("*.json")) if folder.is_dir() else []
    return read_coco(listings[0]) if listings else read_yolo(folder)


def read_yolo(folder: Path) -> list[Source]:
    """Return the pictures of images/ with the boxes of labels/, whatever their class."""
    sources = []
    for path in pictures(folder):
        file = folder / "labels" / f"{path.stem}.txt"
        lines = file.read_text().split("\n") if file.exists() else []
        with Image.open(path) as image:
            width, height = image.size
        labels = []
        for line in filter(str.strip, lines):
            try:
                x, y, w, h = (float(value) for value in line.split()[1:5])
            except ValueError:
                raise SystemExit(f"{file}: not a line of class, x, y, w, h: {line}") from None
            box = ((x - w / 2) * width, (y - h / 2) * height)
            labels.append(Label((*box, box[0] + w * width, box[1] + h * height)))
        sources.append(Source(path, tuple(labels)))
    return sources


def read_coco(listing: Path) -> list[Source]:
    """Return the pictures of a COCO .json with the boxes of those categories that are cameras.

    Categories named as one of KINDS keep their kind. Of a listing of many things, as that of
    Objects365, only the surveillance cameras count. Pictures whose file is missing are left out.
    """
    data = json.loads(listing.read_text())
    names = {category["id"]: category["name"] for category in data.get("categories", [])}
    cameras = {number for number, name in names.items() if _is_camera(name)}
    if len(names) > 1 and not cameras:
        listed = ", ".join(sorted(names.values())[:8])
        raise SystemExit(f"{listing}: no category is a camera: {listed}; name one cctv")
    labels: dict[int, list[Label]] = {}
    for entry in data["annotations"]:
        if cameras and entry["category_id"] not in cameras:
            continue
        x, y, w, h = entry["bbox"]
        label = Label((x, y, x + w, y + h), _kind_number(names.get(entry["category_id"], "")))
        labels.setdefault(entry["image_id"], []).append(label)
    return [
        Source(listing.parent / image["file_name"], tuple(labels.get(image["id"], ())))
        for image in data["images"]
        if (listing.parent / image["file_name"]).exists()
    ]


def _is_camera(category: str) -> bool:
    """Whether a category is a surveillance camera: by kind, or as public data sets name it."""
    words = re.split(r"[^a-z]+", category.lower())
    return bool({"cctv", "surveillance", *KINDS} & set(words)) or words[:2] == [
        "security",
        "camera",
    ]
