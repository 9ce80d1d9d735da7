"""The fourth partition: made once, kept from start to start, and never another owner's.

By the scripts of the device, with a file in the place of the card.
"""

import os
import subprocess
from pathlib import Path

import pytest

from firmware.layering import FOLDER

SCRIPTS = FOLDER / "tree/usr/lib/scanner"
SECTOR, MIB = 512, 1 << 20
BEHIND = 4 * MIB // SECTOR  # the first sector that is in none of the image's three partitions
SECRET = b"name of the last owner's network"
TABLE = (
    "label: dos\nlabel-id: 0x5ca22e00\n"
    "start=2048,size=2048,type=c,bootable\n"
    "start=4096,size=2048,type=83\n"
    "start=6144,size=2048,type=83\n"
)


def call(*command: object, said: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], input=said, capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "LC_ALL": "C"},
    )  # fmt: skip


def done(*command: object, said: str = "") -> str:
    told = call(*command, said=said)
    assert told.returncode == 0, told.stderr
    return told.stdout


class Card:
    """A card of 24 MiB; what lies on its fourth partition is a file of its own between starts."""

    def __init__(self, folder: Path) -> None:
        self.path, self.data = folder / "card.img", folder / "data.img"
        self.image = folder / "image.img"
        with self.image.open("wb") as file:
            file.truncate(4 * MIB)
        done("sfdisk", "--quiet", self.image, said=TABLE)
        with self.path.open("wb") as file:
            file.truncate(24 * MIB)
        self.write_image()

    def write_image(self) -> None:
        with self.path.open("r+b") as file:
            file.write(self.image.read_bytes())

    def place(self) -> None:
        done(SCRIPTS / "data-place", self.path, f"{self.path}4", BEHIND)

    def rows(self) -> list[str]:
        return [row for row in done("sfdisk", "--dump", self.path).splitlines() if "img4 :" in row]

    def start(self) -> None:
        """As at a start of the device: the place, then the file system there."""
        self.place()
        (row,) = self.rows()
        assert f"start={BEHIND}" in row.replace(" ", "")
        self.data.write_bytes(self.path.read_bytes()[BEHIND * SECTOR :])
        done(SCRIPTS / "data-system", self.data)

    def stop(self) -> None:
        with self.path.open("r+b") as file:
            file.seek(BEHIND * SECTOR)
            file.write(self.data.read_bytes())

    def keep(self, content: bytes) -> None:
        source = self.data.with_name("source")
        source.write_bytes(content)
        done("debugfs", "-w", "-R", f"write {source} wifi.conf", self.data)

    def kept(self) -> str:
        return done("debugfs", "-R", "cat wifi.conf", self.data)


@pytest.fixture
def card(tmp_path: Path) -> Card:
    """One that was started, and holds what its owner would not give away."""
    card = Card(tmp_path)
    card.start()
    card.keep(SECRET)
    card.stop()
    return card


def test_what_was_kept_is_there_at_the_next_start(card: Card) -> None:
    card.start()
    assert card.kept() == SECRET.decode()


def test_on_a_card_that_was_written_anew_nothing_of_the_last_owner_is_taken_over(
    card: Card,
) -> None:
    card.write_image()
    card.start()
    assert card.kept() == ""
    card.keep(b"mine")
    card.stop()
    card.start()
    assert card.kept() == "mine"


def test_nor_after_a_power_cut_before_the_new_file_system_was_made(card: Card) -> None:
    card.write_image()
    card.place()
    card.start()
    assert card.kept() == ""


def test_a_file_system_that_was_not_finished_is_made_again(card: Card) -> None:
    card.start()
    done("tune2fs", "-L", "", card.data)
    card.stop()
    card.start()
    assert card.kept() == ""


def test_one_that_cannot_be_read_is_not_made_anew() -> None:
    # The kernel answers EIO for the memory below its first page, as for a worn block.
    told = call(SCRIPTS / "data-system", "/proc/self/mem")
    assert told.returncode != 0
    assert told.stderr.splitlines() == [
        "dd: error reading '/proc/self/mem': Input/output error"
    ]  # neither e2fsck nor mkfs has said a word


def test_one_whose_first_block_is_damaged_is_mended_and_kept(card: Card) -> None:
    card.start()
    with card.data.open("r+b") as file:
        file.seek(1024)
        file.write(os.urandom(16))  # counts of inodes and blocks
    done(SCRIPTS / "data-system", card.data)
    assert card.kept() == SECRET.decode()


def test_a_table_that_cannot_be_read_is_not_written() -> None:
    told = call(SCRIPTS / "data-place", "/proc/self/mem", "/proc/self/mem4", BEHIND)
    assert told.returncode != 0
    assert "sfdisk" in told.stderr
    assert "dd:" not in told.stderr


def test_nothing_is_taken_from_the_boot_partition_before_there_is_a_place_for_it() -> None:
    unit = (FOLDER / "tree/usr/lib/systemd/system/scanner-firstboot.service").read_text()
    assert "Requires=scanner-data.service\n" in unit
    assert "After=scanner-data.service " in unit
