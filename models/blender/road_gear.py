"""Road lamps on double arms, traffic signals from behind, push buttons; frames as in cameras.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.blender import shapes as sh
from models.blender.assembly import (
    BLACK,
    DARK_GLASS,
    Assembly,
    Finish,
    grey,
    plastic,
    steel,
)
from models.blender.lamps import lamp_glass

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray

SIGNAL_COLOURS = ((0.9, 0.03, 0.02), (0.9, 0.45, 0.02), (0.03, 0.8, 0.35))


def _slab(model: Assembly, rng: Random, body: Finish, length: float) -> None:
    """Draw a flat lamp with rows of lights below and, at times, cooling fins above."""
    wide, thick = length * rng.uniform(0.3, 0.6), rng.uniform(0.03, 0.09)
    slab = sh.prism(
        sh.rounded(length, wide, wide * rng.choice([0.1, 0.3, 0.5]), 6),
        -thick / 2,
        thick / 2,
        thick * 0.3,
    )
    model.add(slab, body, sh.shift(length / 2) @ sh.turn("y", 90) @ sh.turn("x", 90))
    model.add(
        sh.plain_box(
            length * 0.35, length * 0.92, -wide * 0.38, wide * 0.38, -thick * 0.54, -thick * 0.4
        ),
        BLACK,
    )
    glass, step = lamp_glass(rng), length * 0.11
    for i in range(5):
        for j in range(3):
            dot = sh.cylinder(step * 0.28, 0.004, segments=10)
            model.add(
                dot,
                glass,
                sh.shift(length * 0.4 + i * step, (j - 1) * wide * 0.24, -thick * 0.54 - 0.004),
            )
    for k in range(rng.choice([0, 6])):
        y = (k - 2.5) * wide * 0.13
        model.add(
            sh.plain_box(length * 0.1, length * 0.5, y - 0.003, y + 0.003, 0, thick * 0.9), body
        )


def lamp_head(rng: Random) -> Assembly:
    """Return the head of a road lamp along +x from its joint: slab, cobra, disc or lantern."""
    model = Assembly("lamp_head")
    body = plastic(
        rng, rng.choice([grey(0.5), grey(0.25), grey(0.04), grey(0.7), (0.03, 0.08, 0.05)])
    )
    length, style = rng.uniform(0.3, 0.7), rng.random()
    if style < 0.4:
        _slab(model, rng, body, length)
    elif style < 0.7:
        hull = sh.ellipsoid(length * 0.55, length * 0.22, length * 0.14, 28)
        model.add(hull, body, sh.shift(length * 0.5))
        bowl = sh.ellipsoid(length * 0.3, length * 0.17, length * rng.uniform(0.1, 0.22), 28)
        model.add(
            bowl,
            rng.choice([lamp_glass(rng), Finish("bubble", (0.7, 0.7, 0.68), 0.05)]),
            sh.shift(length * 0.6, 0, -length * 0.05),
        )
        model.add(
            sh.cylinder(length * 0.09, length * 0.25, bevel=0.01, axis="x"),
            body,
            sh.shift(-length * 0.12),
        )
    elif style < 0.85:
        r = length * 0.5
        model.add(
            sh.lathe(
                [(0, -r * 0.12), (r * 0.85, -r * 0.12), (r, 0), (r * 0.6, r * 0.2), (0, r * 0.3)],
                40,
            ),
            body,
            sh.shift(r),
        )
        model.add(
            sh.cylinder(r * 0.75, 0.01, segments=36),
            lamp_glass(rng),
            sh.shift(r, 0, -r * 0.12 - 0.008),
        )
    else:
        r = length * 0.3
        at = sh.shift(r, 0, -r * 2.2)
        model.add(sh.lathe([(r * 0.6, 0), (r, r * 1.6)], 4), lamp_glass(rng), at @ sh.turn("z", 45))
        model.add(
            sh.lathe([(r * 1.15, r * 1.6), (r * 0.4, r * 2.1), (0, r * 2.2)], 4),
            body,
            at @ sh.turn("z", 45),
        )
        model.add(
            sh.lathe([(0, -r * 0.1), (r * 0.66, 0), (0, r * 0.05)], 4), body, at @ sh.turn("z", 45)
        )
    return model


def build_double_lamp(rng: Random) -> Assembly:
    """Return the top of a lamp post with one, two or three heads on arms."""
    model = Assembly("double_lamp")
    count, reach = rng.choice([1, 2, 2, 2, 3]), rng.uniform(0.15, 0.7)
    rise, metal = (
        rng.uniform(-0.02, 0.5) * reach,
        rng.choice([steel(rng), plastic(rng, grey(0.04))]),
    )
    state, turn = rng.getrandbits(32), rng.uniform(0, 360)
    model.add(sh.cylinder(0.04, 0.7, bevel=0.02), metal, sh.shift(-0.06, 0, -0.6))
    for k in range(count):
        pose = sh.shift(-0.06) @ sh.turn("z", turn + k * 360 / max(2, count))
        path = sh.curve([(0, 0, -0.05), (reach * 0.5, 0, rise), (reach, 0, rise)], 8)
        model.add(sh.tube(path, 0.026, 12), metal, pose)
        # The heads of one post are alike.
        twin = type(rng)(state)
        model.absorb(
            lamp_head(twin), pose @ sh.shift(reach, 0, rise) @ sh.turn("y", -twin.uniform(0, 15))
        )
    return model


def build_lamp_head(rng: Random) -> Assembly:
    """Return a lamp head close by, with a stub of its arm."""
    model = Assembly("lamp_head")
    model.add(sh.tube([(-0.1, 0, 0), (0.08, 0, 0)], 0.025, 12), steel(rng))
    model.absorb(lamp_head(rng), sh.shift(0.06) @ sh.turn("y", -rng.uniform(-5, 20)))
    return model


def _visor(
    model: Assembly,
    rng: Random,
    at: NDArray,
    r: float,
    finishes: tuple[Finish, Finish],
    *,
    square: bool,
) -> None:
    """Draw a lamp of radius r and its visor; finishes are the body's and the lens's."""
    body, lens = finishes
    out = r * rng.uniform(1.0, 1.9)
    if square:
        model.add(
            sh.block(0.004, r * 1.8, r * 1.8, radius=0.005),
            Finish("gloss", grey(0.01), 0.2),
            at @ sh.shift(0.004),
        )
        model.add(sh.ellipsoid(0.004, r * 0.3, r * 0.7), lens, at @ sh.shift(0.006))
        model.add(sh.plain_box(0, out * 0.7, -r * 1.05, r * 1.05, r * 1.0, r * 1.03), body, at)
        for side in (-1.05, 1.02):
            model.add(
                sh.plain_box(0, out * 0.7, side * r, (side + 0.03) * r, -r * 0.3, r * 1.02),
                body,
                at,
            )
    else:
        model.add(sh.cylinder(r * 0.95, 0.006, segments=32, axis="x"), lens, at)
        visor = sh.arch(r, 0.004, rng.choice([95, 130, 178]))
        model.add(sh.prism(visor, 0, out), body, at)


def build_signal(rng: Random) -> Assembly:
    """Return a traffic or walk signal that turns its back, its side or its visors to one."""
    model = Assembly("signal")
    body = plastic(
        rng,
        rng.choice([grey(0.015), grey(0.03), (0.55, 0.38, 0.03), (0.02, 0.06, 0.04), grey(0.4)]),
    )
    count, r = rng.choice([1, 1, 2, 3, 3, 4]), rng.uniform(0.08, 0.15)
    square = count == 1 and rng.random() < 0.7
    pitch = r * 2.25
    reach = rng.uniform(0.12, 0.4)
    pose = (
        sh.shift(reach + 0.1)
        @ sh.turn("z", rng.uniform(-180, 180))
        @ sh.turn("y", rng.uniform(-4, 8))
    )
    lit = rng.randrange(count)
    for k in range(count):
        at = pose @ sh.shift(0, 0, (count - 1) * pitch / 2 - k * pitch)
        corner = rng.choice([0.15, 0.15, 0.4]) * r
        model.add(
            sh.block(r * 1.2, pitch * 0.98, pitch * 0.98, radius=corner, bevel=r * 0.12),
            body,
            at @ sh.shift(-r * 0.6),
        )
        back = sh.block(r * 0.3, pitch * 0.6, pitch * 0.6, radius=r * 0.3, bevel=r * 0.1)
        model.add(back, body, at @ sh.shift(-r * 1.3))
        colour = SIGNAL_COLOURS[min(k, 2)]
        dim = (colour[0] * 0.06 + 0.005, colour[1] * 0.06 + 0.005, colour[2] * 0.06 + 0.005)
        lens = (
            Finish("glow", colour, strength=4)
            if k == lit and rng.random() < 0.7
            else Finish("gloss", dim, 0.15)
        )
        _visor(model, rng, at, r, (body, lens), square=square)
    tall = count * pitch
    if rng.random() < 0.25 and not square:
        model.add(
            sh.block(0.006, r * 4.2, tall + r * 1.6, radius=r * 0.5), BLACK, pose @ sh.shift(-0.06)
        )
    for z in (-tall * 0.42, tall * 0.42):
        end = (pose @ [-r * 0.6, 0, z, 1])[:3]
        model.add(sh.tube([(0, 0, z), (reach * 0.5, 0, z), tuple(end)], 0.017, 10), body)
    return model


def build_push_button(rng: Random) -> Assembly:
    """Return the box of a pedestrian push button, sometimes with a lit hint or an arrow plate."""
    model = Assembly("push_button")
    body = plastic(
        rng,
        rng.choice([(0.7, 0.5, 0.02), grey(0.03), grey(0.4), (0.02, 0.05, 0.3), (0.7, 0.25, 0.02)]),
    )
    wide, tall, deep = rng.uniform(0.08, 0.14), rng.uniform(0.12, 0.28), rng.uniform(0.05, 0.1)
    model.add(
        sh.block(deep, wide, tall, radius=rng.choice([0.008, 0.03]), bevel=0.006),
        body,
        sh.shift(deep / 2),
    )
    face = sh.shift(deep, 0, -tall * rng.uniform(0.0, 0.28))
    ring = rng.choice([steel(rng), BLACK, body])
    r = wide * rng.uniform(0.2, 0.4)
    model.add(
        sh.lathe([(r, 0), (r, 0.008), (r * 0.75, 0.008), (r * 0.7, 0.002)], 28, "x"), ring, face
    )
    button = rng.choice([steel(rng), BLACK, plastic(rng, (0.5, 0.02, 0.02)), DARK_GLASS])
    cap = sh.ball(r * 0.72, start_deg=0, rings=6)
    cap.vertices[:, 2] *= rng.uniform(0.15, 0.6)
    model.add(cap, button, face @ sh.turn("y", 90))
    if rng.random() < 0.5:
        window = (
            Finish("glow", (0.9, 0.1, 0.02), strength=1.5)
            if rng.random() < 0.4
            else plastic(rng, grey(0.8))
        )
        model.add(
            sh.block(0.003, wide * 0.7, tall * 0.2, radius=0.004),
            window,
            sh.shift(deep + 0.001, 0, tall * 0.28),
        )
    if rng.random() < 0.4:
        plate = sh.block(0.003, wide * 1.5, tall * 1.1, radius=0.01)
        model.add(
            plate, plastic(rng, grey(rng.choice([0.8, 0.03]))), sh.shift(0.01, 0, tall * 1.05)
        )
        model.add(
            sh.block(0.002, wide * 0.3, tall * 0.5),
            plastic(rng, grey(0.2)),
            sh.shift(0.013, 0, tall * 1.05),
        )
    return model


def build_cabinet_corner(rng: Random) -> Assembly:
    """Return the upper corner of a signal cabinet with its lock, hinge and vents."""
    model = Assembly("cabinet_corner")
    body = plastic(rng, rng.choice([grey(0.5), grey(0.65), (0.1, 0.16, 0.1), (0.35, 0.33, 0.28)]))
    wide, tall, deep = rng.uniform(0.35, 0.6), rng.uniform(0.3, 0.6), rng.uniform(0.25, 0.4)
    model.add(sh.block(deep, wide, tall, radius=0.01), body)
    model.add(
        sh.block(deep * 1.08, wide * 1.06, 0.03, radius=0.005), body, sh.shift(0, 0, tall / 2)
    )
    face = sh.shift(deep / 2)
    model.add(sh.block(0.012, wide * 0.9, tall * 0.92, radius=0.008), body, face)
    for k in range(rng.choice([0, 5, 8])):
        slot = sh.block(0.003, wide * 0.4, 0.008, radius=0.003)
        model.add(slot, BLACK, face @ sh.shift(0.007, 0, tall * 0.4 - k * 0.02))
    lock = face @ sh.shift(0.006, wide * 0.38, rng.uniform(-0.3, 0.1) * tall)
    model.add(sh.block(0.012, 0.03, 0.1, radius=0.01), rng.choice([BLACK, steel(rng)]), lock)
    model.add(sh.cylinder(0.011, 0.02, axis="x"), steel(rng), lock)
    for z in (-0.3, 0.3):
        model.add(sh.cylinder(0.012, 0.08), body, face @ sh.shift(0, -wide * 0.46, z * tall))
    return model
