"""The whole web API, asked by its own description, on a hub that runs: schemathesis.

Requests that fit ``/api/openapi.json`` and requests that do not, one after the other and in chains:
none may make the hub fail, and every answer is of the status, type and form that was described.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scanner.hub import keys
from scanner.hub.features import Policy
from scanner.hub.ingest import Ingest
from scanner.hub.reviewers import Reviewers
from scanner.hub.service import DATABASE, Hub, Options
from scanner.hub.stores import open_store
from scanner.sealing import seal
from tests.helpers.broker import Mosquitto
from tests.helpers.postgres import cluster
from tests.helpers.reports import entry, record
from tests.helpers.waiting import until

ROOT = Path(__file__).parents[2]
PASSPHRASE = "four words of some length"  # noqa: S105
TODAY = int(time.time() // 86_400)
ENDLESS = "/api/changes"  # a stream: tests/adapters/test_api.py reads it
LEAVING = "/api/review/logout"  # would end the session of all that follows
# Of these no schema can say all: a box has its south below its north, a way has two points, this
# map gave the revision.
CHOOSY = "^/api/(changes.json|cameras.geojson|statistics|exposure|review/(actions|undo|login))$"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with cameras, some confirmed and some that wait, and a reviewer."""
    folder = tmp_path_factory.mktemp("hub")
    data = folder / "data"
    Reviewers(data).add("ana", PASSPHRASE)
    key = keys.load_or_create(data)
    passes = [record([entry((100 * i, 0))], day=TODAY) for i in range(12) for _ in range(2 + i % 2)]
    with cluster().database() as url:
        where = data / DATABASE if request.param == "sqlite" else url
        store = open_store(where)
        Ingest(store, key, time.time).take([seal(p, key.public_key) for p in passes])
        store.close()
        with Mosquitto(folder / "broker") as broker:
            options = Options(
                data=data, mqtt=broker.settings, port=0, database=where,
                policy=Policy(reports=3), behind_proxy=True,
            )  # fmt: skip
            with Hub(options) as running:
                until(lambda: running.health().ok and len(confirmed(running)) == 6)
                yield running


def confirmed(hub: Hub) -> list[object]:
    found = httpx.get(f"{hub.url}/api/cameras.geojson").json()["features"]
    assert isinstance(found, list)
    return found


@pytest.fixture(scope="module")
def session(hub: Hub) -> str:
    """The secret of a reviewer's session."""
    answer = httpx.post(
        f"{hub.url}/api/review/login",
        json={"name": "ana", "passphrase": PASSPHRASE},
        headers={"X-Review": "1", "X-Forwarded-For": "192.0.2.1"},
    )
    return answer.cookies["session"]


def schemathesis(hub: Hub, session: str, folder: Path, *options: str) -> tuple[int, str]:
    """What the program says, and how it ends."""
    config = folder / "schemathesis.toml"
    config.write_text(
        f'[auth.openapi.reviewer]\napi_key = "{session}"\n\n'
        f'[[operations]]\ninclude-path-regex = "{CHOOSY}"\n'
        "checks.positive_data_acceptance.enabled = false\n"
    )
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "--config-file", config,
            "run", f"{hub.url}/api/openapi.json", "--seed", "1", "--no-color",
            "--exclude-path", ENDLESS, "--exclude-path", LEAVING, "--continue-on-failure",
            "--request-timeout", "60", "--warnings", "off", *options,
        ],
        cwd=folder,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.helpers.schema_hooks", "PYTHONPATH": ROOT},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=290,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    "options",
    [
        ("--phases", "examples,coverage"),
        ("--phases", "fuzzing,stateful", "--max-examples", "5"),
    ],
    ids=["bounds", "chance"],
)
def test_every_answer_is_as_described_and_none_is_a_failure(
    hub: Hub, session: str, tmp_path: Path, options: tuple[str, ...]
) -> None:
    code, said = schemathesis(hub, session, tmp_path, *options)
    assert code == 0, said
    assert "Tested: " in said
    assert hub.health().ok


def test_a_stranger_to_the_reviewers_side_is_told_so(hub: Hub, tmp_path: Path) -> None:
    """Without a session everything there but logging in is closed: the check would see 200."""
    code, said = schemathesis(
        hub, "none", tmp_path, "--phases", "coverage", "--include-path-regex", "/api/review/",
    )  # fmt: skip
    assert code == 0, said
    assert hub.health().ok


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/cameras.geojson?bbox=999,0,-999,1", 400),
        ("/api/statistics?bbox=181,0,-181,1", 400),
        ("/api/statistics?bbox=1_0,0,11,1", 400),
        ("/api/statistics?bbox=nan,0,11,1", 400),
        (f"/api/changes.json?since={'9' * 5000}", 400),
        (f"/api/tiles/{'9' * 5000}/0/0.mvt", 404),
        (f"/api/tiles/0/0/{'9' * 40}.mvt", 404),
        ("/api/camera/%00", 404),
        ("/api/camera/%ff%fe", 404),
        (f"/api/camera/{'a' * 30_000}", 404),
    ],
)
def test_what_was_found_stays_refused(hub: Hub, path: str, code: int) -> None:
    answer = httpx.get(hub.url + path)
    assert answer.status_code == code
    assert set(answer.json()) <= {"error", "hint"}


@pytest.mark.parametrize("number", [0, -1, 2**53 + 1, 2**63, 2**70, 10**4000])
def test_no_number_of_a_line_is_too_large(hub: Hub, session: str, number: int) -> None:
    answer = httpx.post(
        f"{hub.url}/api/review/undo",
        content=f'{{"number":{number}}}',
        headers={"X-Review": "1", "Cookie": f"session={session}"},
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("text", ["\0", "\ud800", "\uffff", "a\0b", "x" * 60_000])
@pytest.mark.parametrize("field", ["camera_id", "with", "verb"])
def test_no_text_of_a_decision_is_too_strange(
    hub: Hub, session: str, field: str, text: str
) -> None:
    wanted = {"verb": "merge", "camera_id": "x"} | {field: text}
    answer = httpx.post(
        f"{hub.url}/api/review/actions",
        content=json.dumps(wanted),  # which spells out half a character, too
        headers={"X-Review": "1", "Cookie": f"session={session}"},
    )
    assert answer.status_code == 400
