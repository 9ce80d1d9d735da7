"""Debian as the layers ask for it, as an archive that is made once for one list of packages."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from firmware.layering import FOLDER, Definition
from scanner.errors import DeviceError, UsageError

INSTALL: Final = FOLDER / "install.sh"
ARCH: Final = "arm64"
BINFMT: Final = Path("/proc/sys/fs/binfmt_misc")
# Debian's programs are emulated by the page; nothing of it ends up in the image.
HINT: Final = "sudo apt-get install mmdebstrap qemu-user-static arch-test"


def key(definition: Definition) -> str:
    """Names what the archive holds: the same packages of the same suite, the same digest."""
    said = msgspec.json.encode(
        [definition.suite, definition.mirrors, definition.packages, definition.dpkgopts]
    )
    return hashlib.sha256(said + INSTALL.read_bytes()).hexdigest()[:12]


def emulation() -> None:
    """Let this kernel start programs for arm64; raises DeviceError."""
    if _works():
        return
    if os.geteuid() == 0:
        # What systemd-binfmt does where systemd runs.
        if not (BINFMT / "register").exists():
            subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT], check=False)
        magic = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")
        if magic.is_file() and (BINFMT / "register").exists():
            (BINFMT / "register").write_bytes(magic.read_bytes())
    if not _works():
        raise DeviceError("programs for arm64 cannot be started here", hint=HINT)


def _works() -> bool:
    return not subprocess.run(["arch-test", ARCH], capture_output=True, check=False).returncode


def archive(definition: Definition, cache: Path) -> Path:
    """The tree as a tar file in ``cache``; minutes the first time. Raises DeviceError."""
    path = cache / f"base-{key(definition)}.tar"
    if path.is_file():
        return path
    for program in ("mmdebstrap", "arch-test"):
        if not shutil.which(program):
            raise DeviceError(f"{program} is missing", hint=HINT)
    emulation()
    cache.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new.tar")
    with tempfile.TemporaryDirectory() as folder:
        options = Path(folder) / "dpkg-options"
        options.write_text("".join(f"{option}\n" for option in definition.dpkgopts))
        options.chmod(0o644)
        Path(folder).chmod(0o755)
        command = _command(definition, new)
        done = subprocess.run(
            command, check=False, env={**os.environ, "DPKG_OPTIONS": str(options)}
        )
    if done.returncode:
        new.unlink(missing_ok=True)
        raise UsageError(
            f"mmdebstrap ended with {done.returncode}", hint="its own words stand above"
        )
    new.replace(path)
    return path


def _command(definition: Definition, target: Path) -> list[str]:
    return [
        "mmdebstrap",
        f"--architectures={ARCH}",
        "--variant=essential",
        "--format=tar",
        *(f"--dpkgopt={option}" for option in definition.dpkgopts),
        f'--customize-hook={INSTALL} "$1" {" ".join(definition.packages)}',
        definition.suite,
        str(target),
        *definition.mirrors,
    ]
