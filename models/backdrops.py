"""Backgrounds drawn in numpy: skies, walls, ceilings, foliage and plain textures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Generator = np.random.Generator

# red, green, blue of things behind cameras, from which a colour is mixed
SKIES = (
    (90, 150, 220),
    (160, 190, 225),
    (205, 210, 215),
    (120, 135, 150),
    (235, 205, 180),
    (20, 22, 35),
)
WALLS = (
    (225, 220, 210),
    (190, 180, 165),
    (150, 90, 70),
    (120, 120, 120),
    (170, 60, 50),
    (80, 85, 95),
    (240, 240, 240),
    (200, 170, 110),
)
LEAVES = ((50, 75, 35), (90, 110, 50), (35, 45, 25), (120, 115, 60))


def noise(rng: Generator, side: int, cells: int) -> Floats:
    """Return smooth noise, (side, side), about -1 to 1, ``cells`` bumps across."""
    coarse = rng.standard_normal((cells + 1, cells + 1)).astype(np.float32) * 0.6
    picture = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    return np.array(picture, np.float32)


def clouds(rng: Generator, side: int) -> Floats:
    """Return noise of several sizes, (side, side), about -1 to 1."""
    value = noise(rng, side, int(rng.integers(1, 4)))
    for octave in range(1, int(rng.integers(2, 6))):
        value += noise(rng, side, min(4 * 2**octave, side // 2)) * 0.55**octave
    return value


def _mixed(rng: Generator, colours: tuple[tuple[int, int, int], ...]) -> Floats:
    first, second = (np.array(colours[rng.integers(len(colours))], np.float32) for _ in range(2))
    share = rng.random()
    colour = first * share + second * (1 - share) + rng.normal(0, 12, 3)
    return np.asarray(colour, np.float32)


def sky(rng: Generator, side: int) -> Floats:
    """Return a gradient with clouds, (side, side, 3), grey levels."""
    down = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
    picture = _mixed(rng, SKIES) * (1 - down) + _mixed(rng, SKIES) * down
    cover = np.clip(clouds(rng, side) + rng.uniform(-1, 1), 0, 1)[..., None]
    white = np.full(3, rng.uniform(120, 250), np.float32)
    return picture * (1 - cover * 0.8) + white * cover * 0.8


def wall(rng: Generator, side: int) -> Floats:
    """Return a wall with bricks, planks, panels or plaster, (side, side, 3)."""
    picture = np.broadcast_to(_mixed(rng, WALLS), (side, side, 3)).copy()
    picture += clouds(rng, side)[..., None] * rng.uniform(2, 25)
    height, width = int(rng.integers(6, 90)), int(rng.integers(12, 160))
    joint = max(1, height // int(rng.integers(5, 20)))
    rows, columns = np.indices((side, side))
    pattern = rng.integers(4)
    if pattern == 0:
        shifted = columns + (rows // height % 2) * (width // 2)
        dark = (rows % height < joint) | (shifted % width < joint)
        tint = rng.normal(0, 10, (side // height + 2, (side + width) // width + 2))
        picture += tint[rows // height, shifted // width][..., None].astype(np.float32)
    elif pattern == 1:
        dark = rows % height < joint
    elif pattern == 2:
        dark = columns % width < joint
    else:
        dark = np.zeros((side, side), bool)
    picture[dark] *= np.float32(rng.uniform(0.4, 1.3))
    return picture


def foliage(rng: Generator, side: int) -> Floats:
    """Return leaves or gravel: noise of the smallest sizes, (side, side, 3)."""
    colours = LEAVES if rng.random() < 0.7 else WALLS
    share = np.clip(0.5 + noise(rng, side, side // 3) * 0.5 + clouds(rng, side) * 0.3, 0, 1)
    share = share[..., None]
    return _mixed(rng, colours) * share + _mixed(rng, colours) * (1 - share) * 0.6


def shapes(rng: Generator, picture: Floats) -> Floats:
    """Return the picture with windows, edges, poles and wires drawn over it."""
    side = picture.shape[0]
    rows, columns = np.indices((side, side), dtype=np.float32)
    for _ in range(int(rng.integers(0, 8))):
        angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
        across = np.cos(angle) * (columns - rng.uniform(0, side)) + np.sin(angle) * (
            rows - rng.uniform(0, side)
        )
        thickness = np.exp(rng.uniform(np.log(1), np.log(side / 6)))
        inside = np.abs(across) < thickness / 2
        if rng.random() < 0.5:  # a piece of it
            along = -np.sin(angle) * columns + np.cos(angle) * rows
            start = rng.uniform(-side, side)
            inside &= (along > start) & (along < start + rng.uniform(10, side))
        shade = 1 + across / max(thickness, 1) * rng.uniform(-0.8, 0.8)
        colour = _mixed(rng, (*WALLS, (30, 30, 30), (70, 70, 75)))
        picture[inside] = (colour * shade[..., None])[inside]
    return picture


def blobs(rng: Generator, picture: Floats) -> Floats:
    """Return the picture with shaded discs and boxes: things that are no cameras."""
    side = picture.shape[0]
    rows, columns = np.indices((side, side), dtype=np.float32)
    for _ in range(int(rng.integers(0, 5))):
        reach = np.exp(rng.uniform(np.log(3), np.log(60)))
        x, y = rng.uniform(0, side, 2)
        across, down = (columns - x) / (reach * rng.uniform(0.4, 2)), (rows - y) / reach
        round_one = rng.random() < 0.5
        inside = across**2 + down**2 < 1 if round_one else np.maximum(abs(across), abs(down)) < 1
        shade = 1 + across * rng.uniform(-0.5, 0.5) + down * rng.uniform(-0.5, 0.5)
        colour = _mixed(rng, (*WALLS, (25, 25, 25), (250, 250, 250), (180, 30, 30)))
        picture[inside] = (colour * shade[..., None])[inside]
    return picture


def backdrop(rng: Generator, side: int) -> NDArray[np.uint8]:
    """Return a drawn background, (side, side, 3)."""
    makers = (sky, wall, foliage)
    picture = makers[rng.choice(3, p=(0.35, 0.5, 0.15))](rng, side)
    if rng.random() < 0.5:  # the lower, left or right part is something else
        other = makers[rng.integers(3)](rng, side)
        cut = int(rng.uniform(0.2, 0.9) * side)
        if rng.random() < 0.5:
            picture[cut:] = other[cut:]
        else:
            picture[:, cut:] = other[:, cut:]
    picture = shapes(rng, picture)
    if rng.random() < 0.4:
        picture = blobs(rng, picture)
    light = 1 + noise(rng, side, 1)[..., None] * np.float32(rng.uniform(0, 0.35))
    return np.clip(picture * light, 0, 255).astype(np.uint8)
