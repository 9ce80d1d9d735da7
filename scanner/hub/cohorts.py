"""Cohorts: who may report, counted by tokens that do not tell who it was.

Per cohort and month one RSA key signs blinded tokens (RFC 9474) for the people whom its organiser
knows. The hub can tell the cohorts apart, and that a token is used once; which request a token
came from it cannot tell. So an organiser who hands out 60 tokens a person and month has limited
what that person can report, and forge, to 60 records.

Signing with Python's integers is not constant in time. It is done by hand from files, never in
answer to the network, blinded anew, and checked before anything leaves.
"""

import datetime as dt
import math
import re
import secrets
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from scanner.core import tokens
from scanner.core.blind import EXPONENT, PublicKey, verify
from scanner.core.wire import Record
from scanner.disk import create_secret, make_folder, replace
from scanner.enrolment import end_day, first_day, following
from scanner.errors import StoreError, UsageError, WireError

FOLDER: Final = "cohorts"
LIMIT_FILE: Final = "limit"
A_PERSON: Final = 60  # tokens a month, by the poisoning study: more lets one forge more
MOST_A_REQUEST: Final = 300
DEFAULT_LIMIT: Final = 10 * A_PERSON  # a month and cohort: ten people or more hide one another
NAME: Final = r"[a-z0-9][a-z0-9-]{0,31}"
_DAY_ZERO: Final = dt.date(1970, 1, 1)


class Signer:
    """An issuing key's secret half: RSASP1 by the Chinese remainder theorem (RFC 8017 5.2.1)."""

    def __init__(self, p: int, q: int) -> None:
        self._p, self._q = p, q
        self._dp, self._dq = pow(EXPONENT, -1, p - 1), pow(EXPONENT, -1, q - 1)
        self._q_inverse = pow(q, -1, p)
        self.public_key = PublicKey(p * q)

    def sign(self, blinded: bytes) -> bytes:
        """The answer to a blinded message (RFC 9474 section 4.3); raises WireError."""
        key = self.public_key
        number = int.from_bytes(blinded, "big")
        # 0, 1 and n - 1 are their own signatures: nobody who follows the protocol sends them.
        if len(blinded) != key.size or not 1 < number < key.modulus - 1:
            raise WireError("not a blinded message for this key")
        # Blinded once more, so that the time it takes says nothing about the key.
        while math.gcd(factor := secrets.randbelow(key.modulus), key.modulus) != 1:
            pass
        signed = self._power(number * key.apply(factor) % key.modulus)
        answer = signed * pow(factor, -1, key.modulus) % key.modulus
        if key.apply(answer) != number:
            # A fault in one half of the remainder computation would give the key away.
            raise WireError("the signature came out wrong")
        return answer.to_bytes(key.size, "big")

    def _power(self, number: int) -> int:
        a = pow(number % self._p, self._dp, self._p)
        b = pow(number % self._q, self._dq, self._q)
        return b + self._q * ((a - b) * self._q_inverse % self._p)


class Issuer(msgspec.Struct, frozen=True, kw_only=True):
    """Whose tokens a public key is for."""

    cohort: str
    month: str
    key: PublicKey


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A token that is good, if it was not spent before."""

    cohort: str
    month: str
    digest: bytes


class Checker:
    """Tells of which cohort a record's token is."""

    def __init__(self, issuers: list[Issuer]) -> None:
        self._issuers = {tokens.key_id(issuer.key): issuer for issuer in issuers}

    def check(self, record: Record) -> Accepted | str:
        """The token, or why it does not count."""
        try:
            token = tokens.unpack(record.cohort)
        except WireError as e:
            return e.message
        issuer = self._issuers.get(token.key_id)
        if not issuer:
            return "cohort token of a key that this hub does not have"
        if not verify(issuer.key, token.prepared, token.signature):
            return "cohort token is forged or damaged"
        if not _in_time(record, issuer.month):
            return "cohort token of another month than the record"
        return Accepted(cohort=issuer.cohort, month=issuer.month, digest=token.digest)


def _in_time(record: Record, month: str) -> bool:
    """A token is good for its month and the one after: who fetched late has some left."""
    first = _DAY_ZERO + dt.timedelta(record.bucket * record.bucket_days)
    last = first + dt.timedelta(record.bucket_days - 1)
    return last >= first_day(month) and first < end_day(following(month))


