"""Broken pictures and videos: named in one line, and nothing before them is lost."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scanner.errors import MediaError
from scanner.frame import Frame
from scanner.replay.frames import FolderFrames, VideoFrames, open_frames, read_picture
from tests.helpers.media import picture, write_pictures, write_video


def test_a_file_that_is_no_video_says_so(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    path.write_bytes(b"not a video" * 100)
    with pytest.raises(MediaError, match="not a video"):
        VideoFrames(path)


def test_a_missing_video_says_so(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no such file"):
        open_frames(tmp_path / "none.mp4")


def test_a_video_cut_off_in_the_middle_gives_what_it_has(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.ts", count=100, rate=10, width=320, height=240)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    source = VideoFrames(path)
    count = sum(1 for _ in _until_damaged(source))
    source.close()
    assert 10 < count < 100


def _until_damaged(source: VideoFrames) -> Iterator[Frame]:
    with contextlib.suppress(MediaError):
        yield from source.frames()


def test_a_video_is_thinned_to_the_rate(tmp_path: Path) -> None:
    source = VideoFrames(write_video(tmp_path / "v.mp4", count=60, rate=30), rate=5)
    times = [f.at_ns / 1e9 for f in source.frames()]
    source.close()
    assert len(times) == pytest.approx(10, abs=1)
    assert np.diff(times).min() >= 0.19


def test_colours_come_out_in_order(tmp_path: Path) -> None:
    source = VideoFrames(write_video(tmp_path / "v.mp4", count=2, rate=2))
    red, green, blue = next(source.frames()).pixels[-8:, -8:].reshape(-1, 3).mean(axis=0)
    source.close()
    assert red > 150 > green
    assert green > blue


def test_a_broken_picture_in_a_folder_is_set_aside(tmp_path: Path) -> None:
    write_pictures(tmp_path, count=5)
    (tmp_path / "2.png").write_bytes(b"\x89PNG\r\n broken")
    source = FolderFrames(tmp_path)
    assert [f.number for f in source.frames()] == [0, 1, 3, 4]
    assert len(source.skipped) == 1
    assert "2.png" in source.skipped[0]


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="holds no pictures"):
        open_frames(tmp_path)


@pytest.mark.parametrize("keep", [0, 20, 400])
def test_a_cut_off_picture_says_so(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "p.jpg"
    Image.fromarray(picture(0, 320, 240)).save(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(MediaError):
        read_picture(path)


def test_pictures_are_turned_as_their_exif_says(tmp_path: Path) -> None:
    path = tmp_path / "p.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    Image.fromarray(picture(0, 64, 48)).save(path, exif=exif)
    assert read_picture(path).shape == (64, 48, 3)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "1"])
def test_every_colour_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("p.jpg" if mode == "CMYK" else "p.png")
    Image.new(mode, (10, 8)).save(path)
    assert read_picture(path).shape == (8, 10, 3)
