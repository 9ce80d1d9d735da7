"""A last look at a find: what is cut out, what the shipped network makes of it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.edgetpu_check import objections
from scanner.errors import ModelError
from scanner.frame import Pixels
from scanner.hardware.closeup import (
    CAUTION,
    FROM_SCORE,
    GREY,
    CloseUp,
    close_up,
    closeup_beside,
    log_odds,
    logistic,
)
from scanner.hardware.engines import find_runtime
from scanner.hardware.tflite import shipped_model
from scanner.records import Box, Detection, Kind

GOLDEN = Path(__file__).parents[1] / "golden"
SIDE = 128


@pytest.fixture(scope="module")
def closer() -> CloseUp:
    model = closeup_beside(shipped_model())
    assert model
    return CloseUp(model)


def street(width: int = 320, height: int = 240) -> Pixels:
    """Something with edges of every size."""
    coarse = np.random.default_rng(3).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    big = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    noise = np.random.default_rng(4).integers(-20, 21, big.shape)
    return np.clip(big.astype(int) + noise, 0, 255).astype(np.uint8)


def find(score: float, box: Box | None = None) -> Detection:
    return Detection(box=box or Box(100, 80, 130, 100), score=score, kind=Kind.DOME)


@pytest.mark.parametrize(
    "box",
    [
        Box(100, 100, 112, 107),
        Box(30.5, 20.25, 70.5, 44),
        Box(20, 30, 250, 200),
        Box(-5, -3, 20, 12),
        Box(300, 220, 319.5, 239.5),
        Box(60, 60, 62, 61),
    ],
)
def test_it_is_cut_out_as_pillow_would(box: Box) -> None:
    pixels = street()
    wide = np.pad(pixels, ((400, 400), (400, 400), (0, 0)), constant_values=GREY)
    reach = max(box.width_px, box.height_px, 8) * 0.8
    x, y = (box.x0 + box.x1) / 2 + 400, (box.y0 + box.y1) / 2 + 400
    theirs = np.asarray(
        Image.fromarray(wide).resize(
            (SIDE, SIDE), Image.Resampling.BILINEAR, (x - reach, y - reach, x + reach, y + reach)
        )
    )
    assert np.abs(close_up(pixels, box, SIDE).astype(int) - theirs).max() <= 1


def test_the_shipped_network_is_whole_numbers_and_fits_an_edge_tpu() -> None:
    model = closeup_beside(shipped_model())
    assert model
    assert objections(model) == []
    tensors = find_runtime("").Interpreter(str(model)).get_tensor_details()
    assert {np.dtype(tensor["dtype"]).name for tensor in tensors} <= {"int8", "int32"}


@pytest.mark.parametrize("grey", [20, 128, 235])
def test_a_plain_wall_speaks_against_a_camera(closer: CloseUp, grey: int) -> None:
    wall = np.full((240, 320, 3), grey, np.uint8)
    assert closer.evidence(wall, Box(100, 100, 130, 120)) < 0


def test_odds_are_multiplied_and_the_best_comes_first(closer: CloseUp) -> None:
    pixels = street()
    found = [find(0.8), find(0.75, Box(10, 10, 40, 40)), find(0.6, Box(200, 100, 260, 180))]
    weighed = closer.weigh(pixels, found)
    expected = sorted(
        (logistic(log_odds(d.score) + closer.evidence(pixels, d.box) - CAUTION) for d in found),
        reverse=True,
    )
    assert [d.score for d in weighed] == pytest.approx(expected)
    assert {d.box for d in weighed} == {d.box for d in found}


def test_what_is_faint_costs_no_look(closer: CloseUp) -> None:
    looks = closer.looks
    faint = [find(FROM_SCORE - 0.01), find(0.1)]
    weighed = [d.score for d in closer.weigh(street(), faint)]
    assert weighed == pytest.approx([logistic(log_odds(d.score) - CAUTION) for d in faint])
    assert closer.looks == looks


def test_a_detector_elsewhere_has_none_unless_it_lies_beside_it(tmp_path: Path) -> None:
    assert closeup_beside(tmp_path / "detector.tflite") is None


@pytest.mark.parametrize(
    ("name", "words"),
    [("classifier.tflite", "not a close-up network"), ("none.tflite", "no such file")],
)
def test_a_file_of_another_form_is_refused(name: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        CloseUp(GOLDEN / name)
