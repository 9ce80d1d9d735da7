"""Record v1, map feature v1 and the topics: types, encode, decode.

A record is one site, 1 to 8 cameras seen in one pass. Its plain form is msgpack of integers only,
so that a number can neither be infinite nor carry more digits than meant, padded to one size. The
sealed form (``scanner.sealing``) is what travels. The map side is GeoJSON (RFC 7946).
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from scanner.errors import UNREADABLE, WireError
from scanner.records import Kind

VERSION: Final = 1
PLAIN_BYTES: Final = 1024  # 8 cameras and a cohort token of 512 bytes fit
SEALED_BYTES: Final = PLAIN_BYTES + 48  # libsodium sealed box: ephemeral key 32, tag 16
MAX_CAMERAS: Final = 8

LATITUDE_MAX_E7: Final = 900_000_000
LONGITUDE_MAX_E7: Final = 1_800_000_000
KIND_CODES: Final[tuple[Kind, ...]] = (Kind.UNKNOWN, Kind.BULLET, Kind.DOME, Kind.PTZ, Kind.ALPR)

DUMMY: Final = b"\x80" + bytes(PLAIN_BYTES - 1)  # plain form of nothing: padding alone

Centimetres = Annotated[int, Meta(ge=0, le=65_535)]
CentimetresSquared = Annotated[int, Meta(ge=0, le=2**32 - 1)]


class CameraEntry(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One camera of a record, integers only."""

    kind: Annotated[int, Meta(ge=0, le=4, description="index into KIND_CODES")]
    lat_e7: Annotated[int, Meta(ge=-LATITUDE_MAX_E7, le=LATITUDE_MAX_E7)]
    lon_e7: Annotated[int, Meta(ge=-LONGITUDE_MAX_E7, le=LONGITUDE_MAX_E7)]
    ee_cm2: CentimetresSquared  # relative covariance, east-east
    en_cm2: Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
    nn_cm2: CentimetresSquared
    height_dm: Annotated[int, Meta(ge=0, le=1000)] | None
    views_band: Annotated[int, Meta(ge=0, le=4, description="2-3, 4-7, 8-15, 16-31, 32 or more")]
    score_band: Annotated[int, Meta(ge=0, le=4, description="below 0.4, 0.55, 0.7, 0.85, above")]


class Record(msgspec.Struct, frozen=True, array_like=True, tag=VERSION, forbid_unknown_fields=True):
    """One site of one pass, without anything that says whose pass it was."""

    bucket_days: Literal[1, 7, 28]
    bucket: Annotated[int, Meta(ge=0, le=100_000, description="days since 1970 // bucket_days")]
    common_sigma_cm: Centimetres  # error of the walk's track, shared by all cameras of the record
    model: Annotated[str, Meta(max_length=24, pattern=r"^[0-9a-z.\-]*$")]  # detector version
    cameras: Annotated[tuple[CameraEntry, ...], Meta(min_length=1, max_length=MAX_CAMERAS)]
    cohort: Annotated[bytes, Meta(max_length=512)] = b""


class Dummy(WireError):  # noqa: N818 - nothing is wrong with it
    """Not a record: it was only to look like one on its way."""


_decoder = msgspec.msgpack.Decoder(Record)


def encode_record(record: Record) -> bytes:
    """Plain form of a record, padded to PLAIN_BYTES (ISO/IEC 7816-4: 0x80, then zeros).

    Raises WireError if the record breaks its own limits: msgspec checks on decoding only.
    """
    body = msgspec.msgpack.encode(record)
    try:
        _decoder.decode(body)
    except msgspec.MsgspecError as e:
        raise WireError(f"record breaks its own limits: {e}") from e
    if len(body) >= PLAIN_BYTES:
        raise WireError(f"record of {len(body)} bytes does not fit {PLAIN_BYTES}")
    return body + b"\x80" + bytes(PLAIN_BYTES - len(body) - 1)


def decode_record(plain: bytes) -> Record:
    """Record from its padded plain form; raises Dummy for none, WireError with the reason."""
    if plain == DUMMY:
        raise Dummy("a dummy")
    if len(plain) != PLAIN_BYTES:
        raise WireError(f"plain record has {len(plain)} bytes, not {PLAIN_BYTES}")
    body, mark, rest = plain.rpartition(b"\x80")
    if not mark or rest.strip(b"\0"):
        raise WireError("padding is damaged")
    try:
        record = _decoder.decode(body)
    except UNREADABLE as e:
        raise WireError(f"not a version {VERSION} record: {e}") from e
    for entry in record.cameras:
        if entry.en_cm2**2 > entry.ee_cm2 * entry.nn_cm2:
            raise WireError("covariance is not positive")
    return record


