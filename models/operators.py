"""Will the Edge TPU compiler take a .tflite file? Reads its operators and their versions.

The compiler (16.0, the last one) maps every operator up to the first that it does not know, or
refuses the whole file if a version is too new. The ceilings are those of files that it is known to
have compiled. It is not run here: this check is a gate, not a proof.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

MAX_PARAMETER_BYTES = 7 * 1024 * 1024  # what its memory holds; more is sent again for each tile
NAMES = {
    0: "ADD",
    3: "CONV_2D",
    4: "DEPTHWISE_CONV_2D",
    14: "LOGISTIC",
    97: "RESIZE_NEAREST_NEIGHBOR",
}
CEILINGS = {0: 2, 3: 3, 4: 3, 14: 2, 97: 2}
# places of fields in the tables of TensorFlow Lite's schema.fbs
MODEL_CODES, MODEL_GRAPHS, MODEL_BUFFERS = 1, 2, 4
CODE_OLD, CODE_CUSTOM, CODE_VERSION, CODE_NEW = 0, 1, 2, 3
GRAPH_OPERATORS, OPERATOR_CODE = 3, 0
BUFFER_OFFSET = 1


@dataclass(frozen=True, slots=True)
class Table:
    """A flatbuffer table at a position in the file."""

    data: bytes
    at: int

    def _field(self, number: int) -> int:
        table = self.at - struct.unpack_from("<i", self.data, self.at)[0]
        size = struct.unpack_from("<H", self.data, table)[0]
        place = 4 + 2 * number
        offset = struct.unpack_from("<H", self.data, table + place)[0] if place < size else 0
        return self.at + int(offset) if offset else 0

    def number(self, field: int, form: str, default: int = 0) -> int:
        """Return a number of struct form ``form``."""
        place = self._field(field)
        return int(struct.unpack_from(form, self.data, place)[0]) if place else default

    def tables(self, field: int) -> list[Table]:
        """Return a vector of tables."""
        place = self._field(field)
        if not place:
            return []
        start = place + struct.unpack_from("<I", self.data, place)[0]
        count = struct.unpack_from("<I", self.data, start)[0]
        places = (start + 4 + 4 * number for number in range(count))
        return [Table(self.data, p + struct.unpack_from("<I", self.data, p)[0]) for p in places]


def read(model: Path) -> Table:
    """Return the file's root table."""
    data = model.read_bytes()
    if data[4:8] != b"TFL3":
        raise SystemExit(f"{model}: not a .tflite file")
    return Table(data, struct.unpack_from("<I", data)[0])


def operators(model: Path) -> dict[tuple[int, int], int]:
    """Return how often each (builtin code, version) is used."""
    root = read(model)
    codes = [
        (max(c.number(CODE_OLD, "<b"), c.number(CODE_NEW, "<i")), c.number(CODE_VERSION, "<i", 1))
        for c in root.tables(MODEL_CODES)
    ]
    counts: dict[tuple[int, int], int] = {}
    for graph in root.tables(MODEL_GRAPHS):
        for operator in graph.tables(GRAPH_OPERATORS):
            code = codes[operator.number(OPERATOR_CODE, "<I")]
            counts[code] = counts.get(code, 0) + 1
    return counts


def objections(model: Path) -> list[str]:
    """Return why the compiler would refuse or leave work to the processor; empty if all is well."""
    root, found = read(model), []
    for (code, version), count in sorted(operators(model).items()):
        name = NAMES.get(code, f"operator {code}")
        if code not in CEILINGS:
            found.append(f"{name}, {count} times: not one that the Edge TPU is known to map")
        elif version > CEILINGS[code]:
            found.append(f"{name} version {version}: newer than {CEILINGS[code]}")
    if len(root.tables(MODEL_GRAPHS)) != 1:
        found.append("more than one graph")
    if any(buffer.number(BUFFER_OFFSET, "<Q") > 1 for buffer in root.tables(MODEL_BUFFERS)):
        found.append("weights outside of the flatbuffer, which the compiler cannot read")
    if model.stat().st_size > MAX_PARAMETER_BYTES:
        found.append(f"larger than the memory of the Edge TPU, {MAX_PARAMETER_BYTES} bytes")
    return found
