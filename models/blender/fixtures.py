"""Small things on walls, doors and ceilings; frames as in cameras.py."""

from __future__ import annotations

import math
from dataclasses import replace
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
from models.blender.lamps import lamp_glass
from models.blender.patches import wall_patch, wood_finish

if TYPE_CHECKING:
    from random import Random

HOLLOW = Finish("paint", grey(0.004), 0.8, dirt=0.0)
BRASS = Finish("paint", (0.5, 0.34, 0.12), 0.25, 0.9, 0.2)


def metal_or_paint(rng: Random) -> Finish:
    """Return brass, steel, black or a housing colour."""
    return rng.choice([BRASS, steel(rng), BLACK, plastic(rng, body_colour(rng))])


def build_conduit_box(rng: Random) -> Assembly:
    """Return a round or square conduit box with a cable or tubes on a wall."""
    model = Assembly("conduit_box")
    body = plastic(
        rng, rng.choice([grey(0.7), grey(0.4), grey(0.85), grey(0.04), (0.5, 0.45, 0.3)])
    )
    r, deep = rng.uniform(0.03, 0.06), rng.uniform(0.02, 0.05)
    if rng.random() < 0.65:
        model.add(sh.cylinder(r, deep, bevel=0.004, segments=36, axis="x"), body)
        model.add(sh.cylinder(r * 0.88, deep * 1.06, bevel=0.002, segments=36, axis="x"), body)
    else:
        model.add(sh.block(deep, r * 2, r * 2, radius=0.01, bevel=0.004), body, sh.shift(deep / 2))
    for _ in range(rng.choice([1, 1, 2, 3])):
        a = rng.choice([0, 90, 180, 270])
        far = rng.uniform(2, 4) * r
        pose = sh.turn("x", a)
        model.add(
            sh.cylinder(r * 0.28, r * 0.5, segments=12),
            body,
            pose @ sh.shift(deep / 2, 0, r * 0.85),
        )
        bend = [
            (deep / 2, 0, r),
            (deep / 2, 0, far * 0.6),
            (0.008, rng.uniform(-0.3, 0.3) * r, far),
        ]
        model.add(
            sh.tube(sh.curve(bend, 8), rng.uniform(0.1, 0.22) * r, 8),
            rng.choice([CABLE, body]),
            pose,
        )
    for y in (-0.6, 0.6):
        screw = sh.cylinder(r * 0.1, deep * 1.1, segments=10, axis="x")
        model.add(
            screw, rng.choice([steel(rng), HOLLOW]), sh.shift(0, y * r, y * r * rng.choice([0, 1]))
        )
    return model


def build_door_bell(rng: Random) -> Assembly:
    """Return a bell push, an entry phone or a keypad without a lens."""
    model = Assembly("door_bell")
    body = metal_or_paint(rng)
    wide, tall = rng.uniform(0.03, 0.1), rng.uniform(0.05, 0.22)
    if rng.random() < 0.3:
        model.add(sh.cylinder(wide * 0.6, 0.012, bevel=0.004, segments=32, axis="x"), body)
        button = rng.choice([plastic(rng, grey(0.8)), plastic(rng, grey(0.02)), BRASS])
        model.add(sh.cylinder(wide * 0.25, 0.016, bevel=0.003, axis="x"), button)
        return model
    model.add(
        sh.block(0.02, wide, tall, radius=wide * rng.choice([0.05, 0.3, 0.49])),
        body,
        sh.shift(0.01),
    )
    rows, columns = rng.choice([(1, 1), (3, 1), (6, 1), (4, 3), (5, 2)])
    key = rng.choice([plastic(rng, grey(0.75)), steel(rng), plastic(rng, grey(0.03))])
    for i in range(rows):
        for j in range(columns):
            step = min(wide / columns, tall * 0.55 / rows)
            at = sh.shift(
                0.02, (j - (columns - 1) / 2) * step, -tall * 0.15 + (i - (rows - 1) / 2) * step
            )
            model.add(sh.cylinder(step * 0.35, 0.003, bevel=0.001, axis="x"), key, at)
    for k in range(4):
        z = tall * (0.25 + 0.04 * k)
        model.add(
            sh.plain_box(0.0195, 0.0206, -wide * 0.3, wide * 0.3, z, z + tall * 0.015), HOLLOW
        )
    return model


