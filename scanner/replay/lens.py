"""A stand-in for picamera2 and the camera behind it, for tests and for machines without a lens.

It behaves: buffers are few and come back only when released, rows are padded, the byte order is
that of libcamera's format names, each board refuses what its image processor cannot do, and the
cable can be pulled. ``Board`` has the face of the class ``picamera2.Picamera2``, ``Camera`` that of
its objects, as far as ``hardware/picamera.py`` uses them.
"""

import mmap
import os
import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scanner.frame import Pixels

ALIGN: Final = 64  # bytes: rows are padded to a multiple
FORMATS: Final = {  # board: what main and lores may be
    "pi4": (("BGR888", "RGB888", "XBGR8888", "XRGB8888", "YUV420", "NV12"), ("YUV420", "NV12")),
    "pi5": (("BGR888", "RGB888", "XBGR8888", "XRGB8888", "YUV420"), ("BGR888", "YUV420")),
    "virtual": (("NV12",), ("NV12",)),
}
BYTES: Final = {"BGR888": 3, "RGB888": 3, "XBGR8888": 4, "XRGB8888": 4, "YUV420": 1, "NV12": 1}
# Sensor modes of the Camera Module 3, as libcamera lists them: only two show the whole width.
MODES: Final = (
    {"size": (1536, 864), "bit_depth": 10, "crop_limits": (768, 432, 3072, 1728)},
    {"size": (2304, 1296), "bit_depth": 10, "crop_limits": (0, 0, 4608, 2592)},
    {"size": (4608, 2592), "bit_depth": 10, "crop_limits": (0, 0, 4608, 2592)},
)
EXPOSURE_US: Final = 8000


def moving_bars(number: int, width: int, height: int) -> Pixels:
    """Reddish pixels (height, width, 3) with a green block whose size tells frames apart."""
    pixels = np.full((height, width, 3), (200, 40, 10), np.uint8)
    pixels[: 8 + 2 * (number % 4), :16] = (10, 200, 40)
    return pixels


class Board:
    """A computer with one camera; calling it opens the camera, as ``Picamera2(number)`` does.

    ``picture`` draws frame ``n`` of a width and a height. ``plugged`` is asked before each frame.
    ``sleep`` passes the time between frames; without, frames come as fast as they are taken, while
    their time stamps keep the sensor's rate. ``ignores_rate``: 30 frames a second whatever is
    asked, as a virtual camera gives.
    """

    def __init__(
        self,
        model: str = "pi4",
        *,
        picture: Callable[[int, int, int], Pixels] = moving_bars,
        plugged: Callable[[], bool] = lambda: True,
        sleep: Callable[[float], None] | None = time.sleep,
        ignores_rate: bool = False,
    ) -> None:
        self.model = model
        self.picture = picture
        self.plugged = plugged
        self.sleep = sleep
        self.ignores_rate = ignores_rate
        self.taken = False  # by a camera object that was not closed
        self.number = 0  # of the next frame
        self.sensor_ns = time.monotonic_ns()  # when that frame is exposed
        self.config: Mapping[str, Any] = {}  # what the last camera was asked for

    def __call__(self, number: int = 0) -> "Camera":
        """Open the camera; raises RuntimeError like picamera2 when there is none or it is taken."""
        if number or not self.plugged():
            raise RuntimeError(f"No camera number {number} found")
        if self.taken:
            raise RuntimeError("Failed to acquire camera: Device or resource busy")
        self.taken = True
        return Camera(self)


