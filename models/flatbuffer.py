"""Read a .tflite file without a runtime: a flatbuffer of TensorFlow Lite's schema.fbs.

Of the format only what is needed: a table knows the places of its fields through a vtable that it
points back to; vectors, strings and tables are reached through offsets. Fields are numbered in the
order of the schema.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# places of fields in the tables of schema.fbs
MODEL_CODES, MODEL_GRAPHS, MODEL_BUFFERS = 1, 2, 4
CODE_OLD, CODE_CUSTOM, CODE_VERSION, CODE_NEW = 0, 1, 2, 3
GRAPH_TENSORS, GRAPH_INPUTS, GRAPH_OUTPUTS, GRAPH_OPERATORS = 0, 1, 2, 3
TENSOR_SHAPE, TENSOR_TYPE, TENSOR_BUFFER, TENSOR_NAME, TENSOR_SIGNATURE = 0, 1, 2, 3, 7
OPERATOR_CODE, OPERATOR_INPUTS, OPERATOR_OUTPUTS, OPERATOR_OPTIONS = 0, 1, 2, 4
BUFFER_DATA, BUFFER_OFFSET = 0, 1

CUSTOM = 32  # the builtin code of an operator that is told apart by its name
TYPES = (
    "float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8",
    "float64", "complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4",
)  # fmt: skip
BYTES = {"float32": 4, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8, "float64": 8}
BYTES |= {"float16": 2, "int16": 2, "uint16": 2}


class UnreadableError(Exception):
    """A file is no .tflite file, or a damaged one; the message names it."""


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

    def _vector(self, field: int) -> tuple[int, int]:
        place = self._field(field)
        if not place:
            return 0, 0
        start = place + int(struct.unpack_from("<I", self.data, place)[0])
        return start + 4, int(struct.unpack_from("<I", self.data, start)[0])

    def number(self, field: int, form: str, default: int = 0) -> int:
        """Return a number of struct form ``form``."""
        place = self._field(field)
        return int(struct.unpack_from(form, self.data, place)[0]) if place else default

    def table(self, field: int) -> Table | None:
        """Return the table in a field."""
        place = self._field(field)
        if not place:
            return None
        return Table(self.data, place + struct.unpack_from("<I", self.data, place)[0])

    def tables(self, field: int) -> list[Table]:
        """Return a vector of tables."""
        start, count = self._vector(field)
        places = (start + 4 * number for number in range(count))
        return [Table(self.data, p + struct.unpack_from("<I", self.data, p)[0]) for p in places]

    def integers(self, field: int) -> tuple[int, ...]:
        """Return a vector of 32-bit integers."""
        start, count = self._vector(field)
        return struct.unpack_from(f"<{count}i", self.data, start)

    def raw(self, field: int) -> bytes:
        """Return a vector of bytes, or the bytes of a string."""
        start, count = self._vector(field)
        if start + count > len(self.data):
            raise struct.error("a vector reaches past the end")
        return self.data[start : start + count]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor: its shape, -1 in ``signature`` where a size is open, and its bytes if constant.

    ``outside`` says that the bytes lie after the flatbuffer; ``content`` is then not read.
    """

    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    type: str
    buffer: int
    content: bytes
    outside: bool

    @property
    def constant(self) -> bool:
        """Whether the file fixes its values."""
        return bool(self.content) or self.outside

    @property
    def open_sizes(self) -> set[int]:
        """Places of the sizes that the file leaves open; a batch of 1 is one of them at 0."""
        return {place for place, size in enumerate(self.signature) if size < 0}

    @property
    def size_bytes(self) -> int:
        """Bytes that its values take."""
        return math.prod(self.shape) * BYTES.get(self.type, 1)

    def integers(self) -> NDArray[np.int64]:
        """Return the values of a constant tensor of int32 or int64, flat; else none."""
        if self.type not in {"int32", "int64"}:
            return np.zeros(0, np.int64)
        return np.frombuffer(self.content, f"<i{BYTES[self.type]}").astype(np.int64)


@dataclass(frozen=True, slots=True)
class Operation:
    """A step of the graph: numbers of tensors, -1 for an optional input that is not given."""

    code: int
    custom: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None

    def option(self, field: int, form: str = "<i", default: int = 0) -> int:
        """Return a number of the operator's options."""
        return self.options.number(field, form, default) if self.options else default


@dataclass(frozen=True, slots=True)
class Graph:
    """The first graph of a file and how many there are."""

    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operations: tuple[Operation, ...]
    graphs: int


def load(model: Path) -> Graph:
    """Return the graph of a file; raises UnreadableError."""
    try:
        data = model.read_bytes()
    except OSError as error:
        raise UnreadableError(f"{model}: {error.strerror}") from error
    if data[4:8] != b"TFL3":
        raise UnreadableError(f"{model}: not a .tflite file")
    with naming(model):
        return _graph(Table(data, struct.unpack_from("<I", data)[0]))


@contextmanager
def naming(model: Path) -> Iterator[None]:
    """Raise UnreadableError, which names the file, for what a damaged one makes of reading it."""
    try:
        yield
    except (struct.error, IndexError, MemoryError, ValueError) as error:
        raise UnreadableError(f"{model}: a damaged .tflite file ({error})") from error


def _graph(root: Table) -> Graph:
    graphs = root.tables(MODEL_GRAPHS)
    codes, buffers = root.tables(MODEL_CODES), root.tables(MODEL_BUFFERS)
    tensors = tuple(_tensor(table, buffers) for table in graphs[0].tables(GRAPH_TENSORS))
    operations = tuple(_operation(table, codes) for table in graphs[0].tables(GRAPH_OPERATORS))
    inputs, outputs = graphs[0].integers(GRAPH_INPUTS), graphs[0].integers(GRAPH_OUTPUTS)
    numbers = {n for operation in operations for n in (*operation.inputs, *operation.outputs)}
    if not {*inputs, *outputs} <= set(range(len(tensors))) >= numbers - {-1}:
        raise IndexError("a tensor is named that is not there")
    return Graph(tensors, inputs, outputs, operations, len(graphs))


def _tensor(table: Table, buffers: list[Table]) -> Tensor:
    number = table.number(TENSOR_BUFFER, "<I")
    kind = table.number(TENSOR_TYPE, "<b")
    shape = table.integers(TENSOR_SHAPE)
    return Tensor(
        table.raw(TENSOR_NAME).decode(),
        shape,
        table.integers(TENSOR_SIGNATURE) or shape,
        TYPES[kind] if kind < len(TYPES) else f"type {kind}",
        number,
        buffers[number].raw(BUFFER_DATA),
        buffers[number].number(BUFFER_OFFSET, "<Q") > 1,  # 0 and 1 mean that it is inside
    )


def _operation(table: Table, codes: list[Table]) -> Operation:
    code = codes[table.number(OPERATOR_CODE, "<I")]
    return Operation(
        max(code.number(CODE_OLD, "<b"), code.number(CODE_NEW, "<i")),
        code.raw(CODE_CUSTOM).decode(),
        code.number(CODE_VERSION, "<i", 1),
        table.integers(OPERATOR_INPUTS),
        table.integers(OPERATOR_OUTPUTS),
        table.table(OPERATOR_OPTIONS),
    )
