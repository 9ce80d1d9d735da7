"""What every render script shares: building objects, light, the camera, projection and Cycles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

from models.blender.materials import add_ambient, shader

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from models.blender.assembly import Assembly, Part
    from models.blender.sky import Surroundings


def clear_scene() -> None:
    """Remove every object with its data, and every picture."""
    for blocks in (
        bpy.data.objects,
        bpy.data.meshes,
        bpy.data.lights,
        bpy.data.cameras,
        bpy.data.images,
        bpy.data.curves,
    ):
        for block in list(blocks):
            if block.name != "Render Result":
                blocks.remove(block)


def make_object(name: str, parts: list[Part], matrix: NDArray[np.float64] | None = None) -> Any:
    """Return one object of several parts, a slot for each finish; matrix is 4x4 in metres."""
    vertices = np.concatenate([part.mesh.vertices for part in parts])
    faces, slots, offset = [], [], 0
    mesh = bpy.data.meshes.new(name)
    numbers: dict[Any, int] = {}
    for part in parts:
        slot = numbers.setdefault(part.finish, len(numbers))
        faces += [[v + offset for v in face] for face in part.mesh.faces]
        slots += [slot] * len(part.mesh.faces)
        offset += len(part.mesh.vertices)
    mesh.from_pydata(vertices.tolist(), [], faces)
    for finish in numbers:
        mesh.materials.append(shader(finish))
    mesh.polygons.foreach_set("material_index", slots)
    mesh.polygons.foreach_set("use_smooth", [True] * len(faces))
    mesh.use_auto_smooth = True
    mesh.auto_smooth_angle = math.radians(38)
    mesh.update()
    thing = bpy.data.objects.new(name, mesh)
    if matrix is not None:
        thing.matrix_world = Matrix(matrix.tolist())
    bpy.context.scene.collection.objects.link(thing)
    return thing


def place_model(model: Assembly, matrix: NDArray[np.float64]) -> list[Any]:
    """Add a model to the scene; returns the object of each camera head, in order."""
    rest = [part for part in model.parts if part.head is None]
    if rest:
        make_object(model.name, rest, matrix)
    return [
        make_object(f"head:{kind}", [part for part in model.parts if part.head == number], matrix)
        for number, kind in enumerate(model.heads)
    ]


def light_scene(around: Surroundings, *, show: bool = True) -> None:
    """Light the scene by the surroundings and their sun; show lets the camera see the sky."""
    scene = bpy.context.scene
    height, width = around.radiance.shape[:2]
    image = bpy.data.images.new("around", width, height, float_buffer=True)
    image.colorspace_settings.name = "Linear"
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = around.radiance
    image.pixels.foreach_set(pixels.ravel())
    world = scene.world or bpy.data.worlds.new("world")
    scene.world = world
    world.use_nodes = True
    tree = world.node_tree
    tree.nodes.clear()
    texture = tree.nodes.new("ShaderNodeTexEnvironment")
    texture.image = image
    background = tree.nodes.new("ShaderNodeBackground")
    tree.links.new(texture.outputs[0], background.inputs[0])
    tree.links.new(background.outputs[0], tree.nodes.new("ShaderNodeOutputWorld").inputs[0])
    world.cycles.sampling_method = "MANUAL"
    world.cycles.sample_map_resolution = 256
    if around.sun_strength > 0:
        lamp = bpy.data.lights.new("sun", "SUN")
        lamp.energy = around.sun_strength
        lamp.color = around.sun_colour
        lamp.angle = math.radians(around.sun_angle_deg)
        thing = bpy.data.objects.new("sun", lamp)
        thing.rotation_euler = Vector(around.sun).to_track_quat("Z", "Y").to_euler()
        scene.collection.objects.link(thing)
    scene.render.film_transparent = not show
    scene.view_settings.view_transform = "Filmic"
    scene.view_settings.look = "Medium High Contrast"
    scene.view_settings.exposure = around.exposure


def light_street(around: Surroundings, ambient: float) -> None:
    """Light a street with one sun and an even ambient light of the given radiance.

    A street sees little of the sky, so that a sampled sky costs many rays and leaves grain; an even
    light needs none. Mirrors and the camera still see the sky. Call it when every shader is made.
    """
    light_scene(around)
    scene = bpy.context.scene
    scene.world.cycles.sampling_method = "NONE"
    scene.world.cycles_visibility.diffuse = False
    add_ambient(ambient)
    scene.cycles.diffuse_bounces = 0
    scene.cycles.glossy_bounces = 1
    scene.cycles.max_bounces = 2


def set_cycles(samples: int, threads: int, *, bounces: int = 2, adaptive: float = 0.0) -> None:
    """Set Cycles up for quick clean pictures on the CPU."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.threads_mode = "FIXED"
    scene.render.threads = threads
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = samples
    cycles.use_adaptive_sampling = adaptive > 0
    cycles.adaptive_threshold = adaptive or 0.01
    cycles.use_denoising = False
    cycles.max_bounces = bounces + 1
    cycles.diffuse_bounces = bounces - 1
    cycles.glossy_bounces = bounces
    cycles.transmission_bounces = bounces
    cycles.transparent_max_bounces = 6
    cycles.sample_clamp_indirect = 2.0
    cycles.sample_clamp_direct = 8.0
    cycles.caustics_reflective = False
    cycles.caustics_refractive = False
    cycles.blur_glossy = 0.5
    scene.render.use_persistent_data = False