def build_door_furniture(rng: Random) -> Assembly:
    """Return a knob, a handle, a letter plate or a spy hole on a door."""
    model = Assembly("door_furniture")
    metal, style = metal_or_paint(rng), rng.random()
    size = rng.uniform(0.02, 0.035)
    door = rng.choice(
        [
            wood_finish(rng),
            plastic(
                rng, rng.choice([grey(0.02), (0.2, 0.01, 0.01), (0.01, 0.05, 0.15), grey(0.7)])
            ),
        ]
    )
    model.absorb(wall_patch(rng, size * rng.uniform(4, 8), door), sh.shift())
    if style < 0.35:
        profile = [(size * 1.3, 0), (size * 1.3, 0.006), (size * 0.45, 0.01), (size * 0.45, size)]
        profile += [
            (size * 0.9, size * 1.3),
            (size, size * 1.7),
            (size * 0.6, size * 2.1),
            (0, size * 2.15),
        ]
        model.add(sh.lathe(profile, 32, "x"), metal)
    elif style < 0.6:
        model.add(
            sh.block(0.008, size * 1.5, size * rng.choice([1.5, 6]), radius=size * 0.3),
            metal,
            sh.shift(0.004),
        )
        path = [(0, 0, size), (0.045, 0, size), (0.05, 0.01, size), (0.05, size * 4, size)]
        model.add(sh.tube(path, size * 0.32, 14), metal)
        model.add(sh.cylinder(size * 0.3, 0.0095, axis="x"), HOLLOW, sh.shift(0, 0, -size * 1.5))
    elif style < 0.85:
        wide = size * 8
        model.add(sh.block(0.008, wide, size * 2.6, radius=size * 0.3), metal, sh.shift(0.004))
        flap = rng.choice([metal, HOLLOW])
        model.add(sh.block(0.006, wide * 0.8, size * 1.3, radius=size * 0.1), flap, sh.shift(0.007))
    else:
        model.add(
            sh.lathe(
                [(size * 0.5, 0), (size * 0.5, 0.004), (size * 0.3, 0.006), (size * 0.25, 0.003)],
                24,
                "x",
            ),
            metal,
        )
        model.add(sh.cylinder(size * 0.28, 0.004, axis="x"), DARK_GLASS)
    return model


def build_vent(rng: Random) -> Assembly:
    """Return a vent: a louvred grille, a cowl or an open pipe end."""
    model = Assembly("vent")
    body = rng.choice([plastic(rng, body_colour(rng)), steel(rng)])
    size, style = rng.uniform(0.05, 0.12), rng.random()
    if style < 0.45:
        square = rng.random() < 0.6
        shape = sh.rounded(size * 2, size * 2, size * (0.1 if square else 0.99), 8)
        model.add(sh.prism(shape, 0, 0.012, 0.004), body)
        model.add(sh.prism(shape * 0.84, 0.012, 0.0126), HOLLOW)
        for k in range(rng.choice([4, 6, 9])):
            z = (k - 3) * size * 0.25
            half = 0.8 * size * (1 if square else math.sqrt(max(0.05, 1 - (z / size / 0.85) ** 2)))
            if abs(z) < size * 0.8:
                slat = sh.plain_box(0, 0.012, -half, half, -0.002, 0.002)
                model.add(slat, body, sh.shift(0.013, 0, z) @ sh.turn("y", 40))
    elif style < 0.75:
        hood = sh.ball(size, start_deg=-20, end_deg=90, rings=8)
        model.add(hood, body, sh.shift(size * 0.1) @ sh.turn("y", 55))
        model.add(sh.cylinder(size * 0.9, 0.01, axis="x"), HOLLOW, sh.shift(0.005, 0, -size * 0.1))
        model.add(sh.block(0.01, size * 2.4, size * 2.4, radius=0.01), body, sh.shift(0.003))
    else:
        out = size * rng.uniform(0.8, 2.5)
        pose = sh.turn("y", rng.uniform(0, 25))
        rim = [(size * 0.6, 0), (size * 0.6, out), (size * 0.55, out), (size * 0.52, out * 0.2)]
        model.add(sh.lathe(rim, 32, "x"), body, pose)
        model.add(sh.cylinder(size * 0.54, 0.002, axis="x"), HOLLOW, pose @ sh.shift(out * 0.6))
        model.add(sh.cylinder(size * 0.85, 0.008, bevel=0.002, segments=32, axis="x"), body)
    return model


