import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.core.geometry import LensModel, Origin, distance_m, pose_from_position, wrap_deg
from scanner.records import Box, Position

LENS = LensModel(width_px=1280, height_px=720, hfov_deg=66.0)
angles = st.floats(-1e4, 1e4)
metres = st.floats(-500, 500)


@given(st.floats(-80, 80), st.floats(-180, 179.99), metres, metres)
def test_enu_and_back_is_the_same_place(lat: float, lon: float, east: float, north: float) -> None:
    origin = Origin(lat, lon)
    assert origin.enu_from_geodetic(*origin.geodetic_from_enu(east, north)) == pytest.approx(
        (east, north), abs=1e-4
    )


@pytest.mark.parametrize(
    ("lat", "north_m", "east_m"),
    [  # lengths of a degree, NGA geoid tables
        (0.0, 110_574, 111_320),
        (15.0, 110_649, 107_550),
        (45.0, 111_132, 78_847),
        (60.0, 111_412, 55_800),
        (75.0, 111_618, 28_902),
    ],
)
def test_a_degree_has_its_published_length(lat: float, north_m: float, east_m: float) -> None:
    east, north = Origin(lat, 10).enu_from_geodetic(lat + 1e-3, 10 + 1e-3)
    assert north * 1e3 == pytest.approx(north_m, rel=2e-4)
    assert east * 1e3 == pytest.approx(east_m, rel=2e-4)


def test_the_date_line_is_no_wall() -> None:
    assert distance_m(0, 179.9999, 0, -179.9999) == pytest.approx(22.3, abs=0.1)


@given(angles)
def test_wrapped_angles_are_small_and_equivalent(angle: float) -> None:
    wrapped = wrap_deg(angle)
    assert -180 <= wrapped < 180
    assert math.cos(math.radians(wrapped)) == pytest.approx(math.cos(math.radians(angle)), abs=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "azimuth", "elevation"),
    [(640, 360, 0, 0), (1280, 360, 33, 0), (0, 360, -33, 0), (640, 0, 0, 20.06)],
)
def test_a_level_lens_sees_its_field_of_view(
    x: float, y: float, azimuth: float, elevation: float
) -> None:
    assert LENS.level_from_pixel(x, y) == pytest.approx((azimuth, elevation), abs=0.01)


def test_a_raised_lens_sees_higher() -> None:
    raised = LensModel(width_px=1280, height_px=720, hfov_deg=66.0, mount_pitch_deg=10)
    assert raised.level_from_pixel(640, 360) == pytest.approx((0, 10))
    azimuth, elevation = raised.level_from_pixel(1280, 360)
    assert azimuth > 33
    assert elevation < 10


@given(
    st.floats(-0.3, 0.15),
    st.floats(-0.02, 0.05),
    st.floats(-0.64, 0.64),
    st.floats(-0.36, 0.36),
)
def test_distortion_is_taken_out(k1: float, k2: float, x: float, y: float) -> None:
    """Directions distorted by the formula in the docstring come back."""
    lens = LensModel(width_px=1280, height_px=720, hfov_deg=66.0, k1=k1, k2=k2)
    r2 = x * x + y * y
    stretch = lens.focal_px * (1 + k1 * r2 + k2 * r2 * r2)
    assert lens.ray_from_pixel(640 + x * stretch, 360 + y * stretch) == pytest.approx(
        (x, y), abs=2e-3
    )


def test_size_follows_the_distance_and_not_the_place_in_the_picture() -> None:
    """A ball of 1 degree, drawn in the middle and near the edge, has the same size."""
    focal = LENS.focal_px
    side = focal * math.radians(1)
    middle = LENS.size_deg(Box(640 - side / 2, 360 - side / 2, 640 + side / 2, 360 + side / 2))
    ray = 1 / math.cos(math.radians(30))
    x = 640 + focal * math.tan(math.radians(30))
    edge = LENS.size_deg(
        Box(
            x - side * ray**2 / 2,
            360 - side * ray / 2,
            x + side * ray**2 / 2,
            360 + side * ray / 2,
        )
    )
    assert middle == pytest.approx(1, rel=1e-3)
    assert edge == pytest.approx(1, rel=1e-3)


def test_a_pose_needs_a_course() -> None:
    position = Position(
        at_ns=1,
        lat_deg=1,
        lon_deg=2,
        sigma_m=3,
        course_deg=None,
        course_sigma_deg=180,
        utc_s=None,
    )
    assert pose_from_position(position, LENS) is None


def test_the_heading_is_the_course_plus_the_mount() -> None:
    lens = LensModel(width_px=10, height_px=10, hfov_deg=60, mount_yaw_deg=-90)
    position = Position(
        at_ns=1,
        lat_deg=1,
        lon_deg=2,
        sigma_m=3,
        course_deg=30,
        course_sigma_deg=4,
        utc_s=None,
    )
    pose = pose_from_position(position, lens)
    assert pose is not None
    assert pose.heading_deg == 300
