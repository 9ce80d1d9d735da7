"""The demo walk's street: blender -b --factory-startup --python walk_scene.py -- --help."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from random import Random
from typing import Any

import bpy
import numpy as np

# Blender runs a script without its package; the checkout has to be found by place.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from models.blender import furniture, lookalikes, studio
from models.blender.assembly import LENS, Assembly
from models.blender.cameras import build_camera
from models.blender.plan import Plan, on_front, post_mount, wall_mount
from models.blender.sightings import seen_box
from models.blender.sky import street_light
from models.blender.street import (
    Street,
    hang_lookalikes,
    lay_ground,
    line_with_fronts,
    park_cars,
    string_wires,
)
from models.walk_path import COURSE

WIDTH_PX, HEIGHT_PX, HFOV_DEG = 1280, 720, 66.0
FOCAL_PX = WIDTH_PX / 2 / math.tan(math.radians(HFOV_DEG / 2))
PLAN = Plan(COURSE, -20, 92, 2.75, -2.75, 5.0, -7.8)
SEED = 11
# kind, side, station in metres, height in metres
ON_WALLS = (
    ("ptz", "left", 19.0, 3.9),
    ("dome", "right", 11.0, 3.0),
    ("bullet", "right", 19.0, 3.3),
    ("bullet", "left", 30.0, 4.0),
    ("dome", "right", 43.2, 3.0),
    ("bullet", "right", 40.5, 3.5),
    ("ptz", "right", 46.0, 4.0),
    ("dome", "left", 51.5, 3.4),
    ("bullet", "left", 62.0, 3.6),
    ("bullet", "right", 60.0, 3.3),
)
# kind, station and height in metres, facing in degrees from the street's direction; left kerb
ON_POSTS = (
    ("ptz", 22.0, 4.7, 190.0),
    ("bullet", 22.0, 3.9, 240.0),
    ("alpr", 41.0, 3.2, 200.0),
    ("alpr", 66.0, 3.0, 200.0),
)
POST_LEFT_M = 3.25
LEAST_SIZE_M = {"bullet": 0.33, "dome": 0.19, "ptz": 0.3, "alpr": 0.24}


def camera_that_looks_back(kind: str, number: int, mount: str, at: np.ndarray) -> Assembly:
    """Return a camera of a fair size whose lens can be seen by someone who walks up to it."""
    along = at[:3, :3].T @ COURSE.frame_at(0)[:3, 0]
    model = build_camera(kind, Random(f"walk:{SEED}:{number}"), mount)
    for attempt in range(400):
        rng = Random(f"walk:{SEED}:{number}:{attempt}")
        model = build_camera(kind, rng, mount)
        points = model.head_vertices(0)
        size = float(np.ptp(points, axis=0).max())
        lens = [
            part.mesh.vertices.mean(0)
            for part in model.parts
            if part.head == 0 and part.finish == LENS
        ]
        far = kind == "bullet" and mount == "wall" and ON_WALLS[number][1] == "left"
        looks = (
            np.mean(lens, axis=0) - (points.min(0) + points.max(0)) / 2 if lens else -along * 0.01
        )
        turned = float(looks @ along) / (float(np.linalg.norm(looks)) + 1e-9)
        # A bullet seen end on is small and one seen from behind is hard to tell: neither is used.
        good = kind in {"dome", "ptz"} or (
            -0.85 < turned < -0.3 if kind == "bullet" else turned < -0.5
        )
        if good and LEAST_SIZE_M[kind] + 0.1 * far <= size <= 0.6:
            break
    return model


def build() -> Street:
    """Build the walk's street, its cameras first in the list of heads."""
    rng = Random(f"walk:{SEED}")
    studio.clear_scene()
    street = Street(PLAN)
    lay_ground(PLAN, rng)
    line_with_fronts(PLAN, rng)
    for number, (kind, side, station, up) in enumerate(ON_WALLS):
        at = on_front(wall_mount(PLAN, side, station, up))
        street.put(camera_that_looks_back(kind, number, "wall", at), at)
    for number, (kind, station, up, facing) in enumerate(ON_POSTS, len(ON_WALLS)):
        at = post_mount(PLAN, (station, POST_LEFT_M, up), 0.07, facing)
        street.put(camera_that_looks_back(kind, number, "pole", at), at)
    park_cars(PLAN, rng, 0.55)
    for station, left in ((6.0, 3.5), (53.0, 3.5), (72.0, -3.4), (80.0, 3.5)):
        street.put(furniture.make_tree(rng), PLAN.course.frame_at(station, left))
    string_wires(PLAN, rng, 3)
    hang_lookalikes(street, rng, 22)
    raise_posts(street, rng)
    return street


