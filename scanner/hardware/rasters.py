"""The bytes of a camera's buffer as pixels: packed formats as views, planar ones converted.

libcamera names packed formats from the highest byte of a little-endian word: in memory ``BGR888``
is red, green, blue, and ``RGB888`` blue, green, red. Rows may be longer than their pixels
(``stride``, bytes). Planar ones follow BT.601 or BT.709, by ``libcamera.ColorSpace``.
"""

from functools import cache
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from scanner.errors import DeviceError
from scanner.frame import Pixels

Bytes = NDArray[np.uint8]

PACKED: Final = {  # bytes of a pixel, and those of red, green, blue among them
    "BGR888": (3, slice(0, 3)),
    "RGB888": (3, slice(None, None, -1)),
    "XBGR8888": (4, slice(0, 3)),
    "XRGB8888": (4, slice(2, None, -1)),
}
PLANAR: Final = ("YUV420", "YVU420", "NV12", "NV21")
PRESETS: Final = {  # (encoding, range) of libcamera's named colour spaces
    "sYCC": ("Rec601", "Full"),
    "SMPTE170M": ("Rec601", "Limited"),
    "Rec709": ("Rec709", "Limited"),
}
LUMA: Final = {"Rec601": (0.299, 0.114), "Rec709": (0.2126, 0.0722)}  # shares of red and blue


class Tables(msgspec.Struct, frozen=True):
    """What each byte adds to red, green and blue, as int16."""

    y: NDArray[np.int16]
    red_v: NDArray[np.int16]
    green_u: NDArray[np.int16]
    green_v: NDArray[np.int16]
    blue_u: NDArray[np.int16]


def pixels_of(
    data: Bytes, form: str, size: tuple[int, int], stride: int, space: str = "sYCC"
) -> Pixels:
    """Pixels (height, width, 3), red green blue, of a flat buffer in libcamera's format ``form``.

    ``size`` is width, height; ``stride`` the bytes of a row, of the luma plane in planar formats.
    Packed formats give a view, planar ones a new array. Raises DeviceError for other formats.
    """
    width, height = size
    if form in PACKED:
        count, order = PACKED[form]
        rows = data[: stride * height].reshape(height, stride)[:, : width * count]
        return rows.reshape(height, width, count)[..., order]
    if form in PLANAR:
        y, u, v = _planes(data, form, width, height, stride)
        return rgb_of(y, u, v, space)
    raise DeviceError(f"the lens gives {form}", hint=f"known are {', '.join((*PACKED, *PLANAR))}")


def _planes(
    data: Bytes, form: str, width: int, height: int, stride: int
) -> tuple[Bytes, Bytes, Bytes]:
    """Luma, and both chroma planes at half its size, as views."""
    y = data[: stride * height].reshape(height, stride)[:, :width]
    chroma = data[stride * height :]
    rows = height // 2
    if form in ("NV12", "NV21"):
        pairs = chroma[: stride * rows].reshape(rows, stride)[:, :width]
        first, second = pairs[:, 0::2], pairs[:, 1::2]
    else:
        half = stride // 2
        first = chroma[: half * rows].reshape(rows, half)[:, : width // 2]
        second = chroma[half * rows : 2 * half * rows].reshape(rows, half)[:, : width // 2]
    return (y, first, second) if form in ("YUV420", "NV12") else (y, second, first)


def rgb_of(y: Bytes, u: Bytes, v: Bytes, space: str = "sYCC") -> Pixels:
    """Pixels of luma (h, w) and chroma (h/2, w/2); h and w are even.

    ``space`` is the text of a libcamera.ColorSpace: a preset, or primaries/transfer/encoding/range.
    """
    height, width = y.shape
    tables = _tables(*_space(space))
    luma = tables.y[y].reshape(height // 2, 2, width // 2, 2)
    pixels = np.empty((height, width, 3), np.uint8)
    blocks = pixels.reshape(height // 2, 2, width // 2, 2, 3)
    added = (tables.red_v[v], tables.green_u[u] + tables.green_v[v], tables.blue_u[u])
    for channel, chroma in enumerate(added):
        np.clip(luma + chroma[:, None, :, None], 0, 255, out=blocks[..., channel], casting="unsafe")
    return pixels


def _space(text: str) -> tuple[str, str]:
    """Encoding and range; what is not known is taken for what JPEG files have."""
    parts = text.split("/")
    encoding, span = parts[2:4] if len(parts) >= 4 else PRESETS.get(text, ("", ""))  # noqa: PLR2004
    return encoding if encoding in LUMA else "Rec601", span or "Full"


@cache
def _tables(encoding: str, span: str) -> Tables:
    """ITU-R BT.601 and BT.709, full or limited range."""
    kr, kb = LUMA[encoding]
    kg = 1 - kr - kb
    byte = np.arange(256, dtype=np.float64)
    full = span != "Limited"
    y = byte if full else (byte - 16) * 255 / 219
    c = (byte - 128) * (1.0 if full else 255 / 224)

    def table(values: NDArray[np.float64]) -> NDArray[np.int16]:
        return np.rint(values).astype(np.int16)

    return Tables(
        table(y),
        table(2 * (1 - kr) * c),
        table(-2 * kb * (1 - kb) / kg * c),
        table(-2 * kr * (1 - kr) / kg * c),
        table(2 * (1 - kb) * c),
    )
