"""Blind signatures: the RFC's own vector, an independent verifier, and what must not pass."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from scanner.core import blind, tokens
from scanner.errors import WireError
from scanner.hub.cohorts import Signer

GOLDEN = Path(__file__).parents[1] / "golden" / "rfc9474_randomized.json"
PSS = padding.PSS(padding.MGF1(hashes.SHA384()), 48)


def drawn(*values: bytes) -> Callable[[int], bytes]:
    """A random source that gives these."""
    left = list(values)

    def draw(size: int) -> bytes:
        value = left.pop(0)
        assert len(value) == size
        return value

    return draw


@pytest.fixture(scope="module")
def private() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2048)


@pytest.fixture(scope="module")
def signer(private: rsa.RSAPrivateKey) -> Signer:
    numbers = private.private_numbers()
    return Signer(numbers.p, numbers.q)


def test_the_vector_of_rfc_9474() -> None:
    text = json.loads(GOLDEN.read_text())
    v = {k: bytes.fromhex(t) for k, t in text.items() if k != "source"}
    signer = Signer(int.from_bytes(v["p"], "big"), int.from_bytes(v["q"], "big"))
    key = signer.public_key
    inverse = int.from_bytes(v["inv"], "big")
    factor = pow(inverse, -1, key.modulus).to_bytes(key.size, "big")

    prepared = blind.prepare(v["msg"], drawn(v["msg_prefix"]))
    assert prepared == v["msg_prefix"] + v["msg"]
    hidden = blind.blind(key, prepared, drawn(v["salt"], factor))
    assert hidden == blind.Blinded(v["blinded_msg"], inverse)
    answer = signer.sign(hidden.message)
    assert answer == v["blind_sig"]
    signature = blind.finalize(key, prepared, answer, hidden.inverse)
    assert signature == v["sig"]
    assert blind.verify(key, prepared, signature)


def test_an_independent_library_accepts_our_signatures(
    private: rsa.RSAPrivateKey, signer: Signer
) -> None:
    for number in range(8):
        prepared = blind.prepare(b"message %d" % number, os.urandom)
        hidden = blind.blind(signer.public_key, prepared, os.urandom)
        signature = blind.finalize(
            signer.public_key, prepared, signer.sign(hidden.message), hidden.inverse
        )
        private.public_key().verify(signature, prepared, PSS, hashes.SHA384())
        with pytest.raises(InvalidSignature):
            private.public_key().verify(signature, prepared + b".", PSS, hashes.SHA384())


@pytest.mark.parametrize("bits", [2047, 2048, 2049, 2056])
def test_verification_agrees_with_an_independent_library(bits: int) -> None:
    private = rsa.generate_private_key(65_537, bits)
    key = blind.PublicKey(private.public_key().public_numbers().n)
    signature = private.sign(b"message", PSS, hashes.SHA384())
    assert blind.verify(key, b"message", signature)
    assert not blind.verify(key, b"massage", signature)
    for salt in (0, 32, padding.PSS.MAX_LENGTH):
        other = padding.PSS(padding.MGF1(hashes.SHA384()), salt)  # type: ignore[arg-type]
        assert not blind.verify(key, b"message", private.sign(b"message", other, hashes.SHA384()))
    for place in range(0, len(signature), 16):
        bent = bytearray(signature)
        bent[place] ^= 1
        assert not blind.verify(key, b"message", bytes(bent))


def test_what_is_no_signature_is_refused(signer: Signer) -> None:
    key = signer.public_key
    for signature in (b"", bytes(256), b"\xff" * 256, bytes(255), bytes(257)):
        assert not blind.verify(key, b"message", signature)


def test_the_signer_sees_nothing_of_the_message(signer: Signer) -> None:
    """One message, blinded twice, gives two numbers of which either could be anything."""
    prepared = blind.prepare(b"message", os.urandom)
    one, other = (blind.blind(signer.public_key, prepared, os.urandom) for _ in range(2))
    assert sum(a == b for a, b in zip(one.message, other.message, strict=True)) < 20
    # For any signature and any answer there is a factor that makes the one from the other: what
    # the signer keeps fits all tokens alike.
    signature = blind.finalize(signer.public_key, prepared, signer.sign(one.message), one.inverse)
    modulus = signer.public_key.modulus
    stranger = int.from_bytes(signer.sign(other.message), "big")
    factor = int.from_bytes(signature, "big") * pow(stranger, -1, modulus) % modulus
    assert (stranger * factor % modulus).to_bytes(256, "big") == signature


def test_a_wrong_answer_is_noticed(signer: Signer) -> None:
    key = signer.public_key
    prepared = blind.prepare(b"message", os.urandom)
    hidden = blind.blind(key, prepared, os.urandom)
    stranger = blind.blind(key, prepared + b".", os.urandom)
    for answer in (signer.sign(stranger.message), bytes(256), b"short"):
        with pytest.raises(WireError, match=r"answer"):
            blind.finalize(key, prepared, answer, hidden.inverse)


@pytest.mark.parametrize("message", [b"", bytes(255), bytes(257), b"\xff" * 256])
def test_the_signer_refuses_what_is_no_request(signer: Signer, message: bytes) -> None:
    with pytest.raises(WireError):
        signer.sign(message)


def test_a_token_has_one_length_and_knows_its_key(signer: Signer) -> None:
    key = signer.public_key
    identity = tokens.key_id(key)
    prepared = blind.prepare(tokens.message(identity), os.urandom)
    hidden = blind.blind(key, prepared, os.urandom)
    signature = blind.finalize(key, prepared, signer.sign(hidden.message), hidden.inverse)
    packed = tokens.pack(identity, prepared, signature)
    assert len(packed) == tokens.TOKEN_BYTES == 296
    token = tokens.unpack(packed)
    assert token == tokens.Token(identity, prepared, signature)
    assert blind.verify(key, token.prepared, token.signature)
    with pytest.raises(WireError, match="297 bytes"):
        tokens.unpack(packed + b".")


@pytest.mark.parametrize("modulus", [b"", bytes(256), b"\xff" * 255, b"\xff" * 255 + b"\xfe"])
def test_a_modulus_that_is_none_is_refused(modulus: bytes) -> None:
    with pytest.raises(WireError, match="modulus"):
        tokens.public_key(modulus)
