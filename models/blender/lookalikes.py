"""Street furniture that a detector might take for a camera; frames as in cameras.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.blender import shapes as sh
from models.blender.aerials import build_antenna, build_loudspeaker, build_satellite_dish
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
from models.blender.lamps import (
    build_flood_light,
    build_globe_lamp,
    build_street_lamp,
    build_traffic_light,
    build_wall_lamp,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


def build_alarm_box(rng: Random) -> Assembly:
    """Return a bell box of a burglar alarm, with or without a strobe."""
    model = Assembly("alarm_box")
    colour = rng.choice(
        [(0.75, 0.75, 0.72), (0.7, 0.55, 0.03), (0.03, 0.08, 0.4), (0.5, 0.03, 0.03), grey(0.6)]
    )
    size = rng.uniform(0.18, 0.32)
    shape = rng.choice([sh.rounded(size, size * 0.9, 0.03), sh.rounded(size * 0.75, size, 0.08, 6)])
    if rng.random() < 0.3:
        shape = shape * (1, 1) + ((0, 0.0))
        shape[:, 0] *= 1 - 0.35 * (shape[:, 1] < 0)
    model.add(sh.prism(shape, 0, rng.uniform(0.05, 0.1), 0.012), plastic(rng, colour))
    label = plastic(rng, rng.choice([(0.02, 0.05, 0.3), (0.5, 0.02, 0.02), grey(0.05), grey(0.8)]))
    model.add(sh.plain_box(0.05, 0.104, -size * 0.25, size * 0.25, -size * 0.05, size * 0.2), label)
    if rng.random() < 0.6:
        strobe = Finish(
            "gloss", rng.choice([(0.02, 0.06, 0.5), (0.6, 0.25, 0.02), (0.5, 0.02, 0.02)]), 0.1
        )
        model.add(
            sh.cylinder(size * 0.16, 0.12, bevel=0.01, axis="x"),
            strobe,
            sh.shift(0, 0, -size * 0.36),
        )
    return model


def build_junction_box(rng: Random) -> Assembly:
    """Return an electrical box with conduits."""
    model = Assembly("junction_box")
    body = plastic(rng, rng.choice([grey(0.45), grey(0.7), grey(0.2), (0.5, 0.48, 0.4)]))
    wide, tall, deep = rng.uniform(0.1, 0.35), rng.uniform(0.12, 0.45), rng.uniform(0.06, 0.2)
    model.add(sh.block(deep, wide, tall, radius=0.012, bevel=0.006), body, sh.shift(deep / 2))
    model.add(
        sh.block(0.012, wide * 0.94, tall * 0.94, radius=0.012, bevel=0.003), body, sh.shift(deep)
    )
    for _ in range(rng.choice([0, 1, 2, 3])):
        y, up = rng.uniform(-0.35, 0.35) * wide, rng.choice([-1, 1])
        ends = [
            (deep / 2, y, up * tall * 0.5),
            (deep / 2, y, up * (tall * 0.5 + rng.uniform(0.1, 0.4))),
        ]
        model.add(sh.tube(ends, rng.uniform(0.008, 0.02)), rng.choice([CABLE, steel(rng)]))
    return model


def build_sign_plate(rng: Random) -> Assembly:
    """Return a small traffic or street-name sign."""
    model = Assembly("sign_plate")
    colour = rng.choice(
        [(0.5, 0.02, 0.02), (0.02, 0.06, 0.4), (0.02, 0.2, 0.05), (0.8, 0.6, 0.02), grey(0.8)]
    )
    second = rng.choice([grey(0.85), grey(0.03)])
    shape = rng.random()
    pose = sh.shift(0.08) @ sh.turn("z", rng.uniform(-70, 70))
    size = rng.uniform(0.14, 0.32)
    if shape < 0.4:
        model.add(sh.cylinder(size, 0.006, segments=36, axis="x"), plastic(rng, colour), pose)
        model.add(
            sh.cylinder(size * 0.78, 0.004, segments=36, axis="x"),
            plastic(rng, second),
            pose @ sh.shift(0.004),
        )
        model.add(
            sh.block(0.004, size * 1.1, size * 0.25), plastic(rng, colour), pose @ sh.shift(0.009)
        )
    elif shape < 0.55:
        model.add(
            sh.cylinder(size, 0.006, segments=3, axis="x"),
            plastic(rng, colour),
            pose @ sh.turn("x", 0),
        )
        model.add(
            sh.cylinder(size * 0.7, 0.004, segments=3, axis="x"),
            plastic(rng, second),
            pose @ sh.shift(0.004),
        )
    else:
        model.add(sh.block(0.006, size * 2, size * 0.7, radius=0.02), plastic(rng, colour), pose)
        for k in range(rng.choice([1, 2])):
            line = sh.block(0.004, size * rng.uniform(0.9, 1.6), size * 0.14, radius=0.002)
            model.add(
                line, plastic(rng, second), pose @ sh.shift(0.004, 0, (k - 0.4) * size * 0.24)
            )
    model.add(sh.block(0.08, 0.05, 0.03), steel(rng), sh.shift(0.03))
    return model


def build_bird_box(rng: Random) -> Assembly:
    """Return a nest box with a round hole and a sloped roof."""
    model = Assembly("bird_box")
    wood = Finish(
        "wood",
        rng.choice([(0.3, 0.18, 0.09), (0.2, 0.17, 0.13), (0.12, 0.2, 0.1)]),
        0.8,
        dirt=0.4,
        second=(0.1, 0.06, 0.03),
        scale=8,
    )
    wide, tall, deep = rng.uniform(0.12, 0.2), rng.uniform(0.18, 0.32), rng.uniform(0.12, 0.2)
    model.add(sh.block(deep, wide, tall, radius=0.002), wood, sh.shift(deep / 2))
    model.add(
        sh.block(deep * 1.35, wide * 1.2, 0.015),
        wood,
        sh.shift(deep * 0.6, 0, tall * 0.55) @ sh.turn("y", rng.uniform(5, 22)),
    )
    model.add(
        sh.cylinder(rng.uniform(0.014, 0.03), 0.004, axis="x"), BLACK, sh.shift(deep, 0, tall * 0.2)
    )
    return model


def build_smoke_detector(rng: Random) -> Assembly:
    """Return a round ceiling detector or siren without glass."""
    model = Assembly("smoke_detector")
    body = plastic(rng, grey(rng.uniform(0.6, 0.85)))
    r = rng.uniform(0.045, 0.08)
    profile = [
        (0, -r * 0.75),
        (r * 0.55, -r * 0.72),
        (r * 0.7, -r * 0.5),
        (r * 0.9, -r * 0.45),
        (r, -r * 0.2),
        (r, 0),
        (0, 0),
    ]
    model.add(sh.lathe(profile, 36), body)
    model.add(sh.cylinder(r * 0.62, r * 0.06, segments=30), BLACK, sh.shift(0, 0, -r * 0.6))
    return model


def build_insulator(rng: Random) -> Assembly:
    """Return a stack of insulator sheds on a short cross-arm."""
    model = Assembly("insulator")
    glaze = Finish(
        "paint",
        rng.choice([(0.12, 0.04, 0.02), grey(0.5), (0.05, 0.12, 0.1), grey(0.75)]),
        0.12,
        dirt=0.2,
    )
    count, r = rng.choice([2, 3, 4, 6]), rng.uniform(0.04, 0.07)
    profile = [(0.0, 0.0)]
    for k in range(count):
        z = k * r * 0.7
        profile += [(r, z), (r * 0.95, z + r * 0.15), (r * 0.45, z + r * 0.6)]
    profile.append((0.0, count * r * 0.7))
    model.add(sh.tube([(-0.05, 0, 0), (0.3, 0, 0)], 0.025), steel(rng))
    for x in rng.choice([[0.12], [0.08, 0.25]]):
        model.add(sh.lathe(profile, 28), glaze, sh.shift(x))
    model.add(
        sh.tube([(0.12, -0.4, count * r * 0.7), (0.12, 0.4, count * r * 0.7)], 0.006, 6), CABLE
    )
    return model


def build_pipe(rng: Random) -> Assembly:
    """Return a vent pipe, a flue or a gutter elbow on a wall."""
    model = Assembly("pipe")
    body = rng.choice([steel(rng), plastic(rng, body_colour(rng))])
    r = rng.uniform(0.025, 0.07)
    bend = sh.curve(
        [
            (0, 0, 0),
            (0.18, 0, 0),
            (0.22, 0, 0),
            (0.22, 0, rng.choice([-1, 1]) * rng.uniform(0.2, 0.5)),
        ]
    )
    model.add(sh.tube(bend, r, 20), body)
    model.add(sh.cylinder(r * 1.25, 0.05, bevel=0.005, axis="x"), body)
    end = bend[-1]
    model.add(
        sh.cylinder(r * 1.3, 0.06, bevel=0.008),
        rng.choice([body, BLACK]),
        sh.shift(end[0], end[1], end[2] - 0.03),
    )
    return model


WALL = (
    "loudspeaker",
    "alarm_box",
    "flood_light",
    "wall_lamp",
    "satellite_dish",
    "junction_box",
    "bird_box",
    "pipe",
    "antenna",
)
POLE = (
    "street_lamp",
    "loudspeaker",
    "traffic_light",
    "flood_light",
    "antenna",
    "junction_box",
    "sign_plate",
    "bird_box",
    "insulator",
)
BUILDERS: dict[str, Callable[[Random], Assembly]] = {
    "street_lamp": build_street_lamp,
    "globe_lamp": build_globe_lamp,
    "wall_lamp": build_wall_lamp,
    "flood_light": build_flood_light,
    "traffic_light": build_traffic_light,
    "loudspeaker": build_loudspeaker,
    "alarm_box": build_alarm_box,
    "satellite_dish": build_satellite_dish,
    "antenna": build_antenna,
    "junction_box": build_junction_box,
    "sign_plate": build_sign_plate,
    "bird_box": build_bird_box,
    "smoke_detector": build_smoke_detector,
    "insulator": build_insulator,
    "pipe": build_pipe,
}
