"""Inputs that once broke a parser, good ones, and shapes that break parsers: each ends in time.

``python -m tests.fuzz`` finds new ones.
"""

import resource
from pathlib import Path

import pytest

from tests.fuzz.limits import INPUT_MAX, MEMORY_MB, processor_time
from tests.fuzz.targets import TARGETS, run

FOUND = Path(__file__).parents[1] / "fuzz/found"
FILES = sorted(p for p in FOUND.glob("*/*") if p.is_file())
SHAPES = {
    "nothing": b"",
    "zeros": bytes(INPUT_MAX),
    "ones": b"\xff" * INPUT_MAX,
    "one letter": b"a" * INPUT_MAX,
    "lists in lists": b"[" * INPUT_MAX,
    "objects in objects": b'{"a":' * (INPUT_MAX // 5),
    "lists in a file": b"a=" + b"[" * 30_000,
    "msgpack lists": b"\x91" * INPUT_MAX,
    "tags in tags": b"\x00<osm>" + b"<a>" * (INPUT_MAX // 4),
    "tags without order": b"<trkpt>" * (INPUT_MAX // 7),
    "dots": b"a." * (INPUT_MAX // 2),
    "list marks": b"90;" * (INPUT_MAX // 3),
    "words": b"north " * (INPUT_MAX // 6),
    "dollars": b"$" * INPUT_MAX,
    "empty sentences": b"$*00\n" * (INPUT_MAX // 10),
    "empty lines": b"\n" * INPUT_MAX,
    "digits": b"9" * INPUT_MAX,
    "spaces": b" " * INPUT_MAX,
    "quotes": b'"' * INPUT_MAX,
}


def test_something_was_found() -> None:
    assert {p.parent.name for p in FILES} <= TARGETS.keys()
    assert len(FILES) >= 8


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_what_once_broke_a_parser_is_refused_or_read(path: Path) -> None:
    with processor_time():
        run(TARGETS[path.parent.name], path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_the_fuzzer_starts_from_something_that_is_read(name: str) -> None:
    assert any(run(TARGETS[name], seed) for seed in TARGETS[name].seeds)


@pytest.mark.parametrize("name", TARGETS)
def test_long_and_deep_input_costs_little(name: str) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for shape, data in SHAPES.items():
        try:
            with processor_time():
                run(TARGETS[name], data)
        except Exception as e:
            raise AssertionError(f"{shape}: {type(e).__name__}") from e
    after_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after_kb - before_kb < MEMORY_MB * 1024
