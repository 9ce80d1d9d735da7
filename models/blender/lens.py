"""Lenses and infra-red lights: what looks out of every camera."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from models.blender import shapes as sh
from models.blender.assembly import BLACK, LED, LENS, Assembly, Finish

if TYPE_CHECKING:
    from random import Random


def lens_eye(rng: Random, radius: float) -> Assembly:
    """Return a lens of the radius in metres that looks along +x from the origin."""
    eye = Assembly("lens")
    ring = Finish(
        "paint",
        rng.choice([(0.02, 0.02, 0.02), (0.25, 0.25, 0.26), (0.08, 0.08, 0.09)]),
        0.3,
        rng.choice([0.0, 0.6]),
        0,
    )
    depth = radius * 0.25
    eye.add(
        sh.lathe(
            [(radius, 0), (radius, depth), (radius * 0.82, depth), (radius * 0.7, depth * 0.4)],
            24,
            "x",
        ),
        ring,
    )
    eye.add(sh.cylinder(radius * 0.72, 0.001, axis="x"), BLACK)
    bulge = sh.ball(radius * 0.75, start_deg=40, rings=6, segments=20)
    eye.add(bulge, LENS, sh.shift(-radius * 0.42) @ sh.turn("y", 90))
    return eye


def led_ring(rng: Random, inner: float, outer: float) -> Assembly:
    """Return infra-red lights between two radii in metres around the x axis."""
    ring = Assembly("lights")
    count = rng.choice([2, 4, 6, 12, 18])
    middle = (inner + outer) / 2
    size = min((outer - inner) * 0.45, math.pi * middle / count * 0.7)
    if size < 0.001:
        return ring
    start = rng.uniform(0, math.pi)
    disc = sh.cylinder(size, 0.003, bevel=0.001, segments=12, axis="x")
    for k in range(count):
        a = start + 2 * math.pi * k / count
        ring.add(
            disc,
            LED if count > 4 else LENS,
            sh.shift(0, middle * math.cos(a), middle * math.sin(a)),
        )
    return ring
