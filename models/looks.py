"""Looks at pictures with the scanner's own code, each tile of a picture once.

The three ways of looking are put together from the same answers of the network: every scale (as
``scanner detect``), native tiles alone (as the device looks at a frame), and one look at the whole
picture shrunk to one tile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.figures import OVERLAP, Found, match
from models.flatbuffer import UnreadableError, load
from models.truth import Truth
from scanner.core.tiles import Tile, grid
from scanner.errors import ModelError
from scanner.hardware.closeup import CloseUp
from scanner.hardware.engines import check_outputs, open_interpreter
from scanner.hardware.tflite import TfliteDetector
from scanner.looking import detect_everywhere, look_at
from scanner.records import Detection
from scanner.replay.frames import read_picture

EVERY_SCALE, NATIVE_TILES, ONE_LOOK = "every_scale", "native_tiles", "one_look"
WAYS = (EVERY_SCALE, NATIVE_TILES, ONE_LOOK)


class FloatProcessor:
    """The network before quantisation: float32 = pixel / 255 instead of int8 = pixel - 128."""

    def __init__(self, model: Path, runtime: str = "") -> None:
        self._interpreter = open_interpreter(model, 1, runtime)
        (entry,) = self._interpreter.get_input_details()
        self._input, self.tile_size = int(entry["index"]), int(entry["shape"][1])
        outputs = [
            row | {"quantization": (1.0, 0)} for row in self._interpreter.get_output_details()
        ]
        self.levels = check_outputs(model, outputs, self.tile_size)
        self.pixels = np.empty((self.tile_size, self.tile_size, 3), np.uint8)

    def invoke(self) -> None:
        """Infer."""
        pixels = self.pixels.view(np.int8).astype(np.float32)
        self._interpreter.set_tensor(self._input, (pixels + 128)[None] / 255)
        self._interpreter.invoke()

    def output(self, index: int) -> NDArray[Any]:
        """The tensor of that number, without its first axis."""
        tensor: NDArray[Any] = self._interpreter.get_tensor(index)[0]
        return tensor


def open_detector(model: Path, threshold: float, runtime: str = "") -> TfliteDetector:
    """Return the detector of an int8 or a float32 file; raises ModelError."""
    try:
        graph = load(model)
    except UnreadableError as error:
        raise ModelError(str(error)) from error
    if graph.tensors[graph.inputs[0]].type == "float32":
        processor = FloatProcessor(model, runtime)
        return TfliteDetector(model, threshold=threshold, processor=processor)
    return TfliteDetector(model, threshold=threshold, runtime=runtime)


class Remembering:
    """A detector that answers from memory where it has seen the very tile of this picture."""

    def __init__(self, detector: TfliteDetector) -> None:
        self._detector = detector
        self._answers: dict[bytes, list[Detection]] = {}
        self.tiles = 0

    @property
    def tile_size(self) -> int:
        """Side of the tiles it takes, in pixels."""
        return self._detector.tile_size

    @property
    def ms_per_tile(self) -> float:
        """Milliseconds inside the network per tile."""
        return 1000 * self._detector.invoke_s / max(self.tiles, 1)

    def infer(self, tile: NDArray[np.uint8]) -> list[Detection]:
        """Cameras in a tile (tile_size, tile_size, 3), best first."""
        key = tile.tobytes()
        if key not in self._answers:
            self._answers[key] = self._detector.infer(tile)
            self.tiles += 1
        return self._answers[key]

    def forget(self) -> None:
        """Make room for the next picture."""
        self._answers.clear()


@dataclass
class Look:
    """One picture and what was found in it by each way, best first; ``group`` is its folder."""

    truth: Truth
    group: str
    ways: dict[str, list[Detection]]
    _found: dict[tuple[str, float], Found] = field(default_factory=dict)

    def found(self, way: str, overlap: float = OVERLAP) -> Found:
        """Return which detections are right."""
        key = way, overlap
        if key not in self._found:
            arrays = as_arrays(self.ways[way])
            self._found[key] = match(*arrays, self.truth.boxes, self.truth.ignored, overlap)
        return self._found[key]


def as_arrays(detections: Sequence[Detection]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return boxes (n, 4) and scores (n)."""
    boxes = [(d.box.x0, d.box.y0, d.box.x1, d.box.y1) for d in detections]
    scores = np.array([d.score for d in detections], np.float32)
    return np.array(boxes, np.float32).reshape(-1, 4), scores


def look(detector: Remembering, truth: Truth, group: str, closer: CloseUp | None = None) -> Look:
    """Look at one picture in every way; what every scale finds, also close up."""
    pixels = read_picture(truth.path)
    height, width = pixels.shape[:2]
    detector.forget()
    found = detect_everywhere(detector, pixels)
    ways = {
        EVERY_SCALE: closer.weigh(pixels, found) if closer else found,
        NATIVE_TILES: look_at(detector, pixels, grid(width, height, detector.tile_size)),
        ONE_LOOK: look_at(detector, pixels, [Tile(0, 0, max(height, width))]),
    }
    return Look(truth, group, {way: sorted(d, key=lambda d: -d.score) for way, d in ways.items()})
