"""Sealed boxes (libsodium): anyone can close one, only the hub can open it."""

import base64
import binascii

import nacl.exceptions
from nacl.public import PrivateKey, PublicKey, SealedBox

from scanner.core.wire import SEALED_BYTES, Record, decode_record, encode_record
from scanner.errors import ConfigError, WireError


def seal(record: Record, hub_key: PublicKey) -> bytes:
    """Encrypt a record to the hub; the result always has SEALED_BYTES bytes."""
    return SealedBox(hub_key).encrypt(encode_record(record))


def unseal(sealed: bytes, private_key: PrivateKey) -> Record:
    """Open and decode a sealed record; raises WireError with the reason."""
    if len(sealed) != SEALED_BYTES:
        raise WireError(f"payload has {len(sealed)} bytes, not {SEALED_BYTES}")
    try:
        plain = SealedBox(private_key).decrypt(sealed)
    except nacl.exceptions.CryptoError as e:
        raise WireError("not sealed to this hub's key, or damaged") from e
    return decode_record(plain)


def key_from_text(text: str) -> PublicKey:
    """The hub's public key from base64; raises ConfigError."""
    try:
        return PublicKey(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, nacl.exceptions.CryptoError) as e:
        raise ConfigError(
            "privacy.hub_key: not a public key: 32 bytes in base64 are wanted",
            hint="`scanner hub keys` prints it",
        ) from e


def key_to_text(key: PublicKey) -> str:
    """Base64 form of a public key."""
    return base64.b64encode(bytes(key)).decode()
