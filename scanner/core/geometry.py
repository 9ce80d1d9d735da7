"""Frames of reference and the way between them.

=========  ======================================================  =====================
name       axes                                                    unit
=========  ======================================================  =====================
pixel      x right, y down, origin at the frame's top left corner  pixels
ray        right and down per forward of the glass, undistorted    1 (a direction)
level      azimuth right of the heading, elevation above horizon   degrees
enu        east, north of an origin on the ground                  metres
geodetic   latitude, longitude, WGS84                              degrees
=========  ======================================================  =====================

Functions are named ``target_from_source``.
"""

import math
from functools import lru_cache
from typing import Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from scanner.records import Box, Pose, Position

WGS84_A_M: Final = 6_378_137.0
WGS84_E2: Final = 6.694_379_990_14e-3  # first eccentricity squared
MIN_COURSE_SPEED_MPS: Final = 0.4

Real = TypeVar("Real", float, NDArray[np.float64])  # one or many


class Origin(msgspec.Struct, frozen=True):
    """Where a local enu frame touches the ground."""

    lat_deg: float
    lon_deg: float

    def _metres_per_degree(self) -> tuple[float, float]:
        """North and east, from the ellipsoid's radii of curvature at the origin."""
        sin2 = math.sin(math.radians(self.lat_deg)) ** 2
        w = math.sqrt(1 - WGS84_E2 * sin2)
        meridian = WGS84_A_M * (1 - WGS84_E2) / w**3
        normal = WGS84_A_M / w
        return (
            math.radians(meridian),
            math.radians(normal) * math.cos(math.radians(self.lat_deg)),
        )

    def enu_from_geodetic(self, lat_deg: Real, lon_deg: Real) -> tuple[Real, Real]:
        """East, north in metres; good to a centimetre within a kilometre."""
        north, east = self._metres_per_degree()
        return wrap_deg(lon_deg - self.lon_deg) * east, (lat_deg - self.lat_deg) * north

    def geodetic_from_enu(self, east_m: float, north_m: float) -> tuple[float, float]:
        """Latitude, longitude in degrees."""
        north, east = self._metres_per_degree()
        return self.lat_deg + north_m / north, wrap_deg(self.lon_deg + east_m / east)


def wrap_deg(angle_deg: Real) -> Real:
    """The same angle in [-180, 180)."""
    return (angle_deg + 180.0) % 360.0 - 180.0


