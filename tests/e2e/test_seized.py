"""A seized device: a card pulled in mid-walk, the memory of a relay at work."""

import base64
import os
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from nacl.public import PrivateKey

from scanner.core.wire import geohash
from scanner.storage.outbox import Outbox
from tests.helpers import street
from tests.helpers.broker import Mosquitto
from tests.helpers.forms import by_chance, every_form, forms_of, hits
from tests.helpers.proxy import HoldingProxy
from tests.helpers.sealed import sealed
from tests.helpers.soak import hub_session
from tests.helpers.waiting import until

ROOT = Path(__file__).parents[2]
PUBACK = 0x40
LAT_E7, LON_E7 = 557_512_443, 376_184_231
RECORDS = 3
Process = subprocess.Popen[bytes]


def assert_nothing_is_told(contents: dict[str, bytes], forms: set[bytes]) -> None:
    assert hits(contents, forms) == []
    found, expected = by_chance(contents, forms)
    assert found <= 2 + 5 * expected


def test_a_card_pulled_in_mid_walk_tells_nothing(tmp_path: Path) -> None:
    key = base64.b64encode(bytes(PrivateKey.generate().public_key)).decode()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.street", tmp_path / "data", key],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout
    for line in process.stdout:
        if "found" in line:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    contents = {p.name: p.read_bytes() for p in (tmp_path / "data").iterdir()}
    assert {"outbox.sqlite3", "outbox.sqlite3-wal", "known.bin"} <= set(contents)
    assert_nothing_is_told(contents, forms_of(street.places()))
    with closing(Outbox(tmp_path / "data")) as store:
        assert store.waiting()


def memory_of(pid: int) -> dict[str, bytes]:
    """What a process has written or could have: every private region that can be read."""
    regions = {}
    maps = Path(f"/proc/{pid}/maps").read_text()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end, name in re.findall(r"(?m)^(\w+)-(\w+) rw.. \S+ \S+ \S+ *(.*)$", maps):
            first, last = int(start, 16), int(end, 16)
            memory.seek(first)
            parts = []
            while first < last:
                try:
                    parts.append(memory.read(min(last - first, 1 << 20)))
                except OSError:
                    break
                first += len(parts[-1])
            regions[f"{start} {name}"] = b"".join(parts)
    return regions


@pytest.fixture
def relay_at_work(tmp_path: Path) -> Iterator[tuple[Process, list[bytes]]]:
    """A relay that waits for the answer to its first record, and that record."""
    key = PrivateKey.generate()
    with closing(Outbox(tmp_path / "device")) as store:
        for number in range(RECORDS):
            store.add(sealed(number, key.public_key, lat_e7=LAT_E7, lon_e7=LON_E7))
        payloads = [r.payload for r in store.waiting()]
    config = tmp_path / "scanner.toml"
    config.write_text('[privacy]\nprofile = "open"\n')
    with Mosquitto(tmp_path / "broker") as broker, hub_session(broker, key, tmp_path / "h") as hub:
        proxy = HoldingProxy(broker.port, hold=lambda data: data[0] == PUBACK)
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "scanner",
                "relay",
                "--config",
                config,
                "--data",
                tmp_path / "device",
                "--broker",
                f"127.0.0.1:{proxy.port}",
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            until(lambda: hub.delivered)
            yield process, payloads
        finally:
            process.kill()
            process.wait()
            proxy.close()


def test_the_memory_of_a_relay_at_work_tells_nothing(
    relay_at_work: tuple[Process, list[bytes]],
) -> None:
    process, payloads = relay_at_work
    regions = memory_of(process.pid)
    assert sum(map(len, regions.values())) > 5_000_000
    # The search sees what is there: records that are being sent, sealed.
    assert any(payload in content for payload in payloads for content in regions.values())
    places = [(LAT_E7 / 1e7, (LON_E7 + n * 20_000) / 1e7) for n in range(RECORDS)]
    forms = forms_of(places) - forms_of([])  # libraries speak of picture formats
    forms |= {b"\xd2" + struct.pack(">i", LON_E7 + n * 20_000) for n in range(RECORDS)}  # msgpack
    assert_nothing_is_told(regions, forms)


def test_the_search_finds_a_careless_device() -> None:
    """The checks above must be able to fail."""
    lat, lon = LAT_E7 / 1e7, LON_E7 / 1e7
    for careless in (
        f"lat={lat:.6f}".encode(), f"{lon:.5f}".encode(), struct.pack("<d", lat),
        struct.pack(">d", lon), struct.pack("<q", LAT_E7), struct.pack(">q", LON_E7),
        b"$GNGGA,120000.00,5545.0747,N,03737.1054,E,1", geohash(lat, lon).encode(),
        b"\x00\xff\xd8\xff\xe0",
    ):  # fmt: skip
        assert hits({"file": careless}, forms_of([(lat, lon)]))
    for careless in (struct.pack("<i", LAT_E7), struct.pack(">f", lon)):
        assert any(form in careless for form in every_form(lat) | every_form(lon))
