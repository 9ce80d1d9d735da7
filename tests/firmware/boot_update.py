"""An update put on the boot partition of the emulated machine: tried, and kept or left again.

By `make test-image`, after boot_image.py; `make test-update` alone. The releases are those of
``tests.firmware.releases``, in the folder that UPDATES names.
"""

import os
import re
from pathlib import Path
from typing import Final

import msgspec
import pytest

from tests.firmware.conftest import ROOT, Walked
from tests.firmware.cuts import PATIENCE_S, UP, Cut, again, gather, share, slots, told, vanished
from tests.firmware.machine import Card, listening, running

UPDATES: Final = Path(os.environ.get("UPDATES", ROOT / "build/firmware/updates"))
B: Final = "loader/entries/scanner-b.conf"


class Updated(msgspec.Struct, frozen=True):
    """A card that took an update, and its cuts."""

    card: Card
    cuts: list[Cut]
    said: str


def offered(card: Card, folder: Path, update: str) -> Card:
    """A card with an update on its boot partition."""
    copy = card.flat(folder / f"{update}.img")
    copy.put_folder(UPDATES / update, "update")
    return copy.on_top(folder / f"{update}.qcow2")


def phase_of(said: str) -> str:
    """From the first byte that is written to the slot being kept."""
    if "in slot b is kept" in said:
        return "end"
    return "update" if "writing slot b" in said else "before"


@pytest.fixture(scope="module")
def updated(walked: Walked, folder: Path) -> Updated:
    """With what the walk found still on the card: no broker is there while it updates."""
    card = offered(walked.full, folder, "next")
    with running(card, folder / "update.txt") as machine:
        cuts = gather(machine, folder, phase_of, {"update": share("update")})
        return Updated(card, cuts, machine.said())


def test_an_update_is_taken_tried_and_kept(updated: Updated, walked: Walked, folder: Path) -> None:
    assert slots(updated.said) == ["a", "b"]
    assert B in updated.card.names()
    last = Cut(updated.card, "update", 0.0, updated.said, updated.card.outbox(folder))
    assert len(last.outbox) >= walked.counted
    then = again(last, folder, walked.port)
    assert (then.up, then.slot) == (True, "b"), then.said[-6000:]
    assert last.outbox <= then.delivered


def test_what_lay_on_the_card_before_an_update_lay_there_all_the_time(
    updated: Updated, walked: Walked, folder: Path
) -> None:
    before = walked.full.outbox(folder)
    assert len(before) == walked.counted
    assert vanished(updated.cuts) == frozenset()
    for cut in updated.cuts:
        assert before <= cut.outbox


@pytest.mark.parametrize("number", range(share("update")))
def test_after_a_power_cut_in_an_update_one_of_both_starts(
    number: int, updated: Updated, walked: Walked, folder: Path
) -> None:
    cut = updated.cuts[number]
    then = again(cut, folder, walked.port)
    print(told(cut, then))
    assert then.up, then.said[-6000:]
    # While it is written nothing else can start; while it is tried either may, once.
    assert then.slot in ("a" if "reading it back" not in cut.said else "ab")
    assert cut.outbox <= then.delivered
    assert cut.card.settings(folder) == walked.settings
    cut.card.path.unlink()


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        ("sick", "going back to slot a: worse than before: .*units"),
        ("dead", "slot b holds no system"),
    ],
)
def test_what_is_not_well_is_left_again_by_itself(
    update: str, reason: str, walked: Walked, folder: Path
) -> None:
    card = offered(walked.full, folder, update)
    outbox = card.outbox(folder)
    console = folder / f"{update}.txt"
    with running(card, console) as machine:
        back = machine.until(lambda: slots(machine.said()) == ["a", "b", "a"], PATIENCE_S)
        assert back, machine.said()[-6000:]
        assert any_line(reason, machine.said()), machine.said()[-6000:]
        with listening(folder, walked.port) as broker:
            third = machine.said().rindex("scanner: slot a")
            assert machine.until(lambda: UP in machine.said()[third:], PATIENCE_S)
            assert machine.until(lambda: outbox <= broker.ids(), PATIENCE_S)
        assert slots(machine.said()) == ["a", "b", "a"]
    assert "loader/entries/scanner-a.conf" in card.names()
    assert B not in card.names()
    card.path.unlink()


def any_line(pattern: str, said: str) -> bool:
    """Whether the console has a line like it."""
    return any(re.search(pattern, line) for line in said.splitlines())
