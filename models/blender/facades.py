"""Building fronts: x along the front from 0 to width, the street at -y, z up from the pavement, metres."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from models.blender import shapes as sh
from models.blender.assembly import Assembly, Colour, Finish, grey

if TYPE_CHECKING:
    from random import Random

WORDS = ("CAFE", "BAKERY", "BOOKS", "OPTIKA", "PHARMACY", "FLOWERS", "SALON", "MARKET", "BIKES", "TAILOR", "PIZZA", "NOVA", "HOTEL", "STUDIO 7", "VERDE", "KIOSK", "SHOES", "24 H", "BANK", "ATELIER")


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


def wall_finish(rng: Random) -> Finish:
    """Return brick, plaster, stone slabs or concrete."""
    pick = rng.random()
    if pick < 0.35:
        base = rng.choice([(0.32, 0.12, 0.07), (0.4, 0.2, 0.12), (0.25, 0.09, 0.06), (0.45, 0.36, 0.24), (0.5, 0.47, 0.42)])
        return Finish("brick", base, 0.85, dirt=rng.uniform(0.2, 0.6), second=rng.choice([grey(0.35, 0.05), grey(0.18)]))
    if pick < 0.75:
        base = rng.choice([(0.66, 0.58, 0.42), (0.7, 0.68, 0.62), (0.6, 0.45, 0.3), (0.45, 0.5, 0.47), (0.55, 0.32, 0.24), (0.72, 0.64, 0.55), grey(0.5)])
        return Finish("plaster", base, 0.9, dirt=rng.uniform(0.2, 0.7))
    if pick < 0.9:
        return Finish("slabs", rng.choice([(0.45, 0.42, 0.37), grey(0.36), (0.5, 0.44, 0.34)]), 0.6, dirt=0.3, second=grey(0.1))
    return Finish("plaster", grey(rng.uniform(0.25, 0.45)), 0.85, dirt=0.8)


def window_glass(rng: Random) -> Finish:
    """Return a pane as seen from the street: dark, with blinds or with curtains behind."""
    colour = rng.choice([(0.012, 0.014, 0.016), (0.03, 0.035, 0.04), (0.02, 0.02, 0.018), (0.22, 0.2, 0.17), (0.3, 0.3, 0.29), (0.1, 0.08, 0.06)])
    return Finish("pane", colour, 0.02)


def make_building(rng: Random, width: float, floors: int | None = None) -> Building:
    """Return a front of the width in metres."""
    floors = floors or rng.choice([1, 2, 2, 3, 3, 4, 5])
    ground, storey = rng.uniform(3.4, 4.4), rng.uniform(2.9, 3.5)
    height = ground + floors * storey
    building = Building(Assembly("building"), width, height, ground)
    model = building.model
    wall = wall_finish(rng)
    trim = Finish("plaster", rng.choice([grey(0.6), grey(0.75, 0.03), grey(0.3), tuple(0.8 * c for c in wall.colour)]), 0.8, dirt=0.3)
    frame = Finish("paint", rng.choice([grey(0.75), grey(0.04), (0.18, 0.1, 0.05), grey(0.35), (0.04, 0.1, 0.08)]), 0.4, dirt=0.05)
    panes = [window_glass(rng) for _ in range(4)]
    if rng.random() < 0.13:
        _curtain_wall(model, rng, (0, width, ground, height), frame, panes)
    else:
        _windows(model, rng, (width, ground, storey, floors), wall, trim, frame, panes)
    _ground_floor(building, rng, ground, wall if rng.random() < 0.5 else wall_finish(rng), trim, frame)
    model.add(sh.plain_box(0, width, 0.5, 11, 0, height - 0.01), wall)
    for x in (0.0, width - 0.01):
        # The front stands off the body by the depth of its windows; these close the sides.
        model.add(sh.plain_box(x, x + 0.01, 0.0, 0.6, 0, height - 0.01), wall)
    if rng.random() < 0.75:
        for out, low, high in ((0.22, 0.0, 0.18), (0.12, -0.25, 0.0)):
            model.add(sh.plain_box(-0.02, width + 0.02, -out, 0.4, height + low, height + high), trim)
    if rng.random() < 0.6:
        model.add(sh.plain_box(0, width, -0.07, 0.05, ground - 0.12, ground + 0.08), trim)
    if rng.random() < 0.5:
        x = rng.choice([0.25, width - 0.25])
        pipe = Finish("paint", rng.choice([grey(0.4), grey(0.1), trim.colour]), 0.4, 0.3, 0.2)
        model.add(sh.tube([(x, -0.1, 0.1), (x, -0.1, height - 0.3)], 0.05), pipe)
    return building


def _hole(model: Assembly, cell: tuple[float, float, float, float], hole: tuple[float, float, float, float], wall: Finish, depth: float) -> None:
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


def _window(model: Assembly, rng: Random, hole: tuple[float, float, float, float], depth: float, frame: Finish, pane: Finish, bars: tuple[int, int]) -> None:
    """Draw panes and frame into a hole at the depth behind the wall's face."""
    a, b, c, d = hole
    tilt = rng.uniform(-0.012, 0.012)
    glass = np.array([(a, depth, c), (b, depth + tilt, c), (b, depth + tilt, d), (a, depth, d)])
    model.add(sh.Mesh(glass, [(0, 1, 2, 3)]), pane)
    w, y0, y1 = 0.05, depth - 0.05, depth + 0.02
    pieces = [(a, a + w, c, d), (b - w, b, c, d), (a, b, c, c + w), (a, b, d - w, d)]
    pieces += [(a + (b - a) * k / bars[0] - w / 2, a + (b - a) * k / bars[0] + w / 2, c, d) for k in range(1, bars[0])]
    pieces += [(a, b, c + (d - c) * k / bars[1] * 1.15 - w / 2, c + (d - c) * k / bars[1] * 1.15 + w / 2) for k in range(1, bars[1])]
    for x0, x1, z0, z1 in pieces:
        model.add(sh.plain_box(x0, x1, y0, y1, z0, z1), frame)


