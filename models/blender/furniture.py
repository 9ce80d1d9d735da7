"""What stands in a street: cars, trees, posts, bins, wires; z up from the ground, metres."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.blender import shapes as sh
from models.blender.assembly import Assembly, Finish, grey, plastic, steel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

TYRE = Finish("paint", grey(0.02), 0.8, dirt=0.2)


CAR_COLOURS = (
    grey(0.75),
    grey(0.02),
    grey(0.25),
    grey(0.5),
    (0.3, 0.01, 0.01),
    (0.01, 0.04, 0.18),
    (0.03, 0.1, 0.09),
    (0.25, 0.22, 0.16),
)


@dataclass(frozen=True)
class CarShape:
    """Measures of a car, metres: where its parts begin and end, seen from the side."""

    van: bool
    length: float
    tall: float
    half: float  # half its width
    waist: float  # lower edge of the windows
    nose: float  # height of the bonnet's front
    back: float  # how far the rear window slopes


def make_car(rng: Random) -> Assembly:
    """Return a parked car along +x: hatchback, saloon, estate or van."""
    model = Assembly("car")
    paint = Finish("car", rng.choice(CAR_COLOURS), 0.25)
    van = rng.random() < 0.18
    length, tall, half = (
        (4.9, 2.0, 0.95)
        if van
        else (rng.uniform(3.7, 4.7), rng.uniform(1.42, 1.65), rng.uniform(0.84, 0.92))
    )
    waist = tall * (0.55 if van else 0.6)
    nose = waist * rng.uniform(0.72, 0.85)
    back = length * rng.choice([0.0, 0.04, 0.16])
    shape = CarShape(van, length, tall, half, waist, nose, back)
    _car_body(model, shape, paint)
    _wheels(model, rng, length, half)
    _car_fittings(model, shape, paint)
    return model


def _car_body(model: Assembly, car: CarShape, paint: Finish) -> None:
    """Add the lower body, the cabin with its glass, the roof and the pillars."""
    length, tall, waist, back = car.length, car.tall, car.waist, car.back
    lower = [
        *((0, 0.22), (length, 0.22), (length + 0.02, car.nose * 0.75)),
        *((length - 0.15, car.nose), (length * 0.72, waist), (0.1, waist), (0, waist * 0.9)),
    ]
    cabin = [
        *((back * 0.3 + 0.06, waist - 0.02), (length * 0.76, waist - 0.02)),
        *((length * 0.56, tall), (back + 0.22, tall)),
    ]
    if car.van:
        cabin = [
            *((0.03, waist - 0.02), (length * 0.86, waist - 0.02)),
            *((length * 0.72, tall), (0.08, tall)),
        ]
    roof = [
        *((back + 0.1, tall - 0.05), (length * 0.585, tall - 0.06)),
        *((length * 0.55, tall + 0.015), (back + 0.28, tall + 0.015)),
    ]

    def tumblehome(z: float) -> float:
        return 1 - 0.3 * max(0.0, z - waist)

    def belly(z: float) -> float:
        return 1 - 0.06 * max(0.0, z - 0.5) - 0.1 * max(0.0, 0.45 - z)

    glass = Finish("pane", (0.012, 0.014, 0.015), 0.02)
    model.add(_side_pull(lower, car.half, belly), paint)
    model.add(_side_pull(cabin, car.half * 0.94, tumblehome), paint if car.van else glass)
    model.add(_side_pull(roof, car.half * 0.95, tumblehome), paint)
    for x in (back * 0.6 + 0.4, length * 0.36, length * 0.58):
        pillar = [
            *((x - 0.05, waist - 0.02), (x + 0.05, waist - 0.02)),
            *((x + 0.03, tall), (x - 0.07, tall)),
        ]
        model.add(_side_pull(pillar, car.half * 0.948, tumblehome), paint)


def _car_fittings(model: Assembly, car: CarShape, paint: Finish) -> None:
    """Add lamps, mirrors, grille and number plates."""
    length, half, waist = car.length, car.half, car.waist
    lamp, tail = Finish("gloss", grey(0.6), 0.1), Finish("gloss", (0.4, 0.01, 0.01), 0.15)
    for side in (-1, 1):
        front = sh.shift(length - 0.04, side * half * 0.7, car.nose * 0.82)
        model.add(sh.block(0.12, 0.3, 0.14, radius=0.04), lamp, front)
        rear = sh.shift(0.03, side * half * 0.8, waist * 0.82)
        model.add(sh.block(0.1, 0.2, 0.24, radius=0.03), tail, rear)
        mirror = sh.shift(length * 0.68, side * (half + 0.08), waist + 0.06)
        model.add(sh.block(0.12, 0.16, 0.11, radius=0.03), paint, mirror)
    dark = Finish("paint", grey(0.02), 0.6)
    model.add(sh.plain_box(length - 0.05, length + 0.03, -half * 0.6, half * 0.6, 0.3, 0.46), dark)
    for x in (-0.02, length + 0.035):
        plate = sh.shift(x, 0, 0.42 if x > 0 else 0.75)
        model.add(sh.block(0.01, 0.5, 0.11, radius=0.01), Finish("paint", grey(0.75), 0.4), plate)


def _side_pull(
    outline: Sequence[tuple[float, float]], half: float, narrowing: Callable[[float], float]
) -> sh.Mesh:
    """Return a side view (x, z) pulled to both sides, its width scaled by narrowing(z)."""
    mesh = sh.prism(np.array(outline), -half, half, 0.05)
    vertices = mesh.vertices[:, [1, 0, 2]]
    scale = np.array([narrowing(float(z)) for z in vertices[:, 2]])
    vertices[:, 1] *= scale
    return sh.Mesh(vertices, [face[::-1] for face in mesh.faces])


def _wheels(model: Assembly, rng: Random, length: float, half: float) -> None:
    """Draw four wheels with their dark arches."""
    rim = rng.choice([Finish("paint", grey(0.5), 0.3, 0.8), Finish("paint", grey(0.1), 0.4, 0.5)])
    for x in (length * 0.18, length * 0.82):
        for side in (-1, 1):
            y = side * (half - 0.2)
            spin = sh.turn("z", 90 * side)
            model.add(
                sh.cylinder(0.37, 0.205, segments=24, axis="x"), TYRE, sh.shift(x, y, 0.34) @ spin
            )
            model.add(
                sh.cylinder(0.31, 0.22, bevel=0.03, segments=28, axis="x"),
                TYRE,
                sh.shift(x, y, 0.31) @ spin,
            )
            model.add(
                sh.cylinder(0.2, 0.228, bevel=0.01, segments=20, axis="x"),
                rim,
                sh.shift(x, y, 0.31) @ spin,
            )


def make_tree(rng: Random, *, bare: bool = False) -> Assembly:
    """Return a street tree of 5-9 m, with leaves or bare."""
    model = Assembly("tree")
    bark = Finish("wood", (0.12, 0.09, 0.065), 0.9, second=(0.05, 0.04, 0.03), scale=4)
    tall, clear = rng.uniform(5, 9), rng.uniform(2.2, 3.2)
    model.add(
        sh.tube(
            sh.curve(
                [
                    (0, 0, 0),
                    (0.05, 0, clear),
                    (rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3), tall * 0.8),
                ],
                8,
            ),
            0.11,
            10,
        ),
        bark,
    )
    crowns = []
    for _ in range(rng.randint(9, 14)):
        a, reach = rng.uniform(0, 2 * math.pi), rng.uniform(0.6, tall * 0.28)
        z0 = rng.uniform(clear * 0.9, tall * 0.65)
        tip = (reach * math.cos(a), reach * math.sin(a), z0 + rng.uniform(0.5, tall * 0.35))
        path = sh.curve([(0, 0, z0), (tip[0] * 0.6, tip[1] * 0.6, z0 + 0.3), tip], 5)
        model.add(sh.tube(path, rng.uniform(0.02, 0.05), 6), bark)
        crowns.append(tip)
        for _ in range(9 if bare else 2):
            start = path[rng.randint(2, 5)]
            end = [v + rng.gauss(0, 0.5) for v in start]
            model.add(sh.tube([start, end], 0.008, 5), bark)
    if not bare:
        _leaves(model, rng, crowns)
    return model


def _leaves(model: Assembly, rng: Random, crowns: list[tuple[float, float, float]]) -> None:
    """Draw clouds of leaves around the ends of the branches."""
    noise = np.random.default_rng(rng.getrandbits(32))
    base = rng.choice(
        [(0.06, 0.13, 0.025), (0.08, 0.15, 0.03), (0.05, 0.1, 0.03), (0.14, 0.14, 0.03)]
    )
    for crown in crowns:
        count = 420
        spread = noise.uniform(0.5, 0.9)
        direction = noise.normal(size=(count, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        centres = np.array(crown) + direction * spread * noise.uniform(0.3, 1, (count, 1)) ** 0.5
        first = noise.normal(size=(count, 3))
        first /= np.linalg.norm(first, axis=1, keepdims=True)
        second = np.cross(first, direction)
        size = noise.uniform(0.035, 0.07, (count, 1))
        corners = [
            centres + size * (i * first + j * second)
            for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]
        vertices = np.stack(corners, 1).reshape(-1, 3)
        shade = noise.uniform(0.7, 1.3)
        leaf = Finish("leaf", (base[0] * shade, base[1] * shade, base[2] * shade), 0.6)
        model.add(sh.Mesh(vertices, [tuple(range(4 * k, 4 * k + 4)) for k in range(count)]), leaf)


def make_post(rng: Random, height_m: float, radius_m: float) -> Assembly:
    """Return a plain upright post with a foot and a door."""
    model = Assembly("post")
    finish = rng.choice(
        [
            steel(rng),
            plastic(rng, grey(0.05)),
            plastic(rng, grey(0.3)),
            plastic(rng, (0.02, 0.06, 0.04)),
        ]
    )
    if rng.random() < 0.12:
        finish = Finish("wood", (0.16, 0.1, 0.06), 0.8, second=(0.08, 0.05, 0.03), scale=6)
    profile = [(radius_m, 0), (radius_m, height_m), (0, height_m)]
    model.add(sh.lathe(profile, 20), finish)
    model.add(sh.cylinder(radius_m * 1.35, rng.uniform(0.6, 1.1), bevel=0.02), finish)
    return model


def make_bollard(rng: Random) -> Assembly:
    """Return a bollard or a litter bin."""
    model = Assembly("bollard")
    finish = plastic(rng, rng.choice([grey(0.03), grey(0.35), (0.02, 0.08, 0.04)]))
    if rng.random() < 0.6:
        model.add(sh.cylinder(0.06, 0.95, bevel=0.03), finish)
        model.add(sh.cylinder(0.062, 0.08), plastic(rng, grey(0.75)), sh.shift(0, 0, 0.75))
    else:
        model.add(sh.cylinder(0.24, 0.9, bevel=0.03), finish)
        model.add(sh.cylinder(0.26, 0.06, bevel=0.02), finish, sh.shift(0, 0, 0.92))
    return model


def make_wire(start: Sequence[float], end: Sequence[float], sag_m: float) -> Assembly:
    """Return a cable that hangs between two points."""
    a, b = np.array(start, float), np.array(end, float)
    t = np.linspace(0, 1, 14)[:, None]
    points = a * (1 - t) + b * t
    points[:, 2] -= sag_m * 4 * t[:, 0] * (1 - t[:, 0])
    model = Assembly("wire")
    model.add(sh.tube(points, 0.012, 5), Finish("paint", grey(0.02), 0.7))
    return model