def raise_posts(street: Street, rng: Random) -> None:
    """Put up the posts that carry cameras, lamps, traffic lights and other look-alikes."""
    for station, height in ((22.0, 5.4), (41.0, 4.6), (66.0, 4.4)):
        street.put(
            furniture.make_post(rng, height, 0.07), PLAN.course.frame_at(station, POST_LEFT_M)
        )
    for station in (2.0, 16.0, 33.0, 48.0, 64.0, 80.0):
        left = POST_LEFT_M if rng.random() < 0.4 else PLAN.road_right_m - 0.3
        street.put(furniture.make_post(rng, 6.8, 0.08), PLAN.course.frame_at(station, left))
        inward = -90 if left > 0 else 90
        street.put(
            lookalikes.BUILDERS["street_lamp"](rng),
            post_mount(PLAN, (station, left, 6.7), 0.04, inward),
        )
        name = rng.choice(["loudspeaker", "sign_plate", "flood_light", "junction_box"])
        street.put(
            lookalikes.BUILDERS[name](rng),
            post_mount(PLAN, (station, left, rng.uniform(3.2, 4.6)), 0.08, rng.uniform(90, 270)),
        )
    for station, left in (
        (26.5, POST_LEFT_M),
        (26.5, PLAN.road_right_m - 0.35),
        (70.0, POST_LEFT_M),
    ):
        street.put(furniture.make_post(rng, 3.6, 0.06), PLAN.course.frame_at(station, left))
        # The mount's own light turns at random; this one faces the walker.
        street.put(
            lookalikes.BUILDERS["traffic_light"](Random(5)),
            post_mount(PLAN, (station, left, 3.0), 0.06, 180),
        )
    for station in range(-4, 80, 6):
        street.put(
            furniture.make_bollard(rng), PLAN.course.frame_at(station, PLAN.road_right_m - 0.3)
        )


def light() -> None:
    """Light the street from behind the walker."""
    ahead = COURSE.frame_at(0)[:3, 0]
    for attempt in range(40):
        rng = Random(f"walk-light:{SEED}:{attempt}")
        around, ambient = street_light(rng, "clear", COURSE.heading_at(0), 2048)
        if float(np.dot(around.sun, ahead)) < -0.35 and 0.45 < around.sun[2] < 0.75:
            studio.light_street(around, ambient)
            bpy.context.scene.view_settings.exposure += 0.4
            return


def poses_of(work: Path) -> list[np.ndarray]:
    """Return the lens poses (4x4) that the driver wrote."""
    poses = json.loads((work / "poses.json").read_text())
    return [
        studio.camera_pose(
            np.array([p["x_m"], p["y_m"], p["z_m"]]),
            p["heading_deg"],
            p["pitch_deg"],
            p["roll_deg"],
        )
        for p in poses
    ]


def survey(street: Street, work: Path) -> None:
    """Write where the cameras are, and how each frame sees them."""
    cameras, frames = [], []
    for head in street.heads:
        centre = (head.points.min(0) + head.points.max(0)) / 2
        cameras.append(
            {"kind": head.kind}
            | {
                name: round(float(v), 3)
                for name, v in zip(("x_m", "y_m", "z_m"), centre, strict=True)
            }
        )
    for pose in poses_of(work):
        sightings: list[dict[str, Any]] = []
        for number, head in enumerate(street.heads):
            seen = seen_box(head, pose, FOCAL_PX, WIDTH_PX, HEIGHT_PX)
            if seen is not None:
                long_px = max(seen[0][2] - seen[0][0], seen[0][3] - seen[0][1])
                sightings.append(
                    {"camera": number, "long_px": long_px, "visible": seen[1], "box": seen[0]}
                )
        frames.append(sightings)
    (work / "cameras.json").write_text(json.dumps(cameras))
    (work / "sightings.json").write_text(json.dumps(frames))


def main() -> None:
    """Survey the street or render the frames given on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--mode", choices=("survey", "render"), required=True)
    parser.add_argument("--frames", type=Path, required=True, help="a file with frame numbers")
    parser.add_argument("--samples", type=int, default=2)
    args = parser.parse_args(sys.argv[sys.argv.index("--") + 1 :])
    studio.set_cycles(args.samples, threads=1)
    street = build()
    if args.mode == "survey":
        survey(street, args.work)
        return
    light()
    bpy.context.scene.render.use_persistent_data = True
    eye = studio.add_camera(HFOV_DEG)
    eye.data.clip_start = 0.1
    poses = poses_of(args.work)
    for number in json.loads(args.frames.read_text()):
        eye.matrix_world = studio.Matrix(poses[number].tolist())
        studio.render_to(args.work / f"raw-{number:04d}.png", WIDTH_PX, HEIGHT_PX)


if __name__ == "__main__":
    main()