def record_id(sealed: bytes) -> str:
    """Id of a sealed record: 128 bits of BLAKE2b over its bytes, hexadecimal.

    Sealing is randomised, so the id tells nothing about the content, yet a record that is sent
    twice keeps its id and counts once.
    """
    return hashlib.blake2b(sealed, digest_size=16).hexdigest()


# --- the map ------------------------------------------------------------------------------------

Band = Literal["1", "2", "3-5", "6+"]
Status = Literal["candidate", "confirmed", "gone", "rejected"]  # the first and last: reviewers only
Basis = Literal["reports", "reviewer", "unknown"]
Several = Annotated[int, Meta(ge=2, description="cameras here that nobody can tell apart")]
Month = Annotated[str, Meta(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", max_length=7)]


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """On what each claim about a camera rests."""

    present: Basis
    kind: Basis
    alpr: Basis = "unknown"
    maker: Basis = "unknown"
    operator: Basis = "unknown"


class CameraProperties(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the map says of one camera."""

    kind: Kind
    sigma_m: Annotated[float, Meta(gt=0, description="1 sigma of the position, per axis")]
    status: Status
    basis: Claims
    confirmations: Band
    first_seen: Month
    last_seen: Month
    tags: dict[str, str]
    height_m: Annotated[float, Meta(ge=0, le=100, description="above the ground")] | None = None
    direction_deg: Annotated[float, Meta(ge=0, lt=360)] | None = None
    cluster: Several | None = None


class Point(msgspec.Struct, frozen=True, tag="Point", tag_field="type"):
    """GeoJSON point, longitude first."""

    coordinates: tuple[
        Annotated[float, Meta(ge=-180, le=180)], Annotated[float, Meta(ge=-90, le=90)]
    ]


class CameraFeature(msgspec.Struct, frozen=True, tag="Feature", tag_field="type"):
    """One camera on the map; ``id`` is stable."""

    id: str
    geometry: Point
    properties: CameraProperties


class Cell(msgspec.Struct, frozen=True, kw_only=True, tag="FeatureCollection", tag_field="type"):
    """The published cameras of one geohash cell, as on the map topic."""

    features: list[CameraFeature]
    licence: str = "ODbL-1.0"
    notice: str = "No record is not no camera."


class Change(msgspec.Struct, frozen=True, tag="Feature", tag_field="type"):
    """One change of the map, as on the changes topic; of a removed camera its id alone."""

    id: str
    change: Literal["added", "moved", "updated", "gone", "removed"]
    geometry: Point | None
    properties: CameraProperties | None


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of the published cameras, as on the stats topic; nothing about who reported."""

    cameras: int
    kinds: dict[Kind, int]
    first_seen: dict[Month, int]


def encode_json(message: object) -> bytes:
    """JSON of a map message; raises WireError for a number that JSON cannot carry.

    msgspec would write NaN as null without a word.
    """
    _refuse_non_finite(msgspec.to_builtins(message))
    return msgspec.json.encode(message)


def _refuse_non_finite(value: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise WireError("message holds a number that is not finite")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_non_finite(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_non_finite(item)


# --- topics -------------------------------------------------------------------------------------

_GEOHASH_ALPHABET: Final = "0123456789bcdefghjkmnpqrstuvwxyz"
CELL_CHARS: Final = 6


def geohash(lat_deg: float, lon_deg: float, chars: int = CELL_CHARS) -> str:
    """Geohash of a place (G. Niemeyer's public-domain scheme): interleaved bisection, base 32."""
    lat, lon = (-90.0, 90.0), (-180.0, 180.0)
    bits = 0
    for i in range(chars * 5):
        low, high = lon if i % 2 == 0 else lat
        middle = (low + high) / 2
        upper = (lon_deg if i % 2 == 0 else lat_deg) >= middle
        bits = bits << 1 | upper
        half = (middle, high) if upper else (low, middle)
        lon, lat = (half, lat) if i % 2 == 0 else (lon, half)
    return "".join(_GEOHASH_ALPHABET[bits >> 5 * (chars - 1 - i) & 31] for i in range(chars))


class Topics(msgspec.Struct, frozen=True):
    """Topic names under one root."""

    root: str = "cctv/v1"

    @property
    def inbox(self) -> str:
        """Where scanners write sealed records."""
        return f"{self.root}/in"

    def map_cell(self, cell: Sequence[str]) -> str:
        """Retained FeatureCollection of one geohash cell."""
        return f"{self.root}/map/{'/'.join(cell)}"

    def changes(self, cell: Sequence[str]) -> str:
        """Changes in one geohash cell."""
        return f"{self.root}/changes/{'/'.join(cell)}"

    @property
    def status(self) -> str:
        """Retained ``online`` or ``offline`` of the hub."""
        return f"{self.root}/hub/status"

    @property
    def stats(self) -> str:
        """Retained counts."""
        return f"{self.root}/hub/stats"
