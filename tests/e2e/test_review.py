"""A reviewer's decision, from the login on the page's side to the topics of the map."""

from pathlib import Path

import httpx

from scanner.hub.features import Policy
from scanner.hub.reviewers import Reviewers
from tests.e2e.test_hub import CELL, Reader, deliver, published, running_hub, sealed, site
from tests.helpers.broker import Mosquitto
from tests.helpers.waiting import until

PASSPHRASE = "four words of some length"  # noqa: S105


def test_what_a_reviewer_decides_reaches_page_and_topics(tmp_path: Path) -> None:
    data = tmp_path / "hub"
    Reviewers(data).add("ana", PASSPHRASE)
    with (
        Mosquitto(tmp_path / "broker") as broker,
        running_hub(data, broker.settings, policy=Policy(reports=2)) as hub,
        Reader(broker.settings) as reader,
        httpx.Client(base_url=f"{hub.url}/api/review", headers={"X-Review": "1"}) as ana,
    ):
        login = {"name": "ana", "passphrase": PASSPHRASE}
        assert ana.post("/login", json=login).status_code == 204
        deliver(broker.settings, [sealed(data, site(0))])
        until(lambda: ana.get("/queue").json()["items"])
        (item,) = ana.get("/queue").json()["items"]
        camera_id = item["feature"]["id"]
        assert published(hub).features == []

        wanted = {"verb": "confirm", "camera_id": camera_id}
        number = ana.post("/actions", json=wanted).json()["number"]
        until(lambda: [f.id for f in reader.cell(CELL).features] == [camera_id])
        (feature,) = published(hub).features
        assert (feature.id, feature.properties.basis.present) == (camera_id, "reviewer")

        ana.post("/undo", json={"number": number})
        until(lambda: reader.cell(CELL).features == [])
        assert published(hub).features == []
        assert [change.change for change in reader.changes] == ["added", "removed"]
        # Who decided is for reviewers alone.
        assert b"ana" not in b"".join(body for _, body in reader.all)


def test_without_reviewers_there_is_no_such_side(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path / "broker") as broker,
        running_hub(tmp_path / "hub", broker.settings) as hub,
    ):
        assert httpx.get(f"{hub.url}/api/review/me").status_code == 404
        assert httpx.post(f"{hub.url}/api/review/login", json={}).status_code == 404
