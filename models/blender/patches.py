"""Pieces of wall, plate, post and plank with holes, slots and knots; frames as in cameras.py."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from models.blender import shapes as sh
from models.blender.assembly import Assembly, Finish, grey, plastic, steel

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray

ANGLES = np.unique(np.concatenate([np.linspace(0, 2 * math.pi, 28, endpoint=False)]))


def wall_finish(rng: Random) -> Finish:
    """Return masonry, boards or painted metal, as walls and soffits are made of."""
    pick = rng.random()
    if pick < 0.3:
        colour = rng.choice([(0.3, 0.12, 0.08), (0.42, 0.3, 0.2), (0.2, 0.13, 0.1), grey(0.5)])
        return Finish("brick", colour, dirt=rng.uniform(0, 0.6), second=grey(rng.uniform(0.2, 0.5)))
    if pick < 0.65:
        colour = rng.choice(
            [grey(rng.uniform(0.25, 0.75), 0.05), (0.6, 0.52, 0.38), (0.5, 0.35, 0.25)]
        )
        return Finish("plaster", colour, dirt=rng.uniform(0, 0.8))
    if pick < 0.75:
        return Finish("slabs", grey(rng.uniform(0.25, 0.6), 0.06), dirt=0.5, second=grey(0.1))
    if pick < 0.85:
        return wood_finish(rng)
    return plastic(rng, rng.choice([grey(0.6), grey(0.3), (0.1, 0.12, 0.14), (0.03, 0.08, 0.06)]))


def wood_finish(rng: Random) -> Finish:
    """Return timber: fresh, tarred or weathered."""
    colour = rng.choice(
        [(0.3, 0.18, 0.09), (0.16, 0.1, 0.06), (0.27, 0.25, 0.22), (0.08, 0.05, 0.03)]
    )
    dark = (colour[0] * 0.45, colour[1] * 0.45, colour[2] * 0.45)
    return Finish("wood", colour, 0.85, dirt=0.4, second=dark, scale=rng.uniform(4, 9))


def wall_patch(rng: Random, size_m: float, finish: Finish | None = None) -> Assembly:
    """Return a flat piece of wall around the origin that dissolves size_m metres away."""
    model = Assembly("wall_patch")
    finish = finish or wall_finish(rng)
    reach = size_m * 1.25
    mesh = sh.Mesh(
        np.array(
            [(0, -reach, -reach), (0, reach, -reach), (0, reach, reach), (0, -reach, reach)], float
        ),
        [(0, 1, 2, 3)],
    )
    model.add(mesh, replace(finish, fade_m=size_m), sh.shift(-0.001))
    return model


def outline(
    half_y: float, half_z: float, power: float, angles: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a superellipse (M, 2): power 2 is round, 5 a slot with round ends, metres."""
    c, s = np.cos(angles), np.sin(angles)
    r = (np.abs(c / half_y) ** power + np.abs(s / half_z) ** power) ** (-1 / power)
    return np.stack([r * c, r * s], 1)


def holed_cell(
    size: tuple[float, float], hole: tuple[float, float, float] | None, depth: float
) -> tuple[sh.Mesh, sh.Mesh, sh.Mesh]:
    """Return the face around a hole, the hole's wall and its bottom, in the y-z plane.

    size is (wide, tall) of the cell, hole is (half width, half height, power) or None; metres.
    """
    wide, tall = size[0] / 2, size[1] / 2
    corner = math.atan2(tall, wide)
    angles = np.sort(
        np.concatenate([ANGLES, [corner, math.pi - corner, math.pi + corner, 2 * math.pi - corner]])
    )
    c, s = np.abs(np.cos(angles)) + 1e-9, np.abs(np.sin(angles)) + 1e-9
    far = np.minimum(wide / c, tall / s)
    rim = np.stack([far * np.cos(angles), far * np.sin(angles)], 1)
    inner = outline(*(hole or (wide * 0.5, tall * 0.5, 2.0)), angles)
    count = len(angles)
    ring = [(k, (k + 1) % count, count + (k + 1) % count, count + k) for k in range(count)]

    def flat(points: NDArray[np.float64], x: float) -> NDArray[np.float64]:
        return np.column_stack([np.full(len(points), x), points])

    face = sh.Mesh(np.concatenate([flat(rim, 0), flat(inner, 0)]), list(ring))
    if hole is None:
        face.faces.append(tuple(range(count, 2 * count)))
    wall = sh.Mesh(np.concatenate([flat(inner, 0), flat(inner * 0.97, -depth)]), list(ring))
    bottom = sh.Mesh(flat(inner * 0.97, -depth), [tuple(range(count))])
    return face, wall, bottom


