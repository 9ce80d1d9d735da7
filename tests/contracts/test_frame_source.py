"""Promises of ports.FrameSource, kept by videos, folders, the lens and the stand-in."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from scanner.frame import Frame
from scanner.hardware.picamera import PicameraFrames
from scanner.ports import FrameSource
from scanner.replay.frames import FolderFrames, VideoFrames
from scanner.replay.lens import Board
from scanner.replay.standins import ScriptedFrames
from tests.helpers.media import write_pictures, write_video


@pytest.fixture(params=["video", "folder", "scripted", "pi4", "pi5", "virtual"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> FrameSource:
    if request.param == "video":
        return VideoFrames(write_video(tmp_path / "v.mp4", count=12, rate=4))
    if request.param == "folder":
        return FolderFrames(write_pictures(tmp_path, count=12), rate=4)
    if request.param == "scripted":
        plain = np.full((48, 64, 3), (200, 40, 10), np.uint8)
        return ScriptedFrames(Frame(n, n * 250_000_000, plain) for n in range(12))
    board = Board(request.param, sleep=None)
    return PicameraFrames(64, 48, rate=4, open_camera=board)


def test_frames_are_numbered_and_their_times_rise(source: FrameSource) -> None:
    frames = list(itertools.islice(source.frames(), 12))  # a lens has no end
    assert [f.number for f in frames] == list(range(12))
    assert all(a.at_ns < b.at_ns for a, b in itertools.pairwise(frames))
    assert frames[-1].at_ns - frames[0].at_ns == pytest.approx(11 / 4 * 1e9, rel=0.01)
    source.close()


def test_pixels_are_rgb_bytes(source: FrameSource) -> None:
    frame = next(iter(source.frames()))
    assert frame.pixels.dtype == np.uint8
    assert frame.pixels.shape == (48, 64, 3)
    assert np.abs(frame.pixels[40, 40].astype(int) - (200, 40, 10)).max() <= 6
    source.close()


def test_closing_twice_is_no_error(source: FrameSource) -> None:
    source.close()
    source.close()
