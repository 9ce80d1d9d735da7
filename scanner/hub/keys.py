"""The hub's key pairs by epoch: what records are sealed to, and what opens them.

One file per epoch in ``keys/``, plus ``hub.key``, the one key of hubs that were never given epochs.
A key whose epoch is long over is destroyed: then nobody, not even under force, opens the records
that were sealed to it.
"""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from nacl.public import PrivateKey, PublicKey
from nacl.signing import SigningKey

from scanner.disk import create_secret, replace, settle
from scanner.enrolment import EPOCH
from scanner.errors import UNREADABLE, StoreError, UsageError

KEY_FILE: Final = "hub.key"
NAMING_FILE: Final = "naming.key"
CAMPAIGN_FILE: Final = "campaign.key"
FOLDER: Final = "keys"
DESTROYED_FILE: Final = "destroyed.json"
NO_EPOCH: Final = "always"  # the name under which hub.key is listed
PRIVATE_MODE: Final = 0o600
KEY_BYTES: Final = 32


class KeyRing(msgspec.Struct, frozen=True):
    """The private keys that the hub still has, by epoch, and the epochs whose keys are gone."""

    private: dict[str, PrivateKey]
    destroyed: tuple[str, ...] = ()

    @property
    def public(self) -> dict[str, PublicKey]:
        """What records of each epoch are sealed to."""
        return {epoch: key.public_key for epoch, key in self.private.items()}

    @property
    def unopened(self) -> str:
        """Why a payload that no key opens lies in quarantine, as far as it can be known.

        A sealed box does not say whom it is for: whether it was sealed to a destroyed key, to
        another hub's, or damaged, cannot be told apart.
        """
        if not self.destroyed:
            return "not sealed to this hub's key, or damaged"
        gone = ", ".join(self.destroyed)
        return f"not sealed to a key that this hub has: damaged, or to a destroyed one ({gone})"


def load_or_create(data: Path) -> PrivateKey:
    """The private key in ``data`` that has no epoch; made at the first call.

    Raises StoreError if it cannot be read or written, or if others could read it.
    """
    _folder(data)
    return PrivateKey(_secret(data / KEY_FILE, lambda: bytes(PrivateKey.generate())))


def load_ring(data: Path) -> KeyRing:
    """All private keys that are there; a hub that has none at all gets ``hub.key``.

    Raises StoreError as ``load_or_create`` does.
    """
    private = {
        path.stem: PrivateKey(_read(path))
        for path in sorted((data / FOLDER).glob("*.key"))
        if re.match(EPOCH, path.stem)
    }
    destroyed = tuple(_destroyed(data))
    if (data / KEY_FILE).exists() or not (private or destroyed):
        private = {NO_EPOCH: load_or_create(data)} | private
    return KeyRing(private, destroyed)


def epochs(data: Path) -> set[str]:
    """Names of all epochs whose keys were ever made."""
    there = {path.stem for path in (data / FOLDER).glob("*.key")}
    return {name for name in there if re.match(EPOCH, name)} | set(_destroyed(data))


def create(data: Path, epoch: str) -> PublicKey:
    """Make the key pair of an epoch; raises UsageError if it is there or was destroyed."""
    if not re.match(EPOCH, epoch):
        raise UsageError(f"{epoch}: not an epoch", hint="a quarter, 2026-Q4, or a month, 2026-11")
    path = data / FOLDER / f"{epoch}.key"
    if path.exists() or epoch in _destroyed(data):
        raise UsageError(f"the key of {epoch} was made before", hint="`scanner hub keys list`")
    load_naming(data)  # before there is a first key: names must outlive every key
    _folder(path.parent)
    return PrivateKey(_secret(path, lambda: bytes(PrivateKey.generate()))).public_key


def destroy(data: Path, epoch: str) -> None:
    """Overwrite and remove the private key of an epoch; raises UsageError, StoreError.

    What a running hub holds in memory, copies in backups and snapshots, and what flash memory
    keeps of the old blocks are out of reach.
    """
    path = data / KEY_FILE if epoch == NO_EPOCH else data / FOLDER / f"{epoch}.key"
    if not path.is_file():
        raise UsageError(f"there is no key of {epoch}", hint="`scanner hub keys list`")
    load_naming(data)
    try:
        _folder(data / FOLDER)
        # Noted first: a crash in between leaves a key that is said to be gone and can be
        # destroyed again, never a gap that nobody can explain.
        gone = sorted({*_destroyed(data), epoch})
        replace(data / FOLDER / DESTROYED_FILE, msgspec.json.encode(gone), mode=PRIVATE_MODE)
        with path.open("r+b") as file:
            for filling in (os.urandom(KEY_BYTES), bytes(KEY_BYTES)):
                file.seek(0)
                file.write(filling)
                file.flush()
                os.fsync(file.fileno())
        path.unlink()
        settle(path.parent)
    except OSError as e:
        raise StoreError(f"{path}: cannot be destroyed: {e.strerror}") from e


def load_naming(data: Path) -> bytes:
    """Secret from which cameras get their names; outlives every key.

    A hub that was made before epochs existed goes on with the one that came from its key.
    """
    _folder(data)
    old = data / KEY_FILE

    def first() -> bytes:
        return naming_key(PrivateKey(_read(old))) if old.exists() else os.urandom(KEY_BYTES)

    return _secret(data / NAMING_FILE, first)


def has_naming(data: Path) -> bool:
    """Whether ``load_naming`` finds a secret, and need not make one."""
    return (data / NAMING_FILE).exists() or (data / KEY_FILE).exists()


def naming_mark(secret: bytes) -> str:
    """What tells whether two naming secrets are the same, and gives neither away."""
    return hashlib.blake2b(key=secret, digest_size=16, person=b"naming mark").hexdigest()


def load_campaign(data: Path) -> SigningKey:
    """The key that signs enrolments (Ed25519); made at the first call."""
    _folder(data)
    return SigningKey(_secret(data / CAMPAIGN_FILE, lambda: os.urandom(KEY_BYTES)))


def naming_key(private_key: PrivateKey) -> bytes:
    """The naming secret of a hub whose only key is this one.

    A record's id can be computed from the sealed bytes, as they lie on a seized card. Were a
    camera's name made from it alone, the map would tell which camera the card's owner reported.
    """
    return hashlib.blake2b(bytes(private_key), digest_size=32, person=b"camera names").digest()


def camera_id(name_key: bytes, record_id: str, index: int) -> str:
    """Name of the camera that was first shown by this camera of this record."""
    text = f"{record_id}/{index}".encode()
    return hashlib.blake2b(text, digest_size=10, key=name_key).hexdigest()


# --- files --------------------------------------------------------------------------------------


def _destroyed(data: Path) -> list[str]:
    path = data / FOLDER / DESTROYED_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[str])
    except FileNotFoundError:
        return []
    except (OSError, *UNREADABLE) as e:
        raise StoreError(f"{path}: cannot be read: {e}") from e


def _folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as e:
        raise StoreError(f"{path}: cannot be made: {e.strerror}") from e


def _secret(path: Path, make: Callable[[], bytes]) -> bytes:
    """The 32 bytes in a file; made at the first call."""
    if not path.exists():
        create_secret(path, make())
    return _read(path)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_mode & 0o077:
            raise StoreError(f"{path} can be read by others", hint=f"chmod 600 {path}")
        secret = path.read_bytes()
    except OSError as e:
        raise StoreError(f"{path}: not usable as a key of the hub: {e.strerror}") from e
    if len(secret) != KEY_BYTES:
        raise StoreError(f"{path}: not usable as a key of the hub: {len(secret)} bytes")
    return secret
