"""The committed demo walk agrees with itself: track, sentences, truth and video."""

from __future__ import annotations

import json
import math
import struct
from datetime import datetime
from functools import reduce
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

DEMO = Path(__file__).resolve().parents[2] / "scanner" / "demo"
NAMESPACE = {"gpx": "http://www.topografix.com/GPX/1/1"}
MAX_VIDEO_BYTES = 6_000_000

Place = tuple[float, float, float]


def metres_between(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Return the distance in metres of two near (lat, lon) places."""
    north = (second[0] - first[0]) * 111_320
    east = (second[1] - first[1]) * 111_320 * math.cos(math.radians(first[0]))
    return math.hypot(north, east)


def track() -> list[tuple[datetime, Place]]:
    """Return the GPX track's times and (lat, lon, elevation)."""
    root = ET.parse(DEMO / "walk.gpx").getroot()  # noqa: S314 - a file of this repository
    points = []
    for point in root.iterfind(".//gpx:trkpt", NAMESPACE):
        elevation = float(point.findtext("gpx:ele", "", NAMESPACE))
        moment = datetime.fromisoformat(point.findtext("gpx:time", "", NAMESPACE))
        points.append(
            (moment, (float(point.get("lat", "")), float(point.get("lon", "")), elevation))
        )
    return points


def sentences(kind: str) -> list[list[str]]:
    """Return the fields of every NMEA sentence of a kind, without its checksum."""
    lines = (DEMO / "walk.nmea").read_text().splitlines()
    return [line[1:].split("*")[0].split(",") for line in lines if line.startswith(f"${kind},")]


def degrees(field: str, hemisphere: str) -> float:
    """Return degrees from NMEA's dddmm.mmmm."""
    whole = int(float(field) // 100)
    return (whole + (float(field) - 100 * whole) / 60) * (-1 if hemisphere in "SW" else 1)


def cameras() -> list[tuple[str, tuple[float, float]]]:
    """Return the kind and (lat, lon) of every true camera."""
    features = json.loads((DEMO / "truth.geojson").read_text())["features"]
    return [
        (
            f["properties"]["kind"],
            (f["geometry"]["coordinates"][1], f["geometry"]["coordinates"][0]),
        )
        for f in features
    ]


def movie_header() -> tuple[int, int]:
    """Return the time scale and the duration of the video from its mvhd box."""
    data = (DEMO / "walk.mp4").read_bytes()
    at = data.index(b"mvhd") + 4
    scale, duration = struct.unpack(">II", data[at + 12 : at + 20])
    return scale, duration


def test_every_sentence_has_its_checksum() -> None:
    lines = (DEMO / "walk.nmea").read_text().splitlines()
    for line in lines:
        body, _, checksum = line[1:].partition("*")
        assert int(checksum, 16) == reduce(lambda total, letter: total ^ ord(letter), body, 0)


@pytest.mark.parametrize("kind", ["GNRMC", "GNGGA", "GNGST"])
def test_every_second_has_each_sentence(kind: str) -> None:
    assert len(sentences(kind)) == len(track())


def test_fixes_are_a_second_apart() -> None:
    times = [moment for moment, _ in track()]
    assert times[0].isoformat() == "2026-06-01T09:00:00+00:00"
    assert {(later - sooner).total_seconds() for sooner, later in pairwise(times)} == {1.0}


def test_track_and_sentences_agree_within_a_decimetre() -> None:
    for (moment, (lat, lon, elevation)), fields in zip(track(), sentences("GNGGA"), strict=True):
        place = degrees(fields[2], fields[3]), degrees(fields[4], fields[5])
        assert metres_between((lat, lon), place) < 0.1
        assert float(fields[9]) == pytest.approx(elevation, abs=0.1)
        assert fields[1] == moment.strftime("%H%M%S.00")


def test_the_walk_is_long_enough_and_bends() -> None:
    fixes = track()
    seconds = (fixes[-1][0] - fixes[0][0]).total_seconds()
    assert seconds >= 32
    assert metres_between(fixes[0][1][:2], fixes[-1][1][:2]) > 40
    courses = [float(fields[8]) for fields in sentences("GNRMC")]
    assert max(courses) - min(courses) > 20


def test_the_truth_holds_all_kinds_near_the_walk() -> None:
    found = cameras()
    assert len(found) >= 8
    assert {kind for kind, _ in found} == {"bullet", "dome", "ptz", "alpr"}
    path = [place[:2] for _, place in track()]
    assert all(min(metres_between(at, point) for point in path) < 30 for _, at in found)


def test_two_pairs_lie_within_five_metres() -> None:
    places = [place for _, place in cameras()]
    pairs = [
        (a, b) for k, a in enumerate(places) for b in places[k + 1 :] if metres_between(a, b) < 5
    ]
    assert len(pairs) >= 2


def test_the_video_is_small_and_covers_the_fixes() -> None:
    data = DEMO / "walk.mp4"
    assert data.stat().st_size <= MAX_VIDEO_BYTES
    scale, duration = movie_header()
    fixes = track()
    assert duration / scale == pytest.approx((fixes[-1][0] - fixes[0][0]).total_seconds(), abs=0.3)


def test_the_video_can_be_played_while_it_loads() -> None:
    data = (DEMO / "walk.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
