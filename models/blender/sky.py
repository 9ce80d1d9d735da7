"""Surroundings as a light-probe picture: sky, clouds, a skyline and the ground, from a seed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Surroundings:
    """An equirectangular radiance map (H, W, 3), bottom row first, and the sun that goes with it.

    sun points from the scene to the sun; sun_strength is in W/m2; exposure in stops.
    """

    radiance: NDArray[np.float32]
    sun: tuple[float, float, float]
    sun_strength: float
    sun_colour: tuple[float, float, float]
    exposure: float
    sun_angle_deg: float


def cloud_noise(rng: np.random.Generator, size: int = 256, octaves: int = 6) -> NDArray[np.float32]:
    """Return tileable fractal noise (size, size) in 0..1."""
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        cells = 4 * 2**octave
        if cells > size:
            break
        grid = rng.random((cells, cells), dtype=np.float32)
        at = np.arange(size) * cells / size
        low = at.astype(int)
        part = (at - low).astype(np.float32)
        part = part * part * (3 - 2 * part)
        high = (low + 1) % cells
        rows = grid[low] * (1 - part[:, None]) + grid[high] * part[:, None]
        total += (rows[:, low] * (1 - part) + rows[:, high] * part) * 0.5**octave
    return (total - total.min()) / (total.max() - total.min())


WEATHERS = ("clear", "cloudy", "overcast", "dusk", "night")


def make_surroundings(
    rng: Random,
    weather: str | None = None,
    width: int = 512,
    *,
    skyline: bool = True,
    sun_azimuth_deg: float | None = None,
) -> Surroundings:
    """Return random surroundings; weather is one of WEATHERS or None for any."""
    weather = weather or rng.choices(WEATHERS, (30, 30, 25, 10, 5))[0]
    noise = np.random.default_rng(rng.getrandbits(32))
    height = width // 2
    elevation = (np.arange(height) + 0.5) / height * math.pi - math.pi / 2
    azimuth = (0.5 - (np.arange(width) + 0.5) / width) * 2 * math.pi
    up = np.sin(elevation)[:, None] * np.ones((1, width))
    flat = np.cos(elevation)[:, None]
    direction = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), up], -1)
    sun_el = math.radians(
        {"dusk": rng.uniform(2, 10), "night": 30}.get(weather, rng.uniform(18, 65))
    )
    sun_az = math.radians(rng.uniform(-180, 180) if sun_azimuth_deg is None else sun_azimuth_deg)
    sun = (
        math.cos(sun_el) * math.cos(sun_az),
        math.cos(sun_el) * math.sin(sun_az),
        math.sin(sun_el),
    )
    cos_sun = np.clip(direction @ np.array(sun), -1, 1)
    sky = _sky(rng, noise, weather, direction, cos_sun)
    ground = (
        np.array([0.16, 0.155, 0.15])
        * rng.uniform(0.6, 1.3)
        * sky[height // 2 :].mean((0, 1)).mean()
        * 2.2
    )
    haze = np.clip(up * 12 + 0.5, 0, 1)[..., None]
    radiance = sky * haze + ground * (1 - haze)
    if skyline:
        _buildings(rng, noise, radiance, elevation, float(sky.mean()))
    strength = {
        "clear": rng.uniform(3, 5),
        "cloudy": rng.choice([0.6, 2.5, 4]),
        "overcast": 0.0,
        "dusk": rng.uniform(0.4, 2),
        "night": 0.0,
    }[weather]
    warm = 1 - math.exp(-sun_el * 3.2)
    colour = (1.0, 0.55 + 0.4 * warm, 0.25 + 0.62 * warm)
    mean = float(sky[height // 2 :].mean()) + strength * 0.12
    exposure = (
        math.log2(0.8 / mean) * 0.85
        + rng.uniform(-0.45, 0.45)
        + (-1.2 if weather == "night" else 0)
    )
    return Surroundings(
        radiance.astype(np.float32), sun, strength, colour, exposure, rng.uniform(0.5, 3)
    )


def _sky(
    rng: Random,
    noise: np.random.Generator,
    weather: str,
    direction: NDArray[np.float64],
    cos_sun: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return sky radiance (H, W, 3) with clouds."""
    up = np.clip(direction[..., 2], 0.0, 1)
    low = np.exp(-up * 4)[..., None]
    blue = np.array([0.10, 0.24, 0.62]) * rng.uniform(0.8, 1.2)
    pale = np.array([0.55, 0.68, 0.86]) * rng.uniform(0.8, 1.1)
    if weather == "overcast":
        blue, pale = np.array([0.62, 0.65, 0.7]), np.array([0.72, 0.74, 0.76])
    elif weather == "dusk":
        blue, pale = np.array([0.06, 0.1, 0.25]), np.array([0.6, 0.34, 0.2])
    elif weather == "night":
        blue, pale = np.array([0.004, 0.005, 0.01]), np.array([0.03, 0.025, 0.02])
    sky = blue * (1 - low) + pale * low
    glow = np.exp((cos_sun - 1) * 8)[..., None] * (
        0.5 if weather in {"clear", "cloudy", "dusk"} else 0.08
    )
    sky = sky + glow * pale * (0.1 if weather == "night" else 1)
    cover = {
        "clear": 0.15,
        "cloudy": rng.uniform(0.4, 0.8),
        "overcast": 1.0,
        "dusk": rng.uniform(0.1, 0.7),
        "night": 0.3,
    }[weather]
    if cover <= 0.2 and rng.random() < 0.5:
        return sky
    texture = cloud_noise(noise)
    scale = rng.uniform(25, 60)
    px, py = direction[..., 0] / (up + 0.14) * scale, direction[..., 1] / (up + 0.14) * scale
    amount = np.clip((_sampled(texture, px, py) - (1 - cover) * 0.85) * rng.uniform(2, 5), 0, 1)[
        ..., None
    ]
    amount = amount * np.clip(up * 9, 0, 1)[..., None]
    shade = (_sampled(texture, px, py + 6) * 0.45 + 0.6)[..., None]
    base = float(pale.mean())
    white = np.array([1.0, 1.0, 1.02]) if weather != "dusk" else np.array([1.1, 0.7, 0.55])
    return sky * (1 - amount) + white * base * 1.25 * shade * amount


