"""How the close-up network's figures are made; the regression itself needs PyTorch."""

import numpy as np
import pytest

from models.closeup import Finds, finds_of, join, ranked_right, same_at_threshold
from models.dataset import Tile
from scanner.hardware.closeup import log_odds
from scanner.hardware.tflite import TfliteDetector, shipped_model


def test_as_many_cameras_pass_the_threshold_as_before() -> None:
    rng = np.random.default_rng(0)
    cameras = rng.random(500) < 0.4
    detector, evidence = rng.normal(0.5, 2, 500), rng.normal(3, 1, 500)
    shift = same_at_threshold(detector, evidence, cameras)
    limit = log_odds(0.7)
    before = (detector[cameras] >= limit).sum()
    assert ((detector + evidence + shift)[cameras] >= limit - 1e-9).sum() == before


@pytest.mark.parametrize(
    ("values", "share"), [([3, 2, 1, 0], 1.0), ([0, 1, 2, 3], 0.0), ([3, 1, 2, 0], 0.75)]
)
def test_pairs_ranked_rightly(values: list[float], share: float) -> None:
    cameras = np.array([True, True, False, False])
    assert ranked_right(np.array(values, float), cameras) == share


def test_a_find_is_a_camera_something_else_or_neither() -> None:
    detector = TfliteDetector(shipped_model(), threshold=0.02)
    pixels = np.random.default_rng(5).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    boxes = np.array(
        [[d.box.x0, d.box.y0, d.box.x1, d.box.y1] for d in detector.infer(pixels)], np.float32
    )
    assert len(boxes)
    none = np.zeros((0, 4), np.float32)
    kinds = np.zeros(len(boxes), np.int64)
    as_cameras = finds_of(Tile(pixels, boxes, kinds, none), detector)
    assert as_cameras.cameras.all()
    assert len(as_cameras.cameras) == len(boxes)
    ignored = finds_of(Tile(pixels, none, kinds[:0], boxes), detector)
    assert len(ignored.cameras) == 0
    joined = join([as_cameras, ignored])
    assert isinstance(joined, Finds)
    assert joined.pixels.shape == (len(boxes), 128, 128, 3)
