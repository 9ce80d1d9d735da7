"""Windows and doors in a front, and what a front is; frames as in facades.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import numpy as np

from models.blender import shapes as sh
from models.blender.assembly import Assembly, Colour, Finish


@dataclass(frozen=True, slots=True)
class Lettering:
    """Words on a sign: their left foot (x, y, z) and height in metres, facing the street."""

    text: str
    at: tuple[float, float, float]
    height_m: float
    colour: Colour


@dataclass(slots=True)
class Building:
    """A front with its size, its letterings and the height above which cameras find plain wall."""

    model: Assembly
    width_m: float
    height_m: float
    plain_z_m: float
    letterings: list[Lettering] = field(default_factory=list)


def window_glass(rng: Random) -> Finish:
    """Return a pane as seen from the street: dark, with blinds or with curtains behind."""
    colour = rng.choice(
        [
            (0.012, 0.014, 0.016),
            (0.03, 0.035, 0.04),
            (0.02, 0.02, 0.018),
            (0.22, 0.2, 0.17),
            (0.3, 0.3, 0.29),
            (0.1, 0.08, 0.06),
        ]
    )
    return Finish("pane", colour, 0.02)


def cut_hole(
    model: Assembly,
    cell: tuple[float, float, float, float],
    hole: tuple[float, float, float, float],
    wall: Finish,
    depth: float,
) -> None:
    """Draw a wall cell (x0, x1, z0, z1) with a hole in it and the sides of the hole."""
    x0, x1, z0, z1 = cell
    a, b, c, d = hole
    xs, zs = (x0, a, b, x1), (z0, c, d, z1)
    front = [(x, 0.0, z) for z in zs for x in xs]
    faces: list[tuple[int, ...]] = []
    for row in range(3):
        for column in range(3):
            if (row, column) != (1, 1):
                k = row * 4 + column
                faces.append((k, k + 1, k + 5, k + 4))
    back = [(a, depth, c), (b, depth, c), (b, depth, d), (a, depth, d)]
    faces += [(5, 16, 17, 6), (6, 17, 18, 10), (10, 18, 19, 9), (9, 19, 16, 5)]
    model.add(sh.Mesh(np.array(front + back), faces), wall)


def fit_window(
    model: Assembly,
    rng: Random,
    hole: tuple[float, float, float, float],
    depth: float,
    *,
    frame: Finish,
    pane: Finish,
    bars: tuple[int, int],
) -> None:
    """Draw panes and frame into a hole at the depth behind the wall's face."""
    a, b, c, d = hole
    tilt = rng.uniform(-0.012, 0.012)
    glass = np.array([(a, depth, c), (b, depth + tilt, c), (b, depth + tilt, d), (a, depth, d)])
    model.add(sh.Mesh(glass, [(0, 1, 2, 3)]), pane)
    w, y0, y1 = 0.05, depth - 0.05, depth + 0.02
    pieces = [(a, a + w, c, d), (b - w, b, c, d), (a, b, c, c + w), (a, b, d - w, d)]
    pieces += [
        (a + (b - a) * k / bars[0] - w / 2, a + (b - a) * k / bars[0] + w / 2, c, d)
        for k in range(1, bars[0])
    ]
    pieces += [
        (a, b, c + (d - c) * k / bars[1] * 1.15 - w / 2, c + (d - c) * k / bars[1] * 1.15 + w / 2)
        for k in range(1, bars[1])
    ]
    for x0, x1, z0, z1 in pieces:
        model.add(sh.plain_box(x0, x1, y0, y1, z0, z1), frame)
