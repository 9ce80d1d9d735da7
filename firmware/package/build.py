"""The Debian package of the device: ``python firmware/package/build.py --out dist``.

One package for one Python and one processor: the program with all it needs as a virtual environment
under /opt/scanner that dpkg owns file by file, and the units. Nothing is downloaded, compiled or
resolved when it is installed. picamera2 and lgpio come from the system (Raspberry Pi OS has them).
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

ROOT: Final = Path(__file__).parents[2]
SCRIPTS: Final = Path(__file__).parent / "debian"
NAME: Final = "cctv-scanner"
PREFIX: Final = "opt/scanner"
EXTRAS: Final = ("pi", "hub", "tor")
FROM_SYSTEM: Final = ("picamera2", "lgpio")
MACHINES: Final = {"arm64": "aarch64", "amd64": "x86_64"}  # Debian's name: Python's
# Wheels for a C library as old as Debian 12's.
GLIBC_MINORS: Final = (17, 24, 26, 27, 28, 31, 34, 35)
SYSTEM: Final = {  # what lies in systemd/: where it goes
    "scanner-watch.service": "usr/lib/systemd/system/scanner-watch.service",
    "scanner-relay.service": "usr/lib/systemd/system/scanner-relay.service",
    "scanner-page.service": "usr/lib/systemd/system/scanner-page.service",
    "scanner-hub.service": "usr/lib/systemd/system/scanner-hub.service",
    "scanner-wipe.service": "usr/lib/systemd/system/scanner-wipe.service",
    "scanner-noswap.service": "usr/lib/systemd/system/scanner-noswap.service",
    "gpsd.socket.d/scanner.conf": "usr/lib/systemd/system/gpsd.socket.d/scanner.conf",
    "gpsd.service.d/scanner.conf": "usr/lib/systemd/system/gpsd.service.d/scanner.conf",
    # Not where it would count: whoever wants hints puts it there.
    "bluetooth.service.d/scanner.conf": "usr/share/doc/cctv-scanner/bluetooth.conf",
    "scanner.sysusers": "usr/lib/sysusers.d/scanner.conf",
    "scanner.tmpfiles": "usr/lib/tmpfiles.d/scanner.conf",
    "scanner.udev": "usr/lib/udev/rules.d/70-scanner.rules",
    "scanner.journald": "usr/lib/systemd/journald.conf.d/60-scanner.conf",
    "scanner.coredump": "usr/lib/systemd/coredump.conf.d/60-scanner.conf",
    "scanner.system": "usr/lib/systemd/system.conf.d/60-scanner.conf",
    "scanner.sysctl": "usr/lib/sysctl.d/60-scanner.conf",
}
LAUNCHER: Final = """\
#!/opt/scanner/bin/python3 -I
import sys

from scanner.cli import main

sys.exit(main())
"""
CONTROL: Final = """\
Package: {name}
Version: {version}
Architecture: {arch}
Maintainer: cctv-scanner project <noreply@localhost>
Installed-Size: {size}
Depends: python3 (>= {python}), python3 (<< {next}), libc6 (>= 2.34), systemd,
 init-system-helpers, util-linux, passwd
Recommends: python3-picamera2, python3-lgpio, gpsd, ca-certificates
Suggests: libedgetpu1-std, bluez, tor
Section: science
Priority: optional
Description: finds CCTV cameras on a walk and maps them without mapping the walker
 Lens, Edge TPU and GNSS receiver on one side of a wall, the network on the
 other, as two hardened services.
"""


def requirements(python: str, arch: str) -> list[str]:
    """What the program needs for that Python and processor, markers decided, sorted."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"]]
    for extra in EXTRAS:
        lines += project["optional-dependencies"][extra]
    target = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": MACHINES[arch],
        "sys_platform": "linux",
    }
    found = set()
    for line in lines:
        one = Requirement(line)
        if one.name in FROM_SYSTEM or (one.marker and not one.marker.evaluate(target)):
            continue
        found.add(f"{one.name}{one.specifier}")
    return sorted(found)


def version() -> str:
    """The program's."""
    names: dict[str, str] = {}
    for line in (ROOT / "scanner/__init__.py").read_text().splitlines():
        if line.startswith("__version__"):
            names["version"] = line.split('"')[1]
    return names["version"]


def packages(tree: Path, python: str) -> Path:
    """Where the program's modules lie in a tree."""
    return tree / PREFIX / f"lib/python{python}/site-packages"


