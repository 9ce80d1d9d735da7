"""The public web API over a real server and a real store."""

import gzip
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import mapbox_vector_tile
import msgspec
import pytest
from jsonschema import Draft202012Validator
from starlette.routing import Mount, Route

from scanner.core.wire import Cell
from scanner.errors import UsageError
from scanner.hub import openapi, review_api
from scanner.hub.api import Api, Health, PageSettings
from scanner.hub.api_guard import Limiter, Rate
from scanner.hub.api_reader import MapReader
from scanner.hub.feed import Feed
from scanner.hub.stores import Store, open_store
from scanner.records import Kind
from tests.helpers.web import placed, put, served, tile_at

ROOT = Path(__file__).parents[2]
LAT, LON = 52.3702, 4.8952
CAMERAS = [
    placed("one", LAT, LON, Kind.BULLET, direction_deg=180, first="2026-09", last="2026-11"),
    placed("two", LAT + 0.001, LON, Kind.DOME, first="2026-10", last="2026-10"),
    placed("far", 60.0, 25.0, Kind.PTZ, first="2026-10", last="2026-11"),
    placed("gone", LAT, LON + 0.001, Kind.DOME, status="gone"),
    placed("secret", LAT, LON, Kind.ALPR, status="candidate"),
    placed("never", LAT, LON, Kind.ALPR, status="rejected"),
]
BOX = f"{LON - 0.002},{LAT - 0.002},{LON + 0.002},{LAT + 0.002}"
MARKER = (52.370_123_4, 4.895_432_1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "hub.sqlite3")
    put(opened, CAMERAS)
    yield opened
    opened.close()


@pytest.fixture
def url(store: Store) -> Iterator[str]:
    with served(store) as address:
        yield address


def ids(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 200
    return {f.id for f in msgspec.json.decode(answer.content, type=Cell).features}


def tile_path(z: int, lat: float = LAT, lon: float = LON) -> str:
    x, y = tile_at(z, lat, lon)
    return f"/api/tiles/{z}/{int(x)}/{int(y)}.mvt"


def layers(answer: httpx.Response) -> dict[str, list[dict[str, object]]]:
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    decoded = mapbox_vector_tile.decode(answer.content)
    return {name: [f["properties"] for f in layer["features"]] for name, layer in decoded.items()}


# --- cameras -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "found"),
    [
        (BOX, {"one", "two", "gone"}),
        ("24,59,26,61", {"far"}),
        ("0,50,30,62", {"one", "two", "gone", "far"}),
        ("170,-20,-170,-10", set()),
        ("20,-80,10,80", {"one", "two", "gone", "far"}),  # all but ten degrees
        ("20,-80,4,80", {"far"}),
        (None, {"one", "two", "gone", "far"}),
    ],
)
def test_cameras_of_a_box_and_no_candidate_ever(url: str, box: str | None, found: set[str]) -> None:
    answer = httpx.get(f"{url}/api/cameras.geojson", params={"bbox": box} if box else {})
    assert ids(answer) == found
    assert answer.json()["licence"] == "ODbL-1.0"
    assert answer.json()["notice"] == "No record is not no camera."


def test_more_cameras_than_are_read_at_once_all_come(store: Store, url: str) -> None:
    put(store, [placed(f"x{i:05}", 10 + i / 1e4, 10) for i in range(4100)])
    assert len(ids(httpx.get(f"{url}/api/cameras.geojson"))) == 4104
    wide = httpx.get(f"{url}/api/cameras.geojson", params={"bbox": "9,9,11,12"})
    assert len(ids(wide)) == 4100


def test_one_camera_by_its_id(url: str) -> None:
    camera = httpx.get(f"{url}/api/camera/one").json()
    assert (camera["id"], camera["properties"]["direction_deg"]) == ("one", 180.0)
    assert httpx.get(f"{url}/api/camera/gone").json()["properties"]["status"] == "gone"


@pytest.mark.parametrize("camera_id", ["secret", "never", "nobody", "%00", "..%2f.."])
def test_what_is_not_public_is_not_there(url: str, camera_id: str) -> None:
    answer = httpx.get(f"{url}/api/camera/{camera_id}")
    assert answer.status_code == 404
    assert "error" in answer.json()


