"""The shipped file: its form and that it runs in the scanner."""

from pathlib import Path

import numpy as np
import pytest

from models.plan import BOX_CHANNELS, SCORE_CHANNELS, STRIDES_PX, TILE_PX
from scanner.hardware.engines import find_runtime
from scanner.hardware.tflite import TfliteDetector

DETECTOR = Path(__file__).parents[2] / "models" / "detector.tflite"
interpreter = find_runtime("")


def test_everything_in_it_is_whole_numbers() -> None:
    model = interpreter.Interpreter(str(DETECTOR))
    kinds = {np.dtype(tensor["dtype"]).name for tensor in model.get_tensor_details()}
    assert kinds <= {"int8", "int32"}
    (entry,) = model.get_input_details()
    assert entry["shape"].tolist() == [1, TILE_PX, TILE_PX, 3]
    assert entry["quantization"] == (pytest.approx(1 / 255, rel=1e-3), -128)


def test_outputs_are_scores_and_sides_of_every_stride() -> None:
    model = interpreter.Interpreter(str(DETECTOR))
    shapes = {tuple(output["shape"].tolist()) for output in model.get_output_details()}
    cells = [TILE_PX // stride for stride in STRIDES_PX]
    assert shapes == {(1, n, n, c) for n in cells for c in (SCORE_CHANNELS, BOX_CHANNELS)}


def test_a_plain_wall_holds_no_camera() -> None:
    for grey in (20, 128, 235):
        tile = np.full((TILE_PX, TILE_PX, 3), grey, np.uint8)
        assert TfliteDetector(DETECTOR, threshold=0.4).infer(tile) == []
