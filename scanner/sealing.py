"""Sealed boxes (libsodium): anyone can close one, only the hub can open it."""

import base64
import binascii
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
import nacl.exceptions
from nacl.public import PrivateKey, PublicKey, SealedBox

from scanner.core.wire import DUMMY, SEALED_BYTES, Record, decode_record, encode_record
from scanner.enrolment import latest
from scanner.errors import ConfigError, WireError

_EPOCH_ZERO: Final = dt.date(1970, 1, 1)


class NotOurs(WireError):  # noqa: N818 - says whose it is
    """No key at hand opens it: which key it was sealed to cannot be known."""


def days(record: Record) -> range:
    """The days of a record's time bucket, since 1970."""
    first = record.bucket * record.bucket_days
    return range(first, first + record.bucket_days)


class HubKeys:
    """The hub's public keys by epoch; at least one."""

    def __init__(self, keys: Mapping[str, PublicKey]) -> None:
        self._keys = dict(keys)

    def for_record(self, record: Record) -> PublicKey:
        """The key of the epoch in which the record's time bucket ends."""
        return self.for_day(days(record)[-1])

    def for_day(self, day: int) -> PublicKey:
        """The key of the epoch that a day since 1970 is in, or of the nearest known one."""
        return self._keys[latest(list(self._keys), _EPOCH_ZERO + dt.timedelta(day))]


def seal(record: Record, hub_key: PublicKey | HubKeys) -> bytes:
    """Encrypt a record to the hub; the result always has SEALED_BYTES bytes."""
    key = hub_key.for_record(record) if isinstance(hub_key, HubKeys) else hub_key
    return SealedBox(key).encrypt(encode_record(record))


def seal_dummy(hub_key: PublicKey | HubKeys, day: int = 0) -> bytes:
    """What nobody but the hub can tell from a record; the hub drops it."""
    key = hub_key.for_day(day) if isinstance(hub_key, HubKeys) else hub_key
    return SealedBox(key).encrypt(DUMMY)


def unseal(sealed: bytes, *private_keys: PrivateKey) -> Record:
    """Open and decode a sealed record with the key that fits; raises WireError with the reason."""
    if len(sealed) != SEALED_BYTES:
        raise WireError(f"payload has {len(sealed)} bytes, not {SEALED_BYTES}")
    for key in private_keys:
        try:
            plain = SealedBox(key).decrypt(sealed)
        except nacl.exceptions.CryptoError:
            continue
        return decode_record(plain)
    raise NotOurs("not sealed to this hub's key, or damaged")


class Sealing:
    """Record -> sealed bytes: takes a cohort token, and keeps a copy for the volunteer.

    ``token`` gives a cohort token for a bucket's days since 1970, or none. ``keep`` takes a copy
    sealed to the volunteer's own key: without the token, which would tell that owner's records in
    the hub's table. Either may raise StoreError; a record that is then sealed again is not copied
    again.
    """

    def __init__(
        self,
        hub_key: PublicKey | HubKeys,
        *,
        token: Callable[[range], bytes] = lambda _: b"",
        own_key: PublicKey | None = None,
        keep: Callable[[bytes], object] = lambda _: None,
    ) -> None:
        self._hub_key = hub_key
        self._token = token
        self._own_key = own_key
        self._keep = keep
        self._copied: Record | None = None  # of which the token could not be taken

    def __call__(self, record: Record) -> bytes:
        """Seal one record. The token is taken last: what fails after it would cost it."""
        if self._own_key and record is not self._copied:
            self._keep(seal(msgspec.structs.replace(record, cohort=b""), self._own_key))
            self._copied = record
        token = record.cohort or self._token(days(record))
        self._copied = None
        return seal(msgspec.structs.replace(record, cohort=token), self._hub_key)


def key_from_text(text: str, where: str = "privacy.hub_key") -> PublicKey:
    """A public key from base64; raises ConfigError that names the key of scanner.toml."""
    try:
        return PublicKey(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, nacl.exceptions.CryptoError) as e:
        raise ConfigError(
            f"{where}: not a public key: 32 bytes in base64 are wanted",
            hint="`scanner hub keys` prints it",
        ) from e


def hub_keys_of(one: str, by_epoch: Mapping[str, str]) -> PublicKey | HubKeys | None:
    """The hub's one key or, without it, its keys by epoch, from base64; raises ConfigError."""
    if one or not by_epoch:
        return key_from_text(one) if one else None
    return HubKeys(
        {epoch: key_from_text(t, f"privacy.hub_keys.{epoch}") for epoch, t in by_epoch.items()}
    )


def key_to_text(key: PublicKey) -> str:
    """Base64 form of a public key."""
    return base64.b64encode(bytes(key)).decode()


def open_own(payloads: Sequence[bytes], private_key: PrivateKey) -> tuple[list[Record], int]:
    """The records that a key opens, and how many it does not."""
    opened: list[Record] = []
    for payload in payloads:
        try:
            opened.append(unseal(payload, private_key))
        except WireError:
            continue
    return opened, len(payloads) - len(opened)
