"""What hangs on poles and masts: weather, power and radio gear; frames as in cameras.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.blender import shapes as sh
from models.blender.assembly import (
    BLACK,
    CABLE,
    DARK_GLASS,
    Assembly,
    Finish,
    grey,
    plastic,
    steel,
)

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray


def build_weather_station(rng: Random) -> Assembly:
    """Return a cup anemometer, a stack of shades, a wind vane or an ultrasonic head."""
    model = Assembly("weather_station")
    body = plastic(rng, rng.choice([grey(0.8), grey(0.7), grey(0.03), grey(0.3)]))
    reach, size = rng.uniform(0.15, 0.4), rng.uniform(0.025, 0.045)
    model.add(sh.tube([(0, 0, 0), (reach, 0, 0), (reach, 0, size)], 0.012, 12), steel(rng))
    top = size
    if rng.random() < 0.5:
        for k in range(rng.randint(5, 9)):
            shade = [
                (size * 1.5, top),
                (size * 1.7, top - size * 0.15),
                (size * 0.8, top + size * 0.2),
                (0, top + size * 0.2),
            ]
            model.add(sh.lathe(shade, 32), body, sh.shift(reach, 0, k * size * 0.35))
        top += size * 3.2
    model.add(sh.cylinder(size * 0.5, size * 2.2, bevel=0.004), body, sh.shift(reach, 0, top))
    top += size * 2.2
    style = rng.random()
    if style < 0.65:
        spin = rng.uniform(0, 120)
        for k in range(3):
            pose = sh.shift(reach, 0, top) @ sh.turn("z", spin + k * 120)
            model.add(sh.tube([(0, 0, 0), (size * 2.2, 0, 0)], size * 0.12, 8), body, pose)
            cup = sh.ball(size, start_deg=-90, end_deg=0, rings=8)
            model.add(cup, body, pose @ sh.shift(size * 2.4) @ sh.turn("x", 90))
    elif style < 0.85:
        model.add(sh.cylinder(size * 1.3, size * 0.5, bevel=0.006), body, sh.shift(reach, 0, top))
        for k in range(3):
            at = sh.shift(reach, 0, top + size * 0.5) @ sh.turn("z", k * 120) @ sh.shift(size)
            model.add(sh.cylinder(size * 0.14, size * 1.2), rng.choice([body, BLACK]), at)
        model.add(
            sh.cylinder(size * 1.35, size * 0.3, bevel=0.005),
            body,
            sh.shift(reach, 0, top + size * 1.7),
        )
    else:
        pose = sh.shift(reach, 0, top) @ sh.turn("z", rng.uniform(0, 360))
        model.add(sh.tube([(-size * 3, 0, 0), (size * 3, 0, 0)], size * 0.15), body, pose)
        model.add(sh.block(size * 2, 0.004, size * 2), body, pose @ sh.shift(-size * 3))
    return model


def build_feed_horn(rng: Random) -> Assembly:
    """Return the converter at the focus of a dish, on its arm, without or with the dish's rim."""
    model = Assembly("feed_horn")
    body = plastic(rng, rng.choice([grey(0.75), grey(0.4), grey(0.05)]))
    r, deep = rng.uniform(0.022, 0.04), rng.uniform(0.06, 0.12)
    tip = sh.shift(0.3, 0, 0.1) @ sh.aim(180 + rng.uniform(-60, 60), rng.uniform(-10, 40))
    for y in rng.choice([(0,), (0,), (-1.1 * r, 1.1 * r)]):
        at = tip @ sh.shift(0, y)
        model.add(sh.cylinder(r * 0.75, deep, bevel=0.006, axis="x"), body, at @ sh.shift(-deep))
        cap = plastic(
            rng, rng.choice([grey(0.8), grey(0.02), (0.4, 0.02, 0.02), (0.02, 0.05, 0.3)])
        )
        model.add(sh.cylinder(r, deep * 0.35, bevel=0.008, segments=32, axis="x"), cap, at)
        model.add(
            sh.block(deep * 0.8, r * 1.3, r * 1.6, radius=0.004),
            body,
            at @ sh.shift(-deep * 0.8, 0, -r * 0.6),
        )
        model.add(sh.tube([(0, 0, -r), (0, 0, -r * 2.2)], 0.006), BLACK, at @ sh.shift(-deep))
    model.add(
        sh.tube(sh.curve([(0, 0, -0.25), (0.2, 0, -0.2), (0.3, 0, 0.06)], 8), 0.012), steel(rng)
    )
    cable = sh.curve([(0.3, 0, 0.06), (0.25, 0.03, -0.18), (0.02, 0.02, -0.28)], 8)
    model.add(sh.tube(cable, 0.004, 6), CABLE)
    return model


