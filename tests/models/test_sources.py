import json
from pathlib import Path

import pytest
from PIL import Image

from models.sources import find_sources, pictures, read_labelled
from models.truth import read_truth


def picture(path: Path, size: tuple[int, int] = (100, 50)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


@pytest.fixture
def renders(tmp_path: Path) -> Path:
    folder = tmp_path / "renders"
    cutouts, streets = folder / "cutouts", folder / "streets"
    cutouts.mkdir(parents=True)
    streets.mkdir()
    camera = {"kind": "dome", "box": [1, 2, 30, 40]}
    rows = [
        {"file": f"cutouts/{n:05}.png", "name": "x", "cameras": [camera] * (n % 2)}
        for n in range(20, 30)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (cutouts / "index.jsonl").write_text(text + '{"file": "cutouts/00030.png", "cam')
    hidden = {**camera, "visible": 0.1}
    street = {"file": "streets/00001.jpg", "width": 9, "height": 9, "cameras": [camera, hidden]}
    (streets / "index.jsonl").write_text(json.dumps(street) + "\n")
    return folder


def test_renders_are_sorted_by_use_and_a_line_being_written_is_left_alone(renders: Path) -> None:
    found = find_sources(renders)
    assert (len(found.cameras), len(found.lookalikes)) == (5, 4)
    assert [label.sure for label in found.labelled[0].labels] == [True, False]
    assert found.cameras[0].labels[0].kind == 1


def test_held_out_renders_are_never_trained_on(renders: Path) -> None:
    trained, kept = find_sources(renders), find_sources_held_out(renders)
    names = {source.path.name for source in trained.lookalikes}
    assert [source.path.name for source in kept] == ["00020.png"]
    assert "00020.png" not in names


def find_sources_held_out(renders: Path) -> list:  # type: ignore[type-arg]
    index = renders / "cutouts" / "index.jsonl"
    extra = {"file": "cutouts/00040.png", "cameras": [{"kind": "ptz", "box": [0, 0, 5, 5]}]}
    lines = index.read_text().splitlines(keepends=True)[:-1]
    index.write_text("".join(lines) + json.dumps(extra) + "\n")
    return find_sources(renders, held_out=True).lookalikes


def test_every_second_background_is_kept_for_measuring(renders: Path, tmp_path: Path) -> None:
    for name in "abcd":
        picture(tmp_path / "street" / f"{name}.jpg")
    used = find_sources(renders, [tmp_path / "street"]).plain
    assert [source.path.stem for source in used] == ["a", "c"]


def test_no_camera_at_all_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="no camera to train on"):
        find_sources(tmp_path / "empty")
    with pytest.raises(SystemExit, match="no such folder"):
        find_sources(tmp_path / "missing")
    with pytest.raises(SystemExit, match="no pictures in it"):
        pictures(tmp_path / "empty")


def test_yolo_boxes_are_in_pixels_and_kinds_come_from_the_csv(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.4\n0 0.1 0.5 0.1 0.1\n")
    (tmp_path / "kinds.csv").write_text("stem,kind,x0,y0,x1,y1\na,ptz,0.4,0.3,0.6,0.7\n")
    (tmp_path / "ignore.csv").write_text("stem,x0,y0,x1,y1,why\na,0,0,0.1,0.2,far\n")
    assert read_labelled(tmp_path)[0].labels[0].box == pytest.approx((40, 15, 60, 35))
    (truth,) = read_truth(tmp_path)
    assert truth.kinds == ("ptz", "camera")
    assert truth.ignored.tolist() == [pytest.approx([0, 0, 10, 10])]


def test_a_damaged_yolo_line_names_its_file(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 half 0.2 0.4\n")
    with pytest.raises(SystemExit, match=r"a\.txt: not a line of class"):
        read_labelled(tmp_path)


def coco(folder: Path, *categories: str) -> None:
    """Write a listing with one box of each category in the first of two pictures."""
    for name in "ab":
        picture(folder / f"{name}.jpg")
    pairs = list(enumerate(categories, start=3))
    data = {
        "images": [{"id": 7 + n, "file_name": f"{name}.jpg"} for n, name in enumerate("abc")],
        "annotations": [
            {"image_id": 7, "category_id": number, "bbox": [10 * number, 20, 5, 6]}
            for number, _ in pairs
        ],
        "categories": [{"id": number, "name": name} for number, name in pairs],
    }
    (folder / "boxes.json").write_text(json.dumps(data))


def test_coco_categories_become_kinds_and_a_missing_picture_is_left_out(tmp_path: Path) -> None:
    coco(tmp_path, "alpr")
    first, second = read_labelled(tmp_path)
    assert first.labels[0].box == (30, 20, 35, 26)
    assert first.labels[0].kind == 3
    assert second.labels == ()


@pytest.mark.parametrize("name", ["Surveillance Camera", "object--cctv-camera", "Security camera"])
def test_of_many_coco_categories_only_cameras_count(tmp_path: Path, name: str) -> None:
    coco(tmp_path, "Street Lights", name, "Camera")
    first, _ = read_labelled(tmp_path)
    assert [label.box[0] for label in first.labels] == [40]


def test_a_single_coco_category_is_cameras_whatever_its_name(tmp_path: Path) -> None:
    coco(tmp_path, "0")
    assert len(read_labelled(tmp_path)[0].labels) == 1


def test_a_coco_listing_without_cameras_says_what_it_has(tmp_path: Path) -> None:
    coco(tmp_path, "Chair", "Camera")
    with pytest.raises(SystemExit, match="no category is a camera: Camera, Chair"):
        read_labelled(tmp_path)
