"""A sheet of pictures with truth (green), ignored regions (yellow) and detections (red)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from models.truth import Truth
from scanner.records import Detection

COLUMNS, CELL_PX = 8, 240
GREEN, YELLOW, RED = (0, 220, 0), (240, 220, 0), (255, 0, 0)


def draw_sheet(seen: Sequence[tuple[Truth, Sequence[Detection]]], out: Path) -> None:
    """Write the sheet; a picture's largest detections carry score and kind."""
    rows = -(-len(seen) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * CELL_PX, rows * CELL_PX), (40, 40, 40))
    for place, (truth, detections) in enumerate(seen):
        image = Image.open(truth.path).convert("RGB")
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
