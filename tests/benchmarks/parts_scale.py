"""The part of ``make bench`` on scale: scanners into workers, and what grows with what."""

import os
from pathlib import Path
from typing import Final

import msgspec

from tests.benchmarks import costs, scale
from tests.benchmarks.costs import More
from tests.benchmarks.results import FOLDER, Figure, Plot, Ratio, Result, Series, said
from tests.benchmarks.scale import Outcome, Plan

CORES: Final = os.cpu_count() or 1
Grown = tuple[float, Outcome]


def scaling(*, quick: bool) -> Result:
    """Several workers, and the growth of cost."""
    folder = FOLDER / ("quick" if quick else "full") / "scale"
    # Rates want a run that is long beside the broker's and the system's moods.
    wide = Plan(workers=1, each=1 if quick else 10)
    one = _once(folder, wide)
    all_cores = _once(folder, msgspec.structs.replace(wide, workers=CORES))
    town = Plan(workers=1, scanners=2000 if quick else 10_000, cameras=4000, towns=2, fuses=True)
    fused_one = _once(folder, town)
    fused = _once(folder, msgspec.structs.replace(town, workers=CORES))
    grown = growth(folder, quick=quick)
    live = grown["scanners"][-1][1]
    more = _more(quick=quick)
    paid = costs.token_costs()
    return Result(
        part="scale",
        title="Scale",
        says="Simulated scanners into real workers on one shared subscription with PostgreSQL, its "
        "commits on the disk; broker, database, workers and scanners share the cores.",
        ratios=[
            *_several("intake", one, all_cores),
            *_several("with fusion", fused_one, fused),
            *(_cost(name, points) for name, points in grown.items()),
            _batched(more),
        ],
        figures=[
            *(_figure(name, o) for name, o in (
                ("intake, one worker", one), (f"intake, {CORES} workers", all_cores),
                ("with fusion, one worker", fused_one), (f"with fusion, {CORES} workers", fused),
                (f"{live.connected:,} scanners connected at once, live", live),
            )),
            Figure(name="broker's memory with these connected", value=f"{live.broker_mb:.0f} MB"),
            Figure(name="database, for each fused record", value=f"{fused.disk_bytes:.0f} bytes"),
            Figure(name="a cohort's token", value=f"{paid.check_us:.0f} us a record"),
            Figure(name="a cohort's key at the start", value=f"{paid.key_ms:.2f} ms"),
            Figure(name="memory of a worker", value=f"{max(all_cores.memory_mb):.0f} MB"),
        ],
        plots=[*(_plot(name, points) for name, points in grown.items()), _waiting(more)],
        notes=_notes(one, all_cores, fused),
    )  # fmt: skip


