"""Further domes, bullets and plate readers, alone and in groups; frames as in cameras.py."""

from __future__ import annotations

from dataclasses import replace
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
from models.blender.cameras import build_bullet, build_camera, pole_piece
from models.blender.domes import bubble_finish, build_dome
from models.blender.lens import led_ring, lens_eye
from models.blender.mast_cameras import boxed_head, housing_paint, mounted
from models.blender.patches import wall_patch
from models.blender.power_gear import build_solar_mast

if TYPE_CHECKING:
    from random import Random


def weathered(model: Assembly, rng: Random) -> Assembly:
    """Return the model with its paint dirtier and duller."""
    dirt, spots = rng.uniform(0.5, 0.95), rng.uniform(5, 30)

    def aged(finish: Finish) -> Finish:
        if finish.recipe != "paint" or max(finish.colour) < 0.02:
            return finish
        return replace(finish, dirt=dirt, roughness=min(1.0, finish.roughness + 0.2), scale=spots)

    model.parts[:] = [replace(part, finish=aged(part.finish)) for part in model.parts]
    return model


def cable_loops(rng: Random, model: Assembly) -> None:
    """Hang one to three slack cables and a small box beside the mount."""
    for _ in range(rng.randint(1, 3)):
        side, sag = rng.uniform(-0.12, 0.12), rng.uniform(0.08, 0.35)
        path = [
            (0.1, 0, 0.0),
            (0.2, side, -sag),
            (0.05, side * 2, -sag * 1.5),
            (0.01, side, rng.uniform(-0.3, 0.2)),
        ]
        model.add(
            sh.tube(sh.curve(path, 12), rng.uniform(0.003, 0.006), 7),
            rng.choice([CABLE, plastic(rng, grey(0.6))]),
        )
    if rng.random() < 0.4:
        box = sh.block(0.05, rng.uniform(0.08, 0.14), rng.uniform(0.08, 0.16), radius=0.01)
        model.add(
            box,
            plastic(rng, grey(0.65)),
            sh.shift(0.025, rng.uniform(-0.05, 0.05), rng.choice([-0.2, 0.18])),
        )


def on_wall_or_pole(rng: Random, model: Assembly, pole: float = 0.6) -> Assembly:
    """Return the model with a stretch of pole or, at times, a piece of wall behind it."""
    if rng.random() < pole:
        piece = pole_piece(
            rng, rng.uniform(0.15, 0.7), rng.uniform(0.1, 0.6), rng.uniform(0.03, 0.09)
        )
        model.absorb(piece, sh.shift())
    elif rng.random() < 0.6:
        model.absorb(wall_patch(rng, rng.uniform(0.25, 0.5)), sh.shift())
    return model


def build_old_bullet(rng: Random) -> Assembly:
    """Return a dirty bullet camera with slack cables."""
    pole = rng.random() < 0.6
    model = weathered(build_bullet(rng, "pole" if pole else "wall"), rng)
    cable_loops(rng, model)
    return on_wall_or_pole(rng, model, 1.0 if pole else 0.0)


def build_hooded_bullet(rng: Random) -> Assembly:
    """Return a longer housing under a roof, on a side bracket, a stand or from above."""
    body = housing_paint(rng) if rng.random() < 0.7 else plastic(rng, body_colour(rng))
    unit = boxed_head(rng, body, rng.uniform(0.2, 0.42), rng.uniform(0.06, 0.12))
    low, high = (float(v) for v in (unit.vertices()[:, 2].min(), unit.vertices()[:, 2].max()))
    reach, above = rng.uniform(0.18, 0.35), rng.random() < 0.35
    pose = sh.shift(reach) @ sh.aim(rng.uniform(-140, 140), -rng.uniform(0, 35))
    model = mounted(unit, "hooded_bullet", "bullet", pose)
    metal = plastic(rng, body.colour) if rng.random() < 0.6 else steel(rng)
    end = (reach, 0, (high if above else low) * 0.9)
    knee = (reach, 0, end[2] + (0.06 if above else -0.06))
    model.add(sh.tube([(0, 0, knee[2]), (reach * 0.9, 0, knee[2]), knee, end], 0.016, 14), metal)
    model.add(sh.cylinder(0.045, 0.014, bevel=0.004, axis="x"), metal, sh.shift(0, 0, knee[2]))
    if rng.random() < 0.5:
        cable_loops(rng, model)
    if rng.random() < 0.3:
        weathered(model, rng)
    return on_wall_or_pole(rng, model)


