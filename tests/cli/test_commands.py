"""Every command as a person meets it: help, exit codes, errors of one line."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scanner.cli import COMMANDS
from scanner.replay.frames import open_frames
from tests.helpers.media import write_gpx, write_pictures, write_video

ROOT = Path(__file__).parents[2]


def scanner(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scanner", *(str(a) for a in arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def error_of(result: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line of an error; fails if there is a traceback or more than one."""
    assert result.returncode == code, result.stderr
    panel = ("! ", "~ ", "? ")  # what a walk's lamps would show
    lines = [
        line
        for line in result.stderr.splitlines()
        if "note:" not in line and not line.startswith(panel)
    ]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("scanner: error: ")
    return lines[0].removeprefix("scanner: error: ")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "walk.mp4", count=8, rate=4, width=640, height=480)


@pytest.fixture
def track(tmp_path: Path) -> Path:
    points = [(1_780_000_000.0 + t, 55.75 + t * 1.2e-5, 37.6) for t in range(6)]
    return write_gpx(tmp_path / "walk.gpx", points)


@pytest.mark.parametrize("command", [(), *((c,) for c in COMMANDS), ("hub", "serve")])
def test_every_command_has_help(command: tuple[str, ...]) -> None:
    result = scanner(*command, "--help")
    assert result.returncode == 0
    assert result.stdout.startswith("usage: scanner")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "required"),
        (("fly",), "invalid choice"),
        (("detect",), "required"),
        (("replay", "x.mp4"), "--track"),
        (("run", "--source", "x.mp4", "--broker", "host:port:99999"), "HOST:PORT"),
        (("run", "--source", "x.mp4"), "--track"),
        (("replay", "none.mp4", "--track", "none.gpx"), "none.gpx: cannot be read"),
        (("outbox", "ls", "--data", "/nowhere/at/all"), "no such folder"),
        (("replay", "x.mp4", "--track", "y", "--rate", "-1"), "--rate"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(arguments: tuple[str, ...], words: str) -> None:
    assert words in error_of(scanner(*arguments), 2)


def test_no_lens_is_exit_code_69(tmp_path: Path) -> None:
    assert "--source" in error_of(scanner("run", "--data", tmp_path), 69)


def test_no_broker_is_exit_code_75_and_nothing_is_lost(tmp_path: Path) -> None:
    result = scanner("relay", "--once", "--data", tmp_path, "--broker", "127.0.0.1:9")
    assert result.returncode == 0  # nothing to send
    fill = "from pathlib import Path; from scanner.storage.outbox import Outbox as O; import sys; "
    fill += "O(Path(sys.argv[1])).add(bytes(1072))"
    subprocess.run([sys.executable, "-c", fill, str(tmp_path)], check=True, cwd=ROOT)
    result = scanner("relay", "--once", "--data", tmp_path, "--broker", "127.0.0.1:9")
    assert "127.0.0.1:9" in error_of(result, 75)
    (row,) = scanner("outbox", "ls", "--json", "--data", tmp_path).stdout.splitlines()
    assert json.loads(row)["size"] == 1072


def test_a_broken_picture_is_named_and_the_others_are_looked_at(tmp_path: Path) -> None:
    Image.fromarray(np.full((200, 300, 3), 90, np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8 not a picture")
    Image.fromarray(np.full((50, 40), 90, np.uint8)).save(tmp_path / "c.png")
    result = scanner("detect", "--json", tmp_path)
    assert "b.jpg" in error_of(result, 2)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(Path(r["image"]).name, r["width"], r["height"]) for r in rows] == [
        ("a.png", 300, 200),
        ("c.png", 40, 50),
    ]
    assert all(r["ms"] > 0 and isinstance(r["cameras"], list) for r in rows)


def test_finds_are_looked_at_close_up_by_what_lies_beside_the_detector(tmp_path: Path) -> None:
    with contextlib.closing(open_frames(ROOT / "scanner" / "demo" / "walk.mp4", rate=1)) as walk:
        Image.fromarray(next(walk.frames()).pixels).save(tmp_path / "frame.png")
    answers = []
    for beside in (False, True):
        folder = tmp_path / str(beside)
        folder.mkdir()
        for name in ("detector.tflite", *["closeup.tflite"] * beside):
            shutil.copy(ROOT / "models" / name, folder)
        config = folder / "scanner.toml"
        config.write_text(f'[detector]\nmodel = "{folder}/detector.tflite"\nthreshold = 0.4\n')
        row = json.loads(
            scanner("detect", "--json", "--config", config, tmp_path / "frame.png").stdout
        )
        answers.append({tuple(found["box"]): found["score"] for found in row["cameras"]})
    alone, close = answers
    both = alone.keys() & close.keys()
    assert both
    assert all(alone[box] != close[box] for box in both)


def test_replay_prints_a_feature_collection(video: Path, track: Path) -> None:
    result = scanner("replay", video, "--track", track, "--json")
    assert result.returncode == 0, result.stderr
    collection = json.loads(result.stdout)
    assert collection["type"] == "FeatureCollection"
    assert isinstance(collection["features"], list)


def test_a_video_longer_than_its_track_is_said(video: Path, tmp_path: Path) -> None:
    short = write_gpx(tmp_path / "s.gpx", [(1_780_000_000.0, 55.75, 37.6)])
    result = scanner("replay", video, "--track", short)
    assert result.returncode == 0
    assert "of 8 frames had no fix" in result.stderr


def test_a_damaged_video_prints_what_was_found_before(tmp_path: Path, track: Path) -> None:
    path = tmp_path / "v.mp4"
    path.write_bytes(b"nothing")
    assert "not a video" in error_of(scanner("replay", path, "--track", track), 2)


def test_run_fills_the_outbox_and_ends(video: Path, track: Path, tmp_path: Path) -> None:
    result = scanner(
        "run", "--once", "--json", "--source", video, "--track", track, "--data", tmp_path / "d"
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["frames"] == 8
    assert "nobody holds" in result.stderr
    assert scanner("outbox", "ls", "--data", tmp_path / "d").stdout == "The outbox is empty.\n"


def test_a_model_of_another_form_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "scanner.toml"
    picture = tmp_path / "p.png"
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(picture)
    (tmp_path / "noise.tflite").write_bytes(os.urandom(4096))
    golden = ROOT / "tests" / "golden" / "classifier.tflite"
    for model, words in (
        (tmp_path / "none.tflite", "no such file"),
        (tmp_path / "noise.tflite", "not a usable .tflite file"),
        (golden, "not a square grid"),
    ):
        config.write_text(f'[detector]\nmodel = "{model}"\n')
        assert words in error_of(scanner("detect", picture, "--config", config), 69)


def test_doctor_checks_everything_and_fails_with_the_first_code(tmp_path: Path) -> None:
    config = tmp_path / "scanner.toml"
    config.write_text('[position]\nsource = "track"\n')
    result = scanner("doctor", "--json", "--data", tmp_path, "--config", config)
    rows = {r["check"]: r for r in map(json.loads, result.stdout.splitlines())}
    assert rows["model"]["state"] == "ok", rows["model"]
    assert rows["disk"]["state"] == "ok"
    assert rows["hub key"]["state"] == "fail"
    assert rows["broker"]["state"] == "note"
    assert result.returncode == 78


@pytest.mark.parametrize(
    "buffering", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["by hand", "as a service"]
)
def test_watch_walks_on_when_nobody_reads_its_panel_and_is_not_done_when_nobody_reads_the_end(
    tmp_path: Path, video: Path, track: Path, buffering: dict[str, str]
) -> None:
    (tmp_path / "scanner.toml").write_text('[privacy]\nprofile = "open"\n')
    command: list[str | Path] = [sys.executable, "-m", "scanner", "watch", "--json"]
    command += ["--source", video, "--track", track, "--data", tmp_path / "data"]
    command += ["--config", tmp_path / "scanner.toml"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"} | buffering
    reading, writing = os.pipe()
    os.close(reading)
    heard, unheard = (
        subprocess.run(command, stdout=out, stderr=err, check=False, cwd=ROOT, env=environment)
        for out, err in ((subprocess.PIPE, writing), (writing, subprocess.PIPE))
    )
    os.close(writing)
    assert heard.returncode == 0
    assert json.loads(heard.stdout)["frames"] > 1
    assert unheard.returncode == 74
    assert b"Traceback" not in unheard.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    reader = subprocess.Popen(["head", "-n", "1"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    result = subprocess.run(
        [sys.executable, "-m", "scanner", "config", "explain"],
        stdout=reader.stdin,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert reader.stdin is not None
    reader.stdin.close()
    reader.wait()
    assert result.stderr == ""


def test_bench_says_how_fast_this_machine_looks(tmp_path: Path) -> None:
    plot = tmp_path / "b.svg"
    result = scanner("bench", "--json", "--frames", 1, "--plot", plot)
    assert result.returncode == 0, result.stderr
    row = json.loads(result.stdout)
    assert row["tiles_per_frame"] == 15
    assert 0 < row["invoke_min_ms"] <= row["invoke_ms"]
    assert 0 < row["invoke_share"] <= 1  # rounded: slow processors do little else
    assert row["peak_memory_mb"] > 10
    assert plot.read_text().startswith("<svg")
    assert scanner("bench", "--frames", 1).stdout.count("\n") == 6


@pytest.mark.parametrize("name", ["plot.html", "plot.png"])
def test_replay_draws_the_walk(video: Path, track: Path, tmp_path: Path, name: str) -> None:
    result = scanner("replay", video, "--track", track, "--plot", tmp_path / name)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / name).stat().st_size > 1000
    assert "wanted" in error_of(
        scanner("replay", video, "--track", track, "--plot", tmp_path / "plot.gif"), 2
    )


def test_nothing_is_sent_that_nobody_could_read(video: Path, track: Path, tmp_path: Path) -> None:
    result = scanner(
        *("run", "--once", "--source", video, "--track", track, "--data", tmp_path / "d"),
        *("--broker", "127.0.0.1:9"),
    )
    assert "no hub key" in error_of(result, 78)
    assert not (tmp_path / "d").exists()


def test_run_names_pictures_that_it_set_aside(track: Path, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "walk", count=4)
    (folder / "2.png").write_bytes(b"broken")
    result = scanner("run", "--once", "--source", folder, "--track", track, "--data", tmp_path)
    assert result.returncode == 0
    assert "2.png" in result.stderr
    assert "3 frames" in result.stdout
