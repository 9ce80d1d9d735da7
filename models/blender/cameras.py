"""Procedural cameras of four kinds with their mounts.

Every builder works in the mount's frame: the origin on the surface, +x away from it, +z up, metres.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.blender import shapes as sh
from models.blender.assembly import (
    BLACK,
    CABLE,
    DARK_GLASS,
    LENS,
    Assembly,
    Finish,
    body_colour,
    grey,
    plastic,
    steel,
)
from models.blender.domes import build_dome
from models.blender.lens import led_ring, lens_eye
from models.blender.plate_readers import build_alpr
from models.blender.speed_domes import build_ptz

if TYPE_CHECKING:
    from random import Random


KINDS = ("bullet", "dome", "ptz", "alpr")


def build_camera(kind: str, rng: Random, mount: str = "wall") -> Assembly:
    """Return a camera of the kind for a mount: "wall", "pole" or, for domes, "ceiling"."""
    if kind == "ptz":
        return build_ptz(rng)
    builders = {"bullet": build_bullet, "dome": build_dome, "alpr": build_alpr}
    return builders[kind](rng, mount)


def build_bullet(rng: Random, mount: str = "wall") -> Assembly:
    """Return a bullet camera on an arm: a round or boxed housing under a sunshield."""
    model = Assembly("bullet", heads=["bullet"])
    body = plastic(rng, body_colour(rng))
    head = Assembly("head")
    length = rng.uniform(0.15, 0.36)
    if rng.random() < 0.55:
        half = _round_housing(head, rng, body, length)
    else:
        half = _boxed_housing(head, rng, body, length)
    pan = rng.uniform(-75, 75) if mount == "wall" else rng.uniform(-110, 110)
    pose = sh.aim(pan, -rng.uniform(2, 32))
    reach = half + rng.uniform(0.09, 0.2) + (0.5 * length if abs(pan) > 50 else 0.2 * length)
    drop = rng.choice([-1, 1, 1]) * rng.uniform(0.03, 0.09)
    pivot = sh.shift(reach, 0, drop)
    offset = sh.shift(-length * rng.uniform(0.3, 0.55), 0, (half + 0.012) * (1 if drop > 0 else -1))
    for part in head.parts:
        model.add(part.mesh, part.finish, pivot @ pose @ offset, head=0)
    _arm(model, rng, plastic(rng, body.colour) if rng.random() < 0.8 else steel(rng), reach, drop)
    if rng.random() < 0.7:
        tail = pivot @ pose @ offset @ [0, 0, 0, 1]
        sag = rng.uniform(0.05, 0.16)
        side = rng.uniform(-0.05, 0.05)
        path = sh.curve(
            [
                tail[:3],
                tail[:3] + (pose @ [-0.1, 0, 0, 0])[:3],
                (reach * 0.4, side, -sag),
                (0.02, side, -0.02),
            ]
        )
        model.add(
            sh.tube(path, rng.uniform(0.003, 0.006), 7),
            CABLE if rng.random() < 0.6 else plastic(rng, grey(0.6)),
        )
    return model


def _round_housing(head: Assembly, rng: Random, body: Finish, length: float) -> float:
    """Draw a cylinder along +x from its back at the origin; returns its half height in metres."""
    radius = rng.uniform(0.19, 0.3) * length if length < 0.24 else rng.uniform(0.038, 0.06)
    recess = rng.uniform(0.004, 0.018)
    wall = radius * rng.uniform(0.05, 0.14)
    front_wide = radius * rng.choice([1.0, 1.0, 1.06, 1.12])
    profile = [(0, 0), (radius * 0.75, 0), (radius * 0.95, length * 0.04), (radius, length * 0.1)]
    profile += [
        (radius, length * 0.72),
        (front_wide, length * 0.76),
        (front_wide, length),
        (front_wide - wall, length),
    ]
    profile += [(front_wide - wall, length - recess)]
    head.add(sh.lathe(profile, 36, "x"), body)
    _front(head, rng, body, front_wide - wall, length - recess)
    if rng.random() < 0.35:
        ring = plastic(rng, rng.choice([grey(0.03), grey(0.3), grey(0.7)]))
        where = length * rng.uniform(0.5, 0.68)
        head.add(
            sh.cylinder(radius * 1.02, length * 0.05, segments=36, axis="x"), ring, sh.shift(where)
        )
    top = front_wide
    if rng.random() < 0.78:
        over = rng.uniform(0.0, 0.2) * length
        gap = rng.uniform(0.001, 0.008)
        section = sh.arch(front_wide + gap, rng.uniform(0.0015, 0.004), rng.uniform(50, 110))
        shield = body if rng.random() < 0.85 else plastic(rng, body_colour(rng))
        head.add(sh.prism(section, length * rng.uniform(0.02, 0.3), length + over), shield)
        top += gap
    return radius


def _front(head: Assembly, rng: Random, body: Finish, radius: float, x: float) -> None:
    """Draw a round front of the given radius at x: dark glass, the lens and its lights."""
    dark = rng.random() < 0.8
    face = DARK_GLASS if dark else plastic(rng, body.colour)
    head.add(sh.cylinder(radius, 0.004, segments=36, axis="x"), face, sh.shift(x - 0.002))
    eye = radius * rng.uniform(0.28, 0.55)
    up = rng.choice([0.0, 0.0, 0.25]) * radius
    head.absorb(lens_eye(rng, eye), sh.shift(x + 0.001, 0, up))
    if rng.random() < 0.6:
        head.absorb(led_ring(rng, eye * 1.25, radius * 0.93), sh.shift(x + 0.001))


def _boxed_housing(head: Assembly, rng: Random, body: Finish, length: float) -> float:
    """Draw a box along +x from its back at the origin; returns its half height in metres."""
    length = length * rng.uniform(0.9, 1.25)
    width = rng.uniform(0.08, 0.135)
    height = width * rng.uniform(0.7, 1.05)
    corner = rng.choice([0.006, 0.015, 0.03, 0.045])
    recess = rng.uniform(0.003, 0.02)
    outer = sh.rounded(width, height, corner)
    head.add(sh.prism(outer, 0, length - recess, 0.006), body)
    rim = sh.rounded(width * 1.01, height * 1.01, corner)
    for scale, finish, reach in (
        (1.0, body, recess),
        (0.9, DARK_GLASS if rng.random() < 0.8 else BLACK, recess * 0.6 + 0.002),
    ):
        head.add(
            sh.prism(
                rim * scale,
                length - recess - 0.004,
                length - recess + reach * (0.5 if scale == 1.0 else 1),
                0.001,
            ),
            finish,
        )
    x = length + 0.001 - recess + recess * 0.6
    eye = min(width, height) * rng.uniform(0.16, 0.3)
    head.absorb(lens_eye(rng, eye), sh.shift(x))
    if rng.random() < 0.5:
        for side in (-1, 1):
            for k in range(rng.choice([1, 2, 3])):
                light = sh.shift(x, side * width * 0.34, (k - 1) * height * 0.24 if k else 0)
                head.add(
                    sh.cylinder(height * 0.085, 0.004, segments=14, axis="x"),
                    LENS if rng.random() < 0.3 else DARK_GLASS,
                    light,
                )
    if rng.random() < 0.85:
        over = rng.uniform(0.02, 0.09)
        shield = body if rng.random() < 0.85 else plastic(rng, body_colour(rng))
        skirt = height * rng.uniform(0.05, 0.55)
        t = 0.003
        gap = rng.uniform(0.003, 0.012)
        x0, x1 = -rng.uniform(0, 0.02), length + over
        head.add(
            sh.plain_box(
                x0,
                x1,
                -width / 2 - gap - t,
                width / 2 + gap + t,
                height / 2 + gap,
                height / 2 + gap + t,
            ),
            shield,
        )
        for side in (-1, 1):
            y0, y1 = sorted((side * (width / 2 + gap), side * (width / 2 + gap + t)))
            head.add(sh.plain_box(x0, x1, y0, y1, height / 2 - skirt, height / 2 + gap + t), shield)
    return height / 2


def _arm(model: Assembly, rng: Random, finish: Finish, reach: float, drop: float) -> None:
    """Draw the base, an optional junction box and the arm from the surface to the pivot."""
    start = 0.0
    if rng.random() < 0.45:
        side = rng.uniform(0.1, 0.15)
        start = rng.uniform(0.035, 0.06)
        if rng.random() < 0.5:
            model.add(
                sh.block(start, side, side, radius=0.012, bevel=0.005), finish, sh.shift(start / 2)
            )
        else:
            model.add(sh.cylinder(side / 2, start, bevel=0.006, axis="x", segments=32), finish)
    base = rng.uniform(0.03, 0.055)
    model.add(sh.cylinder(base, 0.012, bevel=0.004, axis="x"), finish, sh.shift(start))
    thick = rng.uniform(0.010, 0.02)
    end = (reach, 0.0, drop)
    style = rng.random()
    if style < 0.55:
        path = sh.curve([(start, 0, 0), (reach * 0.55, 0, 0), (reach, 0, drop * -0.2), end], 10)
    else:
        path = [(start, 0, 0), (reach * 0.9, 0, 0), (reach, 0, drop * 0.2), end]
    model.add(sh.tube(path, thick, 14), finish)
    model.add(sh.ball(thick * 1.45, rings=8, segments=16), finish, sh.shift(*end))
    if style > 0.8:
        model.add(sh.tube([(start, 0, -0.1), (reach * 0.8, 0, drop * 0.1)], thick * 0.6, 8), finish)


def pole_piece(rng: Random, below_m: float, above_m: float, radius_m: float) -> Assembly:
    """Return a stretch of pole whose surface touches the origin, with straps around it."""
    model = Assembly("pole")
    wooden = rng.random() < 0.2
    if wooden:
        finish = Finish(
            "wood", (0.16, 0.1, 0.06), 0.8, dirt=0.4, second=(0.08, 0.05, 0.03), scale=6
        )
    else:
        finish = rng.choice(
            [
                steel(rng),
                plastic(rng, grey(rng.uniform(0.02, 0.5))),
                plastic(rng, (0.02, 0.06, 0.04)),
            ]
        )
    axis = sh.shift(-radius_m, 0, 0)
    model.add(
        sh.lathe([(0, -below_m), (radius_m, -below_m), (radius_m, above_m), (0, above_m)], 28),
        finish,
        axis,
    )
    for z in (-0.05, 0.05):
        model.add(
            sh.lathe(
                [(radius_m * 1.03, z - 0.008), (radius_m * 1.05, z), (radius_m * 1.03, z + 0.008)],
                28,
            ),
            steel(rng),
            axis,
        )
    return model
