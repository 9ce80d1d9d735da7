"""Python's wheels of the image, each by version and SHA-256.

``python -m firmware.lock`` asks the index and writes the list. A build installs these and nothing
else; it stops where ``pyproject.toml`` asks for what the list does not hold.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec
from packaging.requirements import Requirement
from packaging.version import Version

from firmware.layering import FOLDER
from scanner.errors import ScannerError, UsageError

LOCK: Final = FOLDER / "wheels.lock"
HEAD: Final = """\
# Written by `python -m firmware.lock`: the wheels of the image, for {python} on {arch}.
"""
AGAIN: Final = "python -m firmware.lock"
_LINE: Final = re.compile(r"^([A-Za-z0-9._-]+)==(\S+) --hash=sha256:([0-9a-f]{64})$")


def plain(name: str) -> str:
    """A package's name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(path: Path = LOCK) -> dict[str, tuple[str, str]]:
    """Name: version and digest; raises UsageError for anything else in the file."""
    found = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as e:
        raise UsageError(f"{path.name}: cannot be read: {e.strerror}", hint=AGAIN) from e
    for line in lines:
        if line.startswith("#") or not line:
            continue
        match = _LINE.match(line)
        if not match:
            raise UsageError(f"{path.name}: no pinned wheel: {line[:60]!r}", hint=AGAIN)
        found[plain(match[1])] = (match[2], match[3])
    return found


def missing(wanted: Iterable[str], held: Mapping[str, tuple[str, str]]) -> list[str]:
    """Of these requirements those that no pinned wheel fulfils."""
    found = []
    for line in wanted:
        one = Requirement(line)
        version = held.get(plain(one.name), ("", ""))[0]
        if not version or not one.specifier.contains(Version(version), prereleases=True):
            found.append(line)
    return found


def check(wanted: Iterable[str], path: Path = LOCK) -> Path:
    """The list, if it holds what is wanted; raises UsageError."""
    if lacking := missing(wanted, read(path)):
        raise UsageError(f"{path.name} does not hold {', '.join(lacking)}", hint=AGAIN)
    return path


class _Archive(msgspec.Struct):
    hashes: dict[str, str] = {}


class _Download(msgspec.Struct):
    url: str
    archive_info: _Archive = msgspec.field(default_factory=_Archive)


class _Metadata(msgspec.Struct):
    name: str
    version: str


class _Item(msgspec.Struct):
    metadata: _Metadata
    download_info: _Download


class _Report(msgspec.Struct):
    """What of ``pip install --report`` is read."""

    install: list[_Item]


def text(report: bytes, python: str, arch: str) -> str:
    """The list from what ``pip install --report`` says it would install; raises UsageError."""
    lines = []
    for row in msgspec.json.decode(report, type=_Report).install:
        name, version = row.metadata.name, row.metadata.version
        digest = row.download_info.archive_info.hashes.get("sha256", "")
        if not digest or not row.download_info.url.endswith(".whl"):
            raise UsageError(f"{name} {version}: not a wheel with a SHA-256")
        lines.append(f"{plain(name)}=={version} --hash=sha256:{digest}\n")
    return HEAD.format(python=python, arch=arch) + "".join(sorted(lines))


def make(wanted: list[str], options: list[str]) -> bytes:
    """Ask the index what these requirements come to; nothing is installed. Raises UsageError."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--dry-run", "--ignore-installed", "--report", str(report),
             "--target", f"{folder}/none", *options, *wanted],
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise UsageError("pip found no wheels for all of them", hint="its words stand above")
        return report.read_bytes()


def main() -> int:
    """Write the list anew."""
    from firmware import rootfs  # noqa: PLC0415 - which reads this module

    argparse.ArgumentParser(description=__doc__).parse_args()
    try:
        build = rootfs.packager()
        options = build.wheel_options(rootfs.PYTHON, rootfs.ARCH)
        report = make(rootfs.wanted(build), options)
        LOCK.write_text(text(report, f"Python {rootfs.PYTHON}", rootfs.ARCH), encoding="utf-8")
    except ScannerError as e:
        print(f"firmware: error: {e}", file=sys.stderr)
        return e.exit_code
    print(f"{LOCK}: {len(read())} wheels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
