"""Building fronts: x along the front from 0 to width, the street at -y, z up, metres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.blender import shapes as sh
from models.blender.assembly import Assembly, Finish, grey
from models.blender.openings import Building, cut_hole, fit_window, window_glass
from models.blender.shopfronts import draw_ground_floor

if TYPE_CHECKING:
    from random import Random


def wall_finish(rng: Random) -> Finish:
    """Return brick, plaster, stone slabs or concrete."""
    pick = rng.random()
    if pick < 0.35:
        base = rng.choice(
            [
                (0.32, 0.12, 0.07),
                (0.4, 0.2, 0.12),
                (0.25, 0.09, 0.06),
                (0.45, 0.36, 0.24),
                (0.5, 0.47, 0.42),
            ]
        )
        return Finish(
            "brick",
            base,
            0.85,
            dirt=rng.uniform(0.2, 0.6),
            second=rng.choice([grey(0.35, 0.05), grey(0.18)]),
        )
    if pick < 0.75:
        base = rng.choice(
            [
                (0.66, 0.58, 0.42),
                (0.7, 0.68, 0.62),
                (0.6, 0.45, 0.3),
                (0.45, 0.5, 0.47),
                (0.55, 0.32, 0.24),
                (0.72, 0.64, 0.55),
                grey(0.5),
            ]
        )
        return Finish("plaster", base, 0.9, dirt=rng.uniform(0.2, 0.7))
    if pick < 0.9:
        return Finish(
            "slabs",
            rng.choice([(0.45, 0.42, 0.37), grey(0.36), (0.5, 0.44, 0.34)]),
            0.6,
            dirt=0.3,
            second=grey(0.1),
        )
    return Finish("plaster", grey(rng.uniform(0.25, 0.45)), 0.85, dirt=0.8)


def make_building(rng: Random, width: float, floors: int | None = None) -> Building:
    """Return a front of the width in metres."""
    floors = floors or rng.choice([1, 2, 2, 3, 3, 4, 5])
    ground, storey = rng.uniform(3.4, 4.4), rng.uniform(2.9, 3.5)
    height = ground + floors * storey
    building = Building(Assembly("building"), width, height, ground)
    model = building.model
    wall = wall_finish(rng)
    trim = Finish(
        "plaster",
        rng.choice([grey(0.6), grey(0.75, 0.03), grey(0.3), tuple(0.8 * c for c in wall.colour)]),
        0.8,
        dirt=0.3,
    )
    frame = Finish(
        "paint",
        rng.choice([grey(0.75), grey(0.04), (0.18, 0.1, 0.05), grey(0.35), (0.04, 0.1, 0.08)]),
        0.4,
        dirt=0.05,
    )
    panes = [window_glass(rng) for _ in range(4)]
    if rng.random() < 0.13:
        _curtain_wall(model, rng, (0, width, ground, height), frame, panes)
    else:
        _windows(
            model,
            rng,
            (width, ground, storey, floors),
            wall=wall,
            trim=trim,
            frame=frame,
            panes=panes,
        )
    lower = wall if rng.random() < 0.5 else wall_finish(rng)
    draw_ground_floor(building, rng, ground, wall=lower, trim=trim, frame=frame)
    model.add(sh.plain_box(0, width, 0.5, 11, 0, height - 0.01), wall)
    for x in (0.0, width - 0.01):
        # The front stands off the body by the depth of its windows; these close the sides.
        model.add(sh.plain_box(x, x + 0.01, 0.0, 0.6, 0, height - 0.01), wall)
    if rng.random() < 0.75:
        for out, low, high in ((0.22, 0.0, 0.18), (0.12, -0.25, 0.0)):
            model.add(
                sh.plain_box(-0.02, width + 0.02, -out, 0.4, height + low, height + high), trim
            )
    if rng.random() < 0.6:
        model.add(sh.plain_box(0, width, -0.07, 0.05, ground - 0.12, ground + 0.08), trim)
    if rng.random() < 0.5:
        x = rng.choice([0.25, width - 0.25])
        pipe = Finish("paint", rng.choice([grey(0.4), grey(0.1), trim.colour]), 0.4, 0.3, 0.2)
        model.add(sh.tube([(x, -0.1, 0.1), (x, -0.1, height - 0.3)], 0.05), pipe)
    return building


def _windows(
    model: Assembly,
    rng: Random,
    size: tuple[float, float, float, int],
    *,
    wall: Finish,
    trim: Finish,
    frame: Finish,
    panes: list[Finish],
) -> None:
    """Draw the upper floors: a grid of windows with sills, lintels or balconies."""
    width, ground, storey, floors = size
    count = max(2, round(width / rng.uniform(2.2, 3.6)))
    bay = width / count
    wide, tall = min(bay * 0.72, rng.uniform(0.9, 1.7)), rng.uniform(1.25, min(2.1, storey - 0.8))
    sill, depth = rng.uniform(0.6, 0.95), rng.uniform(0.1, 0.25)
    bars = rng.choice([(2, 1), (2, 2), (1, 2), (3, 1), (1, 1)])
    surround, balcony = rng.random() < 0.4, rng.random() < 0.2
    cooler = Finish("paint", grey(0.7), 0.5, dirt=0.4)
    for floor in range(floors):
        z0 = ground + floor * storey
        for k in range(count):
            x0 = k * bay
            hole = (x0 + (bay - wide) / 2, x0 + (bay + wide) / 2, z0 + sill, z0 + sill + tall)
            cut_hole(model, (x0, x0 + bay, z0, z0 + storey), hole, wall, depth)
            fit_window(model, rng, hole, depth, frame=frame, pane=rng.choice(panes), bars=bars)
            model.add(
                sh.plain_box(hole[0] - 0.08, hole[1] + 0.08, -0.08, depth, hole[2] - 0.07, hole[2]),
                trim,
            )
            if surround:
                model.add(
                    sh.plain_box(
                        hole[0] - 0.14, hole[1] + 0.14, -0.05, 0.03, hole[3], hole[3] + 0.2
                    ),
                    trim,
                )
            if balcony and k % 2 == 0:
                _balcony(model, hole, z0 + sill, frame)
            elif rng.random() < 0.05:
                model.add(
                    sh.block(0.8, 0.3, 0.55, radius=0.02),
                    cooler,
                    sh.shift(hole[0] + 0.4, -0.25, z0 + 0.32),
                )


def _balcony(
    model: Assembly, hole: tuple[float, float, float, float], z: float, metal: Finish
) -> None:
    """Draw a slab with a railing in front of a window."""
    x0, x1 = hole[0] - 0.2, hole[1] + 0.2
    model.add(
        sh.plain_box(x0, x1, -0.9, 0, z - 0.16, z), Finish("plaster", grey(0.5), 0.9, dirt=0.5)
    )
    for y in (-0.88, -0.04):
        model.add(sh.plain_box(x0, x1, y - 0.02, y + 0.02, z + 0.9, z + 0.94), metal)
    for k in range(round((x1 - x0) / 0.13)):
        x = x0 + 0.13 * k
        model.add(sh.plain_box(x, x + 0.016, -0.89, -0.87, z, z + 0.92), metal)


def _curtain_wall(
    model: Assembly,
    rng: Random,
    limits: tuple[float, float, float, float],
    frame: Finish,
    panes: list[Finish],
) -> None:
    """Draw a wall of glass with a grid of profiles."""
    x0, x1, z0, z1 = limits
    across, up = (
        max(2, round((x1 - x0) / rng.uniform(1.2, 2.2))),
        max(2, round((z1 - z0) / rng.uniform(1.4, 3.2))),
    )
    xs, zs = np.linspace(x0, x1, across + 1), np.linspace(z0, z1, up + 1)
    for i in range(across):
        for j in range(up):
            y = rng.uniform(0, 0.012)
            quad = np.array(
                [
                    (xs[i], 0, zs[j]),
                    (xs[i + 1], y, zs[j]),
                    (xs[i + 1], y, zs[j + 1]),
                    (xs[i], 0, zs[j + 1]),
                ]
            )
            model.add(sh.Mesh(quad, [(0, 1, 2, 3)]), panes[rng.randrange(2)])
    for x in xs:
        model.add(sh.plain_box(x - 0.03, x + 0.03, -0.08, 0.05, z0, z1), frame)
    for z in zs:
        model.add(sh.plain_box(x0, x1, -0.06, 0.05, z - 0.03, z + 0.03), frame)
