"""Precision over recall as a picture: .svg written by hand, .png drawn with Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WIDTH_PX, HEIGHT_PX = 720, 620
LEFT, TOP, RIGHT, BOTTOM = 80, 30, 690, 540
FONT_PX = 15
SHARPER = 2  # the .png has so many pixels for one of these
# told apart without colour sight too: Okabe and Ito's palette, and dashes
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
DASHES = (0, 10, 4, 16, 7)
BLACK, GREY = "#222222", "#cccccc"

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Curve:
    """Recall and precision, (n) each, as the threshold falls; ``mark`` is the one in use."""

    name: str
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    mark: Point


class Canvas(Protocol):
    """What a chart is drawn with; places in pixels from the left top corner."""

    def line(self, points: Sequence[Point], colour: str, width: float, dash: int = 0) -> None:
        """Draw through the points; ``dash`` is the length of dashes, 0 for none."""

    def dot(self, at: Point, colour: str) -> None:
        """Draw a filled circle."""

    def text(self, at: Point, text: str, anchor: str, *, upwards: bool = False) -> None:
        """Write; ``at`` is the start, middle or end of the text and its vertical middle."""

    def save(self, file: Path) -> None:
        """Write the file."""


class Svg:
    """A canvas of vector graphics."""

    def __init__(self) -> None:
        size = f'viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}" font-size="{FONT_PX}"'
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">',
            f'<rect width="{WIDTH_PX}" height="{HEIGHT_PX}" fill="white"/>',
        ]

    def line(self, points: Sequence[Point], colour: str, width: float, dash: int = 0) -> None:
        """Draw through the points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashes = f' stroke-dasharray="{dash} {dash / 2:g}"' if dash else ""
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" '
            f'stroke-width="{width:g}"{dashes}/>'
        )

    def dot(self, at: Point, colour: str) -> None:
        """Draw a filled circle."""
        self._parts.append(f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="5" fill="{colour}"/>')

    def text(self, at: Point, text: str, anchor: str, *, upwards: bool = False) -> None:
        """Write."""
        x, y = at
        turned = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if upwards else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" dy="0.35em" fill="{BLACK}" text-anchor="{anchor}"'
            f"{turned}>{escape(text)}</text>"
        )

    def save(self, file: Path) -> None:
        """Write the file."""
        file.write_text("\n".join([*self._parts, "</svg>\n"]))


class Picture:
    """A canvas of pixels."""

    def __init__(self) -> None:
        self._image = Image.new("RGB", (WIDTH_PX * SHARPER, HEIGHT_PX * SHARPER), "white")
        self._pen = ImageDraw.Draw(self._image)
        self._font = ImageFont.load_default(FONT_PX * SHARPER)

    def line(self, points: Sequence[Point], colour: str, width: float, dash: int = 0) -> None:
        """Draw through the points."""
        places = np.array(points, float) * SHARPER
        thickness = round(width * SHARPER)
        if not dash:
            self._pen.line([(x, y) for x, y in places], colour, thickness, joint="curve")
            return
        steps = np.hypot(*np.diff(places, axis=0).T)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        for start in np.arange(0, along[-1], 1.5 * dash * SHARPER):
            inside = (along > start) & (along < start + dash * SHARPER)
            at = [start, *along[inside], min(start + dash * SHARPER, along[-1])]
            piece = [(np.interp(a, along, places[:, 0]), np.interp(a, along, places[:, 1]))
                     for a in at]  # fmt: skip
            self._pen.line(piece, colour, thickness, joint="curve")

    def dot(self, at: Point, colour: str) -> None:
        """Draw a filled circle."""
        x, y = at[0] * SHARPER, at[1] * SHARPER
        radius = 5 * SHARPER
        self._pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)

    def text(self, at: Point, text: str, anchor: str, *, upwards: bool = False) -> None:
        """Write."""
        x, y = round(at[0] * SHARPER), round(at[1] * SHARPER)
        if not upwards:
            place = {"start": "lm", "middle": "mm", "end": "rm"}[anchor]
            self._pen.text((x, y), text, fill=BLACK, font=self._font, anchor=place)
            return
        width, height = round(self._pen.textlength(text, font=self._font)), 2 * FONT_PX * SHARPER
        strip = Image.new("RGB", (width, height), "white")
        middle = (width / 2, height / 2)
        ImageDraw.Draw(strip).text(middle, text, fill=BLACK, font=self._font, anchor="mm")
        turned = strip.transpose(Image.Transpose.ROTATE_90)
        self._image.paste(turned, (x - turned.width // 2, y - turned.height // 2))

    def save(self, file: Path) -> None:
        """Write the file."""
        self._image.save(file)


def draw_curves(curves: Sequence[Curve], file: Path) -> None:
    """Write precision over recall of the curves to a .svg, or else to a picture."""
    canvas: Canvas = Svg() if file.suffix.lower() == ".svg" else Picture()
    for tenth in range(0, 11, 2):
        share = tenth / 10
        canvas.line([_place(share, 0), _place(share, 1)], GREY, 1)
        canvas.line([_place(0, share), _place(1, share)], GREY, 1)
        canvas.text((_place(share, 0)[0], BOTTOM + 18), f"{share:.1f}", "middle")
        canvas.text((LEFT - 10, _place(0, share)[1]), f"{share:.1f}", "end")
    canvas.line([_place(0, 1), _place(0, 0), _place(1, 0)], BLACK, 1.5)
    canvas.text(((LEFT + RIGHT) / 2, BOTTOM + 50), "recall: share of the cameras found", "middle")
    canvas.text(
        (24, (TOP + BOTTOM) / 2), "precision: share of the detections that are cameras", "middle",
        upwards=True,
    )  # fmt: skip
    for number, curve in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        dash = DASHES[number % len(DASHES)]
        if len(curve.recall) > 1:
            places = zip(curve.recall, curve.precision, strict=True)
            canvas.line([_place(*place) for place in places], colour, 2, dash)
        canvas.dot(_place(*curve.mark), colour)
        high = BOTTOM - 24 * (len(curves) - number) - 24
        canvas.line([(LEFT + 16, high), (LEFT + 66, high)], colour, 2, dash)
        canvas.text((LEFT + 76, high), curve.name, "start")
    canvas.dot((LEFT + 41, BOTTOM - 24), BLACK)
    canvas.text((LEFT + 76, BOTTOM - 24), "at the threshold in use", "start")
    canvas.save(file)


def _place(recall: float, precision: float) -> Point:
    return LEFT + recall * (RIGHT - LEFT), BOTTOM - precision * (BOTTOM - TOP)
