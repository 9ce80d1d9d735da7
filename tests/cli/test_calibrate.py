"""``scanner calibrate``: boards drawn through a known lens, and what it refuses."""

import json
import math
import re
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from scanner import demo as demonstration
from scanner.app import lens_model
from scanner.config import Lens
from scanner.core.geometry import LensModel
from tests.cli.test_commands import error_of, scanner
from tests.cli.test_packaging import without

COLUMNS, ROWS, SQUARE_MM = 10, 7, 25.0
LENSES = {
    "plain": LensModel(
        width_px=640, height_px=360, hfov_deg=66.0, k1=-0.15, k2=0.03, offset_x_px=6, offset_y_px=-4
    ),
    "wide": LensModel(width_px=640, height_px=360, hfov_deg=102.0, k1=-0.0425),
}
POSES = [  # tilts right and up, roll in degrees; place right, down, ahead in mm for 66 degrees
    (0, 0, 0, 0, 0, 330),
    (25, 0, 0, -40, 0, 330),
    (-25, 5, 10, 40, 10, 330),
    (0, 30, 0, 0, 15, 310),
    (0, -30, 5, 0, -15, 310),
    (20, 20, -15, -60, -25, 360),
    (-20, 20, 15, 60, -25, 360),
    (20, -20, 10, -60, 25, 360),
    (-20, -20, -10, 60, 25, 360),
    (35, 0, 90, 0, 0, 420),
    (0, 35, 45, 0, 0, 450),
    (-15, 10, 180, -90, 30, 480),
]


def rays(lens: LensModel) -> np.ndarray:
    """Right and down per forward of 2 x 2 points in each pixel, (2, 2 * height, 2 * width)."""
    coarse_x = np.linspace(0, lens.width_px, 161)
    coarse_y = np.linspace(0, lens.height_px, 91)
    grid = np.array([[lens.ray_from_pixel(x, y) for x in coarse_x] for y in coarse_y])
    fine_x = (np.arange(2 * lens.width_px) + 0.5) / 2
    fine_y = (np.arange(2 * lens.height_px) + 0.5) / 2
    wide = np.array(
        [[np.interp(fine_x, coarse_x, r) for r in part] for part in grid.T.swapaxes(1, 2)]
    )
    return np.array([[np.interp(fine_y, coarse_y, c) for c in part.T] for part in wide]).swapaxes(
        1, 2
    )


def rotation(right_deg: float, up_deg: float, roll_deg: float) -> np.ndarray:
    a, b, c = (math.radians(v) for v in (right_deg, up_deg, roll_deg))
    about_y = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    about_z = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    return np.array(about_y @ about_x @ about_z)


