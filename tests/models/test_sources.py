import json
from pathlib import Path

import pytest
from PIL import Image

from models.evaluate import gather, parse
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
    rows.append({"file": "cutouts/00040.png", "cameras": [camera]})
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
    trained, kept = find_sources(renders), find_sources(renders, held_out=True)
    held_out = [source.path.name for source in (*kept.lookalikes, *kept.cameras)]
    assert held_out == ["00020.png", "00040.png"]
    names = {source.path.name for source in (*trained.lookalikes, *trained.cameras)}
    assert not names & set(held_out)


def backgrounds(renders: Path, folder: Path, *, held_out: bool) -> set[str]:
    return {source.path.stem for source in find_sources(renders, [folder], held_out=held_out).plain}


def test_about_half_of_the_backgrounds_are_kept_for_measuring_and_stay_there(
    renders: Path, tmp_path: Path
) -> None:
    street = tmp_path / "street"
    names = {f"{number:03}" for number in range(40)}
    for name in names:
        picture(street / f"{name}.jpg")
    used, kept = (backgrounds(renders, street, held_out=held_out) for held_out in (False, True))
    assert used | kept == names
    assert 12 < len(used) < 28
    picture(street / "0001.jpg")
    assert not used & backgrounds(renders, street, held_out=True)
    options = parse(["--held-out", str(street)])
    assert not used & {truth.path.stem for _, truth in gather(options)}


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
