"""Where a street's parts lie, and the frames of what hangs on its fronts and posts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from models.blender import shapes as sh
from models.blender.course import Course

ROAD_Z = -0.12


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a street's parts lie across it, metres from its line, left positive."""

    course: Course
    start_m: float
    end_m: float
    road_left_m: float
    road_right_m: float
    wall_left_m: float
    wall_right_m: float


def wall_mount(
    plan: Plan, side: str, station_m: float, up_m: float, out_m: float = 0.0
) -> NDArray[np.float64]:
    """Return the mount frame on a front: +x towards the street; side is "left" or "right"."""
    if side == "left":
        return plan.course.frame_at(station_m, plan.wall_left_m - out_m, up_m) @ sh.turn("z", -90)
    return plan.course.frame_at(station_m, plan.wall_right_m + out_m, up_m) @ sh.turn("z", 90)


def on_front(frame: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mount frame moved and turned onto the front that really stands there.

    In a bend the fronts are straight while the street's edge is not.
    """
    graph = bpy.context.evaluated_depsgraph_get()
    start = (frame @ [3.0, 0, 0, 1])[:3]
    hit, place, normal, _, thing, _ = bpy.context.scene.ray_cast(
        graph, start.tolist(), (-frame[:3, 0]).tolist(), distance=7.0
    )
    if not hit or not thing.name.startswith("building") or abs(normal[2]) > 0.3:
        return frame
    facing = np.array(normal) * (1 if np.dot(normal, frame[:3, 0]) > 0 else -1)
    return sh.shift(*place) @ sh.turn("z", math.degrees(math.atan2(facing[1], facing[0])))


def post_mount(
    plan: Plan, at_m: tuple[float, float, float], radius_m: float, facing_deg: float
) -> NDArray[np.float64]:
    """Return the mount frame on a post's surface, facing_deg from the street's direction.

    at_m holds the station, the offset to the left and the height.
    """
    return plan.course.frame_at(*at_m) @ sh.turn("z", facing_deg) @ sh.shift(radius_m)
