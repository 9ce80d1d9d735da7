"""Lamps and lights that resemble cameras; frames as in cameras.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.blender import shapes as sh
from models.blender.assembly import BLACK, Assembly, Finish, body_colour, grey, plastic, steel

if TYPE_CHECKING:
    from random import Random


def lamp_glass(rng: Random) -> Finish:
    """Return a diffuser, sometimes lit."""
    if rng.random() < 0.25:
        return Finish(
            "glow",
            (1.0, rng.uniform(0.65, 0.95), rng.uniform(0.3, 0.9)),
            strength=rng.uniform(1.5, 6),
        )
    return Finish("paint", grey(rng.uniform(0.35, 0.75), 0.05), 0.12, dirt=0.2)


def build_street_lamp(rng: Random) -> Assembly:
    """Return a road lamp on its arm: cobra head, flat LED, bell or saucer."""
    model = Assembly("street_lamp")
    body = plastic(
        rng, rng.choice([grey(0.5), grey(0.25), grey(0.04), grey(0.7), (0.03, 0.08, 0.05)])
    )
    reach = rng.uniform(0.15, 1.0)
    rise = rng.uniform(0.0, 0.25) * reach
    path = sh.curve([(0, 0, 0), (reach * 0.4, 0, rise), (reach, 0, rise)], 10)
    model.add(sh.tube(path, rng.uniform(0.02, 0.032), 12), steel(rng))
    style, length = rng.random(), rng.uniform(0.35, 0.7)
    tip = sh.shift(reach, 0, rise) @ sh.turn("y", -rng.uniform(0, 15))
    if style < 0.35:
        section = sh.rounded(length * 0.42, length * 0.2, length * 0.09, 6)
        mesh = sh.prism(section, -0.02, length, length * 0.07)
        taper = mesh.vertices[:, 0] / length
        mesh.vertices[:, 1:] *= (0.45 + 0.55 * taper.clip(0, 1) ** 0.5)[:, None]
        model.add(mesh, body, tip)
        lens = sh.ball(length * 0.19, start_deg=-90, end_deg=0, rings=8)
        lens.vertices[:, 0] *= 1.5
        lens.vertices[:, 2] *= 0.6
        model.add(lens, lamp_glass(rng), tip @ sh.shift(length * 0.62, 0, -length * 0.07))
    elif style < 0.7:
        model.add(
            sh.block(length, length * 0.4, 0.06, radius=0.015, bevel=0.01),
            body,
            tip @ sh.shift(length / 2),
        )
        model.add(
            sh.block(length * 0.6, length * 0.3, 0.01),
            lamp_glass(rng),
            tip @ sh.shift(length * 0.58, 0, -0.032),
        )
    else:
        r = length * 0.45
        profile = [(r * 0.75, -r * 0.55), (r, -r * 0.5), (r * 0.8, -r * 0.2), (r * 0.3, 0), (0, 0)]
        model.add(sh.lathe(profile, 36), body, sh.shift(reach, 0, rise))
        glass = sh.ball(r * 0.72, start_deg=-90, end_deg=0, rings=8)
        glass.vertices[:, 2] *= rng.uniform(0.1, 0.7)
        model.add(glass, lamp_glass(rng), sh.shift(reach, 0, rise - r * 0.54))
    return model


def build_globe_lamp(rng: Random) -> Assembly:
    """Return a globe or cylinder lamp that stands or hangs."""
    model = Assembly("globe_lamp")
    r = rng.uniform(0.09, 0.22)
    metal = plastic(rng, rng.choice([grey(0.03), grey(0.4), (0.03, 0.07, 0.04)]))
    flip = rng.choice([1, -1])
    glass = lamp_glass(rng) if rng.random() < 0.75 else Finish("bubble", (0.6, 0.55, 0.5), 0.05)
    shape = (
        sh.ball(r, rings=14, segments=36)
        if rng.random() < 0.7
        else sh.cylinder(r * 0.6, r * 1.8, bevel=0.02)
    )
    model.add(shape, glass, sh.shift(0, 0, r * 1.1 * flip))
    model.add(
        sh.cylinder(r * 0.4, r * 0.35, bevel=0.01),
        metal,
        sh.shift(0, 0, -0.05 if flip > 0 else -r * 0.2),
    )
    model.add(sh.tube([(0, 0, 0), (0, 0, -flip * rng.uniform(0.2, 0.5))], r * 0.16, 14), metal)
    if rng.random() < 0.4:
        model.add(
            sh.lathe([(r * 1.15, 0), (r * 0.2, r * 0.35), (0, r * 0.36)], 36),
            metal,
            sh.shift(0, 0, r * 1.9 if flip > 0 else -r * 0.3),
        )
    return model


def build_wall_lamp(rng: Random) -> Assembly:
    """Return a lantern, a bulkhead or an up-and-down light."""
    model = Assembly("wall_lamp")
    metal = plastic(rng, rng.choice([grey(0.02), grey(0.35), body_colour(rng)]))
    style = rng.random()
    if style < 0.35:
        r = rng.uniform(0.07, 0.13)
        model.add(sh.cylinder(r * 1.1, 0.03, bevel=0.008, axis="x", segments=32), metal)
        half = sh.ball(r, start_deg=0, end_deg=90, rings=10)
        half.vertices[:, 2] *= 0.7
        model.add(half, lamp_glass(rng), sh.shift(0.03) @ sh.turn("y", 90))
        if rng.random() < 0.5:
            model.add(sh.plain_box(0.03, r * 0.75, -0.006, 0.006, -r, r), metal)
    elif style < 0.65:
        r, tall = rng.uniform(0.04, 0.06), rng.uniform(0.15, 0.3)
        model.add(
            sh.cylinder(r, tall, bevel=0.003, segments=32), metal, sh.shift(r + 0.04, 0, -tall / 2)
        )
        model.add(
            sh.cylinder(r * 0.85, 0.003), lamp_glass(rng), sh.shift(r + 0.04, 0, -tall / 2 - 0.002)
        )
        model.add(sh.block(0.06, 0.06, 0.1), metal, sh.shift(0.03))
    else:
        w, tall, x = rng.uniform(0.1, 0.18), rng.uniform(0.2, 0.32), rng.uniform(0.15, 0.25)
        model.add(sh.tube(sh.curve([(0, 0, 0.05), (x, 0, 0.2), (x, 0, tall * 0.6)]), 0.01), metal)
        model.add(sh.block(0.015, 0.08, 0.16), metal)
        model.add(
            sh.cylinder(w * 0.45, tall * 0.75, segments=6),
            lamp_glass(rng),
            sh.shift(x, 0, -tall * 0.4),
        )
        model.add(
            sh.lathe([(w * 0.75, 0), (w * 0.2, w * 0.5), (0, w * 0.55)], 6),
            metal,
            sh.shift(x, 0, tall * 0.35),
        )
        model.add(sh.cylinder(w * 0.5, 0.02, segments=6), metal, sh.shift(x, 0, -tall * 0.42))
    return model


def build_flood_light(rng: Random) -> Assembly:
    """Return a flood light in its yoke, sometimes with a motion sensor."""
    model = Assembly("flood_light")
    body = plastic(rng, rng.choice([grey(0.02), grey(0.35), grey(0.7)]))
    w, tall, deep = rng.uniform(0.14, 0.4), rng.uniform(0.12, 0.3), rng.uniform(0.04, 0.1)
    pose = sh.shift(0.16 + deep) @ sh.aim(rng.uniform(-40, 40), -rng.uniform(10, 60))
    model.add(sh.prism(sh.rounded(w, tall, 0.012), -deep, deep * 0.3, 0.01), body, pose)
    glass = lamp_glass(rng) if rng.random() < 0.6 else Finish("gloss", (0.15, 0.14, 0.1), 0.08)
    model.add(
        sh.prism(sh.rounded(w * 0.86, tall * 0.82, 0.006), 0, 0.004, 0.001),
        glass,
        pose @ sh.shift(deep * 0.3),
    )
    for k in range(6):
        z = (k - 2.5) * tall / 7
        model.add(
            sh.plain_box(-deep * 1.35, -deep * 0.9, -w * 0.4, w * 0.4, z - 0.003, z + 0.003),
            body,
            pose,
        )
    for side in (-1, 1):
        model.add(
            sh.tube([(0.02, side * w * 0.53, 0), (0.16 + deep, side * w * 0.53, 0)], 0.01, 8), body
        )
    model.add(sh.tube([(0.02, -w * 0.53, 0), (0.02, w * 0.53, 0)], 0.01, 8), body)
    model.add(sh.block(0.02, 0.06, 0.06), body, sh.shift(0.01))
    if rng.random() < 0.3:
        model.add(
            sh.block(0.07, 0.06, 0.05, radius=0.01),
            plastic(rng, grey(0.75)),
            sh.shift(0.06, 0, -tall * 0.8),
        )
        model.add(
            sh.ball(0.028, rings=8, segments=16),
            plastic(rng, grey(0.8)),
            sh.shift(0.1, 0, -tall * 0.85),
        )
    return model


def build_traffic_light(rng: Random) -> Assembly:
    """Return a traffic light head with two or three visored lamps."""
    model = Assembly("traffic_light")
    body = plastic(
        rng, rng.choice([grey(0.015), grey(0.02), (0.55, 0.4, 0.03), (0.02, 0.06, 0.04)])
    )
    count, r = rng.choice([2, 3, 3, 3]), rng.uniform(0.085, 0.14)
    pitch = r * 2.3
    tall = count * pitch
    pose = sh.shift(0.22) @ sh.turn("z", rng.uniform(-90, 90))
    model.add(sh.block(0.14, r * 2.5, tall, radius=0.03, bevel=0.01), body, pose)
    colours = (
        [(0.9, 0.03, 0.02), (0.9, 0.45, 0.02), (0.03, 0.8, 0.35)][-count:]
        if count == 3
        else [(0.9, 0.03, 0.02), (0.03, 0.8, 0.35)]
    )
    lit = rng.randrange(count)
    for k, colour in enumerate(colours):
        at = pose @ sh.shift(0.07, 0, (count - 1) * pitch / 2 - k * pitch)
        dim = (colour[0] * 0.08 + 0.005, colour[1] * 0.08 + 0.005, colour[2] * 0.08 + 0.005)
        lens = Finish("glow", colour, strength=5) if k == lit else Finish("gloss", dim, 0.12)
        cap = sh.ball(r * 0.95, start_deg=0, end_deg=90, rings=6, segments=24)
        cap.vertices[:, 2] *= 0.25
        model.add(cap, lens, at @ sh.turn("y", 90))
        model.add(sh.prism(sh.arch(r, 0.004, 110), 0, r * rng.uniform(1.2, 1.9)), body, at)
    if rng.random() < 0.3:
        model.add(sh.block(0.006, r * 4.2, tall * 1.2, radius=0.06), BLACK, pose @ sh.shift(-0.02))
    for z in (-tall * 0.45, tall * 0.45):
        model.add(sh.tube([(0, 0, z), (0.2, 0, z)], 0.018, 10), body)
    return model
