import math
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey

from scanner.core import wire
from scanner.core.wire import CameraEntry, Record, Topics, decode_record, encode_record
from scanner.errors import WireError
from scanner.sealing import seal, unseal

GOLDEN = Path(__file__).parents[1] / "golden" / "record_v1.bin"
KEY = PrivateKey(bytes(range(32)))

FROZEN = Record(
    bucket_days=7,
    bucket=2957,
    common_sigma_cm=312,
    model="synth-0.1",
    cameras=(
        CameraEntry(2, 523_702_157, 48_951_679, 19_600, -1_200, 8_100, 34, 2, 3),
        CameraEntry(0, -338_567_844, 1_512_152_967, 1, 0, 1, None, 0, 4),
    ),
    cohort=b"\x00\x80token",
)

entries = st.builds(
    lambda place, variances, share, small: CameraEntry(
        small[0],
        place[0],
        place[1],
        variances[0],
        int(share * math.sqrt(math.prod(variances))),
        variances[1],
        small[1],
        small[2],
        small[3],
    ),
    st.tuples(
        st.integers(-wire.LATITUDE_MAX_E7, wire.LATITUDE_MAX_E7),
        st.integers(-wire.LONGITUDE_MAX_E7, wire.LONGITUDE_MAX_E7),
    ),
    st.tuples(st.integers(1, 2**31), st.integers(1, 2**31)),
    st.floats(-0.99, 0.99),
    st.tuples(
        st.integers(0, 4), st.none() | st.integers(0, 1000), st.integers(0, 4), st.integers(0, 4)
    ),
)
records = st.builds(
    Record,
    bucket_days=st.sampled_from([1, 7, 28]),
    bucket=st.integers(0, 100_000),
    common_sigma_cm=st.integers(0, 65_535),
    model=st.from_regex(r"[0-9a-z.\-]{0,24}", fullmatch=True),
    cameras=st.lists(entries, min_size=1, max_size=8).map(tuple),
    cohort=st.binary(max_size=512),
)  # fmt: skip


@given(records)
def test_what_is_sealed_comes_out_the_same_and_is_always_as_long(record: Record) -> None:
    assert decode_record(encode_record(record)) == record
    sealed = seal(record, KEY.public_key)
    assert len(sealed) == wire.SEALED_BYTES
    assert unseal(sealed, KEY) == record


def test_version_1_is_frozen() -> None:
    plain = GOLDEN.read_bytes()
    assert decode_record(plain) == FROZEN
    assert encode_record(FROZEN) == plain


def test_sealing_twice_shows_no_likeness() -> None:
    one, other = seal(FROZEN, KEY.public_key), seal(FROZEN, KEY.public_key)
    assert sum(a == b for a, b in zip(one, other, strict=True)) < 30
    assert wire.record_id(one) != wire.record_id(other)
    assert wire.record_id(one) == wire.record_id(bytes(one))


def padded(body: bytes) -> bytes:
    return body + b"\x80" + bytes(wire.PLAIN_BYTES - len(body) - 1)


def altered(**changes: object) -> bytes:
    """A record with fields that its type does not allow."""
    fields = dict(
        zip(
            ("tag", "bucket_days", "bucket", "common_sigma_cm", "model", "cameras", "cohort"),
            msgspec.msgpack.decode(msgspec.msgpack.encode(FROZEN)),
            strict=True,
        )
    )
    return padded(msgspec.msgpack.encode(list((fields | changes).values())))


CAMERA = [2, 523_702_157, 48_951_679, 19_600, -1_200, 8_100, 34, 2, 3]


def camera(position: int, value: object) -> list[list[object]]:
    return [[value if i == position else old for i, old in enumerate(CAMERA)]]