def _more(*, quick: bool) -> list[More]:
    there, at_once = (
        ((250, 1000), (1, 10, 100)) if quick else ((500, 2000, 8000), (1, 10, 100, 1000))
    )
    return [
        costs.one_more(n, together, turns=max(1, min(5, 100 // together)))
        for n in there
        for together in at_once
    ]


def _batched(more: list[More]) -> Ratio:
    most = [m for m in more if m.there == more[-1].there]
    alone, together = most[0], most[-1]
    return Ratio(
        name=f"fusing {together.at_once} records at once / one by one, for each, {alone.there:,} "
        f"there on {alone.ground_km2:g} km2",
        value=together.ms / alone.ms,
        good="low",
        ours=f"{said(together.ms)} ms",
        theirs=f"{said(alone.ms)} ms",
    )


def _waiting(more: list[More]) -> Plot:
    return Plot(
        title="Fusing a record where others are already",
        x="new records fused at once",
        y="ms of processor for each",
        log_x=True,
        log_y=True,
        series=[
            Series(
                f"{there:,} records on {more[0].ground_km2:g} km2",
                [(float(m.at_once), m.ms) for m in more if m.there == there],
            )
            for there in dict.fromkeys(m.there for m in more)
        ],
    )


def _notes(one: Outcome, several: Outcome, fused: Outcome) -> list[str]:
    crowd = (
        "A record names no scanner: to broker and hub a scanner is a connection with a client id. "
        "Rates: a new connection and client id for each record, as `careful` does, sent before the "
        "workers start. Growth with scanners: all connected at the same time, as `open` does, "
        "while the workers work."
    )
    limits = (
        f"With {CORES} cores for everything, several workers can reach at most "
        f"{several.ceiling / one.rate:.2f} times one worker's rate of intake: that is what "
        "processor time for each record allows. How much of it is reached says whether something "
        "is waited for. Share of looks at which a worker's connection waited for a lock of "
        f"another: intake {_locks(several)}, with fusion {_locks(fused)}."
    )
    return [crowd, limits]


def _once(folder: Path, plan: Plan) -> Outcome:
    """A run, or what it came to when it was made before."""
    name = "-".join(str(v) for v in msgspec.structs.astuple(plan))
    path = folder / f"{name}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Outcome)
    except (OSError, msgspec.MsgspecError):
        outcome = scale.run(plan)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(outcome))
    print(scale.line(outcome), flush=True)
    return outcome


def growth(folder: Path, *, quick: bool) -> dict[str, list[Grown]]:
    """What a record costs, over scanners, records and cameras."""
    scanners = (1000, 10_000) if quick else (1000, 3000, 10_000, 18_000)
    records = (1000, 2000, 4000) if quick else (2000, 4000, 8000, 16_000, 32_000)
    cameras = (1000, 4000) if quick else (1000, 4000, 16_000, 64_000)
    plans = {
        "scanners": [
            (n, Plan(workers=1, scanners=n, each=max(1, 10_000 // n), live=True, hold=True))
            for n in scanners
        ],
        "records": [
            (n, Plan(workers=1, scanners=n, each=1, cameras=4000, towns=2, fuses=True))
            for n in records
        ],
        "cameras": [
            (n, Plan(workers=1, scanners=n, each=1, cameras=n, towns=max(1, n // 2000), fuses=True))
            for n in cameras
        ],
    }
    return {
        name: [(float(n), _once(folder, plan)) for n, plan in some] for name, some in plans.items()
    }


def _several(what: str, one: Outcome, several: Outcome) -> list[Ratio]:
    n = several.plan.workers
    return [
        Ratio(
            name=f"{what}: rate of {n} workers / ({n} cores x one worker's)",
            value=several.rate / one.rate / several.cores,
            good="high",
            ours=f"{said(several.rate)} records/s",
            theirs=f"{several.cores} x {said(one.rate)}",
            bar=scale.BAR,
            wall=True,
        ),
        Ratio(
            name=f"{what}: rate of {n} workers / what processor time allows",
            value=several.rate / several.ceiling,
            good="high",
            ours=f"{said(several.rate)} records/s",
            theirs=f"{said(several.ceiling)}",
        ),
    ]


def _cost(name: str, points: list[Grown]) -> Ratio:
    (few, before), (many, after) = points[0], points[-1]
    costs = [sum(o.cpu_us.values()) for o in (after, before)]
    return Ratio(
        name=f"processor time a record, {many / few:g} times the {name} / before",
        value=costs[0] / costs[1],
        good="low",
        ours=f"{said(costs[0])} us",
        theirs=f"{said(costs[1])} us",
        neutral=True,
    )


def _plot(name: str, points: list[Grown]) -> Plot:
    processes = list(points[-1][1].cpu_us)
    fused = points[-1][1].plan.fuses
    return Plot(
        title=f"Cost of a record over {name}" + (", with fusion" if fused else ", intake"),
        x={"records": "records over the same 4,000 cameras"}.get(name, name),
        y="us of processor",
        log_x=True,
        log_y=True,
        series=[Series(p, [(n, o.cpu_us.get(p, 0.0)) for n, o in points]) for p in processes],
    )


def _figure(name: str, o: Outcome) -> Figure:
    costs = ", ".join(f"{process} {us:.0f}" for process, us in o.cpu_us.items())
    return Figure(name=f"{name}: us a record", value=f"{costs}; {o.rate:.0f} records/s")


def _locks(o: Outcome) -> str:
    return f"{o.waits.get('lock', 0) + o.waits.get('light lock', 0):.1%}"