# --- tiles ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("z", [13, 14, 16])
def test_a_tile_near_by_holds_the_confirmed_cameras(url: str, z: int) -> None:
    found = layers(httpx.get(url + tile_path(z)))["cameras"]
    by_id = {str(p["id"]): p for p in found}
    assert {"one"} <= by_id.keys() <= {"one", "two"}
    one = by_id["one"]
    assert one["kind"] == "bullet"
    assert (one["direction"], one["month"], one["reports"]) == (180, "2026-11", "3-5")
    assert one["sigma_dm"] == 20
    assert one["radius_dm"] == pytest.approx(20 / 0.6106, abs=1)  # over the cosine of 52.37


@pytest.mark.parametrize("z", [0, 5, 12])
def test_a_tile_far_out_holds_counts(url: str, z: int) -> None:
    found = layers(httpx.get(url + tile_path(z)))["clusters"]
    here = [p for p in found if p.get("bullet")]
    assert here == [{"n": 2, "bullet": 1, "dome": 1}]


def test_a_tile_without_cameras_is_empty_and_no_error(url: str) -> None:
    for z in (3, 14):
        answer = httpx.get(url + tile_path(z, -40, -120))
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["etag"]


@pytest.mark.parametrize("path", ["17/0/0", "3/8/0", "0/0/1", "13/99999999999999999999/0"])
def test_a_tile_that_cannot_be_is_not_found(url: str, path: str) -> None:
    answer = httpx.get(f"{url}/api/tiles/{path}.mvt")
    assert answer.status_code == 404
    assert "error" in answer.json()


def test_a_tile_is_sent_again_only_if_its_own_cameras_changed(store: Store, url: str) -> None:
    path = url + tile_path(14)
    known = {"If-None-Match": httpx.get(path).headers["etag"]}
    assert httpx.get(path, headers=known).status_code == 304
    put(store, [placed("elsewhere", -30, 20)])
    assert httpx.get(path, headers=known).status_code == 304
    put(store, [placed("here", LAT, LON + 0.0001)])
    again = httpx.get(path, headers=known)
    assert again.status_code == 200
    assert "here" in {p["id"] for p in layers(again)["cameras"]}
    put(store, [], old=["here"])
    assert httpx.get(path, headers=known).status_code == 304


# --- kept answers, notices, errors ---------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/cameras.geojson", "/api/camera/one", "/api/statistics"])
def test_an_answer_is_sent_again_only_when_the_map_changed(
    store: Store, url: str, path: str
) -> None:
    first = httpx.get(url + path)
    known = {"If-None-Match": f'"other", {first.headers["etag"]}'}
    second = httpx.get(url + path, headers=known)
    assert (second.status_code, second.content) == (304, b"")
    put(store, [placed("one", LAT, LON, Kind.PTZ)], old=["one"])
    assert httpx.get(url + path, headers=known).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/api/cameras.geojson", "/api/camera/one", "/api/tiles/0/0/0.mvt", "/api/statistics",
     "/api/changes.json", "/api/openapi.json", "/api/camera/nobody", "/api/status"],
)  # fmt: skip
def test_every_answer_names_the_licence(url: str, path: str) -> None:
    answer = httpx.get(url + path)
    assert 'opendatacommons.org/licenses/odbl/1-0/>; rel="license"' in answer.headers["link"]
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/cameras.geojson?bbox=1,2,3", 400),
        ("/api/statistics?bbox=a,b,c,d", 400),
        ("/api/changes.json?since=x", 400),
        ("/api/changes.json?limit=0", 400),
        ("/api/changes.json?since=nan", 400),
        ("/api/exposure", 405),
        ("/api/nothing", 404),
        ("/page/../../service.py", 404),
    ],
)
def test_errors_are_one_line_of_json(url: str, path: str, code: int) -> None:
    answer = httpx.get(url + path)
    assert answer.status_code == code
    assert answer.text.count("\n") == 0
    assert set(answer.json()) <= {"error", "hint"}


# --- changes, statistics -------------------------------------------------------------------------


def test_changes_since_a_revision(store: Store, url: str) -> None:
    start = httpx.get(f"{url}/api/page.json").json()["revision"]
    put(store, [placed("new", LAT, LON)])
    put(store, [], old=["far"])
    news = httpx.get(f"{url}/api/changes.json", params={"since": start}).json()
    assert [(c["change"], c["id"]) for c in news["changes"]] == [
        ("added", "new"),
        ("removed", "far"),
    ]
    assert news["changes"][0]["camera"]["properties"]["kind"] == "dome"
    assert not news["more"]
    again = httpx.get(f"{url}/api/changes.json", params={"since": news["until"]}).json()
    assert (again["changes"], again["until"]) == ([], news["until"])
    one = httpx.get(f"{url}/api/changes.json", params={"since": start, "limit": 1}).json()
    assert (len(one["changes"]), one["more"]) == (1, True)
    # Of a map that has been put back since: its next changes have numbers that were given before.
    later = httpx.get(f"{url}/api/changes.json", params={"since": news["until"] + 1})
    assert later.status_code == 410


