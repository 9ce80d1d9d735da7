"""The card's parts: the same bytes again, in the places that the device looks for them."""

import re
import subprocess
from pathlib import Path

import pytest

from firmware import disk, wiring
from firmware.layering import FOLDER
from scanner.config_front import PanelSettings


def test_scripts_of_the_device_are_shell_and_can_be_started() -> None:
    scripts = [FOLDER / "install.sh", FOLDER / "init", *(FOLDER / "tree/usr/lib/scanner").iterdir()]
    assert len(scripts) == 6
    for path in scripts:
        assert subprocess.run(["sh", "-n", path], check=False).returncode == 0, path
    for path in (FOLDER / "tree/usr/lib/scanner").iterdir():
        assert path.stat().st_mode & 0o111


def test_units_are_understood_by_systemd(tmp_path: Path) -> None:
    for path in (FOLDER / "tree/usr/lib/systemd/system").glob("*.service"):
        # The programs are those of the device: any that is here stands for them.
        lines = [
            re.sub(r"^(ExecStart\w*)=.*", r"\1=/bin/true", line)
            for line in path.read_text().splitlines()
        ]
        (tmp_path / path.name).write_text("\n".join(lines) + "\n")
    units = sorted(tmp_path.glob("*.service"))
    assert len(units) == 5
    told = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", *units],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.stderr == ""
    assert told.returncode == 0


def unit(name: str) -> list[str]:
    path = FOLDER / f"tree/usr/lib/systemd/system/scanner-{name}.service"
    return path.read_text().splitlines()


def test_an_update_that_takes_long_starts_nothing_again_and_comes_after_the_slot_is_kept() -> None:
    (started,) = [line for line in unit("update") if line.startswith("Exec")]
    assert " update --offered " in started
    assert {
        "TimeoutStartSec=infinity",
        "Requires=scanner-confirm.service",
        "After=scanner-confirm.service",
    } <= set(unit("update"))
    # What starts the device again has the confirmation alone to wait for.
    confirming = [line for line in unit("confirm") if line.startswith("Exec")]
    assert [("--confirm" in line, "reboot" in line) for line in confirming] == [
        (True, False), (False, True),
    ]  # fmt: skip


def test_each_unit_of_the_image_is_wanted_by_a_target_there() -> None:
    hooks = (FOLDER / "layers/device.yaml").read_text()
    for path in (FOLDER / "tree/usr/lib/systemd/system").glob("*.service"):
        assert re.search(rf"\b{path.stem}\b", hooks), path.stem


@pytest.mark.parametrize("slot", ["a", "b"])
def test_the_kernel_is_told_slot_and_card_as_the_first_program_reads_them(slot: str) -> None:
    words = dict(w.split("=") for w in disk.command_line(slot).split() if "=" in w)
    assert words["scanner.slot"] == slot
    # The four bytes as they lie in the MBR.
    assert words["scanner.disk"] == "002ea25c"


def test_every_key_of_the_wiring_is_one_of_scanner_toml() -> None:
    settings = PanelSettings(**wiring.PANEL)
    drawn = {int(w.name.removeprefix("GPIO ")) for w in wiring.WIRES if w.part.count("lamp") == 1
             and w.name.startswith("GPIO")}  # fmt: skip
    assert drawn == {settings.red, settings.yellow, settings.green}


def test_no_pin_is_used_twice_and_the_picture_is_the_scripts() -> None:
    pins = [wire.pin for wire in wiring.WIRES]
    assert len(pins) == len(set(pins))
    assert wiring.TARGET.read_text() == wiring.drawing()
