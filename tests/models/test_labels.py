import json
from pathlib import Path

import pytest
from PIL import Image

from models.labels import read_labelled
from models.plan import KINDS
from models.truth import read_truth
from scanner.replay.frames import read_picture

MIDDLE = "0 0.5 0.5 0.2 0.4\n"


def picture(path: Path, size: tuple[int, int] = (100, 50)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def boxes(folder: Path) -> dict[str, int]:
    """The number of boxes of each picture."""
    return {source.path.name: len(source.labels) for source in read_labelled(folder).sources}


def test_yolo_boxes_are_in_pixels_and_kinds_come_from_the_csv(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.4\n0 0.1 0.5 0.1 0.1\n")
    (tmp_path / "kinds.csv").write_text("stem,kind,x0,y0,x1,y1\na,ptz,0.4,0.3,0.6,0.7\n")
    (tmp_path / "ignore.csv").write_text("stem,x0,y0,x1,y1,why\na,0,0,0.1,0.2,far\n")
    assert read_labelled(tmp_path).sources[0].labels[0].box == pytest.approx((40, 15, 60, 35))
    (truth,) = read_truth(tmp_path)
    assert truth.kinds == ("ptz", "camera")
    assert truth.ignored.tolist() == [pytest.approx([0, 0, 10, 10])]


def test_a_txt_beside_the_picture_is_its_label_where_there_is_no_folder_of_labels(
    tmp_path: Path,
) -> None:
    for folder in (tmp_path / "flat", tmp_path / "train" / "images"):
        for name in "ab":
            picture(folder / f"{name}.jpg")
        write(folder / "a.txt", MIDDLE)
    assert boxes(tmp_path / "flat") == boxes(tmp_path / "train") == {"a.jpg": 1, "b.jpg": 0}


def test_folders_in_images_have_their_labels_at_the_same_place(tmp_path: Path) -> None:
    for place in ("a", "train/b", "val/deep/c"):
        picture(tmp_path / "images" / f"{place}.jpg")
        write(tmp_path / "labels" / f"{place}.txt", MIDDLE)
    picture(tmp_path / "images" / "val" / "b.jpg")
    labelled = read_labelled(tmp_path)
    assert [len(source.labels) for source in labelled.sources] == [1, 1, 0, 1]
    assert labelled.summary == f"{tmp_path}: 4 pictures, 3 boxes"


@pytest.mark.parametrize("place", ["annotations/a.txt", "labels/train/a.txt", "notes.txt"])
def test_without_any_label_a_folder_is_not_taken_as_free_of_cameras(
    place: str, tmp_path: Path
) -> None:
    picture(tmp_path / "images" / "a.jpg")
    write(tmp_path / place, MIDDLE)
    with pytest.raises(SystemExit, match=r"no picture has a \.txt .* --backgrounds or --negatives"):
        read_labelled(tmp_path)


def test_another_json_beside_the_labels_is_left_alone(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    write(tmp_path / "labels" / "a.txt", MIDDLE)
    for name, text in (("notes", "{}"), ("list", "[1]"), ("cut", '{"images": [')):
        write(tmp_path / f"{name}.json", text)
    assert boxes(tmp_path) == {"a.jpg": 1}


def test_a_picture_that_cannot_be_read_is_left_out_and_counted(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", MIDDLE)
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8 being copied")
    labelled = read_labelled(tmp_path)
    assert [source.path.name for source in labelled.sources] == ["a.jpg"]
    assert labelled.summary.endswith("1 pictures, 1 boxes; 1 left out, missing or not readable")
    (tmp_path / "a.jpg").unlink()
    (tmp_path / "b.txt").write_text(MIDDLE)
    with pytest.raises(SystemExit, match="none of its pictures can be read"):
        read_labelled(tmp_path)


@pytest.mark.parametrize(
    ("line", "box"),
    [
        ("0 0.5 0.5 0.2 0.4 0.9", (40, 15, 60, 35)),
        ("0.0 .4 .3 .6 .3 .6 .7 .4 .7", (40, 15, 60, 35)),
        ("\ufeff0 0.4 0.3 0.6 0.4 0.5 0.7", (40, 15, 60, 35)),
        ("0 0.995 0.5 0.02 0.4", (98.5, 15, 100.5, 35)),
    ],
    ids=["with a score", "turned box", "polygon", "rounded past the edge"],
)
def test_boxes_and_polygons_of_yolo_form(line: str, box: tuple[float, ...], tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", f"{line}\r\n")
    (source,) = read_labelled(tmp_path).sources
    assert source.labels[0].box == pytest.approx(box)


@pytest.mark.parametrize(
    "line",
    [
        "0 0.5 half 0.2 0.4",
        "0 0.5 0.5 0.2",
        "0 0.4 0.3 0.6 0.4 0.5 0.7 0.9",
        "0 nan 0.5 0.2 0.4",
        "0 200 150 40 30",
        "0 0.5 0.5 -0.2 0.4",
        "0 0.5 0.5 0.2 0",
        "0 0.4 0.3 0.6 0.3 0.5 0.3",
        "person 0.5 0.5 0.2 0.4",
        "-1 0.5 0.5 0.2 0.4",
        "nan 0.5 0.5 0.2 0.4",
        "0.5 0.5 0.5 0.2 0.4",
        "\xff\xfe",
    ],
)
def test_a_damaged_yolo_line_names_its_file(line: str, tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    write(tmp_path / "labels" / "a.txt", MIDDLE)
    (tmp_path / "labels" / "a.txt").write_bytes(MIDDLE.encode() + line.encode("latin-1"))
    with pytest.raises(SystemExit, match=r"a\.txt: not a line of class"):
        read_labelled(tmp_path)


@pytest.mark.parametrize("orientation", range(10))
def test_boxes_lie_in_the_picture_as_its_exif_turns_it(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (100, 50)).save(tmp_path / "a.jpg", exif=exif)
    write(tmp_path / "a.txt", MIDDLE)
    height, width, _ = read_picture(tmp_path / "a.jpg").shape
    (truth,) = read_truth(tmp_path)
    assert truth.size == (width, height)
    wanted = (0.4 * width, 0.3 * height, 0.6 * width, 0.7 * height)
    assert truth.boxes[0].tolist() == pytest.approx(wanted)


def test_yolo_classes_named_as_a_kind_have_it(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", MIDDLE + "1" + MIDDLE[1:])
    write(tmp_path / "classes.txt", "\ufeffDome camera\nface\n")
    (source,) = read_labelled(tmp_path).sources
    assert [label.kind for label in source.labels] == [KINDS.index("dome"), -1]
    assert read_truth(tmp_path)[0].kinds == ("dome", "camera")


@pytest.mark.parametrize("text", ["stem,x0\na,0\n", "stem,x0,y0,x1,y1\na,0,0,far,1\n"])
def test_a_damaged_row_of_regions_names_its_file(text: str, tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", MIDDLE)
    write(tmp_path / "ignore.csv", text)
    with pytest.raises(SystemExit, match=r"ignore\.csv: a row without stem, x0, y0, x1, y1"):
        read_truth(tmp_path)


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
    first, second = read_labelled(tmp_path).sources
    assert first.labels[0].box == (30, 20, 35, 26)
    assert first.labels[0].kind == 3
    assert second.labels == ()
    assert read_labelled(tmp_path).left_out == 1


@pytest.mark.parametrize(
    "name",
    ["Surveillance Camera", "object--cctv-camera", "Security camera", "Dome", "bullet cameras"],
)
def test_of_many_coco_categories_only_cameras_count(tmp_path: Path, name: str) -> None:
    coco(tmp_path, "Bullet Train", name, "Camera")
    first, _ = read_labelled(tmp_path).sources
    assert [label.box[0] for label in first.labels] == [40]


def test_a_single_coco_category_is_cameras_whatever_its_name(tmp_path: Path) -> None:
    coco(tmp_path, "0")
    assert len(read_labelled(tmp_path).sources[0].labels) == 1


def test_a_coco_listing_without_cameras_says_what_it_has(tmp_path: Path) -> None:
    coco(tmp_path, "Chair", "Camera")
    with pytest.raises(SystemExit, match="no category is a camera: Camera, Chair"):
        read_labelled(tmp_path)


def test_kinds_are_found_among_the_words_of_a_category(tmp_path: Path) -> None:
    coco(tmp_path, "cctv", "Dome", "PTZ-camera", "dome or bullet camera")
    first, _ = read_labelled(tmp_path).sources
    assert [label.kind for label in first.labels] == [-1, 1, 2, -1]


def test_pictures_of_a_listing_may_lie_in_images(tmp_path: Path) -> None:
    coco(tmp_path / "images", "cctv")
    (tmp_path / "images" / "boxes.json").rename(tmp_path / "boxes.json")
    assert boxes(tmp_path) == {"a.jpg": 1, "b.jpg": 0}


def test_all_listings_are_read_and_a_picture_in_two_of_them_has_the_boxes_of_both(
    tmp_path: Path,
) -> None:
    coco(tmp_path, "cctv")
    (tmp_path / "boxes.json").rename(tmp_path / "train.json")
    picture(tmp_path / "d.jpg")
    listing = {
        "images": [{"id": 1, "file_name": "b.jpg"}, {"id": 2, "file_name": "d.jpg"}],
        "annotations": [{"image_id": n, "bbox": [1, 2, 3, 4]} for n in (1, 1, 2)],
    }
    write(tmp_path / "val.json", json.dumps(listing))
    assert boxes(tmp_path) == {"a.jpg": 1, "b.jpg": 1, "d.jpg": 1}


def test_a_crowd_of_cameras_is_a_region_that_does_not_count(tmp_path: Path) -> None:
    coco(tmp_path, "cctv")
    listing = json.loads((tmp_path / "boxes.json").read_text())
    listing["annotations"][0]["iscrowd"] = 1
    write(tmp_path / "boxes.json", json.dumps(listing))
    truth = read_truth(tmp_path)[0]
    assert truth.kinds == ()
    assert truth.ignored.tolist() == [[30, 20, 35, 26]]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"annotations": [{"id": 5, "image_id": 7, "bbox": []}]}, "annotation 5 has no bbox"),
        ({"annotations": [{"id": 5, "image_id": 7}]}, "annotation 5 has no bbox"),
        ({"annotations": [{"bbox": [1, 2, -3, 4]}]}, "has no bbox of x, y, w, h"),
        ({"annotations": [{"bbox": [1, 2, 3, 4]}]}, "no 'image_id'"),
        ({"annotations": [[1, 2]]}, "not of COCO form"),
        ({"images": ["a.jpg"]}, "not of COCO form"),
        ({"images": [{"id": 7}]}, "no 'file_name'"),
        ({"categories": [{"id": 1}]}, "no 'name'"),
    ],
)
def test_a_damaged_listing_is_one_line_that_names_it(
    changes: dict[str, object], reason: str, tmp_path: Path
) -> None:
    picture(tmp_path / "a.jpg")
    listing = {"images": [{"id": 7, "file_name": "a.jpg"}], "annotations": [], **changes}
    write(tmp_path / "boxes.json", json.dumps(listing))
    with pytest.raises(SystemExit, match=r"boxes\.json: not of COCO form: ") as raised:
        read_labelled(tmp_path)
    assert reason in str(raised.value)
