"""Signs and stickers that show a camera or a round mark; frames as in cameras.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.blender import shapes as sh
from models.blender.assembly import Assembly, Finish, grey, plastic, steel

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray


def print_flat(model: Assembly, shape: NDArray, ink: Finish, pose: NDArray, layer: int) -> None:
    """Draw a flat shape (M, 2) in (y, z) as a print on a plate; layers lie 0.4 mm apart."""
    model.add(sh.prism(shape, 0, 0.0004 * (layer + 1)), ink, pose)


def placed(shape: NDArray, y: float, z: float) -> NDArray:
    """Return the shape (M, 2) moved by y, z metres."""
    return np.asarray(shape + np.array((y, z)))


def scribble(
    model: Assembly, rng: Random, ink: Finish, pose: NDArray, size: tuple[float, float]
) -> None:
    """Draw a line of letter-like strokes, size (wide, tall) in metres, about the pose's origin."""
    wide, tall = size
    y = -wide / 2
    while y < wide / 2:
        step = tall * rng.uniform(0.35, 0.75)
        if rng.random() < 0.85:
            for up in rng.choice([(0.0,), (-0.35, 0.35), (-0.38, 0, 0.38)]):
                stroke = sh.rounded(step * 0.8, tall * (0.9 if up == 0.0 else 0.2), 0.001, 1)
                print_flat(model, placed(stroke, y + step / 2, up * tall), ink, pose, 1)
        y += step


def bullet_mark(model: Assembly, rng: Random, ink: Finish, pose: NDArray, size: float) -> None:
    """Draw the side view of a bullet camera on its bracket, size metres long."""
    aim = pose @ sh.turn("x", rng.uniform(5, 30)) @ sh.shift(0, 0, size * 0.15)
    print_flat(model, sh.rounded(size * 0.75, size * 0.26, size * 0.03), ink, aim, 1)
    print_flat(
        model,
        placed(sh.rounded(size * 0.14, size * 0.17, size * 0.02), size * 0.46, 0),
        ink,
        aim,
        1,
    )
    if rng.random() < 0.5:
        print_flat(
            model,
            placed(sh.rounded(size * 0.9, size * 0.05, size * 0.01), size * 0.06, size * 0.18),
            ink,
            aim,
            1,
        )
    print_flat(
        model,
        placed(sh.rounded(size * 0.08, size * 0.3, size * 0.01), -size * 0.1, -size * 0.2),
        ink,
        pose,
        1,
    )
    print_flat(
        model,
        placed(sh.rounded(size * 0.3, size * 0.08, size * 0.01), -size * 0.22, -size * 0.33),
        ink,
        pose,
        1,
    )
    print_flat(
        model,
        placed(sh.rounded(size * 0.07, size * 0.3, size * 0.01), -size * 0.38, -size * 0.33),
        ink,
        pose,
        1,
    )


def dome_mark(model: Assembly, ink: Finish, paper: Finish, pose: NDArray, size: float) -> None:
    """Draw the outline of a dome camera or of an eye, size metres wide."""
    print_flat(
        model, placed(sh.rounded(size * 0.8, size * 0.18, size * 0.03), 0, size * 0.2), ink, pose, 1
    )
    half = sh.arch(size * 0.001, size * 0.3, 90) * (1, -1)
    print_flat(model, placed(half[::-1], 0, size * 0.1), ink, pose, 1)
    print_flat(model, sh.rounded(size * 0.2, size * 0.2, size * 0.099, 6), paper, pose, 2)


