"""A PMTiles 3 file of one raster tile (github.com/protomaps/PMTiles, spec/v3/spec.md)."""

import io
import struct
from pathlib import Path

from PIL import Image

HEADER = struct.Struct("<7sB11Q6B4iB2i")


def raster_file(path: Path, *, colour: tuple[int, int, int]) -> Path:
    """The whole world in one colour, zoom 0, PNG, nothing packed."""
    png = io.BytesIO()
    Image.new("RGB", (256, 256), colour).save(png, "PNG")
    tile, metadata = png.getvalue(), b"{}"
    # One entry: its tile, run length, bytes, offset plus one; as varints, column by column.
    directory = bytes([1, 0, 1]) + varint(len(tile)) + bytes([1])
    at = [HEADER.size]
    for part in (directory, metadata, b"", tile):
        at.append(at[-1] + len(part))
    header = HEADER.pack(
        b"PMTiles", 3,
        at[0], len(directory), at[1], len(metadata), at[2], 0, at[3], len(tile),
        1, 1, 1,  # tiles addressed, entries, contents
        0, 1, 1, 2, 0, 0,  # not in order, nothing packed (twice), PNG, zoom 0 to 0
        -1_800_000_000, -850_000_000, 1_800_000_000, 850_000_000, 0, 0, 0,
    )  # fmt: skip
    path.write_bytes(header + directory + metadata + tile)
    return path


def varint(number: int) -> bytes:
    """Seven bits at a time, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
