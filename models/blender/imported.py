"""Bullet cameras from .glb files: imported, set upright, and told apart into head and bracket."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from models.blender import shapes as sh
from models.blender.assembly import Assembly, Finish, Part
from models.blender.sightings import Placed


@dataclass(frozen=True, slots=True)
class Known:
    """A file whose parts are known: which loose parts are the head, and its quarter turns about z.

    Parts with at least least_points vertices whose box reaches beyond `beyond` metres (of the
    file) along x, away from the bracket, belong to the head.
    """

    word: str
    beyond: float
    direction: int
    turn_deg: float


# The word stands in the file's name; other files are left alone.
KNOWN = (
    Known("movahed", 5.5, 1, 0.0),
    Known("kejavalk", -0.025, -1, 180.0),
    Known("ivanovartem826", -0.6, -1, 180.0),
)


def known_files(folder: Path) -> list[tuple[Path, Known]]:
    """Return the .glb files of the folder whose parts are known."""
    files = sorted(folder.glob("*.glb"))
    return [(path, known) for path in files for known in KNOWN if known.word in path.name]


def import_bullet(rng: Random, files: list[tuple[Path, Known]]) -> tuple[Assembly, list[Placed]]:
    """Import one file into the scene; returns its outline for framing and its head.

    The result has the frame of cameras.py, 0.2-0.4 m long, and keeps its own materials.
    """
    # Blender 3.4's importer uses a name that newer numpy releases have dropped.
    np.bool = bool  # type: ignore[attr-defined]
    path, known = rng.choice(files)
    bpy.ops.import_scene.gltf(filepath=str(path))
    pieces = [piece for thing in list(bpy.context.selected_objects) for piece in _loose(thing)]
    outlines = [_outline(piece) for piece in pieces]
    inside = [
        (points[:, 0] * known.direction).max() > known.beyond * known.direction
        for points in outlines
    ]
    everything = np.concatenate(outlines)
    middle = (everything.min(0) + everything.max(0)) / 2
    scale = rng.uniform(0.25, 0.5) / float(np.ptp(everything, axis=0).max())
    place = sh.turn("z", known.turn_deg) @ np.diag([scale, scale, scale, 1.0]) @ sh.shift(*-middle)
    # The framing asks for a pole when something lies behind the wall; this has none.
    place = sh.shift(0.3) @ place
    model = Assembly("bullet", heads=["bullet"])
    for piece, points, head in zip(pieces, outlines, inside, strict=True):
        piece.parent = None
        piece.matrix_world = Matrix((place @ np.array(piece.matrix_world)).tolist())
        piece.name = "head:import" if head else "bracket"
        moved = sh.Mesh(points, []).moved(place)
        model.parts.append(Part(moved, Finish(), 0 if head else None))
    heads = [piece for piece, head in zip(pieces, inside, strict=True) if head]
    if len(heads) > 1:
        _join(heads)
    return model, [Placed("bullet", heads[0], model.head_vertices(0))]


def _outline(piece: Any) -> np.ndarray:
    """Return an object's vertices (N, 3) in the world."""
    world = np.array(piece.matrix_world)
    points = np.array([vertex.co[:] for vertex in piece.data.vertices])
    return np.asarray(points @ world[:3, :3].T + world[:3, 3])


def _loose(thing: Any) -> list[Any]:
    """Split a mesh object into its loose parts; other objects give none."""
    if thing.type != "MESH":
        return []
    before = set(bpy.data.objects)
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = thing
    thing.select_set(state=True)
    world = thing.matrix_world.copy()
    thing.parent = None
    thing.matrix_world = world
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.mesh.remove_doubles(threshold=1e-4)
    bpy.ops.mesh.separate(type="LOOSE")
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.context.view_layer.update()
    return [thing, *(set(bpy.data.objects) - before)]


def _join(pieces: list[Any]) -> None:
    """Join objects into the first."""
    bpy.ops.object.select_all(action="DESELECT")
    for piece in pieces:
        piece.select_set(state=True)
    bpy.context.view_layer.objects.active = pieces[0]
    bpy.ops.object.join()
