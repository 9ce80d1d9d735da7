"""A lens and how it is worn, from simulated walks round corners."""

import numpy as np
import pytest
from msgspec.structs import replace

from scanner.core.geometry import LensModel
from scanner.core.lens.calibration import NotCalibrated, WornLens, calibrate
from scanner.simulated.walks import Errors
from tests.helpers import worn

GUESS = LensModel(width_px=1280, height_px=720, hfov_deg=75.0, mount_pitch_deg=8)
TRUE = replace(
    GUESS, hfov_deg=66.0, mount_yaw_deg=6.0, mount_pitch_deg=5.0, mount_roll_deg=2.0, k1=0.0
)
# A receiver that sees the sky, and a lens that is strapped on tightly.
CAREFUL = Errors(gnss_m=1.5, heading_deg=2.5)


def told(true: LensModel, guess: LensModel, seed: int) -> WornLens | NotCalibrated:
    """What a walk of four minutes round corners tells."""
    path = worn.way(240, (20,))
    tracks = worn.walk(np.random.default_rng(seed), true, guess, path, 28, CAREFUL)
    return calibrate(tracks, guess)


@pytest.mark.parametrize("hfov_deg", [66.0, 102.0])
def test_walks_round_corners_tell_the_lens_or_that_they_cannot(hfov_deg: float) -> None:
    """What is told is right to 10 %, 6 degrees and 3 of its own sigmas; most walks tell it."""
    k1 = -0.0425 if hfov_deg > 90 else 0.0
    true, guess = (replace(lens, k1=k1) for lens in (TRUE, GUESS))
    true = replace(true, hfov_deg=hfov_deg)
    answers = [told(true, guess, seed) for seed in (300, 301, 302, 303, 304)]
    lenses = [answer for answer in answers if isinstance(answer, WornLens)]
    assert len(lenses) >= 3, answers
    for found in lenses:
        hfov = abs(found.lens.hfov_deg - true.hfov_deg)
        yaw = abs(found.lens.mount_yaw_deg - 6.0)
        assert hfov < min(3 * found.hfov_sigma_deg, 0.1 * hfov_deg)
        assert yaw < min(3 * found.yaw_sigma_deg, 6.0)
        assert found.lens.mount_pitch_deg == pytest.approx(5.0, abs=3 * found.pitch_sigma_deg)
        assert found.lens.mount_roll_deg == pytest.approx(2.0, abs=3 * found.roll_sigma_deg)


def test_a_straight_walk_tells_too_little() -> None:
    path = worn.way(60, (1000,))
    tracks = worn.walk(np.random.default_rng(2), TRUE, GUESS, path, 8, CAREFUL)
    found = calibrate(tracks, GUESS)
    assert isinstance(found, NotCalibrated)
    assert "degrees only" in found.reason


def test_two_cameras_are_too_few() -> None:
    path = worn.way(30, (10,))
    tracks = worn.walk(np.random.default_rng(3), TRUE, GUESS, path, 8, CAREFUL)[:2]
    found = calibrate(tracks, GUESS)
    assert isinstance(found, NotCalibrated)
    assert "3 are wanted" in found.reason
