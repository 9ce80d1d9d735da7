"""``make privacy``: the attack at full size, as a table of designs and as a drawing.

python -m tests.attack.report [--towns N] [--svg FILE]
"""

import argparse
from pathlib import Path

import numpy as np

from scanner.core.privacy import OPEN
from scanner.simulated.volunteers import Month, Town, live
from tests.attack import homes
from tests.attack.designs import DESIGNS, GOALS, ORIGIN
from tests.attack.homes import NEAR_M, Scene
from tests.attack.linkage import link, score
from tests.attack.table import Design, Table, as_due, table

NAIVE = "naive: id, time, own position"
COLUMNS = ("walk", "device", "home")
Row = dict[str, float]


def naive(months: list[Month]) -> Row:
    """With the device's id and exact times in the record nothing is left to attack."""
    rows = []
    for month in months:
        t = table(month, Design(OPEN, as_due), np.random.default_rng(3))
        claimed = t.device * 10**6 + np.unique(t.arrived_s, return_inverse=True)[1]
        starts: dict[int, list[tuple[float, float]]] = {}
        for outing in month.outings:
            if outing.finds:
                first = outing.finds[0].site[0]
                place = month.origin.enu_from_geodetic(first.lat_deg, first.lon_deg)
                starts.setdefault(outing.volunteer, []).append(place)
        firsts = [np.median(starts[d], axis=0) for d in range(len(month.homes_m))]
        near = np.hypot(*(np.array(firsts) - month.homes_m).T) <= NEAR_M
        rows.append(
            {
                "walk": score(claimed, t.walk).f1,
                "device": score(t.device, t.device).f1,
                "device, tuned": 1.0,
                "home": float(near.mean()),
                "records": len(t.walk),
                "cameras": t.cameras,
            }
        )
    return _mean(rows)


def measure(name: str, town: Town, months: list[Month]) -> Row:
    """The figures of one design; two fifths of the towns are learned from."""
    rng = np.random.default_rng(7)
    tables = [table(month, DESIGNS[name], rng) for month in months]
    learned = 2 * len(months) // 5
    found = link(tables[:learned], tables[learned:])
    tuned = link(tables[:learned], tables[learned:], "device")
    scenes = [Scene(town, m, t) for m, t in zip(months, tables, strict=True)]
    return {
        "walk": found["walk"].f1,
        "device": found["device"].f1,
        "device, tuned": tuned["device"].f1,
        "home": homes.found(scenes[:learned], scenes[learned:]),
        "records": float(np.mean([len(t.walk) for t in tables])),
        "cameras": float(np.mean([t.cameras for t in tables])),
    }


def _mean(rows: list[Row]) -> Row:
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def drawing(rows: dict[str, Row], chance: float) -> str:
    """Three bars per design, the goals as lines."""
    width, left, top, line, part = 900, 290, 56, 30, 190
    height = top + line * len(rows) + 30
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
        "<style>text { font: 13px sans-serif }</style>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    titles = ("same walk, F1", "same device, F1", f"homes found (chance {chance:.2f})")
    for k, (column, title) in enumerate(zip(COLUMNS, titles, strict=True)):
        x0 = left + k * (part + 10)
        goal = x0 + GOALS[column] * (part - 40)
        bottom = height - 24
        out.append(f'<text x="{x0}" y="24" font-weight="bold">{title}</text>')
        for n, row in enumerate(rows.values()):
            y, value = top + n * line, row[column]
            colour = "#2a7f62" if value <= GOALS[column] else "#b5482f"
            out.append(
                f'<rect x="{x0}" y="{y}" width="{max(1.0, value * (part - 40)):.1f}" height="16" '
                f'fill="{colour}"/>'
                f'<text x="{x0 + value * (part - 40) + 5:.1f}" y="{y + 13}">{value:.2f}</text>'
            )
        out.append(
            f'<line x1="{goal:.1f}" x2="{goal:.1f}" y1="{top - 8}" y2="{bottom}" stroke="black" '
            f'stroke-dasharray="3 3"/><text x="{goal:.1f}" y="{bottom + 15}" '
            f'text-anchor="middle" font-size="11">goal {GOALS[column]:.2f}</text>'
        )
    for n, name in enumerate(rows):
        y = top + n * line + 13
        out.append(f'<text x="{left - 10}" y="{y}" text-anchor="end">{name}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def main() -> None:
    """Measure all designs, print the table, draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--towns", type=int, default=10)
    parser.add_argument("--svg", type=Path)
    args = parser.parse_args()
    town = Town()
    months = [live(np.random.default_rng(100 + n), town, ORIGIN) for n in range(args.towns)]
    rows = {NAIVE: naive(months)}
    print(f"{'':42} walk  device (tuned)  homes  records  cameras", flush=True)
    for name in (NAIVE, *DESIGNS):
        row = rows[name] = rows.get(name) or measure(name, town, months)
        print(
            f"{name:42} {row['walk']:.2f}  {row['device']:.3f}  ({row['device, tuned']:.2f})   "
            f"{row['home']:.2f}  {row['records']:7.0f}  {row['cameras']:7.0f}",
            flush=True,
        )
    empty = Table(*(np.empty(0),) * 6, 0)
    by_chance = homes.chance([Scene(town, m, empty) for m in months], np.random.default_rng(1))
    print(f"goals of careful: {GOALS}; homes by chance {by_chance:.2f}")
    if args.svg:
        args.svg.write_text(drawing(rows, by_chance))


if __name__ == "__main__":
    main()
