"""Parts of cars and bicycles; frames as in cameras.py."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from models.blender import shapes as sh
from models.blender.assembly import BLACK, DARK_GLASS, Assembly, Finish, grey, plastic, steel
from models.blender.furniture import CAR_COLOURS, make_car
from models.blender.lamps import lamp_glass

if TYPE_CHECKING:
    from random import Random


def build_side_mirror(rng: Random) -> Assembly:
    """Return the side mirror of a car with a corner of its window."""
    model = Assembly("side_mirror")
    paint = Finish("car", rng.choice(CAR_COLOURS), 0.25)
    wide, tall = rng.uniform(0.18, 0.24), rng.uniform(0.12, 0.18)
    pose = sh.shift(0, 0.05 + wide / 2) @ sh.turn("z", rng.uniform(0, 20))
    hull = sh.ellipsoid(0.11, wide * 0.55, tall * 0.55, 28)
    hull.vertices[:, 0] = hull.vertices[:, 0].clip(-0.02, None)
    model.add(hull, rng.choice([paint, paint, BLACK]), pose)
    glass = sh.prism(sh.rounded(wide * 0.9, tall * 0.85, tall * 0.3, 6), -0.023, -0.021)
    model.add(glass, Finish("paint", grey(0.8), 0.02, 1.0, 0.0), pose)
    model.add(sh.block(0.05, 0.12, 0.03, radius=0.01), BLACK, sh.shift(0.02, 0.01, -tall * 0.4))
    # Door and window go on where the picture ends, so they dissolve.
    reach = rng.uniform(0.25, 0.4)
    door = sh.plain_box(-reach, reach * 0.6, -0.03, -0.02, -reach, -tall * 0.4)
    model.add(door, replace(paint, fade_m=reach))
    pane = sh.plain_box(-reach, reach * 0.25, -0.03, -0.024, -tall * 0.4, reach)
    model.add(pane, replace(DARK_GLASS, fade_m=reach))
    frame = sh.tube([(reach * 0.3, -0.025, -tall * 0.4), (-reach * 0.3, -0.025, reach)], 0.018, 8)
    model.add(frame, replace(BLACK, fade_m=reach))
    return model


def build_wheel(rng: Random) -> Assembly:
    """Return a car wheel with spokes or a cap."""
    model = Assembly("wheel")
    rim = rng.choice(
        [
            Finish("paint", grey(0.5), 0.3, 0.8),
            Finish("paint", grey(0.05), 0.35, 0.5),
            plastic(rng, grey(0.4)),
        ]
    )
    r = rng.uniform(0.28, 0.34)
    tyre = [
        (r * 0.6, 0),
        (r * 0.95, 0.01),
        (r, 0.05),
        (r, 0.15),
        (r * 0.95, 0.2),
        (r * 0.68, 0.2),
        (r * 0.65, 0.1),
    ]
    model.add(sh.lathe(tyre, 44, "x"), Finish("paint", grey(0.015), 0.85, dirt=0.3))
    model.add(sh.cylinder(r * 0.66, 0.11, segments=32, axis="x"), Finish("paint", grey(0.01), 0.7))
    model.add(
        sh.lathe([(r * 0.68, 0.19), (r * 0.66, 0.2), (r * 0.61, 0.18), (r * 0.6, 0.1)], 44, "x"),
        rim,
    )
    spokes = rng.choice([5, 5, 6, 7, 10])
    for k in range(spokes):
        bar = sh.block(0.03, r * rng.choice([0.12, 0.2]), r * 0.62, radius=0.01)
        model.add(bar, rim, sh.turn("x", k * 360 / spokes) @ sh.shift(0.165, 0, r * 0.33))
    model.add(sh.cylinder(r * 0.16, 0.19, bevel=0.01, axis="x"), rim)
    model.add(sh.cylinder(r * 0.08, 0.193, axis="x"), BLACK)
    return model


def build_head_lamp(rng: Random) -> Assembly:
    """Return a car's head lamp or rear lamp in a piece of wing."""
    model = Assembly("head_lamp")
    paint = Finish("car", rng.choice(CAR_COLOURS), 0.25)
    hull = sh.ellipsoid(0.28, 0.4, 0.26, 32)
    model.add(hull, paint, sh.shift(-0.2))
    lean = sh.turn("z", rng.uniform(-25, 25)) @ sh.turn("y", -rng.uniform(5, 25))
    shape = sh.rounded(
        rng.uniform(0.22, 0.34), rng.uniform(0.12, 0.18), rng.choice([0.03, 0.07]), 6
    )
    model.add(sh.prism(shape, 0.0, 0.07, 0.01), Finish("paint", grey(0.03), 0.3), lean)
    for y in rng.choice([(-0.06, 0.06), (0,), (-0.08, 0.0, 0.08)]):
        r = rng.uniform(0.03, 0.045)
        model.add(
            sh.lathe([(r, 0.08), (r, 0.07), (r * 0.3, 0.072)], 28, "x"),
            Finish("paint", grey(0.7), 0.1, 1.0, 0.0),
            lean @ sh.shift(0, y),
        )
        bulb = sh.ball(r * 0.75, start_deg=0, rings=8)
        model.add(
            bulb,
            rng.choice([DARK_GLASS, lamp_glass(rng), Finish("gloss", (0.4, 0.01, 0.01), 0.1)]),
            lean @ sh.shift(0.07, y) @ sh.turn("y", 90),
        )
    model.add(sh.prism(shape * 1.02, 0.085, 0.09), Finish("bubble", (0.85, 0.85, 0.87), 0.03), lean)
    return model


def build_parked_car(rng: Random) -> Assembly:
    """Return a whole parked car."""
    return make_car(rng)


def build_bicycle_lamp(rng: Random) -> Assembly:
    """Return a bicycle's lamp on a handlebar or a seat post, with a bell."""
    model = Assembly("bicycle_lamp")
    bar = rng.choice([steel(rng), BLACK])
    model.add(
        sh.tube(
            sh.curve(
                [(-0.1, -0.28, 0.02), (0.05, -0.15, 0), (0.05, 0.15, 0), (-0.1, 0.28, 0.02)], 10
            ),
            0.0125,
            12,
        ),
        bar,
    )
    model.add(sh.tube([(0.03, 0, 0), (0.06, 0, -0.3)], 0.016, 12), bar)
    for y in (-0.27, 0.27):
        model.add(sh.ellipsoid(0.05, 0.03, 0.02), BLACK, sh.shift(-0.08, y, 0.02))
    r = rng.uniform(0.018, 0.04)
    model.add(
        sh.cylinder(r, r * rng.uniform(1.2, 2.5), bevel=0.005, axis="x"),
        rng.choice([BLACK, steel(rng)]),
        sh.shift(0.07, 0, 0.03),
    )
    lamp = sh.ball(r * 0.85, start_deg=0, rings=6)
    model.add(
        lamp,
        rng.choice([lamp_glass(rng), Finish("gloss", (0.4, 0.01, 0.01), 0.1)]),
        sh.shift(0.07 + r * 1.8, 0, 0.03) @ sh.turn("y", 90),
    )
    model.add(sh.ball(0.025, start_deg=0, rings=6), bar, sh.shift(0.04, 0.1, 0.012))
    return model
