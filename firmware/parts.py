"""Files that no archive of Debian's holds: taken only with a digest that somebody has checked.

Google's libedgetpu is the one there is. Its digest stands in ``config/scanner-pi.yaml`` once
somebody has compared a file with what its makers publish; it is not there yet.
"""

import hashlib
from pathlib import Path
from typing import Final

from scanner.errors import UsageError

NAME: Final = "libedgetpu1-std"
WITHOUT: Final = "--without-edgetpu builds an image whose processor does the work"


def edgetpu(path: Path | None, wanted: str) -> Path:
    """The package of Google's library, if it is the one that was checked; raises UsageError."""
    if not wanted:
        raise UsageError(
            f"no digest of {NAME} is known", hint=f"edgetpu_sha256 in firmware/config; or {WITHOUT}"
        )
    if path is None:
        raise UsageError(f"{NAME} is not given", hint=f"--edgetpu FILE; or {WITHOUT}")
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as e:
        raise UsageError(f"{path}: cannot be read: {e.strerror}") from e
    if found != wanted.lower():
        raise UsageError(f"{path.name} has the digest {found}, not {wanted.lower()}")
    return path