def build_group(rng: Random) -> Assembly:
    """Return a pole with two to four cameras around and above each other."""
    model, radius = Assembly("group"), rng.uniform(0.04, 0.09)
    start = rng.uniform(0, 360)
    for k in range(rng.choice([2, 2, 3, 3, 4])):
        kind = rng.choice(["bullet", "bullet", "bullet", "dome", "ptz"])
        around = start + k * rng.uniform(80, 150)
        place = (
            sh.shift(-radius, 0, rng.uniform(-0.3, 0.3)) @ sh.turn("z", around) @ sh.shift(radius)
        )
        model.absorb(build_camera(kind, rng, "pole"), place)
    model.absorb(pole_piece(rng, rng.uniform(0.4, 0.8), rng.uniform(0.35, 0.6), radius), sh.shift())
    return model


def ceiling_dome(rng: Random) -> Assembly:
    """Return a dome that hangs from the origin: surface or recessed, black, smoked or four-eyed."""
    unit = Assembly("ceiling")
    body = (
        plastic(rng, grey(rng.uniform(0.65, 0.85)))
        if rng.random() < 0.75
        else plastic(rng, body_colour(rng))
    )
    r, style = rng.uniform(0.05, 0.1), rng.random()
    base = r * (rng.uniform(0.05, 0.14) if style < 0.3 else rng.uniform(0.3, 0.7))
    lip = rng.uniform(0.62, 0.88)
    profile = [
        (r * 0.3, -base),
        (r * lip, -base),
        (r * (lip + 0.06), -base * 1.02),
        (r * 0.97, -base * 0.6),
        (r, 0),
        (0, 0),
    ]
    unit.add(sh.lathe(profile, 44), body)
    centre = sh.shift(0, 0, -base)
    if style > 0.82:
        unit.add(
            sh.cylinder(r * 0.85, r * 0.25, bevel=0.006, segments=40),
            rng.choice([body, BLACK]),
            centre @ sh.shift(0, 0, -r * 0.25),
        )
        for k in range(4):
            pose = (
                centre @ sh.shift(0, 0, -r * 0.22) @ sh.turn("z", 45 + 90 * k) @ sh.shift(r * 0.45)
            )
            unit.add(sh.ball(r * 0.32, rings=10), rng.choice([body, body, BLACK]), pose)
            look = pose @ sh.turn("y", rng.uniform(20, 60)) @ sh.shift(r * 0.24)
            unit.absorb(lens_eye(rng, r * 0.15), look)
        return unit
    glass = (
        Finish("gloss", grey(0.006), rng.uniform(0.02, 0.08))
        if rng.random() < 0.5
        else bubble_finish(rng)
    )
    bubble = r * lip * rng.uniform(0.9, 1.0)
    shell = sh.ball(bubble, start_deg=-90, end_deg=3, rings=14, segments=40)
    shell.vertices[:, 2] *= rng.uniform(0.55, 1.05)
    unit.add(shell, glass, centre)
    if glass.recipe == "bubble":
        unit.add(sh.ball(bubble * 0.55, rings=8), BLACK, centre)
        look = sh.aim(rng.uniform(-180, 180), -rng.uniform(15, 75)) @ sh.shift(bubble * 0.5)
        unit.absorb(lens_eye(rng, bubble * 0.3), centre @ look)
    return unit


