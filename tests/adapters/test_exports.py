"""The map as files: each format is opened again by another program than the one that wrote it."""

import base64
import csv
import gzip
import io
import itertools
import json
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import mapbox_vector_tile
import msgspec
import osmium
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pmtiles.reader import MmapSource, Reader, all_tiles
from pmtiles.tile import zxy_to_tileid

from scanner.core.osm import tags as osm
from scanner.core.wire import CameraFeature, Cell
from scanner.errors import UsageError
from scanner.hub import osm_known
from scanner.hub.exports import geojson, josm, kml, maproulette, source, table, tileset
from scanner.hub.osm_import import VERSION
from scanner.hub.stores import Store, open_store
from scanner.hub.stores.protocol import Known
from scanner.records import Kind
from tests.helpers.reports import ORIGIN, Place
from tests.helpers.shown import CHECKED, feature, put

KML = "{http://www.opengis.net/kml/2.2}"
TOWN = [
    feature("dome", (0, 0), height_m=3.2),
    feature("box", (40, 0), kind=Kind.BULLET, direction_deg=271.6),
    feature(
        "plates",
        (80, 0),
        kind=Kind.ALPR,
        basis=CHECKED,
        reviewed={
            "surveillance:type": "ALPR",
            "manufacturer": "Flock Safety",
            "operator": 'Ann & Bob "Security" <Ltd>',
            "camera:mount": "pole",
        },
    ),
    feature("gone", (120, 0), status="gone"),
    feature("maybe", (160, 0), status="candidate"),
    feature("wrong", (200, 0), status="rejected"),
    feature("far", (9000, 0), kind=Kind.UNKNOWN),
]
PUBLISHED = ["box", "dome", "far", "gone", "plates"]
STANDING = ["box", "dome", "far", "plates"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path / "hub.sqlite3")) as opened:
        put(opened, TOWN)
        yield opened


def know(store: Store, number: int, place: Place, **tags: str) -> None:
    lat_deg, lon_deg = ORIGIN.geodetic_from_enu(*place)
    item = Known(
        ref=f"node/{number}",
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        tags={"man_made": "surveillance", VERSION: "4", **tags},
    )
    osm_known.take_in(store, f"file {number}", [item])


def written(chunks: Iterable[str]) -> str:
    return "".join(chunks)


# --- which cameras -------------------------------------------------------------------------------


def test_only_published_cameras_are_given_unless_all_are_asked_for(store: Store) -> None:
    assert [c.id for c in source.cameras(store)] == PUBLISHED
    every = source.cameras(store, statuses=source.EVERYTHING)
    assert [c.id for c in every] == sorted(c.id for c in TOWN)


@pytest.mark.parametrize("degrees", [0.001, 1.0])
def test_an_area_holds_its_cameras_and_no_others(degrees: float, store: Store) -> None:
    lat, lon = ORIGIN.geodetic_from_enu(40, 0)
    box = (lon - degrees, lat - degrees, lon + 0.0008, lat + degrees)
    assert [c.id for c in source.cameras(store, box)] == ["box", "dome", "plates"]
    assert sorted(e.feature.id for e in source.entries(store, box)) == ["box", "dome", "plates"]


