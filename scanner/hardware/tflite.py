"""The detector: an int8 .tflite file on ai-edge-litert or tflite-runtime.

The form of the file (``models/README.md``): input [1, S, S, 3] int8, value = pixel - 128. Per level
of stride s two outputs, told apart by their last dimension: [1, S/s, S/s, 5] scores (0: a camera;
1 to 4: bullet, dome, ptz, alpr) and [1, S/s, S/s, 4] distances from the cell's middle to the left,
top, right and bottom, in strides.
"""

import ctypes
import importlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from scanner.core.tiles import merge
from scanner.errors import ModelError
from scanner.frame import Pixels
from scanner.records import Box, Detection, Kind

MODEL_KINDS: Final = (Kind.BULLET, Kind.DOME, Kind.PTZ, Kind.ALPR)
SCORE_CHANNELS: Final = 1 + len(MODEL_KINDS)
BOX_CHANNELS: Final = 4
MAX_CANDIDATES: Final = 100  # of one tile, before merging
MIN_SIDE_PX: Final = 3.0
RUNTIMES: Final = {
    "litert": "ai_edge_litert.interpreter",
    "tflite": "tflite_runtime.interpreter",
}
SHIPPED: Final = "detector.tflite"
COMPILED: Final = "_edgetpu.tflite"  # as Coral's compiler names what it makes of a .tflite
EDGETPU_LIBRARY: Final = "libedgetpu.so.1"


class Level(msgspec.Struct, frozen=True):
    """One scale of the network's output: tensor numbers and how to read them."""

    stride_px: int
    scores: int
    scores_scale: tuple[float, int]  # real = (quantised - zero point) * scale
    boxes: int
    boxes_scale: tuple[float, int]


def shipped_model() -> Path:
    """The detector that comes with the package, or with the checkout it runs from."""
    package = Path(__file__).parents[1]
    for path in (package / SHIPPED, package.parent / "models" / SHIPPED):
        if path.is_file():
            return path
    raise ModelError(
        "the shipped detector is missing", hint="set detector.model in scanner.toml to a .tflite"
    )


class TfliteDetector:
    """Finds cameras in square tiles with a .tflite file, on the Edge TPU or the processor.

    If the file's compiled form lies beside it (``detector_edgetpu.tflite``) and an Edge TPU is
    there, that is used; ``on_edgetpu`` says so. ``runtime`` is one of RUNTIMES, or empty for the
    first that is installed. Raises ModelError when the file is missing, damaged or of another form.
    """

    def __init__(
        self, model: Path, *, threads: int = 1, threshold: float = 0.7, runtime: str = ""
    ) -> None:
        self._threshold = threshold
        self._invoke_s = 0.0
        accelerated = _open_compiled(model, runtime)
        self.on_edgetpu = accelerated is not None
        self._interpreter = accelerated or _open(model, threads, runtime)
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        self._input, self._tile_size = _check_input(model, inputs)
        self._levels = _check_outputs(model, outputs, self._tile_size)
        self._pixels = np.empty((1, self._tile_size, self._tile_size, 3), np.uint8)

    @property
    def tile_size(self) -> int:
        """Side of the tiles it takes, in pixels."""
        return self._tile_size

    @property
    def invoke_s(self) -> float:
        """Seconds spent inside the network so far, the rest being ours."""
        return self._invoke_s

    def infer(self, tile: Pixels) -> list[Detection]:
        """Cameras in a tile of shape (tile_size, tile_size, 3), best first."""
        # Value - 128 in one pass, from a view into the frame to where the network reads.
        np.bitwise_xor(tile, np.uint8(128), out=self._pixels[0])
        self._interpreter.set_tensor(self._input, self._pixels.view(np.int8))
        start = time.perf_counter()
        self._interpreter.invoke()
        self._invoke_s += time.perf_counter() - start
        found: list[Detection] = []
        for level in self._levels:
            found += self._read(level)
        found.sort(key=lambda d: -d.score)
        return merge(found[:MAX_CANDIDATES])

    def _read(self, level: Level) -> list[Detection]:
        scale, zero = level.scores_scale
        raw = self._interpreter.get_tensor(level.scores)[0]
        rows, columns = np.nonzero(raw[..., 0] >= self._threshold / scale + zero)
        if not rows.size:
            return []
        scores = _real(raw[rows, columns], scale, zero)
        sides = _real(
            self._interpreter.get_tensor(level.boxes)[0][rows, columns], *level.boxes_scale
        )
        corners = _corners(rows, columns, sides, level.stride_px, self._tile_size)
        return [
            Detection(
                box=Box(*(float(v) for v in corner)),
                score=float(min(max(score[0], 0.0), 1.0)),
                kind=MODEL_KINDS[int(score[1:].argmax())],
            )
            for corner, score in zip(corners, scores, strict=True)
            if corner[2] - corner[0] >= MIN_SIDE_PX and corner[3] - corner[1] >= MIN_SIDE_PX
        ]


