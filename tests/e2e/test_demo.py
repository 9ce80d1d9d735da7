"""The demo itself: the recorded walk through every real part, with the broker that pip brings."""

import json

from tests.cli.test_commands import ROOT, scanner

HALF = 0.5


def test_the_demo_maps_the_walk() -> None:
    """At least half of the walk's cameras, and no more false ones than true ones."""
    result = scanner("demo", "--once", "--json", "--broker", "iotcore")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["true"] >= 8
    assert report["found"] >= HALF * report["true"]
    assert report["false"] <= report["found"]
    assert len(report["off_m"]) == report["found"]
    assert report["median_off_m"] < 5


def test_the_walk_is_a_walk() -> None:
    truth = json.loads((ROOT / "scanner" / "demo" / "truth.geojson").read_text())
    kinds = {f["properties"]["kind"] for f in truth["features"]}
    assert kinds == {"bullet", "dome", "ptz", "alpr"}
