"""Parts of ``make bench`` that start servers: relay, intake, and the map's answers."""

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from scanner.hub.api_reader import MapReader
from scanner.hub.stores import Store, open_store
from tests.benchmarks import clients, million, relay
from tests.benchmarks.results import (
    Figure,
    Plot,
    Ratio,
    Result,
    Series,
    percentile,
    ratio,
    said,
)
from tests.helpers import intake
from tests.helpers.postgres import Cluster

TILE_BAR_MS: Final = 50.0
TRIES: Final = 3
POSTGRES: Final = ("shared_buffers=1GB", "max_wal_size=4GB")


def relaying(*, quick: bool) -> Result:
    """The relay beside a C client."""
    count = 2000 if quick else 20_000
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        ours = relay.relay_alone(Path(one), count)
        theirs = clients.published(Path(other), count)
    return Result(
        part="relay",
        title="Relay",
        says="Records from an outbox, each removed from the card's database only after its "
        "acknowledgement, beside mosquitto_pub with lines as long; to mosquitto, QoS 1.",
        ratios=[
            ratio(
                "relay's rate / mosquitto_pub's", ours.rate, theirs.rate, "records/s", good="high"
            ),
            ratio(
                "relay's processor time a record / mosquitto_pub's",
                ours.cpu_us,
                theirs.cpu_us,
                "us",
                good="low",
            ),
        ],
        figures=[
            Figure(name="relay, processor", value=f"{ours.cpu_us:.0f} us a record"),
            Figure(name="mosquitto_pub, processor", value=f"{theirs.cpu_us:.0f} us a message"),
        ],
        notes=[
            f"{count} records on loopback; rates by the wall, so that a busy machine lowers them."
        ],
    )


