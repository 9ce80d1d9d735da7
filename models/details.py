"""Small things drawn on a tile that a network takes for lenses: holes, bolts, clamps, letters.

A camera's front is dark and round too, but sits in a housing; these sit in nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.photometry import Generator

Floats = NDArray[np.float32]
SIZE_PX = (4.0, 70.0)  # larger side, log-uniform
MOST_IN_A_ROW = 9


def draw_details(rng: Generator, picture: Floats) -> None:
    """Draw one kind of thing on the picture (S, S, 3), once, scattered or in a row."""
    side = picture.shape[0]
    draw = (_hole, _hole, _bolt, _bolt, _band, _letters)[rng.integers(6)]
    size = float(np.exp(rng.uniform(*np.log(SIZE_PX)))) * side / 320
    if draw is _band:
        draw(rng, picture, rng.uniform(0, side, 2), size)
        return
    look = rng.integers(1 << 32)  # of one kind: all of a row look alike
    for place in _places(rng, side, size):
        draw(np.random.default_rng(look), picture, place, size)


def _places(rng: Generator, side: int, size: float) -> NDArray[np.float64]:
    """Return middles (n, 2) x, y: one, a few anywhere, or a row at even steps."""
    start = rng.uniform(0, side, 2)
    count = int(rng.integers(2, MOST_IN_A_ROW + 1))
    way = rng.random()
    if way < 0.3:
        return start[None]
    if way < 0.5:
        return rng.uniform(0, side, (min(count, 4), 2))
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    step = size * rng.uniform(1.3, 4)
    steps = (np.arange(count) - count / 2)[:, None] * step
    return np.asarray(start + steps * np.array([np.cos(angle), np.sin(angle)]))


def _window(picture: Floats, middle: NDArray[np.float64], reach: float) -> tuple[Floats, ...]:
    """Return the part of the picture within ``reach`` of ``middle`` and its x and y from there."""
    side = picture.shape[0]
    low = np.clip(np.floor(middle - reach), 0, side).astype(int)
    high = np.clip(np.ceil(middle + reach) + 1, 0, side).astype(int)
    part = picture[low[1] : high[1], low[0] : high[0]]
    y, x = np.indices(part.shape[:2], dtype=np.float32)
    return part, x + low[0] - np.float32(middle[0]), y + low[1] - np.float32(middle[1])


def _turned(x: Floats, y: Floats, angle: float) -> tuple[Floats, Floats]:
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return x * cosine + y * sine, y * cosine - x * sine


def _cover(distance: Floats, soft: float = 1.0) -> Floats:
    """Return how much of each pixel is inside, 0..1, of a signed distance in pixels."""
    return np.clip(0.5 - distance / soft, 0, 1)[..., None]


def _outline(rng: Generator, x: Floats, y: Floats, half: float) -> Floats:
    """Return the signed distance in pixels to a disc, a slot, a square or a hexagon."""
    x, y = _turned(x, y, rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)]))
    form = rng.integers(5)
    if form <= 1:
        flat = np.float32(rng.uniform(0.45, 1))  # seen from the side
        return (np.hypot(x, y / flat) - half) * flat
    if form == 2:
        thin = half * rng.uniform(0.25, 0.7)
        return np.hypot(np.maximum(np.abs(x) - (half - thin), 0), y) - thin
    if form == 3:
        return np.maximum(np.abs(x), np.abs(y) / np.float32(rng.uniform(0.4, 1))) - half * 0.9
    slanted = np.abs(x) * 0.5 + np.abs(y) * 0.866
    return np.maximum(np.abs(x), slanted) - half * 0.95


def _hole(rng: Generator, picture: Floats, middle: NDArray[np.float64], size: float) -> None:
    """Draw an opening: dark, its edge lit on one side and in shade on the other."""
    half = size / 2
    part, x, y = _window(picture, middle, half * 1.6 + 2)
    if not part.size:
        return
    distance = _outline(rng, x, y, half)
    light = rng.uniform(0, 2 * np.pi)
    slope = (x * np.cos(light) + y * np.sin(light)) / max(half, 1)
    rim = np.exp(-((distance / max(half * rng.uniform(0.08, 0.3), 0.7)) ** 2))[..., None]
    part *= 1 + rim * slope[..., None] * np.float32(rng.uniform(-0.7, 0.7))
    inside = np.float32(rng.uniform(0.03, 0.45)) * (1 + 0.4 * slope[..., None])
    floor = part.mean(axis=(0, 1)) * np.clip(inside, 0, 1) + rng.normal(0, 3)
    part += (floor - part) * _cover(distance, rng.uniform(1, 2.5))


def _bolt(rng: Generator, picture: Floats, middle: NDArray[np.float64], size: float) -> None:
    """Draw a bolt head or a rivet, often on a washer, with its shadow."""
    half = size / 2
    part, x, y = _window(picture, middle, half * 2 + 2)
    if not part.size:
        return
    light = rng.uniform(0, 2 * np.pi)
    away = np.array([np.cos(light), np.sin(light)]) * half * rng.uniform(0.1, 0.5)
    shadow = np.hypot(x + away[0], y + away[1]) - half
    part *= 1 - _cover(shadow, max(half * 0.5, 1)) * np.float32(rng.uniform(0.1, 0.6))
    metal = rng.uniform(30, 220) * np.array([1, 1, 1]) + rng.normal(0, 10, 3)
    if rng.random() < 0.3:
        metal = part.mean(axis=(0, 1))  # painted over
    rings = (1.0, rng.uniform(0.45, 0.8)) if rng.random() < 0.6 else (1.0,)
    for number, ring in enumerate(rings):
        distance = _outline(rng, x, y, half * ring)
        slope = (x * np.cos(light) + y * np.sin(light)) / max(half * ring, 1)
        tone = rng.uniform(0.6, 1.4) if number else 1.0
        shade = tone * (1 + slope * rng.uniform(0.1, 0.6))
        edge = np.exp(-((distance / max(half * 0.12, 0.7)) ** 2)) * rng.uniform(-0.5, 0.3)
        colour = metal * np.clip(shade + edge, 0.05, 2)[..., None]
        part += (colour.astype(np.float32) - part) * _cover(distance)


def _band(rng: Generator, picture: Floats, middle: NDArray[np.float64], size: float) -> None:
    """Draw a post across the tile with clamps around it."""
    side = picture.shape[0]
    part, x, y = _window(picture, middle, 2.0 * side)
    if rng.random() < 0.4:
        x, y = y, x
    x = x - y * np.float32(rng.normal(0, 0.08))
    half = max(size, 6.0)
    round_off = np.sqrt(np.clip(1 - (x / half) ** 2, 0, 1))
    tone = rng.uniform(25, 200) * np.array([1, 1, 1]) + rng.normal(0, 18, 3)
    light = np.clip(round_off * (1 + x / half * rng.uniform(-0.6, 0.6)), 0.15, 1.5)
    cover = _cover(np.abs(x) - half)
    part += (tone * light[..., None] - part).astype(np.float32) * cover
    for _ in range(int(rng.integers(0, 4))):
        height, at = half * rng.uniform(0.1, 0.5), rng.uniform(-side, side)
        wide = half * rng.uniform(1.0, 1.15)
        clamp = np.maximum(np.abs(x) - wide, np.abs(y - at) - height / 2)
        colour = rng.uniform(20, 230) * np.clip(light, 0.3, 1.3)[..., None] * np.ones(3)
        part += (colour.astype(np.float32) - part) * _cover(clamp)
        lug = half * rng.uniform(0.2, 0.5)
        beside = np.array([wide + lug * 0.6, at]) * np.array([rng.choice([-1, 1]), 1])
        block = np.maximum(np.abs(x - beside[0]), np.abs(y - beside[1])) - lug
        shade = rng.uniform(20, 200) * (1 - (y - beside[1]) / lug * rng.uniform(-0.3, 0.3))
        part += (shade[..., None] - part).astype(np.float32) * _cover(block)


def _letters(rng: Generator, picture: Floats, middle: NDArray[np.float64], size: float) -> None:
    """Draw strokes and rings as of a letter, a digit or a mark."""
    half = size / 2
    part, x, y = _window(picture, middle, half * 1.5 + 2)
    if not part.size:
        return
    ink = np.float32(rng.choice([rng.uniform(0, 70), rng.uniform(180, 255)]))
    colour = ink + rng.normal(0, 20, 3).astype(np.float32)
    thick = half * rng.uniform(0.12, 0.35)
    for _ in range(int(rng.integers(1, 4))):
        at = rng.uniform(-0.5, 0.5, 2) * half
        u, v = _turned(x - np.float32(at[0]), y - np.float32(at[1]), rng.uniform(0, np.pi))
        if rng.random() < 0.5:
            distance = np.abs(np.hypot(u, v * rng.uniform(0.7, 1.3)) - half * 0.6) - thick / 2
        else:
            distance = np.maximum(np.abs(u) - half * 0.8, np.abs(v) - thick / 2)
        part += (colour - part) * _cover(distance)
