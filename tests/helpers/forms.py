"""A coordinate in every form that a file or a process may hold it in."""

import struct
from collections.abc import Iterable, Mapping

from scanner.core.wire import geohash

PICTURES = (b"JFIF", b"Exif", b"\x89PNG", b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xe1", b"ftyp")
LONG = 5  # bytes from which on a form does not turn up by chance


def every_form(value: float) -> set[bytes]:
    """Text, NMEA, scaled integers and floats of either byte order."""
    forms = {f"{value:.{digits}f}".encode() for digits in (4, 5, 6, 7)}
    degrees, minutes = int(value), (value - int(value)) * 60
    forms |= {f"{degrees:0{width}d}{minutes:07.4f}".encode()[: width + 6] for width in (2, 3)}
    for scale in (1e5, 1e6, 1e7):
        for order in "<>":
            forms |= {struct.pack(order + size, round(value * scale)) for size in "iq"}
    # The first bytes of a float are those of all places within a few hundred metres.
    forms |= {struct.pack(">d", value)[:5], struct.pack("<d", value)[-5:]}
    forms |= {struct.pack(">f", value), struct.pack("<f", value)}
    return forms


def forms_of(places: Iterable[tuple[float, float]]) -> set[bytes]:
    """All forms of all places, latitude and longitude, with their geohashes; and of pictures."""
    forms = set(PICTURES)
    for lat, lon in places:
        forms |= every_form(lat) | every_form(lon)
        forms |= {geohash(lat, lon, chars).encode() for chars in (6, 7, 8)}
    return forms


def hits(contents: Mapping[str, bytes], forms: Iterable[bytes]) -> list[tuple[str, bytes]]:
    """Where a form of 5 bytes or more, or the head of a picture, is found."""
    return [
        (name, form)
        for name, content in contents.items()
        for form in forms
        if (len(form) >= LONG or form in PICTURES) and form in content
    ]


def by_chance(contents: Mapping[str, bytes], forms: set[bytes]) -> tuple[int, float]:
    """Hits of shorter forms, and how many are to be expected in random bytes of that size."""
    short = [form for form in forms if len(form) < LONG and form not in PICTURES]
    found = sum(form in content for form in short for content in contents.values())
    return found, sum(map(len, contents.values())) * len(short) / 2**32
