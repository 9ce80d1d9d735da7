"""Writes small .tflite files: graphs described by hand, for what reads such files."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.flatbuffer import BYTES, CUSTOM, TYPES
from models.operators import NAMES

CODES = {name: code for code, name in NAMES.items()}
NEW_CODES_FROM = 127  # the old field of an operator's code is one byte


@dataclass(frozen=True)
class Constant:
    """Values that the file fixes: zeros, or the given int32 or float32 ones."""

    shape: tuple[int, ...]
    type: str = "int8"
    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class Op:
    """One operator; ``options`` are numbers of its options table: field -> (struct form, value).

    ``options_type`` is that table's number in the schema, which only a runtime wants to know.
    """

    name: str
    inputs: tuple[str | Constant, ...]
    output: str
    shape: tuple[int, ...]
    type: str = "int8"
    version: int = 1
    options: Mapping[int, tuple[str, int]] = field(default_factory=dict)
    options_type: int = 0


@dataclass(frozen=True)
class Scalar:
    """A number in a table."""

    form: str
    value: int


class Writer:
    """Appends tables and vectors; what a table points to always follows it."""

    def __init__(self) -> None:
        self.data = bytearray(struct.pack("<I4s", 0, b"TFL3"))

    def align(self, size: int) -> None:
        self.data += b"\0" * (-len(self.data) % size)

    def put(self, value: object) -> int:
        """Append a table (dict), a vector (list of tables, ints or bytes); return its place."""
        if isinstance(value, dict):
            return self.table(value)
        if isinstance(value, bytes):
            return self.vector(len(value), value)
        assert isinstance(value, list)
        if not value or isinstance(value[0], int):
            return self.vector(len(value), struct.pack(f"<{len(value)}i", *value))
        start = self.vector(len(value), bytes(4 * len(value)))
        for number, item in enumerate(value):
            self.point(start + 4 + 4 * number, self.put(item))
        return start

    def vector(self, count: int, content: bytes) -> int:
        self.align(4)
        start = len(self.data)
        self.data += struct.pack("<I", count) + content
        return start

    def point(self, place: int, target: int) -> None:
        struct.pack_into("<I", self.data, place, target - place)

    def table(self, fields: Mapping[int, object]) -> int:
        places, size = {}, 8  # every field takes eight bytes, so all are aligned
        for number in sorted(fields):
            places[number] = size
            size += 8
        count = max(fields, default=-1) + 1
        offsets = [places.get(number, 0) for number in range(count)]
        self.align(8)
        vtable = len(self.data)
        self.data += struct.pack(f"<HH{count}H", 4 + 2 * count, size, *offsets)
        self.align(8)
        start = len(self.data)
        self.data += struct.pack("<i", start - vtable) + bytes(size - 4)
        for number, value in fields.items():
            place = start + places[number]
            if isinstance(value, Scalar):
                struct.pack_into(value.form, self.data, place, value.value)
            else:
                self.point(place, self.put(value))
        return start


def write(
    file: Path,
    inputs: Mapping[str, tuple[tuple[int, ...], str]],
    operators: Sequence[Op],
    *,
    graphs: int = 1,
    outside: bool = False,
    open_input: tuple[int, ...] = (),
    outputs: Sequence[str] = (),
) -> Path:
    """Write a graph; ``inputs`` are name -> (shape, type).

    ``outside`` lays constants after the flatbuffer, as converters of today do; ``open_input`` is
    the shape signature of the first input. Without ``outputs`` the last operator's is the only one.
    """
    tensors: list[dict[int, object]] = []
    buffers: list[dict[int, object]] = [{}]
    numbers: dict[str, int] = {}

    def add(name: str, shape: Sequence[int], kind: str, buffer: int = 0) -> int:
        fields: dict[int, object] = {
            0: list(shape),
            1: Scalar("<b", TYPES.index(kind)),
            3: name.encode(),
        }
        tensors.append({**fields, 2: Scalar("<I", buffer)})
        numbers[name] = len(tensors) - 1
        return numbers[name]

    def constant(value: Constant) -> int:
        size = BYTES.get(value.type, 1)
        for side in value.shape:
            size *= side
        form = f"<{len(value.values)}{'f' if value.type == 'float32' else 'i'}"
        content = struct.pack(form, *value.values) or bytes(size)
        place: dict[int, object] = {1: Scalar("<Q", 1 << 20), 2: Scalar("<Q", size)}
        buffers.append(place if outside else {0: content})
        return add(f"constant {len(buffers)}", value.shape, value.type, len(buffers) - 1)

    for name, (shape, kind) in inputs.items():
        add(name, shape, kind)
    if open_input:
        tensors[0][7] = list(open_input)
    codes = sorted({(op.name, op.version) for op in operators})
    steps = []
    for op in operators:
        given = [numbers[i] if isinstance(i, str) else constant(i) for i in op.inputs]
        steps.append(
            {
                0: Scalar("<I", codes.index((op.name, op.version))),
                1: given,
                2: [add(op.output, op.shape, op.type)],
                3: Scalar("<b", op.options_type),
                4: {number: Scalar(*value) for number, value in op.options.items()},
            }
        )
    ends = [numbers[name] for name in outputs or [operators[-1].output]]
    graph: dict[int, object] = {0: tensors, 1: list(range(len(inputs))), 2: ends, 3: steps}
    model: dict[int, object] = {0: Scalar("<I", 3), 1: [_code(*code) for code in codes]}
    writer = Writer()
    root = writer.table({**model, 2: [graph] * graphs, 4: buffers})
    writer.point(0, root)
    file.write_bytes(writer.data)
    return file


def _code(name: str, version: int) -> dict[int, object]:
    code = CODES.get(name, CUSTOM)
    fields: dict[int, object] = {
        0: Scalar("<b", min(code, NEW_CODES_FROM)),
        2: Scalar("<i", version),
        3: Scalar("<i", code),
    }
    return {**fields, 1: name.encode()} if code == CUSTOM else fields
