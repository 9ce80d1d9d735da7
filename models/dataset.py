"""Training tiles composed on the fly from backgrounds and cut-outs.

Tile n depends on the seed, on n and on the pictures found, not on the tiles before it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.backdrops import backdrop
from models.details import draw_details
from models.labels import Label, Source
from models.pasting import Piece, make_piece
from models.photometry import Generator, degrade, recolour
from models.sources import Sources
from scanner.errors import MediaError
from scanner.replay.frames import read_picture

HEAD_PX = (8.0, 170.0)  # larger side of a camera, log-uniform, on a tile of 320
LOOKALIKE_PX = (12.0, 260.0)
CROP_PX = (170.0, 1400.0)  # side of the part of a background that becomes a tile, log-uniform
LEAST_IN_TILE = 0.5  # of a box; less is neither wanted nor a mistake
MOST_COVERED = 0.5
SMALLEST_PX = 5.0
PADDED = 0.1  # share of tiles that reach past the picture
PADDING_GREY = 114  # as in scanner.looking
NO_CAMERA = 0.38  # share of tiles without a pasted camera
LOOKALIKES = (0.3, 0.3, 0.22, 0.18)  # share of tiles with none, one, two, three of them
DETAILS = 0.35  # share of tiles with holes, bolts or the like


@dataclass(slots=True)
class Tile:
    """Pixels (S, S, 3), wanted boxes (n, 4) with kinds (n), and boxes (m, 4) that do not count."""

    pixels: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    kinds: NDArray[np.int64]
    ignored: NDArray[np.float32]


@dataclass(slots=True)
class Canvas:
    """A tile while it is composed."""

    pixels: NDArray[np.float32]
    labels: list[Label] = field(default_factory=list)
    ignored: list[tuple[float, ...]] = field(default_factory=list)


@lru_cache(maxsize=6000)
def load_cutout(path: Path) -> Image.Image:
    """Return a cut-out as RGBA."""
    return Image.open(path).convert("RGBA")


@lru_cache(maxsize=400)
def load_picture(path: Path) -> Image.Image:
    """Return a street or background as RGB, upright; raises MediaError."""
    return Image.fromarray(read_picture(path))


def log_uniform(rng: Generator, least: float, most: float) -> float:
    """Return a size between the two, each doubling equally likely."""
    return float(np.exp(rng.uniform(np.log(least), np.log(most))))


class Composer:
    """Composes tiles of ``side`` pixels; give new ``sources`` at any time."""

    def __init__(self, sources: Sources, side: int, seed: int) -> None:
        self.sources, self.side, self.seed = sources, side, seed
        self.unread: set[Path] = set()

    def tile(self, number: int) -> Tile:
        """Return tile ``number``."""
        rng = np.random.default_rng([self.seed, number])
        canvas = self._background(rng)
        while rng.random() < DETAILS:
            draw_details(rng, canvas.pixels)
        for _ in range(int(rng.choice(4, p=LOOKALIKES))):
            self._paste(rng, canvas, self.sources.lookalikes, LOOKALIKE_PX)
        if rng.random() > NO_CAMERA:
            for _ in range(int(rng.choice((1, 2, 3, 4), p=(0.55, 0.25, 0.12, 0.08)))):
                self._paste(rng, canvas, self.sources.cameras, HEAD_PX)
        if rng.random() < 0.15:
            self._occlude(rng, canvas)
        pixels = degrade(rng, np.clip(canvas.pixels, 0, 255).astype(np.uint8))
        if rng.random() < PADDED:
            self._pad(rng, pixels, canvas)
        return self._finish(pixels, canvas)

    def _background(self, rng: Generator) -> Canvas:
        """Return a crop of a labelled picture, of a plain one, or something drawn.

        A picture that cannot be read, as when it is being copied in, is named once on stderr and
        tried again each time that it is drawn from the pool.
        """
        labelled, plain = self.sources.labelled, self.sources.plain
        chances = np.array([0.4 * bool(labelled), 0.4 * bool(plain), 0.2])
        choice = rng.choice(3, p=chances / chances.sum())
        if choice == 2:
            return Canvas(backdrop(rng, self.side).astype(np.float32))
        pool = labelled if choice == 0 else plain
        source = pool[rng.integers(len(pool))]
        try:
            return self._crop(rng, source)
        except MediaError as error:
            if source.path not in self.unread:
                self.unread.add(source.path)
                print(f"{error}; drawn backgrounds in its place", file=sys.stderr)
            return Canvas(backdrop(rng, self.side).astype(np.float32))

    def _crop(self, rng: Generator, source: Source) -> Canvas:
        """Return a random part of a picture as a tile, cameras often in view."""
        image = load_picture(source.path)
        most = min(image.size)
        side = min(log_uniform(rng, *CROP_PX) * self.side / 320, most)
        x, y = (rng.uniform(0, length - side) for length in image.size)
        if source.labels and rng.random() < 0.6:  # around a camera, of a size it can be seen at
            x0, y0, x1, y1 = source.labels[rng.integers(len(source.labels))].box
            wanted = max(x1 - x0, y1 - y0, 4) * self.side / log_uniform(rng, 10, 100)
            side = float(np.clip(wanted, 100, most))
            x, y = (
                float(np.clip((low + high) / 2 - side * rng.uniform(0.1, 0.9), 0, length - side))
                for low, high, length in ((x0, x1, image.width), (y0, y1, image.height))
            )
        part = image.resize(
            (self.side, self.side), Image.Resampling.BILINEAR, (x, y, x + side, y + side),
            reducing_gap=2.0,
        )  # fmt: skip
        pixels, factor = np.asarray(part), self.side / side
        canvas = Canvas(pixels.astype(np.float32))
        flip = rng.random() < 0.5
        if flip:
            canvas.pixels = np.ascontiguousarray(canvas.pixels[:, ::-1])
        if rng.random() < 0.5:
            changed = recolour(rng, canvas.pixels.astype(np.uint8))
            canvas.pixels = changed.astype(np.float32)
        for label in source.labels:
            x0, y0, x1, y1 = label.box
            left, right = (x0 - x) * factor, (x1 - x) * factor
            if flip:
                left, right = self.side - right, self.side - left
            self._label(canvas, (left, (y0 - y) * factor, right, (y1 - y) * factor), label)
        return canvas

    def _label(self, canvas: Canvas, box: tuple[float, ...], label: Label) -> None:
        """Add a box to those wanted or those that do not count; outside of the tile, to neither."""
        corners = np.array(box)
        inside = np.clip(corners, 0, self.side)
        share = _area(inside) / max(_area(corners), 1e-6)
        clipped = tuple(float(value) for value in inside)
        large = max(inside[2] - inside[0], inside[3] - inside[1]) >= SMALLEST_PX
        if label.sure and share >= LEAST_IN_TILE and large:
            canvas.labels.append(Label(clipped, label.kind))
        elif share > 0:
            canvas.ignored.append(clipped)

    def _paste(
        self, rng: Generator, canvas: Canvas, pool: list[Source], sizes: tuple[float, float]
    ) -> None:
        if not pool:
            return
        source = pool[rng.integers(len(pool))]
        size = log_uniform(rng, *sizes) * self.side / 320
        piece = make_piece(rng, load_cutout(source.path), source.labels, size)
        middle = np.array([piece.opacity.shape[1] / 2, piece.opacity.shape[0] / 2])
        if len(piece.boxes):
            box = piece.boxes[rng.integers(len(piece.boxes))]
            middle = (box[:2] + box[2:]) / 2
        x, y = (int(value) for value in rng.uniform(0, self.side, 2) - middle)
        self._blend(rng, canvas, piece, x, y)
        for box, label in zip(piece.boxes, source.labels, strict=True):
            placed = (box[0] + x, box[1] + y, box[2] + x, box[3] + y)
            self._label(canvas, tuple(float(value) for value in placed), label)

    def _blend(self, rng: Generator, canvas: Canvas, piece: Piece, x: int, y: int) -> None:
        """Draw the piece with its upper left corner at x, y; what it covers is no longer wanted."""
        height, width = piece.opacity.shape
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + width, self.side), min(y + height, self.side)
        if x1 <= x0 or y1 <= y0:
            return
        opacity = piece.opacity[y0 - y : y1 - y, x0 - x : x1 - x]
        colours = piece.colours[y0 - y : y1 - y, x0 - x : x1 - x]
        if rng.random() < 0.3:
            self._shadow(rng, canvas, opacity, x0, y0)
        below = canvas.pixels[y0:y1, x0:x1]
        if rng.random() < 0.6 and opacity.sum() > 4:  # as bright as what is around it
            weight = opacity[..., None]
            here, mine = below.mean(), float((colours * weight).sum() / weight.sum() / 3)
            colours = colours * np.clip((here / max(mine, 8)) ** rng.uniform(0, 0.7), 0.3, 2.5)
        below += (colours - below) * opacity[..., None]
        cover = np.zeros((self.side, self.side), np.float32)
        cover[y0:y1, x0:x1] = opacity
        self._cover(canvas, cover)

    def _shadow(
        self, rng: Generator, canvas: Canvas, opacity: NDArray[np.float32], x: int, y: int
    ) -> None:
        across, down = (int(value) for value in rng.normal(0, 0.15, 2) * max(opacity.shape))
        x, y = max(x + across, 0), max(y + down, 0)
        below = canvas.pixels[y : y + opacity.shape[0], x : x + opacity.shape[1]]
        part = opacity[: below.shape[0], : below.shape[1], None]
        below *= 1 - part * np.float32(rng.uniform(0.1, 0.6))

    def _occlude(self, rng: Generator, canvas: Canvas) -> None:
        """Draw a pole or leaves over the tile."""
        rows, columns = np.indices((self.side, self.side), dtype=np.float32)
        cover = np.zeros((self.side, self.side), np.float32)
        if rng.random() < 0.5:
            slope, width = rng.normal(0, 0.2), log_uniform(rng, 2, 24)
            away = np.abs(columns - rng.uniform(0, self.side) - slope * rows)
            cover[away < width / 2] = 1
        else:
            middle = rng.uniform(0, self.side, 2)
            for _ in range(int(rng.integers(5, 30))):
                x, y = middle + rng.normal(0, 30, 2)
                reach = rng.uniform(2, 9)
                cover[((columns - x) / reach) ** 2 + ((rows - y) / (reach / 2)) ** 2 < 1] = 1
        colour = rng.uniform(10, 140, 3) * np.array([0.9, 1, 0.7])
        canvas.pixels += (colour.astype(np.float32) - canvas.pixels) * cover[..., None]
        self._cover(canvas, cover)

    def _pad(self, rng: Generator, pixels: NDArray[np.uint8], canvas: Canvas) -> None:
        """Grey out the lower or right part, as in a tile that reaches past the picture."""
        cover = np.zeros((self.side, self.side), np.float32)
        start = int(self.side * rng.uniform(0.5, 0.95))
        part = np.s_[start:] if rng.random() < 0.5 else np.s_[:, start:]
        pixels[part], cover[part] = PADDING_GREY, 1
        self._cover(canvas, cover)

    def _cover(self, canvas: Canvas, cover: NDArray[np.float32]) -> None:
        """Stop wanting cameras that are mostly under ``cover`` (S, S), 0..1."""
        kept = []
        for label in canvas.labels:
            x0, y0, x1, y1 = (int(value) for value in label.box)
            under = cover[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
            if under.size and under.mean() > MOST_COVERED:
                canvas.ignored.append(label.box)
            else:
                kept.append(label)
        canvas.labels = kept

    @staticmethod
    def _finish(pixels: NDArray[np.uint8], canvas: Canvas) -> Tile:
        return Tile(
            pixels,
            np.array([label.box for label in canvas.labels], np.float32).reshape(-1, 4),
            np.array([label.kind for label in canvas.labels], np.int64),
            np.array(canvas.ignored, np.float32).reshape(-1, 4),
        )


def _area(box: NDArray[np.float64]) -> float:
    return float(max(box[2] - box[0], 0) * max(box[3] - box[1], 0))
