"""The commands of docs/exports.md do what the page says, one after the other."""

import shlex
import subprocess
from contextlib import closing
from pathlib import Path

import osmium
import pytest

from scanner.cli import main
from scanner.hub.stores import open_store
from tests.helpers.pages import fenced
from tests.helpers.reports import ORIGIN
from tests.helpers.shown import feature, put


def test_the_commands_of_the_page_run_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, work = tmp_path / "data", tmp_path / "work"
    work.mkdir()
    with closing(open_store(data / "hub.sqlite3")) as store:
        put(store, [feature("a", (0, 0)), feature("b", (500, 0), height_m=3)])
    lat, lon = ORIGIN.geodetic_from_enu(502, 0)
    with osmium.SimpleWriter(str(work / "amsterdam.osm.pbf")) as writer:
        tags = {"man_made": "surveillance", "surveillance:type": "camera"}
        node = osmium.osm.mutable.Node(id=7, version=2, location=(lon, lat), tags=tags)
        writer.add_node(node)
    monkeypatch.setenv("STATE_DIRECTORY", str(data))
    monkeypatch.chdir(work)
    lines = [command.line for command in fenced("docs/exports.md")]
    assert len(lines) >= 13
    for line in lines:
        program, *arguments = shlex.split(line)
        if program == "scanner":
            assert main(arguments) == 0, (line, capsys.readouterr().err)
        else:
            subprocess.run([program, *arguments], check=True, capture_output=True)
        if arguments[:2] == ["hub", "import"]:
            said = capsys.readouterr().out
            assert said.endswith("1 cameras known by amsterdam.osm.pbf, 1 of them on the map\n")
    nodes = {
        name: [node.id for node in osmium.FileProcessor(str(work / name), osmium.osm.NODE)]
        for name in ("new.osm", "update.osm")
    }
    assert nodes == {"new.osm": [-1], "update.osm": [7]}
    assert sorted(p.name for p in work.iterdir()) == [
        *("amsterdam.geojson", "amsterdam.osm.pbf", "cameras.csv", "cameras.geojson"),
        *("cameras.kml", "cameras.pmtiles", "new.osm", "questions.geojson", "surveillance.osm"),
        *("tasks.geojson", "tiles", "update.osm"),
    ]
