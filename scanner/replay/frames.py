"""A video or a folder of pictures as a FrameSource."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from scanner.errors import MediaError, UsageError, from_checkout
from scanner.frame import Frame, Pixels

PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
INSTALL_HINT: Final = from_checkout("replay")
NS: Final = 1_000_000_000


class VideoFrames:
    """Frames of a video file; ``at_ns`` is the time in the video from its first frame.

    ``rate`` thins the frames to at most so many per second. A video that breaks off in the middle
    gives what it had and then raises MediaError.
    """

    def __init__(self, path: Path, *, rate: float | None = None) -> None:
        try:
            import av  # noqa: PLC0415 - only replay needs it
        except ModuleNotFoundError as e:
            raise MediaError("reading videos needs PyAV", hint=INSTALL_HINT) from e
        if not path.is_file():
            raise MediaError(f"{path}: no such file")
        self._path = path
        self._error: type[Exception] = av.FFmpegError
        self._step_ns = int(NS / rate) if rate else 0
        try:
            self._container: Any = av.open(str(path))
        except av.FFmpegError as e:
            raise MediaError(f"{path}: not a video that can be read") from e
        if not self._container.streams.video:
            self._container.close()
            raise MediaError(f"{path}: holds no video")

    def frames(self) -> Iterator[Frame]:
        """Yield the frames in order."""
        first: int | None = None
        last_ns = -1
        number = 0
        stream = self._container.streams.video[0]
        stream.thread_type = "AUTO"
        try:
            for picture in self._container.decode(stream):
                if picture.pts is None:
                    continue
                first = picture.pts if first is None else first
                at_ns = int((picture.pts - first) * stream.time_base * NS)
                if at_ns <= last_ns or (number and at_ns < last_ns + self._step_ns):
                    continue
                last_ns = at_ns
                yield Frame(number, at_ns, picture.to_ndarray(format="rgb24"))
                number += 1
        except self._error as e:
            raise MediaError(f"{self._path}: damaged after frame {number}") from e
        if number == 0:
            raise MediaError(f"{self._path}: holds no frame that can be decoded")

    def close(self) -> None:
        """Close the file."""
        self._container.close()


class FolderFrames:
    """Pictures of a folder in the order of the numbers in their names, at a fixed rate.

    Broken pictures are skipped; ``skipped`` lists them with the reason.
    """

    def __init__(self, path: Path, *, rate: float = 1.0) -> None:
        self._paths = sorted(
            (p for p in path.iterdir() if p.suffix.lower() in PICTURES), key=_natural
        )
        if not self._paths:
            raise MediaError(f"{path}: holds no pictures", hint=f"looked for {', '.join(PICTURES)}")
        self._step_ns = int(NS / rate)
        self.skipped: list[str] = []

    def frames(self) -> Iterator[Frame]:
        """Yield the pictures in order; a skipped one leaves its time unused."""
        for number, path in enumerate(self._paths):
            try:
                pixels = read_picture(path)
            except MediaError as e:
                self.skipped.append(str(e))
                continue
            yield Frame(number, number * self._step_ns, pixels)

    def close(self) -> None:
        """Nothing is held open."""


def _natural(path: Path) -> list[tuple[int, str]]:
    """``2.jpg`` before ``10.jpg``."""
    return [
        (int(part or 0), "") if part.isdigit() else (0, part)
        for part in re.split(r"(\d+)", path.name)
    ]


def open_frames(path: Path, *, rate: float | None = None) -> VideoFrames | FolderFrames:
    """A video file or a folder of pictures as a source."""
    if path.is_dir():
        return FolderFrames(path, rate=rate or 1.0)
    return VideoFrames(path, rate=rate)


def read_picture(path: Path) -> Pixels:
    """A picture file as (height, width, 3) uint8, turned as its EXIF says; raises MediaError."""
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError  # noqa: PLC0415 - only replay
    except ModuleNotFoundError as e:
        raise MediaError("reading pictures needs Pillow", hint=INSTALL_HINT) from e
    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture).convert("RGB")
            return np.asarray(upright, dtype=np.uint8)
    except FileNotFoundError as e:
        raise MediaError(f"{path}: no such file") from e
    except UnidentifiedImageError as e:
        raise MediaError(f"{path}: not a picture that can be read") from e
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as e:
        raise MediaError(f"{path}: damaged picture: {e}") from e


def check_rate(rate: float | None) -> None:
    """Raise UsageError unless the rate is a positive number or None."""
    if rate is not None and not 0 < rate <= 1000:  # noqa: PLR2004
        raise UsageError(f"--rate {rate}: frames per second between 0 and 1000 are wanted")
