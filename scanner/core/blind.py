"""Blind RSA signatures, RFC 9474: variant RSABSSA-SHA384-PSS-Randomized, what a client does.

The signer sees a number that says nothing about the message; the signature that the client makes
from the answer is an ordinary RSASSA-PSS one (RFC 8017, SHA-384, salt of 48 bytes), and the signer
cannot tell which of its answers it came from, not even with all the computing power there is.

Big integers of Python are not constant in time. What a client hides here is used once, on its own
machine; the signing side, whose secret lives long, is ``scanner.hub.cohorts``.
"""

import hashlib
import hmac
import math
from collections.abc import Callable
from typing import Final

import msgspec

from scanner.errors import WireError

HASH_BYTES: Final = 48  # SHA-384
SALT_BYTES: Final = 48
PREFIX_BYTES: Final = 32  # of the message randomiser, RFC 9474 section 4.1
EXPONENT: Final = 65_537
TRAILER: Final = b"\xbc"

RandomBytes = Callable[[int], bytes]


class PublicKey(msgspec.Struct, frozen=True):
    """An issuer's RSA key with the exponent 65537."""

    modulus: int

    @property
    def size(self) -> int:
        """Length of modulus, message and signature, bytes."""
        return (self.modulus.bit_length() + 7) // 8

    def apply(self, value: int) -> int:
        """The public operation: ``value`` to the power of the exponent."""
        return pow(value, EXPONENT, self.modulus)


class Blinded(msgspec.Struct, frozen=True):
    """What goes to the signer, and what stays to undo the blinding."""

    message: bytes
    inverse: int


def prepare(message: bytes, random_bytes: RandomBytes) -> bytes:
    """The message behind 32 random bytes (RFC 9474 section 4.1, PrepareRandomize)."""
    return random_bytes(PREFIX_BYTES) + message


def blind(key: PublicKey, prepared: bytes, random_bytes: RandomBytes) -> Blinded:
    """Hide a prepared message (RFC 9474 section 4.2); raises WireError for a useless key."""
    encoded = encode_pss(prepared, random_bytes(SALT_BYTES), key.modulus.bit_length() - 1)
    number = int.from_bytes(encoded, "big")
    if math.gcd(number, key.modulus) != 1:
        raise WireError("the issuer's key is no RSA key")
    factor = _below(key.modulus, random_bytes)
    try:
        inverse = pow(factor, -1, key.modulus)
    except ValueError as e:
        raise WireError("the issuer's key is no RSA key") from e
    hidden = number * key.apply(factor) % key.modulus
    return Blinded(hidden.to_bytes(key.size, "big"), inverse)


def finalize(key: PublicKey, prepared: bytes, answer: bytes, inverse: int) -> bytes:
    """The signature of a prepared message, from the signer's answer (RFC 9474 section 4.4).

    Raises WireError if the answer does not belong to the message and the key.
    """
    if len(answer) != key.size:
        raise WireError(f"answer of {len(answer)} bytes, not {key.size}")
    number = int.from_bytes(answer, "big") * inverse % key.modulus
    signature = number.to_bytes(key.size, "big")
    if not verify(key, prepared, signature):
        raise WireError("the answer is not by the issuer's key, or not to this request")
    return signature


def verify(key: PublicKey, prepared: bytes, signature: bytes) -> bool:
    """Whether a signature is the key's: RSASSA-PSS-VERIFY, RFC 8017 section 8.1.2."""
    number = int.from_bytes(signature, "big")
    if len(signature) != key.size or number >= key.modulus:
        return False
    bits = key.modulus.bit_length() - 1
    length = (bits + 7) // 8
    opened = key.apply(number)
    if opened.bit_length() > bits:
        return False
    encoded = opened.to_bytes(length, "big")
    split = length - HASH_BYTES - 1
    masked, digest, trailer = encoded[:split], encoded[split:-1], encoded[-1:]
    salted = _xor(masked, _mask(digest, split))
    salted = bytes([salted[0] & 0xFF >> 8 * length - bits]) + salted[1:]
    padding, salt = salted[:-SALT_BYTES], salted[-SALT_BYTES:]
    right = padding == bytes(len(padding) - 1) + b"\x01"
    return (
        right
        and trailer == TRAILER
        and masked[0] >> 8 - (8 * length - bits) == 0
        and hmac.compare_digest(_digest(prepared, salt), digest)
    )


def encode_pss(message: bytes, salt: bytes, bits: int) -> bytes:
    """EMSA-PSS-ENCODE, RFC 8017 section 9.1.1, into ``bits`` bits."""
    length = (bits + 7) // 8
    if length < HASH_BYTES + len(salt) + 2:
        raise WireError("the issuer's key is too short")
    digest = _digest(message, salt)
    block = bytes(length - len(salt) - HASH_BYTES - 2) + b"\x01" + salt
    masked = _xor(block, _mask(digest, len(block)))
    return bytes([masked[0] & 0xFF >> 8 * length - bits]) + masked[1:] + digest + TRAILER


def _digest(message: bytes, salt: bytes) -> bytes:
    return hashlib.sha384(bytes(8) + hashlib.sha384(message).digest() + salt).digest()


def _mask(seed: bytes, length: int) -> bytes:
    """MGF1 with SHA-384, RFC 8017 appendix B.2.1."""
    blocks = -(-length // HASH_BYTES)
    return b"".join(
        hashlib.sha384(seed + counter.to_bytes(4, "big")).digest() for counter in range(blocks)
    )[:length]


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def _below(limit: int, random_bytes: RandomBytes) -> int:
    """A number from 1 to ``limit`` - 1, all equally likely: drawn until one fits."""
    bits = limit.bit_length()
    while True:
        number = int.from_bytes(random_bytes((bits + 7) // 8), "big") & (1 << bits) - 1
        if 0 < number < limit:
            return number
