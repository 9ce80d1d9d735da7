"""Small disks of memory, and what fills them."""

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Final

PAGE: Final = 4096
BALLAST: Final = "ballast"


def mount(folder: Path, size: str, user: int | None = None) -> None:
    """A disk of its own at a folder; wants a mount namespace of ours."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    if user is not None:
        os.chown(folder, user, -1)
        folder.chmod(0o700)


def unmount(folder: Path) -> None:
    """Give the memory back."""
    subprocess.run(["umount", "-l", folder], check=False)


def fill(folder: Path, leave_pages: int) -> None:
    """Take all space but so many pages."""
    with (folder / BALLAST).open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(64 * PAGE))
    with (folder / BALLAST).open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(PAGE))
    size = (folder / BALLAST).stat().st_size
    os.truncate(folder / BALLAST, max(0, size - leave_pages * PAGE))


def clear(folder: Path) -> None:
    """Make room again."""
    (folder / BALLAST).unlink(missing_ok=True)