def taking_in(*, quick: bool) -> Result:
    """One worker beside a C client and beside opening alone."""
    count = 4000 if quick else 20_000
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        alone = intake.measure(Path(one), count, fuses=False)
        theirs = clients.received(Path(other), count)
    with tempfile.TemporaryDirectory() as third:
        fused = intake.measure(Path(third), count // 4, fuses=True)
    return Result(
        part="ingest",
        title="Hub's intake",
        says="One worker takes waiting records from mosquitto, opens and judges them, commits them "
        "to SQLite and acknowledges; beside mosquitto_sub, which only counts bytes, and beside "
        "opening alone.",
        ratios=[
            ratio("intake's rate / mosquitto_sub's", 1e6 / alone.wall_us, theirs.rate, "records/s"),
            ratio(
                "intake's processor time a record / mosquitto_sub's",
                alone.cpu_us,
                theirs.cpu_us,
                "us",
                good="low",
            ),
            ratio(
                "opening alone / the whole intake, processor",
                alone.unseal_us,
                alone.cpu_us,
                "us",
                bar=0.5,
            ),
        ],
        figures=[
            Figure(name="opening alone, processor", value=f"{alone.unseal_us:.0f} us"),
            Figure(name="intake, processor", value=f"{alone.cpu_us:.0f} us a record"),
            Figure(name="with fusion, processor", value=f"{fused.cpu_us:.0f} us a record"),
            Figure(name="mosquitto_sub, processor", value=f"{theirs.cpu_us:.0f} us a message"),
        ],
        notes=[f"{count} records."],
    )


@contextlib.contextmanager
def _store(kind: str) -> Iterator[Store]:
    with contextlib.ExitStack() as stack:
        if kind == "PostGIS":
            cluster = Cluster(*POSTGRES)
            stack.callback(cluster.stop)
            url = stack.enter_context(cluster.database())
        else:
            url = f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/hub.sqlite3"
        yield stack.enter_context(contextlib.closing(open_store(url)))


Times = dict[str, list[float]]


def _asked(store: Store, count: int, queries: int) -> tuple[Times, Times]:
    """Milliseconds of each question: best of three, and of our own processor."""
    chosen = [p for i, p in enumerate(million.places(count)) if i % max(1, count // queries) == 0]

    def encoded(z: int, lat: float, lon: float) -> int:
        return len(MapReader(store).tile(*million.tile_at(z, lat, lon)).body)

    calls: dict[str, Callable[[float, float], object]] = {
        "tile, zoom 14": lambda lat, lon: encoded(14, lat, lon),
        "tile, zoom 10": lambda lat, lon: encoded(10, lat, lon),
        "1 km2": lambda lat, lon: store.features(million.square_km(lat, lon)),
    }
    best: Times = {name: [] for name in calls}
    own: Times = {name: [] for name in calls}
    for name, call in calls.items():
        for place in chosen[:20]:
            call(*place)
        for place in chosen:
            tries: list[float] = []
            for _ in range(TRIES):
                begun = time.perf_counter()
                cpu = time.thread_time()
                call(*place)
                own_ms = (time.thread_time() - cpu) * 1e3
                tries.append((time.perf_counter() - begun) * 1e3)
            best[name].append(min(tries))
            own[name].append(own_ms)
    return best, own


def latency(*, quick: bool) -> Result:
    """The map's answers over the number of cameras."""
    counts = [10_000, 30_000, 100_000] if quick else [10_000, 100_000, 1_000_000, 2_000_000]
    queries = 300 if quick else 1000
    lines: dict[str, list[tuple[float, float]]] = {}
    figures: list[Figure] = []
    for kind in ("SQLite", "PostGIS"):
        for count in counts:
            with _store(kind) as store:
                million.fill(store, count)
                best, own = _asked(store, count, queries)
            for name, times in best.items():
                p99 = percentile(times, 0.99)
                lines.setdefault(f"{name}, {kind}", []).append((count, p99))
                figures.append(
                    Figure(
                        name=f"{count:,} cameras, {name}, {kind}",
                        value=f"p50 {percentile(times, 0.5):.2f} ms, p99 {p99:.1f} ms (our "
                        f"processor {percentile(own[name], 0.99):.1f} ms)",
                    )
                )
    tiles = {name: points for name, points in lines.items() if name.startswith("tile")}
    boxes = {name: points for name, points in lines.items() if not name.startswith("tile")}
    return Result(
        part="latency",
        title="Answers of the map",
        says=f"Time for a vector tile and for all cameras of a square kilometre, from "
        f"{counts[0]:,} to {counts[-1]:,} cameras, asked where cameras are; p99 of the best of "
        "three tries.",
        ratios=[*_growth(lines, counts), *_beside_bar(tiles, counts)],
        figures=figures,
        plots=[
            Plot(
                title=title,
                x="cameras",
                y="ms, p99",
                log_x=True,
                log_y=True,
                bar=bar,
                series=[Series(name, points) for name, points in some.items()],
            )
            for title, some, bar in (
                ("Vector tile", tiles, TILE_BAR_MS),
                ("All cameras of a square kilometre", boxes, None),
            )
        ],
        notes=["More cameras stand more densely in the same 300 towns: a tile holds more of them."],
    )


def _growth(lines: dict[str, list[tuple[float, float]]], counts: list[int]) -> list[Ratio]:
    times = counts[-1] // counts[0]
    return [
        ratio(f"{n}: p99 at {times} times the cameras / before", p[-1][1], p[0][1], "ms",
              good="low", neutral=True)
        for n, p in lines.items()
    ]  # fmt: skip


def _beside_bar(tiles: dict[str, list[tuple[float, float]]], counts: list[int]) -> list[Ratio]:
    """The slowest tile beside the bar, at a million cameras or the most there are."""
    at = 1_000_000 if 1_000_000 in counts else counts[-1]
    found = []
    for kind in ("SQLite", "PostGIS"):
        worst = max(dict(p)[at] for n, p in tiles.items() if n.endswith(kind))
        found.append(
            Ratio(
                name=f"slowest tile at {at:,} cameras / {TILE_BAR_MS:g} ms, {kind}",
                value=worst / TILE_BAR_MS,
                good="low",
                ours=f"{said(worst)} ms",
                theirs=f"{TILE_BAR_MS:g} ms",
                bar=1.0 if at == 1_000_000 else None,
                wall=True,
            )
        )
    return found