def build_soffit_dome(rng: Random) -> Assembly:
    """Return a dome or turret under a ceiling, often with a piece of it."""
    if rng.random() < 0.3:
        model = build_dome(rng, "ceiling")
    else:
        model = mounted(ceiling_dome(rng), "soffit_dome", "dome", sh.turn("z", rng.uniform(0, 360)))
    if rng.random() < 0.5:
        finish = plastic(rng, grey(rng.uniform(0.3, 0.8))) if rng.random() < 0.5 else None
        model.absorb(wall_patch(rng, rng.uniform(0.15, 0.35), finish), sh.turn("y", 90))
    return model


def build_ring_turret(rng: Random) -> Assembly:
    """Return a turret with a ring of infra-red lights on a wall or a ceiling."""
    unit = Assembly("turret")
    body = housing_paint(rng) if rng.random() < 0.7 else plastic(rng, body_colour(rng))
    r = rng.uniform(0.045, 0.065)
    collar = r * rng.uniform(1.1, 1.35)
    profile = [(r * 0.7, -r * 0.8), (r * 0.98, -r * 0.75), (collar, -r * 0.3), (collar, 0), (0, 0)]
    unit.add(sh.lathe(profile, 40), body)
    pose = sh.shift(0, 0, -r * 0.9) @ sh.aim(rng.uniform(-180, 180), -rng.uniform(5, 80))
    unit.add(
        sh.ball(r, start_deg=-90, end_deg=50, rings=14, segments=36), body, pose @ sh.turn("y", 90)
    )
    face = pose @ sh.shift(r * 0.75)
    unit.add(sh.cylinder(r * 0.66, 0.006, bevel=0.002, segments=32, axis="x"), DARK_GLASS, face)
    unit.absorb(lens_eye(rng, r * rng.uniform(0.2, 0.3)), face @ sh.shift(0.006))
    unit.absorb(led_ring(rng, r * 0.34, r * 0.64), face @ sh.shift(0.005))
    wall = rng.random() < 0.4
    # A hanging unit turned onto its side looks out of the wall along +x.
    where = sh.turn("y", -90) if wall else sh.turn("z", rng.uniform(0, 360))
    model = mounted(unit, "ring_turret", "dome", where)
    if rng.random() < 0.4:
        model.absorb(
            wall_patch(rng, rng.uniform(0.15, 0.3)), sh.shift() if wall else sh.turn("y", 90)
        )
    return model


def reader_pod(rng: Random) -> Assembly:
    """Return an upright dark pod along +x about the origin: a lens above an infra-red window."""
    unit = Assembly("pod")
    width = rng.uniform(0.07, 0.12)
    tall, deep = width * rng.uniform(1.4, 2.4), width * rng.uniform(0.8, 1.8)
    shell = (
        plastic(rng, grey(rng.uniform(0.012, 0.07)))
        if rng.random() < 0.8
        else plastic(rng, body_colour(rng))
    )
    shape = sh.rounded(width, tall, width * rng.choice([0.25, 0.45, 0.499]), 8)
    unit.add(sh.prism(shape, -deep / 2, deep / 2, width * rng.uniform(0.05, 0.25)), shell)
    front = sh.shift(deep / 2)
    unit.add(sh.prism(shape * 0.82, -0.001, 0.003, 0.001), DARK_GLASS, front)
    up = tall * rng.uniform(0.12, 0.24) * rng.choice([1, 1, -1])
    unit.absorb(lens_eye(rng, width * rng.uniform(0.18, 0.3)), front @ sh.shift(0.003, 0, up))
    window = sh.rounded(width * 0.5, tall * 0.28, width * rng.choice([0.05, 0.24]), 6)
    unit.add(
        sh.prism(window, 0.002, 0.005),
        Finish("gloss", (0.03, 0.008, 0.01), 0.1),
        front @ sh.shift(0, 0, -up),
    )
    if rng.random() < 0.4:
        visor = sh.arch(width * 0.52, 0.003, 85)
        unit.add(
            sh.prism(visor, 0, width * rng.uniform(0.2, 0.6)),
            shell,
            front @ sh.shift(0, 0, tall * 0.5 - width * 0.52),
        )
    return unit


