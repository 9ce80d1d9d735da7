"""Ground floors: shops, doors, signs and awnings; frames as in facades.py."""

from __future__ import annotations

from random import Random

import numpy as np

from models.blender import shapes as sh
from models.blender.assembly import Assembly, Finish, grey
from models.blender.openings import Building, Lettering, cut_hole, fit_window, window_glass

WORDS = (
    "CAFE",
    "BAKERY",
    "BOOKS",
    "OPTIKA",
    "PHARMACY",
    "FLOWERS",
    "SALON",
    "MARKET",
    "BIKES",
    "TAILOR",
    "PIZZA",
    "NOVA",
    "HOTEL",
    "STUDIO 7",
    "VERDE",
    "KIOSK",
    "SHOES",
    "24 H",
    "BANK",
    "ATELIER",
)


def draw_ground_floor(
    building: Building, rng: Random, ground: float, *, wall: Finish, trim: Finish, frame: Finish
) -> None:
    """Draw shops and doors along the pavement."""
    model, width = building.model, building.width_m
    count = max(1, round(width / rng.uniform(3.4, 5.0)))
    bay = width / count
    shop = rng.random() < 0.7
    door_bay = rng.randrange(count)
    fascia = rng.uniform(0.45, 0.75)
    for k in range(count):
        x0, depth = k * bay, rng.uniform(0.15, 0.35)
        if k == door_bay:
            hole = (x0 + bay * 0.5 - 0.6, x0 + bay * 0.5 + 0.6, 0.02, 2.5)
            cut_hole(model, (x0, x0 + bay, 0, ground), hole, wall, depth)
            door = Finish(
                "paint",
                rng.choice(
                    [
                        (0.12, 0.05, 0.02),
                        (0.02, 0.06, 0.04),
                        (0.03, 0.04, 0.1),
                        grey(0.1),
                        (0.25, 0.03, 0.02),
                    ]
                ),
                0.35,
                dirt=0.1,
            )
            model.add(sh.plain_box(hole[0], hole[1], depth - 0.02, depth + 0.05, 0, 2.1), door)
            for side in (0.12, 0.64):
                model.add(
                    sh.plain_box(
                        hole[0] + side, hole[0] + side + 0.44, depth - 0.04, depth, 0.9, 1.9
                    ),
                    window_glass(rng),
                )
            light = (hole[0], hole[1], 2.1, 2.5)
            pane = window_glass(rng)
            fit_window(model, rng, light, depth, frame=frame, pane=pane, bars=(1, 1))
            continue
        top = ground - fascia - 0.25 if shop else rng.uniform(2.3, 2.7)
        low = rng.uniform(0.3, 0.6) if shop else 1.0
        margin = 0.25 if shop else bay * 0.3
        hole = (x0 + margin, x0 + bay - margin, low, top)
        cut_hole(model, (x0, x0 + bay, 0, ground), hole, wall, depth)
        dark = rng.choice([(0.03, 0.03, 0.03), (0.08, 0.07, 0.05), (0.16, 0.13, 0.09)])
        bars = (rng.choice([1, 2, 3]), rng.choice([1, 2]))
        fit_window(model, rng, hole, depth, frame=frame, pane=Finish("pane", dark, 0.02), bars=bars)
        if shop:
            _shop_sign(building, rng, (x0 + 0.1, x0 + bay - 0.1), top, fascia)
    model.add(sh.plain_box(0, width, -0.04, 0.02, 0, 0.0 if shop else 0.5), trim)


def _shop_sign(
    building: Building, rng: Random, span: tuple[float, float], top: float, fascia: float
) -> None:
    """Draw a fascia with words, and sometimes an awning or a sign that juts out."""
    model = building.model
    x0, x1 = span
    colour = rng.choice(
        [
            (0.02, 0.08, 0.05),
            (0.3, 0.02, 0.02),
            (0.02, 0.04, 0.16),
            grey(0.02),
            grey(0.7),
            (0.5, 0.3, 0.03),
            (0.05, 0.2, 0.28),
            (0.2, 0.12, 0.07),
        ]
    )
    board = Finish("paint", colour, 0.4, dirt=0.1)
    model.add(sh.plain_box(x0, x1, -0.12, 0.02, top + 0.08, top + 0.08 + fascia), board)
    light = sum(colour) < 0.9
    letters = (
        rng.choice([grey(0.85), (0.8, 0.65, 0.25)])
        if light
        else rng.choice([grey(0.03), (0.3, 0.02, 0.02)])
    )
    size = fascia * rng.uniform(0.4, 0.62)
    building.letterings.append(
        Lettering(
            rng.choice(WORDS),
            (x0 + rng.uniform(0.2, 0.6), -0.125, top + 0.08 + (fascia - size * 0.7) / 2),
            size,
            letters,
        )
    )
    pick = rng.random()
    if pick < 0.3:
        _awning(model, rng, span, top)
    elif pick < 0.45:
        x = rng.choice([x0 + 0.1, x1 - 0.1])
        plate = (
            sh.cylinder(0.35, 0.08, segments=32, axis="x")
            if rng.random() < 0.5
            else sh.block(0.08, 0.6, 0.6)
        )
        model.add(plate, board, sh.shift(x, -0.55, top + 0.6 + fascia))
        model.add(
            sh.tube(
                [(x + 0.04, 0, top + 0.6 + fascia), (x + 0.04, -0.3, top + 0.6 + fascia)], 0.02
            ),
            Finish("paint", grey(0.05)),
        )


def _awning(model: Assembly, rng: Random, span: tuple[float, float], top: float) -> None:
    """Draw a striped or plain awning over a shop window."""
    x0, x1 = span
    first = Finish(
        "paint",
        rng.choice(
            [
                (0.4, 0.03, 0.03),
                (0.03, 0.15, 0.07),
                (0.03, 0.06, 0.22),
                grey(0.05),
                (0.5, 0.4, 0.25),
            ]
        ),
        0.9,
        dirt=0.2,
    )
    second = Finish("paint", grey(0.75), 0.9, dirt=0.2) if rng.random() < 0.5 else first
    out, fall = rng.uniform(0.8, 1.3), rng.uniform(0.35, 0.6)
    stripes = round((x1 - x0) / 0.3)
    for k in range(stripes):
        a, b = x0 + (x1 - x0) * k / stripes, x0 + (x1 - x0) * (k + 1) / stripes
        cloth = np.array(
            [
                (a, -0.1, top),
                (b, -0.1, top),
                (b, -out, top - fall),
                (a, -out, top - fall),
                (a, -out, top - fall - 0.18),
                (b, -out, top - fall - 0.18),
            ]
        )
        model.add(sh.Mesh(cloth, [(0, 1, 2, 3), (3, 2, 5, 4)]), first if k % 2 else second)