def test_changes_do_not_tell_where_a_camera_was_that_left_the_map(store: Store, url: str) -> None:
    put(store, [placed("home", LAT + 0.01, LON + 0.01)])
    where = str(round(LAT + 0.01, 6))
    assert where in httpx.get(f"{url}/api/changes.json").text
    put(store, [], old=["home"])
    told = httpx.get(f"{url}/api/changes.json")
    assert where not in told.text
    last = told.json()["changes"][-1]
    assert (last["change"], last["id"], last["camera"]) == ("removed", "home", None)


def test_statistics_of_the_whole_and_of_an_area(url: str) -> None:
    whole = httpx.get(f"{url}/api/statistics").json()
    assert whole["cameras"] == 3
    assert whole["kinds"] == {"bullet": 1, "dome": 1, "ptz": 1}
    assert whole["first_seen"] == {"2026-09": {"bullet": 1}, "2026-10": {"dome": 1, "ptz": 1}}
    area = httpx.get(f"{url}/api/statistics", params={"bbox": BOX}).json()
    assert area["cameras"] == 2
    # 0.004 by 0.004 degrees at 52.37 north
    assert area["area_km2"] == pytest.approx(0.4448 * 0.4448 * 0.6106, rel=0.01)


def test_an_area_of_too_many_is_refused_and_the_whole_is_not(store: Store) -> None:
    west, south, east, north = map(float, BOX.split(","))
    assert MapReader(store, counted=2).statistics((west, south, east, north)).cameras == 2
    reader = MapReader(store, counted=1)
    with pytest.raises(UsageError, match="more than 1 cameras in this area"):
        reader.statistics((west, south, east, north))
    assert reader.statistics(None).cameras == 3


# --- exposure ------------------------------------------------------------------------------------


def gpx(*points: tuple[float, float], head: str = "") -> bytes:
    inner = "".join(f'<trkpt lat="{lat}" lon="{lon}"><time>x</time></trkpt>' for lat, lon in points)
    return (
        f'<?xml version="1.0"?>{head}<gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1">'
        f"<trk><trkseg>{inner}</trkseg></trk></gpx>"
    ).encode()


def test_exposure_of_a_way(url: str) -> None:
    way = gpx((LAT - 0.0001, LON - 0.001), (LAT - 0.0001, LON + 0.001))
    found = httpx.post(f"{url}/api/exposure", content=way).json()
    assert found["length_m"] == pytest.approx(136.2, abs=0.5)
    # 11 m south of the camera, which looks south, 90 degrees wide, 2 m of doubt
    assert found["seen_m"] == pytest.approx(2 * 11.1 + 2 * 2 * 2**0.5, abs=0.5)
    (camera,) = found["cameras"]["features"]
    assert (camera["id"], camera["properties"]["kind"]) == ("one", "bullet")
    assert [p["properties"]["cameras"] for p in found["way"]["features"]] == [0, 1, 0]
    assert found["kept"] == "nothing"
    assert found["notice"] == "No record is not no camera."
    wider = httpx.post(f"{url}/api/exposure?cone_deg=180", content=way).json()
    assert wider["seen_m"] > found["seen_m"]