def reader_array(rng: Random) -> Assembly:
    """Return a wide box along +x about the origin with two lenses and an array of lights."""
    unit = Assembly("array")
    width, deep = rng.uniform(0.2, 0.38), rng.uniform(0.14, 0.3)
    tall = width * rng.uniform(0.4, 0.75)
    shell = (
        housing_paint(rng) if rng.random() < 0.6 else plastic(rng, grey(rng.uniform(0.012, 0.2)))
    )
    unit.add(sh.block(deep, width, tall, radius=rng.choice([0.008, 0.03]), bevel=0.006), shell)
    front = sh.shift(deep / 2)
    unit.add(
        sh.block(0.006, width * 0.92, tall * 0.86, radius=0.01),
        rng.choice([DARK_GLASS, shell]),
        front,
    )
    for side in (-1, 1):
        at = front @ sh.shift(0.003, side * width * 0.34)
        unit.add(sh.cylinder(tall * 0.3, 0.005, bevel=0.001, axis="x"), DARK_GLASS, at)
        unit.absorb(lens_eye(rng, tall * rng.uniform(0.14, 0.22)), at @ sh.shift(0.004))
    columns, rows = rng.choice([(3, 4), (4, 5), (5, 6)])
    red = Finish("glow", (0.7, 0.03, 0.03), strength=0.8) if rng.random() < 0.2 else LENS
    led = red if rng.random() < 0.6 else Finish("paint", (0.3, 0.26, 0.25), 0.2, dirt=0.0)
    step = min(width * 0.3 / columns, tall * 0.75 / rows)
    for i in range(columns):
        for j in range(rows):
            at = front @ sh.shift(
                0.003, (i - (columns - 1) / 2) * step, (j - (rows - 1) / 2) * step
            )
            unit.add(sh.cylinder(step * 0.36, 0.004, segments=10, axis="x"), led, at)
    if rng.random() < 0.7:
        over, top = rng.uniform(0.02, 0.1), tall / 2 + 0.006
        unit.add(
            sh.plain_box(
                -deep * 0.5, deep / 2 + over, -width * 0.52, width * 0.52, top, top + 0.004
            ),
            shell,
        )
    return unit


def build_reader(rng: Random) -> Assembly:
    """Return a plate reader: a pod strapped to a pole under a solar panel, or a box on an arm."""
    pod = rng.random() < 0.6
    unit = reader_pod(rng) if pod else reader_array(rng)
    size = float(abs(unit.vertices()).max())
    reach = size * rng.uniform(0.9, 1.5) + (0.0 if pod else rng.uniform(0.0, 0.3))
    pose = sh.shift(reach) @ sh.aim(rng.uniform(-100, 100), -rng.uniform(0, 25))
    model = mounted(unit, "reader", "alpr", pose)
    metal = BLACK if pod and rng.random() < 0.6 else steel(rng)
    model.add(sh.tube([(-0.02, 0, 0), (reach * 0.9, 0, 0)], rng.uniform(0.012, 0.025), 12), metal)
    model.add(sh.block(0.03, 0.07, 0.12), metal, sh.shift(0.012))
    radius = rng.uniform(0.025, 0.05)
    if pod and rng.random() < 0.7:
        model.absorb(build_solar_mast(rng), sh.shift(0, 0, size + rng.uniform(0.1, 0.4)))
    if rng.random() < 0.6:
        path = sh.curve(
            [(reach * 0.8, 0, -0.02), (reach, 0.03, -0.3), (0.02, 0.02, -0.25), (0.01, 0.0, -0.5)],
            10,
        )
        model.add(sh.tube(path, 0.005, 7), CABLE)
    model.absorb(pole_piece(rng, rng.uniform(0.3, 0.9), rng.uniform(0.2, 0.5), radius), sh.shift())
    return model
