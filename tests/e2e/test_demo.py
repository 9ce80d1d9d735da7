"""The demo itself: the recorded walk through every real part, with the broker that pip brings."""

import json

from tests.cli.test_commands import ROOT, scanner


def test_the_demo_maps_the_walk() -> None:
    """As the README says, but for one camera and a few decimetres that hang on the processor."""
    result = scanner("demo", "--once", "--json", "--broker", "iotcore")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["true"] == 14
    assert report["found"] >= 12
    assert report["false"] <= 2
    assert len(report["off_m"]) == report["found"]
    assert report["median_off_m"] < 2.2
    assert max(report["off_m"]) < 6


def test_the_walk_is_a_walk() -> None:
    truth = json.loads((ROOT / "scanner" / "demo" / "truth.geojson").read_text())
    kinds = {f["properties"]["kind"] for f in truth["features"]}
    assert kinds == {"bullet", "dome", "ptz", "alpr"}
