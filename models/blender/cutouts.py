"""Render cut-outs inside Blender: blender -b --factory-startup --python cutouts.py -- --help."""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import bpy
import numpy as np

# Blender runs a script without its package; the checkout has to be found by place.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from models.blender import everyday, lookalikes, materials, night, patches, studio, variety
from models.blender import shapes as sh
from models.blender.assembly import Assembly
from models.blender.cameras import KINDS, build_camera, pole_piece
from models.blender.imported import import_bullet, known_files
from models.blender.sightings import Placed, seen_box
from models.blender.sky import make_surroundings

MARGIN_PX = 4
FULL_PX = 8192
CLEAR_SHARE = 0.6
IMPORTED_SHARE = 0.28
LOOKALIKE_SHARE = 0.3
EVERYDAY_SHARE = 0.85
VARIETY_SHARE = 0.75
NIGHT_SHARE = 0.08
BELOW, LEVEL, STEEP = (-8.0, 52.0, 18.0), (-25.0, 25.0, -2.0), (5.0, 72.0, 35.0)
ONLY = ("cameras", "lookalikes")


@dataclass(frozen=True, slots=True)
class Subject:
    """A model with what carries it, and how it is seen.

    elevation_deg is how far one looks up at it: least, most and most often.
    """

    model: Assembly
    elevation_deg: tuple[float, float, float] = BELOW
    night: bool = False


def build_subject(rng: Random, only: str | None = None) -> Subject:
    """Return a random camera or look-alike with what carries it; only is one of ONLY or None."""
    if only == "lookalikes" or (only is None and rng.random() < LOOKALIKE_SHARE):
        if rng.random() < EVERYDAY_SHARE:
            return build_everyday(rng)
        return Subject(build_lookalike(rng))
    if rng.random() < VARIETY_SHARE:
        form = variety.choose_form(rng)
        model = form.build(rng)
        steep = form.steep and rng.random() < 0.6
    else:
        model, steep = build_mounted_camera(rng), False
    dark = rng.random() < NIGHT_SHARE
    if dark:
        night.lit_leds(model, rng)
    return Subject(model, STEEP if steep else BELOW, dark)


def build_everyday(rng: Random) -> Subject:
    """Return an everyday thing, on a pole, on a piece of wall or alone."""
    thing = everyday.choose_thing(rng)
    model = thing.build(rng)
    where = rng.random()
    if where < thing.on_pole:
        reach = float(np.abs(model.vertices()).max())
        piece = pole_piece(
            rng,
            reach * rng.uniform(0.6, 1.8),
            reach * rng.uniform(0.2, 1.5),
            rng.uniform(0.025, 0.08),
        )
        model.absorb(piece, sh.shift())
    elif where < thing.on_pole + thing.on_wall:
        reach = float(np.abs(model.vertices()).max())
        model.absorb(patches.wall_patch(rng, reach * rng.uniform(1.1, 2.0)), sh.shift())
    return Subject(model, LEVEL if thing.level else BELOW)


def build_lookalike(rng: Random) -> Assembly:
    """Return a look-alike of those that streets have too, often on a pole."""
    name = rng.choice(list(lookalikes.BUILDERS))
    model = lookalikes.BUILDERS[name](rng)
    if (
        name in lookalikes.POLE
        and (name not in lookalikes.WALL or rng.random() < 0.5)
        and rng.random() < 0.7
    ):
        model.absorb(
            pole_piece(rng, rng.uniform(0.2, 0.7), rng.uniform(0.1, 0.4), rng.uniform(0.03, 0.09)),
            sh.shift(),
        )
    return model


def build_mounted_camera(rng: Random) -> Assembly:
    """Return one camera, seldom two, on a wall, a ceiling or a stretch of pole."""
    kind = rng.choices(KINDS, (32, 28, 22, 18))[0]
    mounts = {
        "bullet": ["wall", "pole"],
        "dome": ["ceiling", "wall", "pole"],
        "ptz": ["wall", "pole"],
        "alpr": ["pole", "pole", "wall"],
    }
    mount = rng.choice(mounts[kind])
    model = build_camera(kind, rng, mount)
    if mount == "pole":
        radius = rng.uniform(0.025, 0.1)
        if rng.random() < 0.15:
            other = build_camera(rng.choice(("bullet", kind)), rng, "pole")
            place = (
                sh.shift(-radius, 0, rng.uniform(-0.3, 0.3))
                @ sh.turn("z", rng.uniform(100, 260))
                @ sh.shift(radius)
            )
            model.absorb(other, place)
        model.absorb(
            pole_piece(rng, rng.uniform(0.1, 0.6), rng.uniform(0.08, 0.45), radius), sh.shift()
        )
    return model