def build_gutter(rng: Random) -> Assembly:
    """Return a corner of a gutter with its downspout and brackets."""
    model = Assembly("gutter")
    body = rng.choice([steel(rng), plastic(rng, body_colour(rng)), plastic(rng, (0.1, 0.04, 0.02))])
    r, half = rng.uniform(0.05, 0.07), rng.uniform(0.2, 0.45)
    section = sh.arch(r, 0.003, 90)
    trough = sh.prism(section * (1, -1), -half, half)
    model.add(trough, replace(body, fade_m=half), sh.shift(r * 1.2, 0, 0) @ sh.turn("z", 90))
    y = rng.uniform(-0.3, 0.3) * half
    down = [
        (r * 1.2, y, -r),
        (r * 1.2, y, -r * 2),
        (r * 0.7, y, -r * 3.5),
        (r * 0.7, y, -half * 1.4),
    ]
    model.add(sh.tube(down, r * 0.62, 18), replace(body, fade_m=half * 1.3))
    model.add(sh.cylinder(r * 0.72, r * 0.8, bevel=0.003), body, sh.shift(r * 1.2, y, -r * 1.7))
    model.add(sh.cylinder(r * 0.7, r * 0.4, bevel=0.003), body, sh.shift(r * 0.7, y, -r * 4.4))
    return model


def build_wall_speaker(rng: Random) -> Assembly:
    """Return a wall speaker, a horn siren, a strobe or a round clock."""
    model = Assembly("wall_speaker")
    body, style = plastic(rng, body_colour(rng)), rng.random()
    size = rng.uniform(0.06, 0.14)
    pose = sh.shift(size * 0.9) @ sh.aim(rng.uniform(-40, 40), -rng.uniform(0, 25))
    if style < 0.4:
        model.add(
            sh.block(size * 1.4, size * 1.4, size * 2.2, radius=size * 0.2, bevel=0.01), body, pose
        )
        mesh_grey = plastic(rng, grey(rng.choice([0.02, 0.1, 0.5])))
        model.add(
            sh.block(0.006, size * 1.2, size * 2, radius=size * 0.15),
            mesh_grey,
            pose @ sh.shift(size * 0.7),
        )
        for z, part in ((-0.35, 0.48), (0.55, 0.2)):
            model.add(
                sh.cylinder(size * part, 0.003, axis="x"),
                HOLLOW,
                pose @ sh.shift(size * 0.703, 0, size * z),
            )
        model.add(sh.block(size * 0.8, 0.03, 0.04), BLACK, sh.shift(size * 0.3))
    elif style < 0.7:
        red = plastic(
            rng, rng.choice([(0.5, 0.02, 0.01), grey(0.7), (0.05, 0.08, 0.3), (0.7, 0.4, 0.02)])
        )
        model.add(sh.cylinder(size * 0.8, size * 0.5, bevel=0.008, segments=32, axis="x"), red)
        cone = [
            (size * 0.75, size * 0.5),
            (size * 0.7, size * 0.9),
            (size * 0.6, size * 0.9),
            (size * 0.15, size * 0.55),
        ]
        model.add(sh.lathe(cone, 32, "x"), red)
        model.add(
            sh.cylinder(size * 0.2, size * 0.6, axis="x"), rng.choice([BLACK, red, lamp_glass(rng)])
        )
    else:
        dial = plastic(rng, grey(rng.choice([0.8, 0.8, 0.03])))
        r = size * 1.8
        rim = [(r, 0), (r, size * 0.5), (r * 0.9, size * 0.5), (r * 0.9, size * 0.4)]
        model.add(sh.lathe(rim, 40, "x"), rng.choice([BLACK, steel(rng), body]))
        model.add(sh.cylinder(r * 0.92, size * 0.38, segments=40, axis="x"), dial)
        ink = plastic(rng, grey(0.01 if dial.colour[0] > 0.3 else 0.8))
        for hour in range(12):
            mark = sh.plain_box(0, size * 0.4, -r * 0.02, r * 0.02, r * 0.7, r * 0.85)
            model.add(mark, ink, sh.turn("x", hour * 30))
        for long, wide in ((0.75, 0.025), (0.5, 0.035)):
            hand = sh.plain_box(0, size * 0.42, -r * wide, r * wide, -r * 0.1, r * long)
            model.add(hand, ink, sh.turn("x", rng.uniform(0, 360)))
    return model
