from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from scanner.cli.bench import Result, _plot, _text, measure
from scanner.config import Config, DetectorSettings
from scanner.errors import ConfigError

FRAMES = 4


def result(inferences_per_s: float) -> tuple[Result, list[float]]:
    settings = DetectorSettings(inferences_per_s=inferences_per_s, threads=1)
    return measure(Config(detector=settings), FRAMES)


@pytest.mark.parametrize(("inferences_per_s", "tiles"), [(0, 15), (10, 2), (2.5, 0.5)])
def test_a_budget_is_spent_as_it_would_be_on_a_walk(inferences_per_s: float, tiles: float) -> None:
    measured, times_ms = result(inferences_per_s)
    assert measured.tiles_per_frame == pytest.approx(tiles, abs=1 / FRAMES)
    assert measured.frames_per_s * measured.tiles_per_frame == pytest.approx(
        measured.tiles_per_s, rel=0.02, abs=0.2
    )
    assert min(times_ms) <= measured.invoke_ms <= max(times_ms)
    assert measured.first_inference_s > 0
    assert measured.peak_memory_mb > 10


def test_the_time_is_spent_inside_the_network() -> None:
    # The best of a few: other programs may be at work here.
    assert max(result(10)[0].invoke_share for _ in range(3)) >= 0.8


def test_the_plot_says_what_it_shows(tmp_path: Path) -> None:
    measured, times_ms = result(10)
    path = tmp_path / "bench.svg"
    path.write_text(_plot(times_ms, measured), encoding="utf-8")
    root = ET.parse(path).getroot()  # noqa: S314 - our own file
    words = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"milliseconds", "inferences, sorted", "fastest", "slowest", "0.0"} <= words
    assert any("median" in (text or "") for text in words)
    (line,) = root.iter("{http://www.w3.org/2000/svg}polyline")
    assert len(line.attrib["points"].split()) == len(times_ms)


def test_the_text_has_a_line_for_every_figure() -> None:
    measured, _ = result(10)
    text = _text(measured)
    for value in (measured.invoke_ms, measured.tiles_per_s, measured.frames_per_s):
        assert str(value) in text
    assert "2 a frame of 1280x720" in text


def test_a_negative_rate_is_refused() -> None:
    with pytest.raises((msgspec.ValidationError, ConfigError)):
        msgspec.convert({"inferences_per_s": -1}, DetectorSettings)
