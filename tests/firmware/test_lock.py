"""Wheels by digest, and one library that nobody has vouched for yet."""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from firmware import lock, parts, rootfs
from firmware.layering import CONFIGS, read_image
from scanner.errors import UsageError

ROOT = Path(__file__).parents[2]
DIGEST = "a" * 64


def test_the_list_holds_all_that_the_image_wants() -> None:
    assert lock.missing(rootfs.wanted(rootfs.packager()), lock.read()) == []


def test_pip_takes_it_as_a_list_of_digests() -> None:
    lines = [line for line in lock.LOCK.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == len(lock.read()) > 20
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("wanted", "lacking"),
    [
        (["Example_Wheel>=1", "other"], []),
        (["example-wheel>=2"], ["example-wheel>=2"]),
        (["third"], ["third"]),
        (["example.wheel==1.5"], []),
    ],
)
def test_what_no_pinned_wheel_fulfils_is_told(
    wanted: list[str], lacking: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "wheels.lock"
    path.write_text(
        f"# ours\nexample-wheel==1.5 --hash=sha256:{DIGEST}\nother==2 --hash=sha256:{DIGEST}\n"
    )
    assert lock.missing(wanted, lock.read(path)) == lacking
    if lacking:
        with pytest.raises(UsageError, match=f"does not hold {lacking[0]}.*firmware[.]lock"):
            lock.check(wanted, path)
    else:
        assert lock.check(wanted, path) == path


@pytest.mark.parametrize("line", ["example==1", f"example --hash=sha256:{DIGEST}", "-r other.txt"])
def test_a_line_without_version_or_digest_is_refused(line: str, tmp_path: Path) -> None:
    path = tmp_path / "wheels.lock"
    path.write_text(line + "\n")
    with pytest.raises(UsageError, match="no pinned wheel"):
        lock.read(path)


def report(url: str, hashes: dict[str, str]) -> bytes:
    row = {
        "metadata": {"name": "Example_Wheel", "version": "1.5", "requires_dist": []},
        "download_info": {"url": url, "archive_info": {"hashes": hashes}},
    }
    return json.dumps({"version": "1", "install": [row]}).encode()


def test_what_pip_reports_becomes_a_line() -> None:
    made = lock.text(report("https://x/a.whl", {"sha256": DIGEST}), "Python 3.11", "arm64")
    assert made.splitlines()[-1] == f"example-wheel==1.5 --hash=sha256:{DIGEST}"


@pytest.mark.parametrize(
    ("url", "hashes"), [("https://x/a.tar.gz", {"sha256": DIGEST}), ("https://x/a.whl", {})]
)
def test_what_is_no_wheel_with_a_digest_is_refused(url: str, hashes: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="not a wheel"):
        lock.text(report(url, hashes), "Python 3.11", "arm64")


def test_another_wheel_than_the_pinned_one_is_not_installed(tmp_path: Path) -> None:
    # A wheel of its own, offered under a digest that is not its own.
    wheel = tmp_path / "example-1.0-py3-none-any.whl"
    files = {
        "example.py": "",
        "example-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: example\nVersion: 1.0\n",
        "example-1.0.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
        "example-1.0.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    pinned = tmp_path / "wheels.lock"
    codes = []
    for digest in (DIGEST, hashlib.sha256(wheel.read_bytes()).hexdigest()):
        pinned.write_text(f"example==1.0 --hash=sha256:{digest}\n")
        options = ["--no-index", "--find-links", tmp_path, "--target", tmp_path / "out", "--quiet"]
        command = [sys.executable, "-m", "pip", "install", *options, "--no-deps"]
        done = subprocess.run(
            [*command, "--require-hashes", "-r", pinned], capture_output=True, check=False
        )
        codes.append(bool(done.returncode))
    assert codes == [True, False]


def test_no_digest_of_the_corals_library_is_made_up() -> None:
    image = read_image(CONFIGS / "scanner-pi.yaml")
    assert image.edgetpu_sha256 == ""
    with pytest.raises(UsageError, match=r"no digest of libedgetpu1-std is known.*--without"):
        parts.edgetpu(Path("/any"), image.edgetpu_sha256)
    assert read_image(CONFIGS / "scanner-qemu.yaml").edgetpu_sha256 is None


def test_with_a_digest_only_that_file_is_taken(tmp_path: Path) -> None:
    package = tmp_path / "libedgetpu1-std.deb"
    package.write_bytes(b"library")
    digest = hashlib.sha256(b"library").hexdigest()
    assert parts.edgetpu(package, digest.upper()) == package
    for path, wanted, reason in (
        (package, DIGEST, "has the digest"),
        (None, digest, "is not given"),
        (tmp_path / "none", digest, "cannot be read"),
    ):
        with pytest.raises(UsageError, match=reason):
            parts.edgetpu(path, wanted)
