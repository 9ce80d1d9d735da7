"""Recall against inferences per second as an SVG picture."""

import math
from collections.abc import Sequence
from typing import Any

COLOURS = {
    "scheduler": "#0b66a3",
    "with coarse tiles": "#8a4fa3",
    "in turn": "#c2571a",
    "whole frame": "#777777",
    "everything": "#2a7a2a",
}
LEFT, RIGHT, TOP, BOTTOM = 70.0, 600.0, 50.0, 320.0
MOST_PER_S = 100.0


def _x(rate: float) -> float:
    return LEFT + (RIGHT - LEFT) * math.log(max(rate, 1.0)) / math.log(MOST_PER_S)


def _y(share: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * min(share, 1.1) / 1.1


def _axes() -> str:
    lines = "".join(
        f'<line x1="{LEFT}" x2="{RIGHT}" y1="{_y(s):.0f}" y2="{_y(s):.0f}" stroke="#ddd"/>'
        f'<text x="{LEFT - 8}" y="{_y(s) + 4:.0f}" text-anchor="end">{100 * s:.0f} %</text>'
        for s in (0, 0.25, 0.5, 0.75, 1)
    )
    ticks = "".join(
        f'<text x="{_x(r):.0f}" y="{BOTTOM + 18}" text-anchor="middle">{r:g}</text>'
        for r in (1, 2.5, 5, 10, 20, 40, 100)
    )
    return (
        f"{lines}{ticks}"
        f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 38}" text-anchor="middle">inferences per '
        'second</text><text x="20" y="185" transform="rotate(-90 20 185)" text-anchor="middle">'
        "found, of what looking at everything finds</text>"
    )


def draw(rows: Sequence[dict[str, Any]]) -> str:
    """A line per policy through its rows (``tests.benchmarks.tiles.rows_of``)."""
    lines = ""
    for number, (name, colour) in enumerate(COLOURS.items()):
        mine = sorted(
            (row["spent_per_s"], row["found_share"]) for row in rows if row["policy"] == name
        )
        points = " ".join(f"{_x(rate):.1f},{_y(share):.1f}" for rate, share in mine)
        lines += f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        lines += "".join(
            f'<circle cx="{_x(rate):.1f}" cy="{_y(share):.1f}" r="3.5" fill="{colour}"/>'
            for rate, share in mine
        )
        x = LEFT + 112 * number
        lines += f'<text x="{x}" y="40" fill="{colour}">&#9679; {name}</text>'
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 370" font-family="sans-serif" '
        'font-size="12"><rect width="640" height="370" fill="white"/>'
        '<text x="70" y="20" font-size="14">Cameras found for how many inferences</text>'
        f"{_axes()}{lines}</svg>\n"
    )
