import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.core.nmea import fields_of, fixes_from_nmea, utc_from_nmea
from scanner.errors import WireError
from tests.helpers.media import nmea

RMC = nmea("GNRMC,090000.50,A,5545.1200,N,03737.0500,E,2.72,45.0,010626,,,A")
GGA = nmea("GNGGA,090000.50,5545.1200,N,03737.0500,E,1,10,0.9,150.0,M,14.0,M,,")
GST = nmea("GNGST,090000.50,1.9,,,,1.7,2.0,4.0")


def test_a_second_of_a_receiver() -> None:
    (fix,) = fixes_from_nmea([RMC, GGA, GST])
    assert fix.lat_deg == pytest.approx(55.752)
    assert fix.lon_deg == pytest.approx(37.6175)
    assert fix.utc_s == 1_780_304_400.5  # date -ud "2026-06-01 09:00:00" +%s
    assert fix.speed_mps == pytest.approx(1.399, abs=1e-3)
    assert fix.course_deg == 45.0
    assert fix.sigma_m == 2.0


def test_without_gst_the_error_comes_from_the_dilution() -> None:
    (fix,) = fixes_from_nmea([RMC, GGA])
    assert fix.sigma_m == pytest.approx(2.7)


def test_a_receiver_without_a_fix_gives_none() -> None:
    assert fixes_from_nmea([RMC, GGA.replace("E,1,", "E,0,")]) != []  # wrong checksum: dropped
    lost = nmea("GNGGA,090000.50,5545.1200,N,03737.0500,E,0,00,,,M,,M,,")
    assert fixes_from_nmea([RMC, lost]) == []


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        ("010170", "000000", 3_155_760_000 - 0),
        ("290228", "235959", 1_835_481_599),
        ("010100", "000000", 946_684_800),
        ("311299", "120000", 4_102_401_600),
    ],
)
def test_times(date: str, time: str, expected: float) -> None:
    """Two-digit years are of this century: 1970 is before GPS."""
    assert utc_from_nmea(date, time) == expected


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    assert fixes_from_nmea(text.splitlines()) == []


@pytest.mark.parametrize("line", ["", "$", "GNRMC,1*00", "$GNRMC,1", "$GNRMC,1*00", "$*"])
def test_damaged_sentences(line: str) -> None:
    with pytest.raises(WireError):
        fields_of(line)
