"""The emulated machine's first start and walk, once for all tests of a run that want it."""

import base64
import os
import re
import time
from pathlib import Path
from typing import Final

import msgspec
import pytest
from nacl.public import PrivateKey

from tests.firmware.cuts import PATIENCE_S, UP, Cut, gather, share
from tests.firmware.machine import Card, free_port, inserted, listening, running

ROOT: Final = Path(__file__).parents[2]
RATE: Final = 5  # tiles per second of the walk: what an emulated processor gets through
ENDED: Final = re.compile(r"(\d+) records kept")


class Walked(msgspec.Struct, frozen=True):
    """What became of a card that walked: first with no broker to send to, then with one."""

    full: Card  # as a power cut at the end of the walk left it
    after: Card  # when all was sent
    cuts: list[Cut]
    records: list[bytes]
    counted: int  # records that the walk says it has kept
    key: PrivateKey
    settings: bytes
    port: int
    said: str
    took_s: float


def image() -> Path:
    """The newest one, or that which IMAGE names; unpacked."""
    named = os.environ.get("IMAGE")
    found = [Path(named)] if named else sorted((ROOT / "dist").glob("scanner-qemu-*/*.img"))
    assert found, "no image: make image-qemu"
    return max(found, key=lambda path: path.stat().st_mtime)


def phase_of(said: str) -> str:
    """Of the first start and the walk."""
    if ENDED.search(said):
        return "end"
    return "walk" if UP in said else "first start"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the cards of a run lie."""
    return tmp_path_factory.mktemp("cards")


@pytest.fixture(scope="session")
def walked(folder: Path) -> Walked:
    """The image put on a card, started, walked to the end; cut at many instants on the way."""
    key, port = PrivateKey.generate(), free_port()
    hub = base64.b64encode(bytes(key.public_key)).decode()
    settings = (
        f'[privacy]\nprofile = "open"\nhub_key = "{hub}"\n'
        f'[mqtt]\nhost = "10.0.2.2"\nport = {port}\n'
        f"[detector]\ninferences_per_s = {RATE}\n"
    ).encode()
    card = inserted(image(), folder)
    card.put("scanner.toml", settings)
    card.talkative()
    began_s = time.monotonic()
    card = card.on_top(folder / "walking.qcow2")
    with running(card, folder / "console.txt") as machine:
        wanted = {phase: share(phase) for phase in ("first start", "walk")}
        cuts = gather(machine, folder, phase_of, wanted)
        full = machine.as_if_cut(folder / "full.qcow2")
        counted = int(ENDED.findall(machine.said())[0])
        with listening(folder, port) as broker:
            machine.until(lambda: len(broker.ids()) >= counted, PATIENCE_S)
            records = broker.records()
        said = machine.said()
    took_s = time.monotonic() - began_s
    return Walked(full, card, cuts, records, counted, key, settings, port, said, took_s)
