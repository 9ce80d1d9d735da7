"""What carries and makes power on poles; frames as in cameras.py."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from models.blender import shapes as sh
from models.blender.assembly import (
    BLACK,
    CABLE,
    Assembly,
    Finish,
    body_colour,
    grey,
    plastic,
    steel,
)
from models.blender.patches import wood_finish

if TYPE_CHECKING:
    from random import Random


def insulator(rng: Random) -> Assembly:
    """Return one pin, bell or strain insulator upright on the origin."""
    model = Assembly("insulator")
    glaze = Finish(
        "paint",
        rng.choice(
            [(0.12, 0.04, 0.02), grey(0.75), grey(0.45), (0.05, 0.14, 0.12), (0.2, 0.1, 0.05)]
        ),
        0.1,
        dirt=0.2,
    )
    r, style = rng.uniform(0.035, 0.065), rng.random()
    if style < 0.4:
        profile = [
            (r * 0.5, 0),
            (r, 0),
            (r * 0.95, r * 0.6),
            (r * 0.6, r * 0.9),
            (r * 0.65, r * 1.1),
        ]
        profile += [(r * 0.4, r * 1.25), (r * 0.55, r * 1.5), (r * 0.35, r * 1.75), (0, r * 1.8)]
        model.add(sh.lathe(profile, 28), glaze)
        model.add(sh.cylinder(r * 0.2, r), steel(rng), sh.shift(0, 0, -r * 0.9))
    else:
        profile = [(0.0, 0.0)]
        count = rng.choice([3, 5, 8, 11])
        for k in range(count):
            z, wide = k * r * 0.55, r * (1 if k % 2 == 0 else rng.choice([1, 0.8]))
            profile += [
                (wide, z),
                (wide * 0.92, z + r * 0.12),
                (r * 0.35, z + r * 0.3),
                (r * 0.35, z + r * 0.5),
            ]
        profile.append((0.0, count * r * 0.55))
        model.add(sh.lathe(profile, 28), glaze)
        model.add(sh.cylinder(r * 0.3, count * r * 0.55 + r), steel(rng), sh.shift(0, 0, -r * 0.5))
    return model


def build_cross_arm(rng: Random) -> Assembly:
    """Return a cross-arm with insulators, fuses and wires, or strings that hang or pull."""
    model = Assembly("cross_arm")
    half, count = rng.uniform(0.25, 0.6), rng.choice([1, 2, 3, 4])
    beam = rng.choice([wood_finish(rng), steel(rng)])
    model.add(sh.block(0.09, half * 2, 0.1, radius=0.004), beam, sh.shift(0.05))
    for k in range(count):
        y = (k - (count - 1) / 2) * half * 2 / count
        piece = insulator(rng)
        style = rng.random()
        if style < 0.55:
            pose = sh.shift(0.05, y, 0.07)
        elif style < 0.8:
            pose = sh.shift(0.05, y, -0.05) @ sh.turn("x", 180 + rng.uniform(-12, 12))
        else:
            pose = sh.shift(0.1, y, 0) @ sh.turn("y", 90 + rng.uniform(-10, 10))
        model.absorb(piece, pose)
        end = pose @ [0, 0, float(piece.vertices()[:, 2].max()), 1]
        sag = rng.uniform(-0.1, 0.05)
        wire = [(end[0] - 0.45, y, end[2] + sag), tuple(end[:3]), (end[0] + 0.45, y, end[2] + sag)]
        model.add(sh.tube(sh.curve(wire, 6), 0.006, 6), CABLE)
    if rng.random() < 0.35:
        y = rng.uniform(-0.6, 0.6) * half
        pose = sh.shift(0.15, y, -0.15) @ sh.turn("y", rng.uniform(-25, 25))
        model.add(
            sh.cylinder(0.022, 0.32, bevel=0.004),
            plastic(rng, (0.25, 0.1, 0.05)),
            pose @ sh.shift(0, 0, -0.16),
        )
        model.add(sh.cylinder(0.045, 0.05, bevel=0.01), plastic(rng, grey(0.5)), pose)
    return model


def build_transformer(rng: Random) -> Assembly:
    """Return a pole transformer: a can with bushings, fins and a bracket."""
    model = Assembly("transformer")
    body = plastic(rng, rng.choice([grey(0.5), grey(0.35), (0.25, 0.3, 0.25)]))
    r = rng.uniform(0.2, 0.3)
    tall = r * rng.uniform(2.2, 3.2)
    at = sh.shift(r + 0.12, 0, -tall / 2)
    model.add(sh.cylinder(r, tall, bevel=r * 0.12, segments=36), body, at)
    model.add(
        sh.cylinder(r * 1.04, 0.05, bevel=0.01, segments=36), body, at @ sh.shift(0, 0, tall * 0.88)
    )
    for k in range(rng.choice([1, 2, 3])):
        spot = at @ sh.turn("z", k * 110) @ sh.shift(r * 0.5, 0, tall)
        model.absorb(insulator(rng), spot)
    for z in (0.3, 0.7):
        model.add(sh.block(0.16, 0.08, 0.06), steel(rng), sh.shift(0.06, 0, (z - 0.5) * tall))
    for k in range(3):
        plug = sh.cylinder(0.03, 0.06, bevel=0.005, axis="x")
        model.add(
            plug,
            rng.choice([body, BLACK]),
            at @ sh.turn("z", -40 + 40 * k) @ sh.shift(r * 0.98, 0, tall * 0.6),
        )
    return model


def build_solar_mast(rng: Random) -> Assembly:
    """Return a solar panel on a pole with its strut and a battery box, and no camera."""
    model = Assembly("solar_mast")
    wide, long = rng.uniform(0.25, 0.7), rng.uniform(0.3, 0.9)
    frame = Finish("paint", grey(rng.choice([0.45, 0.05])), 0.35, 0.8)
    cells = Finish(
        "solar", (0.008, 0.012, 0.035), 0.12, second=(0.25, 0.26, 0.28), scale=rng.uniform(8, 14)
    )
    pose = (
        sh.shift(-0.04, 0, 0.35)
        @ sh.turn("z", rng.uniform(-180, 180))
        @ sh.turn("y", rng.uniform(15, 60))
    )
    model.add(sh.block(long, wide, 0.03), frame, pose)
    panel = sh.plain_box(
        0.015 - long / 2, long / 2 - 0.015, 0.015 - wide / 2, wide / 2 - 0.015, 0.0145, 0.0165
    )
    model.add(panel, cells, pose)
    for y in (-0.25, 0.25):
        model.add(
            sh.plain_box(
                -long * 0.48, long * 0.48, y * wide - 0.012, y * wide + 0.012, -0.035, -0.014
            ),
            frame,
            pose,
        )
    model.add(sh.tube([(-0.04, 0, -0.1), (-0.04, 0, 0.34)], 0.028, 14), frame)
    model.add(
        sh.tube([(-0.04, 0, 0.0), tuple((pose @ [long * 0.3, 0, -0.03, 1])[:3])], 0.012, 8), frame
    )
    if rng.random() < 0.6:
        box = plastic(rng, rng.choice([grey(0.7), grey(0.3), grey(0.03)]))
        model.add(
            sh.block(0.12, rng.uniform(0.12, 0.25), rng.uniform(0.15, 0.3), radius=0.01),
            box,
            sh.shift(0.07, 0, -0.1),
        )
    if rng.random() < 0.3:
        glow = Finish(
            "glow", rng.choice([(0.9, 0.4, 0.02), (0.9, 0.05, 0.02)]), strength=rng.uniform(0.5, 4)
        )
        for y in (-0.09, 0.09):
            model.add(
                sh.cylinder(0.07, 0.05, bevel=0.01, axis="x"),
                BLACK,
                sh.shift(0.02, y * math.sqrt(2), 0.06),
            )
            model.add(
                sh.cylinder(0.058, 0.053, axis="x"), glow, sh.shift(0.02, y * math.sqrt(2), 0.06)
            )
    model.add(sh.block(0.05, 0.05, 0.05), plastic(rng, body_colour(rng)), sh.shift(0.0, 0, 0.1))
    return model