def test_a_way_is_neither_stored_nor_logged(
    tmp_path: Path, store: Store, url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before = store.version()
    answer = httpx.post(f"{url}/api/exposure", content=gpx(MARKER, (MARKER[0] + 0.01, MARKER[1])))
    assert answer.status_code == 200
    assert store.version() == before
    marks = [str(MARKER[0]).encode(), str(MARKER[1]).encode()]
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert files
    assert not [p for p in files if any(mark in p.read_bytes() for mark in marks)]
    assert str(MARKER[0]) not in "".join(capfd.readouterr())


BOMB = '<!DOCTYPE gpx [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not a GPX file"),
        (b"\xff\xfe<", "not a GPX file"),
        (b"{}", "not a GPX file"),
        (b"<gpx/>", "no track"),
        (b'<?xml version="1.0" encoding="foo"?><gpx/>', "not a GPX file"),
        (b'<?xml version="1.0" encoding="big5"?><gpx/>', "not a GPX file"),
        (b'<?xml version="1.0" encoding="hex"?><gpx/>', "not a GPX file"),
        (b'<?xml version="1.0" encoding="utf-7"?><gpx/>', "not a GPX file"),
        (gpx((1, 2)), "no track"),
        (gpx((1, 2), (1, 999)), "Earth"),
        (gpx((1, 2), (float("nan"), 3)), "Earth"),
        (gpx((1, 2), (11, 2)), "longer than 500 km"),
        (b"<gpx><trkseg><trkpt lat='1'/></trkseg></gpx>", "no latitude"),
        (gpx((1, 2), (1, 2.001), head=BOMB), "document type"),
        (gpx((1, 2), (1, 2.001), head=BOMB).decode().encode("utf-16"), "document type"),
        (gpx((1, 2), (1, 2.001), head='<!DOCTYPE g SYSTEM "file:///etc/passwd">'), "document type"),
        (gpx(*[(1, 2)] * 20_001), "more than 20000 points"),
    ],
    ids=range(17),
)
def test_what_is_no_way_is_refused_in_words(url: str, body: bytes, words: str) -> None:
    answer = httpx.post(f"{url}/api/exposure", content=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


def test_a_body_without_end_is_cut_off(url: str) -> None:
    answer = httpx.post(f"{url}/api/exposure", content=b" " * 5_000_001)
    assert answer.status_code == 413


@pytest.mark.parametrize("query", ["reach_m=4", "reach_m=201", "reach_m=nan", "cone_deg=181"])
def test_a_sight_out_of_reason_is_refused(url: str, query: str) -> None:
    way = gpx((LAT, LON), (LAT, LON + 0.001))
    assert httpx.post(f"{url}/api/exposure?{query}", content=way).status_code == 400


# --- how it may be asked -------------------------------------------------------------------------


def test_a_body_without_a_length_is_refused_before_it_is_read(store: Store) -> None:
    with served(store) as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), timeout=10) as line:
            line.sendall(
                b"POST /api/exposure HTTP/1.1\r\nHost: page\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"1\r\na\r\n"
            )
            answer = b"".join(iter(lambda: line.recv(4096), b""))  # until it hangs up
    assert answer.startswith(b"HTTP/1.1 411 ")
    assert b'"error":"the body has no length"' in answer


# --- how often one may ask -----------------------------------------------------------------------

TWO = [Rate("/api/camera/", 2, 0.001), Rate("/api/", 100, 10)]


def test_who_asks_too_often_is_told_when_to_come_back(store: Store) -> None:
    with served(store, limiter=Limiter(TWO)) as url:
        codes = [httpx.get(f"{url}/api/camera/one").status_code for _ in range(3)]
        assert codes == [200, 200, 429]
        refused = httpx.get(f"{url}/api/camera/one")
        assert int(refused.headers["retry-after"]) > 100
        assert refused.json()["error"] == "too many questions at once"
        assert httpx.get(f"{url}/api/statistics").status_code == 200  # has a rate of its own
        assert httpx.get(url).status_code == 200


@pytest.mark.parametrize(
    ("behind_proxy", "codes"), [(True, [200] * 4), (False, [200, 200, 429, 429])]
)
def test_forwarded_addresses_count_only_when_told(
    store: Store, *, behind_proxy: bool, codes: list[int]
) -> None:
    with served(store, limiter=Limiter(TWO), behind_proxy=behind_proxy) as url:
        found = [
            httpx.get(f"{url}/api/camera/one", headers={"X-Forwarded-For": f"9.9.9.9, 10.0.0.{i}"})
            for i in range(4)
        ]
        assert [answer.status_code for answer in found] == codes


def test_behind_a_proxy_an_invented_address_does_not_help(store: Store) -> None:
    with served(store, limiter=Limiter(TWO), behind_proxy=True) as url:
        found = [
            httpx.get(f"{url}/api/camera/one", headers={"X-Forwarded-For": f"10.0.0.{i}, 9.9.9.9"})
            for i in range(3)
        ]
        assert [answer.status_code for answer in found] == [200, 200, 429]


