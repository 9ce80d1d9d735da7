"""Inputs that once broke a parser, good ones, and the worst that are known: each ends in time.

``python -m tests.fuzz`` finds new ones.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scanner.network import packets
from tests.fuzz.limits import processor_time
from tests.fuzz.targets import TARGETS, run

ROOT = Path(__file__).parents[2]
FOUND = ROOT / "tests/fuzz/found"
FILES = sorted(p for p in FOUND.glob("*/*") if p.is_file())


def test_something_was_found() -> None:
    assert {p.parent.name for p in FILES} <= TARGETS.keys()
    assert len(FILES) >= 20


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_what_once_broke_a_parser_is_refused_or_read(path: Path) -> None:
    with processor_time(TARGETS[path.parent.name].seconds):
        run(TARGETS[path.parent.name], path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_the_fuzzer_starts_from_something_that_is_read(name: str) -> None:
    assert any(run(TARGETS[name], seed) for seed in TARGETS[name].seeds)


@pytest.fixture(scope="module")
def measured() -> dict[str, dict[str, object]]:
    """What the worst inputs cost, by target, each in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.measure"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["target"]: line for line in lines}


@pytest.mark.timeout(900)  # of the clock; of the processor it takes twenty seconds
@pytest.mark.parametrize("name", TARGETS)
def test_no_input_of_a_megabyte_takes_a_second_or_much_memory(
    measured: dict[str, dict[str, object]], name: str
) -> None:
    assert measured[name]["wrong"] == []
    assert measured[name]["cases"]


@pytest.mark.parametrize("piece", [1_000, 65_535, 65_536, 65_551, 2_000_000])
@pytest.mark.parametrize("level", [packets.OLD, packets.NEW])
@pytest.mark.parametrize("size", [packets.LARGEST - 20, packets.LARGEST + 1, 1_000_000])
def test_a_message_too_large_is_acknowledged_and_what_follows_is_read(
    size: int, level: int, piece: int
) -> None:
    """Else whoever may send records could stop the hub's inbox with one."""
    large, small = (_message(number, n, level) for number, n in ((7, size), (8, 100)))
    stream, numbers, payloads = packets.Stream(level), [], []
    data = large + small
    for at in range(0, len(data), piece):
        more = stream.feed(data[at : at + piece])
        numbers += more[0]
        payloads += more[1]
    assert numbers == [7, 8]
    assert len(payloads[0]) <= packets.LARGEST
    assert payloads[1] == b"x" * 100


def _message(number: int, size: int, level: int) -> bytes:
    """PUBLISH at QoS 1 to ``in``."""
    body = b"\x00\x02in" + number.to_bytes(2, "big") + (b"\x00" if level == packets.NEW else b"")
    return packets._packet(0x32, body + b"x" * size)


@pytest.mark.parametrize("change", ["seconds", "memory", "error", "death"])
def test_what_takes_too_much_is_noticed(change: str) -> None:
    """The measuring itself: it would be silent if it saw nothing."""
    done = subprocess.run(
        [sys.executable, "-c", _BAD, change], cwd=ROOT, capture_output=True, text=True, check=True
    )
    wrong = json.loads(done.stdout)["wrong"]
    assert [w["case"] for w in wrong] == ["bad"], done.stdout


_BAD = """
import json, os, sys, time
from tests.fuzz.measure import in_a_child
from tests.fuzz.limits import SECONDS
from tests.fuzz.target import Target

def read(data):
    if data == b"bad":
        until = time.process_time() + SECONDS + 1
        {"seconds": lambda: [0 for _ in iter(lambda: time.process_time() < until, False)],
         "memory": lambda: len(b"x" * 300_000_000),
         "error": lambda: 1 / 0,
         "death": lambda: os.abort()}[sys.argv[1]]()

target = Target(read=read, seeds=(b"good",))
print(json.dumps(in_a_child(target, {"good": b"good", "bad": b"bad"})))
"""
