"""The MQTT contract: the committed files are the program's, and what they say is right."""

import gzip
import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator, ValidationError
from playwright.sync_api import Browser, sync_playwright

from scanner.core.wire import (
    PLAIN_BYTES,
    SEALED_BYTES,
    CameraFeature,
    CameraProperties,
    Cell,
    Change,
    Claims,
    Point,
    Stats,
    Topics,
    decode_record,
    encode_json,
    geohash,
)
from scanner.hub import contract
from scanner.hub.publishing import news
from scanner.hub.stores.protocol import PublicChange
from scanner.network.mqtt import NEW, Link, Message, open_link
from scanner.records import Kind
from tests.helpers.broker import Mosquitto
from tests.helpers.contract import FOLDER, check, closed

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "dashboard.md").read_text()
DOCUMENT = json.loads((FOLDER / "asyncapi.json").read_text())
FEATURE = CameraFeature(
    id="0011223344",
    geometry=Point((4.8952, 52.3702)),
    properties=CameraProperties(
        kind=Kind.DOME,
        sigma_m=1.2,
        status="confirmed",
        basis=Claims(present="reports", kind="reports"),
        confirmations="2",
        first_seen="2026-10",
        last_seen="2026-11",
        tags={"man_made": "surveillance"},
        height_m=3.1,
    ),
)


def test_the_committed_files_are_what_the_program_makes() -> None:
    made = contract.documents()
    there = {str(p.relative_to(FOLDER)): p.read_text() for p in FOLDER.rglob("*.json")}
    there.pop("node-red.json")
    assert there == made, "run: python -m scanner.hub.contract docs/mqtt"


@pytest.mark.parametrize("path", sorted((FOLDER / "schemas").iterdir()), ids=lambda p: p.name)
def test_the_schemas_are_schemas(path: Path) -> None:
    Draft202012Validator.check_schema(json.loads(path.read_text()))


def test_the_asyncapi_document_is_one() -> None:
    """By the JSON Schema of AsyncAPI 3.0.0 (npm @asyncapi/specs 6.11.1, Apache-2.0)."""
    packed = (ROOT / "tests" / "golden" / "asyncapi-3.0.0.schema.json.gz").read_bytes()
    official = Draft7Validator(json.loads(gzip.decompress(packed)))
    assert [e.message for e in official.iter_errors(DOCUMENT)] == []
    shouting = json.loads(json.dumps(DOCUMENT).replace('"receive"', '"shout"'))
    assert not official.is_valid(shouting)


def resolve(reference: str) -> object:
    """What a ``$ref`` of the document points to; KeyError if to nothing."""
    here: object = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        assert isinstance(here, dict)
        here = here[part]
    return here


def references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [r for item in value.values() for r in references(item)]
    return [r for item in value for r in references(item)] if isinstance(value, list) else []


def test_the_asyncapi_document_hangs_together() -> None:
    """References and placeholders: what a JSON Schema cannot say."""
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    found = references(DOCUMENT)
    assert len(found) > 15
    for reference in found:
        assert resolve(reference) is not None
    for channel in DOCUMENT["channels"].values():
        named = set(re.findall(r"\{(\w+)\}", channel["address"]))
        assert named == set(channel.get("parameters", {}))
        assert channel["messages"]
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert operation["channel"]["$ref"].startswith("#/channels/")
    for message in DOCUMENT["components"]["messages"].values():
        assert isinstance(resolve(message["payload"]["$ref"]), dict)
    sealed = DOCUMENT["components"]["schemas"]["SealedRecord"]
    assert sealed["minLength"] == sealed["maxLength"] == SEALED_BYTES


def test_topics_are_the_programs() -> None:
    topics = Topics()
    letters = [f"{{g{i}}}" for i in range(1, 7)]
    assert {c["address"] for c in DOCUMENT["channels"].values()} == {
        *(topics.inbox, topics.map_cell(letters), topics.changes(letters)),
        *(topics.status, topics.stats),
    }
    assert "cctv/v9/in" in json.dumps(contract.asyncapi(Topics("cctv/v9")))


def test_the_golden_record_is_of_the_published_schema() -> None:
    plain = (ROOT / "tests" / "golden" / "record_v1.bin").read_bytes()
    assert len(plain) == PLAIN_BYTES
    schema = json.loads((FOLDER / "schemas" / "record.schema.json").read_text())
    Draft202012Validator(schema).validate(json.loads(msgspec.json.encode(decode_record(plain))))


def test_no_field_slips_out_unnamed() -> None:
    good = json.loads(encode_json(Cell(features=[FEATURE])))
    check("map/u/1/7/3/z/t", json.dumps(good).encode())
    good["features"][0]["properties"]["reporter"] = "device 7"
    with pytest.raises(ValidationError, match="reporter"):
        check("map/u/1/7/3/z/t", json.dumps(good).encode())
    for payload in (b"asleep", b""):
        with pytest.raises(ValidationError):
            check("hub/status", payload)
    assert closed({"type": "object", "properties": {}})["additionalProperties"] is False


