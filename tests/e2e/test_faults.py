"""The whole system broken on purpose: a few minutes of what ``make faults`` does for an hour."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import plan

ROOT = Path(__file__).parents[2]
SHORT = ("--minutes", "3", "--every", "8", "--speed", "6")
ENOUGH_S = 280  # most of it on a machine that does other things


def begin(logs: Path, *more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.faults", *SHORT, "--logs", str(logs), *more]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.timeout(2 * ENOUGH_S + 20)
def test_everything_breaks_and_every_announced_record_is_on_the_map_once(tmp_path: Path) -> None:
    """And the audit that says so finds a broker that throws away what it acknowledges."""
    sound, forgetful = begin(tmp_path), begin(tmp_path, "--forgetful", "0.3")
    said, errors = sound.communicate(timeout=ENOUGH_S)
    assert said, errors
    told = json.loads(said)
    assert sound.returncode == 0, said
    assert told["good"]
    assert (told["lost"], told["counted_twice"], told["unexplained"]) == (0, 0, 0)
    assert (told["right_map"], told["published_map"], told["crashes"]) == (True, True, [])
    assert told["on_the_map"] > 10
    assert told["faults"] > 8
    assert told["restored"]
    said, errors = forgetful.communicate(timeout=ENOUGH_S)
    assert said, errors
    told = json.loads(said)
    assert forgetful.returncode == 1, said
    assert not told["good"]
    assert told["lost"] > 0
    assert not told["right_map"]
    assert (tmp_path / "seed-1" / "notes").exists()  # of a seed that fails


@pytest.mark.parametrize("seed", [1, 7])
def test_a_seed_is_one_plan(seed: int) -> None:
    assert plan.draw(seed, 3600) == plan.draw(seed, 3600)
    assert plan.draw(seed, 3600) != plan.draw(seed + 1, 3600)


def test_ten_seeds_break_everything_that_can_break() -> None:
    faults = [fault for seed in range(1, 11) for fault in plan.draw(seed, 3600)]
    assert len(faults) >= 10 * 175
    assert {f.kind for f in faults} == {*plan.KINDS, "lose", "backup", "restore"}
    killed = {f.target for f in faults if f.kind == "kill"}
    assert killed == {*plan.DEVICES, *plan.RELAYS, *plan.HUB}
    assert {f.target for f in faults if f.kind == "line"} == set(plan.LINE)