def draw(ray: np.ndarray, pose: tuple[float, ...], nearer: float) -> Image.Image:
    """The board, in millimetres on a plane, as the rays meet it; 4 x 4 grey levels per pixel."""
    turn = rotation(*pose[:3])
    place = np.array(pose[3:]) * nearer
    direction = np.stack([*ray, np.ones_like(ray[0])])
    normal = turn[:, 2]
    distance = (normal @ place) / np.tensordot(normal, direction, 1)
    across = np.tensordot(turn.T, direction * distance - place[:, None, None], 1)[:2]
    x, y = (across / SQUARE_MM) + np.array([COLUMNS / 2, ROWS / 2])[:, None, None]
    inside = (x >= 0) & (y >= 0) & (x < COLUMNS) & (y < ROWS) & (distance > 0)
    black = inside & ((np.floor(x) + np.floor(y)) % 2 == 0)
    paper = (x >= -0.8) & (y >= -0.8) & (x < COLUMNS + 0.8) & (y < ROWS + 0.8) & (distance > 0)
    grey = np.where(black, 25.0, np.where(paper, 230.0, 110.0))
    height, width = grey.shape[0] // 2, grey.shape[1] // 2
    mean = grey.reshape(height, 2, width, 2).mean(axis=(1, 3))
    noise = np.random.default_rng(1).normal(0, 2, mean.shape)
    return Image.fromarray(np.clip(mean + noise, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module", params=LENSES)
def boards(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LensModel, list[Path]]:
    lens = LENSES[request.param]
    nearer = 0.62 if request.param == "wide" else 1.0
    folder = tmp_path_factory.mktemp(request.param)
    ray = rays(lens)
    paths = [folder / f"{i}.png" for i in range(len(POSES))]
    for path, pose in zip(paths, POSES, strict=True):
        draw(ray, pose, nearer).save(path)
    return lens, paths


def test_the_lens_is_found_from_pictures_of_the_board(
    boards: tuple[LensModel, list[Path]], tmp_path: Path
) -> None:
    true, paths = boards
    out = tmp_path / "lens.toml"
    result = scanner("calibrate", "--json", "--out", out, *paths)
    assert result.returncode == 0, result.stderr
    row = json.loads(result.stdout)
    assert row["views"] >= 8
    assert row["rms_px"] < 0.5
    assert row["fx_px"] == pytest.approx(true.focal_px, rel=0.01)
    assert row["fy_px"] == pytest.approx(true.focal_px, rel=0.01)
    assert row["hfov_deg"] == pytest.approx(true.hfov_deg, rel=0.01)
    assert row["k1"] == pytest.approx(true.k1, abs=0.02)
    centre_x, centre_y = true.centre_px
    assert (row["cx_px"], row["cy_px"]) == pytest.approx((centre_x, centre_y), abs=3)
    found = lens_model(Lens(calibration=str(out), width_px=640, height_px=360))
    for x, y in ((5, 5), (635, 355), (320, 5), (5, 180)):
        there = found.ray_from_pixel(x, y)
        assert true.pixel_from_ray(*there) == pytest.approx((x, y), abs=4)


@pytest.fixture(scope="module")
def drawn() -> list[Image.Image]:
    ray = rays(LENSES["plain"])
    return [draw(ray, pose, 1.0) for pose in POSES]


def test_the_board_is_found_in_a_video(drawn: list[Image.Image], tmp_path: Path) -> None:
    path = tmp_path / "board.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1, options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for picture in drawn:
            frame = av.VideoFrame.from_ndarray(np.asarray(picture.convert("RGB")), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    result = scanner("calibrate", "--json", path)
    assert result.returncode == 0, result.stderr
    row = json.loads(result.stdout)
    assert row["views"] >= 8
    assert row["hfov_deg"] == pytest.approx(66.0, rel=0.01)


def test_a_board_that_is_not_flat_is_refused(drawn: list[Image.Image], tmp_path: Path) -> None:
    """Waves of 7 pixels, 360 long, that no lens makes."""
    paths = [tmp_path / f"{i}.png" for i in range(len(drawn))]
    for number, (path, picture) in enumerate(zip(paths, drawn, strict=True)):
        shifts = np.round(7 * np.sin(np.arange(360) / 360 * 2 * math.pi + number)).astype(int)
        rows = [np.roll(row, s) for row, s in zip(np.asarray(picture), shifts, strict=True)]
        Image.fromarray(np.array(rows)).save(path)
    text = error_of(scanner("calibrate", *paths), 2)
    assert re.search(r"pixels off, 2 at most", text)


def test_a_straight_walk_past_few_cameras_is_refused() -> None:
    """The walk that is shipped: no bend while cameras are in view."""
    demo = Path(demonstration.__file__).parent
    walk = ("--walk", demo / "walk.mp4", "--track", demo / "walk.gpx", "--rate", "1")
    text = error_of(scanner("calibrate", *walk), 2)
    assert re.search(r"degrees only|3 are wanted", text)
    assert "a printed board tells more" in text


def test_too_few_views_are_refused(boards: tuple[LensModel, list[Path]]) -> None:
    assert "8 are wanted" in error_of(scanner("calibrate", *boards[1][:7]), 2)


def test_another_board_is_not_found(boards: tuple[LensModel, list[Path]]) -> None:
    text = error_of(scanner("calibrate", "--board", "12x9", *boards[1][:2]), 2)
    assert "0 of 2 pictures" in text


def test_opencv_is_asked_for_by_its_extra(tmp_path: Path) -> None:
    Image.new("RGB", (320, 240)).save(tmp_path / "a.png")
    result = without("cv2", "calibrate", str(tmp_path / "a.png"))
    assert result.returncode == 2
    assert "pip install -e '.[calibrate]'" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_printed_board_is_of_real_size_and_is_found(tmp_path: Path) -> None:
    path = tmp_path / "board.svg"
    assert scanner("calibrate", "--print-board", path).returncode == 0
    text = path.read_text()
    assert 'width="297mm" height="210mm" viewBox="0 0 297 210"' in text
    squares = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="25" height="25"/>', text)
    assert len(squares) == COLUMNS * ROWS // 2
    picture = np.full((840, 1188), 255, np.uint8)
    for x, y in squares:
        left, top = round(float(x) * 4), round(float(y) * 4)
        picture[top : top + 100, left : left + 100] = 0
    Image.fromarray(picture).save(tmp_path / "board.png")
    assert "1 of 1 pictures" in error_of(scanner("calibrate", tmp_path / "board.png"), 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "one of"),
        (("--print-board", "b.svg", "x.png"), "one of"),
        (("--print-board", "b.svg", "--square-mm", "40"), "do not fit A4"),
        (("--board", "10", "x.png"), "COLSxROWS"),
        (("--walk", "x.mp4"), "--track"),
        (("--square-mm", "0", "x.png"), "--square-mm"),
        (("none.mp4",), "no such file"),
    ],
)
def test_wrong_use_is_one_line(arguments: tuple[str, ...], words: str) -> None:
    assert words in error_of(scanner("calibrate", *arguments), 2)
