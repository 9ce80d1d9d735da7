"""Promises of ports.Detector, kept by the shipped network and the stand-in."""

import itertools

import numpy as np
import pytest

from scanner.frame import Pixels
from scanner.hardware.tflite import TfliteDetector, shipped_model
from scanner.ports import Detector
from scanner.replay.standins import ScriptedDetector
from tests.helpers.walk import read_colours

RNG = np.random.default_rng(1)
NOISE = RNG.integers(0, 256, (320, 320, 3), dtype=np.uint8)


@pytest.fixture(params=["tflite", "scripted"])
def detector(request: pytest.FixtureRequest) -> Detector:
    if request.param == "tflite":
        return TfliteDetector(shipped_model(), threshold=0.02)
    return ScriptedDetector(read_colours, 320)


@pytest.fixture
def tile(detector: Detector) -> Pixels:
    if isinstance(detector, TfliteDetector):
        return NOISE
    drawn = np.zeros((320, 320, 3), np.uint8)
    drawn[10:40, 20:50], drawn[100:120, 300:320] = (40, 1, 9), (80, 2, 9)
    return drawn


def test_boxes_lie_inside_the_tile_and_have_an_area(detector: Detector, tile: Pixels) -> None:
    found = detector.infer(tile)
    assert found
    for box in (d.box for d in found):
        assert 0 <= box.x0 < box.x1 <= detector.tile_size
        assert 0 <= box.y0 < box.y1 <= detector.tile_size


def test_scores_fall_and_lie_between_0_and_1(detector: Detector, tile: Pixels) -> None:
    scores = [d.score for d in detector.infer(tile)]
    assert all(0 <= s <= 1 for s in scores)
    assert all(a >= b for a, b in itertools.pairwise(scores))


def test_the_same_tile_gives_the_same_answer(detector: Detector, tile: Pixels) -> None:
    assert list(detector.infer(tile)) == list(detector.infer(tile.copy()))


def test_the_tile_is_not_changed(detector: Detector, tile: Pixels) -> None:
    before = tile.copy()
    detector.infer(tile)
    assert np.array_equal(tile, before)
