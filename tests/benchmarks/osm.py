"""How many of the cameras that people drew can be read.

    python -m tests.benchmarks.osm CAMERAS.geojson

A camera counts as read if each direction it has gives views; one without a direction has nothing
to misread and is counted apart. The rest is listed with the reasons.
"""

import argparse
import time
from collections import Counter
from pathlib import Path

from scanner.core.osm import reading as osm_reading
from scanner.hub import osm_import


def main() -> None:
    """Print the shares, the shapes and what could not be read."""
    parser = argparse.ArgumentParser(description="share of directions that can be read")
    parser.add_argument("file", type=Path, help=".osm, .osm.pbf, GeoJSON or Overpass JSON")
    known = list(osm_import.read(parser.parse_args().file))
    start = time.process_time()
    readings = [osm_reading.read(k.tags) for k in known]
    cpu_s = time.process_time() - start
    bad: list[str] = []
    silent = 0
    shapes: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for camera, reading in zip(known, readings, strict=True):
        has = [key for key in osm_reading.DIRECTION_KEYS if key in camera.tags]
        silent += not has
        missed = [(key, why) for key, why in reading.unread if key in has]
        bad += [f"{camera.ref} {key}={camera.tags[key]}: {why}" for key, why in missed]
        others.update(f"{k}={camera.tags[k]}: {why}" for k, why in reading.unread if k not in has)
        if has and not missed:
            shapes[_shape(reading)] += 1
    with_one = len(known) - silent
    nodes_bad = len({line.split()[0] for line in bad})
    print(
        f"{len(known)} cameras, {with_one} with a direction, {cpu_s / len(known) * 1e6:.0f} us each"
    )
    print(f"read: {1 - nodes_bad / len(known):.4%} of all cameras")
    print(f"      {1 - nodes_bad / with_one:.4%} of those with a direction")
    print("shapes: " + ", ".join(f"{name} {n}" for name, n in shapes.most_common()))
    print("not read:", *bad, sep="\n  ")
    print(
        "other keys not read:", *(f"{n} x {what}" for what, n in others.most_common()), sep="\n  "
    )


def _shape(reading: osm_reading.Reading) -> str:
    views = reading.views
    if len(views) > 1:
        return "several"
    if views[0].of_traffic:
        return "traffic"
    return "one" if views[0].width_deg is None else "sector"


if __name__ == "__main__":
    main()
