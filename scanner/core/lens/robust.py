"""How much a measurement in pixels is off, in sigmas, and what one far off may weigh."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scanner.core import locate as model
from scanner.core.geometry import LensModel
from scanner.core.lens.lenses import level_from_seen, seen_from_level

Array = NDArray[np.float64]

HUBER: Final = 2.5  # sigmas, of two coordinates together
STEP: Final = 1e-5  # radians, of finite differences


def huber(far: Array) -> tuple[Array, Array]:
    """Weight and cost of what is so many sigmas off, (n,) each (P. J. Huber, 1964)."""
    weight = np.minimum(1.0, HUBER / np.maximum(far, 1e-9))
    return weight, np.where(far <= HUBER, far**2, 2 * HUBER * far - HUBER**2)


def whitening_of(model_lens: LensModel, observed: Array, lens: Array) -> Array:
    """(n, 3, 3) that make what is off, (n, 3), of unit covariance: sway is an angle.

    ``observed`` is as ``seen_from_level`` gives it, (n, 3); ``lens`` log focal length, yaw, pitch
    and roll.
    """
    azimuth, elevation, log_size = level_from_seen(model_lens, lens, observed)
    turned = [
        seen_from_level(model_lens, lens, azimuth + a, elevation + e, log_size)[:, :2]
        - seen_from_level(model_lens, lens, azimuth - a, elevation - e, log_size)[:, :2]
        for a, e in ((STEP, 0.0), (0.0, STEP))
    ]
    sway = math.radians(model.SWAY_SIGMA_DEG) / (2 * STEP)
    result = np.zeros((len(azimuth), 3, 3))
    result[:, :2, :2] = np.linalg.inv(np.stack(turned, axis=2) * sway)
    result[:, 2, 2] = 1 / model.GLIMPSE_SIZE_SIGMA
    return result
