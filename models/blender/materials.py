"""Blender shaders for the finishes; each finish is built once per file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from collections.abc import Callable

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
    tree = _Tree(material.node_tree)
    surface = _RECIPES[finish.recipe](tree, finish)
    tree.link(surface, tree.node("ShaderNodeOutputMaterial").inputs[0])
    _made[finish] = material
    return material


def add_ambient(level: float) -> None:
    """Give every opaque shader an even ambient light of the radiance, brighter from above.

    It needs no rays and so has no grain; the lamps that Cycles would make of it are switched off.
    """
    for material in [material for material in bpy.data.materials if material.use_nodes]:
        nodes = [node for node in material.node_tree.nodes if node.type in {"BSDF_DIFFUSE", "BSDF_PRINCIPLED"}]
        if not nodes:
            continue
        material.cycles.sample_as_light = False
        tree = _Tree(material.node_tree)
        normal = tree.node("ShaderNodeSeparateXYZ", {0: tree.node("ShaderNodeNewGeometry").outputs["Normal"]})
        strength = tree.ramp(normal.outputs[2], -1.0, 1.0, 0.3 * level, 1.35 * level)
        for node in nodes:
            source = node.inputs[0].links[0].from_socket if node.inputs[0].is_linked else tuple(node.inputs[0].default_value)
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


class _Tree:
    """A node tree that is quick to write down."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree

    def node(self, kind: str, inputs: dict[Any, Any] | None = None, **settings: Any) -> Any:
        """Add a node; inputs may be values or sockets."""
        node = self.tree.nodes.new(kind)
        for name, value in settings.items():
            setattr(node, name, value)
        for name, value in (inputs or {}).items():
            if hasattr(value, "is_linked"):
                self.link(value, node.inputs[name])
            else:
                node.inputs[name].default_value = value
        return node

    def link(self, source: Any, target: Any) -> None:
        """Join two sockets."""
        self.tree.links.new(source, target)

    def principled(self, colour: Any, roughness: Any, metal: float = 0.0, normal: Any = None, specular: float = 0.5) -> Any:
        """Add a principled surface and return its shader socket."""
        inputs = {"Base Color": colour, "Roughness": roughness, "Metallic": metal, "Specular": specular}
        if normal is not None:
            inputs["Normal"] = normal
        return self.node("ShaderNodeBsdfPrincipled", inputs).outputs[0]

    def matt(self, colour: Any) -> Any:
        """Add a surface without gloss, which renders faster and with less noise."""
        return self.node("ShaderNodeBsdfDiffuse", {"Color": colour}).outputs[0]

    def place(self, scale: float = 1.0) -> Any:
        """Return object coordinates in metres, scaled."""
        coords = self.node("ShaderNodeTexCoord").outputs["Object"]
        if scale == 1.0:
            return coords
        return self.node("ShaderNodeVectorMath", {0: coords, 1: (scale, scale, scale)}, operation="MULTIPLY").outputs[0]

    def noise(self, scale: float, detail: float = 4.0, vector: Any = None) -> Any:
        """Return fractal noise in about 0..1."""
        return self.node("ShaderNodeTexNoise", {"Vector": vector or self.place(), "Scale": scale, "Detail": detail}).outputs[0]

    def ramp(self, value: Any, low: float, high: float, out_low: float = 0.0, out_high: float = 1.0) -> Any:
        """Map a value from low..high to out_low..out_high, clamped."""
        inputs = {0: value, 1: low, 2: high, 3: out_low, 4: out_high}
        return self.node("ShaderNodeMapRange", inputs).outputs[0]

    def blend(self, amount: Any, first: Any, second: Any) -> Any:
        """Mix two colours."""
        return self.node("ShaderNodeMixRGB", {0: amount, 1: first, 2: second}).outputs[0]

    def wall_place(self) -> Any:
        """Return (along the wall, height, 0) in metres for upright faces of any direction."""
        parts = self.node("ShaderNodeSeparateXYZ", {0: self.place()})
        along = self.node("ShaderNodeMath", {0: parts.outputs[0], 1: parts.outputs[1]}, operation="ADD").outputs[0]
        return self.node("ShaderNodeCombineXYZ", {0: along, 1: parts.outputs[2]}).outputs[0]


