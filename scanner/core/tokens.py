"""Cohort tokens: 296 bytes inside a record that say which cohort reports, and not who of it.

    key id, 8 | random, 32 | RSA-2048 signature, 256

The signature is a blind one (``core.blind``) by the cohort's issuing key of one month. The random
part is RFC 9474's message randomiser; the message behind it is fixed per key.
"""

import hashlib
from typing import Final

import msgspec

from scanner.core.blind import PREFIX_BYTES, PublicKey
from scanner.errors import WireError

KEY_BITS: Final = 2048
KEY_ID_BYTES: Final = 8
TOKEN_BYTES: Final = KEY_ID_BYTES + PREFIX_BYTES + KEY_BITS // 8
_PURPOSE: Final = b"cctv-scanner cohort token 1\0"


class Token(msgspec.Struct, frozen=True):
    """A token taken apart."""

    key_id: bytes
    prepared: bytes  # what is signed
    signature: bytes

    @property
    def digest(self) -> bytes:
        """16 bytes by which a hub knows that it was spent; the same for each signature on it."""
        return hashlib.blake2b(self.prepared, digest_size=16, person=b"spent token").digest()


def key_id(key: PublicKey) -> bytes:
    """Which key a token is of: 8 bytes of SHA-256 over the modulus."""
    return hashlib.sha256(key.modulus.to_bytes(key.size, "big")).digest()[:KEY_ID_BYTES]


def message(identity: bytes) -> bytes:
    """What an issuing key signs, behind the random part."""
    return _PURPOSE + identity


def pack(identity: bytes, prepared: bytes, signature: bytes) -> bytes:
    """The bytes of ``Record.cohort``."""
    return identity + prepared[:PREFIX_BYTES] + signature


def unpack(token: bytes) -> Token:
    """The parts; raises WireError if the length is wrong."""
    if len(token) != TOKEN_BYTES:
        raise WireError(f"cohort token of {len(token)} bytes, not {TOKEN_BYTES}")
    identity, rest = token[:KEY_ID_BYTES], token[KEY_ID_BYTES:]
    return Token(identity, rest[:PREFIX_BYTES] + message(identity), rest[PREFIX_BYTES:])


def public_key(modulus: bytes) -> PublicKey:
    """An issuing key from its modulus, big-endian; raises WireError if it is none."""
    number = int.from_bytes(modulus, "big")
    if number.bit_length() != KEY_BITS or number % 2 == 0:
        raise WireError(f"issuing key is not an RSA modulus of {KEY_BITS} bits")
    return PublicKey(number)
