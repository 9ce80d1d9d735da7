"""``hub export`` and ``hub import`` as a person meets them."""

import csv
import io
import json
from contextlib import closing
from pathlib import Path

import pytest

from scanner.cli import main
from scanner.hub.stores import open_store
from tests.cli.test_commands import error_of, scanner
from tests.helpers.reports import ORIGIN
from tests.helpers.shown import feature, put


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with closing(open_store(tmp_path / "hub.sqlite3")) as store:
        put(
            store,
            [
                feature("a", (0, 0), reviewed={"ref": "№ 5"}),
                feature("b", (500, 0), status="candidate"),
                feature("c", (900, 0), status="gone"),
            ],
        )
    return tmp_path


def test_geojson_goes_to_standard_output_in_utf_8_whatever_the_terminal(data: Path) -> None:
    result = scanner("hub", "export", "--data", data, LC_ALL="C", PYTHONIOENCODING="ascii")
    assert result.returncode == 0, result.stderr
    features = json.loads(result.stdout)["features"]
    assert [f["id"] for f in features] == ["a", "c"]
    assert features[0]["properties"]["tags"]["ref"] == "№ 5"


def test_all_has_the_candidates_for_reviewers(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{data}/hub.sqlite3"
    assert main(["hub", "export", "--db", url, "--format", "csv", "--all"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert {r["id"]: r["status"] for r in rows} == {"a": "confirmed", "b": "candidate", "c": "gone"}


def test_a_file_is_there_when_it_is_complete_and_replaces_the_old_one(data: Path) -> None:
    out = data / "map.kml"
    out.write_text("old")
    assert main(["hub", "export", "--data", str(data), "--format", "kml", "--out", str(out)]) == 0
    assert "<kml" in out.read_text()
    assert sorted(p.name for p in data.glob("map*")) == ["map.kml"]


def test_lines_of_a_table_end_as_they_should(data: Path) -> None:
    out = data / "map.csv"
    assert main(["hub", "export", "--data", str(data), "--format", "csv", "--out", str(out)]) == 0
    assert out.read_bytes().count(b"\r\n") == out.read_bytes().count(b"\n") == 3


def test_an_area_is_west_south_east_north(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lat, lon = ORIGIN.geodetic_from_enu(900, 0)
    box = f"{lon - 0.001},{lat - 0.001},{lon + 0.001},{lat + 0.001}"
    assert main(["hub", "export", "--data", str(data), "--bbox", box]) == 0
    assert [f["id"] for f in json.loads(capsys.readouterr().out)["features"]] == ["c"]


def test_an_area_may_lie_west_of_greenwich_and_south_of_the_equator(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hub", "export", "--data", str(data), "--bbox", "-70.7,-33.9,-70.6,-33.8"]) == 0
    assert json.loads(capsys.readouterr().out)["features"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--bbox", "1,2,3"), "not an area"),
        (("--bbox", "1,2,3,nan"), "not an area"),
        (("--bbox", "1,60,3,50"), "not an area"),
        (("--bbox", "1,2,3,400"), "not an area"),
        (("--format", "osm", "--all"), "candidates are for reviewers"),
        (("--format", "maproulette", "--all"), "candidates are for reviewers"),
        (("--format", "pmtiles", "--all", "--out", "x"), "candidates are for reviewers"),
        (("--update",), "--format osm and maproulette"),
        (("--format", "osm", "--update", "--new-only"), "not allowed with"),
        (("--format", "mvt"), "needs --out"),
        (("--format", "pmtiles", "--bbox", "1,2,3,4", "--out", "x"), "whole map"),
        (("--format", "shp"), "invalid choice"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    arguments: tuple[str, ...], words: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hub", "export", "--data", str(data), *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_a_place_that_cannot_be_written_is_one_line(data: Path) -> None:
    result = scanner("hub", "export", "--data", data, "--out", data / "none/map.geojson")
    assert "none/map.geojson" in error_of(result, 74)


def test_a_map_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    assert "no such database" in error_of(scanner("hub", "export", "--data", tmp_path), 2)
    missing = scanner("hub", "import", tmp_path / "x.osm", "--data", tmp_path)
    assert "no such database" in error_of(missing, 2)


def test_an_import_links_and_the_next_export_leaves_out(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lat, lon = ORIGIN.geodetic_from_enu(3, 3)
    (data / "town.osm").write_text(
        f'<osm><node id="7" version="1" lat="{lat}" lon="{lon}">'
        '<tag k="man_made" v="surveillance"/></node></osm>'
    )
    export = ["hub", "export", "--data", str(data), "--format", "osm"]
    assert main(export) == 0
    assert capsys.readouterr().out.count("<node") == 1
    assert main(["hub", "import", str(data / "town.osm"), "--data", str(data)]) == 0
    assert "1 cameras known by town.osm, 1 of them on the map" in capsys.readouterr().out
    assert main(export) == 0
    assert "<node" not in capsys.readouterr().out
    assert main([*export, "--update"]) == 0
    assert '<node id="7" version="1"' in capsys.readouterr().out


def test_a_bad_import_is_one_line_and_changes_nothing(data: Path) -> None:
    (data / "town.osm").write_text("<osm>")
    result = scanner("hub", "import", data / "town.osm", "--data", data)
    assert "not an .osm file" in error_of(result, 2)
