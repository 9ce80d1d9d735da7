"""The HTTP examples of the pages run as they stand, against a real server."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import mapbox_vector_tile
import pytest

from scanner.hub import openapi
from scanner.hub.stores import open_store
from scanner.records import Kind
from tests.helpers.web import placed, put, served

PAGE = Path(__file__).parents[2] / "docs" / "dashboard.md"
TEXT = PAGE.read_text()
BLOCKS = re.findall(r"```sh\n(curl .*?)```", TEXT, re.DOTALL)
LAT, LON = 52.3702, 4.8952


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    store = open_store(tmp_path / "db")
    put(store, [placed("one", LAT, LON, Kind.BULLET)])
    points = "".join(f'<trkpt lat="{LAT}" lon="{LON + east}"/>' for east in (0, 0.001))
    (tmp_path / "walk.gpx").write_text(f"<gpx><trk><trkseg>{points}</trkseg></trk></gpx>")
    with served(store) as address:
        yield address
    store.close()


def test_there_are_examples() -> None:
    assert len(BLOCKS) == 5


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_example_runs(tmp_path: Path, url: str, block: str) -> None:
    command = shlex.split(block.replace("\\\n", " ").replace("http://localhost:8080", url))
    ran = subprocess.run(
        [*command, "--fail-with-body"], cwd=tmp_path, capture_output=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stdout
    if "-o" in command:
        tile = (tmp_path / command[command.index("-o") + 1]).read_bytes()
        (camera,) = mapbox_vector_tile.decode(tile)["cameras"]["features"]
        assert camera["properties"]["id"] == "one"
        return
    answer = json.loads(ran.stdout)
    assert (answer["licence"], answer["notice"]) == ("ODbL-1.0", "No record is not no camera.")
    assert "one" in ran.stdout.decode() or answer.get("cameras") == 1


@pytest.mark.parametrize(
    ("path", "in_body", "tagged"),
    [
        ("cameras.geojson", True, True),
        ("changes.json", True, False),
        ("statistics", True, True),
        ("camera/one", False, True),
        ("tiles/14/8414/5384.mvt", False, True),
        ("status", False, False),
    ],
)
def test_licence_and_etag_stand_where_the_page_says(
    url: str,
    path: str,
    in_body: bool,  # noqa: FBT001
    tagged: bool,  # noqa: FBT001
) -> None:
    answer = httpx.get(f"{url}/api/{path}")
    assert answer.status_code == 200
    assert 'rel="license"' in answer.headers["link"]
    if in_body:
        assert answer.json().keys() >= {"licence", "notice"}
    if tagged:
        again = {"If-None-Match": answer.headers["etag"]}
        assert httpx.get(f"{url}/api/{path}", headers=again).status_code == 304


def test_the_page_names_every_public_path() -> None:
    told = set(re.findall(r"/api/[a-z./<>]+", TEXT))
    described = {
        re.sub(r"\{(\w+)\}", r"<\1>", path)
        for path in openapi.document()["paths"]
        if not path.startswith("/api/review/") and path != "/api/page.json"
    }
    assert described <= told