def build_photocell(rng: Random) -> Assembly:
    """Return the light sensor of a street lamp on a piece of the lamp's roof or on a bracket."""
    model = Assembly("photocell")
    r = rng.uniform(0.03, 0.045)
    body = rng.choice(
        [
            plastic(rng, grey(0.05)),
            plastic(rng, (0.05, 0.1, 0.3)),
            plastic(rng, grey(0.5)),
            Finish("bubble", (0.5, 0.5, 0.55), 0.05),
        ]
    )
    tall = r * rng.uniform(1.0, 2.0)
    profile = [(r, 0), (r, tall * 0.75), (r * 0.85, tall * 0.95), (0, tall)]
    model.add(sh.lathe(profile, 32), body, sh.shift(0.2, 0, 0.03))
    model.add(
        sh.cylinder(r * 1.15, 0.02, bevel=0.004), plastic(rng, grey(0.3)), sh.shift(0.2, 0, 0.012)
    )
    hood = plastic(rng, grey(rng.uniform(0.05, 0.6)))
    model.add(sh.block(0.4, 0.2, 0.07, radius=0.03, bevel=0.02), hood, sh.shift(0.2, 0, -0.025))
    return model


def _box_face(
    model: Assembly,
    rng: Random,
    body: Finish,
    face: NDArray,
    size: tuple[float, float, float],
) -> None:
    """Draw fins, a screwed lid or a lock on a box's face; size is wide, tall, deep in metres."""
    wide, tall, deep = size
    style = rng.random()
    if style < 0.3:
        for k in range(9):
            y = (k - 4) * wide / 10
            model.add(
                sh.plain_box(0, deep * 0.3, y - 0.003, y + 0.003, -tall * 0.45, tall * 0.45),
                body,
                face,
            )
    elif style < 0.75:
        model.add(sh.block(0.01, wide * 0.92, tall * 0.92, radius=0.01), body, face)
        for y, z in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
            at = face @ sh.shift(0.003, y * wide * 0.4, z * tall * 0.42)
            model.add(
                sh.cylinder(0.006, 0.004, segments=12, axis="x"),
                rng.choice([BLACK, steel(rng)]),
                at,
            )
        if rng.random() < 0.5:
            label = plastic(rng, rng.choice([(0.7, 0.5, 0.02), grey(0.8), (0.02, 0.1, 0.4)]))
            model.add(
                sh.block(0.002, wide * 0.4, tall * 0.15),
                label,
                face @ sh.shift(0.006, 0, tall * 0.1),
            )
    else:
        pick = rng.choice([DARK_GLASS, BLACK, steel(rng)])
        model.add(
            sh.cylinder(min(wide, tall) * 0.13, 0.008, bevel=0.001, axis="x"),
            pick,
            face @ sh.shift(0, wide * rng.uniform(-0.25, 0.25), tall * rng.uniform(-0.3, 0.3)),
        )


