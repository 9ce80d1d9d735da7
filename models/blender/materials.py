"""Blender shaders for the finishes; each finish is built once per file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from models.blender.nodes import Tree
from models.blender.recipes import RECIPES

if TYPE_CHECKING:
    from models.blender.assembly import Finish

_made: dict[Finish, Any] = {}


def forget() -> None:
    """Drop every shader, so that the next picture starts clean."""
    _made.clear()
    for material in list(bpy.data.materials):
        bpy.data.materials.remove(material)


def shader(finish: Finish) -> Any:
    """Return the Blender material of a finish."""
    if finish in _made:
        return _made[finish]
    material = bpy.data.materials.new(finish.recipe)
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    tree = Tree(material.node_tree)
    surface = RECIPES[finish.recipe](tree, finish)
    if finish.fade_m > 0:
        surface = dissolved(tree, surface, finish.fade_m)
    tree.link(surface, tree.node("ShaderNodeOutputMaterial").inputs[0])
    _made[finish] = material
    return material


def dissolved(tree: Tree, surface: Any, fade_m: float) -> Any:
    """Return the surface with a ragged soft edge about fade_m metres from the origin.

    A piece of wall cut straight would tell by its edge that something was pasted.
    """
    far = tree.node("ShaderNodeVectorMath", {0: tree.place()}, operation="LENGTH").outputs["Value"]
    ragged = tree.ramp(tree.noise(1.6 / fade_m, 3.0), 0.25, 0.75, -0.2 * fade_m, 0.2 * fade_m)
    edge = tree.node("ShaderNodeMath", {0: far, 1: ragged}, operation="ADD").outputs[0]
    amount = tree.ramp(edge, 0.72 * fade_m, 0.98 * fade_m)
    clear = tree.node("ShaderNodeBsdfTransparent").outputs[0]
    return tree.node("ShaderNodeMixShader", {0: amount, 1: surface, 2: clear}).outputs[0]


def add_ambient(level: float) -> None:
    """Give every opaque shader an even ambient light of the radiance, brighter from above.

    It needs no rays and so has no grain; the lamps that Cycles would make of it are switched off.
    """
    for material in [material for material in bpy.data.materials if material.use_nodes]:
        nodes = [
            node
            for node in material.node_tree.nodes
            if node.type in {"BSDF_DIFFUSE", "BSDF_PRINCIPLED"}
        ]
        if not nodes:
            continue
        material.cycles.sample_as_light = False
        tree = Tree(material.node_tree)
        normal = tree.node(
            "ShaderNodeSeparateXYZ", {0: tree.node("ShaderNodeNewGeometry").outputs["Normal"]}
        )
        strength = tree.ramp(normal.outputs[2], -1.0, 1.0, 0.3 * level, 1.35 * level)
        for node in nodes:
            source = (
                node.inputs[0].links[0].from_socket
                if node.inputs[0].is_linked
                else tuple(node.inputs[0].default_value)
            )
            if node.type == "BSDF_PRINCIPLED":
                for name, value in (("Emission", source), ("Emission Strength", strength)):
                    if hasattr(value, "is_linked"):
                        tree.link(value, node.inputs[name])
                    else:
                        node.inputs[name].default_value = value
                continue
            targets = [link.to_socket for link in node.outputs[0].links]
            glow = tree.node("ShaderNodeEmission", {0: source, 1: strength}).outputs[0]
            total = tree.node("ShaderNodeAddShader", {0: node.outputs[0], 1: glow}).outputs[0]
            for target in targets:
                tree.link(total, target)
