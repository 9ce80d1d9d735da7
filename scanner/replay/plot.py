"""A picture of a replayed walk: the way, rays to what was seen, places with their errors, truth.

Drawn as an SVG inside an HTML page, or by Pillow as a PNG.
"""

import html
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec
import numpy as np

from scanner.core.geometry import Origin
from scanner.errors import MediaError, UsageError
from scanner.records import Kind, NotLocated, Sighting, Track

SIZE_PX: Final = 1000
MARGIN_PX: Final = 50
ELLIPSE_SIGMAS: Final = 2.448  # 95 % in two dimensions
RAYS_PER_TRACK: Final = 12
COLOURS: Final = {
    Kind.BULLET: "#0b66a3",
    Kind.DOME: "#c2410c",
    Kind.PTZ: "#7e22ce",
    Kind.ALPR: "#047857",
    Kind.UNKNOWN: "#57534e",
}
GREY, LIGHT, INK = "#a8a29e", "#e7e5e4", "#1c1917"

Point = tuple[float, float]


class Canvas(Protocol):
    """Something to draw on; pixels, y down."""

    def line(self, points: Sequence[Point], colour: str, width: float) -> None:
        """An open line."""

    def ring(self, centre: Point, radius: float, colour: str, *, filled: bool) -> None:
        """A circle."""

    def text(self, at: Point, words: str, size: int) -> None:
        """Words, left end of their middle line at a point."""

    def save(self, path: Path) -> None:
        """Write the file."""


