"""The lens: a Raspberry Pi camera through picamera2, lost and found again.

Two streams of one exposure: ``main`` at full size for native tiles, ``lores`` at half of it for
coarse ones, which the image processor makes for nothing. A frame's pixels are a view into the
buffer that the hardware filled; the buffer goes back to the camera when the next frame is asked
for, so one of ``BUFFERS`` is held for one turn of the loop. The memory is mapped here, not by
picamera2: a view that someone still holds when the camera is closed stays readable.
"""

import concurrent.futures
import mmap
import os
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scanner.errors import DeviceError
from scanner.frame import Frame, Pixels
from scanner.hardware.live import FIRST_PAUSE_S, LONGEST_PAUSE_S
from scanner.hardware.rasters import pixels_of

BUFFERS: Final = 4  # one looked at, one complete and waiting, two being filled
LOST_S: Final = 3.0  # without a frame: libcamera itself gives up a silent sensor after about 1 s
FIRST_S: Final = 7.0  # the same for the first frame: sensor and image processor must start
POLL_S: Final = 0.25  # how soon a wish to stop is heard while there is no frame
MAIN_FORMAT: Final = "BGR888"  # libcamera names the bytes from the highest: red comes first
LORES_FORMAT: Final = "YUV420"  # all that the image processor of Pi 4 and Zero 2 W gives beside it
EARLY: Final = 0.8  # of a frame's time: what comes sooner was not asked for
SEEING: Final = "seeing"
CLOCK_STEP_NS: Final = 1_000_000  # less is the time between reading one clock and the other
HINT: Final = (
    "sudo apt install python3-picamera2, and a venv with --system-site-packages; "
    "or --source VIDEO for a recorded walk"
)
# What picamera2 and libcamera raise when a camera is missing, taken, stuck or pulled out.
LOST: Final = (OSError, RuntimeError, LookupError, concurrent.futures.CancelledError)


def picamera2(number: int) -> Any:
    """The camera of that number, opened; raises DeviceError without picamera2, LOST without it."""
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:ERROR")
    try:
        from picamera2 import Picamera2  # noqa: PLC0415 - only a Pi has it
    except ImportError as e:
        raise DeviceError(f"the lens needs picamera2: {e}", hint=HINT) from e
    return Picamera2(number)


