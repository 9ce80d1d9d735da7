"""Pan-tilt-zoom cameras: hanging speed domes, ball heads and housings on a pan-tilt motor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.blender import shapes as sh
from models.blender.assembly import BLACK, DARK_GLASS, Assembly, Finish, body_colour, plastic, steel
from models.blender.domes import bubble_finish
from models.blender.lens import lens_eye

if TYPE_CHECKING:
    from random import Random


def build_ptz(rng: Random) -> Assembly:
    """Return a moving camera on an arm from a wall or a pole."""
    model = Assembly("ptz", heads=["ptz"])
    body = plastic(rng, body_colour(rng))
    unit = Assembly("unit")
    style = rng.random()
    if style < 0.55:
        _speed_dome(unit, rng, body)
    elif style < 0.85:
        _ball_head(unit, rng, body)
    else:
        _motor_housing(unit, rng, body)
    metal = plastic(rng, body.colour) if rng.random() < 0.7 else steel(rng)
    if style < 0.85:
        reach, drop = _gooseneck(model, rng, metal)
        where = sh.shift(reach, 0, drop) @ sh.turn("z", rng.uniform(-180, 180))
    else:
        reach = rng.uniform(0.2, 0.35)
        model.add(
            sh.tube([(0, 0, -0.08), (reach * 0.8, 0, -0.02), (reach, 0, 0)], 0.028, 14), metal
        )
        model.add(sh.block(0.02, 0.14, 0.2), metal, sh.shift(0.01, 0, -0.05))
        where = sh.shift(reach) @ sh.turn("z", rng.uniform(-90, 90))
    for part in unit.parts:
        model.add(part.mesh, part.finish, where, head=0)
    return model


def _gooseneck(model: Assembly, rng: Random, metal: Finish) -> tuple[float, float]:
    """Draw the bent arm and its base; returns where the head hangs: reach and height in metres."""
    reach = rng.uniform(0.22, 0.6)
    drop = -rng.uniform(0.0, 0.15)
    thick = rng.uniform(0.018, 0.028)
    rise = rng.uniform(0.03, 0.25) if rng.random() < 0.6 else 0.02
    path = sh.curve(
        [
            (0, 0, 0),
            (reach * 0.35, 0, rise),
            (reach, 0, rise * 1.5),
            (reach, 0, rise * 0.6),
            (reach, 0, drop),
        ],
        18,
    )
    model.add(sh.tube(path, thick, 14), metal)
    model.add(sh.cylinder(thick * 1.5, 0.05, bevel=0.005), metal, sh.shift(reach, 0, drop - 0.005))
    if rng.random() < 0.55:
        depth = rng.uniform(0.06, 0.12)
        model.add(
            sh.block(depth, rng.uniform(0.12, 0.22), rng.uniform(0.18, 0.3), radius=0.012),
            metal,
            sh.shift(depth / 2),
        )
    else:
        model.add(sh.block(0.02, 0.12, 0.18, radius=0.01), metal, sh.shift(0.01))
    return reach, drop


def _speed_dome(unit: Assembly, rng: Random, body: Finish) -> None:
    """Draw a cap, a round housing and a bubble below, hanging from the origin."""
    radius = rng.uniform(0.075, 0.125)
    cap = radius * rng.uniform(1.0, 1.55)
    height = radius * rng.uniform(0.9, 1.9)
    brim = height * rng.uniform(0.45, 0.95)
    profile = [
        (radius * 0.5, -height),
        (radius * 0.96, -height),
        (radius, -height * 0.95),
        (radius, -brim - 0.004),
    ]
    profile += [
        (cap * 0.98, -brim),
        (cap, -brim + 0.01),
        (cap * 0.92, -brim * 0.6),
        (radius * 0.75, -brim * 0.2),
        (radius * 0.32, 0),
        (0, 0),
    ]
    unit.add(sh.lathe(profile, 44), body)
    glass = bubble_finish(rng)
    bubble = radius * rng.uniform(0.82, 0.95)
    shell = sh.ball(bubble, start_deg=-90, end_deg=5, rings=14, segments=44)
    shell.vertices[:, 2] *= rng.uniform(0.8, 1.1)
    unit.add(shell, glass, sh.shift(0, 0, -height))
    if rng.random() < 0.35:
        band = plastic(rng, (0.02, 0.02, 0.02))
        unit.add(
            sh.cylinder(radius * 1.01, height * 0.12, segments=44),
            band,
            sh.shift(0, 0, -height * 0.98),
        )
    if glass.recipe == "bubble":
        unit.add(sh.ball(bubble * 0.6, rings=8), BLACK, sh.shift(0, 0, -height))
        pose = sh.aim(rng.uniform(-180, 180), -rng.uniform(5, 60))
        unit.absorb(
            lens_eye(rng, bubble * 0.34), sh.shift(0, 0, -height) @ pose @ sh.shift(bubble * 0.5)
        )


def _ball_head(unit: Assembly, rng: Random, body: Finish) -> None:
    """Draw a cap with a ball below it that carries a window, a lens and lights."""
    radius = rng.uniform(0.065, 0.11)
    cap = radius * rng.uniform(1.05, 1.3)
    height = radius * rng.uniform(0.8, 1.3)
    profile = [
        (radius * 0.8, -height),
        (cap * 0.98, -height),
        (cap, -height * 0.85),
        (cap * 0.9, -height * 0.4),
        (radius * 0.4, 0),
        (0, 0),
    ]
    unit.add(sh.lathe(profile, 40), body)
    centre = sh.shift(0, 0, -height - radius * rng.uniform(0.45, 0.8))
    shade = body if rng.random() < 0.7 else plastic(rng, (0.02, 0.02, 0.02))
    unit.add(sh.ball(radius, rings=16, segments=40), shade, centre)
    pose = sh.aim(rng.uniform(-180, 180), -rng.uniform(0, 45))
    x = radius * 0.72
    window = sh.prism(
        sh.rounded(radius * 1.3, radius * 0.95, radius * 0.3, 6), 0, radius * 0.24, 0.004
    )
    unit.add(window, DARK_GLASS, centre @ pose @ sh.shift(x))
    unit.absorb(lens_eye(rng, radius * 0.3), centre @ pose @ sh.shift(x + radius * 0.25))
    if rng.random() < 0.5:
        for side in (-1, 1):
            pod = sh.cylinder(radius * 0.28, radius * 0.7, bevel=0.006, axis="x")
            unit.add(pod, shade, centre @ pose @ sh.shift(radius * 0.2, side * radius * 1.0))
            unit.add(
                sh.cylinder(radius * 0.22, 0.004, axis="x"),
                DARK_GLASS,
                centre @ pose @ sh.shift(radius * 0.9, side * radius * 1.0),
            )


def _motor_housing(unit: Assembly, rng: Random, body: Finish) -> None:
    """Draw a boxed camera in the fork of a pan-tilt motor that stands on the origin."""
    width, length = rng.uniform(0.1, 0.15), rng.uniform(0.28, 0.42)
    unit.add(sh.cylinder(width * 0.5, 0.12, bevel=0.008, segments=30), body)
    unit.add(sh.block(0.11, width * 1.5, 0.07, radius=0.01), body, sh.shift(0, 0, 0.14))
    for side in (-1, 1):
        unit.add(
            sh.block(0.08, 0.02, 0.16, radius=0.006), body, sh.shift(0, side * width * 0.7, 0.22)
        )
    pose = sh.shift(0, 0, 0.26) @ sh.aim(0, rng.uniform(-35, 5))
    unit.add(
        sh.prism(sh.rounded(width, width * 0.95, 0.02), -length / 2, length / 2, 0.006), body, pose
    )
    unit.add(
        sh.prism(sh.rounded(width * 0.85, width * 0.8, 0.015), 0, 0.006, 0.001),
        DARK_GLASS,
        pose @ sh.shift(length / 2 - 0.002),
    )
    unit.absorb(lens_eye(rng, width * 0.22), pose @ sh.shift(length / 2 + 0.004))
    shield = sh.plain_box(
        -length / 2,
        length / 2 + 0.05,
        -width * 0.56,
        width * 0.56,
        width * 0.53,
        width * 0.53 + 0.004,
    )
    unit.add(shield, body, pose)