def _windows(model: Assembly, rng: Random, size: tuple[float, float, float, int], wall: Finish, trim: Finish, frame: Finish, panes: list[Finish]) -> None:
    """Draw the upper floors: a grid of windows in the wall, sills, some with lintels or balconies."""
    width, ground, storey, floors = size
    count = max(2, round(width / rng.uniform(2.2, 3.6)))
    bay = width / count
    wide, tall = min(bay * 0.72, rng.uniform(0.9, 1.7)), rng.uniform(1.25, min(2.1, storey - 0.8))
    sill, depth = rng.uniform(0.6, 0.95), rng.uniform(0.1, 0.25)
    bars = rng.choice([(2, 1), (2, 2), (1, 2), (3, 1), (1, 1)])
    surround, balcony = rng.random() < 0.4, rng.random() < 0.2
    cooler = Finish("paint", grey(0.7), 0.5, dirt=0.4)
    for floor in range(floors):
        z0 = ground + floor * storey
        for k in range(count):
            x0 = k * bay
            hole = (x0 + (bay - wide) / 2, x0 + (bay + wide) / 2, z0 + sill, z0 + sill + tall)
            _hole(model, (x0, x0 + bay, z0, z0 + storey), hole, wall, depth)
            _window(model, rng, hole, depth, frame, rng.choice(panes), bars)
            model.add(sh.plain_box(hole[0] - 0.08, hole[1] + 0.08, -0.08, depth, hole[2] - 0.07, hole[2]), trim)
            if surround:
                model.add(sh.plain_box(hole[0] - 0.14, hole[1] + 0.14, -0.05, 0.03, hole[3], hole[3] + 0.2), trim)
            if balcony and k % 2 == 0:
                _balcony(model, hole, z0 + sill, frame)
            elif rng.random() < 0.05:
                model.add(sh.block(0.8, 0.3, 0.55, radius=0.02), cooler, sh.shift(hole[0] + 0.4, -0.25, z0 + 0.32))


def _balcony(model: Assembly, hole: tuple[float, float, float, float], z: float, metal: Finish) -> None:
    """Draw a slab with a railing in front of a window."""
    x0, x1 = hole[0] - 0.2, hole[1] + 0.2
    model.add(sh.plain_box(x0, x1, -0.9, 0, z - 0.16, z), Finish("plaster", grey(0.5), 0.9, dirt=0.5))
    for y in (-0.88, -0.04):
        model.add(sh.plain_box(x0, x1, y - 0.02, y + 0.02, z + 0.9, z + 0.94), metal)
    for k in range(round((x1 - x0) / 0.13)):
        x = x0 + 0.13 * k
        model.add(sh.plain_box(x, x + 0.016, -0.89, -0.87, z, z + 0.92), metal)


def _curtain_wall(model: Assembly, rng: Random, limits: tuple[float, float, float, float], frame: Finish, panes: list[Finish]) -> None:
    """Draw a wall of glass with a grid of profiles."""
    x0, x1, z0, z1 = limits
    across, up = max(2, round((x1 - x0) / rng.uniform(1.2, 2.2))), max(2, round((z1 - z0) / rng.uniform(1.4, 3.2)))
    xs, zs = np.linspace(x0, x1, across + 1), np.linspace(z0, z1, up + 1)
    for i in range(across):
        for j in range(up):
            y = rng.uniform(0, 0.012)
            quad = np.array([(xs[i], 0, zs[j]), (xs[i + 1], y, zs[j]), (xs[i + 1], y, zs[j + 1]), (xs[i], 0, zs[j + 1])])
            model.add(sh.Mesh(quad, [(0, 1, 2, 3)]), panes[rng.randrange(2)])
    for x in xs:
        model.add(sh.plain_box(x - 0.03, x + 0.03, -0.08, 0.05, z0, z1), frame)
    for z in zs:
        model.add(sh.plain_box(x0, x1, -0.06, 0.05, z - 0.03, z + 0.03), frame)


