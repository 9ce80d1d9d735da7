"""``hub simulate`` and ``hub export``: a town goes in, its cameras come out."""

import json
from pathlib import Path

from scanner.core.assignment import FORBIDDEN, assign
from scanner.core.geometry import Origin, distance_m
from tests.cli.test_commands import error_of, scanner

ORIGIN = Origin(55.752, 37.6175)


def write_town(path: Path) -> list[tuple[float, float]]:
    """24 cameras: pairs 4 m apart, 30 m from pair to pair."""
    places = [
        ORIGIN.geodetic_from_enu(30 * (n // 2 % 4) + 4 * (n % 2), 40 * (n // 8)) for n in range(24)
    ]
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [lon, lat]},
            "properties": {"kind": "dome" if n % 2 else "bullet"},
        }
        for n, (lat, lon) in enumerate(places)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return places


def test_a_town_is_mapped(tmp_path: Path) -> None:
    truth = write_town(tmp_path / "town.geojson")
    database = f"sqlite:///{tmp_path / 'map.sqlite3'}"
    result = scanner(
        *("hub", "simulate", "--cameras", tmp_path / "town.geojson", "--passes", 6),
        *("--gnss-sigma-m", 2, "--seed", 1, "--data", tmp_path, "--db", database),
    )
    assert result.returncode == 0, result.stderr
    assert "0 quarantined" in result.stdout
    exported = scanner("hub", "export", "--db", database, "--format", "geojson", "--all")
    found = [f["geometry"]["coordinates"] for f in json.loads(exported.stdout)["features"]]
    distances = [[distance_m(lat, lon, y, x) for x, y in found] for lat, lon in truth]
    costs = [[d if d < 8 else FORBIDDEN for d in row] for row in distances]
    matched = sum(j is not None for j in assign(costs, unmatched=16.0))
    assert matched >= 22
    assert matched / len(found) > 0.7


def test_wrong_input_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.geojson").write_text("{}")
    result = scanner("hub", "simulate", "--cameras", tmp_path / "x.geojson", "--data", tmp_path)
    assert "not a GeoJSON file" in error_of(result, 2)
    result = scanner("hub", "simulate", "--cameras", "none", "--passes", 0, "--data", tmp_path)
    assert "--passes" in error_of(result, 2)
