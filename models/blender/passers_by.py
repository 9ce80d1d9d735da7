"""People, birds, parts of cars and bicycles, plants and ornaments; frames as in cameras.py."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from models.blender import shapes as sh
from models.blender.assembly import (
    Assembly,
    Colour,
    Finish,
    grey,
    plastic,
    steel,
)
from models.blender.patches import wood_finish

if TYPE_CHECKING:
    from random import Random

CLOTHES: tuple[Colour, ...] = (
    *(grey(0.012), grey(0.02), grey(0.05), grey(0.25), grey(0.7)),
    *((0.01, 0.02, 0.06), (0.02, 0.05, 0.15), (0.2, 0.02, 0.02), (0.06, 0.07, 0.03)),
    *((0.3, 0.22, 0.12), (0.4, 0.2, 0.02), (0.08, 0.02, 0.06)),
)
SKINS: tuple[Colour, ...] = ((0.5, 0.3, 0.2), (0.3, 0.16, 0.09), (0.12, 0.06, 0.035))


def cloth(rng: Random) -> Finish:
    """Return matt fabric."""
    return Finish("paint", rng.choice(CLOTHES), 0.9, dirt=0.35, scale=rng.uniform(5, 15))


def limb(points: list[tuple[float, float, float]], thick: float, thin: float) -> sh.Mesh:
    """Return a bent tube along the points that narrows from thick to thin, metres."""
    path = sh.curve(points, 7)
    mesh, segments = sh.tube(path, 1.0, 12), 12
    radii = np.repeat(np.linspace(thick, thin, len(path)), segments)[:, None]
    centres = np.repeat(path, segments, axis=0)
    mesh.vertices[:] = centres + (mesh.vertices - centres) * radii
    return mesh


def build_person(rng: Random) -> Assembly:
    """Return a standing or walking figure, without a face, about 1.7 m tall."""
    model = Assembly("person")
    coat, trousers = cloth(rng), cloth(rng)
    hair = Finish(
        "paint",
        rng.choice([grey(0.01), (0.05, 0.025, 0.01), (0.3, 0.2, 0.08), grey(0.4)]),
        0.7,
        dirt=0.2,
    )
    skin = Finish("paint", rng.choice(SKINS), 0.55, dirt=0.05)
    broad, stride = rng.uniform(0.17, 0.24), rng.uniform(0, 0.22)
    hem = rng.choice([0.85, 0.8, 0.45])
    body = [
        (0, hem),
        (broad * 0.85, hem),
        (broad * 0.82, 1.1),
        (broad, 1.32),
        (broad * 0.85, 1.44),
        (broad * 0.35, 1.5),
        (0, 1.51),
    ]
    torso = sh.lathe(body, 24)
    torso.vertices[:, 0] *= 0.6
    model.add(torso, coat)
    model.add(sh.cylinder(0.055, 0.12), skin, sh.shift(0, 0, 1.46))
    model.add(sh.ellipsoid(0.095, 0.078, 0.115), skin, sh.shift(0.01, 0, 1.64))
    if rng.random() < 0.8:
        model.add(sh.ellipsoid(0.1, 0.088, 0.11), hair, sh.shift(-0.02, 0, 1.67))
    else:
        model.add(sh.ellipsoid(0.13, 0.12, 0.15), coat, sh.shift(-0.03, 0, 1.63))
    for side in (-1, 1):
        swing = side * stride
        shoulder, y = (0, side * broad * 0.9, 1.4), side * (broad + 0.06)
        hand = (0.08 - swing, y, rng.choice([0.85, 0.88, 1.15]))
        model.add(limb([shoulder, (-0.04, y * 1.08, 1.1), hand], 0.06, 0.04), coat)
        model.add(sh.ellipsoid(0.04, 0.03, 0.06), skin, sh.shift(hand[0], hand[1], hand[2] - 0.04))
        foot = (swing * 1.3, side * 0.09, 0.06)
        model.add(
            limb([(0, side * 0.09, 0.9), (swing + 0.05, side * 0.1, 0.5), foot], 0.09, 0.055),
            trousers,
        )
        model.add(
            sh.ellipsoid(0.13, 0.045, 0.05),
            plastic(rng, rng.choice([grey(0.01), grey(0.6)])),
            sh.shift(foot[0] + 0.05, foot[1], 0.05),
        )
    if rng.random() < 0.4:
        model.add(
            sh.block(0.15, 0.28, 0.42, radius=0.06, bevel=0.04), cloth(rng), sh.shift(-0.2, 0, 1.2)
        )
    if rng.random() < 0.3:
        model.absorb(build_bag(rng), sh.shift(0.1, broad + 0.08, 0.75))
    return model


def build_bag(rng: Random) -> Assembly:
    """Return a bag with handles, or a rubbish sack."""
    model = Assembly("bag")
    skin = rng.choice([cloth(rng), plastic(rng, rng.choice(CLOTHES))])
    wide, tall = rng.uniform(0.25, 0.4), rng.uniform(0.2, 0.4)
    if rng.random() < 0.7:
        model.add(sh.block(wide * 0.35, wide, tall, radius=0.04, bevel=0.04), skin)
        loop = [
            (0, -wide * 0.25, tall * 0.48),
            (0, -wide * 0.2, tall),
            (0, wide * 0.2, tall),
            (0, wide * 0.25, tall * 0.48),
        ]
        model.add(sh.tube(sh.curve(loop, 10), 0.009, 8), skin)
        model.add(
            sh.cylinder(0.014, wide * 0.19, axis="x"), steel(rng), sh.shift(0, 0, tall * 0.25)
        )
    else:
        sack = sh.lathe(
            [
                (0, 0),
                (wide * 0.5, 0.02),
                (wide * 0.55, tall * 0.5),
                (wide * 0.3, tall * 0.9),
                (wide * 0.08, tall),
                (wide * 0.15, tall * 1.2),
            ],
            14,
        )
        noise = np.random.default_rng(rng.getrandbits(32))
        sack.vertices[:, :2] *= noise.uniform(0.85, 1.1, (len(sack.vertices), 1))
        model.add(
            sack, Finish("gloss", rng.choice([grey(0.01), (0.01, 0.03, 0.1), grey(0.5)]), 0.25)
        )
    return model


def build_bird(rng: Random) -> Assembly:
    """Return one to three birds on an edge, a wire or a rail."""
    model = Assembly("bird")
    colour = rng.choice([grey(0.2), grey(0.012), grey(0.35), grey(0.8), (0.12, 0.08, 0.05)])
    plumage = Finish("paint", colour, 0.7, dirt=0.5, scale=40)
    size = rng.uniform(0.05, 0.13)
    for k in range(rng.choice([1, 1, 2, 3])):
        pose = sh.shift(0, k * size * rng.uniform(2.2, 4)) @ sh.turn("z", rng.uniform(0, 360))
        pitch = sh.turn("y", -rng.uniform(5, 55))
        model.add(
            sh.ellipsoid(size * 1.1, size * 0.6, size * 0.65),
            plumage,
            pose @ sh.shift(0, 0, size) @ pitch,
        )
        head = pose @ sh.shift(0, 0, size) @ pitch @ sh.shift(size * 0.95, 0, size * 0.35)
        dark = Finish("paint", tuple(0.5 * c for c in colour), 0.5, dirt=0.2)
        model.add(sh.ball(size * 0.4, rings=8), rng.choice([plumage, dark]), head)
        model.add(
            sh.lathe([(size * 0.12, 0), (0, size * 0.4)], 8, "x"),
            plastic(rng, rng.choice([grey(0.02), (0.5, 0.3, 0.03)])),
            head @ sh.shift(size * 0.32),
        )
        tail = sh.ellipsoid(size * 0.8, size * 0.25, size * 0.08)
        model.add(tail, dark, pose @ sh.shift(0, 0, size) @ pitch @ sh.shift(-size * 1.4))
        for y in (-0.2, 0.2):
            model.add(
                sh.tube([(0, y * size, 0), (0, y * size, size * 0.6)], size * 0.05, 6),
                plastic(rng, (0.4, 0.12, 0.05)),
                pose,
            )
    if rng.random() < 0.6:
        beam = rng.choice([steel(rng), plastic(rng, grey(0.4)), wood_finish(rng)])
        model.add(sh.block(0.05, size * 8, 0.04), beam, sh.shift(0, size, -0.02))
    return model


def build_ornament(rng: Random) -> Assembly:
    """Return a statue, an urn, a finial or a planter: a stack of turned shapes."""
    model = Assembly("ornament")
    stone = rng.choice(
        [
            Finish("plaster", grey(rng.uniform(0.2, 0.6), 0.08), dirt=0.8),
            plastic(rng, grey(0.03)),
            Finish("paint", (0.06, 0.12, 0.09), 0.6, 0.4, 0.7),
            plastic(rng, (0.35, 0.12, 0.05)),
        ]
    )
    r, z = rng.uniform(0.08, 0.25), 0.0
    profile = [(0.0, 0.0), (r, 0.0)]
    for _ in range(rng.randint(3, 8)):
        z += r * rng.uniform(0.15, 0.6)
        profile += [(r * rng.uniform(0.3, 1.1), z)] * rng.choice([1, 1, 2])
        z += r * 0.05
    profile.append((0.0, z))
    model.add(sh.lathe(profile, rng.choice([8, 32, 32, 32])), stone)
    if rng.random() < 0.5:
        model.add(sh.ball(r * rng.uniform(0.3, 0.6), rings=12), stone, sh.shift(0, 0, z + r * 0.3))
    elif rng.random() < 0.6:
        model.absorb(build_leaves(rng), sh.shift(0, 0, z + r * 0.8))
    return model


def build_leaves(rng: Random) -> Assembly:
    """Return a cluster of leaves with dark gaps between them."""
    model = Assembly("leaves")
    noise = np.random.default_rng(rng.getrandbits(32))
    base = rng.choice(
        [(0.05, 0.13, 0.02), (0.08, 0.15, 0.03), (0.03, 0.07, 0.03), (0.25, 0.1, 0.02)]
    )
    reach, count = rng.uniform(0.12, 0.3), rng.randint(60, 220)
    model.add(
        sh.ellipsoid(reach * 0.6, reach * 0.7, reach * 0.6),
        Finish("paint", (0.004, 0.007, 0.003), 0.9),
    )
    for shade in (0.5, 0.9, 1.4):
        size = noise.uniform(0.02, 0.06)
        direction = noise.normal(size=(count, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        centres = direction * reach * noise.uniform(0.6, 1.0, (count, 1))
        first = noise.normal(size=(count, 3))
        first /= np.linalg.norm(first, axis=1, keepdims=True)
        second = np.cross(first, direction) * 0.6
        ring = [2 * math.pi * k / 6 for k in range(6)]
        corners = [centres + size * (math.cos(a) * first + math.sin(a) * second) for a in ring]
        mesh = sh.Mesh(
            np.stack(corners, 1).reshape(-1, 3),
            [tuple(range(6 * k, 6 * k + 6)) for k in range(count)],
        )
        model.add(mesh, Finish("leaf", (base[0] * shade, base[1] * shade, base[2] * shade), 0.6))
    return model