def _real(raw: NDArray[np.int8], scale: float, zero: int) -> NDArray[np.float32]:
    return (raw.astype(np.float32) - zero) * scale


def _corners(
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    sides: NDArray[np.float32],
    stride_px: int,
    tile_size: int,
) -> NDArray[np.float32]:
    """(n, 4) left, top, right, bottom in tile pixels, kept inside the tile."""
    x, y = (columns + 0.5) * stride_px, (rows + 0.5) * stride_px
    reach = sides * stride_px
    corners = np.stack([x - reach[:, 0], y - reach[:, 1], x + reach[:, 2], y + reach[:, 3]], axis=1)
    return np.clip(corners, 0, tile_size).astype(np.float32)


def _runtime(wanted: str = "") -> ModuleType:
    for name in [RUNTIMES[wanted]] if wanted else RUNTIMES.values():
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise ModelError(
        "no runtime for .tflite files" + (f" called {wanted}" if wanted else ""),
        hint="pip install ai-edge-litert, or tflite-runtime",
    )


def _open_compiled(model: Path, runtime: str = "") -> Any:
    """An interpreter on the Edge TPU, or None without one or without a compiled file."""
    compiled = model.with_name(model.stem.removesuffix(COMPILED[:-7]) + COMPILED)
    if not compiled.is_file():
        return None
    module = _runtime(runtime)
    try:
        ctypes.CDLL(EDGETPU_LIBRARY)  # a delegate whose library is missing leaves a broken object
        with _quiet():
            delegate = module.load_delegate(EDGETPU_LIBRARY)
            interpreter = module.Interpreter(
                model_path=str(compiled), experimental_delegates=[delegate]
            )
            interpreter.allocate_tensors()
    except (OSError, ValueError, RuntimeError):  # no library; no device; another version of either
        return None
    return interpreter


def _open(model: Path, threads: int, runtime: str = "") -> Any:
    if not model.is_file():
        raise ModelError(f"{model}: no such file", hint="see detector.model in scanner.toml")
    try:
        with _quiet():
            interpreter = _runtime(runtime).Interpreter(model_path=str(model), num_threads=threads)
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


def _check_input(model: Path, inputs: list[dict[str, Any]]) -> tuple[int, int]:
    shape = [int(n) for n in inputs[0]["shape"]]
    square = len(inputs) == 1 and len(shape) == 4 and shape[1] == shape[2]  # noqa: PLR2004
    if not square or shape[0] != 1 or shape[3] != 3 or inputs[0]["dtype"] is not np.int8:  # noqa: PLR2004
        raise ModelError(
            f"{model}: input is {shape} {np.dtype(inputs[0]['dtype'])}, [1, S, S, 3] int8 is wanted"
        )
    return int(inputs[0]["index"]), shape[1]


def _check_outputs(model: Path, outputs: list[dict[str, Any]], tile_size: int) -> list[Level]:
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
