"""Number-plate readers: solar-fed pods on poles and wide boxes with several windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.blender import shapes as sh
from models.blender.assembly import (
    BLACK,
    CABLE,
    DARK_GLASS,
    Assembly,
    Finish,
    body_colour,
    grey,
    plastic,
    steel,
)
from models.blender.lens import lens_eye

if TYPE_CHECKING:
    from random import Random


def build_alpr(rng: Random, mount: str = "pole") -> Assembly:
    """Return a plate reader; mount is "pole" or "wall"."""
    model = Assembly("alpr", heads=["alpr"])
    unit = Assembly("unit")
    pod = rng.random() < 0.55
    depth = _pod(unit, rng) if pod else _wide_box(unit, rng)
    pan, tilt = rng.uniform(-80, 80), -rng.uniform(2, 28)
    reach = rng.uniform(0.05, 0.14) + depth * (0.5 if pod else 0.6)
    where = sh.shift(reach) @ sh.aim(pan, tilt)
    for part in unit.parts:
        model.add(part.mesh, part.finish, where, head=0)
    metal = BLACK if pod and rng.random() < 0.6 else steel(rng)
    model.add(sh.tube([(-0.01, 0, 0), (reach * 0.8, 0, 0)], rng.uniform(0.012, 0.022), 12), metal)
    model.add(sh.block(0.02, 0.07, 0.12), metal, sh.shift(0.01))
    if rng.random() < (0.65 if pod else 0.15) and mount == "pole":
        _solar_panel(model, rng)
    if rng.random() < 0.6:
        path = sh.curve(
            [(reach * 0.8, 0, -0.05), (reach, 0.02, -0.25), (0.03, 0.03, -0.2), (0.012, 0.02, -0.5)]
        )
        model.add(sh.tube(path, 0.005, 7), CABLE)
    return model


def _pod(unit: Assembly, rng: Random) -> float:
    """Draw a small dark pod that looks along +x; returns its depth in metres."""
    width, height, depth = rng.uniform(0.07, 0.11), rng.uniform(0.1, 0.2), rng.uniform(0.08, 0.2)
    colour = grey(rng.uniform(0.012, 0.06)) if rng.random() < 0.75 else body_colour(rng)
    shell = plastic(rng, colour)
    corner = rng.choice([0.012, 0.03, width * 0.48])
    unit.add(
        sh.prism(
            sh.rounded(width, height, corner, 6), -depth / 2, depth / 2, rng.choice([0.004, 0.015])
        ),
        shell,
    )
    face = sh.rounded(width * 0.84, height * 0.88, corner * 0.9, 6)
    unit.add(sh.prism(face, 0, 0.004, 0.001), DARK_GLASS, sh.shift(depth / 2 - 0.001))
    up = height * rng.choice([-0.2, 0.0, 0.2])
    unit.absorb(lens_eye(rng, width * rng.uniform(0.18, 0.28)), sh.shift(depth / 2 + 0.003, 0, up))
    if rng.random() < 0.5:
        lamp = sh.cylinder(width * 0.26, 0.004, axis="x")
        unit.add(
            lamp,
            Finish("paint", (0.12, 0.1, 0.1), 0.2),
            sh.shift(depth / 2 + 0.003, 0, -up or -height * 0.25),
        )
    if rng.random() < 0.4:
        over = rng.uniform(0.01, 0.05)
        hood = sh.plain_box(
            -depth / 2,
            depth / 2 + over,
            -width * 0.52,
            width * 0.52,
            height * 0.51,
            height * 0.51 + 0.004,
        )
        unit.add(hood, shell)
    return depth


def _wide_box(unit: Assembly, rng: Random) -> float:
    """Draw a wide box with rows of windows that looks along +x; returns its depth in metres."""
    columns, rows = rng.choice([(2, 1), (3, 1), (3, 2), (2, 2), (4, 1)])
    cell = rng.uniform(0.055, 0.09)
    width, height = columns * cell * 1.15 + 0.02, rows * cell * 1.1 + 0.03
    depth = rng.uniform(0.12, 0.26)
    shell = plastic(rng, body_colour(rng))
    unit.add(
        sh.prism(
            sh.rounded(width, height, rng.choice([0.006, 0.02])), -depth / 2, depth / 2, 0.005
        ),
        shell,
    )
    round_window = rng.random() < 0.5
    camera = rng.randrange(columns * rows)
    red = rng.random() < 0.25
    for k in range(columns * rows):
        y = (k % columns - (columns - 1) / 2) * cell * 1.12
        z = (k // columns - (rows - 1) / 2) * cell * 1.08
        at = sh.shift(depth / 2 - 0.001, y, z)
        if round_window:
            unit.add(sh.cylinder(cell * 0.45, 0.005, bevel=0.001, axis="x"), DARK_GLASS, at)
        else:
            unit.add(
                sh.prism(sh.rounded(cell * 0.95, cell * 0.9, 0.006), 0, 0.004, 0.001),
                DARK_GLASS,
                at,
            )
        if k == camera:
            unit.absorb(lens_eye(rng, cell * 0.3), at @ sh.shift(0.004))
        else:
            lamp = (
                Finish("glow", (0.9, 0.08, 0.05), strength=1.5)
                if red
                else Finish("paint", (0.1, 0.09, 0.09), 0.15)
            )
            for j in range(4):
                dot = at @ sh.shift(
                    0.004, (j % 2 - 0.5) * cell * 0.36, (j // 2 - 0.5) * cell * 0.36
                )
                unit.add(sh.cylinder(cell * 0.11, 0.003, segments=10, axis="x"), lamp, dot)
    if rng.random() < 0.7:
        over, t = rng.uniform(0.02, 0.09), 0.004
        top = height / 2 + 0.004
        unit.add(
            sh.plain_box(
                -depth / 2, depth / 2 + over, -width / 2 - 0.006, width / 2 + 0.006, top, top + t
            ),
            shell,
        )
        if rng.random() < 0.5:
            for side in (-1, 1):
                y0, y1 = sorted((side * (width / 2 + 0.002), side * (width / 2 + 0.006)))
                unit.add(sh.plain_box(-depth / 2, depth / 2 + over, y0, y1, 0, top), shell)
    return depth


def _solar_panel(model: Assembly, rng: Random) -> None:
    """Draw a tilted solar panel above the camera, in a frame on a strut."""
    width, length = rng.uniform(0.3, 0.55), rng.uniform(0.35, 0.65)
    height = rng.uniform(0.25, 0.55)
    pose = (
        sh.shift(-0.04, 0, height)
        @ sh.turn("z", rng.uniform(-180, 180))
        @ sh.turn("y", rng.uniform(20, 55))
        @ sh.shift(0.1)
    )
    frame = Finish("paint", grey(0.45), 0.35, 0.8)
    cells = Finish(
        "solar", (0.008, 0.012, 0.035), 0.12, second=(0.25, 0.26, 0.28), scale=rng.uniform(8, 14)
    )
    model.add(sh.block(length, width, 0.03), frame, pose)
    model.add(
        sh.plain_box(
            -length / 2 + 0.015,
            length / 2 - 0.015,
            -width / 2 + 0.015,
            width / 2 - 0.015,
            0.0145,
            0.0165,
        ),
        cells,
        pose,
    )
    model.add(sh.block(0.06, 0.05, 0.06), frame, sh.shift(-0.04, 0, height - 0.04))
    model.add(sh.tube([(-0.04, 0, height - 0.3), (-0.04, 0, height)], 0.024, 14), frame)