@pytest.mark.parametrize(
    ("plain", "reason"),
    [
        (b"", "has 0 bytes"),
        (bytes(10), "has 10 bytes"),
        (bytes(wire.PLAIN_BYTES), "padding is damaged"),
        (b"\xff" * wire.PLAIN_BYTES, "padding is damaged"),
        (padded(b""), "a dummy"),
        (padded(b"\xc1"), "not a version 1 record"),
        (padded(b"hello"), "not a version 1 record"),
        (padded(msgspec.msgpack.encode({"lat": 1.0})), "Expected `array`"),
        (altered(tag=2), "Invalid value 2"),
        (altered(bucket_days=2), "bucket_days|Invalid enum value 2"),
        (altered(bucket=-1), ">= 0"),
        (altered(bucket=1e9), "Expected `int`"),
        (altered(common_sigma_cm=70_000), "<= 65535"),
        (altered(model="x" * 25), "length <= 24"),
        (altered(model="<b>"), "matching regex"),
        (altered(cameras=[]), "length >= 1"),
        (altered(cameras=[CAMERA] * 9), "length <= 8"),
        (altered(cohort=bytes(513)), "length <= 512"),
        (altered(extra="scanner 7"), "not a version 1 record"),
        (altered(cameras=camera(0, 5)), "<= 4"),
        (altered(cameras=camera(1, 900_000_001)), "<= 900000000"),
        (altered(cameras=camera(1, float("nan"))), "Expected `int`"),
        (altered(cameras=camera(2, -1_800_000_001)), ">= -1800000000"),
        (altered(cameras=camera(3, -1)), ">= 0"),
        (altered(cameras=camera(4, 99_999)), "covariance is not positive"),
        (altered(cameras=camera(6, 1001)), "<= 1000"),
        (altered(cameras=[[*CAMERA, 1]]), "not a version 1 record"),
    ],
)
def test_bad_bytes_are_refused_with_the_reason(plain: bytes, reason: str) -> None:
    with pytest.raises(WireError, match=reason):
        decode_record(plain)


@given(st.binary(max_size=2000) | st.binary(min_size=1024, max_size=1024))
def test_no_bytes_do_anything_but_raise_wire_error(plain: bytes) -> None:
    with pytest.raises(WireError):
        decode_record(plain)


@pytest.mark.parametrize(
    ("sealed", "reason"),
    [
        (b"", "has 0 bytes"),
        (bytes(wire.SEALED_BYTES - 1), "bytes, not"),
        (bytes(wire.SEALED_BYTES), "not sealed to this hub's key"),
        (seal(FROZEN, PrivateKey.generate().public_key), "not sealed to this hub's key"),
    ],
    ids=["empty", "short", "zeros", "another hub's"],
)
def test_what_cannot_be_opened_is_refused(sealed: bytes, reason: str) -> None:
    with pytest.raises(WireError, match=reason):
        unseal(sealed, KEY)


def test_one_flipped_bit_is_noticed() -> None:
    sealed = bytearray(seal(FROZEN, KEY.public_key))
    sealed[700] ^= 1
    with pytest.raises(WireError, match="damaged"):
        unseal(bytes(sealed), KEY)


@pytest.mark.parametrize(
    "changes",
    [{"model": "Not a version"}, {"cameras": ()}, {"cohort": bytes(513)}, {"bucket": -1}],
)
def test_a_record_that_breaks_its_limits_is_not_encoded(changes: dict[str, object]) -> None:
    with pytest.raises(WireError, match="breaks its own limits"):
        encode_record(msgspec.structs.replace(FROZEN, **changes))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_json_with_a_number_that_is_none_is_refused(value: float) -> None:
    point = wire.Point((value, 1.0))
    with pytest.raises(WireError, match="not finite"):
        wire.encode_json(point)


@pytest.mark.parametrize(
    ("lat", "lon", "expected"),
    [
        (42.605, -5.603, "ezs42"),  # the example of the scheme's article in Wikipedia
        (57.64911, 10.40744, "u4pruydqqvj"),
        (0.0, 0.0, "s0000"),
        (-90.0, -180.0, "00000"),
        (90.0, 180.0, "zzzzz"),
    ],
)
def test_geohash(lat: float, lon: float, expected: str) -> None:
    assert wire.geohash(lat, lon, len(expected)) == expected


def test_topics() -> None:
    topics = Topics("my/root")
    assert topics.inbox == "my/root/in"
    assert topics.map_cell("u173zt") == "my/root/map/u/1/7/3/z/t"
    assert topics.changes("u173zt") == "my/root/changes/u/1/7/3/z/t"
