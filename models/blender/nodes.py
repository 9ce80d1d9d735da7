"""Shader node trees that are quick to write down."""

from __future__ import annotations

from typing import Any


class Tree:
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

    def principled(
        self,
        colour: Any,
        roughness: Any,
        metal: float = 0.0,
        normal: Any = None,
        specular: float = 0.5,
    ) -> Any:
        """Add a principled surface and return its shader socket."""
        inputs = {
            "Base Color": colour,
            "Roughness": roughness,
            "Metallic": metal,
            "Specular": specular,
        }
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
        return self.node(
            "ShaderNodeVectorMath", {0: coords, 1: (scale, scale, scale)}, operation="MULTIPLY"
        ).outputs[0]

    def noise(self, scale: float, detail: float = 4.0, vector: Any = None) -> Any:
        """Return fractal noise in about 0..1."""
        return self.node(
            "ShaderNodeTexNoise",
            {"Vector": vector or self.place(), "Scale": scale, "Detail": detail},
        ).outputs[0]

    def ramp(
        self, value: Any, low: float, high: float, out_low: float = 0.0, out_high: float = 1.0
    ) -> Any:
        """Map a value from low..high to out_low..out_high, clamped."""
        inputs = {0: value, 1: low, 2: high, 3: out_low, 4: out_high}
        return self.node("ShaderNodeMapRange", inputs).outputs[0]

    def blend(self, amount: Any, first: Any, second: Any) -> Any:
        """Mix two colours."""
        return self.node("ShaderNodeMixRGB", {0: amount, 1: first, 2: second}).outputs[0]

    def wall_place(self) -> Any:
        """Return (along the wall, height, 0) in metres for upright faces of any direction."""
        parts = self.node("ShaderNodeSeparateXYZ", {0: self.place()})
        along = self.node(
            "ShaderNodeMath", {0: parts.outputs[0], 1: parts.outputs[1]}, operation="ADD"
        ).outputs[0]
        return self.node("ShaderNodeCombineXYZ", {0: along, 1: parts.outputs[2]}).outputs[0]


def rgba(colour: tuple[float, float, float]) -> tuple[float, float, float, float]:
    """Return an opaque colour for a socket."""
    return (*colour, 1.0)
