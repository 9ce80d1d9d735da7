"""Evaluation of whole folders, with a network whose answer is known: a camera in every cell."""

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.evaluate import main as evaluate
from models.looks import open_detector
from models.truth import read_truth
from scanner.errors import ModelError
from scanner.hardware.tflite import RUNTIMES, TfliteDetector
from tests.helpers.tflite_file import Constant, Op, write

DETECTOR = Path(__file__).parents[2] / "models" / "detector.tflite"
SIDE_PX, STRIDE_PX = 16, 8
REACH = 0.4  # strides: boxes of 6.4 pixels around the middles of cells, at 4 and 12
CONV_OPTIONS = 1


def constant_network(file: Path, score: float) -> Path:
    """Write a network in float32 that finds a dome in each of its four cells."""
    answers = {"scores": (score, 0.1, 0.9, 0.1, 0.1), "sides": (REACH,) * 4}
    operators = [
        Op(
            "CONV_2D",
            (
                "pixels",
                Constant((len(values), STRIDE_PX, STRIDE_PX, 3), "float32"),
                Constant((len(values),), "float32", values),
            ),
            name,
            (1, SIDE_PX // STRIDE_PX, SIDE_PX // STRIDE_PX, len(values)),
            "float32",
            options={1: ("<i", STRIDE_PX), 2: ("<i", STRIDE_PX), 4: ("<i", 1), 5: ("<i", 1)},
            options_type=CONV_OPTIONS,
        )
        for name, values in answers.items()
    ]
    inputs = {"pixels": ((1, SIDE_PX, SIDE_PX, 3), "float32")}
    return write(file, inputs, operators, outputs=list(answers))


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return constant_network(tmp_path / "constant.tflite", 0.9)


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (SIDE_PX, SIDE_PX), (90, 120, 160)).save(path)


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    """Two pictures: a dome that is found, and a bullet that lies between the cells."""
    folder = tmp_path / "yolo"
    picture(folder / "images" / "a.png")
    picture(folder / "images" / "b.png")
    (folder / "labels").mkdir()
    (folder / "labels" / "a.txt").write_text("1 0.25 0.25 0.4 0.4\n")
    (folder / "labels" / "b.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    (folder / "classes.txt").write_text("Bullet\nDome\n")
    return folder


def coco(folder: Path, listing: Path, **changes: object) -> Path:
    picture(folder / "images" / "a.png")
    picture(folder / "images" / "b.png")
    listing.parent.mkdir(parents=True, exist_ok=True)
    names = [f"{(folder / 'images').relative_to(listing.parent)}/{n}.png" for n in "ab"]
    boxes = {1: ([0.8, 0.8, 6.4, 6.4], 7), 2: ([4.8, 4.8, 6.4, 6.4], 6)}
    data = {
        "images": [{"id": n, "file_name": name} for n, name in enumerate(names, 1)],
        "annotations": [
            {"image_id": image, "bbox": box, "category_id": kind}
            for image, (box, kind) in boxes.items()
        ],
        "categories": [{"id": 6, "name": "bullet"}, {"id": 7, "name": "dome"}],
    }
    listing.write_text(json.dumps(data | changes))
    return folder


def printed(capsys: pytest.CaptureFixture[str], *options: object) -> dict[str, Any]:
    evaluate([*map(str, options), "--json"])

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    figures: dict[str, Any] = json.loads(capsys.readouterr().out, parse_constant=refuse)
    return figures


def test_figures_of_a_known_network(
    network: Path, yolo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Eight detections of score 0.9, the first of which is the only camera that is found."""
    figures = printed(capsys, "--model", network, "--data", yolo)
    photographs = figures["photographs"]
    assert (photographs["pictures"], photographs["cameras"]) == (2, 2)
    assert photographs["precision"] == 1 / 8
    whole = photographs["every_scale"]
    assert {name: row["value"] for name, row in whole.items()} == {
        "ap50": 0.5,
        "ap50_95": 0.5,
        "recall": 0.5,
        "false_alarms_per_picture": 3.5,
    }
    assert (whole["recall"]["low"], whole["recall"]["high"]) == (0, 1)
    assert photographs["one_look"] == photographs["native_tiles"] == whole
    assert photographs["kinds"]["dome"] == {
        "cameras": 1, "found": 1, "recall": 1.0, "ap50": 1.0, "kind_right": 1, "ap50_named": 1.0
    }  # fmt: skip
    assert photographs["kinds"]["bullet"]["found"] == 0
    assert photographs["larger_side_px"]["<32 px"]["cameras"] == 2
    assert photographs["larger_side_px"]["32-64 px"]["ap50"] is None
    assert photographs["share_of_width"][">=10 %"]["cameras"] == 2
    rates = figures["recall at false alarms per picture"]["every_scale"]
    assert rates["1.0"] == {"recall": 0.0, "threshold": None}  # all eight share one score


@pytest.mark.parametrize(("options", "recall"), [((), 0), (("--no-closeup",), 0.5)])
def test_the_close_up_network_beside_the_detector_counts_unless_told_not_to(
    options: tuple[str, ...],
    recall: float,
    network: Path,
    yolo: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In a plain picture it speaks against a camera, so that no score of 0.9 is left."""
    shutil.copy(DETECTOR.with_name("closeup.tflite"), network.parent)
    threshold = ("--threshold", "0.9")
    figures = printed(capsys, "--model", network, "--data", yolo, *threshold, *options)
    assert figures["photographs"]["every_scale"]["recall"]["value"] == recall


def test_pictures_are_looked_at_as_their_exif_turns_them(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Upright it is two tiles wide, with a camera in the upper left cell of the second."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (SIDE_PX, 2 * SIDE_PX)).save(tmp_path / "a.jpg", exif=exif)
    (tmp_path / "a.txt").write_text("0 0.625 0.25 0.2 0.4\n")
    drawn = "--sheet", tmp_path / "sheet.png", "--worst", tmp_path / "worst.png"
    figures = printed(capsys, "--model", network, "--data", tmp_path, *drawn)
    assert figures["photographs"]["native_tiles"]["recall"]["value"] == 1


@pytest.mark.parametrize("place", ["boxes.json", "images/boxes.json"])
def test_coco_form_gives_the_same_figures(
    place: str, network: Path, yolo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = coco(tmp_path / "coco", tmp_path / "coco" / place)
    data = folder / "images" if place.startswith("images") else folder
    first = printed(capsys, "--model", network, "--data", yolo)
    second = printed(capsys, "--model", network, "--data", data)
    assert first["photographs"] == second["photographs"]


def test_every_figure_is_the_same_the_second_time(
    network: Path, yolo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [printed(capsys, "--model", network, "--data", yolo) for _ in range(2)]
    for figures in runs:
        del figures["ms_per_tile"]
    assert runs[0] == runs[1]


def test_a_second_model_is_compared_on_the_same_resamples(
    network: Path, yolo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blind = constant_network(tmp_path / "blind.tflite", 0.0)
    figures = printed(capsys, "--model", network, "--data", yolo, "--float", network)
    same = figures["above float"]["every_scale"]["ap50"]
    assert same == {"value": 0.0, "low": 0.0, "high": 0.0}
    figures = printed(capsys, "--model", network, "--data", yolo, "--float", blind)
    assert figures["float"]["photographs"]["every_scale"]["recall"]["value"] == 0
    assert figures["above float"]["every_scale"]["recall"]["value"] == 0.5


def test_pictures_without_a_camera_count_as_false_alarms(
    network: Path, yolo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "abc":
        picture(tmp_path / "empty" / f"{name}.png")
    options = "--model", network, "--data", yolo, "--negatives", tmp_path / "empty"
    figures = printed(capsys, *options)
    empty = figures["without a camera, empty"]
    assert (empty["pictures"], empty["false_alarms"], empty["pictures_with_one"]) == (3, 12, 3)
    assert empty["false_alarms_per_picture"] == {"value": 4.0, "low": 4.0, "high": 4.0}
    assert figures["recall at false alarms per picture"]["pictures"] == 5
    assert figures["photographs"]["pictures"] == 2


def test_folders_of_one_name_are_told_apart_by_their_paths(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    streets = [tmp_path / town / "streets" for town in ("oslo", "rome")]
    picture(streets[0] / "a.png")
    picture(streets[1] / "a.png")
    picture(tmp_path / "parks" / "a.png")
    folders = [*streets, tmp_path / "parks"]
    options = [option for folder in folders for option in ("--negatives", folder)]
    figures = printed(capsys, "--model", network, *options)
    names = [*map(str, streets), "parks"]
    assert [figures[f"without a camera, {name}"]["pictures"] for name in names] == [1, 1, 1]


def test_pictures_without_a_camera_are_enough(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "empty" / "a.png")
    (tmp_path / "empty" / "a.txt").touch()
    for option in ("--negatives", "--data"):
        figures = printed(capsys, "--model", network, option, tmp_path / "empty")
        rows = [row for row in figures.values() if isinstance(row, dict)]
        assert [row["false_alarms"] for row in rows] == [4]


def test_what_is_drawn(
    network: Path, yolo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet, worst = tmp_path / "sheet.png", tmp_path / "worst.png"
    plots = tmp_path / "plot.png", tmp_path / "plot.svg"
    for plot in plots:
        options = ["--model", network, "--data", yolo, "--plot", plot]
        evaluate([str(option) for option in [*options, "--sheet", sheet, "--worst", worst]])
    assert "ap50: 0.5 (95 %: 0.0 to 1.0)" in capsys.readouterr().out
    for file in (sheet, worst, plots[0]):
        with Image.open(file) as image:
            assert len(set(image.convert("L").tobytes())) > 3
    text = plots[1].read_text()
    assert "recall: share of the cameras found" in text
    assert "precision: share of the detections" in text
    assert "every scale: AP50 0.50" in text


def test_a_float_file_and_an_int8_file_are_told_apart(network: Path) -> None:
    detector = open_detector(network, 0.5)
    found = detector.infer(np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8))
    assert len(found) == 4
    assert found[0].score == pytest.approx(0.9)
    assert (found[0].box.x0, found[0].box.y1) == pytest.approx((0.8, 7.2))
    assert open_detector(DETECTOR, 0.5).tile_size == 320
    with pytest.raises(ModelError, match="float32"):
        TfliteDetector(network)


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_runtime_can_be_chosen_if_it_is_installed(name: str) -> None:
    if importlib.util.find_spec(RUNTIMES[name].partition(".")[0]):
        assert TfliteDetector(DETECTOR, runtime=name).tile_size == 320
    else:
        with pytest.raises(ModelError, match=f"no runtime for .tflite files called {name}"):
            TfliteDetector(DETECTOR, runtime=name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "{}/none.tflite", "--negatives", "{}/yolo"], "none.tflite: No such file"),
        (["--model", "{}/yolo/classes.txt", "--negatives", "{}/yolo"], r"not a \.tflite file"),
        (["--data", "{}/nothing"], "no such folder"),
        (["--held-out", "{}/trained on"], "training left none of its pictures out"),
        (["--negatives", "{}/cut"], r"a\.png: not a picture that can be read"),
    ],
)
def test_a_missing_file_is_one_line(
    options: list[str], message: str, yolo: Path, tmp_path: Path
) -> None:
    assert yolo.is_dir()
    picture(tmp_path / "trained on" / "a.jpg")
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "a.png").touch()
    with pytest.raises(SystemExit, match=message):
        evaluate([option.format(tmp_path) for option in options])


def test_a_listing_that_is_not_coco_or_lacks_pictures_is_one_line(tmp_path: Path) -> None:
    folder, listing = tmp_path / "coco", tmp_path / "coco" / "boxes.json"
    coco(folder, listing, images=[{"id": 1, "file_name": "gone.png"}])
    with pytest.raises(SystemExit, match="none of the pictures"):
        read_truth(folder)
    listing.write_text("{}")
    with pytest.raises(SystemExit, match="not of COCO form"):
        read_truth(folder)


def test_a_class_that_is_not_listed_is_one_line(yolo: Path) -> None:
    (yolo / "classes.txt").write_text("bullet\n")
    with pytest.raises(SystemExit, match=r"class 1 is not in classes\.txt"):
        read_truth(yolo)
