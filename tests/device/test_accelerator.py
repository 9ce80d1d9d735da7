"""The Edge TPU on the board itself."""

import numpy as np
import pytest

from scanner.core.tiles import iou
from scanner.hardware.edgetpu import EdgeTpu, is_there
from scanner.hardware.modelfile import compiled_form, shipped_model
from scanner.hardware.tflite import TfliteDetector

TILES = 50


@pytest.mark.parametrize("walled", [False, True])
def test_it_answers_as_the_processor_does_and_faster(walled: bool) -> None:  # noqa: FBT001
    assert is_there(), "no Edge TPU on USB or PCIe"
    compiled = compiled_form(shipped_model())
    assert compiled, "no detector_edgetpu.tflite beside the detector"
    tpu = EdgeTpu(compiled, walled=walled)
    try:
        detector = TfliteDetector(shipped_model(), threshold=0.3, tpu=tpu)
        assert detector.on_edgetpu, detector.state
        alone = TfliteDetector(shipped_model(), threshold=0.3)
        rng = np.random.default_rng(1)
        for _ in range(TILES):
            coarse = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
            tile = np.kron(coarse, np.ones((16, 16, 1), np.uint8))
            for found in alone.infer(tile):
                if found.score > 0.5:
                    assert any(iou(found.box, d.box) > 0.9 for d in detector.infer(tile))
            detector.infer(tile)
        assert detector.invoke_s / detector.inferences < 0.015
    finally:
        tpu.close()
