"""What lies on the boot partition is taken, or left and explained; nothing half."""

import base64
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import segno
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from scanner import config, signing
from scanner.cli import main
from scanner.cli.firstboot_removal import SPENT
from scanner.core.blink import State, levels
from scanner.enrolment import Broker, Enrolment
from scanner.hardware.boardlamp import BoardLamp
from tests.firmware.power import PowerCut, arm, disarm

CAMPAIGN, OTHER = SigningKey(bytes(range(32))), SigningKey(bytes(32))
GOOD = '[privacy]\nprofile = "hostile"\n'


def enrolment(key: SigningKey = CAMPAIGN, made: str = "2026-11-01") -> str:
    return signing.sign(
        Enrolment(
            v=1,
            made=made,
            campaign="here",
            profile="careful",
            hub_keys={"2026-Q4": bytes(PrivateKey(bytes([7] * 32)).public_key)},
            broker=Broker(host="broker.example", port=8883, password="secret"),  # noqa: S106
        ),
        key,
    )


class Device:
    """A boot partition, the folder of settings and a lamp."""

    def __init__(self, folder: Path) -> None:
        self.boot, self.etc = folder / "boot", folder / "etc"
        self.lamp = folder / "leds/ACT"
        for path in (self.boot, self.lamp):
            path.mkdir(parents=True)
        (self.boot / "config.txt").write_text("os_prefix=a/\n")
        (self.lamp / "trigger").write_text("none [mmc0] timer")
        (self.lamp / "brightness").write_text("0")

    @property
    def settings(self) -> Path:
        return self.etc / "scanner.toml"

    def start(self, blink_s: float = 0.2) -> None:
        words = ["firstboot", "--boot", self.boot, "--config", self.settings]
        words += ["--leds", self.lamp.parent, "--blink-s", blink_s]
        assert main([str(word) for word in words]) == 0

    def left(self) -> set[str]:
        return {path.name for path in self.boot.iterdir()} - {"config.txt"}

    def problem(self) -> str:
        return (self.boot / "scanner-problem.txt").read_text()


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_settings_move_into_their_place(device: Device) -> None:
    (device.boot / "scanner.toml").write_text(GOOD)
    device.start()
    assert device.settings.read_text() == GOOD
    assert config.load(device.settings).privacy.profile == "hostile"
    assert device.left() == {"scanner-taken.txt"}


def test_as_windows_writes_them_too(device: Device) -> None:
    (device.boot / "SCANNER.TOML").write_bytes(
        b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    )
    device.start()
    assert config.load(device.settings).privacy.profile == "hostile"


def qr(device: Device) -> Path:
    path = device.boot / "enrolment.png"
    segno.make(enrolment(), error="m").save(str(path), scale=6)
    return path


def written(device: Device) -> Path:
    path = device.boot / "enrolment.txt"
    path.write_text(enrolment())
    return path


@pytest.mark.parametrize("put", [written, qr], ids=["as text", "as a picture of its QR code"])
def test_an_enrolment_moves_into_its_place_with_its_secret(device: Device, put: object) -> None:
    put(device)  # type: ignore[operator]
    device.start()
    assert config.load(device.settings).mqtt.host == "broker.example"
    secret = device.etc / "mqtt-password"
    assert (secret.read_text(), secret.stat().st_mode & 0o777) == ("secret\n", 0o600)
    assert device.left() == {"scanner-taken.txt"}


def test_both_at_once(device: Device) -> None:
    (device.boot / "scanner.toml").write_text(GOOD)
    written(device)
    device.start()
    loaded = config.load(device.settings)
    assert (loaded.privacy.profile, loaded.mqtt.host) == ("hostile", "broker.example")


def test_with_nothing_there_nothing_is_done(device: Device) -> None:
    device.start()
    assert device.left() == set()
    assert not device.etc.exists()


def test_what_was_taken_cannot_be_read_from_its_blocks(device: Device, tmp_path: Path) -> None:
    written(device)
    (device.boot / "scanner.toml").write_text(GOOD)
    # Whoever has a second name sees what a file's blocks hold once the first is gone.
    for name in ("enrolment.txt", "scanner.toml"):
        os.link(device.boot / name, tmp_path / name)
    device.start()
    assert device.left() == {"scanner-taken.txt"}
    for name in ("enrolment.txt", "scanner.toml"):
        blocks = (tmp_path / name).read_bytes()
        assert blocks
        assert blocks == (SPENT * len(blocks))[: len(blocks)]


@pytest.mark.parametrize("size", [len(SPENT), 100, 400])
def test_a_power_cut_amid_the_overwriting_leaves_nothing_to_be_taken_or_told(
    size: int, device: Device
) -> None:
    path = written(device)
    device.start()
    before = device.settings.with_name("enrolment.json").read_bytes()
    content = enrolment(OTHER, "2026-11-09").encode()
    path.write_bytes((SPENT * size)[:size] + content[size:])
    device.start()
    assert device.left() == {"scanner-taken.txt"}
    assert device.settings.with_name("enrolment.json").read_bytes() == before


