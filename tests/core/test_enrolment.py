"""What an enrolment may say, how small it is, and which epoch a day is in."""

import datetime as dt
import os

import msgspec
import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from scanner import enrolment, signing
from scanner.core.wire import CameraEntry, Record
from scanner.enrolment import QR_BYTES, Broker, Enrolment
from scanner.errors import ConfigError
from scanner.sealing import HubKeys, seal, unseal

CAMPAIGN = SigningKey(bytes(range(32)))
FULL = Enrolment(
    v=1,
    made="2026-11-23",
    campaign="Cameras of our town, autumn 2026",
    profile="hostile",
    broker=Broker(
        host=f"{'a' * 56}.onion",
        port=8883,
        root="cctv/v1",
        username="scanner",
        password="x" * 22,
        tls=True,
        ca=bytes(range(256)) + bytes(160),  # as long as a certificate with a P-256 key
    ),
    hub_keys={"2026-Q4": bytes(32), "2027-Q1": bytes(range(32))},
    issuers={"2026-11": bytes(range(256)), "2026-12": bytes(range(1, 256)) + b"\0"},
)


def test_everything_fits_one_qr_code() -> None:
    text = signing.sign(FULL, CAMPAIGN)
    assert len(text.encode()) <= QR_BYTES
    code = segno.make(text, error="m", boost_error=False, mode="byte", micro=False)
    assert int(code.version) <= 40
    # What fits QR_BYTES fits a code: no text that is let through fails later.
    segno.make("x" * QR_BYTES, error="m", boost_error=False, mode="byte", micro=False)


def test_what_is_signed_comes_out_the_same() -> None:
    found, signed = signing.check(signing.sign(FULL, CAMPAIGN))
    assert found == FULL
    assert signed.key == bytes(CAMPAIGN.verify_key)
    # A messenger that changes line ends or adds blank lines does no harm.
    assert signing.check("\n" + signing.sign(FULL, CAMPAIGN).replace("\n", " \r\n\r\n"[:3]))[0]


@given(st.data())
def test_no_change_of_a_letter_passes(data: st.DataObject) -> None:
    text = signing.sign(FULL, CAMPAIGN)
    place = data.draw(st.integers(0, len(text) - 2))
    letter = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    bent = text[:place] + letter + text[place + 1 :]
    if bent == text:
        return
    try:
        found, signed = signing.check(bent)
    except ConfigError:
        return
    # Only base64's unused bits: bytes, and so key, signature and words, are the same.
    assert (found, signed) == signing.check(text)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"volunteer": "Anna"}, "unknown key `volunteer`"),
        ({"v": 2}, "Invalid enum value 2"),
        ({"hub_keys": {}}, "length >= 1"),
        ({"hub_keys": {"spring": "A" * 43 + "="}}, "regex"),
        ({"hub_keys": {"2026-Q4": "AAAA"}}, "length >= 32"),
        ({"issuers": {"2026-Q4": "A" * 344}}, "regex"),
        ({"profile": "brave"}, "Invalid enum value"),
        ({"made": "2026-02-30"}, "is no day"),
        ({"broker": {"host": "a b"}}, "regex"),
        ({"broker": {"host": "h", "user": "anna"}}, "unknown key `user`"),
        ({"broker": {"host": "h", "root": "#"}}, "regex"),
    ],
)
def test_what_it_must_not_say_is_named(changes: dict[str, object], words: str) -> None:
    body = msgspec.json.encode(msgspec.to_builtins(FULL) | changes)
    with pytest.raises(ConfigError, match=words):
        enrolment.decode(body)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "hello\nworld", "{}\ned25519 a b", "{}\nrsa AAAA AAAA", "\0" * 100, "{}\n\n\n{}"],
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        signing.check(text)


def test_fingerprints_are_compared_by_what_they_say() -> None:
    print_ = signing.fingerprint(bytes(CAMPAIGN.verify_key))
    assert len(print_.replace(" ", "")) == 32
    assert signing.same_fingerprint(print_.upper().replace(" ", ":"), print_)
    assert not signing.same_fingerprint(print_[:-1], print_)
    assert not signing.same_fingerprint("", print_)
    assert print_ != signing.fingerprint(os.urandom(32))


@pytest.mark.parametrize(
    ("epoch", "start", "after"),
    [
        ("2026-Q1", (2026, 1, 1), "2026-Q2"),
        ("2026-Q4", (2026, 10, 1), "2027-Q1"),
        ("2026-01", (2026, 1, 1), "2026-02"),
        ("2026-12", (2026, 12, 1), "2027-01"),
    ],
)
def test_epochs(epoch: str, start: tuple[int, int, int], after: str) -> None:
    assert enrolment.first_day(epoch) == dt.date(*start)
    assert enrolment.following(epoch) == after
    assert enrolment.end_day(epoch) == enrolment.first_day(after)
    day = dt.date(*start)
    assert epoch in (enrolment.quarter_of(day), enrolment.month_of(day))


@pytest.mark.parametrize("name", ["2026", "2026-Q5", "2026-13", "2026-0", "always", "../2026-01"])
def test_what_is_no_epoch(name: str) -> None:
    with pytest.raises(ConfigError, match="not an epoch"):
        enrolment.first_day(name)


@pytest.mark.parametrize(
    ("day", "used"),
    [
        ((2026, 9, 30), "2026-Q4"),  # before all: the first to come
        ((2026, 10, 1), "2026-Q4"),
        ((2026, 12, 31), "2026-Q4"),
        ((2027, 1, 1), "2027-Q1"),
        ((2029, 1, 1), "2027-Q1"),  # after all: the last
    ],
)
def test_a_record_is_sealed_to_the_key_of_its_epoch(day: tuple[int, int, int], used: str) -> None:
    private = {"2026-Q4": PrivateKey.generate(), "2027-Q1": PrivateKey.generate()}
    keys = HubKeys({epoch: key.public_key for epoch, key in private.items()})
    bucket = (dt.date(*day) - dt.date(1970, 1, 1)).days
    camera = CameraEntry(0, 1, 1, 1, 0, 1, None, 0, 0)
    record = Record(bucket_days=1, bucket=bucket, common_sigma_cm=1, model="t", cameras=(camera,))
    assert unseal(seal(record, keys), private[used]) == record
