"""Dome and turret cameras, built hanging below their base and then hung on ceiling, wall or arm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.blender import shapes as sh
from models.blender.assembly import BLACK, Assembly, Finish, body_colour, plastic, steel
from models.blender.lens import led_ring, lens_eye

if TYPE_CHECKING:
    from random import Random


def bubble_finish(rng: Random) -> Finish:
    """Return a dome's glass: black mirror-like, smoked or clear."""
    pick = rng.random()
    if pick < 0.4:
        return Finish("gloss", (0.006, 0.006, 0.008), rng.uniform(0.015, 0.08))
    if pick < 0.72:
        tint = rng.uniform(0.05, 0.35)
        return Finish("bubble", (tint, tint, tint * 1.02), 0.02)
    return Finish("bubble", (0.86, 0.87, 0.88), 0.02)


def build_dome(rng: Random, mount: str = "ceiling") -> Assembly:
    """Return a dome or turret camera; mount is "ceiling", "wall" or "pole"."""
    model = Assembly("dome", heads=["dome"])
    body = plastic(rng, body_colour(rng))
    unit = Assembly("unit")
    style = rng.random()
    if style < 0.5:
        _hemisphere(unit, rng, body)
    elif style < 0.8:
        _turret(unit, rng, body)
    else:
        _pendant(unit, rng, body)
    hung = mount != "ceiling" and (mount == "pole" or style >= 0.8 or rng.random() < 0.5)
    if hung:
        reach, top = rng.uniform(0.12, 0.3), -rng.uniform(0.0, 0.06)
        where = sh.shift(reach, 0, top) @ sh.turn("z", rng.uniform(-60, 60))
        _bracket(model, rng, plastic(rng, body.colour), reach, top)
    elif mount == "ceiling":
        where = sh.turn("z", rng.uniform(-180, 180))
        if style >= 0.8:
            model.add(sh.tube([(0, 0, 0), (0, 0, 0.4)], 0.018, 14), plastic(rng, body.colour))
    else:
        # A hanging unit turned onto its side looks out of the wall along +x.
        where = sh.turn("y", -90) @ sh.turn("z", rng.choice([0, 180]) + rng.uniform(-50, 50))
    for part in unit.parts:
        model.add(part.mesh, part.finish, where, head=0)
    return model


def _eyeball(unit: Assembly, rng: Random, radius: float, z: float) -> None:
    """Draw the moving camera inside a bubble."""
    inside = BLACK if rng.random() < 0.5 else Finish("paint", (0.5, 0.5, 0.5), 0.5)
    unit.add(sh.ball(radius * 0.62, rings=8, segments=20), inside, sh.shift(0, 0, z))
    pose = sh.aim(rng.uniform(-180, 180), -rng.uniform(10, 70))
    unit.absorb(lens_eye(rng, radius * 0.32), sh.shift(0, 0, z) @ pose @ sh.shift(radius * 0.55))


def _hemisphere(unit: Assembly, rng: Random, body: Finish) -> None:
    """Draw the common dome: a low round base and a bubble below it."""
    radius = rng.uniform(0.05, 0.085)
    base = radius * rng.uniform(0.35, 0.95)
    lip = rng.uniform(0.72, 0.9)
    flare = rng.uniform(0.88, 1.08)
    profile = [
        (radius * 0.3, -base - 0.003),
        (radius * lip, -base - 0.002),
        (radius * (lip + 0.05), -base),
    ]
    profile += [
        (radius * (lip + 1) / 2, -base * 0.78),
        (radius, -base * 0.5),
        (radius * flare, 0),
        (0, 0),
    ]
    unit.add(sh.lathe(profile, 40), body)
    glass = bubble_finish(rng)
    bubble = radius * lip * rng.uniform(0.9, 1.0)
    flat = rng.uniform(0.75, 1.05)
    shell = sh.ball(bubble, start_deg=-90, end_deg=4, rings=14, segments=40)
    shell.vertices[:, 2] *= flat
    unit.add(shell, glass, sh.shift(0, 0, -base))
    if glass.recipe == "bubble":
        _eyeball(unit, rng, bubble, -base)
    if rng.random() < 0.25:
        unit.add(
            sh.lathe([(radius * 1.12, 0.0), (radius * 1.16, 0.012), (radius * 0.5, 0.02)], 40), body
        )


