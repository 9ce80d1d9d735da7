"""What became of every record that a device announced, and whether the map is the right one."""

import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from scanner.core.geometry import distance_m
from scanner.core.wire import Cell, Topics
from scanner.hub import keys, mapping
from scanner.hub.features import Policy
from scanner.hub.ingest import Ingest
from scanner.hub.stores import Store, open_store
from scanner.hub.stores.protocol import PUBLIC
from scanner.records import Kind
from tests.faults.system import System

PUBLISHED_S: Final = 60.0  # to tell the broker of the last change
NEAR_M: Final = 3.0  # a walker's camera from the one that stands there, or
SIGMAS: Final = 5.0  # so many times what it says of itself


class Told(msgspec.Struct, kw_only=True):
    """The result of a seed; the bars are the fields that must be 0 or true."""

    sealed: int = 0
    announced: int = 0
    on_the_map: int = 0
    waiting: int = 0  # in an outbox alone
    gone_with_card: int = 0  # of the device that never came back
    lost: int = 0
    lost_records: list[str] = []
    unannounced: int = 0  # at the hub: a device died between keeping a record and saying so
    foreign: int = 0  # at the hub, and nobody sealed them
    quarantined: dict[str, int] = {}
    unexplained: int = 0  # in quarantine
    counted_twice: int = 0  # sightings that are evidence of two cameras
    cameras: int = 0
    poles: int = 0  # true cameras on the walkers' streets that are on the map
    twice_on_the_map: int = 0  # cameras beside true ones that others of the map stand for
    nowhere: int = 0  # the map's cameras where none stands
    twice_without_faults: int = 0  # both of the right map: what locating and fusing make of it
    nowhere_without_faults: int = 0
    right_map: bool = False  # as the same records make it without a fault
    differences: list[str] = []
    published_map: bool = False  # the broker keeps the same
    crashes: list[str] = []

    @property
    def good(self) -> bool:
        """Whether all bars hold."""
        bad = self.lost + self.foreign + self.unexplained + self.counted_twice
        bad += max(0, self.twice_on_the_map - self.twice_without_faults)
        bad += max(0, self.nowhere - self.nowhere_without_faults) + len(self.crashes)
        return not bad and self.right_map and self.published_map


Evidence = frozenset[tuple[str, int]]  # records, and which camera of theirs
Map = dict[Evidence, tuple[str, bytes]]


Place = tuple[float, float, float]  # latitude, longitude, sigma in metres


class Placed(NamedTuple):
    """A map held against the truth."""

    poles: int
    twice: int
    nowhere: int


def places_of(store: Store) -> list[Place]:
    """Where the public cameras are."""
    return [(s.lat_deg, s.lon_deg, s.sigma_m) for s in store.shown(None, statuses=PUBLIC)]


def the_map(store: Store) -> Map:
    """Cameras by their evidence: kind, and what readers see of them.

    Not their ids: a camera is named after the record that showed it first, which is another one
    when records come in another order.
    """
    return {
        frozenset((m.record_id, m.index) for m in s.camera.members): (
            str(s.camera.kind),
            s.shown.feature.replace(s.id.encode(), b"") if s.shown else b"",
        )
        for s in store.cameras()
    }


def without_faults(system: System, payloads: list[bytes], file: Path) -> tuple[Map, list[Place]]:
    """The map of the same records, taken in at once by one hub that nothing happens to."""
    name = partial(keys.camera_id, keys.load_naming(system.hub_data))
    with closing(open_store(file)) as store:
        mapping.set_policy(store, Policy(reports=1))
        Ingest(store, system.key, time.time).take(payloads)
        while mapping.fuse_waiting(store, name):
            pass
        return the_map(store), places_of(store)


def published(port: int, wanted: set[str]) -> bool:
    """Whether the broker's retained cells hold these cameras and no other, soon."""
    deadline = time.monotonic() + PUBLISHED_S
    while time.monotonic() < deadline:
        found: dict[str, set[str]] = {}

        def take(_c: object, _u: object, message: mqtt.MQTTMessage) -> None:
            cell = msgspec.json.decode(message.payload, type=Cell) if message.payload else None
            found[message.topic] = {f.id for f in cell.features} if cell else set()  # noqa: B023

        reader = mqtt.Client(CallbackAPIVersion.VERSION2)
        reader.on_message = take
        reader.connect("127.0.0.1", port)
        reader.subscribe(f"{Topics().root}/map/#", qos=1)
        reader.loop_start()
        time.sleep(2.0)
        reader.disconnect()
        reader.loop_stop()
        if set().union(*found.values()) == wanted:
            return True
        time.sleep(2.0)
    return False


