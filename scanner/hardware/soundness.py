"""Whether a .tflite file is whole, before a runtime reads it.

tflite-runtime follows the offsets in a file wherever they lead: one that is cut short ends the
process. Here each offset of the tables that it follows is held against the end of the file.
Format: https://flatbuffers.dev/internals/; fields are numbered as in TensorFlow Lite's schema.fbs.
"""

import struct
from collections.abc import Mapping
from typing import Final

IDENTIFIER: Final = b"TFL3"
# What a field leads to: a vector of elements so many bytes long, or tables of such fields.
Fields = Mapping[int, "int | Fields | tuple[Fields]"]

NUMBERS, WIDE, BYTES = 4, 8, 1
QUANTISATION: Final[Fields] = {0: NUMBERS, 1: NUMBERS, 2: NUMBERS, 3: WIDE}
TENSOR: Final[Fields] = {0: NUMBERS, 3: BYTES, 4: QUANTISATION, 7: NUMBERS}
OPERATOR: Final[Fields] = {1: NUMBERS, 2: NUMBERS, 4: {}, 5: BYTES, 8: NUMBERS}
GRAPH: Final[Fields] = {0: (TENSOR,), 1: NUMBERS, 2: NUMBERS, 3: (OPERATOR,), 4: BYTES}
MODEL: Final[Fields] = {
    1: ({1: BYTES},),  # codes of the operators
    2: (GRAPH,),
    3: BYTES,
    4: ({0: BYTES},),  # buffers: the weights
    5: NUMBERS,
    6: ({0: BYTES},),  # metadata
}


def check(data: bytes) -> None:
    """Raises ValueError, with what is wrong, for a file that is not all of a .tflite file."""
    if data[4:8] != IDENTIFIER:
        raise ValueError("it does not begin as one")
    try:
        _table(data, _follow(data, 0), MODEL)
    except struct.error:
        raise ValueError("it is damaged or cut short") from None


def _follow(data: bytes, place: int) -> int:
    """Where the offset at a place leads."""
    return place + int(struct.unpack_from("<I", data, place)[0])


def _table(data: bytes, at: int, fields: Fields) -> None:
    """Check a table and what it leads to; raises struct.error."""
    back = int(struct.unpack_from("<i", data, at)[0])
    places = at - back
    if places < 0:
        raise struct.error
    described, size = struct.unpack_from("<HH", data, places)
    _within(data, places, described)
    _within(data, at, size)
    for number, kind in fields.items():
        entry = 4 + 2 * number
        if entry + 2 > described:
            continue
        inside = int(struct.unpack_from("<H", data, places + entry)[0])
        if not inside:
            continue
        target = _follow(data, at + inside)
        if isinstance(kind, Mapping):
            _table(data, target, kind)
            continue
        count = int(struct.unpack_from("<I", data, target)[0])
        if isinstance(kind, int):
            _within(data, target + 4, count * kind)
            continue
        _within(data, target + 4, count * 4)
        for one in range(count):
            _table(data, _follow(data, target + 4 + 4 * one), kind[0])


def _within(data: bytes, start: int, length: int) -> None:
    if start + length > len(data):
        raise struct.error
