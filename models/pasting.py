"""A cut-out made ready to be pasted: mirrored, scaled, turned, its pole lengthened, recoloured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from models.labels import Label
from models.photometry import Generator, recolour

MAX_ENLARGEMENT = 1.6
POLE_ROWS = 0.06  # of the height: a pole's end cap, left out when it is lengthened


@dataclass(slots=True)
class Piece:
    """Colours (H, W, 3), opacity (H, W) 0..1 and boxes (n, 4) in the piece's own pixels."""

    colours: NDArray[np.float32]
    opacity: NDArray[np.float32]
    boxes: NDArray[np.float32]
    kinds: list[int]


def make_piece(
    rng: Generator, image: Image.Image, labels: tuple[Label, ...], size_px: float
) -> Piece:
    """Return the RGBA cut-out with its largest box (or itself) about ``size_px`` large."""
    boxes = np.array([label.box for label in labels], np.float32).reshape(-1, 4)
    sides = boxes[:, 2:] - boxes[:, :2]
    largest = float(sides.max()) if len(boxes) else float(max(image.size))
    factor = min(size_px / largest, MAX_ENLARGEMENT)
    stretch = np.exp(rng.normal(0, 0.07))
    width = max(2, round(image.width * factor * stretch))
    height = max(2, round(image.height * factor / stretch))
    boxes = boxes * np.array([width / image.width, height / image.height] * 2, np.float32)
    image = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        boxes = boxes[:, [2, 1, 0, 3]]
        boxes[:, [0, 2]] = width - boxes[:, [0, 2]]
    turned = rng.random() < 0.5
    if turned:
        image, boxes = turn(image, boxes, float(rng.normal(0, 7)))
    if rng.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.9)))
    pixels = np.asarray(image)
    if not turned and rng.random() < 0.6:
        pixels = lengthen(pixels)
    colours = recolour(rng, pixels[..., :3], 0.7).astype(np.float32)
    opacity = pixels[..., 3].astype(np.float32) / 255
    return Piece(colours, opacity, boxes, [label.kind for label in labels])


def turn(
    image: Image.Image, boxes: NDArray[np.float32], degrees: float
) -> tuple[Image.Image, NDArray[np.float32]]:
    """Return image and boxes turned about the middle; boxes grow by less than their corners do."""
    width, height = image.size
    turned = image.rotate(degrees, Image.Resampling.BILINEAR, expand=True)
    angle = np.deg2rad(degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    sides = boxes[:, 2:] - boxes[:, :2]
    middles = (boxes[:, 2:] + boxes[:, :2]) / 2 - np.array([width, height]) / 2
    x = middles[:, 0] * cosine + middles[:, 1] * sine + turned.width / 2
    y = -middles[:, 0] * sine + middles[:, 1] * cosine + turned.height / 2
    grown = sides * abs(cosine) + sides[:, ::-1] * abs(sine) * 0.6
    placed = np.stack([x, y], axis=1)
    return turned, np.concatenate([placed - grown / 2, placed + grown / 2], 1).astype(np.float32)


def lengthen(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the RGBA cut-out with a pole that ends at its lower edge drawn on by its height."""
    height = pixels.shape[0]
    cap = max(1, round(height * POLE_ROWS))
    if height < 8:
        return pixels
    solid = pixels[..., 3] > 128
    last, upper = solid[height - 1 - cap], solid[height - 1 - 3 * cap]
    columns = np.flatnonzero(last)
    if not columns.size or columns.size > 0.6 * height:
        return pixels
    low, high = max(int(columns[0]) - 2, 0), int(columns[-1]) + 3
    straight = columns[-1] - columns[0] + 1 == columns.size and upper[columns].all()
    if not straight or upper[low:high].sum() > columns.size:
        return pixels
    rows = np.repeat(pixels[height - 1 - cap][None], 3 * height, axis=0)
    return np.concatenate([pixels[: height - cap], rows])
