"""The lens on the board itself."""

import itertools
import time

import numpy as np
import pytest

from scanner.hardware.picamera import BUFFERS, PicameraFrames


@pytest.mark.parametrize("size", [(1280, 720), (1296, 730), (1536, 864)])
def test_frames_come_upright_in_colour_and_in_time(size: tuple[int, int]) -> None:
    lens = PicameraFrames(*size, rate=5)
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    for frame in itertools.islice(lens.frames(), 4 * BUFFERS):
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        assert frame.pixels.shape == (size[1], size[0], 3)
        assert before - 300_000_000 < frame.at_ns < now
        assert now - frame.at_ns < 600_000_000
        assert frame.small
        small = frame.small()
        assert small.shape == (size[1] // 2, size[0] // 2, 3)
        # The same picture in both streams: a wrong order or stride would be far off.
        halved = frame.pixels[::2, ::2].astype(float)[: small.shape[0], : small.shape[1]]
        assert np.abs(halved.mean(axis=(0, 1)) - small.mean(axis=(0, 1))).max() < 12
        print(f"red green blue {frame.pixels.mean(axis=(0, 1)).round()}")
        assert not frame.pixels.flags.owndata  # a view: nothing was copied
    sensor = lens._camera.camera_configuration()["sensor"]
    crop = lens._camera.camera_properties["ScalerCropMaximum"]
    print(f"sensor {sensor}, crop {crop}")
    lens.close()


def test_it_can_be_closed_and_opened_again() -> None:
    for _ in range(3):
        lens = PicameraFrames(1280, 720, rate=5)
        assert next(lens.frames()).pixels.mean() > 0
        lens.close()
