"""The hub's key pair: what records are sealed to, and what opens them."""

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Final

import nacl.exceptions
from nacl.public import PrivateKey

from scanner.errors import StoreError

KEY_FILE: Final = "hub.key"
PRIVATE_MODE: Final = 0o600


def load_or_create(data: Path) -> PrivateKey:
    """The private key in ``data``; made at the first call, readable by its owner only.

    Raises StoreError if it cannot be read or written, or if others could read it.
    """
    path = data / KEY_FILE
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            _create(path)
        if path.stat().st_mode & 0o077:
            raise StoreError(f"{path} can be read by others", hint=f"chmod 600 {path}")
        return PrivateKey(path.read_bytes())
    except (OSError, ValueError, nacl.exceptions.CryptoError) as e:
        raise StoreError(f"{path}: not usable as the hub's key: {e}") from e


def _create(path: Path) -> None:
    # Written beside and linked: a crash leaves no half key, and two starts at once agree on one.
    new = path.with_name(f"{KEY_FILE}.{os.getpid()}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(bytes(PrivateKey.generate()))
            file.flush()
            os.fsync(file.fileno())
        os.link(new, path)
    finally:
        new.unlink()


def naming_key(private_key: PrivateKey) -> bytes:
    """Secret from which cameras get their names.

    A record's id can be computed from the sealed bytes, as they lie on a seized card. Were a
    camera's name made from it alone, the map would tell which camera the card's owner reported.
    """
    return hashlib.blake2b(bytes(private_key), digest_size=32, person=b"camera names").digest()


def camera_id(name_key: bytes, record_id: str, index: int) -> str:
    """Name of the camera that was first shown by this camera of this record."""
    text = f"{record_id}/{index}".encode()
    return hashlib.blake2b(text, digest_size=10, key=name_key).hexdigest()
