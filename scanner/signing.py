"""The campaign's signature on its enrolments (Ed25519), and the fingerprint people compare."""

import base64
import hashlib
from typing import Final

import nacl.exceptions
from nacl.signing import SigningKey, VerifyKey

from scanner.enrolment import Enrolment, Signed, decode, encode, split
from scanner.errors import ConfigError

FINGERPRINT_BYTES: Final = 16
_PURPOSE: Final = b"cctv-scanner enrolment 1\n"
_SIGN_HINTS: Final = "`scanner hub hints` signs one with the campaign's key"
_HINTS: Final = b"cctv-scanner hints 1\n"


def sign(enrolment: Enrolment, key: SigningKey) -> str:
    """The two lines of a signed enrolment, as in the file and in the QR code."""
    body = encode(enrolment)
    signature = key.sign(_PURPOSE + body).signature
    return f"{body.decode()}\ned25519 {base64_of(bytes(key.verify_key))} {base64_of(signature)}\n"


def check(text: str) -> tuple[Enrolment, Signed]:
    """An enrolment whose signature is right; raises ConfigError.

    Right means: by the key it names. That this key is the campaign's is what people compare the
    fingerprint for.
    """
    signed = split(text)
    try:
        VerifyKey(signed.key).verify(_PURPOSE + signed.body, signed.signature)
    except (nacl.exceptions.CryptoError, ValueError) as e:
        raise ConfigError(
            "the enrolment's signature is wrong: it was changed on its way",
            hint="ask for it again, as a file or a QR code",
        ) from e
    return decode(signed.body), signed


def sign_hints(body: bytes, key: SigningKey) -> str:
    """The two lines of a signed list of signatures; ``body`` is JSON on one line."""
    signature = key.sign(_HINTS + body).signature
    return f"{body.decode()}\ned25519 {base64_of(bytes(key.verify_key))} {base64_of(signature)}\n"


def check_hints(text: str, trusted: bytes) -> bytes:
    """The list of signatures, if this key of the campaign's has signed it; raises ConfigError."""
    try:
        signed = split(text)
    except ConfigError as e:
        raise ConfigError("not a signed list of signatures", hint=_SIGN_HINTS) from e
    if signed.key != trusted:
        raise ConfigError("the list of signatures is signed by another key", hint=_SIGN_HINTS)
    try:
        VerifyKey(signed.key).verify(_HINTS + signed.body, signed.signature)
    except (nacl.exceptions.CryptoError, ValueError) as e:
        raise ConfigError("the list's signature is wrong: it was changed", hint=_SIGN_HINTS) from e
    return signed.body


def fingerprint(key: bytes) -> str:
    """128 bits of a campaign's key in groups of four, to be read aloud and compared."""
    return _grouped(hashlib.sha256(_PURPOSE + key).hexdigest()[: 2 * FINGERPRINT_BYTES])


def digest(body: bytes) -> str:
    """64 bits of this very enrolment: the same for everyone of a cohort who got the same one."""
    return _grouped(hashlib.sha256(_PURPOSE + body).hexdigest()[:16])


def same_fingerprint(one: str, other: str) -> bool:
    """Whether two say the same, however they are written."""
    return _bare(one) == _bare(other)


def _grouped(text: str) -> str:
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def _bare(text: str) -> str:
    return "".join(c for c in text.lower() if c not in " :-")


def base64_of(value: bytes) -> str:
    """Base64 of bytes."""
    return base64.b64encode(value).decode()
