"""Sheets to look at: pictures with truth (green), ignored regions (yellow) and detections (red).

And the worst of them: crops of the cameras that were missed and of what was taken for a camera.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from models.figures import FALSE_ALARM
from models.looks import EVERY_SCALE, Look
from models.truth import Truth
from scanner.records import Box, Detection
from scanner.replay.frames import read_picture

COLUMNS, CELL_PX = 8, 240
CAPTION_PX, LETTER_PX, HEADING_PX = 40, 14, 34
CROP_SIDES = 3.0  # a crop shows so many times the larger side of its box
LEAST_CROP_PX = 64
MOST = 24  # of misses and of false alarms
GREEN, YELLOW, RED = (0, 220, 0), (240, 220, 0), (255, 0, 0)
DARK, WHITE = (40, 40, 40), (255, 255, 255)


def draw_sheet(seen: Sequence[tuple[Truth, Sequence[Detection]]], out: Path) -> None:
    """Write the sheet; a picture's largest detections carry score and kind."""
    rows = -(-len(seen) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * CELL_PX, rows * CELL_PX), DARK)
    for place, (truth, detections) in enumerate(seen):
        image = Image.fromarray(read_picture(truth.path))
        factor = CELL_PX / max(image.size)
        image.thumbnail((CELL_PX, CELL_PX))
        pen = ImageDraw.Draw(image)
        for boxes, colour in ((truth.boxes, GREEN), (truth.ignored, YELLOW)):
            for box in boxes:
                pen.rectangle([float(value) for value in box * factor], outline=colour, width=2)
        for detection in detections:
            box = detection.box
            corners = np.array([box.x0, box.y0, box.x1, box.y1]) * factor
            pen.rectangle([float(value) for value in corners], outline=RED)
            text = f"{detection.score:.2f} {detection.kind.value}"
            pen.text((float(corners[0]), float(corners[3])), text, fill=RED)
        sheet.paste(image, (place % COLUMNS * CELL_PX, place // COLUMNS * CELL_PX))
    sheet.save(out)


@dataclass(frozen=True, slots=True)
class Mistake:
    """A camera missed or a false alarm: its picture, box, score and what it is or was called."""

    path: Path
    box: Box
    score: float
    kind: str

    @property
    def caption(self) -> str:
        """Two lines: folder and picture; kind, score and size in pixels of the picture."""
        folder = self.path.parent.parent if self.path.parent.name == "images" else self.path.parent
        size = f"{self.box.width_px:.0f} x {self.box.height_px:.0f} px"
        return f"{folder.name}/{self.path.name}\n{self.kind} {self.score:.2f}, {size}"


def misses(looks: Sequence[Look], threshold: float) -> list[Mistake]:
    """Return the cameras that no detection of ``threshold`` found, those of lowest score first.

    The score is that of the detection below the threshold that would have found it, else 0.
    """
    found = []
    for look in looks:
        result = look.found(EVERY_SCALE)
        scores = dict(zip(result.matches.tolist(), result.scores.tolist(), strict=True))
        for number, (box, kind) in enumerate(zip(look.truth.boxes, look.truth.kinds, strict=True)):
            score = scores.get(number, 0.0)
            if score < threshold:
                sides = Box(*(float(value) for value in box))
                found.append(Mistake(look.truth.path, sides, score, kind))
    return sorted(found, key=lambda mistake: mistake.score)


def false_alarms(looks: Sequence[Look], threshold: float) -> list[Mistake]:
    """Return what was taken for a camera, the highest score first."""
    found = []
    for look in looks:
        matches = look.found(EVERY_SCALE).matches
        for detection, match in zip(look.ways[EVERY_SCALE], matches, strict=True):
            if match == FALSE_ALARM and detection.score >= threshold:
                kind = detection.kind.value
                found.append(Mistake(look.truth.path, detection.box, detection.score, kind))
    return sorted(found, key=lambda mistake: -mistake.score)


def draw_worst(looks: Sequence[Look], threshold: float, out: Path) -> None:
    """Write crops of the worst misses and false alarms, each with its caption."""
    parts = [
        ("missed", misses(looks, threshold), GREEN),
        ("taken for a camera", false_alarms(looks, threshold), RED),
    ]
    height_px = CELL_PX + CAPTION_PX
    rows = [max(1, -(-min(len(mistakes), MOST) // COLUMNS)) for _, mistakes, _ in parts]
    size = COLUMNS * CELL_PX, sum(rows) * height_px + len(parts) * HEADING_PX
    sheet, top = Image.new("RGB", size, DARK), 0
    pen = ImageDraw.Draw(sheet)
    heading, letters = (ImageFont.load_default(px) for px in (LETTER_PX + 6, LETTER_PX))
    for (name, mistakes, colour), count in zip(parts, rows, strict=True):
        text = f"{name} at {threshold:g}: {len(mistakes)}, the worst {min(len(mistakes), MOST)}"
        pen.text((8, top + 4), text, fill=WHITE, font=heading)
        for place, mistake in enumerate(mistakes[:MOST]):
            x = place % COLUMNS * CELL_PX
            y = top + HEADING_PX + place // COLUMNS * height_px
            sheet.paste(_crop(mistake, colour), (x, y))
            lines = _lines(mistake.caption, letters)
            pen.multiline_text((x + 4, y + CELL_PX), "\n".join(lines), fill=WHITE, font=letters)
        top += HEADING_PX + count * height_px
    sheet.save(out)


def _lines(caption: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> Iterator[str]:
    """Yield the lines, each cut at the cell's width."""
    for line in caption.splitlines():
        text = line
        while font.getlength(text) > CELL_PX - 8:
            text = text[:-1]
        yield text


def _crop(mistake: Mistake, colour: tuple[int, int, int]) -> Image.Image:
    """Return the surroundings of a box as a square of CELL_PX, black outside of the picture."""
    image = Image.fromarray(read_picture(mistake.path))
    box = mistake.box
    side = max(box.width_px * CROP_SIDES, box.height_px * CROP_SIDES, LEAST_CROP_PX)
    x, y = box.centre_px
    left, top = x - side / 2, y - side / 2
    frame = (round(left), round(top), round(left + side), round(top + side))
    crop = image.crop(frame).resize((CELL_PX - 4, CELL_PX - 4), Image.Resampling.BICUBIC)
    factor = crop.width / side
    corners = [(box.x0 - left), (box.y0 - top), (box.x1 - left), (box.y1 - top)]
    ImageDraw.Draw(crop).rectangle([value * factor for value in corners], outline=colour, width=2)
    return crop
