"""What picamera2 needs to drive libcamera's virtual camera, which is none of a Raspberry Pi.

Memory comes from memfd instead of a dma heap, which build machines lack; the camera has no raw
modes and does not say how a frame went. All else is picamera2's own.
"""

import mmap
import os
import time
from typing import Any

import libcamera
import picamera2.picamera2
from picamera2.allocators import DmaAllocator
from picamera2.allocators.allocator import Allocator, Sync

PERIOD_S = 1 / 30  # libcamera 0.4 fills buffers as fast as they are handed back


class _NoSync(Sync):
    """Memory files need no cache maintenance."""

    def __init__(self, allocator: Any, buffer: Any, write: bool) -> None:  # noqa: ARG002, FBT001
        self._memory = allocator.mapped_buffers[buffer]

    def __enter__(self) -> Any:
        return self._memory

    def __exit__(self, *_: object) -> None:
        pass


class MemfdAllocator(DmaAllocator):
    """As picamera2's allocator, in memory files; two planes for NV12, one otherwise."""

    def __init__(self) -> None:
        Allocator.__init__(self)
        self.dmaHeap = None
        self.mapped_buffers = {}
        self.mapped_buffers_used = {}
        self.frame_buffers = {}
        self.open_fds = []
        self.libcamera_fds = []
        self.sync = _NoSync

    def allocate(self, libcamera_config: Any, _: Any) -> None:
        self.libcamera_fds = []
        self.cleanup()
        for fd in self.open_fds:
            os.close(fd)
        self.frame_buffers, self.open_fds = {}, []
        for config in libcamera_config:
            self.frame_buffers[config.stream] = [
                self._buffer(config) for _ in range(config.buffer_count)
            ]

    def _buffer(self, config: Any) -> Any:
        fd = os.memfd_create("frame")
        os.ftruncate(fd, config.frame_size)
        self.open_fds.append(fd)
        luma = config.stride * config.size.height
        lengths = [luma, config.frame_size - luma]
        planes, offset = [], 0
        for length in lengths:
            plane = libcamera.FrameBuffer.Plane()
            plane.fd, plane.offset, plane.length = fd, offset, length
            planes.append(plane)
            offset += length
        # libcamera has duplicated the descriptor.
        self.libcamera_fds.append(planes[0].fd)
        self.mapped_buffers_used[planes[0].fd] = False
        buffer = good(planes)
        self.mapped_buffers[buffer] = mmap.mmap(fd, config.frame_size)
        return buffer

    def acquire(self, buffers: Any) -> None:
        for buffer in buffers.values():
            self.mapped_buffers_used[buffer.planes[0].fd] = True


def good(planes: list[Any]) -> Any:
    """A buffer whose frames count as whole.

    libcamera 0.4's virtual camera does not say how a frame went: a buffer says for ever what its
    memory held when it was made, and picamera2 throws away all frames of one that says "error".
    """
    others = []  # kept meanwhile, or the next had the same memory
    for _ in range(10_000):
        buffer = libcamera.FrameBuffer(planes)
        if buffer.metadata.status == libcamera.FrameMetadata.Status.Success:
            return buffer
        others.append(buffer)
    raise RuntimeError("no memory for a buffer that was not in use before")


class Virtual(picamera2.picamera2.Picamera2):
    """picamera2's camera without raw modes."""

    def _get_raw_modes(self) -> list[dict[str, Any]]:
        return [{"format": "NV12", "size": (1280, 720)}]


def open_virtual(number: int) -> Virtual:
    """As ``hardware.picamera.picamera2``, for the virtual camera."""
    # close() builds a new default allocator, so one given to the constructor would not do.
    picamera2.picamera2.DmaAllocator = MemfdAllocator
    camera = Virtual(number)
    camera.post_callback = lambda _: time.sleep(PERIOD_S)
    return camera
