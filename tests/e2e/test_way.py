"""The whole way of the data: a scripted walk goes in, cameras stand on the map.

And the seized card: after the walk nothing in the data folder says where anything is.
"""

import io
import math
import random
import struct
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from scanner.core import privacy
from scanner.core.geometry import distance_m
from scanner.core.wire import CameraFeature, geohash
from scanner.errors import StoreError
from scanner.hub import broker as brokers
from scanner.hub.exports import source
from scanner.hub.keys import load_or_create
from scanner.hub.service import DATABASE, Hub, Options
from scanner.hub.stores import open_store
from scanner.looking import Watcher
from scanner.network.session import MqttPublisher
from scanner.pipeline import Finder, watch
from scanner.records import Kind
from scanner.relay import SENDING, Relay
from scanner.replay.standins import (
    ConsolePanel,
    MemoryStore,
    ScriptedDetector,
    ScriptedFrames,
    ScriptedPositions,
)
from scanner.reporting import Sealer
from scanner.sealing import Sealing
from scanner.storage.outbox import Outbox
from tests.helpers import walk
from tests.helpers.taken import taken_in
from tests.helpers.waiting import until
from tests.helpers.walk import LENS, Mounted

STREET = [
    Mounted(5, 14, 4.0, Kind.DOME),
    Mounted(5, 16, 4.0, Kind.BULLET),
    Mounted(-4, 24, 3.5, Kind.ALPR),
    Mounted(6, 36, 5.0, Kind.PTZ),
    Mounted(-5, 52, 4.0, Kind.DOME),
]


def walk_the_street(
    store: Outbox | MemoryStore,
    hub_data: Path,
    start_utc_s: float | None = None,
    token: Callable[[range], bytes] = lambda _: b"",
) -> Finder:
    start = time.time() - 60 if start_utc_s is None else start_utc_s
    key = load_or_create(hub_data).public_key
    finder = Finder(
        Watcher(ScriptedDetector(walk.read_colours, 320)),
        ScriptedPositions(walk.positions(walk.straight_north, start_utc_s=start)),
        LENS,
    )
    sealer = Sealer(
        store, Sealing(key, token=token), privacy.OPEN, model="t", uniform=random.Random(1).random
    )
    source = ScriptedFrames(walk.frames(walk.straight_north, 44, STREET))
    watch(source, finder, sealer, ConsolePanel(io.StringIO()))
    return finder


@pytest.mark.parametrize("kind", ["mosquitto", "iotcore"])
def test_the_map_shows_what_stands_in_the_street(tmp_path: Path, kind: brokers.KindName) -> None:
    own = brokers.start(tmp_path / "hub", kind=kind)
    access, device = own.access("hub"), own.access("scanner")
    options = Options(data=tmp_path / "hub", mqtt=access.settings, password=access.password, port=0)
    try:
        with Hub(options) as hub, closing(Outbox(tmp_path / "device")) as store:
            until(lambda: hub.health().ok)
            walk_the_street(store, tmp_path / "hub")
            relay = Relay(
                store,
                MqttPublisher(device.settings, password=device.password),
                SENDING["open"],
                now_s=time.time,
                uniform=random.Random(1).random,
            )
            sent = relay.drain()
            assert sent >= 2
            assert store.waiting() == []
            until(lambda: taken_in(tmp_path / "hub")[0] == sent)
            assert taken_in(tmp_path / "hub")[1] == 0
            until(lambda: len(on_the_map(tmp_path)) == len(STREET))
    finally:
        own.stop()
    features = on_the_map(tmp_path)
    for camera in STREET:
        lat, lon = walk.place(camera.east_m, camera.north_m)
        nearest = min(
            features,
            key=lambda f: distance_m(
                lat, lon, f.geometry.coordinates[1], f.geometry.coordinates[0]
            ),
        )
        lon_found, lat_found = nearest.geometry.coordinates
        assert distance_m(lat, lon, lat_found, lon_found) < 1.5
        assert nearest.properties.kind == camera.kind


def on_the_map(tmp_path: Path) -> list[CameraFeature]:
    with closing(open_store(tmp_path / "hub" / DATABASE)) as store:
        return list(source.cameras(store))


