"""A walk -> the lens' field of view and how it is worn.

Cameras hang still, so their rays from many places must meet. All tracks of a walk are fitted at
once (bundle adjustment; B. Triggs et al., LNCS 1883, 2000): field of view and mount, which they
share, and the place, height and size of each camera. The errors of GNSS and of the heading are
unknowns too, first-order Gauss-Markov between knots, so that the answer's own error is honest.

A straight walk cannot tell a long lens from a street that is wide: scaling everything sideways
gives the same pictures. A bend can, since the course says by how much the lens turned while a
camera moved across the picture. What the evidence comes to is in the sigmas, and ``calibrate``
refuses when they are too large.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from scanner.core.geometry import LensModel
from scanner.core.lens.adjustment import LENS, Walk
from scanner.records import Glimpse, Track

MIN_TRACK_VIEWS: Final = 6
MIN_TRACKS: Final = 3
MAX_TRACK_VIEWS: Final = 24  # more tell no more: their errors are shared
MAX_TRACKS: Final = 40
ROUGH_TRACKS: Final = 12  # the starts are compared on so many
MAX_HFOV_SIGMA: Final = 0.05  # of the field of view itself
MAX_YAW_SIGMA_DEG: Final = 3.0
OPTIMISM: Final = (2.0, 1.2, 2.0, 1.2)
"""By how much sigmas of field of view, yaw, pitch and roll are too small by themselves.

Set by simulated walks of four minutes past 28 cameras. The field of view comes out too narrow
there, by a degree or some of 66 and the more so the worse the poses are; why is not known.
"""


class WornLens(msgspec.Struct, frozen=True, kw_only=True):
    """What a walk tells of a lens, with 1 sigma of each figure."""

    lens: LensModel
    hfov_sigma_deg: float
    yaw_sigma_deg: float
    pitch_sigma_deg: float
    roll_sigma_deg: float
    rms_px: float
    tracks: int
    glimpses: int


class NotCalibrated(msgspec.Struct, frozen=True, kw_only=True):
    """A walk that does not tell enough of the lens, and why."""

    reason: str


def calibrate(tracks: Sequence[Track], lens: LensModel) -> WornLens | NotCalibrated:
    """Field of view and mount from the tracks of one walk.

    ``lens`` is the one that the glimpses were made with; its distortion and centre are kept.
    """
    useful = sorted(
        (t for t in tracks if len(t.glimpses) >= MIN_TRACK_VIEWS), key=_turn, reverse=True
    )
    if len(useful) < MIN_TRACKS:
        return NotCalibrated(
            reason=f"{len(useful)} cameras seen {MIN_TRACK_VIEWS} times or more, "
            f"{MIN_TRACKS} are wanted"
        )
    views = [_thinned(t) for t in useful[:MAX_TRACKS]]
    walk = Walk(views, lens)
    try:
        rough = Walk(views[:ROUGH_TRACKS], lens).rough()
        state, covariance, rms_px = walk.fit(rough)
        found = walk.lens_from(state)
    except (ValueError, np.linalg.LinAlgError) as e:
        return NotCalibrated(reason=f"no lens fits the walk: {e}")
    sigmas = np.array(OPTIMISM) * np.degrees(np.sqrt(np.diag(covariance)[:LENS]))
    slope = math.sin(math.radians(found.hfov_deg))  # of the angle with the log focal length
    result = WornLens(
        lens=found,
        hfov_sigma_deg=float(sigmas[0]) * slope,
        yaw_sigma_deg=float(sigmas[1]),
        pitch_sigma_deg=float(sigmas[2]),
        roll_sigma_deg=float(sigmas[3]),
        rms_px=rms_px,
        tracks=walk.count,
        glimpses=len(walk.seconds),
    )
    if result.hfov_sigma_deg > MAX_HFOV_SIGMA * found.hfov_deg:
        return NotCalibrated(
            reason=f"the field of view is known to {result.hfov_sigma_deg:.1f} degrees only; "
            "round a corner while cameras are in view, or walk longer"
        )
    if result.yaw_sigma_deg > MAX_YAW_SIGMA_DEG:
        return NotCalibrated(reason=f"the yaw is known to {result.yaw_sigma_deg:.1f} degrees only")
    return result


def _turn(track: Track) -> float:
    """How far the heading turns during a track, by sines: what tells of the field of view."""
    headings = np.radians([g.pose.heading_deg for g in track.glimpses])
    return float(np.std(np.exp(1j * headings)))


def _thinned(track: Track) -> tuple[Glimpse, ...]:
    keep = np.unique(np.linspace(0, len(track.glimpses) - 1, MAX_TRACK_VIEWS).round().astype(int))
    return tuple(track.glimpses[i] for i in keep)
