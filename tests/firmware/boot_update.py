"""An update put on the boot partition of the emulated machine: tried, kept, there after a cut.

``IMAGE=dist/.../x.img UPDATE=repository python -m pytest tests/firmware/boot_update.py``: the image
built with ``--trust repository/root.json``, the repository offering a later release of it.
"""

import os
from pathlib import Path
from typing import Final

from tests.firmware.machine import Card, running

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
