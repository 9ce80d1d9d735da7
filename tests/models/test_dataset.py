from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.again import Again
from models.backdrops import backdrop
from models.dataset import Composer, Tile
from models.details import draw_details
from models.pasting import lengthen, make_piece, turn
from models.photometry import degrade
from models.sources import Label, Source, Sources


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    camera = np.zeros((60, 80, 4), np.uint8)
    camera[10:50, 20:70] = (255, 0, 255, 255)
    Image.fromarray(camera).save(tmp_path / "camera.png")
    lamp = np.full((30, 30, 4), 200, np.uint8)
    Image.fromarray(lamp).save(tmp_path / "lamp.png")
    street = np.full((400, 600, 3), 90, np.uint8)
    street[100:140, 200:260] = (255, 0, 255)
    Image.fromarray(street).save(tmp_path / "street.png")
    return Sources(
        cameras=[Source(tmp_path / "camera.png", (Label((20, 10, 70, 50), 2),))],
        lookalikes=[Source(tmp_path / "lamp.png")],
        labelled=[Source(tmp_path / "street.png", (Label((200, 100, 260, 140), 1),))],
        plain=[Source(tmp_path / "street.png")],
    )


def test_a_tile_depends_on_seed_and_number_only(sources: Sources) -> None:
    first, second = Composer(sources, 128, 5), Composer(sources, 128, 5)
    for number in range(3):
        first.tile(number)
    a, b = first.tile(9), second.tile(9)
    assert np.array_equal(a.pixels, b.pixels)
    assert np.array_equal(a.boxes, b.boxes)
    assert not np.array_equal(a.pixels, Composer(sources, 128, 6).tile(9).pixels)


def test_tiles_have_the_promised_form(sources: Sources) -> None:
    composer, empty = Composer(sources, 128, 1), 0
    for number in range(60):
        tile = composer.tile(number)
        assert tile.pixels.shape == (128, 128, 3)
        assert tile.pixels.dtype == np.uint8
        assert len(tile.boxes) == len(tile.kinds)
        assert (tile.boxes >= 0).all()
        assert (tile.boxes <= 128).all()
        assert (tile.boxes[:, 2:] > tile.boxes[:, :2]).all()
        empty += not len(tile.boxes)
    assert 5 < empty < 40


def test_boxes_lie_on_the_cameras(sources: Sources) -> None:
    """The camera is magenta and nothing else is; its colour is jittered, its place is not."""
    only = Sources(cameras=sources.cameras)
    composer, right, boxes = Composer(only, 128, 3), 0, 0
    for number in range(60):
        tile = composer.tile(number)
        for x0, y0, x1, y1 in tile.boxes.astype(int):
            if x1 - x0 < 12:
                continue
            inside = tile.pixels[y0:y1, x0:x1].astype(float).mean((0, 1))
            boxes += 1
            right += inside[1] < min(inside[0], inside[2])
    assert boxes > 20
    assert right > 0.8 * boxes


def test_a_street_is_cropped_upright(sources: Sources, tmp_path: Path) -> None:
    """Its camera is magenta; the picture is stored lying, and its EXIF turns it back."""
    exif = Image.Exif()
    exif[0x0112] = 6
    street = Image.open(sources.plain[0].path).transpose(Image.Transpose.ROTATE_90)
    street.save(tmp_path / "lying.png", exif=exif)
    lying = Source(tmp_path / "lying.png", sources.labelled[0].labels)
    upright, turned = (Composer(Sources(labelled=[s]), 64, 1) for s in (*sources.labelled, lying))
    for number in range(5):
        assert np.array_equal(upright.tile(number).pixels, turned.tile(number).pixels)


def test_a_picture_being_copied_in_gives_way_to_a_drawn_one_and_is_named_once(
    sources: Sources, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = sources.plain[0].path.read_bytes()
    arriving = tmp_path / "arriving.png"
    arriving.write_bytes(whole[: len(whole) // 2])
    composer = Composer(Sources(plain=[Source(arriving)]), 64, 1)
    for number in range(8):
        assert composer.tile(number).pixels.shape == (64, 64, 3)
    (line,) = capsys.readouterr().err.splitlines()
    assert "arriving.png: damaged picture" in line
    arriving.write_bytes(whole)
    there = Composer(Sources(plain=sources.plain), 64, 1)
    for number in range(8):
        assert np.array_equal(composer.tile(number).pixels, there.tile(number).pixels)


def test_a_piece_has_the_size_asked_for() -> None:
    rng = np.random.default_rng(0)
    image = Image.new("RGBA", (100, 200), (10, 20, 30, 255))
    piece = make_piece(rng, image, (Label((0, 0, 80, 40), 0),), 20)
    sides = piece.boxes[0, 2:] - piece.boxes[0, :2]
    assert 14 < sides.max() < 28


def test_turning_back_and_forth_keeps_the_middle() -> None:
    image = Image.new("RGBA", (100, 60))
    box = np.array([[10, 10, 30, 20]], np.float32)
    turned, boxes = turn(image, box, 90.0)
    assert turned.size == (60, 100)
    assert ((boxes[0, :2] + boxes[0, 2:]) / 2).tolist() == pytest.approx([15, 80], abs=1)


def test_only_a_pole_is_lengthened() -> None:
    pole = np.zeros((100, 40, 4), np.uint8)
    pole[:, 15:25] = 255
    assert lengthen(pole).shape[0] > 300
    ball = np.zeros((100, 100, 4), np.uint8)
    y, x = np.indices((100, 100))
    ball[(x - 50) ** 2 + (y - 50) ** 2 < 2400] = 255
    assert lengthen(ball).shape == ball.shape


def test_drawn_backgrounds_and_poor_pictures_stay_pictures() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        picture = degrade(rng, backdrop(rng, 96))
        assert picture.shape == (96, 96, 3)
        assert picture.dtype == np.uint8


def test_details_change_the_picture_and_stay_grey_levels() -> None:
    changed = 0
    for seed in range(40):
        picture = np.full((96, 96, 3), 120, np.float32)
        draw_details(np.random.default_rng(seed), picture)
        assert picture.shape == (96, 96, 3)
        assert np.isfinite(picture).all()
        assert -300 < picture.min() <= picture.max() < 600
        changed += bool((picture != 120).any())
    assert changed > 30


def test_the_worst_tiles_come_again_once_and_mirrored() -> None:
    def tile(place: float) -> Tile:
        boxes = np.array([[place, 0, place + 5, 9]], np.float32)
        return Tile(np.zeros((40, 40, 3), np.uint8), boxes, np.zeros(1, int), boxes[:0])

    again = Again(1)
    again.offer([tile(1), tile(2), tile(3)], [0.5, 0.1, 0.9, 0.99])
    worst, second = again.take(5)
    assert worst.boxes.tolist() == [[32, 0, 37, 9]]
    assert second.boxes.tolist() == [[34, 0, 39, 9]]
    assert again.take(5) == []
