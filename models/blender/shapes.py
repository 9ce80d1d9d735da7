"""Meshes from a few parameters: lathes, prisms, tubes and plates, in metres, without Blender."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

Face = tuple[int, ...]


@dataclass(slots=True)
class Mesh:
    """Vertices (N, 3) in metres and faces as tuples of vertex numbers."""

    vertices: NDArray[np.float64]
    faces: list[Face]

    def moved(self, matrix: NDArray[np.float64]) -> Mesh:
        """Return a copy with the 4x4 matrix applied to every vertex."""
        return Mesh(self.vertices @ matrix[:3, :3].T + matrix[:3, 3], self.faces)


def shift(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> NDArray[np.float64]:
    """Return the 4x4 translation by x, y, z metres."""
    matrix = np.eye(4)
    matrix[:3, 3] = (x, y, z)
    return matrix


def turn(axis: str, angle_deg: float) -> NDArray[np.float64]:
    """Return the 4x4 right-handed rotation about "x", "y" or "z" by angle_deg."""
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(4)
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


def aim(pan_deg: float, tilt_deg: float, roll_deg: float = 0.0) -> NDArray[np.float64]:
    """Return the rotation that points +X to pan (from +X to +Y) and tilt (up positive)."""
    return turn("z", pan_deg) @ turn("y", -tilt_deg) @ turn("x", roll_deg)


def joined(meshes: Iterable[Mesh]) -> Mesh:
    """Return one mesh that holds all the given ones."""
    vertices, faces, offset = [], [], 0
    for mesh in meshes:
        vertices.append(mesh.vertices)
        faces += [tuple(v + offset for v in face) for face in mesh.faces]
        offset += len(mesh.vertices)
    return Mesh(np.concatenate(vertices), faces)


def lathe(profile: Sequence[tuple[float, float]], segments: int = 28, axis: str = "z") -> Mesh:
    """Return the surface of revolution of (radius, along) points about "x" or "z".

    Points that run along the axis upwards from its start give outward normals.
    """
    angles = np.linspace(0, 2 * math.pi, segments, endpoint=False)
    rings = [
        np.stack([r * np.cos(angles), r * np.sin(angles), np.full(segments, h)], 1)
        for r, h in profile
    ]
    vertices = np.concatenate(rings)
    if axis == "x":
        vertices = vertices[:, [2, 0, 1]]
    faces: list[Face] = []
    for ring in range(len(profile) - 1):
        a, b = ring * segments, (ring + 1) * segments
        for k in range(segments):
            n = (k + 1) % segments
            if profile[ring][0] < 1e-9:
                faces.append((a, b + n, b + k)[::-1])
            elif profile[ring + 1][0] < 1e-9:
                faces.append((a + k, a + n, b))
            else:
                faces.append((a + k, a + n, b + n, b + k))
    return Mesh(vertices, faces)


def cylinder(
    radius: float, length: float, *, bevel: float = 0.0, segments: int = 24, axis: str = "z"
) -> Mesh:
    """Return a closed cylinder from 0 to length along the axis, its edges broken by bevel."""
    b = min(bevel, radius * 0.9, length * 0.45)
    profile = [
        (0.0, 0.0),
        (radius - b, 0.0),
        (radius, b),
        (radius, length - b),
        (radius - b, length),
        (0.0, length),
    ]
    if b <= 0:
        profile = [(0.0, 0.0), (radius, 0.0), (radius, length), (0.0, length)]
    return lathe(profile, segments, axis)


def ball(
    radius: float,
    *,
    start_deg: float = -90.0,
    end_deg: float = 90.0,
    rings: int = 12,
    segments: int = 28,
) -> Mesh:
    """Return the zone of a sphere between two latitudes about z."""
    latitudes = np.radians(np.linspace(start_deg, end_deg, rings + 1))
    profile = [(max(0.0, radius * float(np.cos(a))), radius * float(np.sin(a))) for a in latitudes]
    profile = [(0.0 if r < 1e-6 else r, h) for r, h in profile]
    return lathe(profile, segments)


def ellipsoid(rx: float, ry: float, rz: float, segments: int = 20) -> Mesh:
    """Return an ellipsoid about the origin with the half axes in metres."""
    mesh = ball(1.0, rings=10, segments=segments)
    mesh.vertices[:] = mesh.vertices * (rx, ry, rz)
    return mesh


def rounded(width: float, height: float, radius: float, corner: int = 4) -> NDArray[np.float64]:
    """Return a rounded rectangle (M, 2) about the origin, counter-clockwise."""
    r = max(1e-4, min(radius, width / 2 - 1e-4, height / 2 - 1e-4))
    points = []
    for quadrant, (sx, sy) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        for k in range(corner + 1):
            a = math.pi / 2 * (quadrant + k / corner)
            points.append(
                (sx * (width / 2 - r) + r * math.cos(a), sy * (height / 2 - r) + r * math.sin(a))
            )
    return np.array(points)


def arch(
    radius: float, thickness: float, half_angle_deg: float, steps: int = 18
) -> NDArray[np.float64]:
    """Return the section (M, 2) of a shell above the origin: an arc of some thickness about +z."""
    a = np.radians(90 + np.linspace(-half_angle_deg, half_angle_deg, steps))
    outer = np.stack([np.cos(a), np.sin(a)], 1) * (radius + thickness)
    inner = np.stack([np.cos(a), np.sin(a)], 1)[::-1] * radius
    return np.concatenate([outer, inner])


def prism(section: NDArray[np.float64], x0: float, x1: float, bevel: float = 0.0) -> Mesh:
    """Return the section (M, 2) in (y, z) pulled along x from x0 to x1, its end edges broken."""
    count = len(section)
    centre = section.mean(0)
    size = float(np.abs(section - centre).max())
    small = centre + (section - centre) * max(0.2, 1 - bevel / size)
    b = min(bevel, abs(x1 - x0) * 0.45)
    stations = (
        [(x0, small), (x0 + b, section), (x1 - b, section), (x1, small)]
        if b > 0
        else [(x0, section), (x1, section)]
    )
    vertices = np.concatenate([np.column_stack([np.full(count, x), s]) for x, s in stations])
    faces: list[Face] = [tuple(range(count))[::-1]]
    for ring in range(len(stations) - 1):
        a = ring * count
        faces += [
            (a + k, a + (k + 1) % count, a + count + (k + 1) % count, a + count + k)
            for k in range(count)
        ]
    faces.append(tuple(range((len(stations) - 1) * count, len(stations) * count)))
    return Mesh(vertices, faces)


def block(x: float, y: float, z: float, *, radius: float = 0.004, bevel: float = 0.002) -> Mesh:
    """Return a box of x by y by z metres about the origin with softened edges."""
    return prism(rounded(y, z, radius, 3), -x / 2, x / 2, bevel)


def plain_box(  # noqa: PLR0917 - six limits in the order of the axes
    x0: float, x1: float, y0: float, y1: float, z0: float, z1: float
) -> Mesh:
    """Return a box with sharp edges between the given limits."""
    vertices = np.array([(x, y, z) for x in (x0, x1) for y in (y0, y1) for z in (z0, z1)])
    faces: list[Face] = [
        (0, 1, 3, 2),
        (4, 6, 7, 5),
        (0, 4, 5, 1),
        (2, 3, 7, 6),
        (0, 2, 6, 4),
        (1, 5, 7, 3),
    ]
    return Mesh(vertices, faces)


def tube(points: Sequence[Sequence[float]], radius: float, segments: int = 10) -> Mesh:
    """Return a round pipe along the points, closed at both ends."""
    path = np.asarray(points, dtype=float)
    tangents = np.gradient(path, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True) + 1e-12
    side = np.cross(tangents[0], (0.0, 0.0, 1.0))
    if np.linalg.norm(side) < 1e-3:
        side = np.array([1.0, 0.0, 0.0])
    angles = np.linspace(0, 2 * math.pi, segments, endpoint=False)
    rings = []
    for point, tangent in zip(path, tangents, strict=True):
        # Carrying the side vector along keeps the pipe from twisting in bends.
        side = side - tangent * float(side @ tangent)
        side /= np.linalg.norm(side) + 1e-12
        other = np.cross(tangent, side)
        rings.append(
            point + radius * (np.cos(angles)[:, None] * side + np.sin(angles)[:, None] * other)
        )
    faces: list[Face] = [tuple(range(segments))[::-1]]
    for ring in range(len(path) - 1):
        a = ring * segments
        faces += [
            (a + k, a + (k + 1) % segments, a + segments + (k + 1) % segments, a + segments + k)
            for k in range(segments)
        ]
    faces.append(tuple(range((len(path) - 1) * segments, len(path) * segments)))
    return Mesh(np.concatenate(rings), faces)


def curve(points: Sequence[Sequence[float]], steps: int = 16) -> NDArray[np.float64]:
    """Return a Bezier curve (steps + 1, 3) with the given control points."""
    control = np.asarray(points, dtype=float)
    t = np.linspace(0, 1, steps + 1)[:, None]
    degree = len(control) - 1
    return sum(
        (
            math.comb(degree, k) * (1 - t) ** (degree - k) * t**k * control[k]
            for k in range(degree + 1)
        ),
        np.zeros((steps + 1, 3)),
    )
