"""The tree of the device: Debian from its archive, our package, our files, what the layers say."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

import msgspec

from firmware import lock
from firmware.layering import FOLDER, Definition
from scanner.errors import UsageError

ROOT: Final = FOLDER.parent
TREE: Final = FOLDER / "tree"
PYTHON: Final = "3.11"
ARCH: Final = "arm64"
# Besides those of the package: the file lens, pictures of QR codes, signed updates.
EXTRAS: Final = ("pi", "hub", "tor", "replay", "update")
# Reads pictures of QR codes; the last whose wheel wants the numpy that tflite-runtime wants.
OPENCV: Final = "opencv-python-headless==4.11.0.86"
SOURCES: Final = (
    "scanner",
    "systemd",
    "firmware/package",
    "models/detector.tflite",
    "models/closeup.tflite",
)
EMPTIED: Final = ("var/cache", "var/lib/apt", "var/log", "var/tmp", "tmp", "run", "boot", "root")


class Built(msgspec.Struct, frozen=True):
    """What the device knows of its own image."""

    target: str
    release: int
    built: int  # seconds since 1970, of the definition and not of the clock


def packager() -> ModuleType:
    """``firmware/package/build.py``, with what the image has besides."""
    spec = importlib.util.spec_from_file_location("build_deb", FOLDER / "package/build.py")
    if not spec or not spec.loader:
        raise UsageError("firmware/package/build.py is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.EXTRAS = EXTRAS  # type: ignore[attr-defined]
    return module


def wanted(build: ModuleType) -> list[str]:
    """What Python's packages the image must have."""
    return [*build.requirements(PYTHON, ARCH), OPENCV]


def sources_digest() -> str:
    """Changes with every file that goes into the package."""
    digest = hashlib.sha256(repr((EXTRAS, OPENCV)).encode() + lock.LOCK.read_bytes())
    digest.update((ROOT / "pyproject.toml").read_bytes())
    for name in SOURCES:
        top = ROOT / name
        for path in sorted([top] if top.is_file() else top.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(ROOT)}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def package(cache: Path, epoch: int) -> Path:
    """Our Debian package for the image, its Python compiled here; made once for one source."""
    out = cache / f"deb-{sources_digest()}"
    if not out.is_dir():
        build = packager()
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder) / "tree"
            build.stage_system(tree, PYTHON)
            build.stage_program(tree, PYTHON, ARCH, lock.check(wanted(build)))
            compile_python(tree, ("opt",), epoch)
            made = build.pack(tree, Path(folder) / "out", python=PYTHON, arch=ARCH)
            cache.mkdir(parents=True, exist_ok=True)
            new = out.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            shutil.copytree(made.parent, new)
            new.rename(out)
    (deb,) = out.glob("*.deb")
    return deb


def compile_python(tree: Path, folders: tuple[str, ...], epoch: int) -> None:
    """Compile below a tree's folders as on the device; needs a Python of the same version here.

    All files get one time first: it stands in the compiled ones.
    """
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    if ours != PYTHON:
        raise UsageError(f"Python {PYTHON} must run this, not {ours}: it compiles for the device")
    for folder in folders:
        for path in (tree / folder).rglob("*"):
            os.utime(path, (epoch, epoch), follow_symlinks=False)
        subprocess.run(
            [sys.executable, "-m", "compileall", "-q", "-s", str(tree), "-p", "/", tree / folder],
            check=False,  # files for other Pythons lie among them
            # Or the order of sets would differ from one build to the next.
            env={**os.environ, "PYTHONHASHSEED": "0"},
            stdout=subprocess.DEVNULL,
        )


def build(
    root: Path,
    definition: Definition,
    *,
    base: Path,
    debs: Sequence[Path],
    built: Built,
    trust: Path | None = None,
) -> None:
    """Make the tree anew in the folder ``root``; what lay in its /boot is put into ``kernels``.

    ``trust`` is the root.json of whose updates the system will take; without, it takes none.
    """
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    run("tar", "--extract", "--file", base, "--directory", root, "--exclude=./dev/*")
    options = [f"--{option}" for option in definition.dpkgopts]
    command = ("dpkg", f"--root={root}", "--force-unsafe-io", "--force-not-root", *options)
    run(*command, "--install", *debs, quiet=True)
    shutil.copytree(TREE, root, dirs_exist_ok=True, symlinks=True)
    if trust:
        (root / "usr/share/scanner").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(trust, root / "usr/share/scanner/root.json")
    for hook in definition.hooks:
        run("sh", "-euc", hook, "sh", root)
    for version in kernels(root):
        run("depmod", "-b", root, version)
    _certificates(root)
    kept = root.with_name("kernels")
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(root / "boot", kept, symlinks=True)
    _finish(root, built)


def kernels(root: Path) -> list[str]:
    """Versions of the kernels in a tree."""
    return sorted(path.name for path in (root / "lib/modules").iterdir())


def _certificates(root: Path) -> None:
    """What update-ca-certificates does: OpenSSL's index of the authorities' certificates."""
    target = root / "etc/ssl/certs"
    target.mkdir(parents=True, exist_ok=True)
    for old in target.iterdir():
        old.unlink()
    everything = b""
    for path in sorted((root / "usr/share/ca-certificates").rglob("*.crt")):
        content = path.read_bytes().rstrip() + b"\n"
        (target / f"{path.stem}.pem").write_bytes(content)
        everything += content
    run("openssl", "rehash", target, quiet=True)
    (target / "ca-certificates.crt").write_bytes(everything)


def _finish(root: Path, built: Built) -> None:
    """Nothing in it says when, where or how often it was built."""
    for name in EMPTIED:
        folder = root / name
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for name in ("var/lib/dpkg/status-old", "var/lib/dpkg/diversions-old", "etc/passwd-",
                 "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/.pwd.lock",
                 "var/lib/systemd/random-seed", "var/lib/systemd/credential.secret"):  # fmt: skip
        (root / name).unlink(missing_ok=True)
    (root / "boot/firmware").mkdir(parents=True)
    # A new name at every start; and the name servers that the network tells.
    (root / "etc/machine-id").write_text("")
    resolv = root / "etc/resolv.conf"
    resolv.unlink(missing_ok=True)
    resolv.symlink_to("../run/systemd/resolve/resolv.conf")
    shadow = root / "etc/shadow"
    day = str(built.built // 86_400)
    lines = [line.split(":") for line in shadow.read_text().splitlines()]
    shadow.write_text("".join(":".join([*f[:2], day, *f[3:]]) + "\n" for f in lines))
    release = root / "usr/share/scanner/release.json"
    release.parent.mkdir(parents=True, exist_ok=True)
    release.write_bytes(msgspec.json.encode(built) + b"\n")
    for name in ("usr/lib/python3.11", "usr/lib/python3"):
        if (root / name).is_dir():
            compile_python(root, (name,), built.built)


def run(*command: str | Path, quiet: bool = False) -> None:
    """Run a program; raises UsageError with its name and its last words."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=quiet, text=True, check=False
    )
    if done.returncode:
        words = (done.stderr or "").strip().splitlines()[-3:] if quiet else []
        raise UsageError(
            f"{Path(str(command[0])).name} ended with {done.returncode}", hint=" / ".join(words)
        )