def build_camera_sign(rng: Random) -> Assembly:
    """Return a plate that says a camera is in operation: a pictogram and lines of print."""
    model = Assembly("camera_sign")
    paper_colour, ink_colour = rng.choice(
        [
            (grey(0.82), grey(0.02)),
            (grey(0.82), (0.02, 0.08, 0.45)),
            ((0.85, 0.6, 0.02), grey(0.02)),
            ((0.02, 0.08, 0.4), grey(0.85)),
            (grey(0.8), (0.6, 0.02, 0.02)),
            ((0.02, 0.25, 0.08), grey(0.85)),
            (grey(0.03), (0.85, 0.6, 0.02)),
        ]
    )
    paper, ink = plastic(rng, paper_colour), Finish("paint", ink_colour, 0.5, dirt=0.05)
    wide = rng.uniform(0.15, 0.45)
    tall = wide * rng.choice([0.7, 1.0, 1.35, 1.5])
    pose = sh.shift(rng.choice([0.004, 0.03])) @ sh.turn("x", rng.gauss(0, 1.5))
    model.add(
        sh.block(0.003, wide, tall, radius=wide * rng.choice([0.01, 0.06]), bevel=0.001),
        paper,
        pose,
    )
    front = pose @ sh.shift(0.0016)
    size = min(wide, tall) * rng.uniform(0.5, 0.75)
    mark = front @ sh.shift(0, 0, tall * 0.16)
    frame = rng.random()
    if frame < 0.3:
        print_flat(model, sh.rounded(size * 1.25, size * 1.25, size * 0.62, 10), ink, mark, 0)
        ink, back = paper, ink
        mark = mark @ sh.shift(0.0004)
    else:
        back = paper
        if frame < 0.55:
            print_flat(
                model,
                sh.rounded(wide * 0.94, tall * 0.94, wide * 0.03),
                ink,
                front @ sh.shift(-0.0002),
                0,
            )
            print_flat(model, sh.rounded(wide * 0.9, tall * 0.91, wide * 0.03), paper, front, 0)
    if rng.random() < 0.75:
        mirrored = mark @ np.diag((1.0, rng.choice([-1.0, 1.0]), 1.0, 1.0))
        bullet_mark(model, rng, ink, mirrored, size)
    else:
        dome_mark(model, ink, back, mark, size)
    letters = ink if frame >= 0.3 else back
    for k in range(rng.choice([1, 2, 3])):
        line = front @ sh.shift(0, 0, -tall * (0.26 + 0.09 * k))
        scribble(model, rng, letters, line, (wide * rng.uniform(0.5, 0.85), tall * 0.06))
    for z in (-0.46, 0.46):
        model.add(
            sh.cylinder(0.005, 0.004, segments=10, axis="x"),
            steel(rng),
            pose @ sh.shift(0, 0, tall * z),
        )
    return model


def build_round_sticker(rng: Random) -> Assembly:
    """Return a sticker or a small plate with a round mark, a ring or a dark spot."""
    model = Assembly("round_sticker")
    colours = [
        grey(0.8),
        grey(0.02),
        (0.6, 0.02, 0.02),
        (0.02, 0.08, 0.4),
        (0.75, 0.55, 0.02),
        (0.02, 0.3, 0.1),
    ]
    first, second, third = rng.sample(colours, 3)
    size = rng.uniform(0.03, 0.12)
    if rng.random() < 0.6:
        shape = rng.choice(
            [
                sh.rounded(size * 2.2, size * 2.2, size * 0.1),
                sh.rounded(size * 1.9, size * 3, size * 0.1),
                sh.rounded(size * 2.1, size * 2.1, size, 8),
            ]
        )
        print_flat(model, shape, plastic(rng, first), sh.shift(), 0)
    rings = rng.choice([1, 2, 2, 3])
    for k in range(rings):
        r = size * (0.9 - 0.28 * k)
        colour = (second, third, second)[k]
        print_flat(
            model, sh.rounded(r * 2, r * 2, r * 0.999, 10), plastic(rng, colour), sh.shift(), k + 1
        )
    if rng.random() < 0.5:
        bar = sh.rounded(size * 1.7, size * 0.2, 0.001)
        model.add(
            sh.prism(bar, 0, 0.0026), plastic(rng, second), sh.turn("x", rng.choice([0, 45, 90]))
        )
    return model
