"""Parts of ``make bench`` that need no server: detector, location, fusion, privacy, memory."""

import tempfile
from pathlib import Path
from typing import Final

import numpy as np

import scanner.demo
from scanner.simulated.volunteers import Town, live
from scanner.simulated.walks import Errors, Setting
from tests.attack import report as attack
from tests.attack.designs import GOALS
from tests.attack.designs import ORIGIN as TOWN
from tests.benchmarks import fusion, location, steady, tiles
from tests.benchmarks.fusion_peers import RADII_M
from tests.benchmarks.fusion_scores import Score
from tests.benchmarks.results import FOLDER, Figure, Plot, Result, Series, ratio, said
from tests.benchmarks.walks import Memory, recorded, simulated

AT_RATE: Final = 10.0  # inferences a second that the policies are compared at
WALKS: Final = FOLDER / "walks"


def detector(*, quick: bool) -> Result:
    """Cameras found for the same number of inferences."""
    tallies: dict[tuple[str, float], tiles.Tally] = {}
    streets, starts = (2, 1) if quick else (8, 3)
    rates = (2.5, 5.0, AT_RATE, 20.0) if quick else tiles.RATES
    notes = [f"{streets} simulated streets, each from {starts} first frame(s) on."]
    if quick:
        for seed in range(1, streets + 1):
            tiles.compare(simulated(seed), range(starts), tallies, rates)
    else:
        memory = Memory(_kept(FOLDER / "tiles.cache"))
        folders = [Path(scanner.demo.__path__[0]), *sorted(p for p in WALKS.glob("*/"))]
        for folder in folders:
            tiles.compare(recorded(folder, memory), range(starts), tallies, rates)
            memory.save()
        notes = [f"The shipped network on {len(folders)} recorded walk(s), {starts} starts each."]
    if quick or len(folders) == 1:
        notes.append(
            "No other rendered walks are here. To have them judged, too: `python -m models.walk "
            f"--out {WALKS.relative_to(FOLDER.parents[1])}/NAME` (Blender), then `make bench "
            "ARGS='--only detector --again'`."
        )
    rows = tiles.rows_of(tallies)
    at = {row["policy"]: row for row in rows if row["inferences_per_s"] == AT_RATE}
    ours = at["with coarse tiles"]["found_share"]
    label = f"found at {AT_RATE:g} inferences a second, scheduler"
    names = ["with coarse tiles", "scheduler", "in turn", "whole frame"]
    return Result(
        part="detector",
        title="Detector",
        says="Which tiles to look at: the scheduler beside one look at the whole frame, shrunk, "
        "and tiles in turn; all through the same tracker and location.",
        ratios=[
            ratio(f"{label} / whole frame", ours, at["whole frame"]["found_share"], ""),
            ratio(f"{label} / tiles in turn", ours, at["in turn"]["found_share"], ""),
        ],
        figures=[
            Figure(
                name=f"{row['policy']}, {row['spent_per_s']:g} inferences a second",
                value=f"{row['found']} found, {row['false']} false",
            )
            for row in rows
        ],
        plots=[
            Plot(
                title="Cameras found for how many inferences",
                x="inferences a second",
                y="share of what can be found",
                log_x=True,
                series=[
                    Series(
                        name,
                        [(r["spent_per_s"], r["found_share"]) for r in rows if r["policy"] == name],
                    )
                    for name in names
                ],
            )
        ],
        notes=notes,
    )