def _ground_floor(building: Building, rng: Random, ground: float, wall: Finish, trim: Finish, frame: Finish) -> None:
    """Draw shops and doors along the pavement."""
    model, width = building.model, building.width_m
    count = max(1, round(width / rng.uniform(3.4, 5.0)))
    bay = width / count
    shop = rng.random() < 0.7
    door_bay = rng.randrange(count)
    fascia = rng.uniform(0.45, 0.75)
    for k in range(count):
        x0, depth = k * bay, rng.uniform(0.15, 0.35)
        if k == door_bay:
            hole = (x0 + bay * 0.5 - 0.6, x0 + bay * 0.5 + 0.6, 0.02, 2.5)
            _hole(model, (x0, x0 + bay, 0, ground), hole, wall, depth)
            door = Finish("paint", rng.choice([(0.12, 0.05, 0.02), (0.02, 0.06, 0.04), (0.03, 0.04, 0.1), grey(0.1), (0.25, 0.03, 0.02)]), 0.35, dirt=0.1)
            model.add(sh.plain_box(hole[0], hole[1], depth - 0.02, depth + 0.05, 0, 2.1), door)
            for side in (0.12, 0.64):
                model.add(sh.plain_box(hole[0] + side, hole[0] + side + 0.44, depth - 0.04, depth, 0.9, 1.9), window_glass(rng))
            _window(model, rng, (hole[0], hole[1], 2.1, 2.5), depth, frame, window_glass(rng), (1, 1))
            continue
        top = ground - fascia - 0.25 if shop else rng.uniform(2.3, 2.7)
        low = rng.uniform(0.3, 0.6) if shop else 1.0
        margin = 0.25 if shop else bay * 0.3
        hole = (x0 + margin, x0 + bay - margin, low, top)
        _hole(model, (x0, x0 + bay, 0, ground), hole, wall, depth)
        _window(model, rng, hole, depth, frame, Finish("pane", rng.choice([(0.03, 0.03, 0.03), (0.08, 0.07, 0.05), (0.16, 0.13, 0.09)]), 0.02), (rng.choice([1, 2, 3]), rng.choice([1, 2])))
        if shop:
            _shop_sign(building, rng, (x0 + 0.1, x0 + bay - 0.1), top, fascia)
    model.add(sh.plain_box(0, width, -0.04, 0.02, 0, 0.0 if shop else 0.5), trim)


def _shop_sign(building: Building, rng: Random, span: tuple[float, float], top: float, fascia: float) -> None:
    """Draw a fascia with words, and sometimes an awning or a sign that juts out."""
    model = building.model
    x0, x1 = span
    colour = rng.choice([(0.02, 0.08, 0.05), (0.3, 0.02, 0.02), (0.02, 0.04, 0.16), grey(0.02), grey(0.7), (0.5, 0.3, 0.03), (0.05, 0.2, 0.28), (0.2, 0.12, 0.07)])
    board = Finish("paint", colour, 0.4, dirt=0.1)
    model.add(sh.plain_box(x0, x1, -0.12, 0.02, top + 0.08, top + 0.08 + fascia), board)
    light = sum(colour) < 0.9
    letters = rng.choice([grey(0.85), (0.8, 0.65, 0.25)]) if light else rng.choice([grey(0.03), (0.3, 0.02, 0.02)])
    size = fascia * rng.uniform(0.4, 0.62)
    building.letterings.append(Lettering(rng.choice(WORDS), (x0 + rng.uniform(0.2, 0.6), -0.125, top + 0.08 + (fascia - size * 0.7) / 2), size, letters))
    pick = rng.random()
    if pick < 0.3:
        _awning(model, rng, span, top)
    elif pick < 0.45:
        x = rng.choice([x0 + 0.1, x1 - 0.1])
        plate = sh.cylinder(0.35, 0.08, segments=32, axis="x") if rng.random() < 0.5 else sh.block(0.08, 0.6, 0.6)
        model.add(plate, board, sh.shift(x, -0.55, top + 0.6 + fascia))
        model.add(sh.tube([(x + 0.04, 0, top + 0.6 + fascia), (x + 0.04, -0.3, top + 0.6 + fascia)], 0.02), Finish("paint", grey(0.05)))


def _awning(model: Assembly, rng: Random, span: tuple[float, float], top: float) -> None:
    """Draw a striped or plain awning over a shop window."""
    x0, x1 = span
    first = Finish("paint", rng.choice([(0.4, 0.03, 0.03), (0.03, 0.15, 0.07), (0.03, 0.06, 0.22), grey(0.05), (0.5, 0.4, 0.25)]), 0.9, dirt=0.2)
    second = Finish("paint", grey(0.75), 0.9, dirt=0.2) if rng.random() < 0.5 else first
    out, fall = rng.uniform(0.8, 1.3), rng.uniform(0.35, 0.6)
    stripes = round((x1 - x0) / 0.3)
    for k in range(stripes):
        a, b = x0 + (x1 - x0) * k / stripes, x0 + (x1 - x0) * (k + 1) / stripes
        cloth = np.array([(a, -0.1, top), (b, -0.1, top), (b, -out, top - fall), (a, -out, top - fall), (a, -out, top - fall - 0.18), (b, -out, top - fall - 0.18)])
        model.add(sh.Mesh(cloth, [(0, 1, 2, 3), (3, 2, 5, 4)]), first if k % 2 else second)
