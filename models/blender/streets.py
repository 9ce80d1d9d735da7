"""Render streets inside Blender: blender -b --factory-startup --python streets.py -- --help."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import bpy
import numpy as np

# Blender runs a script without its package; the checkout has to be found by place.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from models.blender import materials, studio
from models.blender.course import Course
from models.blender.plan import Plan
from models.blender.sightings import angle_between, seen_box
from models.blender.sky import street_light
from models.blender.street import Street, random_street

WIDTH_PX, HEIGHT_PX = 960, 640
VIEWS_PER_STREET = 3
SMALLEST_PX, LARGEST_PX = 8.0, 120.0


def build_one(street_number: int, seed: int) -> Street:
    """Clear the scene and build a street with its light."""
    rng = Random(f"street:{seed}:{street_number}")
    studio.clear_scene()
    materials.forget()
    road, left, right = rng.uniform(5, 8.5), rng.uniform(2, 4), rng.uniform(2, 4)
    bend = rng.choice([0, 0, rng.uniform(-40, 40)])
    course = Course(rng.uniform(-180, 180), rng.uniform(-5, 15), 12, bend)
    plan = Plan(course, -26, 42, road / 2, -road / 2, road / 2 + left, -road / 2 - right)
    street = random_street(rng, plan, cameras=0 if street_number % 3 == 2 else rng.randint(6, 14))
    weather = rng.choices(("clear", "cloudy", "overcast", "dusk", "night"), (30, 32, 26, 10, 2))[0]
    studio.light_street(*street_light(rng, weather, course.heading_at(0), 2048))
    return street


def labels(street: Street, pose: np.ndarray, focal_px: float) -> list[dict[str, Any]]:
    """Return the label of every head that shows in the picture."""
    found = []
    for head in street.heads:
        seen = seen_box(head, pose, focal_px, WIDTH_PX, HEIGHT_PX)
        if seen is not None and max(seen[0][2] - seen[0][0], seen[0][3] - seen[0][1]) >= 3:
            found.append({"kind": head.kind, "box": seen[0], "visible": seen[1]})
    return found


def choose_view(street: Street, rng: Random) -> tuple[np.ndarray, float]:
    """Return a walker's view (4x4 pose, focal length in pixels), on a camera where there is one."""
    plan = street.plan
    pose, focal = np.eye(4), 700.0
    for _ in range(12):
        hfov = rng.choice([66, 66, rng.uniform(40, 75)])
        focal = WIDTH_PX / 2 / math.tan(math.radians(hfov / 2))
        station = rng.uniform(-18, 28)
        side = rng.choice(
            [
                rng.uniform(plan.road_left_m, plan.wall_left_m - 0.6),
                rng.uniform(plan.wall_right_m + 0.6, plan.road_right_m),
                0.0,
            ]
        )
        eye = plan.course.frame_at(station, side, rng.uniform(1.35, 1.75))[:3, 3]
        heading = plan.course.heading_at(station) + rng.choice([0, 180]) + rng.gauss(0, 25)
        pitch = rng.uniform(2, 22)
        if not street.heads:
            return studio.camera_pose(eye, heading, pitch, rng.gauss(0, 1.5)), focal
        target = rng.choice(street.heads)
        centre = (target.points.min(0) + target.points.max(0)) / 2
        size = float(np.linalg.norm(target.points.max(0) - target.points.min(0))) * 0.75
        distance = size * focal / math.exp(rng.uniform(math.log(11), math.log(95)))
        if not 2.2 < distance < 28:
            continue
        # Walking back from the camera along the street keeps the walker out of the walls.
        toward = plan.course.heading_at(station) + rng.choice([0, 180]) + rng.gauss(0, 20)
        lift = min(centre[2] - eye[2], distance * 0.85)
        level = math.sqrt(distance**2 - lift**2)
        eye = np.array(
            [
                centre[0] - level * math.cos(math.radians(toward)),
                centre[1] - level * math.sin(math.radians(toward)),
                eye[2],
            ]
        )
        heading, pitch = angle_between(eye, centre)
        pose = studio.camera_pose(
            eye,
            heading + rng.gauss(0, hfov / 6),
            pitch * rng.uniform(0.35, 1.0) + rng.gauss(0, 3),
            rng.gauss(0, 1.5),
        )
        if any(
            label["visible"] > 0.5 and SMALLEST_PX < label["box"][2] - label["box"][0] < LARGEST_PX
            for label in labels(street, pose, focal)
        ):
            break
    return pose, focal


def draw_one(street: Street, number: int, seed: int, folder: Path) -> dict[str, Any]:
    """Render one view of a street and return its index line."""
    rng = Random(f"view:{seed}:{number}")
    pose, focal = choose_view(street, rng)
    eye = bpy.data.objects.get("eye") or studio.add_camera(60)
    eye.data.lens = focal / WIDTH_PX * 36.0
    eye.data.clip_start = 0.1
    eye.matrix_world = studio.Matrix(pose.tolist())
    name = f"streets/{number:05d}.png"
    studio.render_to(folder / name, WIDTH_PX, HEIGHT_PX)
    return {
        "file": name,
        "width": WIDTH_PX,
        "height": HEIGHT_PX,
        "cameras": labels(street, pose, focal),
    }


def main() -> None:
    """Render the numbers given on the command line, one index line each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--numbers", type=Path, required=True, help="a file with picture numbers")
    parser.add_argument("--index", type=Path, required=True, help="the index file to append to")
    parser.add_argument("--samples", type=int, default=3)
    args = parser.parse_args(sys.argv[sys.argv.index("--") + 1 :])
    studio.set_cycles(args.samples, threads=1)
    bpy.context.scene.render.use_persistent_data = True
    built, street = -1, None
    for number in json.loads(args.numbers.read_text()):
        started = time.monotonic()
        if street is None or number // VIEWS_PER_STREET != built:
            built = number // VIEWS_PER_STREET
            street = build_one(built, args.seed)
            print(f"built street {built} in {time.monotonic() - started:.1f} s")
        line = draw_one(street, number, args.seed, args.out)
        with args.index.open("a") as index:
            index.write(json.dumps(line) + "\n")
        print(f"street picture {number}: {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