def test_tokens_come_back_with_time_and_memory_is_bounded() -> None:
    now = 0.0
    limiter = Limiter([Rate("/", 2, 0.5)], lambda: now)
    assert [limiter.wait_s("a", "/") for _ in range(3)] == [0, 0, 2.0]
    now = 2.0
    assert [limiter.wait_s("a", "/") for _ in range(2)] == [0, 2.0]
    assert limiter.wait_s("b", "/") == 0
    for i in range(20_000):
        limiter.wait_s(str(i), "/")
    assert len(limiter._buckets) <= 10_000


# --- the page's files, the basemap ---------------------------------------------------------------


def test_a_pmtiles_file_is_served_in_parts(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "town.pmtiles"
    file.write_bytes(bytes(range(256)) * 100)
    with served(store, page=PageSettings(tiles=str(file))) as url:
        assert httpx.get(f"{url}/api/page.json").json()["tiles"] == "basemap.pmtiles"
        part = httpx.get(f"{url}/basemap.pmtiles", headers={"Range": "bytes=256-511"})
        assert (part.status_code, part.content) == (206, bytes(range(256)))
        policy = httpx.get(url).headers["content-security-policy"]
        assert "http" not in policy.replace("'self'", "")


def test_scripts_are_asked_for_again_and_other_peoples_are_kept(url: str) -> None:
    assert httpx.get(f"{url}/page/map.js").headers["cache-control"] == "no-cache"
    vendor = httpx.get(f"{url}/page/vendor/maplibre-gl-csp-worker.js")
    assert "max-age" in vendor.headers["cache-control"]


def test_the_extent_is_where_the_cameras_are(store: Store) -> None:
    reader = MapReader(store)
    put(store, [], old=["far"])
    west, south, east, north = reader.extent() or (0, 0, 0, 0)
    assert (west, east) == pytest.approx((LON, LON), abs=1e-5)
    assert (south, north) == pytest.approx((LAT, LAT + 0.001), abs=1e-5)
    put(store, [], old=["one", "two"])
    assert reader.extent() is None


# --- the description -----------------------------------------------------------------------------


def every_route() -> set[tuple[str, str]]:
    """Path and method of every route under /api/ that there can be."""
    health = Health(ok=True, broker="", store="")
    # The routes hold on to what they are given and use it only when asked.
    review = review_api.routes(None, None)  # type: ignore[arg-type]
    app = Api(None, Feed(), lambda: health, page=PageSettings(), review=review).app()  # type: ignore[arg-type]
    found: set[tuple[str, str]] = set()
    for route in app.routes:
        if isinstance(route, Mount):
            inner = [r for r in route.routes if isinstance(r, Route)]
            found |= {(route.path + r.path, m) for r in inner for m in r.methods or ()}
        elif isinstance(route, Route):
            found |= {(route.path, m) for m in route.methods or ()}
    return {
        (re.sub(r":\w+}", "}", path), method.lower())
        for path, method in found
        if path.startswith("/api/") and method != "HEAD"
    }


def test_the_description_names_every_route_and_no_other() -> None:
    paths = openapi.document()["paths"]
    described = {(path, method) for path, operations in paths.items() for method in operations}
    assert described == every_route()


def test_the_description_is_openapi_3_1(url: str) -> None:
    """By the schema of OpenAPI 3.1 (spec.openapis.org/oas/3.1/schema/2022-10-07, Apache-2.0)."""
    document = httpx.get(f"{url}/api/openapi.json").json()
    packed = (ROOT / "tests" / "golden" / "openapi-3.1.schema.json.gz").read_bytes()
    official = Draft202012Validator(json.loads(gzip.decompress(packed)))
    assert [e.message for e in official.iter_errors(document)] == []
    document["paths"]["/api/status"]["get"]["responses"]["200"].pop("description")
    assert not official.is_valid(document)
    names = [op["operationId"] for path in document["paths"].values() for op in path.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/api/cameras.geojson", "Cell"),
        ("/api/camera/one", "CameraFeature"),
        ("/api/statistics", "Statistics"),
        ("/api/changes.json", "Changes"),
        ("/api/camera/nobody", "Failure"),
        ("/api/exposure", "ExposureAnswer"),
    ],
)
def test_answers_are_of_the_described_form(url: str, path: str, schema: str) -> None:
    document = openapi.document()
    way = gpx((LAT, LON), (LAT, LON + 0.001))
    post = path == "/api/exposure"
    answer = httpx.post(url + path, content=way) if post else httpx.get(url + path)
    whole = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
    Draft202012Validator(json.loads(json.dumps(whole))).validate(answer.json())
