"""Cameras of OpenStreetMap: every form of file gives the same, and they are linked with ours."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import osmium
import pytest

from scanner.errors import UsageError
from scanner.hub import osm_import, osm_known
from scanner.hub.stores import Store, open_store
from scanner.hub.stores.protocol import Known
from tests.helpers.reports import ORIGIN, Place
from tests.helpers.shown import feature, put

NODES: list[tuple[int, int, dict[str, str]]] = [
    (11, 3, {"man_made": "surveillance", "surveillance:type": "camera", "direction": "NB"}),
    (12, 1, {"man_made": "surveillance", "camera:type": "dome", "name": 'a "<&>" b'}),
    (13, 1, {"man_made": "surveillance", "surveillance:type": "guard"}),
    (14, 1, {"amenity": "bench"}),
]


def at(number: int) -> tuple[float, float]:
    return 52.37 + number / 1e4, 4.89 + number / 1e4


def write_pbf(path: Path) -> Path:
    with osmium.SimpleWriter(str(path)) as writer:
        for number, version, tags in NODES:
            lat, lon = at(number)
            writer.add_node(
                osmium.osm.mutable.Node(
                    id=number, version=version, location=(lon, lat), tags=tags, user="Ann", uid=7
                )
            )
    return path


def overpass(*, version: bool = True) -> dict[str, object]:
    elements = [
        {
            "type": "node",
            "id": number,
            "lat": at(number)[0],
            "lon": at(number)[1],
            "tags": tags,
            "user": "Ann",
            **({"version": v} if version else {}),
        }
        for number, v, tags in NODES
    ]
    return {"version": 0.6, "elements": [*elements, {"type": "way", "id": 5, "nodes": [11]}]}


def geojson() -> dict[str, object]:
    features = [
        {
            "type": "Feature",
            "id": f"node/{number}",
            "geometry": {"type": "Point", "coordinates": [at(number)[1], at(number)[0]]},
            "properties": {**tags, "@version": v, "@user": "Ann"},
        }
        for number, v, tags in NODES
    ]
    line = {
        "type": "Feature",
        "id": "way/5",
        "geometry": {"type": "LineString", "coordinates": [[4.8, 52.3], [4.9, 52.4]]},
        "properties": NODES[0][2],
    }
    return {"type": "FeatureCollection", "features": [*features, line]}


@pytest.mark.parametrize("name", ["a.osm", "a.osm.pbf", "a.osm.gz", "a.json", "a.geojson"])
def test_every_form_of_file_gives_the_same_cameras_and_no_names_of_people(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if name.endswith("json"):
        path.write_text(json.dumps(geojson() if "geo" in name else overpass()))
    else:
        write_pbf(path)
    found = list(osm_import.read(path))
    assert [k.ref for k in found] == ["node/11", "node/12"]
    assert found[0].tags == {**NODES[0][2], "@version": "3"}
    assert found[1].tags == {**NODES[1][2], "@version": "1"}
    assert [k.direction_deg for k in found] == [0.0, None]
    assert [(k.lat_deg, k.lon_deg) for k in found] == [
        pytest.approx(at(number), abs=1e-7) for number in (11, 12)
    ]
    assert "Ann" not in repr(found)


def test_a_file_written_by_osmium_itself_is_read(tmp_path: Path) -> None:
    subprocess.run(
        ["osmium", "cat", write_pbf(tmp_path / "a.osm.pbf"), "-o", tmp_path / "b.osm"], check=True
    )
    assert [k.ref for k in osm_import.read(tmp_path / "b.osm")] == ["node/11", "node/12"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.osm", b"<osm><node", "not an .osm file"),
        ("a.osm", b"\x00\x01", "not an .osm file"),
        ("a.osm", b'<?xml version="1.0" encoding="foo"?><osm/>', "not an .osm file"),
        ("a.osm", b'<?xml version="1.0" encoding="big5"?><osm/>', "not an .osm file"),
        ("a.osm", b'<!DOCTYPE a [<!ENTITY b "c">]><osm/>', "declares entities"),
        ("a.osm.pbf", b"nothing of the sort", "not a file of OpenStreetMap"),
        ("a.txt", b"", "not a file of OpenStreetMap"),
        ("a.json", b"{", "neither GeoJSON"),
        ("a.json", b"[1]", "neither GeoJSON"),
        ("a.json", b"[" * 100_000, "neither GeoJSON"),
        ("a.geojson", b'{"features":[{"id":{}}]}', "neither GeoJSON"),
        ("a.geojson", b"\xff\xfe", "neither GeoJSON"),
    ],
)
def test_another_file_is_refused_with_the_reason(
    name: str, content: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError, match=reason):
        list(osm_import.read(path))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        list(osm_import.read(tmp_path / "none.osm"))


CAMERA = {"man_made": "surveillance"}


@pytest.mark.parametrize(
    "odd",
    [
        {"id": "node/1", "geometry": None, "properties": CAMERA},
        {"id": "node/1", "geometry": {"type": "Point"}, "properties": CAMERA},
        {"id": "node/1", "geometry": {"type": "Point", "coordinates": [1]}, "properties": CAMERA},
        {
            "id": "node/x",
            "geometry": {"type": "Point", "coordinates": [1, 2]},
            "properties": CAMERA,
        },
        {"geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": CAMERA},
        {"id": "node/1", "geometry": {"type": "Point", "coordinates": [1, 2]}},
        {
            "id": "node/1",
            "geometry": {"type": "Point", "coordinates": [1, 99]},
            "properties": CAMERA,
        },
        {"id": 1, "geometry": {"type": "Point", "coordinates": [True, 2]}, "properties": CAMERA},
    ],
)
def test_features_that_are_no_nodes_are_passed_over(odd: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    good = {
        "id": "n7",
        "geometry": {"type": "Point", "coordinates": [1, 2]},
        "properties": {"tags": CAMERA},
    }
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [odd, good]}))
    assert [k.ref for k in osm_import.read(path)] == ["node/7"]


@pytest.mark.parametrize(
    "node",
    [
        '<node id="-4" lat="1" lon="2">{}</node>',
        '<node id="4" lat="1">{}</node>',
        '<node id="4" lat="nan" lon="2">{}</node>',
        '<node id="4" lat="1" lon="2" visible="false">{}</node>',
        '<way id="4">{}</way>',
    ],
)
def test_new_deleted_and_placeless_nodes_are_passed_over(node: str, tmp_path: Path) -> None:
    path = tmp_path / "a.osm"
    tag = '<tag k="man_made" v="surveillance"/>'
    path.write_text(
        f'<osm version="0.6">{node.format(tag)}<node id="5" lat="1" lon="2">{tag}</node></osm>'
    )
    assert [k.ref for k in osm_import.read(path)] == ["node/5"]


# --- linking -------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path / "hub.sqlite3")) as opened:
        yield opened


def known(number: int, place: Place, **tags: str) -> Known:
    lat_deg, lon_deg = ORIGIN.geodetic_from_enu(*place)
    return Known(ref=f"node/{number}", lat_deg=lat_deg, lon_deg=lon_deg, tags={**CAMERA, **tags})


def test_known_cameras_are_kept_and_linked(store: Store) -> None:
    put(store, [feature("a", (0, 0)), feature("b", (60, 0)), feature("c", (5000, 6000))])
    counts = osm_known.take_in(store, "x", [known(1, (3, 3)), known(2, (5003, 6000))])
    assert counts == (2, 2)
    assert store.links() == {"a": "node/1", "c": "node/2"}


def test_a_node_that_is_twice_in_a_file_counts_once(store: Store) -> None:
    put(store, [feature("a", (0, 0)), feature("b", (10, 0))])
    assert osm_known.take_in(store, "x", [known(1, (5, 0)), known(1, (5, 0))]) == (1, 1)


def test_a_later_import_takes_the_place_of_the_first(store: Store) -> None:
    put(store, [feature("a", (0, 0)), feature("b", (60, 0))])
    osm_known.take_in(store, "x", [known(1, (3, 3)), known(2, (60, 3))])
    assert osm_known.take_in(store, "x", [known(1, (57, 3))]) == (1, 1)
    assert store.links() == {"b": "node/1"}


def test_a_second_source_leaves_the_first_alone(store: Store) -> None:
    put(store, [feature("a", (0, 0)), feature("b", (5000, 0))])
    osm_known.take_in(store, "x", [known(1, (3, 3))])
    osm_known.take_in(store, "y", [known(2, (5003, 3))])
    assert store.links() == {"a": "node/1", "b": "node/2"}


def test_rejected_cameras_are_linked_with_nothing(store: Store) -> None:
    put(store, [feature("a", (0, 0), status="rejected"), feature("b", (8, 0), status="candidate")])
    osm_known.take_in(store, "x", [known(1, (1, 0))])
    assert store.links() == {"b": "node/1"}


def test_a_file_that_breaks_off_changes_nothing(store: Store, tmp_path: Path) -> None:
    put(store, [feature("a", (0, 0))])
    osm_known.take_in(store, "x", [known(1, (3, 3))])
    lat, lon = ORIGIN.geodetic_from_enu(0, 0)
    path = tmp_path / "a.osm"
    node = f'<node id="2" lat="{lat}" lon="{lon}"><tag k="man_made" v="surveillance"/></node>'
    path.write_text(f"<osm>{node * 1000}<node")
    with pytest.raises(UsageError):
        osm_known.take_in(store, "x", osm_import.read(path))
    assert store.links() == {"a": "node/1"}
    assert [k.ref for k in store.known_in((-180, -90, 180, 90))] == ["node/1"]


def test_cameras_at_the_edge_of_a_block_are_linked_across_it(store: Store) -> None:
    """Two neighbours of one known camera, in different blocks: only the nearer is it."""
    west, south, east, north = osm_known.box_of(osm_known.block_of(*ORIGIN.geodetic_from_enu(0, 0)))
    edge_m = ORIGIN.enu_from_geodetic((south + north) / 2, east)
    put(
        store,
        [feature("in", (edge_m[0] - 1, edge_m[1])), feature("out", (edge_m[0] + 8, edge_m[1]))],
    )
    assert osm_known.take_in(store, "x", [known(1, (edge_m[0] + 7, edge_m[1]))]) == (1, 1)
    assert store.links() == {"out": "node/1"}
    assert west < east


@pytest.mark.parametrize(
    ("lat_deg", "lon_deg"), [(52.37, 4.89), (-33.9, -179.99), (0.0, 0.0), (89.0, 12.0)]
)
def test_a_block_holds_the_places_that_lie_in_it(lat_deg: float, lon_deg: float) -> None:
    west, south, east, north = osm_known.box_of(osm_known.block_of(lat_deg, lon_deg))
    assert west <= lon_deg < east
    assert south <= lat_deg < north
    assert east - west == pytest.approx(360 / 2**13)
