"""Simulated volunteers report the cameras of a town, through the real intake."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from nacl.public import PublicKey

from scanner.core import privacy
from scanner.core.wire import Record
from scanner.errors import UsageError
from scanner.hub.ingest import Ingest, Received
from scanner.records import Withheld
from scanner.sealing import seal
from scanner.simulated.walks import KINDS, Errors, TownCamera, streets, visit

BATCH: Final = 500
PASS_S: Final = 86_400  # one pass a day


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be simulated."""

    passes: int
    errors: Errors = Errors()


def read_town(path: Path, rng: np.random.Generator) -> list[TownCamera]:
    """The cameras of a GeoJSON file of points.

    A kind that is missing or is none of ours is drawn at random. Raises UsageError.
    """
    try:
        features = json.loads(path.read_text(encoding="utf-8"))["features"]
        return [_camera(f, rng) for f in features if f["geometry"]["type"] == "Point"]
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise UsageError(f"{path}: not a GeoJSON file of points: {e}") from e


def _camera(feature: dict[str, dict[str, object]], rng: np.random.Generator) -> TownCamera:
    lon, lat = feature["geometry"]["coordinates"][:2]  # type: ignore[index]
    told = str((feature.get("properties") or {}).get("kind"))
    drawn = KINDS[rng.integers(len(KINDS))]
    return TownCamera(
        lat_deg=float(lat),
        lon_deg=float(lon),
        kind=next((kind for kind in KINDS if kind == told), drawn),
        height_m=round(float(np.clip(rng.normal(3.8, 0.8), 2.4, 7.0)), 1),
    )


def records(
    town: list[TownCamera], plan: Simulation, rng: np.random.Generator, now_s: float
) -> Iterator[Record]:
    """Every record of every pass, the passes a day apart and the last one today."""
    for number in range(plan.passes):
        utc_s = now_s - (plan.passes - 1 - number) * PASS_S
        for cameras in streets(town):
            for site in visit(rng, cameras, plan.errors):
                record = privacy.decide(site, privacy.OPEN, utc_s=utc_s, model="simulated")
                if isinstance(record, Withheld):
                    raise UsageError(f"nothing can be reported: {record.reason}")
                yield record


def simulate(
    town: list[TownCamera],
    plan: Simulation,
    ingest: Ingest,
    key: PublicKey,
    *,
    rng: np.random.Generator,
    now_s: float,
) -> Received:
    """Seal each record and put it through the intake; returns the sums."""
    total = Received(added=0, repeated=0, quarantined=0)
    batch: list[bytes] = []
    for record in records(town, plan, rng, now_s):
        batch.append(seal(record, key))
        if len(batch) == BATCH:
            total = _plus(total, ingest.take(batch))
            batch.clear()
    return _plus(total, ingest.take(batch)) if batch else total


def _plus(a: Received, b: Received) -> Received:
    return Received(
        added=a.added + b.added,
        repeated=a.repeated + b.repeated,
        quarantined=a.quarantined + b.quarantined,
    )
