"""Cameras of masts: standing pan-tilt heads, hanging domes on arms, traffic enforcement boxes.

Frames as in cameras.py. Heads leave out necks, arms and motors that do not move with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.blender import shapes as sh
from models.blender.assembly import (
    BLACK,
    CABLE,
    DARK_GLASS,
    Assembly,
    Finish,
    body_colour,
    grey,
    plastic,
    steel,
)
from models.blender.domes import bubble_finish
from models.blender.lens import led_ring, lens_eye
from models.blender.road_gear import lamp_head

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray


def housing_paint(rng: Random) -> Finish:
    """Return the paint of an outdoor housing: nearly always white or light grey."""
    if rng.random() < 0.8:
        return plastic(rng, grey(rng.uniform(0.5, 0.85), rng.uniform(-0.02, 0.05)))
    return plastic(rng, body_colour(rng))


def boxed_head(rng: Random, body: Finish, length: float, width: float) -> Assembly:
    """Return a housing along +x about the origin: box or barrel, glass front, roof, cable gland."""
    unit = Assembly("housing")
    tall = width * rng.uniform(0.8, 1.1)
    corner = width * rng.choice([0.08, 0.2, 0.35, 0.49])
    shape = sh.rounded(width, tall, corner, 6)
    unit.add(sh.prism(shape, -length / 2, length / 2, width * 0.06), body)
    unit.add(sh.prism(shape * 1.03, length * 0.36, length * 0.46, 0.002), body)
    glass = sh.prism(shape * 0.86, length / 2 - 0.002, length / 2 + 0.003, 0.001)
    unit.add(glass, DARK_GLASS)
    eye = lens_eye(rng, width * rng.uniform(0.16, 0.32))
    unit.absorb(eye, sh.shift(length / 2 + 0.003, 0, rng.choice([0, 0.1]) * tall))
    if rng.random() < 0.75:
        gap, over = rng.uniform(0.006, 0.02), rng.uniform(0.0, 0.25) * length
        if corner < width * 0.3:
            top = tall / 2 + gap
            roof = sh.plain_box(
                -length * 0.52, length / 2 + over, -width * 0.57, width * 0.57, top, top + 0.004
            )
            unit.add(roof, body)
            for side in (-1, 1):
                y0, y1 = sorted((side * width * 0.57, side * width * 0.55))
                skirt = rng.uniform(0.02, 0.6) * tall
                flap = sh.plain_box(-length * 0.52, length / 2 + over, y0, y1, top - skirt, top)
                unit.add(flap, body)
        else:
            shell = sh.arch(width * 0.5 + gap, 0.004, rng.uniform(60, 100))
            unit.add(sh.prism(shell, -length * 0.45, length / 2 + over), body)
    gland = sh.cylinder(width * 0.1, width * 0.18, axis="x")
    unit.add(gland, BLACK, sh.shift(-length / 2 - width * 0.18, width * 0.2, -tall * 0.2))
    return unit


def standing_head(rng: Random, body: Finish) -> tuple[Assembly, float]:
    """Return what moves of a pan-tilt camera, looking along +x above its neck, and its scale."""
    unit = Assembly("standing")
    width, style = rng.uniform(0.08, 0.15), rng.random()
    tilt = sh.turn("y", rng.triangular(-25, 55, 10))
    if style < 0.4:
        length = width * rng.uniform(1.8, 3.0)
        lift = width * rng.uniform(0.75, 1.0)
        unit.add(sh.cylinder(width * 0.5, width * 0.3, bevel=0.008, segments=32), body)
        plate = sh.block(width * 0.8, width * 1.5, width * 0.16, radius=0.008)
        unit.add(plate, body, sh.shift(0, 0, width * 0.3))
        for side in (-1, 1):
            cheek = sh.block(width * 0.55, width * 0.16, lift, radius=0.01, bevel=0.008)
            unit.add(cheek, body, sh.shift(0, side * width * 0.66, width * 0.3 + lift / 2))
        pose = sh.shift(0, 0, width * 0.3 + lift) @ tilt
        unit.absorb(boxed_head(rng, body, length, width), pose)
    elif style < 0.75:
        length = width * rng.uniform(1.5, 2.6)
        unit.add(sh.cylinder(width * 0.45, width * 1.1, bevel=0.012, segments=32), body)
        barrel = sh.cylinder(width * 0.42, width * 0.9, bevel=0.01, segments=32, axis="x")
        unit.add(
            barrel, body, sh.shift(0, 0, width * 0.9) @ sh.turn("z", 90) @ sh.shift(-width * 0.3)
        )
        pose = sh.shift(0, width * 0.95, width * 0.9) @ tilt
        unit.absorb(boxed_head(rng, body, length, width), pose)
        if rng.random() < 0.6:
            lamp = sh.shift(0, -width * 0.75, width * 0.9) @ tilt
            unit.add(sh.block(width * 0.6, width * 0.6, width * 0.8, radius=0.012), body, lamp)
            face = sh.block(0.004, width * 0.5, width * 0.68, radius=0.008)
            unit.add(face, DARK_GLASS, lamp @ sh.shift(width * 0.3))
            unit.absorb(led_ring(rng, width * 0.08, width * 0.24), lamp @ sh.shift(width * 0.302))
    else:
        r = width * rng.uniform(0.65, 0.85)
        unit.add(sh.cylinder(r * 0.85, r * 0.5, bevel=0.01, segments=36), body)
        for side in (-1, 1):
            ear = sh.block(r * 0.8, r * 0.25, r * 1.5, radius=r * 0.2, bevel=0.008)
            unit.add(ear, body, sh.shift(0, side * r * 1.02, r * 1.1))
        pose = sh.shift(0, 0, r * 1.45) @ tilt
        unit.add(sh.ball(r, rings=14, segments=36), body, pose)
        window = sh.prism(sh.rounded(r * 1.2, r * 1.3, r * 0.3, 6), 0, r * 0.25, 0.004)
        unit.add(window, DARK_GLASS, pose @ sh.shift(r * 0.76))
        unit.absorb(lens_eye(rng, r * 0.34), pose @ sh.shift(r * 1.02, 0, r * 0.15))
    return unit, width


def build_standing(rng: Random) -> Assembly:
    """Return a pan-tilt camera that stands on a pole top, a wall bracket or an arm of a pole."""
    model = Assembly("standing_ptz", heads=["ptz"])
    body = housing_paint(rng)
    unit, width = standing_head(rng, body)
    style, neck = rng.random(), rng.uniform(0.06, 0.2)
    metal = plastic(rng, body.colour) if rng.random() < 0.5 else steel(rng)
    if style < 0.6:
        foot, radius, long = sh.shift(), rng.uniform(0.025, 0.07), rng.uniform(0.25, 1.0)
        model.add(sh.cylinder(radius, long, segments=28), metal, sh.shift(0, 0, -long))
        model.add(sh.cylinder(radius * 1.6, 0.014, bevel=0.003), metal, sh.shift(0, 0, -0.01))
    else:
        reach, drop = width * rng.uniform(1.2, 2.2), rng.uniform(0.05, 0.2)
        foot = sh.shift(reach)
        bend = [(0, 0, -drop), (reach * 0.7, 0, -drop), (reach, 0, -drop), (reach, 0, 0)]
        model.add(sh.tube(sh.curve(bend, 12), rng.uniform(0.02, 0.035), 16), metal)
        model.add(sh.block(0.02, 0.14, 0.22, radius=0.01), metal, sh.shift(0.01, 0, -drop))
        if style < 0.8:
            model.add(sh.cylinder(0.06, 1.0, segments=28), steel(rng), sh.shift(-0.06, 0, -0.7))
    model.add(
        sh.cylinder(width * rng.uniform(0.3, 0.48), neck, bevel=0.006, segments=30), body, foot
    )
    if rng.random() < 0.5:
        loop = [
            (0.0, 0, neck * 0.5),
            (-width * 1.3, 0, neck),
            (-width * 1.2, 0, -neck),
            (-0.03, 0, -neck),
        ]
        model.add(sh.tube(sh.curve(loop, 10), 0.006, 8), CABLE, foot)
    pose = foot @ sh.shift(0, 0, neck) @ sh.turn("z", rng.uniform(-180, 180))
    for part in unit.parts:
        model.add(part.mesh, part.finish, pose, head=0)
    return model


def hanging_dome(rng: Random, body: Finish) -> Assembly:
    """Return a speed dome that hangs from the origin: wide cap, body and bubble."""
    unit = Assembly("hanging")
    r = rng.uniform(0.08, 0.13)
    cap, height = r * rng.uniform(1.05, 1.7), r * rng.uniform(0.7, 1.9)
    brim = height * rng.uniform(0.25, 0.95)
    profile = [(r * 0.5, -height), (r * 0.97, -height), (r, -height * 0.96), (r, -brim - 0.003)]
    profile += [(cap * 0.97, -brim), (cap, -brim + 0.012)]
    if rng.random() < 0.5:
        profile += [(cap * 0.9, -brim * 0.55), (r * 0.7, -brim * 0.15)]
    else:
        profile += [(cap * 0.8, -brim * 0.75), (r * 0.45, -brim * 0.6), (r * 0.4, -brim * 0.1)]
    profile += [(r * 0.3, 0), (0, 0)]
    unit.add(sh.lathe(profile, 44), body)
    glass = bubble_finish(rng) if rng.random() < 0.5 else Finish("gloss", grey(0.006), 0.04)
    bubble = r * rng.uniform(0.8, 0.96)
    shell = sh.ball(bubble, start_deg=-90, end_deg=4, rings=14, segments=44)
    shell.vertices[:, 2] *= rng.uniform(0.75, 1.1)
    unit.add(shell, glass, sh.shift(0, 0, -height))
    if glass.recipe == "bubble":
        unit.add(sh.ball(bubble * 0.6, rings=8), BLACK, sh.shift(0, 0, -height))
        look = sh.aim(rng.uniform(-180, 180), -rng.uniform(5, 60)) @ sh.shift(bubble * 0.5)
        unit.absorb(lens_eye(rng, bubble * 0.34), sh.shift(0, 0, -height) @ look)
    return unit


def build_arm_domes(rng: Random) -> Assembly:
    """Return the top of a pole whose one or two arms carry speed domes, or a dome and a lamp."""
    count = rng.choice([1, 1, 2, 2])
    lamp = count == 1 and rng.random() < 0.35
    model = Assembly("arm_domes", heads=["ptz"] * count)
    body = housing_paint(rng) if rng.random() < 0.8 else plastic(rng, body_colour(rng))
    metal = rng.choice([steel(rng), plastic(rng, body.colour), plastic(rng, grey(0.04))])
    radius, long = rng.uniform(0.03, 0.07), rng.uniform(0.4, 1.0)
    model.add(
        sh.cylinder(radius, long + 0.15, bevel=0.01, segments=28),
        metal,
        sh.shift(-radius, 0, -long),
    )
    reach, rise, drop = rng.uniform(0.3, 0.7), rng.uniform(0.0, 0.3), rng.uniform(0.03, 0.15)
    start, state = rng.uniform(0, 360), rng.getrandbits(32)
    bend = [
        (0, 0, 0),
        (reach * 0.3, 0, rise),
        (reach, 0, rise * 1.3),
        (reach, 0, rise),
        (reach, 0, rise - drop),
    ]
    if rng.random() < 0.4:
        bend = [
            (0, 0, 0),
            (reach * 0.9, 0, rise * 0.2),
            (reach, 0, rise * 0.2),
            (reach, 0, rise * 0.2 - drop),
        ]
    for k in range(count + lamp):
        pose = sh.shift(-radius) @ sh.turn("z", start + 180 * k)
        thick = rng.uniform(0.018, 0.026)
        model.add(sh.tube(sh.curve(bend, 16), thick, 14), metal, pose)
        tip = pose @ sh.shift(*bend[-1])
        if k == count:
            model.absorb(lamp_head(rng), tip)
            continue
        model.add(sh.cylinder(thick * 1.5, 0.05, bevel=0.004), metal, tip @ sh.shift(0, 0, -0.004))
        # Domes of one pole are of one make.
        for part in hanging_dome(type(rng)(state), body).parts:
            model.add(part.mesh, part.finish, tip @ sh.turn("z", rng.uniform(0, 360)), head=k)
    return model


def enforcement_box(rng: Random) -> Assembly:
    """Return a large housing along +x about the origin with a sloping hood over its window."""
    unit = Assembly("enforcement")
    body = (
        housing_paint(rng)
        if rng.random() < 0.7
        else plastic(rng, grey(rng.choice([0.03, 0.2, 0.35])))
    )
    length, width = rng.uniform(0.3, 0.65), rng.uniform(0.14, 0.3)
    tall = width * rng.uniform(0.7, 1.3)
    unit.add(sh.block(length, width, tall, radius=width * 0.06, bevel=0.006), body)
    front = sh.shift(length / 2)
    for y in rng.choice([(0,), (0,), (-0.22, 0.22)]):
        wide = width * (0.75 if y == 0 else 0.4)
        pane = sh.block(0.006, wide, tall * rng.uniform(0.45, 0.8), radius=0.01)
        unit.add(pane, DARK_GLASS, front @ sh.shift(0, y * width))
        eye = lens_eye(rng, min(wide, tall) * rng.uniform(0.18, 0.32))
        unit.absorb(eye, front @ sh.shift(0.004, y * width))
    over, slope = rng.uniform(0.05, 0.2), rng.uniform(-3, 14)
    hood = sh.plain_box(-length * 1.05, over, -width * 0.54, width * 0.54, 0, 0.005)
    unit.add(hood, body, sh.shift(length / 2, 0, tall / 2 + 0.012) @ sh.turn("y", slope * 0.3))
    for side in (-1, 1):
        y0, y1 = sorted((side * width * 0.54, side * width * 0.52))
        unit.add(
            sh.plain_box(-length * 0.2, over, y0, y1, -tall * 0.5, 0.004),
            body,
            sh.shift(length / 2, 0, tall / 2 + 0.008),
        )
    unit.add(sh.block(0.012, width * 0.8, tall * 0.75, radius=0.01), body, sh.shift(-length / 2))
    return unit


def mounted(unit: Assembly, name: str, kind: str, pose: NDArray) -> Assembly:
    """Return a model whose only head is the unit, posed."""
    model = Assembly(name, heads=[kind])
    for part in unit.parts:
        model.add(part.mesh, part.finish, pose, head=0)
    return model


def build_enforcement(rng: Random) -> Assembly:
    """Return a traffic camera in a thick housing on a pole's arm or a signal's mast arm."""
    small = rng.random() < 0.45
    unit = (
        boxed_head(rng, housing_paint(rng), rng.uniform(0.25, 0.4), rng.uniform(0.09, 0.13))
        if small
        else enforcement_box(rng)
    )
    low = float(unit.vertices()[:, 2].min())
    reach, lift = rng.uniform(0.25, 0.6), rng.uniform(0.04, 0.2)
    pose = sh.shift(reach, 0, lift - low) @ sh.aim(rng.uniform(-180, 180), -rng.uniform(0, 18))
    model = mounted(unit, "enforcement", "bullet", pose)
    metal = rng.choice([steel(rng), steel(rng), plastic(rng, grey(0.04))])
    model.add(sh.tube([(reach, 0, 0), (reach, 0, lift - low * 0.2)], 0.022, 12), metal)
    model.add(sh.block(0.12, 0.09, 0.012), metal, sh.shift(reach, 0, lift - 0.004))
    long = rng.uniform(0.5, 1.2)
    if rng.random() < 0.4:
        model.add(sh.tube([(reach, -long, 0), (reach, long, 0)], 0.05, 20), metal)
    else:
        model.add(sh.tube([(0, 0, 0), (reach + 0.05, 0, 0)], 0.03, 14), metal)
        radius = rng.uniform(0.05, 0.1)
        model.add(sh.cylinder(radius, long + 0.4, segments=28), metal, sh.shift(-radius, 0, -long))
    path = sh.curve(
        [
            (reach, 0.02, lift),
            (reach - 0.2, 0.04, lift + 0.05),
            (reach - 0.2, 0.02, -0.12),
            (0.1, 0.0, -0.04),
        ],
        10,
    )
    model.add(sh.tube(path, 0.006, 8), CABLE)
    return model
