"""The shipped file: its form, its operators, and that it runs in the scanner."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.evaluate import main as evaluate
from models.operators import objections, operators
from models.plan import BOX_CHANNELS, SCORE_CHANNELS, STRIDES_PX, TILE_PX
from scanner.hardware.tflite import TfliteDetector, _runtime

DETECTOR = Path(__file__).parents[2] / "models" / "detector.tflite"
interpreter = _runtime()


def test_the_edge_tpu_has_nothing_against_it() -> None:
    assert objections(DETECTOR) == []
    assert sum(operators(DETECTOR).values()) < 120


def test_another_file_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "other.tflite"
    file.write_bytes(b"\0" * 64)
    with pytest.raises(SystemExit, match=r"not a \.tflite file"):
        objections(file)


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


def test_evaluation_prints_figures_of_a_labelled_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    Image.new("RGB", (400, 300), (90, 120, 160)).save(tmp_path / "images" / "a.png")
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    sheet = tmp_path / "sheet.png"
    evaluate(["--model", str(DETECTOR), "--data", str(tmp_path), "--sheet", str(sheet)])
    printed = capsys.readouterr().out
    assert "cameras: 1" in printed
    assert "recall: 0.0" in printed
    assert sheet.exists()


def test_a_missing_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no such file"):
        evaluate(["--model", str(tmp_path / "none.tflite"), "--negatives", str(DETECTOR.parent)])