def _kept(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def locating(*, quick: bool) -> Result:
    """Error of located cameras beside the bound and where the volunteer stood."""
    tracks = 60 if quick else 400
    result = Result(
        part="location",
        title="Location",
        says="Error of a located camera (root mean square) beside the Bayesian Cramer-Rao bound of "
        "the same errors, and beside the volunteer's own position at the nearest look.",
    )
    by_offset: dict[str, list[tuple[float, float]]] = {}
    for gnss_m in (4.0, 0.01):
        for offset_m in (2.0, 4.0, 8.0, 12.0):
            setting = Setting(offset_m=offset_m, hfov_deg=66.0, errors=Errors(gnss_m=gnss_m))
            m = location.measured(setting, tracks, 1, [])
            if gnss_m > 1:
                for name, value in (("located", m.rms_m), ("own position", m.own_m)):
                    by_offset.setdefault(name, []).append((offset_m, value))
                by_offset.setdefault("bound", []).append((offset_m, m.bound_m))
            if offset_m in (4.0, 8.0):
                what = f"{offset_m:g} m off the way, GNSS {gnss_m:g} m"
                result.ratios += [
                    ratio(f"own position's error / ours, {what}", m.own_m, m.rms_m, "m"),
                    ratio(
                        f"our error / the bound, {what}",
                        m.rms_m,
                        m.bound_m,
                        "m",
                        good="low",
                        neutral=True,
                    ),
                ]
                result.figures.append(
                    Figure(
                        name=f"{what}: normalised squared error (1 is honest), in the 95 % ellipse",
                        value=f"{m.nees:.2f}, {m.inside:.0f} %",
                    )
                )
    result.plots = [
        Plot(
            title="Error over the distance from the way, GNSS 4 m",
            x="metres between way and camera",
            y="error, m",
            series=[Series(name, points) for name, points in by_offset.items()],
        )
    ]
    result.notes = [
        f"{tracks} simulated walks each. Sampling: a ratio below 1 to the bound is chance."
    ]
    return result


def fusing(*, quick: bool) -> Result:
    """The map from simulated passes, beside other ways to bring sightings together."""
    size, seeds = (1500, 1) if quick else (20_000, 2)
    args = fusion.parser().parse_args(["--city", str(size)])
    scores: dict[str, list[Score]] = {}
    for seed in range(1, seeds + 1):
        for method, result in fusion.compare(fusion.of_city(args, seed)):
            scores.setdefault(method, []).append(result)
    means = {method: fusion.mean(values) for method, values in scores.items()}
    ours = means[fusion.OURS]
    radii = {f"radius {radius:g} m": radius for radius in RADII_M}
    best = max(radii, key=lambda name: means[name].f1)
    others = [best, fusion.NEAREST, *(n for n in means if "exagon" in n or "DBSCAN" in n)]
    return Result(
        part="fusion",
        title="Fusion",
        says="F1 of the published cameras (matched one to one within 8 m) after six passes of a "
        "simulated city, beside fixed radii and other methods on the same sightings.",
        ratios=[
            ratio(
                f"F1 / {name}{' (the best radius)' if name == best else ''}",
                ours.f1,
                means[name].f1,
                "",
                bar=1.5 if name == fusion.NEAREST else None,
            )
            for name in dict.fromkeys(others)
        ],
        figures=[
            Figure(
                name=name,
                value=f"F1 {s.f1:.3f}, pairs {s.pair_f1:.3f}, median {s.median_m:.2f} m, "
                f"{s.us:.0f} us a sighting",
            )
            for name, s in means.items()
        ],
        plots=[
            Plot(
                title="F1 over the radius within which sightings are one camera",
                x="radius, m",
                y="F1",
                series=[
                    Series("this hub", [(r, ours.f1) for r in (min(RADII_M), max(RADII_M))]),
                    Series("fixed radius", [(r, means[name].f1) for name, r in radii.items()]),
                ],
            )
        ],
        notes=[f"City of {size} cameras, {seeds} seed(s)."],
    )


def privacy(*, quick: bool) -> Result:
    """The linkage attack on what a month of volunteers sends."""
    count = 5 if quick else 10
    town = Town()
    months = [live(np.random.default_rng(100 + n), town, TOWN) for n in range(count)]
    names = ["open", "careful"] if quick else ["open", "careful", "hostile"]
    rows = {"naive": attack.naive(months)}
    rows |= {name: attack.measure(name, town, months) for name in names}
    words = {
        "walk": "records of one walk linked, F1",
        "device": "records of one device linked, F1",
        "home": "homes found within 200 m in 20 guesses",
    }
    careful = rows["careful"]
    return Result(
        part="privacy",
        title="Privacy",
        says="An attacker who knows the policy and has trained on other towns reads the decrypted "
        "table of the hub. Naive: device id, exact time and own position in every record.",
        ratios=[
            ratio(
                f"{text}, careful / naive",
                careful[column],
                rows["naive"][column],
                "",
                good="low",
                bar=GOALS[column],
            )
            for column, text in words.items()
        ],
        figures=[
            Figure(
                name=name,
                value=", ".join(f"{c} {row[c]:.2f}" for c in words)
                + f", {row['cameras']:.0f} cameras mapped",
            )
            for name, row in rows.items()
        ],
        notes=[
            f"{count} towns of 20 volunteers, 28 days; the attacker learns from two fifths.",
            "`make privacy` measures all designs.",
        ],
    )


def memory(*, quick: bool) -> Result:
    """`watch` over many frames."""
    frames = 1500 if quick else 20_000
    with tempfile.TemporaryDirectory() as folder:
        source, counts = steady.run(steady.MEMORY_TILES, frames, Path(folder))
    used = [b / 1e6 for b in source.memory]
    settled = used[min(steady.WARM_UP, len(used) // 2) :]
    tenth = max(1, len(settled) // 10)
    step = max(1, len(used) // 200)
    first, last = np.mean(settled[:tenth]), np.mean(settled[-tenth:])
    growth = steady.slope(source.memory)
    return Result(
        part="memory",
        title="Memory over time",
        says="The real pipeline from the lens' adapter to the outbox, walking on for ever: "
        "resident memory after each frame.",
        ratios=[
            ratio(
                "memory at the end / after the warm-up",
                float(last),
                float(first),
                "MB",
                good="low",
                bar=1.02 if not quick else None,
            )
        ],
        figures=[
            Figure(name="at most", value=f"{max(used):.0f} MB (bar {steady.BAR_MB:.0f})"),
            Figure(name="growth", value=f"{said(growth)} bytes a frame"),
            Figure(name="frames, records made", value=f"{len(used)}, {counts.records}"),
        ],
        plots=[
            Plot(
                title="Resident memory of watch",
                x="frames",
                y="MB",
                series=[Series("watch", [(i, used[i]) for i in range(0, len(used), step)])],
                bar=steady.BAR_MB,
            )
        ],
        notes=["A short run is still warming up: growth means little in it."] if quick else [],
    )