class SvgCanvas:
    """Shapes in a page that any browser shows."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def line(self, points: Sequence[Point], colour: str, width: float) -> None:
        """An open line."""
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(
            f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        )

    def ring(self, centre: Point, radius: float, colour: str, *, filled: bool) -> None:
        """A circle."""
        fill = colour if filled else "none"
        self._parts.append(
            f'<circle cx="{centre[0]:.1f}" cy="{centre[1]:.1f}" r="{radius}" fill="{fill}" '
            f'stroke="{colour}" stroke-width="2"/>'
        )

    def text(self, at: Point, words: str, size: int) -> None:
        """Words, left end of their middle line at a point."""
        self._parts.append(
            f'<text x="{at[0]:.1f}" y="{at[1] + size / 3:.1f}" font-size="{size}" fill="{INK}">'
            f"{html.escape(words)}</text>"
        )

    def save(self, path: Path) -> None:
        """Write the page."""
        path.write_text(
            '<!doctype html><meta charset="utf-8"><title>Replayed walk</title>'
            '<body style="margin:0;background:#fff"><svg xmlns="http://www.w3.org/2000/svg" '
            f'viewBox="0 0 {SIZE_PX} {SIZE_PX}" style="max-height:100vh;width:100%" '
            f'font-family="system-ui,sans-serif">{"".join(self._parts)}</svg>\n',
            encoding="utf-8",
        )


class PngCanvas:
    """Pixels, by Pillow, drawn at twice the size and shrunk for smooth edges."""

    def __init__(self) -> None:
        from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - only where a PNG is wanted

        self._picture = Image.new("RGB", (2 * SIZE_PX, 2 * SIZE_PX), "white")
        self._draw = ImageDraw.Draw(self._picture)
        self._font = ImageFont.load_default

    def line(self, points: Sequence[Point], colour: str, width: float) -> None:
        """An open line."""
        doubled = [(2 * x, 2 * y) for x, y in points]
        self._draw.line(doubled, fill=colour, width=max(1, round(2 * width)), joint="curve")

    def ring(self, centre: Point, radius: float, colour: str, *, filled: bool) -> None:
        """A circle."""
        x, y = 2 * centre[0], 2 * centre[1]
        corners = (x - 2 * radius, y - 2 * radius, x + 2 * radius, y + 2 * radius)
        self._draw.ellipse(corners, outline=colour, fill=colour if filled else None, width=4)

    def text(self, at: Point, words: str, size: int) -> None:
        """Words, left end of their middle line at a point."""
        font = self._font(2 * size)
        self._draw.text((2 * at[0], 2 * at[1]), words, fill=INK, font=font, anchor="lm")

    def save(self, path: Path) -> None:
        """Write the PNG."""
        self._picture.resize((SIZE_PX, SIZE_PX)).save(path)


class View(msgspec.Struct, frozen=True):
    """How metres of a local frame lie on the canvas."""

    origin: Origin
    west_m: float
    north_m: float
    px_per_m: float

    def at(self, lat_deg: float, lon_deg: float) -> Point:
        """Pixel of a place."""
        return self.of(*self.origin.enu_from_geodetic(lat_deg, lon_deg))

    def of(self, east_m: float, north_m: float) -> Point:
        """Pixel of a point of the local frame."""
        return (
            MARGIN_PX + (east_m - self.west_m) * self.px_per_m,
            MARGIN_PX + (self.north_m - north_m) * self.px_per_m,
        )


Outcome = tuple[Track, Sighting | NotLocated]


def draw(
    path: Path,
    way: Sequence[tuple[float, float]],
    outcomes: Sequence[Outcome],
    sightings: Sequence[Sighting],
    truth: Path | None = None,
) -> None:
    """Draw a replayed walk into ``path``, .html or .png.

    ``way`` holds latitude, longitude of each frame; ``outcomes`` each track with what became of it;
    ``sightings`` the final places; ``truth`` is a GeoJSON file of points.
    """
    suffix = path.suffix.lower()
    if suffix not in (".html", ".png"):
        raise UsageError(f"--plot {path}: .html or .png is wanted")
    true_places = _read_truth(truth) if truth else []
    places = [*way, *((s.lat_deg, s.lon_deg) for s in sightings), *true_places]
    if not places:
        raise MediaError("nothing to draw: no frame had a position")
    canvas: Canvas = SvgCanvas() if suffix == ".html" else PngCanvas()
    view = _view(places)
    _draw_grid(canvas, view)
    for track, outcome in outcomes:
        _draw_rays(canvas, view, track, outcome)
    canvas.line([view.at(*p) for p in way], INK, 2.5)
    for place in true_places:
        canvas.ring(view.at(*place), 9, INK, filled=False)
    for sighting in sightings:
        _draw_place(canvas, view, sighting)
    _draw_legend(canvas, with_truth=bool(true_places))
    canvas.save(path)


def _view(places: Sequence[tuple[float, float]]) -> View:
    origin = Origin(*places[0])
    points = np.array([origin.enu_from_geodetic(*p) for p in places])
    low, high = points.min(axis=0) - 5, points.max(axis=0) + 5
    scale = (SIZE_PX - 2 * MARGIN_PX) / max(float((high - low).max()), 20.0)
    return View(origin, float(low[0]), float(high[1]), scale)


def _draw_grid(canvas: Canvas, view: View) -> None:
    inner_m = (SIZE_PX - 2 * MARGIN_PX) / view.px_per_m
    step_m = next(s for s in (5, 10, 20, 50, 100, 200, 500, 10**6) if inner_m / s <= 12)  # noqa: PLR2004
    for n in range(int(inner_m / step_m) + 1):
        along = MARGIN_PX + n * step_m * view.px_per_m
        canvas.line([(along, MARGIN_PX), (along, SIZE_PX - MARGIN_PX)], LIGHT, 1)
        canvas.line([(MARGIN_PX, along), (SIZE_PX - MARGIN_PX, along)], LIGHT, 1)
    canvas.text((MARGIN_PX, SIZE_PX - 20), f"grid {step_m} m, north up", 13)


def _draw_rays(canvas: Canvas, view: View, track: Track, outcome: Sighting | NotLocated) -> None:
    """Rays to where the camera was put; dotted-length stubs if it was not located."""
    step = max(1, len(track.glimpses) // RAYS_PER_TRACK)
    for seen in track.glimpses[::step]:
        start = view.origin.enu_from_geodetic(seen.pose.lat_deg, seen.pose.lon_deg)
        length_m = 4.0
        if isinstance(outcome, Sighting):
            end = view.origin.enu_from_geodetic(outcome.lat_deg, outcome.lon_deg)
            length_m = math.dist(start, end)
        bearing = math.radians(seen.pose.heading_deg + seen.azimuth_deg)
        tip = start[0] + length_m * math.sin(bearing), start[1] + length_m * math.cos(bearing)
        canvas.line([view.of(*start), view.of(*tip)], GREY, 0.8)


def _draw_place(canvas: Canvas, view: View, sighting: Sighting) -> None:
    """The place, and the ellipse that holds the truth in 95 of 100 cases."""
    c, common = sighting.relative, sighting.common_sigma_m**2
    matrix = np.array([[c.ee + common, c.en], [c.en, c.nn + common]])
    values, vectors = np.linalg.eigh(matrix)
    angles = np.linspace(0, 2 * math.pi, 49)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    edge = vectors @ (np.sqrt(values)[:, None] * circle) * ELLIPSE_SIGMAS
    middle = view.origin.enu_from_geodetic(sighting.lat_deg, sighting.lon_deg)
    colour = COLOURS[sighting.kind]
    canvas.line([view.of(middle[0] + e, middle[1] + n) for e, n in edge.T], colour, 1.2)
    at = view.of(*middle)
    canvas.ring(at, 4, colour, filled=True)
    canvas.text((at[0] + 9, at[1]), f"{sighting.kind} {sighting.score:.2f}", 12)


def _draw_legend(canvas: Canvas, *, with_truth: bool) -> None:
    x = float(MARGIN_PX)
    for kind, colour in COLOURS.items():
        canvas.ring((x, 22), 4, colour, filled=True)
        canvas.text((x + 10, 22), kind, 13)
        x += 90
    if with_truth:
        canvas.ring((x, 22), 9, INK, filled=False)
        canvas.text((x + 16, 22), "true place", 13)
        x += 110
    canvas.text((x, 22), "ellipse: 95 %, thin lines: directions seen", 13)


def _read_truth(path: Path) -> list[tuple[float, float]]:
    try:
        features = json.loads(path.read_text(encoding="utf-8"))["features"]
        points = [f["geometry"]["coordinates"] for f in features]
        return [(float(lat), float(lon)) for lon, lat, *_ in points]
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise MediaError(f"{path}: not a GeoJSON file of points") from e