def choose_view(rng: Random, subject: Subject) -> tuple[np.ndarray, float]:
    """Return a random pose of the camera (4x4) and its focal length in pixels."""
    model = subject.model
    points = model.vertices()
    centre = (points.min(0) + points.max(0)) / 2
    radius = float(np.linalg.norm(points - centre, axis=1).max())
    wall = not any(part for part in model.parts if part.mesh.vertices[:, 0].min() < -0.03)
    most = (65 if subject.elevation_deg == LEVEL else 85) if wall else 180
    azimuth = rng.uniform(-most, most)
    elevation = rng.triangular(*subject.elevation_deg)
    distance = max(2.2 * radius, rng.uniform(2.0, 12.0))
    e, a = math.radians(elevation), math.radians(azimuth)
    toward = np.array([math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), -math.sin(e)])
    pose = studio.camera_pose(
        centre + toward * distance, azimuth + 180, elevation, rng.gauss(0, 2.5)
    )
    rough = studio.project(points, pose, 1.0, 0, 0)[:, :2]
    long_px = rng.uniform(96, 224)
    focal = long_px / float((rough.max(0) - rough.min(0)).max())
    if model.heads:
        head = studio.project(model.head_vertices(0), pose, 1.0, 0, 0)[:, :2]
        wanted = 40 / float((head.max(0) - head.min(0)).max())
        # A long pole must not leave the head a few pixels wide.
        focal = max(focal, min(320 / long_px * focal, wanted))
    return pose, focal


def clear_view(
    rng: Random, subject: Subject, heads: list[Placed]
) -> tuple[np.ndarray, float, list[list[float]]]:
    """Return a view in which the mount hides little of each head, its focal length and boxes."""
    bpy.context.view_layer.update()
    pose, focal = choose_view(rng, subject)
    for _ in range(8):
        seen = [seen_box(head, pose, focal, FULL_PX, FULL_PX) for head in heads]
        if all(found is not None and found[1] > CLEAR_SHARE for found in seen):
            break
        pose, focal = choose_view(rng, subject)
    boxes = []
    for head in heads:
        spots = studio.project(head.points, pose, focal, FULL_PX, FULL_PX)[:, :2]
        boxes.append([*spots.min(0).tolist(), *spots.max(0).tolist()])
    return pose, focal, boxes


def frame(model: Assembly, pose: np.ndarray, focal: float) -> np.ndarray:
    """Set the camera and its crop; returns the crop's upper left corner in full-frame pixels."""
    spots = studio.project(model.vertices(), pose, focal, FULL_PX, FULL_PX)[:, :2]
    low, high = np.floor(spots.min(0)) - MARGIN_PX, np.ceil(spots.max(0)) + MARGIN_PX
    eye = studio.add_camera(60)
    eye.data.lens = focal / FULL_PX * 36.0
    eye.data.clip_start = 0.05
    eye.matrix_world = studio.Matrix(pose.tolist())
    render = bpy.context.scene.render
    render.use_border = render.use_crop_to_border = True
    render.border_min_x, render.border_max_x = low[0] / FULL_PX, high[0] / FULL_PX
    render.border_min_y, render.border_max_y = 1 - high[1] / FULL_PX, 1 - low[1] / FULL_PX
    return np.asarray(low)


def draw_one(number: int, args: argparse.Namespace) -> dict[str, Any]:
    """Render picture number and return its index line."""
    rng = Random(f"cutout:{args.seed}:{number}")
    studio.clear_scene()
    materials.forget()
    subject = build_subject(rng, args.only)
    model = subject.model
    files = known_files(args.glb) if args.glb is not None else []
    if files and model.heads == ["bullet"] and rng.random() < IMPORTED_SHARE:
        model, heads = import_bullet(rng, files)
        subject = replace(subject, model=model)
    else:
        things = studio.place_model(model, np.eye(4))
        heads = [
            Placed(kind, things[k], model.head_vertices(k)) for k, kind in enumerate(model.heads)
        ]
    around = night.lamp_from_side(rng) if subject.night else make_surroundings(rng)
    studio.light_scene(around, show=False)
    pose, focal, boxes = clear_view(rng, subject, heads)
    x0, y0 = frame(model, pose, focal)
    name = f"cutouts/{number:05d}.png"
    studio.render_to(args.out / name, FULL_PX, FULL_PX, "RGBA")
    cameras = [
        {"kind": head.kind, "box": [round(v, 1) for v in (a - x0, b - y0, c - x0, d - y0)]}
        for head, (a, b, c, d) in zip(heads, boxes, strict=True)
    ]
    return {"file": name, "name": model.name, "cameras": cameras}


def main() -> None:
    """Render the numbers given on the command line, one index line each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--numbers", type=Path, required=True, help="a file with picture numbers")
    parser.add_argument("--index", type=Path, required=True, help="the index file to append to")
    parser.add_argument("--glb", type=Path, help="a folder with .glb models of bullet cameras")
    parser.add_argument("--only", choices=ONLY)
    parser.add_argument("--samples", type=int, default=28)
    args = parser.parse_args(sys.argv[sys.argv.index("--") + 1 :])
    studio.set_cycles(args.samples, threads=1)
    for number in json.loads(args.numbers.read_text()):
        line = draw_one(number, args)
        with args.index.open("a") as index:
            index.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
