"""A card that is full: scanning goes on, the outbox stays readable, the panel says so."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
INSIDE = 'mount -t tmpfs -o size=600k tmpfs "$1" && exec "$2" -m tests.helpers.full "$1"'


def test_a_full_card_at_every_write(tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    unshare = shutil.which("unshare")
    assert unshare, "util-linux is missing"
    result = subprocess.run(
        [unshare, "-Urm", "sh", "-c", INSIDE, "sh", card, sys.executable],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["fills"], told["lost"], told["unsound"]) == (16, 0, 0)
    assert told["refused"] == 16
    assert told["wrong"] == []
    assert told["refused_by"] == ["outbox.sqlite3", "own/outbox.sqlite3", "tokens.sqlite3"]
    for sent in told["sent"].values():
        assert sent["stuck"] > 0
        assert (sent["publishes"], sent["different"], sent["left"]) == (13, 13, 0)
    code, error = told["start"]
    assert code == 74
    assert "the card is full (free some space" in error
    assert told["sound"]
    assert told["readable"] >= 1
    states = [line.split()[1].rstrip(":") for line in told["said"]]
    first = states.index("disk-full")
    assert "full" in told["said"][first]
    assert "scanning" in states[first:], told["said"]  # it looked on
    assert "could not be kept" in told["ended"]
