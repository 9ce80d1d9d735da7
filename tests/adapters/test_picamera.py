"""The lens on a camera that behaves like picamera2's: formats, buffers, time, a pulled cable.

The real picamera2 and libcamera are behind `make test-lens`.
"""

import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from scanner.errors import DeviceError
from scanner.frame import Frame
from scanner.hardware import picamera
from scanner.hardware.picamera import BUFFERS, PicameraFrames, boot_from_monotonic_ns
from scanner.hardware.rasters import pixels_of, rgb_of
from scanner.replay.lens import EXPOSURE_US, FORMATS, Board, write, yuv_of

RNG = np.random.default_rng(3)


def smooth(width: int, height: int) -> np.ndarray:
    """Colours that change slowly, so that halving the chroma costs little."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([x, y, 255 - x / 2 - y / 2], axis=2).astype(np.uint8)


@pytest.mark.parametrize("form", ["BGR888", "RGB888", "XBGR8888", "XRGB8888", "YUV420", "NV12"])
@pytest.mark.parametrize("padding", [0, 10])
def test_each_format_gives_the_picture_that_was_exposed(form: str, padding: int) -> None:
    picture = smooth(64, 48)
    count = {"B": 3, "R": 3, "X": 4}.get(form[0], 1)
    stream = {"format": form, "size": (64, 48), "stride": 64 * count + padding}
    data = np.zeros(stream["stride"] * 48 * 2, np.uint8)
    write(data, picture, stream)
    pixels = pixels_of(data, form, (64, 48), stream["stride"])
    assert pixels.shape == (48, 64, 3)
    off = np.abs(pixels.astype(int) - picture)
    assert off.max() <= (0 if count > 1 else 8)
    assert np.shares_memory(pixels, data) == (count > 1)  # packed ones are views


@pytest.mark.parametrize(
    ("space", "yuv", "rgb"),
    [
        # Pure red, as the standards' own matrices give it.
        ("sYCC", (76, 85, 255), (255, 0, 0)),
        ("SMPTE170M", (81, 90, 240), (255, 0, 0)),
        ("Rec709", (63, 102, 240), (255, 0, 0)),
        ("Rec709/Rec709/Rec709/Limited", (63, 102, 240), (255, 0, 0)),
        ("Rec709", (235, 128, 128), (255, 255, 255)),
        ("sYCC", (235, 128, 128), (235, 235, 235)),
        ("something new", (235, 128, 128), (235, 235, 235)),
    ],
)
def test_colour_spaces_are_told_apart(
    space: str, yuv: tuple[int, int, int], rgb: tuple[int, int, int]
) -> None:
    y, u, v = (np.full(shape, value, np.uint8) for shape, value in zip(
        ((2, 2), (1, 1), (1, 1)), yuv, strict=True))  # fmt: skip
    assert np.abs(rgb_of(y, u, v, space).astype(int) - rgb).max() <= 3


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(DeviceError, match="the lens gives MJPEG"):
        pixels_of(np.zeros(100, np.uint8), "MJPEG", (4, 4), 4)


def test_yuv_of_grey_is_grey() -> None:
    y, u, v = yuv_of(np.full((4, 4, 3), 77, np.uint8))
    assert (set(y.flat), set(u.flat), set(v.flat)) == ({77}, {128}, {128})


def lens(board: Board, **more: object) -> PicameraFrames:
    return PicameraFrames(64, 48, rate=50, open_camera=board, **more)


def test_the_small_stream_shows_the_same_at_half_the_size() -> None:
    source = lens(Board(picture=lambda _n, w, h: smooth(w, h), sleep=None))
    frame = next(source.frames())
    assert frame.small
    assert frame.small().shape == (24, 32, 3)
    halved = frame.pixels.reshape(24, 2, 32, 2, 3).mean(axis=(1, 3))
    assert np.abs(frame.small() - halved).max() < 16
    source.close()


def test_a_frame_is_a_view_and_its_buffer_is_held_for_one_turn() -> None:
    """Far more frames than buffers pass, each kept by nobody but the loop."""
    board = Board(sleep=None)
    source = lens(board)
    addresses = set()
    for frame in itertools.islice(source.frames(), 10 * BUFFERS):
        assert not frame.pixels.flags.owndata
        assert not frame.pixels.flags.writeable
        addresses.add(frame.pixels.__array_interface__["data"][0])
    assert len(addresses) == BUFFERS
    source.close()
    assert not board.taken


def test_a_frame_kept_for_too_long_stays_readable_after_the_camera_is_closed() -> None:
    source = lens(Board(sleep=None))
    frames = source.frames()
    kept = next(frames)
    source.close()
    assert kept.pixels.mean() > 0
    assert list(frames) == []


def test_times_are_those_of_the_boot_clock_at_the_start_of_exposure() -> None:
    board = Board()
    source = lens(board)
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    frames = list(itertools.islice(source.frames(), 5))
    after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    source.close()
    assert before - 50_000_000 < frames[0].at_ns < frames[-1].at_ns < after
    first_ns = board.sensor_ns - 5 * 20_000_000 + boot_from_monotonic_ns()
    assert abs(frames[0].at_ns - first_ns) < 200_000_000
    assert (frames[1].at_ns - frames[0].at_ns) % 20_000_000 == 0
    assert EXPOSURE_US > 0  # the sensor says when it was read out, so this was taken off


def test_the_exposure_is_taken_off_the_time_of_reading_out() -> None:
    board = Board(sleep=None)
    begun_ns = board.sensor_ns
    source = lens(board)
    assert next(source.frames()).at_ns == begun_ns + boot_from_monotonic_ns()
    source.close()


def test_a_camera_with_a_rate_of_its_own_is_thinned() -> None:
    source = PicameraFrames(
        64, 48, rate=5, open_camera=Board("virtual", sleep=None, ignores_rate=True)
    )
    times = [f.at_ns for f in itertools.islice(source.frames(), 20)]
    source.close()
    steps = np.diff(times) / 1e6
    assert steps.min() >= 160
    assert steps.max() <= 200.1


@pytest.mark.parametrize("model", sorted(FORMATS))
def test_the_whole_width_of_the_lens_is_asked_for(model: str) -> None:
    board = Board(model, sleep=None)
    source = PicameraFrames(1280, 720, rate=5, open_camera=board)
    assert next(source.frames()).pixels.shape == (720, 1280, 3)
    source.close()
    # The mode nearest in size, 1536x864, is cut from the sensor's middle.
    whole = {"output_size": (2304, 1296), "bit_depth": 10}
    assert board.config["sensor"] == (None if model == "virtual" else whole)
    assert board.config["lores"] == {"format": "YUV420", "size": (640, 360)}
    asked = board.config["controls"]
    assert asked["FrameDurationLimits"] == (200_000, 200_000)
    assert ("AeExposureMode" in asked) == (model != "virtual")


class Cable:
    """Can be pulled and put back."""

    def __init__(self) -> None:
        self.plugged = True

    def __call__(self) -> bool:
        return self.plugged


class Impatience:
    """Notes what the lens says while it waits; pulls back or stops when told to."""

    def __init__(self, cable: Cable, *, replug_after: int | None) -> None:
        self._cable = cable
        self._replug_after = replug_after
        self.asked = 0
        self.states: list[str] = []
        self.source: PicameraFrames | None = None

    def __call__(self) -> bool:
        if self.source and not self.source.seeing:
            self.asked += 1
            self.states.append(self.source.state)
            if self._replug_after is not None and self.asked > self._replug_after:
                self._cable.plugged = True
        return self._replug_after is None and self.asked > 4


@pytest.mark.parametrize("model", ["pi4", "virtual"])
def test_a_pulled_lens_is_told_and_found_again(model: str) -> None:
    cable = Cable()
    waiting = Impatience(cable, replug_after=3)
    source = lens(Board(model, plugged=cable), waiting=waiting)
    waiting.source = source
    frames: Iterator[Frame] = source.frames()
    before = [next(frames) for _ in range(3)]
    assert source.state == "lens: seeing"
    cable.plugged = False
    start = time.monotonic()
    after = [next(frames) for _ in range(3)]
    assert time.monotonic() - start < 10
    assert [f.number for f in before + after] == list(range(6))
    assert all(a.at_ns < b.at_ns for a, b in itertools.pairwise(before + after))
    assert any("lost: no frame for 3 s" in s for s in waiting.states)
    assert source.seeing
    source.close()


def test_without_a_lens_it_waits_until_told_to_stop() -> None:
    cable = Cable()
    cable.plugged = False
    waiting = Impatience(cable, replug_after=None)
    waiting.source = source = lens(Board(plugged=cable), waiting=waiting)
    assert list(source.frames()) == []
    assert source.state == "lens: lost: No camera number 0 found"


def test_a_lens_that_another_program_holds_is_taken_once_it_is_free() -> None:
    board = Board(sleep=None)
    other = board(0)
    source = lens(board, waiting=lambda: bool(source.state.count("busy") and other.close()))
    assert next(source.frames()).number == 0
    source.close()


def test_stopping_is_heard_between_frames() -> None:
    told = []
    source = lens(Board(), waiting=lambda: bool(told))
    for frame in source.frames():
        if frame.number == 2:
            told.append(True)
    assert frame.number == 2


def test_a_machine_without_picamera2_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['picamera2'] = None\n"
        "from scanner.hardware.picamera import PicameraFrames\n"
        "list(PicameraFrames(64, 48, rate=5).frames())"
    )
    root = Path(picamera.__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=root
    )
    assert "DeviceError: the lens needs picamera2" in result.stderr
    assert "apt install python3-picamera2" in result.stderr
