"""The runtime with real .tflite files: the shipped one, and some that are no camera detectors."""

from pathlib import Path

import numpy as np
import pytest

from scanner.errors import ModelError
from scanner.hardware.tflite import TfliteDetector, shipped_model
from scanner.records import Kind

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("classifier.tflite", r"output \[1, 10\] is not a square grid"),
        ("two_heads.tflite", r"have \[3, 4\] channels, 4 and 5 are wanted"),
        ("none.tflite", "no such file"),
    ],
)
def test_a_file_of_another_form_is_refused(name: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        TfliteDetector(GOLDEN / name)


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_a_damaged_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes(shipped_model().read_bytes()[:keep])
    with pytest.raises(ModelError, match="not a usable"):
        TfliteDetector(path)


def test_a_lower_threshold_finds_no_less() -> None:
    tile = np.random.default_rng(5).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    many = TfliteDetector(shipped_model(), threshold=0.02).infer(tile)
    few = TfliteDetector(shipped_model(), threshold=0.3).infer(tile)
    assert len(few) <= len(many)
    assert many
    assert all(d.score >= 0.015 for d in many)


def test_a_plain_wall_holds_no_camera() -> None:
    detector = TfliteDetector(shipped_model(), threshold=0.4)
    for grey in (0, 60, 128, 200, 255):
        assert detector.infer(np.full((320, 320, 3), grey, np.uint8)) == []


def test_kinds_are_known_ones() -> None:
    tile = np.random.default_rng(6).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    found = TfliteDetector(shipped_model(), threshold=0.02).infer(tile)
    assert {d.kind for d in found} <= set(Kind) - {Kind.UNKNOWN}


def test_a_compiled_file_without_an_edge_tpu_leaves_the_work_to_the_processor(
    tmp_path: Path,
) -> None:
    model = tmp_path / "detector.tflite"
    model.write_bytes(shipped_model().read_bytes())
    (tmp_path / "detector_edgetpu.tflite").write_bytes(b"for the Edge TPU alone")
    detector = TfliteDetector(model)
    assert not detector.on_edgetpu
    assert detector.infer(np.zeros((320, 320, 3), np.uint8)) == []
