"""What lens, sensor and codec do to a picture: blur, noise, colour, exposure, JPEG."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Picture = NDArray[np.uint8]
Generator = np.random.Generator


def recolour(rng: Generator, picture: Picture, strength: float = 1.0) -> Picture:
    """Return the picture with other exposure, contrast, gamma, white balance and saturation."""
    value = picture.astype(np.float32) / 255
    if rng.random() < 0.8:
        value **= np.float32(np.exp(rng.normal(0, 0.27 * strength)))
    value *= np.exp(rng.normal(0, 0.07 * strength, 3) + rng.normal(0, 0.2 * strength)).astype(
        np.float32
    )
    grey = value.mean(axis=2, keepdims=True)
    colour = np.float32(max(0.0, rng.normal(0.95, 0.3 * strength)))
    if rng.random() < 0.06 * strength:
        colour = np.float32(0)
    value = grey + (value - grey) * colour
    middle = np.float32(value.mean())
    contrast = np.float32(np.exp(rng.normal(0, 0.22 * strength)))
    value = middle + (value - middle) * contrast
    if rng.random() < 0.15 * strength:  # haze or glare
        value = value + (np.float32(rng.uniform(0.5, 1)) - value) * np.float32(rng.uniform(0, 0.5))
    return np.clip(value * 255, 0, 255).astype(np.uint8)


def motion(rng: Generator, picture: Picture) -> Picture:
    """Return the picture moved by a few pixels while exposed."""
    steps = int(rng.integers(2, 6))
    angle = rng.uniform(0, np.pi)
    total = np.zeros(picture.shape, np.float32)
    for step in range(steps):
        away = step - steps // 2
        moves = (round(away * np.sin(angle)), round(away * np.cos(angle)))
        total += np.roll(picture, moves, (0, 1))
    return (total / steps).astype(np.uint8)


def resample(rng: Generator, image: Image.Image) -> Image.Image:
    """Return the picture as if taken with fewer pixels and enlarged."""
    side = image.width
    small = max(48, int(side * rng.uniform(0.3, 0.9)))
    ways = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.BOX)
    way = ways[rng.integers(3)]
    return image.resize((small, small), way).resize((side, side), ways[rng.integers(2)])


def compress(rng: Generator, image: Image.Image) -> Image.Image:
    """Return the picture after JPEG of some quality."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(rng.integers(25, 96)))
    return Image.open(buffer).convert("RGB")


def degrade(rng: Generator, picture: Picture) -> Picture:
    """Return the picture as a camera with poor light and a poor codec gives it."""
    picture = recolour(rng, picture)
    if rng.random() < 0.12:
        picture = motion(rng, picture)
    image = Image.fromarray(picture)
    if rng.random() < 0.35:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 1.6)))
    if rng.random() < 0.25:
        image = resample(rng, image)
    if rng.random() < 0.2:
        image = image.filter(
            ImageFilter.UnsharpMask(rng.uniform(0.5, 2), int(rng.integers(40, 200)), 0)
        )
    picture = np.asarray(image)
    if rng.random() < 0.5:
        strength = rng.exponential(5)
        grain = rng.standard_normal((*picture.shape[:2], 3), np.float32) * np.float32(strength)
        if rng.random() < 0.5:
            grain = grain[..., :1] + grain * 0.3
        picture = np.clip(picture + grain, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        picture = np.asarray(compress(rng, Image.fromarray(picture)))
    return np.array(picture)
