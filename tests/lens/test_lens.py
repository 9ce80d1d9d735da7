"""The real picamera2 on the real libcamera, with its virtual camera: `make test-lens`.

What only hardware has is not here: an image processor (these frames come as NV12), padded rows,
exposure, heat. See docs/bring-up.md.
"""

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scanner.frame import Frame, Pixels
from scanner.hardware.picamera import PicameraFrames
from scanner.replay.frames import VideoFrames
from tests.helpers.live import Watch
from tests.helpers.waiting import until
from tests.lens.picamera2_virtual import open_virtual

ROOT = Path(__file__).parents[2]
FRAMES = Path("/usr/share/libcamera/frames")  # as virtual.yaml says
COUNT = 5


@pytest.fixture(scope="session", autouse=True)
def pictures() -> list[Pixels]:
    """A few frames of the demo's walk lie before the camera; what it should show of them."""
    FRAMES.mkdir(parents=True, exist_ok=True)
    source = VideoFrames(ROOT / "scanner/demo/walk.mp4")
    for number, frame in enumerate(itertools.islice(source.frames(), 0, 20 * COUNT, 20)):
        Image.fromarray(frame.pixels).save(FRAMES / f"{number}.jpg", quality=95)
    source.close()
    shown = [np.asarray(Image.open(FRAMES / f"{n}.jpg").convert("RGB")) for n in range(COUNT)]
    # The five must be apart from each other by more than the test below allows.
    for a, b in itertools.combinations(shown, 2):
        assert apart(a, b) > 8
    return shown


def apart(a: Pixels, b: Pixels) -> float:
    return float(np.abs(a.astype(np.int16) - b).mean())


@pytest.fixture
def lens() -> Iterator[PicameraFrames]:
    source = PicameraFrames(1280, 720, rate=5, open_camera=open_virtual)
    yield source
    source.close()


def test_the_pictures_before_the_camera_are_what_is_seen(
    lens: PicameraFrames, pictures: list[Pixels]
) -> None:
    seen = set()
    for frame in itertools.islice(lens.frames(), 8):
        offs = [apart(frame.pixels, picture) for picture in pictures]
        assert min(offs) < 2, offs  # JPEG and NV12 round
        which = int(np.argmin(offs))
        seen.add(which)
        assert frame.small
        halved = pictures[which].reshape(360, 2, 640, 2, 3).mean(axis=(1, 3))
        assert apart(frame.small(), halved.astype(np.uint8)) < 8
    assert len(seen) > 1
    assert lens.state == "lens: seeing"


def test_frames_are_numbered_in_time_and_thinned(lens: PicameraFrames) -> None:
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    frames: list[Frame] = []
    for frame in itertools.islice(lens.frames(), 10):
        frames.append(Frame(frame.number, frame.at_ns, frame.pixels[:1, :1].copy()))
        assert not frame.pixels.flags.writeable or frame.pixels.flags.owndata
    after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert [f.number for f in frames] == list(range(10))
    steps = np.diff([f.at_ns for f in frames]) / 1e6
    assert steps.min() >= 160
    assert before < frames[0].at_ns < frames[-1].at_ns < after


def test_far_more_frames_than_buffers_pass(lens: PicameraFrames) -> None:
    lens = PicameraFrames(640, 360, rate=30, open_camera=open_virtual)
    assert len(list(itertools.islice(lens.frames(), 60))) == 60
    lens.close()


def test_a_camera_that_falls_silent_is_opened_again(lens: PicameraFrames) -> None:
    frames = lens.frames()
    first = next(frames)
    lens._camera.camera.stop()  # behind picamera2's back: no request completes any more
    start = time.monotonic()
    again = next(frames)
    assert time.monotonic() - start < 10
    assert again.number == first.number + 1
    assert again.at_ns > first.at_ns
    assert first.pixels.mean() > 0  # kept over the closing of its camera


def test_it_can_be_closed_and_opened_in_one_process() -> None:
    for _ in range(3):
        lens = PicameraFrames(1280, 720, rate=5, open_camera=open_virtual)
        assert next(lens.frames()).pixels.shape == (720, 1280, 3)
        lens.close()
        lens.close()


SHIM = """
import sys
sys.path = [p for p in sys.path if not p.startswith({folder!r})]
del sys.modules["picamera2"]
import picamera2
sys.path.insert(0, {here!r})
from picamera2_virtual import open_virtual
picamera2.Picamera2 = open_virtual
"""


def test_watch_captures_from_behind_its_wall(tmp_path: Path) -> None:
    """A real `scanner watch`: libcamera is started after the door has been closed."""
    packages = tmp_path / "site-packages"
    folder = tmp_path / "here" / "site-packages"
    folder.mkdir(parents=True)
    (folder / "picamera2_virtual.py").write_text(
        Path(__file__).with_name("picamera2_virtual.py").read_text()
    )
    shim = SHIM.format(folder=str(packages), here=str(folder))
    with Watch(tmp_path, module=shim, packages=[folder]) as watch:
        until(lambda: watch.heard("WATCHDOG=1"), timeout_s=90)
        assert watch.heard("READY=1")
        status = Path(f"/proc/{watch.process.pid}/status").read_text()
        assert "Seccomp:\t2" in status
        watch.pause(4)
        counts = json.loads(watch.end())
    assert counts["frames"] > 5, watch.log.read_text()
