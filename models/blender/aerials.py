"""Loudspeakers, dishes and antennas; frames as in cameras.py."""

from __future__ import annotations

from random import Random

from models.blender import shapes as sh
from models.blender.assembly import Assembly, grey, plastic, steel


def build_loudspeaker(rng: Random) -> Assembly:
    """Return one or two horn loudspeakers."""
    model = Assembly("loudspeaker")
    body = plastic(rng, rng.choice([grey(0.5), grey(0.7), grey(0.3), (0.55, 0.52, 0.42)]))
    mouth, depth = rng.uniform(0.09, 0.2), rng.uniform(0.15, 0.32)
    horn = [
        (mouth * 0.35, 0),
        (mouth * 0.38, depth * 0.4),
        (mouth * 0.55, depth * 0.65),
        (mouth * 0.85, depth * 0.92),
        (mouth, depth),
    ]
    inner = [(r * 0.97, x - 0.002) for r, x in reversed(horn[1:])]
    count = rng.choice([1, 1, 2])
    square = rng.random() < 0.3
    for k in range(count):
        pose = sh.shift(0.14, 0, 0) @ sh.aim(
            rng.uniform(-50, 50) + (k * 120 - 60) * (count - 1), rng.uniform(-20, 5)
        )
        mesh = sh.lathe(horn + inner, 4 if square else 32, "x")
        model.add(mesh, body, pose @ sh.turn("x", 45 if square else 0))
        model.add(
            sh.cylinder(mouth * 0.42, depth * 0.3, bevel=0.01, axis="x"),
            body,
            pose @ sh.shift(-depth * 0.28),
        )
        model.add(
            sh.lathe(
                [(mouth * 0.2, depth * 0.2), (mouth * 0.3, depth * 0.62), (0, depth * 0.75)],
                24,
                "x",
            ),
            body,
            pose,
        )
    model.add(sh.tube([(0, 0, -0.02), (0.16, 0, -0.02)], 0.014), steel(rng))
    return model


def build_satellite_dish(rng: Random) -> Assembly:
    """Return a satellite dish with its feed arm."""
    model = Assembly("satellite_dish")
    radius = rng.uniform(0.22, 0.42)
    body = plastic(rng, rng.choice([grey(0.7), grey(0.35), grey(0.08), (0.4, 0.12, 0.06)]))
    profile = [(radius * k / 8, 0.22 * radius * (k / 8) ** 2) for k in range(9)]
    back = [(r + 0.002, x + 0.004) for r, x in reversed(profile)]
    pose = sh.shift(0.28, 0, 0.1) @ sh.aim(rng.uniform(-60, 60), rng.uniform(15, 40))
    model.add(sh.lathe(profile + back, 36, "x"), body, pose)
    model.add(
        sh.tube([(0, 0, -radius * 0.9), (radius * 0.95, 0, -radius * 0.45)], 0.012), body, pose
    )
    model.add(
        sh.cylinder(0.03, 0.1, bevel=0.01, axis="x"),
        plastic(rng, grey(0.7)),
        pose @ sh.shift(radius * 0.9, 0, -radius * 0.43),
    )
    model.add(sh.tube([(0, 0, 0), (0.2, 0, 0), (0.24, 0, 0.12)], 0.02), steel(rng))
    return model


def build_antenna(rng: Random) -> Assembly:
    """Return a cellular panel, a yagi or a whip antenna."""
    model = Assembly("antenna")
    style = rng.random()
    if style < 0.45:
        body = plastic(rng, grey(rng.uniform(0.45, 0.8)))
        tall = rng.uniform(0.25, 0.9)
        model.add(
            sh.block(0.09, rng.uniform(0.12, 0.22), tall, radius=0.02),
            body,
            sh.shift(0.16) @ sh.turn("y", rng.uniform(0, 12)),
        )
        for z in (-0.35, 0.35):
            model.add(sh.tube([(0, 0, z * tall), (0.14, 0, z * tall)], 0.015), steel(rng))
    elif style < 0.75:
        metal, length = steel(rng), rng.uniform(0.5, 1.0)
        model.add(sh.tube([(0, 0, 0), (length, 0, 0)], 0.009, 8), metal)
        for k in range(9):
            half = 0.22 - 0.013 * k
            x = length * (0.1 + 0.1 * k)
            model.add(sh.tube([(x, -half, 0), (x, half, 0)], 0.004, 6), metal)
    else:
        model.add(
            sh.tube([(0.05, 0, -0.1), (0.05, 0, rng.uniform(0.4, 0.9))], 0.012, 10),
            plastic(rng, grey(0.7)),
        )
        model.add(sh.block(0.1, 0.06, 0.1), steel(rng), sh.shift(0.03))
    return model
