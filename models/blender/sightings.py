"""What a lens sees of the camera heads in a scene."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from models.blender import studio


@dataclass(frozen=True, slots=True)
class Placed:
    """A camera head in the scene: its kind, its object and its vertices (N, 3) in the world."""

    kind: str
    thing: Any
    points: NDArray[np.float64]


def seen_box(
    head: Placed, eye: NDArray[np.float64], focal_px: float, width_px: int, height_px: int
) -> tuple[list[float], float] | None:
    """Return the box (x0, y0, x1, y1) of what is seen of a head and the share seen, or None.

    eye is the camera's 4x4 pose. A vertex is seen when only its own head lies before it.
    """
    spots = studio.project(head.points, eye, focal_px, width_px, height_px)
    inside = (
        (spots[:, 2] > 0.1)
        & (spots[:, 0] >= 0)
        & (spots[:, 0] < width_px)
        & (spots[:, 1] >= 0)
        & (spots[:, 1] < height_px)
    )
    if not inside.any():
        return None
    scene, graph = bpy.context.scene, bpy.context.evaluated_depsgraph_get()
    step = max(1, len(head.points) // 500)
    seen = []
    origin = eye[:3, 3]
    for k in range(0, len(head.points), step):
        if inside[k]:
            ray = head.points[k] - origin
            reach = float(np.linalg.norm(ray))
            hit, *_, thing, _ = scene.ray_cast(
                graph, origin.tolist(), (ray / reach).tolist(), distance=reach - 0.004
            )
            if not hit or thing.name == head.thing.name:
                seen.append(k)
    if not seen:
        return None
    share = len(seen) / len(range(0, len(head.points), step))
    # Where all is seen the box comes from every vertex, not from the sample.
    chosen = spots[inside] if share > 0.97 else spots[seen]
    low, high = chosen[:, :2].min(0), chosen[:, :2].max(0)
    return [round(float(v), 1) for v in (*low, *high)], round(share, 3)


def angle_between(origin: NDArray[np.float64], target: NDArray[np.float64]) -> tuple[float, float]:
    """Return (heading_deg, pitch_deg) from one point to another."""
    d = target - origin
    return math.degrees(math.atan2(d[1], d[0])), math.degrees(
        math.atan2(d[2], math.hypot(d[0], d[1]))
    )