# --- files --------------------------------------------------------------------------------------


def create(data: Path, cohort: str, month: str, limit: int = DEFAULT_LIMIT) -> Issuer:
    """Make a cohort's key of a month, and the cohort with its limit if it is new.

    Raises UsageError if the name or the month cannot be used, or the key is there.
    """
    if not re.fullmatch(NAME, cohort):
        raise UsageError(f"{cohort}: not a cohort's name", hint="small letters, digits, hyphens")
    if "Q" in month:
        raise UsageError(f"{month}: tokens are issued by the month", hint="as in 2026-11")
    first_day(month)
    path = _folder(data, cohort) / f"{month}.pem"
    if path.exists():  # making one takes a second
        raise UsageError(f"{cohort} has a key of {month}")
    private = rsa.generate_private_key(EXPONENT, tokens.KEY_BITS)
    text = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    make_folder(path.parent, mode=0o700)
    if not (path.parent / LIMIT_FILE).exists():
        replace(path.parent / LIMIT_FILE, f"{limit}\n".encode(), mode=0o600)
    if not create_secret(path, text):
        raise UsageError(f"{cohort} has a key of {month}")
    modulus = private.public_key().public_numbers().n
    return Issuer(cohort=cohort, month=month, key=PublicKey(modulus))


def issuers(data: Path, cohort: str | None = None) -> list[Issuer]:
    """All issuing keys, or those of one cohort, by name and month."""
    return [
        Issuer(
            cohort=path.parent.name, month=path.stem, key=_private(path, tested=False).public_key
        )
        for path in sorted((data / FOLDER).glob(f"{cohort or '*'}/*.pem"))
    ]


def sign(data: Path, cohort: str, identity: bytes, blinded: list[bytes]) -> list[bytes]:
    """Answers to blinded tokens, counted against the cohort's limit of the key's month.

    Raises UsageError if the cohort has no such key or too few tokens left.
    """
    found = [i for i in issuers(data, cohort) if tokens.key_id(i.key) == identity]
    if not found:
        raise UsageError(
            f"the request is for none of the keys of {cohort}",
            hint="another cohort, or an old enrolment",
        )
    month = found[0].month
    if not 0 < len(blinded) <= MOST_A_REQUEST or len(set(blinded)) != len(blinded):
        raise UsageError(f"1 to {MOST_A_REQUEST} different tokens a request are signed")
    folder = _folder(data, cohort)
    done, limit = issued(data, cohort, month), _count(folder / LIMIT_FILE)
    if done + len(blinded) > limit:
        raise UsageError(
            f"{cohort} has {limit - done} of {limit} tokens left for {month}, not {len(blinded)}"
        )
    signer = _private(folder / f"{month}.pem")
    answers = [signer.sign(message) for message in blinded]
    # Counted before the answers leave this function: a crash wastes tokens, it never adds any.
    replace(folder / f"{month}.issued", f"{done + len(blinded)}\n".encode(), mode=0o600)
    return answers


def issued(data: Path, cohort: str, month: str) -> int:
    """Number of tokens that were signed."""
    path = _folder(data, cohort) / f"{month}.issued"
    return _count(path) if path.exists() else 0


def _count(path: Path) -> int:
    try:
        return int(path.read_bytes())
    except (OSError, ValueError) as e:
        raise StoreError(
            f"{path}: not a number of tokens", hint="write the number there that was"
        ) from e


def _folder(data: Path, cohort: str) -> Path:
    return data / FOLDER / cohort


def _private(path: Path, *, tested: bool = True) -> Signer:
    # That it is a sound key takes 30 ms to test; who only wants the public half reads thousands.
    try:
        if path.stat().st_mode & 0o077:
            raise StoreError(f"{path} can be read by others", hint=f"chmod 600 {path}")
        key = serialization.load_pem_private_key(
            path.read_bytes(), None, unsafe_skip_rsa_key_validation=not tested
        )
    except (OSError, ValueError, TypeError) as e:
        raise StoreError(f"{path}: not usable as an issuing key: {e}") from e
    if not isinstance(key, rsa.RSAPrivateKey):
        raise StoreError(f"{path}: not an RSA key")
    numbers = key.private_numbers()
    return Signer(numbers.p, numbers.q)
