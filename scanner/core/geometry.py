"""Frames of reference and the way between them.

=========  ======================================================  =====================
name       axes                                                    unit
=========  ======================================================  =====================
pixel      x right, y down, origin at the frame's top left corner  pixels
lens       right, up, forward of the glass                         1 (a direction)
level      azimuth right of the heading, elevation above horizon   degrees
enu        east, north of an origin on the ground                  metres
geodetic   latitude, longitude, WGS84                              degrees
=========  ======================================================  =====================

Functions are named ``target_from_source``.
"""

import math
from typing import Final

import msgspec

from scanner.records import Box, Pose, Position

WGS84_A_M: Final = 6_378_137.0
WGS84_E2: Final = 6.694_379_990_14e-3  # first eccentricity squared
MIN_COURSE_SPEED_MPS: Final = 0.4


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

    def enu_from_geodetic(self, lat_deg: float, lon_deg: float) -> tuple[float, float]:
        """East, north in metres; good to a centimetre within a kilometre."""
        north, east = self._metres_per_degree()
        return wrap_deg(lon_deg - self.lon_deg) * east, (lat_deg - self.lat_deg) * north

    def geodetic_from_enu(self, east_m: float, north_m: float) -> tuple[float, float]:
        """Latitude, longitude in degrees."""
        north, east = self._metres_per_degree()
        return self.lat_deg + north_m / north, wrap_deg(self.lon_deg + east_m / east)


def wrap_deg(angle_deg: float) -> float:
    """The same angle in [-180, 180)."""
    return (angle_deg + 180.0) % 360.0 - 180.0


def distance_m(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Distance between two near places, metres."""
    return math.hypot(*Origin(lat_a, lon_a).enu_from_geodetic(lat_b, lon_b))


UNDISTORT_ROUNDS: Final = 8


class LensModel(msgspec.Struct, frozen=True, kw_only=True):
    """A lens and how it is worn.

    Pinhole with radial distortion (D. C. Brown, Photogrammetric Engineering 32, 1966): a direction
    at ``r`` from the axis, in focal lengths, is seen at ``r (1 + k1 r^2 + k2 r^4)``. ``hfov_deg``
    is that of the pinhole without distortion.
    """

    width_px: int
    height_px: int
    hfov_deg: float
    k1: float = 0.0
    k2: float = 0.0
    mount_yaw_deg: float = 0.0
    mount_pitch_deg: float = 0.0
    height_m: float = 1.5

    @property
    def focal_px(self) -> float:
        """Focal length in pixels, the same in x and y."""
        return self.width_px / 2 / math.tan(math.radians(self.hfov_deg) / 2)

    def ray_from_pixel(self, x_px: float, y_px: float) -> tuple[float, float]:
        """Right and down per forward, distortion taken out by fixed-point iteration."""
        seen_x = (x_px - self.width_px / 2) / self.focal_px
        seen_y = (y_px - self.height_px / 2) / self.focal_px
        x, y = seen_x, seen_y
        for _ in range(UNDISTORT_ROUNDS if self.k1 or self.k2 else 0):
            r2 = x * x + y * y
            stretch = 1 + self.k1 * r2 + self.k2 * r2 * r2
            x, y = seen_x / stretch, seen_y / stretch
        return x, y

    def level_from_pixel(self, x_px: float, y_px: float) -> tuple[float, float]:
        """Azimuth right of the lens' heading and elevation above the horizon, degrees."""
        right, down = self.ray_from_pixel(x_px, y_px)
        up = -down
        pitch = math.radians(self.mount_pitch_deg)
        forward = math.cos(pitch) - up * math.sin(pitch)
        up = math.sin(pitch) + up * math.cos(pitch)
        return (
            math.degrees(math.atan2(right, forward)),
            math.degrees(math.atan2(up, math.hypot(right, forward))),
        )

    def size_deg(self, box: Box) -> float:
        """Geometric mean of a box's angular width and height, degrees.

        Away from the middle a pixel covers less angle: by the length of its ray once across it and
        twice along it, 1.5 times in the geometric mean.
        """
        u, v = self.ray_from_pixel(*box.centre_px)
        ray = math.sqrt(1 + u * u + v * v)
        side_px = math.sqrt(max(box.width_px, 1e-6) * max(box.height_px, 1e-6))
        return math.degrees(side_px / self.focal_px / ray**1.5)

    def resized(self, width_px: int, height_px: int) -> "LensModel":
        """The same lens behind frames of another size, field of view kept."""
        return msgspec.structs.replace(self, width_px=width_px, height_px=height_px)


def pose_from_position(position: Position, lens: LensModel) -> Pose | None:
    """Pose of a worn lens: its heading is the course plus the mount's yaw.

    None while standing, when there is no course to take a heading from.
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