def bent(mesh: sh.Mesh, radius: float) -> sh.Mesh:
    """Return the mesh wrapped around an upright pole whose front touches the origin."""
    x, y, z = mesh.vertices.T
    a = y / radius
    points = np.stack([(radius + x) * np.cos(a) - radius, (radius + x) * np.sin(a), z], 1)
    return sh.Mesh(points, mesh.faces)


def rolled(mesh: sh.Mesh, wave: float, pitch: float) -> sh.Mesh:
    """Return the mesh pressed into the waves of a guard rail along y, metres."""
    points = mesh.vertices.copy()
    points[:, 0] += wave * np.cos(points[:, 2] / pitch * 2 * math.pi) - wave
    return sh.Mesh(points, mesh.faces)


def pattern(rng: Random, columns: int, rows: int) -> set[tuple[int, int]]:
    """Return which cells of a grid have a hole: a line, a few or nearly all."""
    cells = [(i, j) for i in range(columns) for j in range(rows)]
    style = rng.random()
    if style < 0.35:
        middle = columns // 2
        return {(middle, j) for j in range(rows)}
    if style < 0.75:
        some = rng.sample(cells, rng.randint(0, 3))
        # The edges dissolve; one hole has to be seen.
        return {(columns // 2, rows // 2), *some}
    return {cell for cell in cells if rng.random() < 0.9}


def hole_shape(rng: Random, wide: float, tall: float) -> tuple[float, float, float]:
    """Return half width, half height and power of a round, oblong or square hole."""
    small = min(wide, tall)
    half = small * rng.uniform(0.16, 0.4)
    style = rng.random()
    if style < 0.5:
        return half, half * rng.uniform(0.85, 1.15), 2.0
    if style < 0.85:
        long = min(half * rng.uniform(1.6, 3.5), max(wide, tall) * 0.44)
        return (
            (half, min(long, tall * 0.44), 4.0)
            if rng.random() < 0.6
            else (min(long, wide * 0.44), half, 4.0)
        )
    return half, half, 7.0


def build_holed_surface(rng: Random) -> Assembly:
    """Return a piece of plate, rail, masonry or pole with holes."""
    model = Assembly("holed_surface")
    kind = rng.choice(["plate", "plate", "masonry", "pole", "pole", "rail", "plank"])
    columns, rows = rng.choice([(3, 3), (3, 5), (5, 5), (5, 3), (3, 7)])
    wide, tall = rng.uniform(0.03, 0.1), rng.uniform(0.03, 0.12)
    if kind in {"masonry", "plank"}:
        finish = wall_finish(rng) if kind == "masonry" else wood_finish(rng)
        wide, tall = wide * 1.8, tall * 1.8
    else:
        finish = rng.choice(
            [steel(rng), steel(rng), plastic(rng, grey(rng.uniform(0.03, 0.6))), rusty(rng)]
        )
    reach = min(columns * wide, rows * tall) * rng.uniform(0.42, 0.6)
    holes = pattern(rng, columns, rows)
    radius = columns * wide / (2 * math.pi) * 1.6
    fade = max(reach, rows * tall * 0.42) if kind == "pole" else reach
    face = replace(finish, fade_m=fade)
    inside = replace(face, colour=tuple(0.35 * c for c in finish.colour), dirt=0.3)
    dark = Finish("paint", grey(rng.choice([0.003, 0.006, 0.02])), 0.8, dirt=0.0, fade_m=fade)
    shape, depth = hole_shape(rng, wide, tall), rng.uniform(0.004, 0.025)
    for i in range(columns):
        for j in range(rows):
            hole = shape if (i, j) in holes else None
            at = sh.shift(0, (i - (columns - 1) / 2) * wide, (j - (rows - 1) / 2) * tall)
            for mesh, paint in zip(
                holed_cell((wide, tall), hole, depth), (face, inside, dark), strict=True
            ):
                if hole is None and paint is not face:
                    continue
                moved = mesh.moved(at)
                if kind == "pole":
                    moved = bent(moved, radius)
                elif kind == "rail":
                    moved = rolled(moved, tall * 0.12, tall * rows * 0.5)
                model.add(moved, paint)
    return model


def rusty(rng: Random) -> Finish:
    """Return rusted or brown-painted iron."""
    return Finish(
        "paint",
        rng.choice([(0.14, 0.05, 0.02), (0.2, 0.08, 0.03)]),
        0.8,
        0.2,
        0.8,
        scale=rng.uniform(8, 40),
    )


def build_knots(rng: Random) -> Assembly:
    """Return a plank with knots, or a wall with stains and dark discs."""
    model = Assembly("knots")
    size = rng.uniform(0.12, 0.3)
    board = wood_finish(rng)
    model.absorb(wall_patch(rng, size, board), sh.shift())
    for _ in range(rng.randint(1, 4)):
        y, z, r = (
            rng.uniform(-0.3, 0.3) * size,
            rng.uniform(-0.3, 0.3) * size,
            size * rng.uniform(0.04, 0.13),
        )
        tall = rng.uniform(0.8, 1.9)
        for k, level in enumerate((0.6, 0.25, 0.4, rng.choice([0.02, 0.08]))):
            part = r * (1 - 0.22 * k)
            disc = sh.prism(outline(part, part * tall, 2.0, ANGLES), 0, 0.0006 * (k + 1))
            colour = (board.colour[0] * level, board.colour[1] * level, board.colour[2] * level)
            model.add(disc, Finish("paint", colour, 0.85, dirt=0.2, scale=60), sh.shift(0, y, z))
    return model


def build_post_holes(rng: Random) -> Assembly:
    """Return a stretch of square or U-shaped sign post with a row of holes on its faces."""
    model = Assembly("post_holes")
    side, pitch, count = rng.uniform(0.04, 0.09), rng.uniform(0.025, 0.07), rng.randint(4, 9)
    finish = rng.choice(
        [steel(rng), plastic(rng, (0.02, 0.06, 0.04)), rusty(rng), plastic(rng, grey(0.5))]
    )
    finish = replace(finish, fade_m=count * pitch * rng.uniform(0.4, 0.55))
    dark = Finish("paint", grey(0.004), 0.8, dirt=0.0, fade_m=finish.fade_m)
    hole = (side * rng.uniform(0.1, 0.2), side * rng.uniform(0.1, 0.2), 2.0)
    hole = (hole[0], min(hole[1] * rng.choice([1, 1, 2.2]), pitch * 0.4), 3.0)
    faces = rng.choice([(0, 90, 180, 270), (0, 90, 270)])
    for angle in faces:
        pose = sh.shift(-side / 2) @ sh.turn("z", angle) @ sh.shift(side / 2)
        for k in range(count):
            at = pose @ sh.shift(0, 0, (k - (count - 1) / 2) * pitch)
            face, wall, bottom = holed_cell((side, pitch), hole, 0.004)
            model.add(face, finish, at)
            model.add(wall, finish, at)
            model.add(bottom, dark, at)
    return model