def test_a_camera_that_left_the_map_is_told_without_its_place() -> None:
    """GeoJSON's feature without a location (RFC 7946, 3.2)."""
    line = PublicChange(7, "removed", FEATURE.id, "u173zt", b"")
    told = news(line)
    check("changes/u/1/7/3/z/t", told)
    assert json.loads(told) == {
        "type": "Feature", "id": FEATURE.id, "change": "removed", "geometry": None,
        "properties": None,
    }  # fmt: skip


# --- the page -----------------------------------------------------------------------------------


def subscriptions() -> list[str]:
    lines = re.findall(r"^mosquitto_sub .*$", PAGE, re.MULTILINE)
    assert len(lines) == 2
    return lines


@pytest.mark.parametrize("line", subscriptions())
def test_the_mosquitto_sub_lines_show_the_map(line: str, tmp_path: Path) -> None:
    cell = geohash(52.3702, 4.8952)
    assert cell.startswith("u173")
    body = encode_json(Cell(features=[FEATURE]))
    with Mosquitto(tmp_path) as broker:
        link, _ = open_link(
            lambda version: Link(
                broker.settings, client_id="t", version=version, on_message=lambda _: None
            ),
            NEW,
            5,
        )
        link.send([Message(Topics().map_cell(cell), body, retain=True)], 5)
        link.close()
        command = [*shlex.split(line.replace("localhost", "127.0.0.1")), "-p", str(broker.port)]
        shown = subprocess.run(
            [*command, "-C", "1", "-W", "20"], capture_output=True, check=False, timeout=60
        )
    assert shown.stdout.strip().endswith(body), shown.stderr


def test_the_home_assistant_snippet_names_what_is_there() -> None:
    (snippet,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    settings = yaml.safe_load(snippet)["mqtt"]
    assert {name: len(entries) for name, entries in settings.items()} == {
        "sensor": 1,
        "binary_sensor": 1,
    }
    topics = set(re.findall(r'_topic: "(.*?)"', snippet))
    assert topics == {Topics().stats, Topics().status}
    fields = set(re.findall(r"value_json\.(\w+)", snippet))
    assert fields <= {f.name for f in msgspec.structs.fields(Stats)}
    words = set(re.findall(r'payload_\w+: "(.*?)"', snippet))
    assert words == set(contract.STATUS["enum"])
    assert "\t" not in snippet


def test_the_node_red_flow_is_whole() -> None:
    nodes = json.loads((FOLDER / "node-red.json").read_text())
    ids = {node["id"] for node in nodes}
    assert len(ids) == len(nodes)
    for node in nodes:
        assert {target for wire in node.get("wires", []) for target in wire} <= ids
        assert node.get("z", "cctv-tab") in ids
        assert node.get("broker", "cctv-broker") in ids or node["type"] == "mqtt-broker"
    heard = {node["topic"] for node in nodes if node["type"] == "mqtt in"}
    assert heard == {"cctv/v1/map/#", "cctv/v1/changes/#"}
    functions = [node["func"] for node in nodes if node["type"] == "function"]
    assert len(functions) == 2
    for field in re.findall(r"f\.properties\.(\w+)", " ".join(functions)):
        assert field in CameraProperties.__struct_fields__


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=sandbox)
        yield opened
        opened.close()


def test_the_functions_of_the_node_red_flow_make_points_of_messages(browser: Browser) -> None:
    nodes = {n["id"]: n for n in json.loads((FOLDER / "node-red.json").read_text())}
    page = browser.new_page()

    def returned(node: str, payload: bytes) -> object:
        call = "([code, body]) => new Function('msg', code)({payload: body && JSON.parse(body)})"
        return page.evaluate(call, [nodes[node]["func"], payload.decode()])

    place = {"name": "0011223344", "lon": 4.8952, "lat": 52.3702}
    ((point,),) = returned("cctv-points", encode_json(Cell(features=[FEATURE])))
    assert point["payload"].items() >= place.items()
    assert returned("cctv-points", b"") == [[]]
    deleted = {"name": "0011223344", "deleted": True}
    gone = msgspec.structs.replace(
        FEATURE, properties=msgspec.structs.replace(FEATURE.properties, status="gone")
    )
    assert returned("cctv-points", encode_json(Cell(features=[gone]))) == [[{"payload": deleted}]]
    for word, of, wanted in (
        ("moved", FEATURE, place),
        ("gone", gone, deleted),
        ("updated", gone, deleted),
        ("removed", FEATURE, deleted),
    ):
        change = Change(id=of.id, change=word, geometry=of.geometry, properties=of.properties)
        assert returned("cctv-change", encode_json(change))["payload"].items() >= wanted.items()
    left = news(PublicChange(7, "removed", FEATURE.id, "u173zt", b""))
    assert returned("cctv-change", left) == {"payload": deleted}
    page.close()


def test_the_page_explains_every_field() -> None:
    for field in CameraProperties.__struct_fields__:
        assert f"| `{field}`" in PAGE or f", `{field}` |" in PAGE, field