def check(system: System, waiting: set[str], gone: set[str], truth: list[tuple[float, float, Kind]],
          ) -> Told:  # fmt: skip
    """The audit, when nothing is on the way any more."""
    journal = system.journal
    told = Told(sealed=len(journal.sealed), announced=len(journal.kept))
    with closing(open_store(system.url)) as store:
        cameras = the_map(store)
        known = {r.record_id: r.record for r in store.all_reports()}
        rows = store._db.rows("SELECT payload_id, reason FROM quarantine")  # type: ignore[attr-defined]
        public = {s.id for s in store.shown(None, statuses=PUBLIC)}
        places = places_of(store)
    evidence = [member for members in cameras for member in members]
    seen = {record_id for record_id, _ in evidence}
    told.cameras = len(cameras)
    told.counted_twice = len(evidence) - len(set(evidence))
    told.on_the_map = len(journal.kept & seen)
    told.waiting = len((journal.kept & waiting) - seen)
    told.gone_with_card = len((journal.kept & gone) - seen)
    missing = journal.kept - seen - waiting - gone
    told.lost = len(missing)
    told.lost_records = [
        f"{journal.by[name]} {name}, announced at {journal.kept_at[name] - system.begun_s:.1f} s"
        for name in sorted(missing, key=journal.kept_at.__getitem__)
    ][:20]
    told.unannounced = len((set(known) & set(journal.sealed)) - journal.kept)
    told.foreign = len(set(known) - set(journal.sealed))
    for name, reason in rows:
        why = _why(name, reason, system.line.bent, seen)
        told.quarantined[why] = told.quarantined.get(why, 0) + 1
        told.unexplained += why.startswith("?")
    expected = (journal.kept & set(known)) | missing | (set(known) & set(journal.sealed))
    file = system.folder / "without-faults.sqlite3"
    right, right_places = without_faults(
        system, [journal.sealed[name] for name in sorted(expected)], file
    )
    told.right_map = right == cameras
    told.differences = [
        f"{sorted(members)}: {cameras.get(members)} instead of {right.get(members)}"
        for members in {*right, *cameras}
        if right.get(members) != cameras.get(members)
    ][:5]
    told.poles, told.twice_on_the_map, told.nowhere = compared_with_truth(places, truth)
    _, told.twice_without_faults, told.nowhere_without_faults = compared_with_truth(
        right_places, truth
    )
    told.published_map = published(system.port, public)
    told.crashes = [crash for part in system.parts.values() for crash in part.crashes]
    told.crashes += [f"{n}: traceback" for n, p in system.parts.items() if "Traceback" in p.log()]
    return told


def _why(name: str, reason: str, bent: set[str], seen: set[str]) -> str:
    """The reason with what explains it; a question mark in front if nothing does."""
    if name in bent:
        return f"{reason}: bent on its way"
    if name in seen:
        return f"{reason}: taken in afterwards"
    return f"? {reason}"


def compared_with_truth(places: list[Place], truth: list[tuple[float, float, Kind]]) -> Placed:
    """The walkers' cameras and the true ones, one to one, the nearest first.

    Those of the others lie to the south.
    """
    south = min(lat for lat, _, _ in truth) - 0.0005
    mapped = [place for place in places if place[0] > south]
    pairs = sorted(
        (gap, number, pole)
        for number, (lat, lon, sigma_m) in enumerate(mapped)
        for pole, (a, o, _) in enumerate(truth)
        if (gap := distance_m(lat, lon, a, o)) <= max(NEAR_M, SIGMAS * sigma_m)
    )
    placed: set[int] = set()
    found: set[int] = set()
    for _, number, pole in pairs:
        if number not in placed and pole not in found:
            placed.add(number)
            found.add(pole)
    near = {number for _, number, _ in pairs}
    return Placed(len(found), len(near - placed), len(mapped) - len(near))