def rgba(colour: tuple[float, float, float]) -> tuple[float, float, float, float]:
    """Return an opaque colour for a socket."""
    return (*colour, 1.0)


def _paint(tree: _Tree, finish: Finish) -> Any:
    """Return paint or metal with streaks of dirt."""
    if finish.dirt <= 0.01:
        return tree.principled(rgba(finish.colour), finish.roughness, finish.metal)
    spots = tree.ramp(tree.noise(finish.scale), 0.45, 0.75, 0, finish.dirt)
    grime = tuple(0.25 * c + 0.02 for c in finish.colour)
    colour = tree.blend(spots, rgba(finish.colour), rgba(grime))
    rough = tree.ramp(spots, 0, 1, finish.roughness, min(1.0, finish.roughness + 0.4))
    return tree.principled(colour, rough, finish.metal)


def _gloss(tree: _Tree, finish: Finish) -> Any:
    """Return dark polished glass."""
    return tree.principled(rgba(finish.colour), finish.roughness, 0.0, specular=0.8)


def _bubble(tree: _Tree, finish: Finish) -> Any:
    """Return a thin tinted shell: transparent in the middle, mirror-like at the rim."""
    clear = tree.node("ShaderNodeBsdfTransparent", {0: rgba(finish.colour)}).outputs[0]
    mirror = tree.node("ShaderNodeBsdfGlossy", {0: (0.9, 0.9, 0.9, 1), 1: finish.roughness}).outputs[0]
    facing = tree.node("ShaderNodeLayerWeight", {0: 0.25}).outputs["Fresnel"]
    amount = tree.ramp(facing, 0, 1, 0.05, 0.9)
    return tree.node("ShaderNodeMixShader", {0: amount, 1: clear, 2: mirror}).outputs[0]


def _glow(tree: _Tree, finish: Finish) -> Any:
    """Return a lit surface."""
    return tree.node("ShaderNodeEmission", {0: rgba(finish.colour), 1: finish.strength}).outputs[0]


def _solar(tree: _Tree, finish: Finish) -> Any:
    """Return solar cells with thin bright lines."""
    brick = tree.node("ShaderNodeTexBrick", {"Vector": tree.place(), "Color1": rgba(finish.colour), "Color2": rgba(finish.colour)}, offset=0.0)
    for name, value in {"Mortar": rgba(finish.second), "Scale": finish.scale, "Mortar Size": 0.012, "Brick Width": 1.0, "Row Height": 1.0}.items():
        brick.inputs[name].default_value = value
    return tree.principled(brick.outputs[0], finish.roughness)


def _wood(tree: _Tree, finish: Finish) -> Any:
    """Return weathered wood with an upright grain."""
    stretched = tree.node("ShaderNodeVectorMath", {0: tree.place(), 1: (1, 1, 0.08)}, operation="MULTIPLY").outputs[0]
    grain = tree.ramp(tree.noise(finish.scale * 6, 6, stretched), 0.35, 0.65)
    return tree.principled(tree.blend(grain, rgba(finish.colour), rgba(finish.second)), finish.roughness)


def _car(tree: _Tree, finish: Finish) -> Any:
    """Return car paint under a clear coat."""
    node = tree.node("ShaderNodeBsdfPrincipled", {"Base Color": rgba(finish.colour), "Roughness": 0.35, "Metallic": 0.3, "Clearcoat": 1.0})
    return node.outputs[0]


def _pane(tree: _Tree, finish: Finish) -> Any:
    """Return a window from outside: what is behind it, dimmed, under a mirror that is not quite flat."""
    waves = tree.noise(1.4, 1.0)
    normal = tree.node("ShaderNodeBump", {"Height": waves, "Strength": 0.06, "Distance": 0.02}).outputs[0]
    spots = tree.ramp(tree.noise(0.9, 3.0), 0.35, 0.7, 0.0, 0.85)
    dark = tuple(0.3 * c for c in finish.colour)
    return tree.principled(tree.blend(spots, rgba(finish.colour), rgba(dark)), 0.02, normal=normal, specular=1.0)