def distance_m(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Distance between two near places, metres."""
    return math.hypot(*Origin(lat_a, lon_a).enu_from_geodetic(lat_b, lon_b))


FARTHEST: Final = 60.0  # focal lengths from the axis, 89 degrees: no lens of ours sees farther
LEAST_STRETCH: Final = 0.1  # where distortion folds the picture
STRAIGHT: Final = 1e-15  # a coefficient that bends nothing, not even there
ROUNDS: Final = 100  # bisection alone needs 60


class LensModel(msgspec.Struct, frozen=True, kw_only=True):
    """A lens and how it is worn.

    Pinhole with radial distortion (D. C. Brown, Photogrammetric Engineering 32, 1966): a direction
    at ``r`` from the axis, in focal lengths, is seen at ``r (1 + k1 r^2 + k2 r^4 + k3 r^6)``, as in
    OpenCV. ``hfov_deg`` is what a row through the middle of the frame spans, distortion included;
    that is the figure that vendors print. The axis pierces the frame at its middle, moved by
    ``offset_x_px`` and ``offset_y_px``. ``hfov_from_focal`` gives it from a focal length.

    What is worn crooked: yaw to the right of the way walked, pitch up, roll clockwise as the wearer
    sees it.
    """

    width_px: int
    height_px: int
    hfov_deg: float
    k1: float = 0.0
    k2: float = 0.0
    k3: float = 0.0
    offset_x_px: float = 0.0
    offset_y_px: float = 0.0
    pixel_aspect: float = 1.0  # focal length in y over that in x
    mount_yaw_deg: float = 0.0
    mount_pitch_deg: float = 0.0
    mount_roll_deg: float = 0.0
    height_m: float = 1.5

    @property
    def focal_px(self) -> float:
        """Focal length in x, pixels."""
        edge = math.tan(math.radians(self.hfov_deg) / 2)
        return self.width_px / 2 / (edge * self.stretch(edge * edge))

    @property
    def centre_px(self) -> tuple[float, float]:
        """Where the axis pierces the frame, (x, y)."""
        return self.width_px / 2 + self.offset_x_px, self.height_px / 2 + self.offset_y_px

    def stretch(self, r2: Real) -> Real:
        """How much farther out a direction is seen than a pinhole shows it; number or array."""
        return 1 + r2 * (self.k1 + r2 * (self.k2 + r2 * self.k3))

    def slope(self, r2: Real) -> Real:
        """By how much distortion draws out lengths along the radius; number or array."""
        return 1 + r2 * (3 * self.k1 + r2 * (5 * self.k2 + r2 * 7 * self.k3))

    def widening(self, r2: Real) -> Real:
        """How many times ``focal_px`` a thing's side is per radian; number or array.

        The geometric mean of both sides. Away from the middle a pixel covers less angle: by the
        length of its ray once across it and twice along it, 1.5 times in the geometric mean.
        """
        bent = np.maximum(self.slope(r2), LEAST_STRETCH) * np.maximum(
            self.stretch(r2), LEAST_STRETCH
        )
        wide: Real = (1 + r2) ** 0.75 * np.sqrt(self.pixel_aspect * bent)
        return wide

    def check(self) -> None:
        """Raise ValueError unless every pixel of the frame has exactly one ray."""
        limit = _turning_point(self.k1, self.k2, self.k3)
        if not math.tan(math.radians(self.hfov_deg) / 2) < limit:  # NaN is refused too
            raise ValueError(
                f"the distortion folds the picture {2 * math.degrees(math.atan(limit)):.0f} degrees"
                f" across, inside the {self.hfov_deg:.0f} degrees of the frame"
            )
        x_px, y_px = self.centre_px
        focal = self.focal_px
        corner = math.hypot(
            max(x_px, self.width_px - x_px) / focal,
            max(y_px, self.height_px - y_px) / focal / self.pixel_aspect,
        )
        if not corner < limit * self.stretch(limit * limit):
            raise ValueError("the distortion folds the picture: its corners have no ray")

    def ray_from_pixel(self, x_px: float, y_px: float) -> tuple[float, float]:
        """Right and down per forward; round trip to 1e-6 pixels inside a checked frame.

        What lies farther out than the lens can show is taken to lie at its rim.
        """
        focal = self.focal_px
        centre_x, centre_y = self.centre_px
        x, y = (x_px - centre_x) / focal, (y_px - centre_y) / focal / self.pixel_aspect
        if not (self.k1 or self.k2 or self.k3):
            return x, y
        seen = math.hypot(x, y)
        share = self._radius_from_seen(seen) / seen if seen else 1.0
        return x * share, y * share

    def pixel_from_ray(self, right: float, down: float) -> tuple[float, float]:
        """Where a direction, right and down per forward, is seen."""
        centre_x, centre_y = self.centre_px
        scale = self.focal_px * self.stretch(right * right + down * down)
        return centre_x + scale * right, centre_y + scale * self.pixel_aspect * down

    def _radius_from_seen(self, seen: float) -> float:
        """Distance from the axis, undistorted, in focal lengths.

        Newton's method, kept inside a bracket that bisection would close: up to the turning point
        of the polynomial it rises, so there is one root and it is always found.
        """
        low, high = 0.0, _turning_point(self.k1, self.k2, self.k3)
        if seen >= high * self.stretch(high * high):
            return high
        r = min(seen, high / 2)
        for _ in range(ROUNDS):
            r2 = r * r
            off = r * self.stretch(r2) - seen
            low, high = (r, high) if off < 0 else (low, r)
            slope = self.slope(r2)
            step = off / slope if slope > 0 else math.inf
            closer = r - step if low < r - step < high else (low + high) / 2
            if abs(closer - r) <= 1e-15 * (1 + r):
                return closer
            r = closer
        return r

    def level_from_pixel(self, x_px: float, y_px: float) -> tuple[float, float]:
        """Azimuth right of the lens' heading and elevation above the horizon, degrees."""
        x, y = self.ray_from_pixel(x_px, y_px)
        roll, pitch = math.radians(self.mount_roll_deg), math.radians(self.mount_pitch_deg)
        right = x * math.cos(roll) - y * math.sin(roll)
        up = -x * math.sin(roll) - y * math.cos(roll)
        forward = math.cos(pitch) - up * math.sin(pitch)
        up = math.sin(pitch) + up * math.cos(pitch)
        return (
            math.degrees(math.atan2(right, forward)),
            math.degrees(math.atan2(up, math.hypot(right, forward))),
        )

    def size_deg(self, box: Box) -> float:
        """Geometric mean of a box's angular width and height, degrees."""
        u, v = self.ray_from_pixel(*box.centre_px)
        side_px = math.sqrt(max(box.width_px, 1e-6) * max(box.height_px, 1e-6))
        return math.degrees(side_px / self.focal_px / float(self.widening(u * u + v * v)))

    def resized(self, width_px: int, height_px: int) -> "LensModel":
        """The same lens behind frames of another size.

        The horizontal field of view is kept: frames of another shape are cut, or not, at top and
        bottom, as the sensors' modes do.
        """
        scale = width_px / self.width_px
        return msgspec.structs.replace(
            self,
            width_px=width_px,
            height_px=height_px,
            offset_x_px=self.offset_x_px * scale,
            offset_y_px=self.offset_y_px * scale,
        )


@lru_cache(maxsize=64)
def _turning_point(k1: float, k2: float, k3: float) -> float:
    """Up to where r (1 + k1 r^2 + k2 r^4 + k3 r^6) rises: the least root of its derivative."""
    # Coefficients that bend nothing would only overflow in the division by them.
    rises = [0.0 if abs(k) < STRAIGHT else k for k in (7 * k3, 5 * k2, 3 * k1)]
    roots = np.roots([*rises, 1.0])
    real = [float(q.real) for q in roots if abs(q.imag) < 1e-9 * (1 + abs(q)) and q.real > 0]
    return min(math.sqrt(min(real)), FARTHEST) if real else FARTHEST


def hfov_from_focal(width_px: int, focal_px: float, k1: float, k2: float, k3: float) -> float:
    """What a middle row spans, degrees; raises ValueError if the distortion folds the picture."""
    lens = LensModel(width_px=width_px, height_px=1, hfov_deg=1.0, k1=k1, k2=k2, k3=k3)
    seen = width_px / 2 / focal_px
    edge = lens._radius_from_seen(seen)  # noqa: SLF001 - the same module
    if not edge < _turning_point(k1, k2, k3):
        raise ValueError("the distortion folds the picture before its edge")
    return 2 * math.degrees(math.atan(edge))


def pose_from_position(position: Position, lens: LensModel) -> Pose | None:
    """Pose of a worn lens: its heading is the course over ground plus the mount's yaw.

    A course is as good as the speed allows: with a velocity error of ``s`` metres per second across
    the way, its sigma is ``atan(s / speed)``; from two places ``d`` apart whose difference is wrong
    by ``e``, ``atan(e / d)``. So it grows as the wearer slows down, and below 0.4 m/s
    (``MIN_COURSE_SPEED_MPS``) there is none: then there is no pose, and nothing is located.
    Whoever sidesteps or walks backwards is believed to look where he goes.
    """
    if position.course_deg is None:
        return None
    return Pose(
        at_ns=position.at_ns,
        lat_deg=position.lat_deg,
        lon_deg=position.lon_deg,
        sigma_m=position.sigma_m,
        heading_deg=(position.course_deg + lens.mount_yaw_deg) % 360.0,
        heading_sigma_deg=position.course_sigma_deg,
        pitch_deg=lens.mount_pitch_deg,
        height_m=lens.height_m,
    )
