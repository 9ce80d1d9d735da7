"""The board itself."""

import subprocess

from scanner.hardware.board import THROTTLED, Board


def test_it_tells_its_temperature_as_the_firmware_does() -> None:
    told = subprocess.run(
        ["vcgencmd", "measure_temp"], capture_output=True, text=True, check=True
    ).stdout
    celsius = float(told.partition("=")[2].partition("'")[0])
    mine = Board().read().temperature_c
    assert mine is not None
    assert abs(mine - celsius) < 3


def test_it_tells_of_throttling_as_the_firmware_does() -> None:
    board = Board()
    assert board._throttled, f"none of {THROTTLED} on this kernel"
    told = subprocess.run(
        ["vcgencmd", "get_throttled"], capture_output=True, text=True, check=True
    ).stdout
    bits = int(told.partition("=")[2], 16)
    reading = board.read()
    assert reading.was_under_voltage == bool(bits & 0x10001)
    assert reading.throttled == bool(bits & 0xE)
