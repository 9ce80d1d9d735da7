"""A last look at a find, close up: a small network that says how much it looks like a camera.

The form of its file (``models/README.md``): input [1, S, S, 3] int8, value = pixel - 128, the find
in the middle of its surroundings; one output [1, 1, 1, 1] int8, log-odds to add to the find's.
"""

import math
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from scanner.errors import ModelError
from scanner.frame import Pixels
from scanner.hardware.engines import input_of, open_interpreter
from scanner.records import Box, Detection

CLOSEUP: Final = "closeup.tflite"  # beside the detector
AROUND: Final = 1.6  # side of the close-up, in larger sides of the box
LEAST_SIDE_PX: Final = 8.0  # of a box: less is enlarged no further
FROM_SCORE: Final = 0.3  # fainter finds are not worth a look
CAUTION: Final = 0.5  # log-odds taken from every find; models/CARD.md says how it was chosen
CERTAIN: Final = 0.98  # scores are not surer than that, nor than its opposite
GREY: Final = 114  # outside the picture, as in scanner.looking


def closeup_beside(model: Path) -> Path | None:
    """The close-up network that belongs to a detector, if it lies beside it."""
    path = model.with_name(CLOSEUP)
    return path if path.is_file() else None


class CloseUp:
    """Weighs finds again; raises ModelError when the file is missing, damaged or another's."""

    def __init__(self, model: Path, runtime: str = "") -> None:
        self._interpreter = open_interpreter(model, 1, runtime)
        self._input, self.side = input_of(model, self._interpreter.get_input_details())
        outputs = self._interpreter.get_output_details()
        if len(outputs) != 1 or [int(n) for n in outputs[0]["shape"]] != [1, 1, 1, 1]:
            raise ModelError(f"{model}: not a close-up network, which has one output of one value")
        self._output = int(outputs[0]["index"])
        self._scale, self._zero = (float(v) for v in outputs[0]["quantization"])
        self.looks = 0

    def evidence(self, pixels: Pixels, box: Box) -> float:
        """Log-odds that the camera-like thing in a box of the picture is one."""
        near = close_up(pixels, box, self.side)
        self._interpreter.set_tensor(self._input, (near ^ np.uint8(128)).view(np.int8)[None])
        self._interpreter.invoke()
        self.looks += 1
        raw = float(self._interpreter.get_tensor(self._output).item())
        return (raw - self._zero) * self._scale

    def weigh(self, pixels: Pixels, found: list[Detection]) -> list[Detection]:
        """The finds of a picture with new scores, best first.

        Odds are multiplied: what the detector saw, by what the close-up shows, by a constant. Of
        finds below FROM_SCORE no close-up is taken.
        """
        weighed = []
        for found_one in found:
            seen = log_odds(found_one.score) - CAUTION
            if found_one.score >= FROM_SCORE:
                seen += self.evidence(pixels, found_one.box)
            weighed.append(msgspec.structs.replace(found_one, score=logistic(seen)))
        return sorted(weighed, key=lambda d: -d.score)


def log_odds(score: float) -> float:
    """Of a score, kept from being certain."""
    certain = min(max(score, 1 - CERTAIN), CERTAIN)
    return math.log(certain / (1 - certain))


def logistic(value: float) -> float:
    """The score of log-odds."""
    return 1 / (1 + math.exp(-value))


def close_up(pixels: Pixels, box: Box, side: int) -> Pixels:
    """A square round the middle of a box, as (side, side, 3): enlarged bilinearly, or area means.

    What lies outside the picture is grey.
    """
    reach = max(box.width_px, box.height_px, LEAST_SIDE_PX) * AROUND / 2
    step = 2 * reach / side
    margin = max(step, 1.0) + 1  # what a value at the edge is still made of
    left, top = (
        max(0, math.floor(middle - reach - margin))
        for middle in ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
    )
    size = math.ceil(2 * (reach + margin)) + 1
    part = pixels[top : top + size, left : left + size]
    places = step * (np.arange(side) + 0.5) - reach
    columns, rows = places + (box.x0 + box.x1) / 2 - left, places + (box.y0 + box.y1) / 2 - top
    narrow = _along(part.transpose(1, 0, 2), columns, step).transpose(1, 0, 2)
    return np.clip(np.rint(_along(narrow, rows, step)), 0, 255).astype(np.uint8)


def _along(
    values: NDArray[np.uint8] | NDArray[np.float32], at: NDArray[Any], step: float
) -> NDArray[np.float32]:
    """Values at places along the first axis, in pixels from its edge.

    Each is the mean over a triangle as wide as the coarser of both grids (as Pillow's BILINEAR).
    """
    wide = max(step, 1.0)
    first = np.floor(at - wide - 0.5).astype(int)
    result = np.zeros((len(at), *values.shape[1:]), np.float32)
    total = np.zeros(len(at), np.float32)
    length = len(values)
    for offset in range(int(2 * wide) + 3):
        index = first + offset
        weight = np.maximum(0, 1 - np.abs(index + 0.5 - at) / wide).astype(np.float32)
        total += weight
        inside = (index >= 0) & (index < length)
        part = np.full_like(result, GREY)
        part[inside] = values[index[inside]]
        result += part * weight[:, None, None]
    result /= total[:, None, None]
    return result
