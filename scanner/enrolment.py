"""An enrolment: what a volunteer's device needs to take part in a campaign, and nothing about them.

Two lines of text, small enough for one QR code: a JSON object, and the campaign's signature of
exactly these bytes (``scanner.signing`` checks it). Everyone of a cohort gets the same one.
"""

import datetime as dt
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from scanner.errors import UNREADABLE, ConfigError

QR_BYTES: Final = 2_300  # of 2,331 that the largest QR code holds at error correction level M
FILE: Final = "enrolment.json"  # as installed, beside scanner.toml
CA_FILE: Final = "enrolment-ca.pem"
EPOCH: Final = r"^2[0-9]{3}-(Q[1-4]|0[1-9]|1[0-2])\Z"  # \Z: a line end must not slip by
MONTHS_A_QUARTER: Final = 3

Epoch = Annotated[str, Meta(pattern=EPOCH)]  # a quarter, 2026-Q4, or a month, 2026-11
Month = Annotated[str, Meta(pattern=r"^2[0-9]{3}-(0[1-9]|1[0-2])\Z")]
Key = Annotated[bytes, Meta(min_length=32, max_length=32)]
Modulus = Annotated[bytes, Meta(min_length=256, max_length=256)]
Profile = Literal["open", "careful", "hostile"]


class Broker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where records go; the password is one for all volunteers and only allows to write."""

    host: Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\s/@]+\Z")]
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    root: Annotated[str, Meta(pattern=r"^[^#+/][^#+]*[^#+/]\Z", max_length=64)] = "cctv/v1"
    username: Annotated[str, Meta(max_length=64)] = ""
    password: Annotated[str, Meta(max_length=128)] = ""
    tls: bool = False
    ca: bytes = b""  # DER of the only CA to trust; empty: the system's


class Enrolment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the first line says."""

    v: Literal[1]
    made: Annotated[
        str, Meta(pattern=r"^2[0-9]{3}-[0-9]{2}-[0-9]{2}\Z", description="day it was made")
    ]
    campaign: Annotated[str, Meta(max_length=40, pattern=r"^[^\x00-\x1f\x7f]*\Z")] = ""
    profile: Profile = "careful"
    broker: Broker
    hub_keys: Annotated[dict[Epoch, Key], Meta(min_length=1, max_length=8)]
    issuers: Annotated[dict[Month, Modulus], Meta(max_length=4)] = {}  # of the cohort's tokens


class Signed(msgspec.Struct, frozen=True):
    """An enrolment with its signature, not yet checked."""

    body: bytes
    key: bytes  # Ed25519 public key of the campaign, 32 bytes
    signature: bytes  # 64 bytes


_decoder = msgspec.json.Decoder(Enrolment)


def encode(enrolment: Enrolment) -> bytes:
    """The first line."""
    return msgspec.json.encode(enrolment)


def checked(enrolment: Enrolment) -> Enrolment:
    """The same, if it keeps its own limits: msgspec checks on decoding only; raises ConfigError."""
    return decode(encode(enrolment))


def decode(body: bytes) -> Enrolment:
    """The first line read; raises ConfigError with the key that is wrong."""
    try:
        found = _decoder.decode(body)
        dt.date.fromisoformat(found.made)
    except UNREADABLE as e:
        what = str(e).replace("Object contains unknown field", "unknown key")
        raise ConfigError(f"not an enrolment: {what}") from e
    except ValueError as e:
        raise ConfigError(f"not an enrolment: made: {found.made} is no day") from e
    return found


def split(text: str) -> Signed:
    """The two lines taken apart; raises ConfigError."""
    lines = text.strip().splitlines()
    words = lines[1].split() if len(lines) == 2 else []  # noqa: PLR2004
    if len(words) != 3 or words[0] != "ed25519":  # noqa: PLR2004
        raise ConfigError(
            "not an enrolment: a line of JSON and a line with its signature are wanted",
            hint="`scanner hub enrolment` makes one",
        )
    try:
        key, signature = (msgspec.convert(word, bytes) for word in words[1:])
    except msgspec.ValidationError as e:
        raise ConfigError("not an enrolment: the signature is not base64") from e
    return Signed(lines[0].strip().encode(), key, signature)


def installed(config_file: Path) -> Enrolment | None:
    """The enrolment beside a scanner.toml, None if there is none; raises ConfigError."""
    path = config_file.with_name(FILE)
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path}: cannot be read: {e}") from e
    try:
        return decode(split(text).body)
    except ConfigError as e:
        raise ConfigError(f"{path}: {e.message}", hint="`scanner enrol` installs it anew") from e


# --- epochs -------------------------------------------------------------------------------------


def first_day(epoch: str) -> dt.date:
    """The day an epoch begins; raises ConfigError if the name is none."""
    if not re.match(EPOCH, epoch):
        raise ConfigError(f"{epoch}: not an epoch", hint="a quarter, 2026-Q4, or a month, 2026-11")
    year, part = epoch.split("-")
    month = MONTHS_A_QUARTER * int(part[1]) - 2 if part[0] == "Q" else int(part)
    return dt.date(int(year), month, 1)


def following(epoch: str) -> str:
    """The epoch after, of the same length."""
    start = first_day(epoch)
    quarter = "Q" in epoch
    months = start.year * 12 + start.month - 1 + (MONTHS_A_QUARTER if quarter else 1)
    year, month = divmod(months, 12)
    return f"{year:04}-Q{month // MONTHS_A_QUARTER + 1}" if quarter else f"{year:04}-{month + 1:02}"


def end_day(epoch: str) -> dt.date:
    """The first day after an epoch."""
    return first_day(following(epoch))


def quarter_of(day: dt.date) -> str:
    """The quarter that a day is in."""
    return f"{day.year:04}-Q{(day.month - 1) // MONTHS_A_QUARTER + 1}"


def month_of(day: dt.date) -> str:
    """The month that a day is in."""
    return f"{day.year:04}-{day.month:02}"


def latest(epochs: "list[str] | tuple[str, ...] | dict[str, object]", day: dt.date) -> str:
    """The epoch to use on a day: the last that has begun, else the first to come."""
    ordered = sorted(epochs, key=lambda e: (first_day(e), -end_day(e).toordinal()))
    begun = [epoch for epoch in ordered if first_day(epoch) <= day]
    return begun[-1] if begun else ordered[0]


def outlived(epochs: Iterable[str], day: dt.date) -> str:
    """What is wrong where no epoch reaches to a day: the hub destroys its keys some time after."""
    last = max(epochs, key=end_day, default="")
    return f"the hub's last key was for {last}" if last and end_day(last) <= day else ""
