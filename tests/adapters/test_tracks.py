"""What recorded tracks look like in the field, and what is made of it."""

from pathlib import Path

import pytest

from scanner.errors import MediaError
from scanner.replay.tracks import RecordedTrack
from tests.helpers.media import nmea, write_gpx, write_nmea

START = 1_780_000_000.0


def at(track: RecordedTrack, seconds: float) -> tuple[float, float] | None:
    position = track.position_at(int(seconds * 1e9))
    return (position.lat_deg, position.lon_deg) if position else None


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("t.gpx", "<gpx><trk><trkseg></trkseg></trk></gpx>", "holds no fix"),
        ("t.gpx", '<gpx><trkpt lat="1" lon="2"/></gpx>', "holds no fix with a time"),
        ("t.gpx", "<gpx><trkpt", "not valid XML"),
        ("t.gpx", '<!DOCTYPE x [<!ENTITY a "b">]><gpx/>', "declares entities"),
        (
            "t.gpx",
            '<gpx><trkpt lat="x" lon="2"><time>2026-01-01T00:00:00Z</time></trkpt></gpx>',
            "damaged",
        ),
        (
            "t.gpx",
            '<gpx><trkpt lat="nan" lon="2"><time>2026-01-01T00:00:00Z</time></trkpt></gpx>',
            "lies at",
        ),
        ("t.nmea", "", "holds no fix"),
        ("t.nmea", "hello\nworld\n", "holds no fix"),
        ("t.nmea", nmea("GNRMC,090000.00,V,,,,,,,010626,,,N"), "holds no fix"),
    ],
)
def test_a_track_without_fixes_says_so(tmp_path: Path, name: str, text: str, reason: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(MediaError, match=reason):
        RecordedTrack(tmp_path / name)


def test_a_missing_track_says_so(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="cannot be read"):
        RecordedTrack(tmp_path / "none.gpx")


def test_a_jump_of_the_receiver_is_left_out(tmp_path: Path) -> None:
    points = [(START + t, 55.75 + t * 1e-5, 37.6) for t in range(10)]
    points[5] = (START + 5, 55.76, 37.6)  # a kilometre in a second
    track = RecordedTrack(write_gpx(tmp_path / "t.gpx", points))
    here = at(track, 5)
    assert here is not None
    assert here[0] == pytest.approx(55.75 + 5e-5, abs=1e-6)


def test_a_long_hole_gives_no_position(tmp_path: Path) -> None:
    points = [(START + t, 55.75 + t * 1e-5, 37.6) for t in (0, 1, 2, 30, 31, 32)]
    track = RecordedTrack(write_gpx(tmp_path / "t.gpx", points))
    assert at(track, 1.5) is not None
    assert at(track, 15) is None
    assert at(track, 31) is not None


def test_times_that_run_backwards_change_no_order(tmp_path: Path) -> None:
    points = [(START + t, 55.75 + t * 1e-5, 37.6) for t in (0, 1, 2, 1.5, 3, 4)]
    track = RecordedTrack(write_gpx(tmp_path / "t.gpx", points))
    here = at(track, 2)
    assert here is not None
    assert here[0] == pytest.approx(55.75 + 2e-5, abs=1e-7)


def test_damaged_sentences_are_dropped_and_the_rest_is_used(tmp_path: Path) -> None:
    points = [(START + t, 55.75 + t * 1e-5, 37.6) for t in range(6)]
    path = write_nmea(tmp_path / "t.nmea", points)
    lines = path.read_text().splitlines()
    lines[3] = lines[3].replace("A", "B", 1)
    path.write_text("\n".join([*lines, "$GNRMC,truncat", "\x00\xff"]), encoding="latin-1")
    assert at(RecordedTrack(path), 4.5) is not None


def test_no_course_while_standing(tmp_path: Path) -> None:
    points = [(START + t, 55.75, 37.6) for t in range(20)]
    position = RecordedTrack(write_gpx(tmp_path / "t.gpx", points)).position_at(10**10)
    assert position is not None
    assert position.course_deg is None


def test_the_offset_moves_the_first_frame(tmp_path: Path) -> None:
    points = [(START + t, 55.75 + t * 1e-5, 37.6) for t in range(20)]
    path = write_gpx(tmp_path / "t.gpx", points)
    assert at(RecordedTrack(path, offset_s=3.0), 2) == at(RecordedTrack(path), 5)


def test_southern_and_western_places_keep_their_sign(tmp_path: Path) -> None:
    points = [(START + t, -33.45 - t * 1e-5, -70.66) for t in range(5)]
    here = at(RecordedTrack(write_nmea(tmp_path / "t.nmea", points)), 2)
    assert here == pytest.approx((-33.45 - 2e-5, -70.66), abs=2e-7)
