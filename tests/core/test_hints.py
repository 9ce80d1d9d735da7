"""Radio hints: what may be listened for, what fits, and how long and far it counts."""

import math
from pathlib import Path

import msgspec
import pytest

from scanner.core import hints, privacy
from scanner.core.hints import Advertisement, Attention, Signature
from scanner.core.schedule import Schedule
from scanner.core.tiles import grid
from scanner.errors import ConfigError
from scanner.looking import Watcher
from scanner.pipeline import Finder, watch
from scanner.records import Position
from scanner.replay.standins import (
    ConsolePanel,
    MemoryStore,
    ScriptedDetector,
    ScriptedFrames,
    ScriptedPositions,
)
from scanner.reporting import Sealer
from tests.helpers import walk

NS = 1_000_000_000
BATTERY = Signature(title="a battery", source="s", names=("FS Ext Battery",), companies=("09C8",))
HERE = (52.37, 4.89)


def listed(**fields: object) -> bytes:
    signature = {"title": "a device", "source": "somewhere"} | fields
    return msgspec.json.encode({"v": 1, "made": "2026-11-23", "signatures": [signature]})


def test_the_shipped_list_may_be_listened_for() -> None:
    shipped = hints.parse((Path(__file__).parents[2] / "docs" / "hints.json").read_bytes())
    assert len(shipped.signatures) >= 2
    assert all(s.kinds >= 2 for s in shipped.signatures)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"companies": ["034D"], "name_starts": ["Sensor "]}, "body cameras"),
        ({"companies": ["004C"], "name_starts": ["Sensor "]}, "AirTag"),
        ({"companies": ["004c"], "name_starts": ["Sensor "]}, "AirTag"),
        ({"companies": ["09C8"], "services": ["FD5A"]}, "SmartTag"),
        ({"companies": ["09C8"], "services": ["1819"]}, "position receivers"),
        ({"companies": ["09C8"], "ouis": ["00:25:DF"]}, "Axon"),
        ({"companies": ["09C8"], "ouis": ["04:0D:84"]}, "breathing aids"),
        ({"companies": ["09C8"], "ouis": ["02:00:00"]}, "no maker"),
        ({"companies": ["09C8"], "names": ["Axon Body 4"]}, "a person carries"),
        ({"companies": ["09C8"], "names": ["My iPhone 15"]}, "a person carries"),
        ({"companies": ["09C8"], "names": ["Dispatch BWC 7"]}, "a person carries"),
        ({"companies": ["09C8"]}, "no evidence"),
        ({"companies": ["09C8", "1234"]}, "no evidence"),
        ({"services": ["3100", "3200"]}, "no evidence"),  # two of one kind
        ({"names": ["FS Ext Battery"], "name_starts": ["FS Ext"]}, "no evidence"),
        ({"companies": ["09C8"], "names": ["Flock"]}, "length >= 6"),
        ({"companies": ["9C8"], "names": ["FS Ext Battery"]}, "regex"),
        ({"regex": ".*"}, "unknown field"),
    ],
)
def test_what_people_carry_and_single_signals_are_refused(
    fields: dict[str, object], why: str
) -> None:
    with pytest.raises(ConfigError, match=why):
        hints.parse(listed(**fields))


@pytest.mark.parametrize(
    ("heard", "fits"),
    [
        (Advertisement(name="FS Ext Battery", companies=frozenset({0x09C8})), True),
        (Advertisement(name="FS Ext Battery"), False),
        (Advertisement(companies=frozenset({0x09C8})), False),
        (Advertisement(name="FS Ext Battery 2", companies=frozenset({0x09C8})), False),
        (Advertisement(name="FS Ext Battery", companies=frozenset({0x09C8, 0x004C})), False),
        (Advertisement(), False),
    ],
)
def test_all_kinds_of_signals_must_be_heard(heard: Advertisement, fits: bool) -> None:  # noqa: FBT001
    assert (hints.match([BATTERY], heard) is BATTERY) is fits


BY_ADDRESS = Signature(title="t", source="s", ouis=("B4:1E:52",), services=("3100",))