def test_more_than_a_page_is_given_once_and_in_order(store: Store) -> None:
    count = source.PAGE * 2
    put(store, (feature(f"x{i:05}", (i % 100, i // 100)) for i in range(count)), first=100)
    ids = [c.id for c in source.cameras(store)]
    assert len(ids) == count + len(PUBLISHED)
    assert ids == sorted(set(ids))


def test_what_is_gone_is_no_new_camera(store: Store) -> None:
    assert sorted(e.feature.id for e in source.entries(store)) == STANDING


@pytest.mark.parametrize("kind", list(Kind))
def test_all_tags_of_an_export_pass_the_linter(kind: Kind, store: Store) -> None:
    put(store, [feature(f"a {kind}", (300, 0), kind=kind, direction_deg=12, height_m=2.5)], 50)
    found = list(source.cameras(store, statuses=source.EVERYTHING))
    assert {c.properties.kind for c in found} >= {kind}
    assert [osm.lint(c.properties.tags, c.properties.basis) for c in found] == [[]] * len(found)
    assert all(osm.lint(e.added, e.feature.properties.basis) == [] for e in source.entries(store))


# --- GeoJSON, CSV, KML ---------------------------------------------------------------------------


def test_geojson_is_one_collection_with_its_licence(store: Store) -> None:
    text = written(geojson.chunks(source.cameras(store)))
    cell = msgspec.json.decode(text, type=Cell)
    assert [c.id for c in cell.features] == PUBLISHED
    assert (cell.licence, cell.notice) == ("ODbL-1.0", "No record is not no camera.")
    assert json.loads(text)["features"][0]["geometry"]["coordinates"][0] == pytest.approx(
        4.8958, abs=1e-3
    )


@pytest.mark.parametrize(
    ("chunks", "opened"),
    [
        (geojson.chunks, lambda t: json.loads(t)["features"]),
        (table.chunks, lambda t: list(csv.DictReader(io.StringIO(t)))),
        (kml.chunks, lambda t: ET.fromstring(t).findall(f".//{KML}Placemark")),  # noqa: S314
    ],
)
def test_an_empty_map_is_a_file_too(
    chunks: Callable[[Iterable[CameraFeature]], Iterator[str]],
    opened: Callable[[str], list[object]],
) -> None:
    assert opened(written(chunks([]))) == []


def test_a_table_has_numbers_for_numbers_and_every_tag(store: Store) -> None:
    rows = {
        row["id"]: row
        for row in csv.DictReader(io.StringIO(written(table.chunks(source.cameras(store)))))
    }
    assert list(rows) == PUBLISHED
    lat, lon = ORIGIN.geodetic_from_enu(40, 0)
    assert float(rows["box"]["lat"]) == pytest.approx(lat, abs=1e-6)
    assert float(rows["box"]["lon"]) == pytest.approx(lon, abs=1e-6)
    assert rows["box"]["direction_deg"] == "271.6"
    assert rows["box"]["camera:direction"] == "272"
    assert rows["dome"]["height_m"] == "3.2"
    assert rows["plates"]["operator"] == 'Ann & Bob "Security" <Ltd>'
    assert rows["plates"]["basis:alpr"] == "reviewer"
    assert rows["plates"]["confirmations"] == "3 to 5"
    assert {row["notice"] for row in rows.values()} == {"No record is not no camera."}
    assert {row["licence"] for row in rows.values()} == {
        "https://opendatacommons.org/licenses/odbl/1-0/"
    }


def test_a_western_longitude_stays_a_number() -> None:
    camera = feature("west", (-400_000, 0))
    row = next(csv.DictReader(io.StringIO(written(table.chunks([camera])))))
    assert float(row["lon"]) == camera.geometry.coordinates[0] < 0


NUMBERS = ("lat", "lon", "sigma_m", "direction_deg", "height_m")
nasty = st.text(st.sampled_from("=+-@\t\r\n;,|'\" a1\uff1d"), max_size=12) | st.text(max_size=12)


@given(name=nasty, operator=nasty, ref=nasty, separator=st.sampled_from(",;\t|"))
def test_no_cell_is_a_formula_whatever_the_separator(
    name: str, operator: str, ref: str, separator: str
) -> None:
    camera = feature(name, (0, 0))
    tags = camera.properties.tags | {"operator": operator, "ref": ref}
    camera = msgspec.structs.replace(
        camera, properties=msgspec.structs.replace(camera.properties, tags=tags)
    )
    text = written(table.chunks([camera]))
    cells = [
        cell
        for line in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        for cell in line
    ]
    starts = set("=+-@\t\r\uff1d")
    assert [c for c in cells if c[:1] in starts or c.lstrip(' "')[:1] in starts] == []


def test_kml_is_read_again_with_what_is_known(store: Store) -> None:
    root = ET.fromstring(written(kml.chunks(source.cameras(store))))  # noqa: S314
    assert "No record is not no camera. Licence ODbL-1.0" in (
        root.findtext(f"{KML}Document/{KML}description") or ""
    )
    marks = root.findall(f".//{KML}Placemark")
    data = [
        {d.get("name"): d.findtext(f"{KML}value") for d in mark.findall(f".//{KML}Data")}
        for mark in marks
    ]
    assert [d["id"] for d in data] == PUBLISHED
    plates = data[-1]
    assert plates["operator"] == 'Ann & Bob "Security" <Ltd>'
    lon, lat = map(float, (marks[-1].findtext(f".//{KML}coordinates") or "").split(","))
    assert (lat, lon) == pytest.approx(ORIGIN.geodetic_from_enu(80, 0), abs=1e-6)
    styles = {f"#{style.get('id')}" for style in root.iter(f"{KML}Style")}
    assert {mark.findtext(f"{KML}styleUrl") for mark in marks} <= styles


@given(operator=st.text(max_size=20))
def test_any_text_is_well_formed_xml(operator: str) -> None:
    camera = feature("a")
    tags = camera.properties.tags | {"operator": operator}
    camera = msgspec.structs.replace(
        camera, properties=msgspec.structs.replace(camera.properties, tags=tags)
    )
    ET.fromstring(written(kml.chunks([camera])))  # noqa: S314
    entry = source.Entry(what="new", feature=camera, added=tags)
    ET.fromstring(written(josm.chunks([entry])))  # noqa: S314


# --- for OpenStreetMap ---------------------------------------------------------------------------


def opened(path: Path) -> dict[int, tuple[int, dict[str, str]]]:
    """Version and tags by id, as libosmium reads a file."""
    return {
        node.id: (node.version, {tag.k: tag.v for tag in node.tags})
        for node in osmium.FileProcessor(str(path), osmium.osm.NODE)
    }


def test_josm_gets_new_nodes_with_negative_ids_that_it_will_not_send(
    store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "new.osm"
    path.write_text(written(josm.chunks(source.entries(store))))
    nodes = opened(path)
    assert sorted(nodes) == [-4, -3, -2, -1]
    expected = [c.properties.tags for c in TOWN if c.id in STANDING]
    assert sorted(sorted(t.items()) for _, t in nodes.values()) == sorted(
        sorted(t.items()) for t in expected
    )
    root = ET.parse(path).getroot()  # noqa: S314
    assert root.get("upload") == "never"
    assert root.findtext("note") == "No record is not no camera."
    assert "odbl" in (root.get("license") or "")
    assert {n.get("action") for n in root.iter("node")} == {"modify"}


def test_the_osmium_tool_opens_it_too(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "new.osm"
    path.write_text(written(josm.chunks(source.entries(store))))
    info = subprocess.run(
        ["osmium", "fileinfo", "-e", "-j", path], check=True, capture_output=True, text=True
    )
    assert json.loads(info.stdout)["data"]["count"]["nodes"] == len(STANDING)


def test_cameras_that_openstreetmap_has_are_not_doubled(store: Store) -> None:
    know(store, 7, (3, 2))
    assert sorted(e.feature.id for e in source.entries(store)) == ["box", "far", "plates"]


def test_a_camera_that_came_after_the_import_is_not_doubled_either(store: Store) -> None:
    know(store, 7, (500, 0))
    put(store, [feature("later", (502, 0))], first=50)
    assert store.links() == {}
    assert sorted(e.feature.id for e in source.entries(store)) == STANDING


def test_an_update_adds_what_is_missing_and_keeps_what_people_wrote(
    store: Store, tmp_path: Path
) -> None:
    know(store, 7, (42, 3), name='"A" & B', direction="90", check_date="2024-02-03")
    know(store, 8, (2, 3), check_date="2026-05", height="4")
    path = tmp_path / "update.osm"
    path.write_text(written(josm.chunks(source.entries(store, update=True))))
    assert opened(path) == {
        7: (
            4,
            {
                "man_made": "surveillance",
                "name": '"A" & B',
                "direction": "90",
                "check_date": "2026-11",
            },
        )
    }


def test_an_update_adds_direction_height_and_date(store: Store) -> None:
    put(store, [feature("full", (600, 0), kind=Kind.BULLET, direction_deg=45, height_m=3)], 50)
    know(store, 9, (601, 1))
    (entry,) = source.entries(store, update=True)
    assert entry.added == {"camera:direction": "45", "height": "3.0", "check_date": "2026-11"}
    assert all(osm.RULES[key](value) is None for key, value in entry.added.items())


def test_a_known_camera_that_has_gone_is_asked_about(store: Store, tmp_path: Path) -> None:
    know(store, 9, (121, 1))
    (entry,) = source.entries(store, update=True)
    assert (entry.what, entry.feature.id) == ("gone", "gone")
    (tmp_path / "x.osm").write_text(written(josm.chunks([entry])))
    assert opened(tmp_path / "x.osm") == {}
    (task,) = tasks(written(maproulette.chunks([entry])))
    assert "cooperativeWork" not in task
    assert "still there" in task["features"][0]["properties"]["question"]


@pytest.mark.parametrize("tags", [{VERSION: ""}, {"note": "bell \x07"}])
def test_a_node_that_cannot_be_written_back_is_left_out(tags: dict[str, str], store: Store) -> None:
    lat_deg, lon_deg = ORIGIN.geodetic_from_enu(3, 2)
    known = {"man_made": "surveillance", VERSION: "4", **tags}
    item = Known(
        ref="node/7", lat_deg=lat_deg, lon_deg=lon_deg, tags={k: v for k, v in known.items() if v}
    )
    osm_known.take_in(store, "x", [item])
    (entry,) = source.entries(store, update=True)
    assert "<node" not in written(josm.chunks([entry]))
    assert "cooperativeWork" not in tasks(written(maproulette.chunks([entry])))[0]


def tasks(text: str) -> list[dict[str, object]]:
    """RFC 7464: a record separator, a text, a line feed; again and again."""
    assert text == "" or (text.startswith("\x1e") and text.endswith("\n"))
    texts = text.split("\x1e")[1:]
    assert all(t.count("\n") == 1 for t in texts)
    return [json.loads(t) for t in texts]


def test_maproulette_gets_one_task_a_line_with_the_change_to_check(
    store: Store, tmp_path: Path
) -> None:
    know(store, 7, (42, 3), direction="90")
    found = tasks(written(maproulette.chunks(source.entries(store))))
    found += tasks(written(maproulette.chunks(source.entries(store, update=True))))
    assert len(found) == len(STANDING)
    for number, task in enumerate(found):
        assert task["type"] == "FeatureCollection"
        assert task["notice"] == "No record is not no camera."
        (point,) = task["features"]
        assert point["geometry"]["type"] == "Point"
        work = task["cooperativeWork"]
        assert work["meta"] == {"version": 2, "type": 2}
        path = tmp_path / f"{number}.osc"
        path.write_bytes(base64.b64decode(work["file"]["content"]))
        ((node, (version, tags)),) = opened(path).items()
        assert (node, version) in ((-1, 0), (7, 4))
        assert tags["check_date"] == "2026-11"


def test_cameras_that_cannot_be_told_apart_are_a_question_and_no_node() -> None:
    camera = feature("a")
    properties = msgspec.structs.replace(camera.properties, cluster=3)
    camera = msgspec.structs.replace(camera, properties=properties)
    entry = source.Entry(what="new", feature=camera, added=properties.tags)
    assert "<node" not in written(josm.chunks([entry]))
    (task,) = tasks(written(maproulette.chunks([entry])))
    assert "cooperativeWork" not in task
    assert "3 cameras" in task["features"][0]["properties"]["question"]
    row = next(csv.DictReader(io.StringIO(written(table.chunks([camera])))))
    assert row["cluster"] == "3"


# --- tiles ---------------------------------------------------------------------------------------


def in_tiles(body: bytes) -> set[str]:
    layers = mapbox_vector_tile.decode(body)
    return {f["properties"]["id"] for f in layers.get("cameras", {"features": []})["features"]}


def test_a_folder_holds_every_tile_with_something_in_it(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "tiles"
    count = tileset.write_folder(store, folder)
    files = list(folder.glob("*/*/*.mvt"))
    assert len(files) == count
    deepest = set().union(*(in_tiles(p.read_bytes()) for p in folder.glob("14/*/*.mvt")))
    assert deepest == set(STANDING)
    (top,) = folder.glob("0/*/*.mvt")
    clusters = mapbox_vector_tile.decode(top.read_bytes())["clusters"]["features"]
    assert sum(f["properties"]["n"] for f in clusters) == len(STANDING)
    about = json.loads((folder / "metadata.json").read_text())
    assert "No record is not no camera." in about["attribution"]


def test_old_tiles_are_not_mixed_with_new_ones(store: Store, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(UsageError, match="not an empty folder"):
        tileset.write_folder(store, tmp_path)


def test_an_archive_holds_the_same_tiles(store: Store, tmp_path: Path) -> None:
    count = tileset.write_pmtiles(store, tmp_path / "a.pmtiles")
    tileset.write_folder(store, tmp_path / "tiles")
    with (tmp_path / "a.pmtiles").open("rb") as file:
        reader = Reader(MmapSource(file))
        header = reader.header()
        assert (header["min_zoom"], header["max_zoom"], header["clustered"]) == (0, 14, True)
        assert header["min_lon_e7"] / 1e7 < 4.896 < header["max_lon_e7"] / 1e7
        assert "odbl" in reader.metadata()["attribution"]
        found = dict(all_tiles(MmapSource(file)))
    assert len(found) == count
    for (z, x, y), packed in found.items():
        assert gzip.decompress(packed) == (tmp_path / f"tiles/{z}/{x}/{y}.mvt").read_bytes()


def test_an_archive_of_nothing_is_refused(tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "empty.sqlite3")) as store:
        assert tileset.write_folder(store, tmp_path / "tiles") == 0
        with pytest.raises(UsageError, match="nothing to make tiles of"):
            tileset.write_pmtiles(store, tmp_path / "a.pmtiles")


@given(st.integers(0, 16).flatmap(lambda z: st.tuples(st.just(z), *[st.integers(0, 2**z - 1)] * 2)))
def test_tiles_are_numbered_as_pmtiles_does(place: tuple[int, int, int]) -> None:
    assert tileset.tile_id(*place) == zxy_to_tileid(*place)


# --- memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [geojson.chunks, table.chunks, kml.chunks])
def test_a_camera_is_written_before_the_next_is_read(
    chunks: Callable[[Iterable[CameraFeature]], Iterator[str]],
) -> None:
    read: list[str] = []

    def endless() -> Iterator[CameraFeature]:
        for number in itertools.count():
            read.append(str(number))
            yield feature(str(number))

    text = ""
    for piece in chunks(endless()):
        text += piece
        if len(read) == 20:
            break
    assert text.count("man_made") + text.count(",surveillance,") >= 19


@pytest.mark.parametrize("chunks", [josm.chunks, maproulette.chunks])
def test_a_task_is_written_before_the_next_is_read(
    chunks: Callable[[Iterable[source.Entry]], Iterator[str]],
) -> None:
    read: list[str] = []

    def endless() -> Iterator[source.Entry]:
        for number in itertools.count():
            read.append(str(number))
            camera = feature(str(number))
            yield source.Entry(what="new", feature=camera, added=camera.properties.tags)

    text = "".join(itertools.islice(chunks(endless()), 20))
    assert 19 <= len(read) <= 20
    assert len(text) > 19 * 100


def test_the_map_is_read_page_by_page(store: Store) -> None:
    """What comes into the map while it is written is part of a later page."""
    put(store, (feature(f"x{i:05}", (i, 0)) for i in range(source.PAGE)), first=100)
    found = source.cameras(store)
    first = next(found)
    put(store, [feature("zz", (10, 10))], first=90)
    assert first.id == "box"
    assert "zz" in {c.id for c in found}


def test_the_map_is_read_block_by_block(store: Store) -> None:
    blocks = sorted(osm_known.block_of(*ORIGIN.geodetic_from_enu(e, 0)) for e in (0, 9000))
    found = source.entries(store)
    first = next(found)
    lat_deg, lon_deg = reversed(first.feature.geometry.coordinates)
    assert osm_known.block_of(lat_deg, lon_deg) == blocks[0]
    later = 9010 if osm_known.block_of(*ORIGIN.geodetic_from_enu(9010, 0)) == blocks[1] else 10
    put(store, [feature("zz", (later, 10))], first=90)
    assert "zz" in {e.feature.id for e in found}
