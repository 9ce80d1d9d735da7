"""What travels between scanners, the hub and its readers: records, the map, files by hand."""

import hashlib
import itertools
import math
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from nacl.signing import SigningKey

from scanner import config, enrolment, signing
from scanner.cli import courier
from scanner.cli import tokens as token_files
from scanner.core import blind, hints, tokens, wire
from scanner.core.fusing.fusion import Camera, Member, fuse
from scanner.core.fusing.vicinity import Report
from scanner.core.osm import tags as osm
from scanner.core.reviewing import decisions, reviewlog
from scanner.errors import UNREADABLE, ConfigError, UsageError, WireError
from scanner.hub.exports import geojson, josm, kml, maproulette, table
from scanner.hub.exports.source import Entry
from scanner.hub.features import OPEN, project
from scanner.hub.ingest import plausible
from scanner.hub.review import meaning
from scanner.hub.stores.protocol import Action
from scanner.records import Covariance, Kind
from tests.fuzz.target import Target
from tests.helpers.reports import DAY, entry, record
from tests.helpers.shown import feature

RECORDS_MAX: Final = 12  # fused at once: what comes by chance is one or two
_ENTRY: Final = struct.Struct("<BhhIiIBBB")


def _record(data: bytes) -> None:
    """As it comes, and as the body of a record whose padding is right."""
    if len(data) < wire.PLAIN_BYTES:
        data = data + b"\x80" + bytes(wire.PLAIN_BYTES - len(data) - 1)
    found = wire.decode_record(data)
    assert wire.decode_record(wire.encode_record(found)) == found
    assert 1 <= len(found.cameras) <= wire.MAX_CAMERAS
    for camera in found.cameras:
        assert abs(camera.lat_e7) <= wire.LATITUDE_MAX_E7
        assert len(wire.geohash(camera.lat_e7 / 1e7, camera.lon_e7 / 1e7)) == wire.CELL_CHARS
    _onto_the_map([found])
    if found.cohort:
        tokens.unpack(found.cohort)


def _records(data: bytes) -> None:
    """Records that the hub would take, put together: whoever has tokens can send any of them."""
    _onto_the_map(list(itertools.islice(_imagined(data), RECORDS_MAX)))


def _imagined(data: bytes) -> Iterator[wire.Record]:
    """A place, then records near it: bytes that are always some record."""
    if len(data) < 9:
        return
    lat, lon, step = struct.unpack_from("<iiB", data)
    step = (1, 10, 100, 10_000)[step % 4]
    at = 9
    while at + 6 < len(data):
        count, length, bucket, common = struct.unpack_from("<BBHH", data, at)
        at += 6
        cameras = []
        for _ in range(1 + count % wire.MAX_CAMERAS):
            if at + _ENTRY.size > len(data):
                break
            kind, north, east, ee, en, nn, height, views, score = _ENTRY.unpack_from(data, at)
            at += _ENTRY.size
            most = math.isqrt(ee * nn)
            cameras.append(
                wire.CameraEntry(
                    kind=kind % 5,
                    lat_e7=max(-900_000_000, min(900_000_000, lat + north * step)),
                    lon_e7=max(-1_800_000_000, min(1_800_000_000, lon + east * step)),
                    ee_cm2=ee,
                    en_cm2=max(-(2**31), -most, min(2**31 - 1, most, en)),
                    nn_cm2=nn,
                    height_dm=height if height < 255 else None,
                    views_band=views % 5,
                    score_band=score % 5,
                )
            )
        days = (1, 7, 28)[length % 3]
        if cameras:
            yield wire.Record(
                bucket_days=days,
                bucket=(DAY + 3 - bucket % 700) // days,
                common_sigma_cm=common,
                model="test-1",
                cameras=tuple(cameras),
            )


def _onto_the_map(records: list[wire.Record]) -> None:
    reports = [
        Report(
            number=i, record_id=hashlib.blake2b(bytes([i]), digest_size=16).hexdigest(), record=r
        )
        for i, r in enumerate(records)
        if plausible(wire.decode_record(wire.encode_record(r)), DAY + 3) is None
    ]
    seen = []
    for camera in fuse(reports):
        assert abs(camera.lat_deg) <= 90
        assert abs(camera.lon_deg) <= 180
        assert 0 < camera.sigma_m < math.inf
        seen += [(m.number, m.index) for m in camera.members]
        shown = project(decisions.judged(camera), OPEN, 0, camera_id="x")
        assert _features.decode(shown.feature).geometry.coordinates
    assert sorted(seen) == [(r.number, i) for r in reports for i in range(len(r.record.cameras))]


_features = msgspec.json.Decoder(wire.CameraFeature)
_cells = msgspec.json.Decoder(wire.Cell)
_changes = msgspec.json.Decoder(wire.Change)


