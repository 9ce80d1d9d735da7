"""Sensors, lights and radios on ceilings and high on walls; frames as in cameras.py."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from models.blender import shapes as sh
from models.blender.assembly import BLACK, Assembly, Finish, grey, plastic, steel
from models.blender.fixtures import HOLLOW
from models.blender.lamps import lamp_glass
from models.blender.patches import wall_patch

if TYPE_CHECKING:
    from random import Random


def build_motion_sensor(rng: Random) -> Assembly:
    """Return a passive infra-red sensor: a small case with a milky window."""
    model = Assembly("motion_sensor")
    body = plastic(rng, rng.choice([grey(0.8), grey(0.7), grey(0.03)]))
    milky = Finish("paint", grey(rng.uniform(0.5, 0.85)), 0.25, dirt=0.1)
    size, style = rng.uniform(0.03, 0.06), rng.random()
    if style < 0.5:
        model.add(
            sh.block(size * 0.9, size * 1.2, size * 2, radius=size * 0.3, bevel=size * 0.15),
            body,
            sh.shift(size * 0.45),
        )
        pane = sh.ellipsoid(size * 0.3, size * 0.45, size * 0.5)
        model.add(pane, milky, sh.shift(size * 0.8, 0, -size * 0.3))
    else:
        model.add(sh.block(0.02, size * 1.4, size * 1.6, radius=0.006), body, sh.shift(0.01))
        pose = sh.shift(size * 1.3, 0, -size * 0.2) @ sh.aim(
            rng.uniform(-50, 50), -rng.uniform(0, 40)
        )
        model.add(sh.tube([(0, 0, 0), (size * 1.3, 0, -size * 0.2)], size * 0.25), body)
        model.add(sh.ball(size * 0.8, rings=12), rng.choice([body, milky]), pose)
        model.add(
            sh.ball(size * 0.72, start_deg=10, rings=10),
            milky,
            pose @ sh.shift(size * 0.18) @ sh.turn("y", 90),
        )
    return model


def build_ceiling_disc(rng: Random) -> Assembly:
    """Return a downlight, detector, access point, speaker or sprinkler on a piece of ceiling."""
    model = Assembly("ceiling_disc")
    body = plastic(rng, grey(rng.uniform(0.6, 0.85)))
    r, style = rng.uniform(0.04, 0.1), rng.random()
    down = sh.turn("x", 180)
    if style < 0.3:
        rim = [(r, 0), (r, 0.004), (r * 0.85, 0.008), (r * 0.75, -0.0), (r * 0.6, -0.02)]
        model.add(sh.lathe(rim, 40), rng.choice([body, steel(rng), BLACK]), down)
        model.add(
            sh.cylinder(r * 0.76, 0.002, segments=32), rng.choice([lamp_glass(rng), HOLLOW]), down
        )
        model.add(sh.ball(r * 0.4, rings=6), lamp_glass(rng))
    elif style < 0.6:
        flat = r * rng.uniform(0.15, 0.4)
        profile = [(r, 0), (r, flat * 0.3), (r * 0.93, flat * 0.8), (r * 0.6, flat), (0, flat)]
        square = rng.random() < 0.4
        model.add(sh.lathe(profile, 4 if square else 40), body, down @ sh.turn("z", 45))
        light = rng.choice([(0.1, 0.4, 1.0), (0.1, 0.9, 0.2), (0.9, 0.1, 0.05)])
        dot = sh.cylinder(r * 0.05, flat * 1.06, segments=12)
        model.add(dot, Finish("glow", light, strength=3), down @ sh.shift(rng.choice([0, 0.3]) * r))
        if rng.random() < 0.4:
            ring = [(r * 0.4, flat), (r * 0.4, flat * 1.05), (r * 0.36, flat * 1.05)]
            model.add(sh.lathe(ring, 32), plastic(rng, grey(0.3)), down)
    elif style < 0.85:
        deep = r * rng.uniform(0.4, 0.7)
        profile = [
            (r, 0),
            (r * 0.95, deep * 0.4),
            (r * 0.6, deep * 0.5),
            (r * 0.6, deep * 0.75),
            (r * 0.5, deep),
            (0, deep),
        ]
        model.add(sh.lathe(profile, 40), body, down)
        for k in range(rng.choice([8, 12, 16])):
            slot = sh.plain_box(r * 0.58, r * 0.605, -r * 0.06, r * 0.06, deep * 0.53, deep * 0.72)
            model.add(slot, HOLLOW, down @ sh.turn("z", k * 22.5))
        model.add(
            sh.cylinder(r * 0.05, deep * 1.03, segments=10),
            Finish("glow", (0.9, 0.03, 0.02), strength=2),
            down @ sh.shift(r * 0.3),
        )
    else:
        model.add(sh.cylinder(r, 0.006, bevel=0.002, segments=40), body, down)
        for ring in range(1, 6):
            for k in range(ring * 6):
                a = 2 * math.pi * k / (ring * 6)
                at = sh.shift(r * 0.15 * ring * math.cos(a), r * 0.15 * ring * math.sin(a))
                model.add(sh.cylinder(r * 0.035, 0.0066, segments=6), HOLLOW, down @ at)
    if rng.random() < 0.6:
        patch = wall_patch(
            rng, r * rng.uniform(1.8, 3.5), plastic(rng, grey(rng.uniform(0.4, 0.8)))
        )
        model.absorb(patch, sh.turn("y", 90))
    return model


def build_access_point(rng: Random) -> Assembly:
    """Return a wireless access point on a wall, with or without rod antennas."""
    model = Assembly("access_point")
    body = plastic(rng, rng.choice([grey(0.8), grey(0.7), grey(0.5), grey(0.05)]))
    size, deep = rng.uniform(0.08, 0.14), rng.uniform(0.02, 0.05)
    corner = rng.choice([0.15, 0.4, 0.99])
    model.add(sh.prism(sh.rounded(size * 2, size * 2, size * corner, 8), 0, deep, deep * 0.4), body)
    light = rng.choice([(0.1, 0.4, 1.0), (0.1, 0.9, 0.2), (1.0, 0.9, 0.8)])
    dot = sh.cylinder(size * 0.05, deep * 1.02, segments=12, axis="x")
    model.add(dot, Finish("glow", light, strength=2), sh.shift(0, 0, size * rng.choice([0, 0.5])))
    if rng.random() < 0.4:
        for y in (-0.6, 0.6):
            rod = [(deep / 2, y * size, size), (deep / 2, y * size, size * rng.uniform(1.6, 2.6))]
            model.add(sh.tube(rod, size * 0.07, 10), rng.choice([body, BLACK]))
    return model


def build_exit_light(rng: Random) -> Assembly:
    """Return an emergency light with two lamps or a lit exit sign."""
    model = Assembly("exit_light")
    body, size = plastic(rng, grey(rng.uniform(0.6, 0.85))), rng.uniform(0.1, 0.16)
    if rng.random() < 0.5:
        model.add(
            sh.block(0.06, size * 2, size * 0.8, radius=0.01, bevel=0.006), body, sh.shift(0.03)
        )
        for side in (-1, 1):
            pose = sh.shift(0.06, side * size * 0.75, size * rng.choice([0.4, -0.5])) @ sh.aim(
                side * rng.uniform(0, 50), -20
            )
            model.add(sh.cylinder(size * 0.32, size * 0.5, bevel=0.01, axis="x"), body, pose)
            model.add(
                sh.cylinder(size * 0.27, 0.004, axis="x"),
                lamp_glass(rng),
                pose @ sh.shift(size * 0.5),
            )
        return model
    green = rng.choice([(0.02, 0.45, 0.15), (0.6, 0.02, 0.02)])
    model.add(sh.block(0.05, size * 2.4, size * 1.1, radius=0.008), body, sh.shift(0.03))
    face = Finish("glow", green, strength=rng.uniform(0.6, 2))
    model.add(sh.block(0.004, size * 2.2, size * 0.95, radius=0.004), face, sh.shift(0.057))
    white = Finish("glow", (0.9, 0.95, 0.9), strength=1.2)
    for k in range(4):
        letter = sh.block(0.003, size * 0.28, size * 0.5, radius=0.004)
        model.add(letter, white, sh.shift(0.06, (k - 1.5) * size * 0.45))
    return model
