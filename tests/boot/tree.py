"""Debian systems in folders: made once by mmdebstrap, unpacked for each test, run by nspawn."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / "build" / "boot"
SUITE: Final = "bookworm"
PYTHON: Final = "3.11"
PACKAGES: Final = (
    *("systemd", "systemd-sysv", "udev", "dbus", "python3", "python3-pil", "mosquitto"),
    *("mosquitto-clients", "gpsd", "init-system-helpers", "ca-certificates", "iproute2"),
)
LANDLOCK: Final = tuple(f"landlock_{n}" for n in ("create_ruleset", "add_rule", "restrict_self"))


def need_root() -> None:
    """Fail with what to do."""
    assert os.geteuid() == 0, "containers need root: sudo make ..."
    for name in ("mmdebstrap", "systemd-nspawn"):
        assert shutil.which(name), f"{name} is missing: sudo apt-get install {name}"


def base() -> Path:
    """The archive of the bare system; minutes the first time."""
    need_root()
    digest = hashlib.sha256(" ".join((SUITE, *PACKAGES)).encode()).hexdigest()[:12]
    archive = CACHE / f"{SUITE}-{digest}.tar"
    if not archive.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        new = archive.with_suffix(".new.tar")
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
        subprocess.run([*command, SUITE, str(new)], check=True, timeout=1500)
        new.replace(archive)
    return archive


class Tree:
    """One such system."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """A path of the system, from outside."""
        return self.folder / name.lstrip("/")

    def write(self, name: str, text: str) -> Path:
        """A file of the system."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, script: str, *, timeout_s: float = 300) -> str:
        """What a shell script prints inside, not booted; fails when it does."""
        result = subprocess.run(
            [*self._nspawn(), "--pipe", "sh", "-euc", script],
            capture_output=True, text=True, check=False, timeout=timeout_s,
        )  # fmt: skip
        assert result.returncode == 0, f"{script}\n{result.stdout[-4000:]}\n{result.stderr[-4000:]}"
        return result.stdout

    def boot(self, *, timeout_s: float = 400) -> str:
        """Boot until it powers itself off; the console."""
        try:
            result = subprocess.run(
                [*self._nspawn(), "--boot"],
                stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as e:
            return f"{(e.stdout or b'').decode(errors='replace')}\n(cut off)"
        return (result.stdout + result.stderr).decode(errors="replace")

    def _nspawn(self) -> list[str]:
        named = f"--machine=scanner-test-{os.getpid()}"
        # A container's own filter knows nothing of Landlock, which our programs use.
        walls = "--system-call-filter=" + " ".join(LANDLOCK)
        alone = [
            "--register=no",
            "--keep-unit",
            "--private-network",
            "--link-journal=no",
            named,
            walls,
        ]
        return ["systemd-nspawn", "--quiet", "--directory", str(self.folder), *alone]


@contextmanager
def in_memory(folder: Path) -> Iterator[Path]:
    """A folder in memory: tens of thousands of small files come and go at once."""
    need_root()
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3G,mode=0755", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        # Lazily: the container's last mounts may still be going away.
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def system(folder: Path) -> Iterator[Tree]:
    """A fresh bare system, removed afterwards."""
    archive = base()
    with in_memory(folder / "tree") as target:
        subprocess.run(
            ["tar", "--extract", "--file", archive, "--directory", target, "--exclude=./dev/*"],
            check=True,
            timeout=300,
        )
        yield Tree(target)
