"""What images trust is renewed for as long as they are in the field, and its keys can be others."""

import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.keys import keygen
from firmware.release import Repository
from scanner.errors import UsageError
from scanner.updating import Refused, root_expiry
from tests.firmware.cards import NOW, OLD, Makers
from tests.firmware.power import PowerCut, arm, disarm

NEW = OLD + 1
ROOT = Path(__file__).parents[2]


def offered(makers: Makers, state: Path) -> int:
    """The release that a device with the first root sees, keeping what it saw in ``state``."""
    return makers.source(state).release().release


def begun(folder: Path, days: int) -> Makers:
    """Makers whose repository was begun so many days ago; today's is in their hands."""
    makers = Makers(folder, NOW - dt.timedelta(days=days))
    makers.offer(OLD)
    makers.repository = Repository(makers.repo, NOW)
    return makers


@pytest.fixture
def makers(tmp_path: Path) -> Makers:
    return begun(tmp_path / "makers", 0)


def test_a_device_of_two_years_ago_takes_an_update_after_its_root_was_renewed(
    tmp_path: Path,
) -> None:
    makers = begun(tmp_path / "makers", 731)
    makers.offer(NEW)
    with pytest.raises(Refused, match="expired"):
        offered(makers, tmp_path / "state")
    assert makers.repository.root(makers.keys[:2], {})
    assert offered(makers, tmp_path / "state") == NEW
    assert root_expiry((makers.repo / "root.json").read_bytes()) > NOW + dt.timedelta(days=700)


def test_what_is_offered_for_a_year_is_offered_for_another(tmp_path: Path) -> None:
    makers = begun(tmp_path / "makers", 366)
    makers.repository.refresh(makers.online)
    with pytest.raises(Refused, match="expired"):
        offered(makers, tmp_path / "state")
    assert not makers.repository.renew(makers.keys[:1], makers.online)
    with pytest.raises(UsageError, match="waits for signatures"):
        makers.repository.renew(makers.keys[:1], makers.online)
    assert makers.repository.sign(makers.keys[1:2], makers.online)
    assert offered(makers, tmp_path / "state") == OLD


def test_the_second_signature_below_a_root_may_come_from_elsewhere(
    makers: Makers, tmp_path: Path
) -> None:
    before = (makers.repo / "root.json").read_bytes()
    assert not makers.repository.root(makers.keys[:1], {})
    assert (makers.repo / "root.json").read_bytes() == before
    assert offered(makers, tmp_path / "state") == OLD
    assert not makers.repository.root(makers.keys[:1], {}), "the same key twice is one"
    elsewhere = makers.folder / "elsewhere"
    shutil.copytree(makers.repo, elsewhere)
    assert Repository(elsewhere, NOW).root(makers.keys[2:], {})
    makers.repo = elsewhere
    assert not (elsewhere / "next-root.json").exists()
    assert (elsewhere / "root.json").read_bytes() == (
        elsewhere / "metadata/2.root.json"
    ).read_bytes()
    assert offered(makers, tmp_path / "state") == OLD


def test_a_lost_key_is_replaced_and_counts_no_longer(makers: Makers, tmp_path: Path) -> None:
    lost, fresh = makers.keys[2], makers.folder / "key-3"
    keygen(fresh)
    left = [*makers.keys[:2], fresh]
    # One who holds the lost key and a new one of their own cannot make a root alone.
    assert not makers.repository.root([lost, fresh], {"root": left, "release": left})
    (makers.repo / "next-root.json").unlink()
    assert makers.repository.root(makers.keys[:2], {"root": left, "release": left})
    assert makers.repository.renew([makers.keys[0], fresh], makers.online)
    assert offered(makers, tmp_path / "state") == OLD
    makers.keys = [lost, makers.keys[0], fresh]
    assert not makers.offer(NEW)
    assert offered(makers, tmp_path / "state") == OLD
    assert makers.repository.sign([fresh], makers.online)
    assert offered(makers, tmp_path / "state") == NEW


def test_with_another_online_key_devices_see_what_that_one_says(
    makers: Makers, tmp_path: Path
) -> None:
    other = makers.folder / "online-2"
    keygen(other)
    assert makers.repository.root(makers.keys[1:], {"online": [other]})
    with pytest.raises(Refused, match="not signed by enough"):
        offered(makers, tmp_path / "state")
    with pytest.raises(UsageError, match="not signed by enough"):
        makers.repository.refresh(makers.online)
    assert makers.repository.refresh(other)
    assert offered(makers, tmp_path / "state") == OLD


def test_killed_between_any_two_steps_of_a_root_the_next_ones_end_well(tmp_path: Path) -> None:
    number, ended = 0, False
    while not ended:
        makers = begun(tmp_path / str(number), 0)
        arm(number, makers.repo)
        try:
            makers.repository.root(makers.keys[:2], {})
            ended = True
        except PowerCut:
            pass
        finally:
            disarm()
        assert offered(makers, tmp_path / "state") == OLD
        assert makers.repository.root(makers.keys[:2], {})
        assert makers.repository.refresh(makers.online)
        shutil.rmtree(tmp_path / "state")
        assert offered(makers, tmp_path / "state") == OLD
        newest = max((makers.repo / "metadata").glob("*.root.json"))
        assert (makers.repo / "root.json").read_bytes() == newest.read_bytes()
        number += 1
    assert number > 5


def test_who_refreshes_is_told_what_is_to_be_renewed(tmp_path: Path) -> None:
    makers = begun(tmp_path / "makers", 0)
    assert makers.repository.early() == []
    makers.repository = Repository(makers.repo, NOW + dt.timedelta(days=370))
    assert makers.repository.early() == [
        "1.root.json: 359 days are left: `root` renews it",
        "2.targets.json: 0 days are left: `renew` renews it",
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "364 days are left of it, and an image wants 365"), (b"{}", "no root.json")],
)
def test_no_image_is_built_that_would_outlive_its_root(
    content: bytes | None, reason: str, tmp_path: Path
) -> None:
    makers = begun(tmp_path / "makers", 0)
    root = makers.repo / "root.json"
    if content is not None:
        root.write_bytes(content)
    built = int((NOW + dt.timedelta(days=366)).timestamp())
    told = subprocess.run(
        [sys.executable, "-m", "firmware.build", "--target", "pi", "--trust", root,
         "--out", tmp_path / "out"],
        cwd=ROOT, env={**os.environ, "SOURCE_DATE_EPOCH": str(built)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert told.returncode == UsageError.exit_code
    assert told.stdout == ""
    (line,) = told.stderr.splitlines()
    assert reason in line
