"""The Debian package without its Python modules: built by dpkg-deb, listed, looked into."""

import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.helpers.deb import ROOT, builder

SCRIPTS = ("postinst", "prerm", "postrm", "scanner")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = builder()
    tree = tmp_path_factory.mktemp("stage") / "tree"
    build.stage_system(tree, "3.13")
    path: Path = build.pack(tree, tmp_path_factory.mktemp("out"), python="3.13", arch="arm64")
    return path


def dpkg(*arguments: object) -> str:
    return subprocess.run(
        ["dpkg-deb", *map(str, arguments)], check=True, capture_output=True, text=True
    ).stdout


def test_the_package_holds_what_it_says_and_nothing_else(package: Path) -> None:
    rows = [line.split(None, 5) for line in dpkg("--contents", package).splitlines()]
    files = {row[5].split(" -> ")[0][2:]: row for row in rows if row[0][0] != "d"}
    build = builder()
    ours = {f"opt/scanner/{name}" for name in ("bin/python", "bin/python3", "bin/scanner")}
    ours |= {"opt/scanner/pyvenv.cfg", "usr/bin/scanner"}
    ours |= {f"usr/share/doc/cctv-scanner/{name}" for name in ("copyright", "install.md")}
    assert set(files) == ours | set(build.SYSTEM.values())
    assert {row[1] for row in rows} == {"root/root"}
    modes = {name: row[0] for name, row in files.items()}
    assert {n for n, mode in modes.items() if mode == "-rwxr-xr-x"} == {
        "opt/scanner/bin/scanner",
        "usr/bin/scanner",
    }
    plain = {name: mode for name, mode in modes.items() if mode[0] == "-"}
    assert not [name for name, mode in plain.items() if "s" in mode or mode[8] == "w"]
    links = {r[5][2:] for r in rows if r[0][0] == "l"}
    assert "opt/scanner/bin/python3 -> /usr/bin/python3.13" in links


def test_everything_in_systemd_is_shipped() -> None:
    there = {
        str(p.relative_to(ROOT / "systemd")) for p in (ROOT / "systemd").rglob("*") if p.is_file()
    }
    assert there - {"README.md"} == set(builder().SYSTEM)


def test_the_package_fits_one_python_and_one_machine(package: Path) -> None:
    fields = dict(
        line.split(": ", 1) for line in dpkg("--field", package).splitlines() if ": " in line
    )
    assert fields["Package"] == "cctv-scanner"
    assert fields["Architecture"] == "arm64"
    assert "python3 (>= 3.13), python3 (<< 3.14)" in fields["Depends"]
    assert "python3-picamera2" in fields["Recommends"]


def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    build = builder()
    packages = []
    for number in (1, 2):
        tree = tmp_path / f"tree{number}"
        build.stage_system(tree, "3.11")
        packages.append(build.pack(tree, tmp_path / f"out{number}", python="3.11", arch="amd64"))
    first, second = (p.read_bytes() for p in packages)
    assert first == second


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_the_scripts_are_valid_shell(script: str, shell: str) -> None:
    assert shutil.which(shell), f"sudo apt-get install {shell}"
    subprocess.run([shell, "-n", ROOT / "firmware/package/debian" / script], check=True)


@pytest.mark.parametrize(
    ("python", "arch", "runtime", "numpy"),
    [
        ("3.11", "arm64", "tflite-runtime", "<2"),
        ("3.13", "arm64", "ai-edge-litert", ""),
        ("3.11", "amd64", "ai-edge-litert", ""),
    ],
)
def test_each_machine_gets_its_own_runtime(
    python: str, arch: str, runtime: str, numpy: str
) -> None:
    found = {
        r.name: str(r.specifier) for r in map(Requirement, builder().requirements(python, arch))
    }
    assert len({"tflite-runtime", "ai-edge-litert"} & set(found)) == 1
    assert runtime in found
    assert ("<2" in found["numpy"]) == bool(numpy)
    # What is tied to the board's kernel and camera stack comes from its own system.
    assert not {"picamera2", "lgpio"} & set(found)
    assert {"gpiozero", "bleak", "starlette"} <= set(found)
