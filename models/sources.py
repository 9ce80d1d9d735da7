"""What training tiles are made of: cut-outs, rendered streets, photographs and labelled folders."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.labels import UNKNOWN_KIND, Label, Source, pictures, read_labelled
from models.plan import KINDS

HELD_OUT_EVERY = 20  # of cut-outs and streets: those whose number divides by it are for validation
LEAST_VISIBLE = 0.35  # a camera of which less shows is neither wanted nor a mistake


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

    Of a folder of backgrounds half is used, by ``is_left_out``, or the other half for ``held_out``.
    """
    found = Sources()
    for source in read_index(renders, "cutouts"):
        if _is_held_out(source.path) == held_out:
            (found.cameras if source.labels else found.lookalikes).append(source)
    streets = [s for s in read_index(renders, "streets") if _is_held_out(s.path) == held_out]
    found.labelled.extend(streets)
    for folder in backgrounds:
        chosen = [path for path in pictures(folder) if is_left_out(path) == held_out]
        found.plain.extend(Source(path) for path in chosen)
    for folder in data if not held_out else ():
        for source in read_labelled(folder).sources:
            (found.labelled if source.labels else found.plain).append(source)
    if not found.cameras and not any(s.labels for s in found.labelled):
        raise SystemExit(f"{renders}: no camera to train on; see python -m models.render --help")
    return found


def is_left_out(background: Path) -> bool:
    """Whether a background is kept for measuring: by its name, so that others may come and go."""
    return zlib.crc32(background.name.encode()) % 2 == 1


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
