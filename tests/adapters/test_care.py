"""What is told of parts that are lost, to whom, and how often."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from scanner.hardware.board import Board, Service
from scanner.hardware.gpsd import GpsdPositions
from scanner.hardware.picamera import PicameraFrames
from scanner.hardware.tflite import TfliteDetector, shipped_model
from scanner.replay.lens import Board as LensBoard
from scanner.walking import GRACE_S, TELL_S, Care

TILE = np.zeros((320, 320, 3), np.uint8)


class Shown:
    """A panel that remembers."""

    def __init__(self) -> None:
        self.states: list[tuple[str, str]] = []

    def show(self, state: str, detail: str = "") -> None:
        self.states.append((state, detail))

    def close(self) -> None:
        pass


class Cared:
    """Parts with a care for them."""

    def __init__(self, folder: Path) -> None:
        self.plugged = True
        self.epochs = ["2090-Q1", "2026-Q1"]
        self.panel = Shown()
        self.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.systemd.bind(str(folder / "notify"))
        self.systemd.setblocking(False)
        self.service = Service({"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "4"})
        self.lens = PicameraFrames(
            64, 48, rate=50, open_camera=LensBoard(plugged=lambda: self.plugged, sleep=None)
        )
        self.detector = TfliteDetector(shipped_model())
        self.positions = GpsdPositions(str(folder / "nobody.sock"), sigma_m=4.0)
        zone = folder / "sys/class/thermal/thermal_zone0"
        zone.mkdir(parents=True)
        self.temperature = zone / "temp"
        self.temperature.write_text("40000")
        self.care = Care(
            self.panel,
            self.service,
            lens=self.lens,
            detector=self.detector,
            positions=self.positions,
            board=Board(folder),
            epochs=self.epochs,
        )

    def words(self) -> list[str]:
        words = []
        try:
            while True:
                words.append(self.systemd.recv(4096).decode())
        except BlockingIOError:
            return words

    def close(self) -> None:
        self.lens.close()
        self.positions.close()
        self.service.close()
        self.systemd.close()


@pytest.fixture
def cared(tmp_path: Path) -> Iterator[Cared]:
    one = Cared(tmp_path)
    yield one
    one.close()


def test_all_is_well_once_frames_come(cared: Cared) -> None:
    next(cared.lens.frames())
    frames = cared.lens.frames()
    next(frames)
    assert cared.care.troubles() == {}
    cared.care.tick()
    assert cared.panel.states == []
    assert cared.words() == ["STATUS=looking"]


def test_a_missing_lens_and_heat_are_told_by_name(cared: Cared) -> None:
    cared.temperature.write_text("84000")
    assert set(cared.care.troubles()) == {"lens", "heat"}
    cared.care.tick()
    assert cared.panel.states[0] == ("lens", "not opened yet")
    assert cared.panel.states[1][0] == "heat"
    assert "84 degrees" in cared.words()[0]


def test_keys_that_have_run_out_are_told(cared: Cared) -> None:
    assert "trouble" not in cared.care.troubles()
    cared.care._epochs[0] = "2026-02"
    assert cared.care.troubles()["trouble"] == "the hub's last key was for 2026-Q1"


def test_a_trouble_is_told_again_while_it_lasts_but_not_at_every_tick(cared: Cared) -> None:
    for _ in range(100):
        cared.care.tick()
    assert [state for state, _ in cared.panel.states] == ["lens"]
    assert TELL_S < 16  # a panel forgets a trouble after so many seconds


def test_a_receiver_has_a_while_to_be_heard(cared: Cared) -> None:
    assert "gnss" not in cared.care.troubles()
    cared.care._began_s = time.monotonic() - GRACE_S
    assert "nobody.sock" in cared.care.troubles()["gnss"]


def test_the_watchdog_is_fed_after_an_inference_only(cared: Cared) -> None:
    cared.care.looked()
    assert "WATCHDOG=1" not in cared.words()
    cared.detector.infer(TILE)
    cared.care.looked()
    assert "WATCHDOG=1" in cared.words()
    cared.care.looked()
    assert "WATCHDOG=1" not in cared.words()