def stage_system(tree: Path, python: str) -> None:
    """Units, settings, commands and pages: all but Python's modules."""
    for source, target in SYSTEM.items():
        _copy(ROOT / "systemd" / source, tree / target)
    _copy(SCRIPTS / "scanner", tree / "usr/bin/scanner", 0o755)
    doc = tree / "usr/share/doc" / NAME
    _copy(ROOT / "LICENSE", doc / "copyright")
    _copy(ROOT / "docs/install.md", doc / "install.md")
    folder = tree / PREFIX / "bin"
    folder.mkdir(parents=True)
    (folder / "python3").symlink_to(f"/usr/bin/python{python}")
    (folder / "python").symlink_to("python3")
    (folder / "scanner").write_text(LAUNCHER)
    (folder / "scanner").chmod(0o755)
    # What `python3 -m venv --system-site-packages` writes.
    (tree / PREFIX / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = true\nversion = {python}\n"
    )
    packages(tree, python).mkdir(parents=True)


def wheel_options(python: str, arch: str) -> list[str]:
    """What tells pip to take wheels for that Python and processor."""
    platforms = [f"manylinux2014_{MACHINES[arch]}"]
    platforms += [f"manylinux_2_{minor}_{MACHINES[arch]}" for minor in GLIBC_MINORS]
    named = [option for name in platforms for option in ("--platform", name)]
    return ["--only-binary=:all:", "--python-version", python, "--implementation", "cp", *named]


def stage_program(tree: Path, python: str, arch: str, lock: Path | None = None) -> None:
    """The program's own wheel and those of what it needs, unpacked; those of ``lock`` if given."""
    target = packages(tree, python)
    wanted = ["--no-deps", "--require-hashes", "-r", str(lock)] if lock else []
    _pip(
        *("install", "--target", str(target), "--no-compile", "--no-warn-conflicts"),
        *wheel_options(python, arch),
        *(wanted or requirements(python, arch)),
    )
    with tempfile.TemporaryDirectory() as folder:
        _pip("wheel", "--no-deps", "--wheel-dir", folder, str(ROOT))
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
    shutil.rmtree(target / "bin", ignore_errors=True)
    for tests in sorted(target.glob("numpy/**/tests")):
        shutil.rmtree(tests)


def pack(tree: Path, out: Path, *, python: str, arch: str, number: str = "") -> Path:
    """A tree as a package in the folder ``out``; the same tree gives the same bytes.

    ``number`` is the program's version unless given.
    """
    shutil.rmtree(tree / "DEBIAN", ignore_errors=True)
    files = sorted(p for p in tree.rglob("*") if p.is_file() and not p.is_symlink())
    for path in tree.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    sums = [
        f"{hashlib.md5(p.read_bytes()).hexdigest()}  {p.relative_to(tree)}\n"  # noqa: S324
        for p in files
    ]
    debian = tree / "DEBIAN"
    debian.mkdir()
    full = f"{number or version()}+py{python.replace('.', '')}"
    major, minor = python.split(".")
    (debian / "control").write_text(
        CONTROL.format(
            name=NAME,
            version=full,
            arch=arch,
            size=sum(p.stat().st_size for p in files) // 1024,
            python=python,
            next=f"{major}.{int(minor) + 1}",
        )
    )
    (debian / "md5sums").write_text("".join(sums))
    for script in ("postinst", "prerm", "postrm"):
        _copy(SCRIPTS / script, debian / script, 0o755)
    out.mkdir(parents=True, exist_ok=True)
    package = out / f"{NAME}_{full}_{arch}.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zzstd", "--build", str(tree), str(package)],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "SOURCE_DATE_EPOCH": _epoch()},
    )
    return package


def _epoch() -> str:
    """Time of the last commit, for the files' times; outside of a checkout, of the definition."""
    told = subprocess.run(
        ["git", "log", "-1", "--format=%ct"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    known = os.environ.get("SOURCE_DATE_EPOCH") or told
    return known or str(int((ROOT / "pyproject.toml").stat().st_mtime))


def _copy(source: Path, target: Path, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def _pip(*arguments: str) -> None:
    quiet = ("--quiet", "--disable-pip-version-check")
    command, *rest = arguments
    subprocess.run([sys.executable, "-m", "pip", command, *quiet, *rest], check=True)


def main() -> None:
    """Build one package and print its path."""
    parser = argparse.ArgumentParser(description=__doc__)
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    parser.add_argument("--python", default=ours, help="3.11: Debian 12; 3.13: Debian 13")
    parser.add_argument("--arch", choices=sorted(MACHINES), default="arm64")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        stage_system(tree, args.python)
        stage_program(tree, args.python, args.arch)
        print(pack(tree, args.out, python=args.python, arch=args.arch))


if __name__ == "__main__":
    main()