def _feature(data: bytes) -> None:
    """A camera as read back from a store or the broker, and every file it can be written to."""
    try:
        cameras = _cells.decode(data).features
    except UNREADABLE:
        try:
            cameras = [_features.decode(data)]
        except UNREADABLE:
            wire.encode_json(_changes.decode(data))
            return
    for camera in cameras[:50]:
        tags = osm.tags_of(camera.properties)
        assert osm.lint(tags, camera.properties.basis) == []
        item = Entry(what="new", feature=camera, added=tags)
        for text in (
            *geojson.chunks([camera]),
            *table.chunks([camera]),
            *kml.chunks([camera]),
            *josm.chunks([item]),
            *maproulette.chunks([item]),
        ):
            text.encode()


def _enrolment(data: bytes) -> None:
    text = data.decode(errors="replace")
    try:
        signing.check(text)
    except ConfigError:
        found = enrolment.decode(data)
        assert enrolment.decode(enrolment.encode(found)) == found
        assert not any(c.isspace() for c in found.broker.host + "".join(found.hub_keys))
        for epoch in found.hub_keys:
            assert enrolment.first_day(epoch) < enrolment.end_day(epoch)


def _configuration(data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    found = config.parse(text, "scanner.toml")
    assert all(
        math.isfinite(value)
        for section, key, _, _ in config.entries()
        if isinstance(value := getattr(getattr(found, section), key), float)
    )


def _hints(data: bytes) -> None:
    """A signed list, whoever signed it, and an unsigned one."""
    try:
        body = signing.check_hints(data.decode(errors="replace"), bytes(_KEY.verify_key))
    except ConfigError:
        body = data
    assert not any(hints.refused(signature) for signature in hints.parse(body).signatures)


def _courier(data: bytes) -> None:
    """As it comes, and with the sum that belongs to it."""
    summed = data + hashlib.blake2b(data, digest_size=courier.SUM_BYTES).digest()
    for content in (data, summed):
        try:
            records = courier.unpack(content)
        except WireError:
            continue
        assert courier.pack(records) == content


def _tokens(data: bytes) -> None:
    """A request, an answer, and what a device makes of an answer."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        path = Path(file.name)
        try:
            token_files.read(path, token_files.Request)
        except UsageError:
            answer = token_files.read(path, token_files.Answer)
            for signed in answer.signed[:3]:
                blind.finalize(_ISSUER, tokens.message(answer.key), signed, 3)


def _reviews(data: bytes) -> None:
    """Lines of the log, one after the other, onto two cameras."""
    lines = []
    for number in range(1, 9):
        if not data:
            break
        verb, size = reviewlog.VERBS[data[0] % len(reviewlog.VERBS)], 1 + int.from_bytes(data[1:3])
        line = Action(
            number=number, at_s=0, reviewer="ana", verb=verb, camera_id="x",
            anchor=("00" * 16, data[0] & 1), lat_deg=52.0, lon_deg=4.0, body=data[3 : 2 + size],
        )  # fmt: skip
        data = data[2 + size :]
        reviewlog.decode_body(line)
        meaning(line)
        lines.append(line)
    for judged in decisions.apply([_camera(0), _camera(1)], lines):
        project(judged, OPEN, 0, camera_id="x")


def _camera(index: int) -> Camera:
    return Camera(
        members=(Member(0, "00" * 16, index), Member(1, "11" * 16, index)),
        kind=Kind.DOME, kind_share=0.9, lat_deg=52.0 + index * 1e-5, lon_deg=4.0,
        covariance=Covariance(1.0, 0.0, 1.0), height_m=None, first_day=DAY, last_day=DAY,
    )  # fmt: skip


def line_of(body: reviewlog.Body, verb: str) -> bytes:
    """A line of the review log as the target takes it."""
    packed = reviewlog.encode_body(body)
    return bytes([reviewlog.VERBS.index(verb)]) + len(packed).to_bytes(2, "big") + packed


_KEY: Final = SigningKey(bytes(range(32)))
_ISSUER: Final = tokens.public_key((2**2047 + 1).to_bytes(256, "big"))
_BODY: Final = wire.encode_record(record([entry((0, 0)), entry((9, 4))])).rstrip(b"\0")[:-1]
_NEAR: Final = struct.pack("<iiB", 523_702_000, 48_952_000, 1)
_PASS: Final = struct.pack("<BBHH", 1, 0, 0, 300) + b"".join(
    _ENTRY.pack(2, 10 * i, -20 * i, 4900, 100, 4900, 30, 2, 3) for i in range(2)
)
_ENROLMENT: Final = enrolment.encode(
    enrolment.Enrolment(
        v=1,
        made="2026-11-01",
        broker=enrolment.Broker(host="hub.example"),
        hub_keys={"2026-Q4": bytes(32)},
        issuers={"2026-11": bytes(256)},
    )
)
_LIST: Final = (
    b'{"v":1,"made":"2026-11-01","signatures":'
    b'[{"title":"a","source":"b","companies":["09C8"],"names":["Abcdefgh"]}]}'
)
_MAP: Final = wire.Cell(features=[feature("a", height_m=3, direction_deg=10)])
_REQUEST: Final = token_files.Request(month="2026-11", key=bytes(8), blinded=[bytes(range(256))])
_ANSWER: Final = token_files.Answer(key=bytes(8), blinded=[bytes(256)], signed=[bytes(range(256))])
_WORD: Final = reviewlog.Word(Kind.DOME, 0.9, Covariance(1.0, 0.0, 1.0), (("11" * 16, 1),))
_PART: Final = reviewlog.Part(
    anchors=(("00" * 16, 0),), lat_deg=52.0, lon_deg=4.0, covariance=Covariance(1.0, 0.0, 1.0),
    kind=Kind.DOME, kind_share=1.0, height_m=None, first_day=DAY, last_day=DAY,
)  # fmt: skip
_SECTIONS: Final = tuple({f"[{section}]".encode() for section, _, _, _ in config.entries()})
_KEYS: Final = tuple({f"\n{key} = ".encode() for _, key, _, _ in config.entries()})

TARGETS: Final[dict[str, Target]] = {
    "record": Target(
        read=_record,
        allowed=(WireError,),
        seeds=(_BODY, wire.DUMMY, wire.encode_record(record([entry((0, 0))] * 8))),
        words=(b"test-1", b"\xc0", b"\xcd\x50\xdc", b"\xd2\x1f\x37", b"\xc5\x01\x28", b"\x80"),
    ),
    "fusing": Target(
        read=_records,
        seeds=(_NEAR + _PASS, _NEAR + _PASS * 3, _NEAR + _PASS * 12),
        words=(_NEAR, _PASS, struct.pack("<i", 900_000_000), struct.pack("<i", 1_800_000_000)),
        largest=4096,
    ),
    "feature": Target(
        read=_feature,
        allowed=(*UNREADABLE, WireError),
        seeds=(wire.encode_json(_MAP), wire.encode_json(_MAP.features[0])),
        words=(b'"direction_deg":', b'"height_m":', b'"cluster":', b'"basis":', b'"reviewer"',
               b'"change":"added"', b'"features":[', b'"tags":{', b"\\u0000", b"=cmd", b"]]>"),
    ),
    "enrolment": Target(
        read=_enrolment,
        allowed=(ConfigError,),
        seeds=(
            _ENROLMENT,
            _ENROLMENT + b"\ned25519 " + b"A" * 43 + b"= " + b"A" * 86 + b"==\n",
            signing.sign(enrolment.decode(_ENROLMENT), _KEY).encode(),
        ),
        words=(b'"hub_keys":{', b'"issuers":{', b'"profile":"hostile"', b'"ca":"', b'"root":"',
               b'"2026-Q4"', b'"0000-01"', b'"9999-12"', b"ed25519 ", b"\\n"),
    ),
    "configuration": Target(
        read=_configuration,
        allowed=(ConfigError,),
        seeds=(config.example().encode(), b"[mqtt]\n"),
        words=(*_SECTIONS, *_KEYS, b'"""', b"inf", b"nan", b"1979-05-27", b"{", b"[[a]]", b"a.b."),
        largest=config.LONGEST,
    ),
    "hints": Target(
        read=_hints,
        allowed=(ConfigError,),
        seeds=(_LIST, signing.sign_hints(_LIST, _KEY).encode()),
        words=(b'"names":[', b'"name_starts":[', b'"companies":[', b'"services":[', b'"ouis":[',
               b'"00:25:DF"', b'"004C"', b"ed25519 "),
    ),
    "courier": Target(
        read=_courier,
        seeds=(
            courier.MAGIC,
            courier.MAGIC + bytes(wire.SEALED_BYTES),
            courier.pack([bytes(wire.SEALED_BYTES)]),
        ),
        words=(courier.MAGIC,),
    ),
    "tokens": Target(
        read=_tokens,
        allowed=(UsageError, WireError),
        seeds=(msgspec.json.encode(_REQUEST), msgspec.json.encode(_ANSWER)),
        words=(b'"month":', b'"key":', b'"blinded":[', b'"signed":[', b"AAAAAAAAAAA="),
    ),
    "reviews": Target(
        read=_reviews,
        allowed=(WireError,),
        seeds=(
            line_of(_WORD, "confirm") + line_of(_WORD, "reject"),
            line_of(reviewlog.Merge(("11" * 16, 1)), "merge"),
            line_of(reviewlog.Split(_PART, _PART), "split"),
            line_of(reviewlog.Move(52.0, 4.0001), "move"),
            line_of(reviewlog.Tag({"camera:mount": "pole"}), "tag"),
            line_of(_WORD, "gone") + line_of(reviewlog.Undo(1), "undo"),
            line_of(reviewlog.Rollback("a", "held"), "rollback"),
        ),
        words=tuple(reviewlog.encode_body(b) for b in (reviewlog.Undo(1), reviewlog.Move(0, 0))),
    ),
}  # fmt: skip
