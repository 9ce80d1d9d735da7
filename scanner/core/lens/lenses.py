"""Lenses by name, and the file that ``scanner calibrate`` writes."""

import math
import tomllib
from typing import Annotated, Final, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from scanner.core.geometry import LEAST_STRETCH, LensModel, hfov_from_focal

Array = NDArray[np.float64]

LEAST_DEPTH: Final = 0.05  # what is beside or behind the lens is taken to be just ahead of it
UNDISTORT: Final = 12  # Newton steps

LONGEST: Final = 4_096  # characters; reading dotted keys takes time with their square

LensName = Literal["v2", "v3", "v3-wide", "hq-6mm"]


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """What a vendor says of a lens: degrees across the whole width of the sensor; k1, k2, k3."""

    hfov_deg: float
    distortion: tuple[float, float, float] = (0.0, 0.0, 0.0)


PRESETS: Final[dict[LensName, Preset]] = {
    "v2": Preset(hfov_deg=62.2, distortion=(0.155, -0.259, 0.0)),
    "v3": Preset(hfov_deg=66.0),
    "v3-wide": Preset(hfov_deg=102.0, distortion=(-0.0425, 0.0, 0.0)),
    "hq-6mm": Preset(hfov_deg=53.3),
}
"""The official cameras of the Raspberry Pi; a mode that crops the sensor's sides sees less.

Fields of view: table "Hardware Specification" of the Raspberry Pi documentation (accessories,
camera): Camera Module v2 62.2 x 48.8, Camera Module 3 66 x 41, Camera Module 3 Wide 102 x 67.
The distortion is a start, not a measurement of your lens: ``scanner calibrate`` gives that.

- v2: the mean of three published calibrations that agree (UbiquityRobotics/raspicam_node,
  camera_info/camerav2_*.yaml: k1 0.135 to 0.164, k2 -0.234 to -0.272); it moves nothing by more
  than 3 %. They see 63.9 to 64.1 degrees where the vendor says 62.2.
- v3: none is published, so none is assumed; 66 x 41 leaves no room for more than 2 %.
- v3-wide: none is published. 102 x 67 does not fit a pinhole behind 16:9; it fits k1 = -0.0425,
  and a focal length of 2.79 mm where the vendor says 2.75. The corners, 111 degrees apart by this,
  are the least certain.
- hq-6mm: none is published. The vendor gives 63 degrees, the diagonal of the lens' 1/2 inch
  format, and 6 mm, in front of 6.287 mm of sensor: 51.4 degrees by the one, 55.3 by the other.
  This is their middle, and may be wrong by 2 degrees.
"""

Pixels = Annotated[float, Meta(gt=0, le=1e5)]
Size = Annotated[int, Meta(ge=64, le=10_000)]
Coefficient = Annotated[float, Meta(ge=-5, le=5)]


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A measured lens: its picture's size, focal lengths and centre in pixels, distortion."""

    width_px: Size
    height_px: Size
    fx_px: Pixels
    fy_px: Pixels
    cx_px: Pixels
    cy_px: Pixels
    k1: Coefficient = 0.0
    k2: Coefficient = 0.0
    k3: Coefficient = 0.0
    rms_px: Annotated[float, Meta(ge=0)] = 0.0  # what the fit left over

    def lens(self) -> LensModel:
        """The lens in front of frames of the calibrated size; ValueError if it cannot be one."""
        lens = LensModel(
            width_px=self.width_px,
            height_px=self.height_px,
            hfov_deg=hfov_from_focal(self.width_px, self.fx_px, self.k1, self.k2, self.k3),
            k1=self.k1,
            k2=self.k2,
            k3=self.k3,
            offset_x_px=self.cx_px - self.width_px / 2,
            offset_y_px=self.cy_px - self.height_px / 2,
            pixel_aspect=self.fy_px / self.fx_px,
        )
        lens.check()
        return lens


