"""``scanner selftest``: a marked sighting that goes all the way and never leaves."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from scanner import selftest
from scanner.errors import StoreError
from scanner.replay.standins import ConsolePanel
from scanner.storage.outbox import Outbox
from tests.cli.test_commands import error_of, scanner


def test_the_sighting_goes_the_whole_way_and_is_marked() -> None:
    outcome = selftest.run(1_795_000_000.0, ConsolePanel())
    assert outcome.record.model == "selftest"
    assert outcome.off_m < 1
    (camera,) = outcome.record.cameras
    assert abs(camera.lat_e7) < 10_000  # in the sea, at 0 N 0 E
    assert abs(camera.lon_e7) < 10_000


def test_a_clock_that_cannot_be_right_is_an_error_and_no_record() -> None:
    with pytest.raises(StoreError, match="0 records"):
        selftest.run(0.0, ConsolePanel())


def test_nothing_reaches_the_outbox(tmp_path: Path) -> None:
    with closing(Outbox(tmp_path)):
        pass
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    result = scanner("selftest", "--json", "--data", tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) | {"off_m": 0} == {
        "frames": 48,
        "off_m": 0,
        "model": "selftest",
        "kept": False,
    }
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_panel_that_is_not_there_is_named(tmp_path: Path) -> None:
    config = tmp_path / "scanner.toml"
    config.write_text("[panel]\nlamp = 17\n")
    if not list(Path("/dev").glob("gpiochip*")):
        result = scanner("selftest", "--config", config, "--data", tmp_path / "data")
        assert "panel" in error_of(result, 69)
    alone = scanner("selftest", "--no-panel", "--config", config, "--data", tmp_path / "data")
    assert "thrown away" in alone.stdout
