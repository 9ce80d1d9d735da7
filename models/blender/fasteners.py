"""Bolts, nuts, clamps and brackets on a piece of what they hold; frames as in cameras.py."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from models.blender import shapes as sh
from models.blender.assembly import BLACK, Assembly, Finish, grey, plastic, steel
from models.blender.patches import holed_cell, rusty, wall_finish, wall_patch

if TYPE_CHECKING:
    from random import Random


def fastener(rng: Random, radius: float) -> Assembly:
    """Return one bolt, nut, rivet, screw or cap of the radius in metres, out of the wall."""
    model = Assembly("fastener")
    metal = rng.choice(
        [steel(rng), steel(rng), rusty(rng), plastic(rng, grey(rng.uniform(0.02, 0.6)))]
    )
    style = rng.random()
    washer = radius * rng.uniform(1.3, 1.9)
    if style < 0.8:
        model.add(
            sh.cylinder(washer, radius * 0.18, bevel=radius * 0.05, axis="x"),
            rng.choice([metal, steel(rng)]),
        )
    if style < 0.45:
        turn = sh.turn("x", rng.uniform(0, 60))
        model.add(
            sh.cylinder(radius, radius * 0.9, bevel=radius * 0.12, segments=6, axis="x"),
            metal,
            turn,
        )
        if rng.random() < 0.6:
            out = radius * rng.uniform(1.1, 2.4)
            model.add(
                sh.cylinder(radius * 0.55, out, bevel=radius * 0.08, segments=16, axis="x"), metal
            )
    elif style < 0.7:
        cap = sh.ball(radius, start_deg=0, end_deg=90, rings=6)
        cap.vertices[:, 2] *= rng.uniform(0.35, 0.9)
        model.add(cap, metal, sh.turn("y", 90))
    else:
        model.add(sh.cylinder(radius, radius * 0.4, bevel=radius * 0.12, axis="x"), metal)
        dark = Finish("paint", grey(0.004), 0.7, dirt=0.0)
        x = radius * 0.4
        if rng.random() < 0.5:
            model.add(sh.cylinder(radius * 0.5, x * 1.04, segments=6, axis="x"), dark)
        else:
            for angle in rng.choice([(0,), (0, 90)]):
                slot = sh.plain_box(
                    0, x * 1.04, -radius * 0.75, radius * 0.75, -radius * 0.1, radius * 0.1
                )
                model.add(slot, dark, sh.turn("x", angle + rng.uniform(0, 40)))
    return model


def build_fasteners(rng: Random) -> Assembly:
    """Return one to several bolts or rivets on a piece of plate, wall or anchor plate."""
    model = Assembly("fasteners")
    radius = rng.uniform(0.006, 0.02)
    columns, rows = rng.choice([(1, 1), (1, 1), (2, 1), (1, 3), (2, 2), (2, 3), (1, 5)])
    pitch = radius * rng.uniform(4, 8)
    size = max(columns, rows) * pitch * rng.uniform(0.6, 0.95)
    base = rng.choice(
        [steel(rng), rusty(rng), plastic(rng, grey(rng.uniform(0.05, 0.7))), wall_finish(rng)]
    )
    model.absorb(wall_patch(rng, size, base), sh.shift())
    lift = 0.0
    if rng.random() < 0.35:
        lift = radius * 0.5
        plate = sh.block(
            lift, columns * pitch, rows * pitch, radius=radius * rng.choice([0.2, 1.5])
        )
        model.add(
            plate, rng.choice([steel(rng), rusty(rng), plastic(rng, grey(0.3))]), sh.shift(lift / 2)
        )
    for i in range(columns):
        for j in range(rows):
            at = sh.shift(lift, (i - (columns - 1) / 2) * pitch, (j - (rows - 1) / 2) * pitch)
            model.absorb(fastener(rng, radius), at)
    return model


def build_lug(rng: Random) -> Assembly:
    """Return a bracket or a lug with a hole, and a bolt or nothing in it."""
    model = Assembly("lug")
    metal = rng.choice([steel(rng), rusty(rng), plastic(rng, grey(0.03)), plastic(rng, grey(0.5))])
    side = rng.uniform(0.05, 0.12)
    hole = (side * rng.uniform(0.12, 0.26), side * rng.uniform(0.12, 0.26), 2.0)
    pose = sh.shift(side * 0.5) @ sh.turn("z", rng.choice([90, -90]) + rng.uniform(-25, 25))
    face, wall, bottom = holed_cell((side, side), hole, 0.006)
    for back in (0, 180):
        turned = pose @ sh.turn("z", back) @ sh.shift(0.003)
        model.add(face, metal, turned)
        model.add(wall, metal, turned)
    if rng.random() < 0.5:
        model.add(bottom, Finish("paint", grey(0.004), 0.8, dirt=0.0), pose)
    model.add(
        sh.block(0.008, side * rng.uniform(1.2, 2), side * rng.uniform(1.3, 2.2), radius=0.006),
        metal,
        sh.shift(0.004),
    )
    for z in (-0.62, 0.62):
        model.absorb(
            fastener(rng, side * 0.09), sh.shift(0.008, side * rng.uniform(-0.3, 0.3), side * z)
        )
    if rng.random() < 0.5:
        model.absorb(wall_patch(rng, side * rng.uniform(1.2, 1.9)), sh.shift())
    return model


def build_clamp(rng: Random) -> Assembly:
    """Return band clamps with a screw around a stretch of pole."""
    model = Assembly("clamp")
    radius = rng.uniform(0.025, 0.09)
    length = radius * rng.uniform(2.0, 4.5)
    pole = rng.choice([steel(rng), rusty(rng), plastic(rng, grey(rng.uniform(0.02, 0.6)))])
    axis = sh.shift(-radius)
    column = sh.lathe([(radius, -length * 1.2), (radius, length * 1.2)], 32)
    model.add(column, replace(pole, fade_m=length), axis)
    for _ in range(rng.choice([1, 1, 2])):
        z, half = rng.uniform(-0.4, 0.4) * length, rng.uniform(0.008, 0.02)
        band = rng.choice([steel(rng), plastic(rng, grey(0.02)), rusty(rng)])
        ring = [
            (radius, z - half),
            (radius * 1.05, z - half),
            (radius * 1.05, z + half),
            (radius, z + half),
        ]
        model.add(sh.lathe(ring, 32), band, axis)
        turn = axis @ sh.turn("z", rng.uniform(-70, 70)) @ sh.shift(radius * 1.05, 0, z)
        model.add(sh.block(half * 2.2, half * 2.6, half * 2.2), band, turn @ sh.shift(half * 0.8))
        screw = sh.cylinder(
            half * 0.8, half * 6, bevel=0.001, axis="x", segments=rng.choice([6, 16])
        )
        model.add(screw, steel(rng), turn @ sh.shift(half, half * 3) @ sh.turn("z", -90))
        if rng.random() < 0.4:
            model.absorb(fastener(rng, half), turn @ sh.shift(half * 1.8))
    return model


def build_lock(rng: Random) -> Assembly:
    """Return a keyhole, a cabinet lock or a padlock on a door."""
    model = Assembly("lock")
    size = rng.uniform(0.012, 0.03)
    model.absorb(
        wall_patch(rng, size * rng.uniform(3, 6), plastic(rng, grey(rng.uniform(0.03, 0.7)))),
        sh.shift(),
    )
    metal = rng.choice([steel(rng), Finish("paint", (0.5, 0.35, 0.1), 0.3, 0.9, 0.2), BLACK])
    dark = Finish("paint", grey(0.003), 0.8, dirt=0.0)
    if rng.random() < 0.6:
        shield = rng.choice(
            [
                sh.rounded(size * 2, size * 3.6, size, 6),
                sh.rounded(size * 2.2, size * 2.2, size * 1.1, 8),
            ]
        )
        model.add(sh.prism(shield, 0, 0.004, 0.001), metal)
        model.add(sh.cylinder(size * 0.42, 0.0045, axis="x"), dark, sh.shift(0, 0, size * 0.2))
        model.add(sh.plain_box(0, 0.0045, -size * 0.18, size * 0.18, -size * 0.8, size * 0.2), dark)
    else:
        model.add(
            sh.block(size * 1.1, size * 2.6, size * 2.2, radius=size * 0.3),
            metal,
            sh.shift(size, 0, -size),
        )
        loop = [
            (size, y * size * 0.8, z * size)
            for y, z in ((-1, 0), (-1, 1.2), (-0.6, 1.9), (0.6, 1.9), (1, 1.2), (1, 0))
        ]
        model.add(sh.tube(loop, size * 0.22, 10), steel(rng))
        model.add(
            sh.cylinder(size * 0.3, 0.002, axis="x"), dark, sh.shift(size * 1.56, 0, -size * 1.2)
        )
    return model


def build_tap(rng: Random) -> Assembly:
    """Return a tap, a pipe end or a hose coupling on a wall."""
    model = Assembly("tap")
    metal = rng.choice([steel(rng), Finish("paint", (0.45, 0.3, 0.1), 0.3, 0.9, 0.3), rusty(rng)])
    r = rng.uniform(0.01, 0.035)
    dark = Finish("paint", grey(0.003), 0.8, dirt=0.0)
    out = r * rng.uniform(3, 8)
    model.add(sh.cylinder(r * 2, r * 0.5, bevel=r * 0.1, axis="x"), metal)
    if rng.random() < 0.5:
        path = sh.curve([(0, 0, 0), (out, 0, 0), (out * 1.2, 0, 0), (out * 1.2, 0, -out * 0.6)], 10)
        model.add(sh.tube(path, r, 16), metal)
        model.add(sh.cylinder(r * 0.8, 0.002), dark, sh.shift(out * 1.2, 0, -out * 0.6 - 0.001))
        model.add(sh.cylinder(r * 0.5, r * 2.4), metal, sh.shift(out * 0.6, 0, r * 0.5))
        for angle in (0, 90):
            bar = sh.block(r * 0.6, r * 3.2, r * 0.5)
            model.add(
                bar,
                metal,
                sh.shift(out * 0.6, 0, r * 2.9) @ sh.turn("z", angle + rng.uniform(0, 90)),
            )
    else:
        aim = sh.aim(rng.uniform(-30, 30), rng.uniform(-40, 10))
        rim = [
            (r, 0),
            (r * 1.05, out * 0.8),
            (r * 1.25, out * 0.82),
            (r * 1.25, out),
            (r * 0.85, out),
            (r * 0.8, out * 0.4),
        ]
        model.add(sh.lathe(rim, 24, "x"), metal, aim)
        model.add(
            sh.cylinder(r * 0.83, 0.002, axis="x"),
            dark,
            aim @ sh.shift(out * (1 - 0.3 * math.sqrt(rng.random()))),
        )
    model.absorb(wall_patch(rng, r * rng.uniform(4, 8)), sh.shift())
    return model
