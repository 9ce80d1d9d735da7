"""Promises of ports.FrameSource, kept by videos, folders and the stand-in."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from scanner.frame import Frame
from scanner.ports import FrameSource
from scanner.replay.frames import FolderFrames, VideoFrames
from scanner.replay.standins import ScriptedFrames
from tests.helpers.media import write_pictures, write_video


@pytest.fixture(params=["video", "folder", "scripted"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> FrameSource:
    if request.param == "video":
        return VideoFrames(write_video(tmp_path / "v.mp4", count=12, rate=4))
    if request.param == "folder":
        return FolderFrames(write_pictures(tmp_path, count=12), rate=4)
    blank = np.zeros((48, 64, 3), np.uint8)
    return ScriptedFrames(Frame(n, n * 250_000_000, blank) for n in range(12))


def test_frames_are_numbered_and_their_times_rise(source: FrameSource) -> None:
    frames = list(source.frames())
    assert [f.number for f in frames] == list(range(12))
    assert frames[0].at_ns == 0
    assert all(a.at_ns < b.at_ns for a, b in itertools.pairwise(frames))
    assert frames[-1].at_ns == pytest.approx(11 / 4 * 1e9, rel=0.01)
    source.close()


def test_pixels_are_rgb_bytes(source: FrameSource) -> None:
    frame = next(iter(source.frames()))
    assert frame.pixels.dtype == np.uint8
    assert frame.pixels.shape == (48, 64, 3)
    source.close()


def test_closing_twice_is_no_error(source: FrameSource) -> None:
    source.close()
    source.close()