@pytest.mark.parametrize(
    ("sent", "fits"),
    [
        ({}, True),
        ({"services": {0x3100, 0x1800, 0x1801, 0x180A, 0x180F}}, True),  # every device has them
        ({"services": {0x3100, 0xFD6F}}, False),
        ({"services": {0x3100, 0x1854}}, False),
        ({"companies": {0x004C}}, False),
        ({"name": "Ana's Galaxy S24"}, False),
        ({"address": "00:25:DF:00:00:01"}, False),
    ],
)
def test_what_also_sends_signals_of_what_people_carry_is_left_alone(
    sent: dict[str, object],
    fits: bool,  # noqa: FBT001
) -> None:
    box = {"address": "B4:1E:52:00:00:01", "public": True, "services": {0x3100}}
    heard = msgspec.convert(box | sent, Advertisement)
    assert bool(hints.match([BY_ADDRESS], heard)) is fits


def test_a_makers_addresses_count_only_where_a_maker_gave_them() -> None:
    address, services = "B4:1E:52:00:00:01", frozenset({0x3100})
    heard = Advertisement(address=address, services=services, public=True)
    assert hints.match([BY_ADDRESS], heard) is BY_ADDRESS
    assert hints.match([BY_ADDRESS], msgspec.structs.replace(heard, public=False)) is None


def test_names_may_begin_as_published() -> None:
    signature = Signature(title="t", source="s", name_starts=("Penguin-",), companies=("09C8",))
    company = frozenset({0x09C8})
    for name, fits in (("Penguin-1234567890", True), ("My Penguin-1", False), ("", False)):
        heard = Advertisement(name=name, companies=company)
        assert bool(hints.match([signature], heard)) is fits


def north(metres: float) -> tuple[float, float]:
    return HERE[0] + metres / hints.EARTH_M_PER_DEG, HERE[1]


def east(metres: float) -> tuple[float, float]:
    return HERE[0], HERE[1] + metres / hints.EARTH_M_PER_DEG / math.cos(math.radians(HERE[0]))


@pytest.mark.parametrize(
    ("place", "after_s", "factor"),
    [
        (HERE, 1, hints.MORE_TILES),
        (north(55), 50, hints.MORE_TILES),
        (east(-55), 50, hints.MORE_TILES),
        (north(65), 1, 1.0),
        (east(65), 1, 1.0),
        (HERE, 61, 1.0),
        (HERE, -1, 1.0),
        (None, 30, hints.MORE_TILES),
    ],
)
def test_a_hint_counts_near_its_place_and_for_a_while(
    place: tuple[float, float] | None, after_s: float, factor: float
) -> None:
    attention = Attention()
    assert attention.factor(0, HERE) == 1.0
    attention.hear(100 * NS, HERE)
    assert attention.factor(round((100 + after_s) * NS), place) == factor


def test_a_new_walk_forgets_them() -> None:
    attention = Attention()
    attention.hear(0, HERE)
    attention.forget()
    assert attention.factor(1, HERE) == 1.0


def spent(attention: float, budget: float, frames: int = 200) -> int:
    schedule = Schedule(1280, 720, 320, budget)
    return sum(len(schedule.next_tiles([], attention=attention)) for _ in range(frames))


@pytest.mark.parametrize("budget", [0.3, 1.0, 4.0])
def test_attention_buys_more_tiles_and_never_more_than_there_are(budget: float) -> None:
    usual = spent(1.0, budget)
    assert usual == pytest.approx(200 * budget, abs=1)
    assert spent(hints.MORE_TILES, budget) == pytest.approx(hints.MORE_TILES * usual, abs=2)
    assert spent(100.0, budget) <= 200 * len(grid(1280, 720, 320))


def test_attention_leaves_no_credit_behind() -> None:
    schedule = Schedule(1280, 720, 320, 4.0)
    for _ in range(50):
        schedule.next_tiles([], attention=100.0)
    after = [len(schedule.next_tiles([])) for _ in range(10)]
    assert sum(after) <= 10 * 4 + len(grid(1280, 720, 320))


def test_a_hint_without_a_view_leads_to_no_record() -> None:
    """However loud it is: only what was seen and located is reported."""
    store = MemoryStore()
    asked: list[int] = []

    def loud(at_ns: int, _: Position | None) -> float:
        asked.append(at_ns)
        return hints.MORE_TILES

    finder = Finder(
        Watcher(ScriptedDetector(lambda _: [], 320), 1.0),
        ScriptedPositions(walk.positions(walk.straight_north)),
        walk.LENS,
        attention=loud,
    )
    sealer = Sealer(store, lambda _: b"", privacy.OPEN, model="t", uniform=lambda: 0.5)
    source = ScriptedFrames(walk.frames(walk.straight_north, 10, []))
    counts = watch(source, finder, sealer, ConsolePanel())
    assert len(asked) == counts.frames == 40
    assert (counts.sightings, counts.records, store.waiting()) == (0, 0, [])