def _turret(unit: Assembly, rng: Random, body: Finish) -> None:
    """Draw a turret: a ball with a flat front that sits in a collar."""
    radius = rng.uniform(0.038, 0.058)
    collar = radius * rng.uniform(1.15, 1.45)
    base = radius * rng.uniform(0.5, 0.9)
    profile = [
        (radius * 0.8, -base),
        (radius * 1.02, -base),
        (collar * 0.97, -base * 0.55),
        (collar, -base * 0.2),
        (collar, 0),
        (0, 0),
    ]
    unit.add(sh.lathe(profile, 40), body)
    ball = body if rng.random() < 0.6 else plastic(rng, body_colour(rng))
    centre = sh.shift(0, 0, -base - radius * 0.25)
    pose = sh.aim(rng.uniform(-180, 180), -rng.uniform(15, 60))
    cut = rng.uniform(38, 58)
    unit.add(
        sh.ball(radius, start_deg=-90, end_deg=cut, rings=14, segments=36),
        ball,
        centre @ pose @ sh.turn("y", 90),
    )
    front = radius * 0.62 if cut > 50 else radius * 0.76
    x = (radius**2 - front**2) ** 0.5
    face = (
        Finish("gloss", (0.006, 0.006, 0.008), 0.06)
        if rng.random() < 0.75
        else plastic(rng, ball.colour)
    )
    unit.add(
        sh.cylinder(front, 0.006, bevel=0.002, segments=32, axis="x"),
        face,
        centre @ pose @ sh.shift(x - 0.004),
    )
    eye = front * rng.uniform(0.3, 0.5)
    unit.absorb(
        lens_eye(rng, eye), centre @ pose @ sh.shift(x + 0.002, 0, front * rng.choice([0, 0, 0.3]))
    )
    if rng.random() < 0.6:
        unit.absorb(led_ring(rng, eye * 1.2, front * 0.95), centre @ pose @ sh.shift(x + 0.001))


def _pendant(unit: Assembly, rng: Random, body: Finish) -> None:
    """Draw a larger dome under a wide cap, as on arms in the street."""
    radius = rng.uniform(0.07, 0.11)
    cap = radius * rng.uniform(1.1, 1.5)
    height = radius * rng.uniform(0.7, 1.2)
    profile = [
        (radius * 0.3, -height),
        (radius * 0.95, -height),
        (radius, -height * 0.9),
        (cap, -height * 0.62),
    ]
    profile += [
        (cap * 0.97, -height * 0.5),
        (cap * 0.7, -height * 0.15),
        (radius * 0.35, 0),
        (0, 0),
    ]
    unit.add(sh.lathe(profile, 40), body)
    glass = bubble_finish(rng)
    unit.add(
        sh.ball(radius * 0.93, start_deg=-90, end_deg=3, rings=14, segments=40),
        glass,
        sh.shift(0, 0, -height),
    )
    if glass.recipe == "bubble":
        _eyeball(unit, rng, radius * 0.9, -height)


def _bracket(model: Assembly, rng: Random, finish: Finish, reach: float, top: float) -> None:
    """Draw the arm from the surface to the top of a hanging unit."""
    metal = finish if rng.random() < 0.75 else steel(rng)
    plate = rng.uniform(0.09, 0.16)
    if rng.random() < 0.6:
        model.add(
            sh.block(0.015, plate * 0.8, plate * 1.3, radius=0.01), metal, sh.shift(0.008, 0, 0)
        )
    else:
        depth = rng.uniform(0.05, 0.1)
        model.add(
            sh.block(depth, plate * 1.2, plate * 1.3, radius=0.01), metal, sh.shift(depth / 2)
        )
    thick = rng.uniform(0.016, 0.03)
    rise = rng.uniform(0.0, 0.08)
    path = sh.curve([(0, 0, 0), (reach * 0.7, 0, rise), (reach, 0, rise), (reach, 0, top)], 14)
    model.add(sh.tube(path, thick, 16), metal)
    model.add(sh.cylinder(thick * 1.7, 0.03, bevel=0.006), metal, sh.shift(reach, 0, top - 0.004))
