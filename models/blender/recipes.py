"""How each recipe of a finish becomes shader nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from models.blender.assembly import Finish
from models.blender.nodes import Tree, rgba


def _paint(tree: Tree, finish: Finish) -> Any:
    """Return paint or metal with streaks of dirt."""
    if finish.dirt <= 0.01:
        return tree.principled(rgba(finish.colour), finish.roughness, finish.metal)
    spots = tree.ramp(tree.noise(finish.scale), 0.45, 0.75, 0, finish.dirt)
    grime = tuple(0.25 * c + 0.02 for c in finish.colour)
    colour = tree.blend(spots, rgba(finish.colour), rgba(grime))
    rough = tree.ramp(spots, 0, 1, finish.roughness, min(1.0, finish.roughness + 0.4))
    return tree.principled(colour, rough, finish.metal)


def _gloss(tree: Tree, finish: Finish) -> Any:
    """Return dark polished glass."""
    return tree.principled(rgba(finish.colour), finish.roughness, 0.0, specular=0.8)


def _bubble(tree: Tree, finish: Finish) -> Any:
    """Return a thin tinted shell: transparent in the middle, mirror-like at the rim."""
    clear = tree.node("ShaderNodeBsdfTransparent", {0: rgba(finish.colour)}).outputs[0]
    mirror = tree.node(
        "ShaderNodeBsdfGlossy", {0: (0.9, 0.9, 0.9, 1), 1: finish.roughness}
    ).outputs[0]
    facing = tree.node("ShaderNodeLayerWeight", {0: 0.25}).outputs["Fresnel"]
    amount = tree.ramp(facing, 0, 1, 0.05, 0.9)
    return tree.node("ShaderNodeMixShader", {0: amount, 1: clear, 2: mirror}).outputs[0]


def _glow(tree: Tree, finish: Finish) -> Any:
    """Return a lit surface."""
    return tree.node("ShaderNodeEmission", {0: rgba(finish.colour), 1: finish.strength}).outputs[0]


def _solar(tree: Tree, finish: Finish) -> Any:
    """Return solar cells with thin bright lines."""
    brick = tree.node(
        "ShaderNodeTexBrick",
        {"Vector": tree.place(), "Color1": rgba(finish.colour), "Color2": rgba(finish.colour)},
        offset=0.0,
    )
    for name, value in {
        "Mortar": rgba(finish.second),
        "Scale": finish.scale,
        "Mortar Size": 0.012,
        "Brick Width": 1.0,
        "Row Height": 1.0,
    }.items():
        brick.inputs[name].default_value = value
    return tree.principled(brick.outputs[0], finish.roughness)


def _wood(tree: Tree, finish: Finish) -> Any:
    """Return weathered wood with an upright grain."""
    stretched = tree.node(
        "ShaderNodeVectorMath", {0: tree.place(), 1: (1, 1, 0.08)}, operation="MULTIPLY"
    ).outputs[0]
    grain = tree.ramp(tree.noise(finish.scale * 6, 6, stretched), 0.35, 0.65)
    return tree.principled(
        tree.blend(grain, rgba(finish.colour), rgba(finish.second)), finish.roughness
    )


def _car(tree: Tree, finish: Finish) -> Any:
    """Return car paint under a clear coat."""
    node = tree.node(
        "ShaderNodeBsdfPrincipled",
        {"Base Color": rgba(finish.colour), "Roughness": 0.35, "Metallic": 0.3, "Clearcoat": 1.0},
    )
    return node.outputs[0]


def _pane(tree: Tree, finish: Finish) -> Any:
    """Return a window from outside: what is behind, dimmed, under a mirror not quite flat."""
    waves = tree.noise(1.4, 1.0)
    normal = tree.node(
        "ShaderNodeBump", {"Height": waves, "Strength": 0.06, "Distance": 0.02}
    ).outputs[0]
    spots = tree.ramp(tree.noise(0.9, 3.0), 0.35, 0.7, 0.0, 0.85)
    dark = tuple(0.3 * c for c in finish.colour)
    return tree.principled(
        tree.blend(spots, rgba(finish.colour), rgba(dark)), 0.02, normal=normal, specular=1.0
    )


def _grimed(tree: Tree, finish: Finish, colour: Any) -> Any:
    """Return a masonry surface of the colour with stains that run down."""
    streaky = tree.node(
        "ShaderNodeVectorMath", {0: tree.place(), 1: (1.6, 1.6, 0.25)}, operation="MULTIPLY"
    ).outputs[0]
    stain = tree.ramp(tree.noise(1.1, 3.0, streaky), 0.42, 0.75, 0, finish.dirt * 0.7)
    dark = tuple(0.35 * c for c in finish.colour)
    fine = tree.ramp(tree.noise(30, 1.0), 0.2, 0.8, 0.82, 1.12)
    varied = tree.node(
        "ShaderNodeMixRGB", {0: 1.0, 1: colour, 2: fine}, blend_type="MULTIPLY"
    ).outputs[0]
    return tree.matt(tree.blend(stain, varied, rgba(dark)))


def _courses(tree: Tree, finish: Finish, vector: Any, size: tuple[float, float, float]) -> Any:
    """Return the brick pattern's colour: size is a brick's width, height and joint in metres."""
    width, height, joint = size
    light = tuple(min(1.0, 1.25 * c) for c in finish.colour)
    inputs = {
        "Vector": vector,
        "Color1": rgba(finish.colour),
        "Color2": rgba(light),
        "Mortar": rgba(finish.second),
    }
    inputs |= {
        "Scale": 1.0,
        "Mortar Size": joint,
        "Mortar Smooth": 0.2,
        "Bias": -0.2,
        "Brick Width": width,
        "Row Height": height,
    }
    return tree.node("ShaderNodeTexBrick", inputs)


def _brick(tree: Tree, finish: Finish) -> Any:
    """Return brickwork."""
    courses = _courses(tree, finish, tree.wall_place(), (0.24, 0.078, 0.006))
    return _grimed(tree, finish, courses.outputs[0])


def _slabs(tree: Tree, finish: Finish) -> Any:
    """Return stone slabs on a wall."""
    return _grimed(
        tree, finish, _courses(tree, finish, tree.wall_place(), (1.1, 0.55, 0.006)).outputs[0]
    )


def _plaster(tree: Tree, finish: Finish) -> Any:
    """Return plaster or concrete."""
    return _grimed(tree, finish, rgba(finish.colour))


def _paving(tree: Tree, finish: Finish) -> Any:
    """Return paving stones on the ground, finish.scale metres long."""
    return _grimed(
        tree,
        finish,
        _courses(tree, finish, tree.place(), (finish.scale, finish.scale / 2, 0.008)).outputs[0],
    )


def _asphalt(tree: Tree, finish: Finish) -> Any:
    """Return asphalt with patches, grains and cracks."""
    patches = tree.ramp(tree.noise(0.35, 2.0), 0.4, 0.6)
    light = tuple(1.5 * c for c in finish.colour)
    colour = tree.blend(patches, rgba(finish.colour), rgba(light))
    grain = tree.ramp(tree.noise(90, 0.0), 0.25, 0.75, 0.65, 1.35)
    varied = tree.node(
        "ShaderNodeMixRGB", {0: 1.0, 1: colour, 2: grain}, blend_type="MULTIPLY"
    ).outputs[0]
    cracks = tree.node(
        "ShaderNodeTexVoronoi", {"Vector": tree.place(), "Scale": 0.35}, feature="DISTANCE_TO_EDGE"
    ).outputs[0]
    line = tree.ramp(cracks, 0.0, 0.012, 0.6, 0.0)
    return tree.matt(tree.blend(line, varied, (0.01, 0.01, 0.01, 1)))


def _leaf(tree: Tree, finish: Finish) -> Any:
    """Return leaves that let some light through."""
    solid = tree.node("ShaderNodeBsdfDiffuse", {0: rgba(finish.colour)}).outputs[0]
    through = tree.node(
        "ShaderNodeBsdfTranslucent", {0: rgba(tuple(min(1.0, 1.6 * c) for c in finish.colour))}
    ).outputs[0]
    return tree.node("ShaderNodeMixShader", {0: 0.35, 1: solid, 2: through}).outputs[0]


RECIPES: dict[str, Callable[[Tree, Finish], Any]] = {
    "paint": _paint,
    "gloss": _gloss,
    "bubble": _bubble,
    "glow": _glow,
    "solar": _solar,
    "wood": _wood,
    "car": _car,
    "pane": _pane,
    "brick": _brick,
    "slabs": _slabs,
    "plaster": _plaster,
    "paving": _paving,
    "asphalt": _asphalt,
    "leaf": _leaf,
}
