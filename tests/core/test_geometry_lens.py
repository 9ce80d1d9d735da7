"""The lens model: there and back at every pixel, presets by their data sheets, worn crooked."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from scanner.app import lens_model
from scanner.config import Lens
from scanner.core.fixes import Fix, FixRing
from scanner.core.geometry import MIN_COURSE_SPEED_MPS, LensModel, pose_from_position
from scanner.core.lens.lenses import (
    Calibration,
    calibration_from_lens,
    decode,
    encode,
    level_from_seen,
    seen_from_level,
)
from scanner.errors import ConfigError
from scanner.records import Box
from tests.helpers.worn import pixel_from_level

PLAIN = LensModel(width_px=1280, height_px=720, hfov_deg=66.0)
BENT = replace(PLAIN, hfov_deg=102.0, k1=-0.09, k2=0.02, k3=-0.001, offset_x_px=9, offset_y_px=-7)


@pytest.mark.parametrize("preset", ["v2", "v3", "v3-wide", "hq-6mm"])
@pytest.mark.parametrize("size", [(1280, 720), (1280, 960), (640, 480), (4608, 2592)])
def test_a_preset_goes_there_and_back(preset: str, size: tuple[int, int]) -> None:
    width, height = size
    lens = lens_model(Lens(preset=preset, width_px=width, height_px=height))  # type: ignore[arg-type]
    for x in (0, 1, width / 3, width / 2, width):
        for y in (0, 1, height / 3, height / 2, height):
            there = lens.ray_from_pixel(x, y)
            assert lens.pixel_from_ray(*there) == pytest.approx((x, y), abs=1e-6)


@given(st.floats(0, 1280), st.floats(0, 720))
def test_a_bent_lens_goes_there_and_back(x: float, y: float) -> None:
    BENT.check()
    assert BENT.pixel_from_ray(*BENT.ray_from_pixel(x, y)) == pytest.approx((x, y), abs=1e-6)


@pytest.mark.parametrize(
    ("preset", "size", "hfov_deg", "vfov_deg", "tolerance"),
    [  # the vendor's table; see scanner/core/lens/lenses.py
        ("v2", (1640, 1232), 62.2, 48.8, 0.3),
        ("v3", (1280, 720), 66.0, 41.0, 1.0),
        ("v3-wide", (1280, 720), 102.0, 67.0, 0.1),
        ("hq-6mm", (1280, 960), 53.3, 41.3, 0.1),
    ],
)
def test_a_preset_sees_what_the_vendor_says(
    preset: str, size: tuple[int, int], hfov_deg: float, vfov_deg: float, tolerance: float
) -> None:
    width, height = size
    lens = lens_model(Lens(preset=preset, width_px=width, height_px=height))  # type: ignore[arg-type]
    right, _ = lens.ray_from_pixel(width, height / 2)
    _, down = lens.ray_from_pixel(width / 2, height)
    assert 2 * math.degrees(math.atan(right)) == pytest.approx(hfov_deg, abs=1e-6)
    assert 2 * math.degrees(math.atan(down)) == pytest.approx(vfov_deg, abs=tolerance)


@pytest.mark.parametrize(
    "folded", [{"k1": -0.5}, {"k2": -0.3}, {"k1": math.nan}, {"k1": 0.1, "k3": -0.2}]
)
def test_a_lens_that_folds_its_picture_is_refused(folded: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"folds|finite|infs or NaNs|nan"):
        replace(PLAIN, hfov_deg=102.0, **folded).check()


def test_what_lies_beyond_the_rim_is_taken_to_lie_at_it() -> None:
    lens = replace(PLAIN, k1=-0.5)
    right, _ = lens.ray_from_pixel(1e6, 360)
    assert right == pytest.approx(math.sqrt(2 / 3))


@given(st.floats(-40, 40), st.floats(-15, 25), st.floats(-20, 20), st.floats(-20, 20))
def test_a_lens_worn_crooked_tells_the_true_direction(
    azimuth: float, elevation: float, pitch: float, roll: float
) -> None:
    lens = replace(BENT, mount_pitch_deg=pitch, mount_roll_deg=roll)
    seen = pixel_from_level(lens, azimuth, elevation)
    if seen:
        assert lens.level_from_pixel(*seen) == pytest.approx((azimuth, elevation), abs=1e-6)


@pytest.mark.parametrize("pixel_aspect", [1.0, 4 / 3])
def test_arrays_see_what_the_lens_sees(pixel_aspect: float) -> None:
    lens = replace(BENT, mount_pitch_deg=7, mount_roll_deg=-4, pixel_aspect=pixel_aspect)
    worn = np.array([math.log(lens.focal_px), 0.0, math.radians(7), math.radians(-4)])
    points = [(30.0, 40.0), (640.0, 360.0), (1200.0, 650.0), (900.0, 100.0)]
    boxes = [Box(x - 4, y - 4, x + 4, y + 4) for x, y in points]
    seen = np.array([(x, y, math.log(8.0)) for x, y in points])
    level = level_from_seen(lens, worn, seen)
    direct = [
        (*lens.level_from_pixel(*p), lens.size_deg(b)) for p, b in zip(points, boxes, strict=True)
    ]
    found = np.stack([np.degrees(level[0]), np.degrees(level[1]), np.degrees(np.exp(level[2]))], 1)
    assert found == pytest.approx(np.array(direct), abs=1e-6)
    assert seen_from_level(lens, worn, *level) == pytest.approx(seen, abs=1e-6)


def test_a_clockwise_roll_turns_the_picture_the_other_way() -> None:
    """What lies to the right of the middle in the picture lies lower in the world."""
    azimuth, elevation = replace(PLAIN, mount_roll_deg=10).level_from_pixel(1000, 360)
    assert azimuth > 0
    assert elevation < -2


@pytest.mark.parametrize("pixel_aspect", [1.0, 4 / 3, 3 / 4])
def test_size_is_free_of_distortion(pixel_aspect: float) -> None:
    """A ball of one degree, drawn through the lens itself, has one degree everywhere."""
    lens = replace(BENT, pixel_aspect=pixel_aspect)
    for azimuth in (0.0, 20.0, 40.0):
        edges = [pixel_from_level(lens, azimuth + d, 0.0) for d in (-0.5, 0.5)]
        rims = [pixel_from_level(lens, azimuth, d) for d in (-0.5, 0.5)]
        assert all(edges)
        assert all(rims)
        (left, _), (right, _) = edges  # type: ignore[misc]
        (_, low), (_, high) = rims  # type: ignore[misc]
        assert lens.size_deg(Box(left, high, right, low)) == pytest.approx(1, rel=0.01)


def test_frames_of_another_size_come_through_the_same_lens() -> None:
    small = BENT.resized(640, 360)
    assert small.ray_from_pixel(100, 50) == pytest.approx(BENT.ray_from_pixel(200, 100), abs=1e-9)
    assert BENT.resized(1280, 960).level_from_pixel(640, 480)[0] == pytest.approx(
        BENT.level_from_pixel(640, 360)[0]
    )


def test_a_calibration_comes_back_from_its_file() -> None:
    found = decode(encode(calibration_from_lens(BENT, 0.31)))
    assert found.rms_px == 0.31
    again = found.lens()
    for x, y in ((0, 0), (1280, 720), (640, 360), (1280, 0)):
        assert again.ray_from_pixel(x, y) == pytest.approx(BENT.ray_from_pixel(x, y), abs=1e-5)
    assert again.hfov_deg == pytest.approx(102.0, abs=1e-4)


CALIBRATION = encode(
    Calibration(width_px=640, height_px=360, fx_px=500, fy_px=500, cx_px=320, cy_px=180, k1=-0.05)
)


def test_the_calibration_is_used_instead_of_the_preset(tmp_path: object) -> None:
    path = f"{tmp_path}/lens.toml"
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(CALIBRATION)
    lens = lens_model(Lens(preset="v3-wide", calibration=path, mount_roll_deg=3))
    assert (lens.width_px, lens.k1, lens.mount_roll_deg) == (1280, -0.05, 3)
    assert lens.focal_px == pytest.approx(1000)
    with pytest.raises(ConfigError, match=r"hfov_deg.*remove"):
        lens_model(Lens(calibration=path, hfov_deg=70))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "width_px"),
        ("k9 = 1", "unknown field"),
        (CALIBRATION.replace("-0.05", "-4.0"), "folds"),
        (CALIBRATION.replace("500", "nan"), "fx_px"),
        ("[", "Invalid|invalid|Expected|expected"),
        (None, "cannot be read"),
    ],
)
def test_a_wrong_calibration_is_named(tmp_path: object, text: str | None, words: str) -> None:
    path = f"{tmp_path}/lens.toml"
    if text is not None:
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
    with pytest.raises(ConfigError, match=words) as caught:
        lens_model(Lens(calibration=path))
    assert "lens.toml" in str(caught.value)


def test_keys_beat_the_preset() -> None:
    lens = lens_model(Lens(preset="v3-wide", hfov_deg=95.0, distortion=(-0.02,)))
    assert (lens.hfov_deg, lens.k1, lens.k2) == (95.0, -0.02, 0.0)
    assert lens_model(Lens(preset="v3-wide", hfov_deg=95.0)).k1 == -0.0425
    assert lens_model(Lens(preset="v3-wide", hfov_deg=66.0)).hfov_deg == 66.0
    assert lens_model(Lens(preset="v3-wide")).hfov_deg == 102.0
    with pytest.raises(ConfigError, match=r"hfov_deg.*above 10"):
        lens_model(Lens(hfov_deg=5.0))
    with pytest.raises(ConfigError, match="folds"):
        lens_model(Lens(distortion=(-0.9,)))


def walked(speed_mps: float, *, doppler: bool) -> FixRing:
    """Ten seconds due north."""
    ring = FixRing(sigma_m=4.0)
    for second in range(11):
        ring.add(
            Fix(
                at_ns=second * 10**9,
                lat_deg=55.0 + speed_mps * second / 111_320,
                lon_deg=37.0,
                speed_mps=speed_mps if doppler else None,
                course_deg=0.0 if doppler else None,
            )
        )
    return ring


def heading_sigma_deg(speed_mps: float, *, doppler: bool) -> float | None:
    position = walked(speed_mps, doppler=doppler).position_at(5 * 10**9)
    assert position
    pose = pose_from_position(position, PLAIN)
    return pose.heading_sigma_deg if pose else None


@pytest.mark.parametrize("doppler", [True, False])
def test_the_heading_is_vaguer_the_slower_the_walk(doppler: bool) -> None:  # noqa: FBT001
    sigmas = [heading_sigma_deg(v, doppler=doppler) for v in (0.5, 0.7, 1.0, 1.4)]
    known = [s for s in sigmas if s is not None]
    assert len(known) == 4
    assert known == sorted(known, reverse=True)
    assert known[0] > 2 * known[-1]
    # Six seconds apart, positions of 4 m differ by 1.7 m: 12 degrees of 8.4 m.
    assert known[-1] < (5 if doppler else 13)


@pytest.mark.parametrize("doppler", [True, False])
def test_below_walking_pace_there_is_no_heading(doppler: bool) -> None:  # noqa: FBT001
    assert heading_sigma_deg(MIN_COURSE_SPEED_MPS * 0.9, doppler=doppler) is None
    assert heading_sigma_deg(0.0, doppler=doppler) is None
