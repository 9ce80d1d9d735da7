"""What a model is made of before Blender sees it: meshes, finishes and camera heads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray

    from models.blender.shapes import Mesh

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Finish:
    """A surface: recipe names the shader, colours are linear RGB, roughness and metal are 0..1.

    Beyond about fade_m metres from the model's origin the surface dissolves; 0 keeps it whole.
    """

    recipe: str = "paint"
    colour: Colour = (0.8, 0.8, 0.8)
    roughness: float = 0.4
    metal: float = 0.0
    dirt: float = 0.1
    second: Colour = (0.2, 0.2, 0.2)
    strength: float = 0.0
    scale: float = 1.0
    fade_m: float = 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """One mesh with its finish; head is the number of the camera head it belongs to."""

    mesh: Mesh
    finish: Finish
    head: int | None = None


@dataclass(slots=True)
class Assembly:
    """A named model: its parts, and the kind of each camera head in order."""

    name: str
    parts: list[Part] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    def add(
        self,
        mesh: Mesh,
        finish: Finish,
        matrix: NDArray[np.float64] | None = None,
        head: int | None = None,
    ) -> None:
        """Append one mesh, moved by the 4x4 matrix."""
        self.parts.append(Part(mesh if matrix is None else mesh.moved(matrix), finish, head))

    def absorb(self, other: Assembly, matrix: NDArray[np.float64]) -> None:
        """Append every part of another model, moved by the 4x4 matrix."""
        base = len(self.heads)
        for part in other.parts:
            head = None if part.head is None else part.head + base
            self.parts.append(replace(part, mesh=part.mesh.moved(matrix), head=head))
        self.heads += other.heads

    def head_vertices(self, head: int) -> NDArray[np.float64]:
        """Return the vertices (N, 3) of one camera head."""
        return np.concatenate([p.mesh.vertices for p in self.parts if p.head == head])

    def vertices(self) -> NDArray[np.float64]:
        """Return the vertices (N, 3) of the whole model."""
        return np.concatenate([p.mesh.vertices for p in self.parts])


def grey(level: float, warmth: float = 0.0) -> Colour:
    """Return a near-neutral colour: warmth shifts towards yellow (up) or blue (down)."""
    return (level * (1 + warmth), level, level * (1 - warmth))


def body_colour(rng: Random) -> Colour:
    """Return a housing colour as makers choose it: mostly white, then grey, beige and black."""
    pick = rng.random()
    if pick < 0.5:
        return grey(rng.uniform(0.62, 0.85), rng.uniform(-0.01, 0.04))
    if pick < 0.68:
        return grey(rng.uniform(0.28, 0.55), rng.uniform(-0.04, 0.05))
    if pick < 0.78:
        return grey(rng.uniform(0.5, 0.68), rng.uniform(0.08, 0.16))
    if pick < 0.84:
        return grey(rng.uniform(0.1, 0.22), rng.uniform(-0.06, 0.03))
    return grey(rng.uniform(0.012, 0.05), rng.uniform(-0.05, 0.05))


def plastic(rng: Random, colour: Colour) -> Finish:
    """Return a painted or moulded surface with a random sheen and age."""
    return Finish(
        "paint",
        colour,
        rng.uniform(0.22, 0.6),
        0.0,
        rng.choice([0.02, 0.08, 0.15, 0.3, 0.5]),
        scale=rng.uniform(6, 20),
    )


def steel(rng: Random) -> Finish:
    """Return bare or galvanised metal."""
    return Finish(
        "paint",
        grey(rng.uniform(0.3, 0.6), rng.uniform(-0.03, 0.02)),
        rng.uniform(0.3, 0.55),
        0.85,
        rng.uniform(0, 0.4),
        scale=12,
    )


LENS = Finish("gloss", (0.004, 0.004, 0.006), 0.03)
DARK_GLASS = Finish("gloss", (0.008, 0.008, 0.01), 0.05)
BLACK = Finish("paint", (0.015, 0.015, 0.016), 0.45, dirt=0.05)
LED = Finish("paint", (0.35, 0.33, 0.3), 0.15, 0.5, dirt=0.0)
CABLE = Finish("paint", (0.03, 0.03, 0.03), 0.6, dirt=0.0)
