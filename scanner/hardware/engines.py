"""What runs the detector's network: the processor, or an Edge TPU in its own process.

The form of the file (``models/README.md``): input [1, S, S, 3] int8, value = pixel - 128. Per level
of stride s two outputs, told apart by their last dimension: [1, S/s, S/s, 5] scores (0: a camera;
1 to 4: bullet, dome, ptz, alpr) and [1, S/s, S/s, 4] distances from the cell's middle to the left,
top, right and bottom, in strides.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from scanner.errors import ModelError
from scanner.hardware import soundness
from scanner.hardware.edgetpu import EdgeTpu
from scanner.hardware.edgetpu_worker import load_runtime
from scanner.records import Kind

MODEL_KINDS: Final = (Kind.BULLET, Kind.DOME, Kind.PTZ, Kind.ALPR)
SCORE_CHANNELS: Final = 1 + len(MODEL_KINDS)
BOX_CHANNELS: Final = 4


class Level(msgspec.Struct, frozen=True):
    """One scale of the network's output: tensor numbers and how to read them."""

    stride_px: int
    scores: int
    scores_scale: tuple[float, int]  # real = (quantised - zero point) * scale
    boxes: int
    boxes_scale: tuple[float, int]


class Engine(Protocol):
    """What runs the network: takes a tile in ``pixels``, then gives its outputs."""

    tile_size: int
    levels: list[Level]
    pixels: NDArray[np.uint8]  # (tile_size, tile_size, 3); value - 128, as the network wants it

    def invoke(self) -> None:
        """Infer; raises DeviceError if the engine is lost."""

    def output(self, index: int) -> NDArray[np.int8]:
        """The tensor of that number, without its first axis."""


class Processor:
    """The network on the processor; raises ModelError for a file that is none of ours."""

    def __init__(self, model: Path, threads: int, runtime: str = "") -> None:
        self._interpreter = open_interpreter(model, threads, runtime)
        inputs = self._interpreter.get_input_details()
        self._input, self.tile_size = input_of(model, inputs)
        self.levels = check_outputs(model, self._interpreter.get_output_details(), self.tile_size)
        self.pixels = np.empty((self.tile_size, self.tile_size, 3), np.uint8)

    def invoke(self) -> None:
        """Infer."""
        self._interpreter.set_tensor(self._input, self.pixels.view(np.int8)[None])
        self._interpreter.invoke()

    def output(self, index: int) -> NDArray[np.int8]:
        """The tensor of that number, without its first axis."""
        tensor: NDArray[np.int8] = self._interpreter.get_tensor(index)[0]
        return tensor


class Accelerated:
    """The network on an Edge TPU whose worker has just come to work; raises ModelError."""

    def __init__(self, model: Path, tpu: EdgeTpu) -> None:
        self._tpu = tpu
        inputs, outputs = ([_decoded(t) for t in group] for group in (tpu.inputs, tpu.outputs))
        _, self.tile_size = input_of(model, inputs)
        self.levels = check_outputs(model, outputs, self.tile_size)
        tensors = {t["index"]: _view(tpu.memory, t) for t in outputs}
        self._outputs: Mapping[int, NDArray[np.int8]] = tensors
        self.pixels = _view(tpu.memory, inputs[0]).view(np.uint8)

    def invoke(self) -> None:
        """Infer; raises DeviceError if the accelerator is lost."""
        self._tpu.invoke()

    def output(self, index: int) -> NDArray[np.int8]:
        """The tensor of that number, without its first axis."""
        return self._outputs[index]


def _decoded(tensor: Mapping[str, Any]) -> dict[str, Any]:
    """A tensor's details as the interpreter itself tells them."""
    return {**tensor, "dtype": np.dtype(tensor["dtype"]).type}


def _view(memory: Any, tensor: Mapping[str, Any]) -> NDArray[np.int8]:
    """A tensor in the memory shared with its worker, without its first axis."""
    shape = tensor["shape"]
    flat = np.frombuffer(memory, tensor["dtype"], int(np.prod(shape)), tensor["offset"])
    shaped: NDArray[np.int8] = flat.reshape(shape)[0]
    return shaped


def find_runtime(wanted: str) -> Any:
    """The module of a runtime, the first that is installed if none is named; raises ModelError."""
    try:
        return load_runtime(wanted)
    except ImportError as e:
        raise ModelError(str(e), hint="pip install ai-edge-litert, or tflite-runtime") from e


def open_interpreter(model: Path, threads: int, runtime: str = "") -> Any:
    """A runtime's interpreter of a file, tensors allocated; raises ModelError."""
    if not model.is_file():
        raise ModelError(f"{model}: no such file", hint="see detector.model in scanner.toml")
    try:
        soundness.check(model.read_bytes())
        with _quiet():
            interpreter = find_runtime(runtime).Interpreter(
                model_path=str(model), num_threads=threads
            )
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError, SystemError) as e:
        first_line = str(e).partition("\n")[0]
        raise ModelError(f"{model}: not a usable .tflite file: {first_line}") from e
    return interpreter


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the runtime's C++ side says about itself off the terminal."""
    sys.stderr.flush()
    terminal = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)


def input_of(model: Path, inputs: list[dict[str, Any]]) -> tuple[int, int]:
    """Number and side of the one input, a square picture; raises ModelError."""
    shape = [int(n) for n in inputs[0]["shape"]]
    square = len(inputs) == 1 and len(shape) == 4 and shape[1] == shape[2]  # noqa: PLR2004
    if not square or shape[0] != 1 or shape[3] != 3 or inputs[0]["dtype"] is not np.int8:  # noqa: PLR2004
        raise ModelError(
            f"{model}: input is {shape} {np.dtype(inputs[0]['dtype'])}, [1, S, S, 3] int8 is wanted"
        )
    return int(inputs[0]["index"]), shape[1]


def check_outputs(model: Path, outputs: list[dict[str, Any]], tile_size: int) -> list[Level]:
    """Pair the outputs by grid size; raises ModelError if they are not the detector's."""
    by_cells: dict[int, dict[int, dict[str, Any]]] = {}
    for output in outputs:
        shape = [int(n) for n in output["shape"]]
        if len(shape) != 4 or shape[1] != shape[2] or tile_size % shape[1]:  # noqa: PLR2004
            raise ModelError(f"{model}: output {shape} is not a square grid of a camera detector")
        by_cells.setdefault(shape[1], {})[shape[3]] = output
    levels = []
    for cells, pair in sorted(by_cells.items(), reverse=True):
        if set(pair) != {SCORE_CHANNELS, BOX_CHANNELS}:
            raise ModelError(
                f"{model}: outputs of {cells}x{cells} cells have {sorted(pair)} channels, "
                f"{BOX_CHANNELS} and {SCORE_CHANNELS} are wanted"
            )
        scores, boxes = pair[SCORE_CHANNELS], pair[BOX_CHANNELS]
        levels.append(
            Level(
                tile_size // cells,
                int(scores["index"]),
                _quantisation(scores),
                int(boxes["index"]),
                _quantisation(boxes),
            )
        )
    return levels


def _quantisation(output: dict[str, Any]) -> tuple[float, int]:
    scale, zero = output["quantization"]
    return float(scale), int(zero)
