"""The detector: an int8 .tflite file on ai-edge-litert, tflite-runtime or an Edge TPU.

The form of the file is told in ``engines.py``.
"""

import time
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scanner.core.tiles import merge
from scanner.errors import DeviceError, ModelError
from scanner.frame import Pixels
from scanner.hardware import edgetpu
from scanner.hardware.edgetpu import EdgeTpu
from scanner.hardware.edgetpu_worker import RUNTIMES as RUNTIMES  # noqa: PLC0414 - for evaluation
from scanner.hardware.engines import MODEL_KINDS, Accelerated, Engine, Level, Processor
from scanner.hardware.modelfile import compiled_form
from scanner.hardware.modelfile import shipped_model as shipped_model  # noqa: PLC0414 - for all
from scanner.records import Box, Detection

MAX_CANDIDATES: Final = 100  # of one tile, before merging
MIN_SIDE_PX: Final = 3.0


class TfliteDetector:
    """Finds cameras in square tiles with a .tflite file, on the Edge TPU or the processor.

    If the file's compiled form lies beside it (``detector_edgetpu.tflite``) and an Edge TPU is
    there, that is used; ``on_edgetpu`` says so. When it is lost, the tile at hand and all others go
    to the processor until it is found again. ``tpu`` was made by the caller, who closes it: behind
    a wall none can be started, and without it the processor does the work. ``runtime`` is one of
    RUNTIMES, or empty for the first that is installed; ``processor`` runs files of other forms.
    Raises ModelError when the file is missing, damaged or of another form.
    """

    def __init__(
        self,
        model: Path,
        *,
        threads: int = 1,
        threshold: float = 0.7,
        runtime: str = "",
        tpu: EdgeTpu | None = None,
        processor: Engine | None = None,
    ) -> None:
        self._threshold = threshold
        self._invoke_s = 0.0
        self._model = model
        self._processor = processor or Processor(model, threads, runtime)
        self._tile_size = self._processor.tile_size
        self._accelerated: Accelerated | None = None
        self._starts = 0
        self._compiled = compiled_form(model)
        self._tpu = tpu or _own_tpu(self._compiled, runtime)
        if self._tpu:
            self._tpu.wait()
        self.inferences = 0

    @property
    def on_edgetpu(self) -> bool:
        """Whether the next tile goes to an Edge TPU."""
        return isinstance(self._engine(), Accelerated)

    @property
    def state(self) -> str:
        """One line for people: what infers, and why it is not the accelerator."""
        if self.on_edgetpu:
            return "Edge TPU"
        return f"processor; {self._tpu.state}" if self._tpu else "processor"

    @property
    def summary(self) -> str:
        """As ``state``, from any thread: moves nothing on."""
        if self._tpu is None:
            return "processor"
        return self._tpu.state if not self._tpu.trouble else f"processor; {self._tpu.trouble}"

    @property
    def trouble(self) -> str:
        """What is wrong with an accelerator that is or was there; empty if nothing is."""
        return self._tpu.trouble if self._tpu else ""

    def close(self) -> None:
        """End the accelerator's processes; the processor goes on. May be called twice."""
        if self._tpu:
            self._tpu.close()

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
        engine: Engine = self._engine()
        try:
            self._run(engine, tile)
        except DeviceError:
            engine = self._processor
            self._run(engine, tile)
        self.inferences += 1
        found: list[Detection] = []
        for level in engine.levels:
            found += self._read(engine, level)
        found.sort(key=lambda d: -d.score)
        return merge(found[:MAX_CANDIDATES])

    def _run(self, engine: Engine, tile: Pixels) -> None:
        # Value - 128 in one pass, from a view into the frame to where the network reads.
        np.bitwise_xor(tile, np.uint8(128), out=engine.pixels)
        start = time.perf_counter()
        try:
            engine.invoke()
        finally:
            self._invoke_s += time.perf_counter() - start

    def _engine(self) -> Engine:
        """The accelerator while it works."""
        tpu = self._tpu
        if tpu is None or not tpu.working:
            return self._processor
        if self._accelerated is None or self._starts != tpu.starts:
            self._starts = tpu.starts
            try:
                self._accelerated = Accelerated(self._compiled or self._model, tpu)
            except ModelError:
                self._accelerated = None
        usable = self._accelerated and self._accelerated.tile_size == self._tile_size
        return self._accelerated if self._accelerated and usable else self._processor

    def _read(self, engine: Engine, level: Level) -> list[Detection]:
        scale, zero = level.scores_scale
        raw = engine.output(level.scores)
        rows, columns = np.nonzero(raw[..., 0] >= self._threshold / scale + zero)
        if not rows.size:
            return []
        scores = _real(raw[rows, columns], scale, zero)
        sides = _real(engine.output(level.boxes)[rows, columns], *level.boxes_scale)
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


def _own_tpu(compiled: Path | None, runtime: str) -> EdgeTpu | None:
    """An Edge TPU of one's own, where there is one and programs may be started."""
    if compiled is None or not edgetpu.is_there():
        return None
    try:
        return EdgeTpu(compiled, runtime=runtime)
    except PermissionError:  # behind a wall
        return None


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