def every_form(value: float) -> set[bytes]:
    """A coordinate as text and as number, in the forms that files hold them."""
    forms = {f"{value:.{digits}f}".encode() for digits in (4, 5, 6, 7)}
    degrees, minutes = int(value), (value - int(value)) * 60
    forms.add(f"{degrees:02d}{minutes:07.4f}"[:8].encode())  # NMEA
    for scale in (1e5, 1e6, 1e7):
        forms |= {struct.pack(order + "i", round(value * scale)) for order in "<>"}
    forms.add(struct.pack(">q", round(value * 1e7)))
    # The first bytes of a float are those of all places within a few hundred metres.
    forms |= {struct.pack(">d", value)[:5], struct.pack("<d", value)[-5:]}
    forms |= {struct.pack(">f", value), struct.pack("<f", value)}
    return forms


def test_a_seized_card_tells_nothing(tmp_path: Path) -> None:
    with closing(Outbox(tmp_path / "device")) as store:
        finder = walk_the_street(store, tmp_path / "hub")
        assert finder.counts.records >= 2
        files = {p.name: p.read_bytes() for p in (tmp_path / "device").iterdir()}
    assert files
    forms = {b"JFIF", b"Exif", b"\x89PNG", b"\xff\xd8\xff", b"ftyp"}
    places = [walk.place(m.east_m, m.north_m) for m in STREET]
    places += [walk.place(0, n) for n in range(48)]
    for lat, lon in places:
        forms |= every_form(lat) | every_form(lon)
        forms.add(geohash(lat, lon).encode())
    # Four-byte forms can turn up by chance in random bytes; longer ones cannot.
    hits = [
        (name, form)
        for name, content in files.items()
        for form in forms
        if len(form) > 4 and form in content
    ]
    assert hits == []
    short = sum(f in c for f in forms if len(f) <= 4 for c in files.values())
    size = sum(map(len, files.values()))
    assert short <= 2 + 5 * size * len(forms) / 2**32


def test_the_search_finds_a_careless_card() -> None:
    """The check above must be able to fail."""
    lat, _ = walk.place(STREET[0].east_m, STREET[0].north_m)
    assert any(form in f"lat={lat:.6f}".encode() for form in every_form(lat))
    assert any(form in struct.pack("<d", lat) for form in every_form(lat))
    assert any(form in struct.pack("<i", round(lat * 1e7)) for form in every_form(lat))
    assert math.isclose(lat, 55.752, abs_tol=0.01)


def test_without_gnss_time_everything_is_kept_back(tmp_path: Path) -> None:
    """A clock that starts in 1970 gives no record with a wrong day."""
    store = MemoryStore()
    finder = walk_the_street(store, tmp_path / "hub", start_utc_s=1000.0)
    assert store.waiting() == []
    assert finder.counts.withheld >= 2


class CardThatWasFull(MemoryStore):
    """Takes nothing at the first attempt."""

    attempts = 0

    def add(self, payload: bytes, *, due_s: int = 0) -> str:
        self.attempts += 1
        if self.attempts == 1:
            raise StoreError("database or disk is full")
        return super().add(payload, due_s=due_s)


class FullCard(MemoryStore):
    """Takes nothing at all."""

    def add(self, payload: bytes, *, due_s: int = 0) -> str:  # noqa: ARG002
        raise StoreError("database or disk is full")


def test_a_card_that_is_full_in_mid_walk_loses_nothing(tmp_path: Path) -> None:
    plenty, tight = MemoryStore(), CardThatWasFull()
    walk_the_street(plenty, tmp_path / "hub")
    walk_the_street(tight, tmp_path / "hub")
    assert len(tight.waiting()) == len(plenty.waiting())


def test_a_card_that_stays_full_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="could not be kept"):
        walk_the_street(FullCard(), tmp_path / "hub")


def token_from_a_full_card(_: int) -> bytes:
    """A spent token must be gone from the file first, and that cannot be written."""
    raise StoreError("tokens.sqlite3: database or disk is full")


def test_tokens_that_cannot_be_spent_in_mid_walk_lose_nothing(tmp_path: Path) -> None:
    plenty, tight = MemoryStore(), MemoryStore()
    walk_the_street(plenty, tmp_path / "hub")
    refusing = [token_from_a_full_card]
    walk_the_street(tight, tmp_path / "hub", token=lambda _: refusing.pop()(0) if refusing else b"")
    assert not refusing
    assert len(tight.waiting()) == len(plenty.waiting())


def test_tokens_that_can_never_be_spent_are_said_when_the_walk_is_over(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="could not be kept"):
        walk_the_street(MemoryStore(), tmp_path / "hub", token=token_from_a_full_card)
