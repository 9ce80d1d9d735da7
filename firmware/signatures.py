"""Signatures of what is published, as minisign checks them: ``minisign -Vm SHA256SUMS -P KEY``.

``python -m firmware.signatures keygen KEYFILE`` makes a key and prints its public half;
``python -m firmware.signatures verify FILE PUBLICKEY`` checks without minisign. A key file holds 8
bytes of id and 32 of seed, base64, unencrypted: keep it where no network is.
"""

import argparse
import base64
import hashlib
import os
import sys
from pathlib import Path
from typing import Final

from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

from scanner.errors import ScannerError, UsageError

SUMS: Final = "SHA256SUMS"
PREHASHED: Final = b"ED"  # BLAKE2b-512 of the file is signed, so that it need not fit memory
PUBLIC: Final = b"Ed"
ID, SEED, KEY, SIGNATURE = 8, 32, 32, 64
LINES: Final = 4


def write_sums(folder: Path) -> Path:
    """SHA256SUMS of all files of a folder, as ``sha256sum -c`` reads it."""
    target = folder / SUMS
    lines = [
        f"{_sha256(path)}  {path.name}\n"
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(SUMS)
    ]
    target.write_text("".join(lines))
    return target


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def keygen(path: Path) -> str:
    """Make a key file that is not there yet; its public key in minisign's form."""
    secret = os.urandom(ID + SEED)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as e:
        raise UsageError(f"{path} is there already: a key is not overwritten") from e
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64encode(secret) + b"\n")
    return public(path)


def _secret(path: Path) -> tuple[bytes, SigningKey]:
    try:
        secret = base64.b64decode(path.read_bytes(), validate=False)
    except (OSError, ValueError) as e:
        raise UsageError(f"{path}: no key file: {e}") from e
    if len(secret) != ID + SEED:
        raise UsageError(f"{path}: no key file of ours")
    return secret[:ID], SigningKey(secret[ID:])


def public(path: Path) -> str:
    """The public key of a key file, as minisign writes it."""
    number, key = _secret(path)
    return base64.b64encode(PUBLIC + number + bytes(key.verify_key)).decode()


def sign(path: Path, key_file: Path, epoch: int) -> Path:
    """Write FILE.minisig beside a file."""
    number, key = _secret(key_file)
    signature = key.sign(_prehash(path)).signature
    comment = f"timestamp:{epoch}\tfile:{path.name}\thashed"
    whole = key.sign(signature + comment.encode()).signature
    target = path.with_name(f"{path.name}.minisig")
    target.write_text(
        f"untrusted comment: {path.name}\n{_b64(PREHASHED + number + signature)}\n"
        f"trusted comment: {comment}\n{_b64(whole)}\n"
    )
    return target


def verify(path: Path, public_key: str) -> str:
    """The trusted comment of FILE.minisig; raises UsageError if a byte was changed."""
    try:
        said = base64.b64decode(public_key, validate=True)
        lines = path.with_name(f"{path.name}.minisig").read_text(encoding="utf-8").split("\n")
        first, second = (base64.b64decode(lines[n], validate=True) for n in (1, 3))
        comment = lines[2].removeprefix("trusted comment: ")
    except (OSError, ValueError, IndexError) as e:
        raise UsageError(f"{path.name}: signature or key cannot be read: {e}") from e
    wrong = len(said) != len(PUBLIC) + ID + KEY or len(first) != len(PREHASHED) + ID + SIGNATURE
    if wrong or not (said.startswith(PUBLIC) and first.startswith(PREHASHED)):
        raise UsageError(f"{path.name}: signature or key is of another form")
    if said[2 : 2 + ID] != first[2 : 2 + ID]:
        raise UsageError(f"{path.name}: signed by another key")
    key, signature = VerifyKey(said[2 + ID :]), first[2 + ID :]
    try:
        key.verify(_prehash(path), signature)
        key.verify(signature + comment.encode(), second)
    except (CryptoError, ValueError) as e:
        raise UsageError(f"{path.name}: the signature is wrong: it was changed") from e
    return comment


def _prehash(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, hashlib.blake2b).digest()


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def main() -> int:
    """Make a key, or check a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("keygen").add_argument("key", type=Path)
    check = commands.add_parser("verify")
    check.add_argument("file", type=Path)
    check.add_argument("public_key")
    args = parser.parse_args()
    try:
        print(keygen(args.key) if args.command == "keygen" else verify(args.file, args.public_key))
    except ScannerError as e:
        print(f"firmware: error: {e}", file=sys.stderr)
        return e.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