def _grimed(tree: _Tree, finish: Finish, colour: Any) -> Any:
    """Return a masonry surface of the colour with stains that run down."""
    streaky = tree.node("ShaderNodeVectorMath", {0: tree.place(), 1: (1.6, 1.6, 0.25)}, operation="MULTIPLY").outputs[0]
    stain = tree.ramp(tree.noise(1.1, 3.0, streaky), 0.42, 0.75, 0, finish.dirt * 0.7)
    dark = tuple(0.35 * c for c in finish.colour)
    fine = tree.ramp(tree.noise(30, 1.0), 0.2, 0.8, 0.82, 1.12)
    varied = tree.node("ShaderNodeMixRGB", {0: 1.0, 1: colour, 2: fine}, blend_type="MULTIPLY").outputs[0]
    return tree.matt(tree.blend(stain, varied, rgba(dark)))


def _courses(tree: _Tree, finish: Finish, vector: Any, width: float, height: float, joint: float) -> Any:
    """Return the brick pattern's colour: bricks of width by height metres with a joint."""
    light = tuple(min(1.0, 1.25 * c) for c in finish.colour)
    inputs = {"Vector": vector, "Color1": rgba(finish.colour), "Color2": rgba(light), "Mortar": rgba(finish.second)}
    inputs |= {"Scale": 1.0, "Mortar Size": joint, "Mortar Smooth": 0.2, "Bias": -0.2, "Brick Width": width, "Row Height": height}
    return tree.node("ShaderNodeTexBrick", inputs)


def _brick(tree: _Tree, finish: Finish) -> Any:
    """Return brickwork."""
    courses = _courses(tree, finish, tree.wall_place(), 0.24, 0.078, 0.006)
    return _grimed(tree, finish, courses.outputs[0])


def _slabs(tree: _Tree, finish: Finish) -> Any:
    """Return stone slabs on a wall."""
    return _grimed(tree, finish, _courses(tree, finish, tree.wall_place(), 1.1, 0.55, 0.006).outputs[0])


def _plaster(tree: _Tree, finish: Finish) -> Any:
    """Return plaster or concrete."""
    return _grimed(tree, finish, rgba(finish.colour))


def _paving(tree: _Tree, finish: Finish) -> Any:
    """Return paving stones on the ground, finish.scale metres long."""
    return _grimed(tree, finish, _courses(tree, finish, tree.place(), finish.scale, finish.scale / 2, 0.008).outputs[0])


def _asphalt(tree: _Tree, finish: Finish) -> Any:
    """Return asphalt with patches, grains and cracks."""
    patches = tree.ramp(tree.noise(0.35, 2.0), 0.4, 0.6)
    light = tuple(1.5 * c for c in finish.colour)
    colour = tree.blend(patches, rgba(finish.colour), rgba(light))
    grain = tree.ramp(tree.noise(90, 0.0), 0.25, 0.75, 0.65, 1.35)
    varied = tree.node("ShaderNodeMixRGB", {0: 1.0, 1: colour, 2: grain}, blend_type="MULTIPLY").outputs[0]
    cracks = tree.node("ShaderNodeTexVoronoi", {"Vector": tree.place(), "Scale": 0.35}, feature="DISTANCE_TO_EDGE").outputs[0]
    line = tree.ramp(cracks, 0.0, 0.012, 0.6, 0.0)
    return tree.matt(tree.blend(line, varied, (0.01, 0.01, 0.01, 1)))


def _leaf(tree: _Tree, finish: Finish) -> Any:
    """Return leaves that let some light through."""
    solid = tree.node("ShaderNodeBsdfDiffuse", {0: rgba(finish.colour)}).outputs[0]
    through = tree.node("ShaderNodeBsdfTranslucent", {0: rgba(tuple(min(1.0, 1.6 * c) for c in finish.colour))}).outputs[0]
    return tree.node("ShaderNodeMixShader", {0: 0.35, 1: solid, 2: through}).outputs[0]


_RECIPES: dict[str, Callable[[_Tree, Finish], Any]] = {
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
