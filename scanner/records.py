"""The values that travel through the scanner: frozen, without behaviour.

Conventions: pixels have their origin at the top left corner, x to the right, y down. Angles are
degrees; bearings run clockwise from true north. Positions are WGS84. Times named ``at_ns`` are on
one boot clock, in nanoseconds; they order events and are never sent.
"""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What sort of camera was found."""

    BULLET = "bullet"
    DOME = "dome"
    PTZ = "ptz"
    ALPR = "alpr"
    UNKNOWN = "unknown"


class Box(msgspec.Struct, frozen=True):
    """A rectangle in pixels: left, top, right, bottom."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width_px(self) -> float:
        """Extent in x."""
        return self.x1 - self.x0

    @property
    def height_px(self) -> float:
        """Extent in y."""
        return self.y1 - self.y0

    @property
    def centre_px(self) -> tuple[float, float]:
        """The middle, (x, y)."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def shifted(self, dx_px: float, dy_px: float) -> "Box":
        """The same box, moved."""
        return Box(self.x0 + dx_px, self.y0 + dy_px, self.x1 + dx_px, self.y1 + dy_px)

    def scaled(self, factor: float) -> "Box":
        """The same box in a picture enlarged by ``factor``."""
        return Box(self.x0 * factor, self.y0 * factor, self.x1 * factor, self.y1 * factor)


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """One camera in one picture."""

    box: Box
    score: float  # 0 to 1
    kind: Kind


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where the scanner is at one instant."""

    at_ns: int
    lat_deg: float
    lon_deg: float
    sigma_m: float  # 1 sigma of the horizontal position, per axis
    course_deg: float | None  # direction of travel; None while standing
    course_sigma_deg: float
    utc_s: float | None  # seconds since 1970 by GNSS, if the receiver said so


class Pose(msgspec.Struct, frozen=True, kw_only=True):
    """Where the lens is and where it points."""

    at_ns: int
    lat_deg: float
    lon_deg: float
    sigma_m: float
    heading_deg: float
    heading_sigma_deg: float
    pitch_deg: float  # positive: the lens looks up
    height_m: float  # of the lens above ground


class Glimpse(msgspec.Struct, frozen=True, kw_only=True):
    """One detection together with the pose it was seen from."""

    detection: Detection
    pose: Pose
    frame: int  # number of the frame, from 0
    azimuth_deg: float  # of the box's middle, right of the lens' heading
    elevation_deg: float  # of the box's middle above the horizon, mount pitch included
    size_deg: float  # geometric mean of the box's angular width and height


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """All glimpses of what is taken to be one camera."""

    number: int
    glimpses: tuple[Glimpse, ...]


class Covariance(msgspec.Struct, frozen=True):
    """A symmetric 2x2 covariance in east and north, square metres."""

    ee: float
    en: float
    nn: float


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A located track: where the camera is, never where the scanner was."""

    kind: Kind
    score: float
    lat_deg: float
    lon_deg: float
    relative: Covariance  # error of the camera relative to the walk's track
    common_sigma_m: float  # error of the walk's track itself, per axis, shared by neighbours
    height_m: float | None  # above ground
    frames: tuple[int, ...]  # numbers of the frames that show it, rising
    at_ns: int  # boot clock at the last view

    @property
    def views(self) -> int:
        """How often it was seen."""
        return len(self.frames)

    @property
    def first_frame(self) -> int:
        """Number of the frame that showed it first."""
        return self.frames[0]

    @property
    def last_frame(self) -> int:
        """Number of the frame that showed it last."""
        return self.frames[-1]


class NotLocated(msgspec.Struct, frozen=True, kw_only=True):
    """A track that gave no position, and why."""

    reason: str
    kind: Kind
    views: int


class Withheld(msgspec.Struct, frozen=True, kw_only=True):
    """A sighting that must not leave the device, and why."""

    reason: str
