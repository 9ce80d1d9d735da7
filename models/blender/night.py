"""Cameras after dark: infra-red lights that glow faintly and one lamp from the side."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from models.blender.assembly import LED, Assembly, Finish
from models.blender.sky import Surroundings, make_surroundings

if TYPE_CHECKING:
    from random import Random


def lit_leds(model: Assembly, rng: Random) -> None:
    """Let the infra-red lights of the model glow as sensors without a filter show them."""
    colour = rng.choice([(0.7, 0.03, 0.03), (0.6, 0.1, 0.5), (0.8, 0.35, 0.6)])
    glow = Finish("glow", colour, strength=rng.uniform(0.05, 0.5))
    model.parts[:] = [
        replace(part, finish=glow) if part.finish == LED else part for part in model.parts
    ]


def lamp_from_side(rng: Random) -> Surroundings:
    """Return a night sky with one street lamp at a low or middling height, as a small sun."""
    around = make_surroundings(rng, "night")
    azimuth, height = rng.uniform(-math.pi, math.pi), math.radians(rng.uniform(15, 70))
    side = (
        math.cos(height) * math.cos(azimuth),
        math.cos(height) * math.sin(azimuth),
        math.sin(height),
    )
    colour = rng.choice([(1.0, 0.55, 0.2), (1.0, 0.8, 0.55), (0.85, 0.95, 1.0)])
    mean = float(around.radiance.mean())
    strength = mean * rng.uniform(3, 14)
    exposure = around.exposure - rng.uniform(0.3, 1.0)
    return replace(
        around,
        sun=side,
        sun_strength=strength,
        sun_colour=colour,
        exposure=exposure,
        sun_angle_deg=4.0,
    )