class PicameraFrames:
    """Frames of a live camera, ``rate`` a second at most, until told to stop.

    ``at_ns`` is the boot clock at the start of exposure. A camera that is missing, or silent for
    LOST_S, is opened again and again; ``state`` says so. ``waiting`` is called several times a
    second while there is no frame; when it returns True, the frames end. ``open_camera`` gives an
    object with the face of ``picamera2.Picamera2``.
    """

    def __init__(
        self,
        width_px: int,
        height_px: int,
        *,
        rate: float,
        number: int = 0,
        waiting: Callable[[], bool] = lambda: False,
        open_camera: Callable[[int], Any] = picamera2,
    ) -> None:
        self._size = (width_px, height_px)
        self._step_ns = int(1e9 / rate)
        self._number = number
        self._waiting = waiting
        self._open_camera = open_camera
        self._camera: Any = None
        self._request: Any = None
        self._mapped: dict[int, NDArray[np.uint8]] = {}
        self._offset_ns = 0
        self._closed = False
        self._pause_s = FIRST_PAUSE_S
        self._last_ns = -1
        self._state = "not opened yet"

    @property
    def state(self) -> str:
        """One line for people: what is wrong with the lens, or that it sees."""
        return f"lens: {self._state}"

    @property
    def seeing(self) -> bool:
        """Whether frames come."""
        return self._state == SEEING

    def frames(self) -> Iterator[Frame]:
        """Yield frames until told to stop; a frame may be used until the next is asked for."""
        count = 0
        while not self._over():
            try:
                self._open()
                for frame in self._stream():
                    yield Frame(count, frame.at_ns, frame.pixels, frame.small)
                    count += 1
            except DeviceError:
                raise
            except LOST as e:
                self._state = f"lost: {_reason(e)}"
            finally:
                self._shut()
            self._rest()

    def close(self) -> None:
        """Let go of the camera; may be called twice."""
        self._closed = True
        self._shut()

    def _over(self) -> bool:
        return self._closed or self._waiting()

    def _rest(self) -> None:
        """Wait before the camera is opened again, longer each time that brings no frame."""
        until = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        while time.monotonic() < until and not self._over():
            time.sleep(min(POLL_S, max(0.0, until - time.monotonic())))

    def _open(self) -> None:
        self._camera = camera = self._open_camera(self._number)
        width, height = self._size
        step_us = self._step_ns // 1000
        wanted = {
            "FrameDurationLimits": (step_us, step_us),
            # Short exposures before low noise: the wearer walks.
            "AeExposureMode": 1,
        }
        config = camera.create_preview_configuration(  # in sYCC, whatever the size
            main={"format": MAIN_FORMAT, "size": (width, height)},
            lores={"format": LORES_FORMAT, "size": (width // 2, height // 2)},
            buffer_count=BUFFERS,
            queue=True,
            display=None,
            encode=None,
            controls={k: v for k, v in wanted.items() if k in camera.camera_controls},
        )
        mode = full_view(camera, width)
        if mode:
            config["sensor"] = {"output_size": mode["size"], "bit_depth": mode["bit_depth"]}
        camera.configure(config)
        self._offset_ns = boot_from_monotonic_ns()
        camera.start()

    def _shut(self) -> None:
        self._release()
        camera, self._camera = self._camera, None
        self._mapped.clear()
        if camera is None:
            return
        try:
            camera.cancel_all_and_flush()  # a job that waits for a frame would hold up the stop
            camera.close()
        except LOST as e:
            self._state = f"lost: {_reason(e)}"

    def _release(self) -> None:
        request, self._request = self._request, None
        if request is not None:
            request.release()

    def _stream(self) -> Iterator[Frame]:
        """Frames of the open camera; raises one of LOST when no more come."""
        while self._next():
            try:
                at_ns = self._at_ns(self._request.get_metadata())
                if at_ns < self._last_ns + (EARLY * self._step_ns if self._last_ns >= 0 else 0):
                    continue
                frame = self._frame(at_ns)
                self._last_ns = at_ns
                self._state = SEEING
                self._pause_s = FIRST_PAUSE_S
                yield frame
            finally:
                self._release()

    def _next(self) -> bool:
        """Wait for a request; False when told to stop."""
        if self._over():
            return False
        job = self._camera.capture_request(wait=False)
        patience_s = LOST_S if self.seeing else FIRST_S
        silent_from = time.monotonic() + patience_s
        while True:
            try:
                self._request = job.get_result(timeout=POLL_S)
            except TimeoutError:
                if time.monotonic() > silent_from:
                    raise TimeoutError(f"no frame for {patience_s:g} s") from None
                if self._over():
                    return False
                continue
            return True

    def _at_ns(self, metadata: Mapping[str, Any]) -> int:
        """Boot clock when the exposure began: the sensor's time stamp is that of reading out."""
        exposure_ns = 1000 * int(metadata.get("ExposureTime", 0))
        return int(metadata["SensorTimestamp"]) - exposure_ns + self._offset_ns

    def _frame(self, at_ns: int) -> Frame:
        config = self._camera.camera_configuration()
        main = self._pixels("main", config)()
        small = config.get("lores")
        halved = small and tuple(2 * n for n in small["size"]) == (main.shape[1], main.shape[0])
        return Frame(0, at_ns, main, self._pixels("lores", config) if halved else None)

    def _pixels(self, name: str, config: Mapping[str, Any]) -> Callable[[], Pixels]:
        """What makes pixels of a stream of the request at hand."""
        stream = config[name]
        memory = self._memory(self._request.request.buffers[self._camera.stream_map[name]])
        size, space = tuple(stream["size"]), str(config.get("colour_space"))
        return partial(pixels_of, memory, stream["format"], size, stream["stride"], space)

    def _memory(self, buffer: Any) -> NDArray[np.uint8]:
        """The bytes of a buffer, all its planes: they lie one after the other in one file."""
        planes = buffer.planes
        fd = int(planes[0].fd)
        if fd not in self._mapped:
            length = max(int(p.offset) + int(p.length) for p in planes)
            mapped = mmap.mmap(fd, length, mmap.MAP_SHARED, mmap.PROT_READ)
            self._mapped[fd] = np.frombuffer(mapped, np.uint8)
        return self._mapped[fd]


def full_view(camera: Any, width_px: int) -> Mapping[str, Any] | None:
    """The smallest sensor mode that shows the lens' whole width; None where there is no choice.

    Left to itself libcamera takes the mode nearest in size, which on most sensors is cut from the
    middle: the field of view would not be that of the lens.
    """
    if "ColorFilterArrangement" not in camera.camera_properties:  # no sensor of a Raspberry Pi
        return None
    modes = [m for m in camera.sensor_modes if m["size"][0] >= width_px]
    if not modes:
        return None
    widest = max(m["crop_limits"][2] for m in modes)
    whole = [m for m in modes if m["crop_limits"][2] >= 0.98 * widest]
    best: Mapping[str, Any] = min(whole, key=lambda m: m["size"][0] * m["size"][1])
    return best


def boot_from_monotonic_ns() -> int:
    """Add this to the monotonic clock, which cameras use, for the boot clock: time asleep."""
    offset_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
    return offset_ns if offset_ns > CLOCK_STEP_NS else 0


def _reason(error: BaseException) -> str:
    cause = error.__cause__ or error
    return str(cause).partition("\n")[0] or type(cause).__name__