class Camera:
    """An open camera."""

    def __init__(self, board: Board) -> None:
        self._board = board
        virtual = board.model == "virtual"
        self.camera_properties = {} if virtual else {"ColorFilterArrangement": 0}
        self.camera_controls = {"FrameDurationLimits": (1, 10**9, 33333)}
        self.camera_controls |= {} if virtual else {"AeExposureMode": (0, 3, 0)}
        self.sensor_modes = [] if virtual else list(MODES)
        self.stream_map: dict[str, str] = {}
        self._config: dict[str, Any] = {}
        self._free: list[_Request] = []
        self._all: list[_Request] = []
        self._encoded: dict[tuple[int, str], tuple[Pixels, bytes]] = {}
        self._running = False
        self._step_ns = 33_333_000

    def create_preview_configuration(self, **asked: Any) -> dict[str, Any]:
        """What was asked for, as a configuration."""
        return {"colour_space": "sYCC", "sensor": None, **asked}

    def configure(self, config: Mapping[str, Any]) -> None:
        """Take a configuration, adjusted to what the board can do; buffers are allocated."""
        self._board.config = config
        self._config = dict(config)
        for name, known in zip(("main", "lores"), FORMATS[self._board.model], strict=True):
            stream = dict(config[name])
            if stream["format"] not in known:
                stream["format"] = known[0]
            row = stream["size"][0] * BYTES[stream["format"]]
            stream["stride"] = -(-row // ALIGN) * ALIGN
            self._config[name] = stream
            self.stream_map[name] = f"stream {name}"
        limits = config["controls"].get("FrameDurationLimits", (33333, 33333))
        self._step_ns = 33_333_000 if self._board.ignores_rate else 1000 * int(limits[0])
        self._all = [_Request(self, self._config) for _ in range(config["buffer_count"])]
        self._free = list(self._all)

    def camera_configuration(self) -> dict[str, Any]:
        """The configuration in force."""
        return self._config

    def start(self) -> None:
        """Let frames come."""
        if not self._board.plugged():
            raise OSError(19, "No such device")
        self._running = True

    def capture_request(self, *, wait: bool = True) -> "_Job":
        """A job that ends with the next frame; only ``wait=False`` is known here."""
        if wait:
            raise NotImplementedError("give wait=False and ask the job")
        return _Job(self)

    def cancel_all_and_flush(self) -> None:
        """Forget the jobs that wait; none hold anything here."""

    def close(self) -> None:
        """Stop, and give the camera back; may be called twice."""
        self._running = False
        for request in self._all:
            request.unmap()
        self._all = []
        self._board.taken = False

    def take(self, timeout_s: float) -> "_Request":
        """The next frame in a free buffer; raises TimeoutError when none comes."""
        board = self._board
        until = time.monotonic() + timeout_s
        due_s = (board.sensor_ns - time.monotonic_ns()) / 1e9
        if not (self._running and self._free and board.plugged()) or (
            board.sleep and due_s > timeout_s
        ):
            time.sleep(max(0.0, until - time.monotonic()))
            raise TimeoutError
        if board.sleep:
            board.sleep(max(0.0, due_s))
            # What was not fetched in time was overwritten: a sensor does not wait.
            late = max(0, (time.monotonic_ns() - board.sensor_ns) // self._step_ns)
            board.number += late
            board.sensor_ns += late * self._step_ns
        request = self._free.pop(0)
        request.expose(board.number, board.sensor_ns)
        board.number += 1
        board.sensor_ns += self._step_ns
        return request

    def draw(self, number: int, stream: Mapping[str, Any], memory: mmap.mmap) -> None:
        """Expose a buffer to what is in front of the lens; what cannot change is encoded once."""
        pixels = self._board.picture(number, *stream["size"])
        key = id(pixels), stream["format"]
        if key in self._encoded:
            memory[:] = self._encoded[key][1]
            return
        data = np.frombuffer(memory, np.uint8)
        write(data, pixels, stream)
        del data
        if not pixels.flags.writeable:
            self._encoded[key] = pixels, memory[:]

    def give_back(self, request: "_Request") -> None:
        """A buffer is free again."""
        if request in self._free:
            raise RuntimeError("a request was released twice")
        self._free.append(request)


class _Job:
    """The promise of a frame."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera

    def get_result(self, timeout: float | None = None) -> "_Request":
        return self._camera.take(timeout or 0.0)


class _Request:
    """A buffer for each stream, in memory files as the kernel's are."""

    def __init__(self, camera: Camera, config: Mapping[str, Any]) -> None:
        self._camera = camera
        self._streams = {name: config[name] for name in ("main", "lores")}
        self._memory: dict[str, mmap.mmap] = {}
        self._metadata: dict[str, Any] = {}
        buffers = {}
        for name, stream in self._streams.items():
            length = _length(stream)
            fd = os.memfd_create(f"lens-{name}")
            os.ftruncate(fd, length)
            self._memory[name] = mmap.mmap(fd, length)
            plane = SimpleNamespace(fd=fd, offset=0, length=length)
            buffers[f"stream {name}"] = SimpleNamespace(planes=[plane])
        self.request = SimpleNamespace(buffers=buffers)

    def expose(self, number: int, at_ns: int) -> None:
        for name, stream in self._streams.items():
            self._camera.draw(number, stream, self._memory[name])
        exposed_ns = at_ns + 1000 * EXPOSURE_US  # read out when the exposure ends
        self._metadata = {"SensorTimestamp": exposed_ns, "ExposureTime": EXPOSURE_US}

    def get_metadata(self) -> dict[str, Any]:
        return dict(self._metadata)

    def release(self) -> None:
        self._camera.give_back(self)

    def unmap(self) -> None:
        """As picamera2's allocator does; raises BufferError when someone holds its memory."""
        for name in self._streams:
            self._memory[name].close()
            os.close(self.request.buffers[f"stream {name}"].planes[0].fd)


def _length(stream: Mapping[str, Any]) -> int:
    rows = stream["size"][1]
    planar = BYTES[stream["format"]] == 1
    return int(stream["stride"] * (rows * 3 // 2 if planar else rows))


def write(data: NDArray[np.uint8], pixels: Pixels, stream: Mapping[str, Any]) -> None:
    """Lay pixels into a buffer in the stream's format, size and stride; BT.601, full range."""
    (width, height), stride, form = stream["size"], stream["stride"], stream["format"]
    count = BYTES[form]
    if count > 1:
        rows = data[: stride * height].reshape(height, stride)[:, : width * count]
        packed = rows.reshape(height, width, count)
        packed[..., :3] = pixels if form in ("BGR888", "XBGR8888") else pixels[..., ::-1]
        packed[..., 3:] = 255
        return
    y, u, v = yuv_of(pixels)
    data[: stride * height].reshape(height, stride)[:, :width] = y
    chroma = data[stride * height :]
    if form == "NV12":
        rows = chroma[: stride * (height // 2)].reshape(height // 2, stride)
        rows[:, 0:width:2], rows[:, 1:width:2] = u, v
        return
    half = (stride // 2) * (height // 2)
    for number, plane in enumerate((u, v)):
        rows = chroma[number * half : (number + 1) * half].reshape(height // 2, stride // 2)
        rows[:, : width // 2] = plane


def yuv_of(pixels: Pixels) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Luma (h, w) and chroma (h/2, w/2) of pixels (h, w, 3), as JPEG files have them."""
    red, green, blue = (pixels[..., i].astype(np.float32) for i in range(3))
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    u, v = 128 + (blue - y) / 1.772, 128 + (red - y) / 1.402

    def quarter(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
        height, width = plane.shape
        means = plane.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        rounded: NDArray[np.uint8] = np.rint(means).clip(0, 255).astype(np.uint8)
        return rounded

    return np.rint(y).clip(0, 255).astype(np.uint8), quarter(u), quarter(v)
