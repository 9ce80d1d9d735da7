"""An update put on the boot partition of the emulated machine: tried, and kept or left again.

``IMAGE=card.img UPDATE=one BROKEN=other python -m pytest tests/firmware/boot_update.py``: an image
built with ``--trust one/root.json``; ``one`` offers a later release of it, ``other``, of the same
keys, a release without a system in it.
"""

import os
import re
from pathlib import Path
from typing import Final

from tests.firmware.machine import Card, Machine, running

PATIENCE_S: Final = 1800.0


def test_an_update_is_taken_tried_and_kept(tmp_path: Path) -> None:
    image, update = Path(os.environ["IMAGE"]), Path(os.environ["UPDATE"])
    card = Card(image, tmp_path)
    card.put_folder(update, "update")
    with running(card, tmp_path / "first.txt") as machine:
        tried = machine.until(lambda: "scanner: slot b" in machine.said(), PATIENCE_S)
        assert tried, machine.said()[-6000:]
        kept = machine.until(lambda: "loader/entries/scanner-b.conf" in card.names(), PATIENCE_S)
        assert kept, machine.said()[-6000:]
    with running(card, tmp_path / "second.txt") as machine:
        assert machine.until(lambda: "scanner: slot" in machine.said(), PATIENCE_S)
        assert "scanner: slot b" in machine.said()


def test_an_update_that_does_not_start_is_left_again_by_itself(tmp_path: Path) -> None:
    image, update = Path(os.environ["IMAGE"]), Path(os.environ["BROKEN"])
    card = Card(image, tmp_path)
    card.put_folder(update, "update")

    def slots(machine: Machine) -> list[str]:
        return re.findall(r"scanner: slot ([ab])", machine.said())

    with running(card, tmp_path / "first.txt") as machine:
        back = machine.until(lambda: slots(machine) == ["a", "b", "a"], PATIENCE_S)
        assert back, machine.said()[-6000:]
        assert "slot b holds no system" in machine.said()
        up = machine.until(lambda: machine.said().count("scanner-confirm") > 3, PATIENCE_S)
        assert up, machine.said()[-6000:]
    assert "loader/entries/scanner-a.conf" in card.names()
    assert "scanner-b.conf" not in card.names()
