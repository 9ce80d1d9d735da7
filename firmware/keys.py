"""Key files of maintainers, and their signatures below metadata."""

from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import (  # type: ignore[attr-defined]
    Metadata,
    Root,
    Snapshot,
    Targets,
    Timestamp,
)

from scanner.errors import UsageError

AnyMetadata = Metadata[Root] | Metadata[Targets] | Metadata[Snapshot] | Metadata[Timestamp]


def keygen(path: Path) -> None:
    """A key that is not there yet, PKCS #8, unencrypted: keep it where no network is."""
    if path.exists():
        raise UsageError(f"{path} is there already: a key is not overwritten")
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.touch(mode=0o600)
    path.write_bytes(pem)


def signer(path: Path) -> CryptoSigner:
    """A key file's; raises UsageError."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as e:
        raise UsageError(f"{path}: no key: {e}") from e
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path}: not an ed25519 key")
    return CryptoSigner(key)


def sign(metadata: AnyMetadata, keys: Sequence[Path], root: Root) -> bool:
    """Add signatures; whether there are enough."""
    for key in keys:
        metadata.sign(signer(key), append=True)
    try:
        root.verify_delegate(metadata.signed.type, metadata.signed_bytes, metadata.signatures)
    except UnsignedMetadataError:
        return False
    return True