def calibration_from_lens(lens: LensModel, rms_px: float) -> Calibration:
    """What is to be written down of a lens."""
    cx_px, cy_px = lens.centre_px
    return Calibration(
        width_px=lens.width_px,
        height_px=lens.height_px,
        fx_px=lens.focal_px,
        fy_px=lens.focal_px * lens.pixel_aspect,
        cx_px=cx_px,
        cy_px=cy_px,
        k1=lens.k1,
        k2=lens.k2,
        k3=lens.k3,
        rms_px=rms_px,
    )


def encode(calibration: Calibration) -> str:
    """The calibration as TOML, one key a line."""
    lines = (
        f"{key} = {round(value, 6)!r}" for key, value in msgspec.structs.asdict(calibration).items()
    )
    return "\n".join(("# A lens, by `scanner calibrate`; for lens.calibration", *lines)) + "\n"


def decode(text: str) -> Calibration:
    """The calibration in a TOML text; ValueError says what is wrong with it."""
    if len(text) > LONGEST:
        raise ValueError(f"longer than {LONGEST} characters: not a calibration")
    try:
        calibration = msgspec.convert(tomllib.loads(text), Calibration)
    except RecursionError as e:
        raise ValueError("lists in lists: not a calibration") from e
    calibration.lens()
    return calibration


def seen_from_level(
    optics: LensModel, worn: Array, azimuth: Array, elevation: Array, log_size: Array
) -> Array:
    """Column and row in pixels, logarithm of the side in pixels: (n, 3).

    ``worn`` is log focal length (pixels), yaw, pitch, roll: (4,), or (4, n) for a lens each; of
    ``optics`` distortion, centre and pixel aspect count. Angles from the lens' heading and the
    size are radians, (n,). The way back from ``LensModel.level_from_pixel`` and ``size_deg``.
    """
    log_focal, _, pitch, roll = worn
    forward, up = np.cos(elevation) * np.cos(azimuth), np.sin(elevation)
    right = np.cos(elevation) * np.sin(azimuth)
    depth = np.maximum(forward * np.cos(pitch) + up * np.sin(pitch), LEAST_DEPTH)
    rise = up * np.cos(pitch) - forward * np.sin(pitch)
    u = (right * np.cos(roll) - rise * np.sin(roll)) / depth
    v = -(right * np.sin(roll) + rise * np.cos(roll)) / depth
    x_px, y_px = optics.centre_px
    scale = np.exp(log_focal) * optics.stretch(u**2 + v**2)
    log_side = log_size + log_focal + np.log(optics.widening(u**2 + v**2))
    return np.stack([x_px + scale * u, y_px + scale * optics.pixel_aspect * v, log_side], axis=1)


def level_from_seen(optics: LensModel, worn: Array, seen: Array) -> tuple[Array, Array, Array]:
    """Azimuth, elevation and log size (n,), radians, of what is seen (n, 3), for one lens (4,)."""
    log_focal, _, pitch, roll = worn
    focal = math.exp(log_focal)
    x_px, y_px = optics.centre_px
    x, y = (seen[:, 0] - x_px) / focal, (seen[:, 1] - y_px) / focal / optics.pixel_aspect
    r = far = np.hypot(x, y)
    for _ in range(UNDISTORT):
        off = r * optics.stretch(r**2) - far
        r = np.clip(r - off / np.maximum(optics.slope(r**2), LEAST_STRETCH), 0, 2 * far)
    share = r / np.maximum(far, 1e-12)
    u, v = x * share, y * share
    right, rise = u * np.cos(roll) - v * np.sin(roll), -u * np.sin(roll) - v * np.cos(roll)
    forward, up = np.cos(pitch) - rise * np.sin(pitch), np.sin(pitch) + rise * np.cos(pitch)
    return (
        np.arctan2(right, forward),
        np.arctan2(up, np.hypot(right, forward)),
        seen[:, 2] - log_focal - np.log(optics.widening(r**2)),
    )
