"""The image starts, is cut off, starts again, takes its settings, walks and delivers.

By `make test-image`; up to 40 minutes.
Emulated wholly: no part of it runs on this machine's processor. IMAGE names an unpacked image.
"""

import base64
import json
import os
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from nacl.public import PrivateKey

from scanner.sealing import unseal
from tests.firmware.machine import Broker, Card, running
from tests.helpers.forms import by_chance, forms_of, hits

ROOT: Final = Path(__file__).parents[2]
PATIENCE_S: Final = 1800.0
CUTS: Final = int(os.environ.get("CUTS", "3"))  # starts that lose their power at some instant
RATE: Final = 5  # tiles per second of the walk: what an emulated processor gets through
BLOCK: Final = 4096


def image() -> Path:
    named = os.environ.get("IMAGE")
    found = [Path(named)] if named else sorted((ROOT / "dist").glob("scanner-qemu-*/*.img"))
    assert found, "no image: make image-qemu"
    return found[-1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("image")


@pytest.fixture(scope="module")
def broker(folder: Path) -> Iterator[Broker]:
    broker = Broker(folder)
    yield broker
    broker.close()


@pytest.fixture(scope="module")
def walked(folder: Path, broker: Broker) -> tuple[Card, list[bytes], PrivateKey, str, float]:
    """A card after its first start: what it delivered, the key to it, the console, the seconds."""
    key = PrivateKey.generate()
    hub = base64.b64encode(bytes(key.public_key)).decode()
    card = Card(image(), folder)
    settings = (
        f'[privacy]\nprofile = "open"\nhub_key = "{hub}"\n'
        f'[mqtt]\nhost = "10.0.2.2"\nport = {broker.port}\n'
        f"[detector]\ninferences_per_s = {RATE}\n"
    )
    card.put("scanner.toml", settings.encode())
    chance = random.Random(CUTS)
    for number in range(CUTS):
        with running(card, folder / f"cut-{number}.txt"):
            time.sleep(chance.uniform(3, 100))
    began_s = time.monotonic()
    with running(card, folder / "console.txt") as machine:
        machine.until(lambda: len(broker.records()) >= 2, PATIENCE_S)
        took_s = time.monotonic() - began_s
        said = machine.said()
    return card, broker.records(), key, said, took_s


Walked = tuple[Card, list[bytes], PrivateKey, str, float]


def test_the_walk_is_delivered_to_a_broker_outside(walked: Walked) -> None:
    _, records, key, said, took_s = walked
    print(f"{len(records)} records after {took_s:.0f} s")
    assert len(records) >= 2, said[-6000:]
    for sealed in records:
        assert unseal(sealed, key).cameras


def test_the_settings_have_left_the_boot_partition(walked: Walked) -> None:
    names = walked[0].names()
    assert "scanner.toml" not in names
    assert "scanner-taken.txt" in names
    assert "scanner-problem.txt" not in names


def test_the_data_partition_holds_no_picture_and_no_position(walked: Walked, folder: Path) -> None:
    data = walked[0].data(folder)
    assert data, "no data partition was made"
    content = {"data partition": b"".join(written(data))}
    assert len(content["data partition"]) > BLOCK
    forms = forms_of(places())
    assert hits(content, forms) == []
    found, expected = by_chance(content, forms)
    assert found <= 2 + 5 * expected


def places() -> list[tuple[float, float]]:
    """Where the walk went and where its cameras are."""
    track = (ROOT / "scanner/demo/walk.gpx").read_text()
    walk = re.findall(r'<trkpt lat="([-0-9.]+)" lon="([-0-9.]+)"', track)
    truth = json.loads((ROOT / "scanner/demo/truth.geojson").read_text())["features"]
    cameras = [f["geometry"]["coordinates"] for f in truth]
    assert len(walk) > 10
    return [*((float(a), float(b)) for a, b in walk), *((c[1], c[0]) for c in cameras)]


def written(path: Path) -> Iterator[bytes]:
    """What is not empty of a partition."""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            if block.strip(b"\0"):
                yield block


def test_both_services_run_as_they_are_shipped(walked: Walked) -> None:
    said = walked[3]
    for name in ("watch", "relay", "firstboot", "data"):
        assert f"scanner-{name}" in said
    assert "FAILED" not in said
    assert "scanner: slot a" in said


def test_after_one_more_cut_it_starts_again(walked: Walked, folder: Path) -> None:
    with running(walked[0], folder / "again.txt") as machine:
        up = machine.until(lambda: "sealed camera records" in machine.said(), PATIENCE_S)
        assert up, machine.said()[-6000:]