def _sampled(
    texture: NDArray[np.float32], px: NDArray[np.float64], py: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the tileable texture at fractional pixels, interpolated."""
    size = len(texture)
    x0, y0 = np.floor(px).astype(int), np.floor(py).astype(int)
    fx, fy = px - x0, py - y0
    x0, y0, x1, y1 = x0 % size, y0 % size, (x0 + 1) % size, (y0 + 1) % size
    upper = texture[y0, x0] * (1 - fx) + texture[y0, x1] * fx
    lower = texture[y1, x0] * (1 - fx) + texture[y1, x1] * fx
    return np.asarray(upper * (1 - fy) + lower * fy)


def street_light(
    rng: Random, weather: str, heading_deg: float, width: int
) -> tuple[Surroundings, float]:
    """Return surroundings for a street that runs along heading_deg, and the ambient radiance."""
    azimuth = heading_deg + rng.choice([0, 180]) + rng.choice([-1, 1]) * rng.uniform(15, 65)
    around = make_surroundings(rng, weather, width, skyline=False, sun_azimuth_deg=azimuth)
    ambient = {"clear": 0.32, "cloudy": 0.4, "overcast": 0.42, "dusk": 0.28, "night": 0.035}[
        weather
    ] * rng.uniform(0.85, 1.25)
    if weather == "overcast":
        above = (
            0.25 * math.cos(math.radians(azimuth)),
            0.25 * math.sin(math.radians(azimuth)),
            0.95,
        )
        around = replace(
            around,
            sun=above,
            sun_strength=rng.uniform(0.5, 0.9),
            sun_colour=(0.95, 0.98, 1.0),
            sun_angle_deg=9.0,
        )
    elif weather == "clear":
        around = replace(around, sun_angle_deg=0.6)
    level = ambient + around.sun_strength * 0.12
    exposure = (
        math.log2(0.75 / level) * 0.9 + rng.gauss(0, 0.2) - (1.6 if weather == "night" else 0.0)
    )
    return replace(around, exposure=exposure), ambient


def _buildings(
    rng: Random,
    noise: np.random.Generator,
    radiance: NDArray[np.float64],
    elevation: NDArray[np.float64],
    sky_level: float,
) -> None:
    """Draw a skyline of blocks with windows and trees around the horizon, for reflections."""
    column, width = 0, radiance.shape[1]
    degrees = np.degrees(elevation)
    level = sky_level * 0.75
    while column < width:
        span = rng.randint(width // 40, width // 9)
        top = rng.choice([rng.uniform(2, 10), rng.uniform(10, 38)])
        rows = np.flatnonzero((degrees > -6) & (degrees < top))
        columns = np.arange(column, min(width, column + span))
        if rng.random() < 0.75:
            colour = (
                np.array(
                    rng.choice(
                        [
                            (0.5, 0.45, 0.4),
                            (0.35, 0.2, 0.15),
                            (0.6, 0.6, 0.58),
                            (0.25, 0.25, 0.27),
                            (0.55, 0.5, 0.38),
                        ]
                    )
                )
                * level
                * rng.uniform(0.4, 1.2)
            )
            tile = np.broadcast_to(colour, (len(rows), len(columns), 3)).copy()
            wide, tall = max(3, width // 100), max(3, width // 110)
            window = ((np.arange(len(rows)) % tall) > tall // 2)[:, None] & (
                (np.arange(len(columns)) % wide) > wide // 2
            )[None]
            tile[window] *= 0.35
        else:
            tile = (
                np.array([0.1, 0.14, 0.05])
                * level
                * noise.uniform(0.3, 1.4, (len(rows), len(columns), 1))
            )
        if rng.random() < 0.8:
            radiance[np.ix_(rows, columns)] = tile
        column += span