def add_camera(hfov_deg: float) -> Any:
    """Return the scene's camera with a horizontal field of view in degrees."""
    data = bpy.data.cameras.new("eye")
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = 36.0
    data.lens = 18.0 / math.tan(math.radians(hfov_deg) / 2)
    data.clip_end = 500
    eye = bpy.data.objects.new("eye", data)
    bpy.context.scene.collection.objects.link(eye)
    bpy.context.scene.camera = eye
    return eye


def camera_pose(
    position: NDArray[np.float64], heading_deg: float, pitch_deg: float, roll_deg: float = 0.0
) -> NDArray[np.float64]:
    """Return the 4x4 pose of a camera; heading runs from +x to +y, pitch is up, metres."""
    h, p = math.radians(heading_deg), math.radians(pitch_deg)
    forward = np.array([math.cos(p) * math.cos(h), math.cos(p) * math.sin(h), math.sin(p)])
    right = np.array([math.sin(h), -math.cos(h), 0.0])
    above = np.cross(right, forward)
    r = math.radians(roll_deg)
    right, above = (
        right * math.cos(r) + above * math.sin(r),
        above * math.cos(r) - right * math.sin(r),
    )
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = right, above, -forward, position
    return pose


def project(
    points: NDArray[np.float64],
    pose: NDArray[np.float64],
    focal_px: float,
    width_px: int,
    height_px: int,
) -> NDArray[np.float64]:
    """Return pixels and depth (N, 3) of world points (N, 3): x right, y down, metres ahead."""
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    depth = -local[:, 2]
    safe = np.where(depth > 1e-3, depth, 1e-3)
    return np.column_stack(
        [
            width_px / 2 + focal_px * local[:, 0] / safe,
            height_px / 2 - focal_px * local[:, 1] / safe,
            depth,
        ]
    )


def render_to(
    path: Path, width_px: int, height_px: int, mode: str = "RGB", file_format: str = "PNG"
) -> None:
    """Render the scene into a file, whole or not at all."""
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = width_px, height_px
    scene.render.resolution_percentage = 100
    settings = scene.render.image_settings
    settings.file_format = file_format
    settings.color_mode = mode
    settings.compression = 30
    part = path.with_name("part-" + path.name)
    scene.render.filepath = str(part)
    bpy.ops.render.render(write_still=True)
    part.replace(path)
