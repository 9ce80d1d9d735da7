import json
from pathlib import Path

import pytest
from PIL import Image

from models.labels import pictures
from models.sources import find_sources


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


def test_labelled_photographs_are_trained_on_and_those_without_a_label_as_backgrounds(
    renders: Path, tmp_path: Path
) -> None:
    for name in "ab":
        picture(tmp_path / "mine" / f"{name}.jpg")
    (tmp_path / "mine" / "a.txt").write_text("0 0.5 0.5 0.2 0.4\n")
    found = find_sources(renders, data=[tmp_path / "mine"])
    assert [source.path.name for source in found.labelled] == ["00001.jpg", "a.jpg"]
    assert [source.path.name for source in found.plain] == ["b.jpg"]


def test_no_camera_at_all_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="no camera to train on"):
        find_sources(tmp_path / "empty")
    with pytest.raises(SystemExit, match="no such folder"):
        find_sources(tmp_path / "missing")
    with pytest.raises(SystemExit, match="no pictures in it"):
        pictures(tmp_path / "empty")