def test_after_a_power_cut_at_any_file_the_next_start_ends_as_if_there_had_been_none(
    tmp_path: Path,
) -> None:
    ended, number = False, 0
    while not ended:
        device = Device(tmp_path / str(number))
        (device.boot / "scanner.toml").write_text(GOOD)
        written(device)
        arm(number, device.boot.parent)
        try:
            device.start()
            ended = True
        except PowerCut:
            pass
        finally:
            disarm()
        device.start()
        assert device.settings.read_text() == GOOD
        assert config.load(device.settings).mqtt.host == "broker.example"
        assert device.left() <= {"scanner-taken.txt"}
        shutil.rmtree(device.boot.parent)
        number += 1
    assert number > 10


def test_after_a_wipe_the_card_does_not_tell_what_was_taken(device: Device) -> None:
    written(device)
    device.start()
    device.start()
    assert device.left() == {"scanner-taken.txt"}
    words = ["wipe", "--yes", "--config", device.settings, "--data", device.etc / "data"]
    assert main([str(word) for word in words]) == 0
    device.start()
    assert device.left() == set()


WRONG = {
    "a key that does not exist": ("scanner.toml", b"[mqtt]\nhots = 1\n", "mqtt.*hots"),
    "no TOML": ("scanner.toml", b"[mqtt\n", "not valid TOML"),
    "not UTF-8": ("scanner.toml", b"\xff\xfe[\x00", "not text in UTF-8"),
    "nothing but zeros": ("scanner.toml", bytes(4096), "a line of more than|not valid TOML"),
    "an enrolment that was changed": (
        "enrolment.txt", enrolment().replace("broker.example", "broker.exampla").encode(),
        "signature is wrong",
    ),
    "half an enrolment": ("enrolment.txt", enrolment()[:200].encode(), "enrolment"),
    "a picture of something else": (
        "enrolment.png",
        base64.b64decode(
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU"
            "5ErkJggg=="
        ),
        "no QR code",
    ),
    "a picture cut short": ("enrolment.png", b"\x89PNG\r\n\x1a\n", "cannot be read as a picture"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_stays_changes_nothing_and_is_explained(what: str, device: Device) -> None:
    name, content, reason = WRONG[what]
    device.etc.mkdir()
    device.settings.write_text(GOOD)
    (device.boot / name).write_bytes(content)
    device.start()
    assert device.settings.read_text() == GOOD
    assert sorted(p.name for p in device.etc.iterdir()) == ["scanner.toml"]
    assert (device.boot / name).read_bytes() == content
    assert device.left() == {name, "scanner-problem.txt"}
    assert re.search(reason, device.problem())
    assert name in device.problem()
    assert str(device.boot) not in device.problem()


def test_the_good_one_of_two_is_taken(device: Device) -> None:
    (device.boot / "scanner.toml").write_text("[nothing]\n")
    written(device)
    device.start()
    assert device.left() == {"scanner.toml", "scanner-taken.txt", "scanner-problem.txt"}
    assert config.load(device.settings).mqtt.host == "broker.example"


def test_once_put_right_the_explanation_goes(device: Device) -> None:
    (device.boot / "scanner.toml").write_text("[nothing]\n")
    device.start()
    assert "scanner-problem.txt" in device.left()
    (device.boot / "scanner.toml").write_text(GOOD)
    device.start()
    assert device.left() == {"scanner-taken.txt"}


def test_another_campaign_later_needs_its_fingerprint(device: Device) -> None:
    written(device)
    device.start()
    (device.boot / "enrolment.txt").write_text(enrolment(OTHER, "2026-11-02"))
    device.start()
    assert "another campaign" in device.problem()
    (device.boot / "fingerprint.txt").write_text("0000 1111\n")
    device.start()
    assert "fingerprint is another one" in device.problem()
    (device.boot / "fingerprint.txt").write_text(signing.fingerprint(bytes(OTHER.verify_key)))
    device.start()
    assert device.left() == {"scanner-taken.txt"}


def test_an_older_enrolment_is_not_taken_back(device: Device) -> None:
    (device.boot / "enrolment.txt").write_text(enrolment(made="2026-11-05"))
    device.start()
    written(device)
    device.start()
    assert "older than the one you have" in device.problem()


def test_the_lamp_blinks_the_code_for_trouble_and_is_given_back(device: Device) -> None:
    (device.boot / "scanner.toml").write_text("[nothing]\n")
    program = [sys.executable, "-m", "scanner", "firstboot", "--boot", str(device.boot)]
    program += ["--config", str(device.settings), "--leds", str(device.lamp.parent)]
    seen: set[str] = set()
    with subprocess.Popen([*program, "--blink-s", "3"], stdout=subprocess.DEVNULL) as running:
        while running.poll() is None:
            seen.add((device.lamp / "brightness").read_text() or "0")
            time.sleep(0.02)
    assert seen == {"0", "1"}
    assert (device.lamp / "brightness").read_text() == "0"
    assert (device.lamp / "trigger").read_text() == "mmc0"


def test_what_the_lamp_shows_is_the_panels_code(tmp_path: Path) -> None:
    # Long, short: one dash and one dot, and then dark again.
    assert [bool(levels(State.TROUBLE, at).lamps) for at in (0.5, 1.2, 1.4, 1.6)] == [
        True, False, True, False,
    ]  # fmt: skip
    BoardLamp(tmp_path).show(State.TROUBLE, 0.01)  # a board without a lamp