def build_equipment_box(rng: Random) -> Assembly:
    """Return a small box with glands, fins or a lock, its cables and its straps."""
    model = Assembly("equipment_box")
    body = plastic(
        rng, rng.choice([grey(0.7), grey(0.45), grey(0.8), grey(0.05), (0.4, 0.42, 0.38)])
    )
    wide, tall, deep = rng.uniform(0.07, 0.25), rng.uniform(0.08, 0.35), rng.uniform(0.04, 0.14)
    x = rng.uniform(0.0, 0.05) + deep / 2
    turn = sh.shift(x) @ sh.turn("z", rng.uniform(-12, 12))
    model.add(
        sh.block(deep, wide, tall, radius=rng.choice([0.004, 0.02, 0.035]), bevel=0.005), body, turn
    )
    face = turn @ sh.shift(deep / 2)
    _box_face(model, rng, body, face, (wide, tall, deep))
    for _ in range(rng.choice([0, 1, 2, 3])):
        y = rng.uniform(-0.35, 0.35) * wide
        gland = sh.cylinder(0.011, 0.025, segments=rng.choice([6, 16]))
        model.add(gland, BLACK, turn @ sh.shift(0, y, -tall / 2 - 0.025))
        end = rng.uniform(0.1, 0.3)
        path = sh.curve(
            [
                (x, y, -tall / 2),
                (x, y, -tall / 2 - end),
                (0.01, y * 0.3, -tall / 2 - end),
                (0.01, 0, -tall / 2 + 0.02 - end),
            ],
            8,
        )
        model.add(sh.tube(path, 0.006, 8), CABLE)
    for z in (-0.3, 0.3):
        model.add(sh.block(0.05, wide * 0.4, 0.02), steel(rng), sh.shift(0.02, 0, z * tall))
    return model


def build_radio_unit(rng: Random) -> Assembly:
    """Return a microwave drum, a small cell, a sector radio or a point-to-point panel."""
    model = Assembly("radio_unit")
    body = plastic(rng, rng.choice([grey(0.8), grey(0.7), grey(0.5)]))
    size, style = rng.uniform(0.1, 0.28), rng.random()
    pose = sh.shift(0.2) @ sh.aim(rng.uniform(-120, 120), rng.uniform(-8, 8))
    if style < 0.4:
        deep = size * rng.uniform(0.35, 1.0)
        model.add(sh.cylinder(size, deep, bevel=size * 0.06, segments=40, axis="x"), body, pose)
        cover = sh.ball(size * 0.97, start_deg=0, rings=8, segments=40)
        cover.vertices[:, 2] *= rng.uniform(0.05, 0.4)
        model.add(
            cover,
            plastic(rng, grey(rng.uniform(0.4, 0.85))),
            pose @ sh.shift(deep) @ sh.turn("y", 90),
        )
        model.add(sh.block(0.12, 0.15, 0.2, radius=0.01), body, pose @ sh.shift(-0.08))
    elif style < 0.65:
        tall = size * rng.uniform(2, 4)
        model.add(
            sh.cylinder(size * 0.55, tall, bevel=size * 0.15, segments=36),
            body,
            sh.shift(0.22, 0, -tall / 2),
        )
        for z in (-0.3, 0.3):
            model.add(sh.tube([(0, 0, z * tall), (0.2, 0, z * tall)], 0.018, 10), steel(rng))
    else:
        wide, tall = size * rng.uniform(0.6, 1.2), size * rng.uniform(1, 2)
        shell = sh.rounded(wide, tall, min(wide, tall) * rng.choice([0.1, 0.3, 0.49]), 6)
        model.add(sh.prism(shell, 0, size * rng.uniform(0.2, 0.5), size * 0.08), body, pose)
        for y in (-0.3, 0.3):
            model.add(
                sh.cylinder(0.014, 0.03),
                BLACK,
                pose @ sh.shift(size * 0.12, y * wide, -tall / 2 - 0.025),
            )
            path = sh.curve(
                [(0.22, y * wide, -tall / 2), (0.22, 0, -tall), (0.02, 0, -tall * 0.6)], 8
            )
            model.add(sh.tube(path, 0.007, 8), CABLE)
    model.add(sh.tube([(0, 0, 0), (0.2, 0, 0)], 0.022, 12), steel(rng))
    return model
