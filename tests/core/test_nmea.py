import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.core.fixes import Fix, Lost
from scanner.core.nmea import NmeaReader, fields_of, fixes_from_nmea, utc_from_nmea
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


@pytest.mark.parametrize("nothing", ["nan", "inf", "-inf"])
def test_what_is_no_number_is_not_known(nothing: str) -> None:
    rmc = nmea(f"GNRMC,090000.50,A,5545.1200,N,03737.0500,E,{nothing},{nothing},010626,,,A")
    gga = nmea(f"GNGGA,090000.50,5545.1200,N,03737.0500,E,1,10,{nothing},150.0,M,14.0,M,,")
    gst = nmea(f"GNGST,090000.50,1.9,,,,{nothing},2.0,4.0")
    (fix,) = fixes_from_nmea([rmc, gga, gst])
    assert (fix.speed_mps, fix.course_deg, fix.sigma_m) == (None, None, None)


def test_a_place_that_is_no_number_is_no_fix() -> None:
    rmc = nmea("GNRMC,090000.50,A,5545.1200,N,nan37.0500,E,2.72,45.0,010626,,,A")
    assert NmeaReader().feed(sentences(rmc), 0) == []


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


def sentences(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


def test_a_fix_is_told_at_once_and_again_when_more_is_known() -> None:
    reader = NmeaReader()
    first, second, third = (reader.feed(sentences(line), 7) for line in (RMC, GGA, GST))
    assert [f.sigma_m for f in (*first, *second, *third)] == [None, pytest.approx(2.7), 2.0]
    assert {(f.utc_s, f.at_ns) for f in (*first, *second, *third)} == {(1_780_304_400.5, 7)}


@pytest.mark.parametrize(("later", "sigma_m"), [("01.50", 2.0), ("10.50", None)])
def test_an_error_stands_for_the_next_epochs_but_not_for_long(
    later: str, sigma_m: float | None
) -> None:
    body = f"GNRMC,0900{later},A,5545.1200,N,03737.0500,E,2.72,45.0,010626,,,A"
    reader = NmeaReader()
    reader.feed(sentences(RMC, GGA, GST), 0)
    (fix,) = reader.feed(sentences(nmea(body)), 1)
    assert isinstance(fix, Fix)
    assert fix.sigma_m == sigma_m


@given(st.lists(st.integers(1, 40), max_size=12))
def test_pieces_make_what_the_whole_makes(sizes: list[int]) -> None:
    data = sentences(GGA, GST, RMC, "noise", RMC.replace("45.0", "46.0"), GST)
    whole, reader, pieces, rest = NmeaReader().feed(data, 0), NmeaReader(), [], data
    for size in sizes:
        pieces += reader.feed(rest[:size], 0)
        rest = rest[size:]
    assert pieces + reader.feed(rest, 0) == whole


@pytest.mark.parametrize(
    "body",
    [
        "GNRMC,090000.50,V,5545.1200,N,03737.0500,E,2.72,45.0,010626,,,N",
        "GNRMC,090000.50,A,5545.1200,N,03737.0500,E,2.72,45.0,010626,,,E",
        "GNRMC,090000.50,A,5545.1200,N,03737.0500,E,2.72,45.0,010626,,,S",
        "GNGGA,090000.50,5545.1200,N,03737.0500,E,0,00,,150.0,M,14.0,M,,",
        "GNGGA,090000.50,5545.1200,N,03737.0500,E,6,00,,150.0,M,14.0,M,,",
    ],
)
def test_dead_reckoning_and_simulation_are_no_fix(body: str) -> None:
    assert NmeaReader().feed(sentences(nmea(body)), 3) == [Lost(at_ns=3)]


def test_a_fix_that_its_quality_denies_is_taken_back_and_not_told_again() -> None:
    lost = nmea("GNGGA,090000.50,5545.1200,N,03737.0500,E,0,00,,,M,,M,,")
    news = NmeaReader().feed(sentences(RMC, lost, RMC), 0)
    assert news[1:] == [Lost(utc_s=1_780_304_400.5), Lost()]


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader_or_spoil_what_follows(noise: bytes) -> None:
    reader = NmeaReader()
    assert reader.feed(noise, 0) == []
    assert len(reader.feed(b"\n" + sentences(RMC), 0)) == 1


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    reader = NmeaReader()
    for _ in range(100):
        reader.feed(b"x" * 1000, 0)
    assert len(reader._rest) <= 4096
