"""What is published says of itself what is true: sizes, digests, packages, signatures."""

import hashlib
import json
import lzma
import subprocess
from importlib import metadata
from pathlib import Path

import jsonschema
import pytest

from firmware import manifest, sbom, signatures
from firmware.layering import CONFIGS, read_image
from firmware.rootfs import Built
from scanner import imager
from scanner.errors import UsageError

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "tests/golden/os-list-schema.json").read_text())
BUILT = Built(target="scanner-pi", release=7, built=1_790_000_000)
RAW = bytes(range(256)) * 5_000


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "card.img.xz"
    path.write_bytes(lzma.compress(RAW))
    return path


def entry(packed: Path) -> manifest.Entry:
    image = read_image(CONFIGS / "scanner-pi.yaml")
    return manifest.entry(packed, url="https://example.org/card.img.xz", image=image, built=BUILT)


def test_imagers_schema_takes_the_list(packed: Path) -> None:
    jsonschema.validate(json.loads(manifest.text([entry(packed)])), SCHEMA)


@pytest.mark.parametrize("key", SCHEMA["properties"]["os_list"]["items"]["required"])
def test_and_would_not_take_it_without(key: str, packed: Path) -> None:
    told = json.loads(manifest.text([entry(packed)]))
    del told["os_list"][0][key]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(told, SCHEMA)


def test_sizes_and_digests_are_those_of_the_files(packed: Path) -> None:
    told = entry(packed)
    assert (told.extract_size, told.extract_sha256) == (len(RAW), hashlib.sha256(RAW).hexdigest())
    assert told.image_download_size == packed.stat().st_size
    assert told.image_download_sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()
    assert told.icon == "https://example.org/icon.svg"
    assert told.release_date == "2026-09-21"
    assert told.devices == ("pi5-64bit", "pi4-64bit", "pi3-64bit")


def test_what_the_list_promises_of_imagers_settings_is_read(
    packed: Path,
) -> None:
    told = entry(packed)
    # So Imager 1.x and 2.x write these, and nothing else.
    assert told.init_format == "cloudinit"
    assert {"meta-data", "network-config", "user-data"} <= set(imager.FILES)
    assert "wireless network is used" in told.description


def test_no_list_is_written_for_an_image_cut_short(packed: Path) -> None:
    packed.write_bytes(packed.read_bytes()[:-40])
    with pytest.raises(UsageError, match="damaged"):
        entry(packed)


STATUS = """\
Package: libc6
Status: install ok installed
Architecture: arm64
Version: 2.36-9+deb12u10

Package: gone
Status: deinstall ok config-files
Architecture: arm64
Version: 1.0

Package: tzdata
Status: install ok installed
Architecture: all
Version: 2025b-0+deb12u1
Description: zones
 Status: not a field
"""


def tree(folder: Path) -> Path:
    (folder / "var/lib/dpkg").mkdir(parents=True)
    (folder / "var/lib/dpkg/status").write_text(STATUS)
    doc = folder / "usr/share/doc/tzdata"
    doc.mkdir(parents=True)
    (doc / "copyright").write_text("Files: *\nLicense: public-domain\n text\n")
    return folder


def test_the_bill_names_what_dpkg_names(tmp_path: Path) -> None:
    root = tree(tmp_path)
    listed = subprocess.run(
        ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show",
         "--showformat=${db:Status-Abbrev}|${Package}|${Version}\n"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    known = {tuple(line.split("|")[1:]) for line in listed if line.startswith("ii")}
    assert {(c.name, c.version) for c in sbom.debian(root)} == known == {
        ("libc6", "2.36-9+deb12u10"),
        ("tzdata", "2025b-0+deb12u1"),
    }  # fmt: skip
    assert {c.name: c.licences for c in sbom.debian(root)}["tzdata"] == ("public-domain",)


def test_on_this_machine_it_names_every_package_that_is_installed() -> None:
    listed = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}|${Package}|${Version}\n"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    known = {tuple(line.split("|")[1:]) for line in listed if line.startswith("installed|")}
    assert {(c.name, c.version) for c in sbom.debian(Path("/"))} == known


def test_the_bill_names_what_pip_names(tmp_path: Path) -> None:
    here = Path(str(metadata.distribution("numpy").locate_file("")))
    target = tmp_path / "opt/scanner/lib/python3.11/site-packages"
    target.mkdir(parents=True)
    for path in here.glob("*.dist-info"):
        (target / path.name).mkdir()
        (target / path.name / "METADATA").write_bytes((path / "METADATA").read_bytes())
    listed = subprocess.run(
        [str(Path(__import__("sys").executable)), "-m", "pip", "list", "--format=json",
         "--disable-pip-version-check", "--path", str(target)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    known = {(row["name"], row["version"]) for row in json.loads(listed)}
    assert len(known) > 30
    assert {(c.name, c.version) for c in sbom.python(tmp_path)} == known


def test_the_same_tree_gives_the_same_bill(tmp_path: Path) -> None:
    one, other = (sbom.document(tree(tmp_path / name), BUILT) for name in ("one", "other"))
    assert one == other
    told = json.loads(one)
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.5")
    assert [c["purl"] for c in told["components"]] == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=arm64&distro=debian-12",
        "pkg:deb/debian/tzdata@2025b-0%2Bdeb12u1?arch=all&distro=debian-12",
    ]


@pytest.fixture
def signed(tmp_path: Path) -> tuple[Path, str]:
    for name in ("card.img.xz", "os_list.json"):
        (tmp_path / name).write_bytes(name.encode() * 1000)
    sums = signatures.write_sums(tmp_path)
    public = signatures.keygen(tmp_path.with_suffix(".key"))
    signatures.sign(sums, tmp_path.with_suffix(".key"), 1_790_000_000)
    return sums, public


def test_sums_are_those_that_sha256sum_checks(signed: tuple[Path, str]) -> None:
    told = subprocess.run(
        ["sha256sum", "--check", "--strict", signed[0].name],
        cwd=signed[0].parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0
    assert told.stdout == "card.img.xz: OK\nos_list.json: OK\n"


def test_what_was_signed_is_found_good(signed: tuple[Path, str]) -> None:
    assert signatures.verify(*signed) == "timestamp:1790000000\tfile:SHA256SUMS\thashed"


@pytest.mark.parametrize(
    ("name", "at", "reason"),
    [
        ("SHA256SUMS", 3, "the signature is wrong"),
        ("SHA256SUMS.minisig", -3, "the signature is wrong|cannot be read"),
        ("SHA256SUMS.minisig", 120, "the signature is wrong|cannot be read|of another"),
        ("SHA256SUMS.minisig", 160, "the signature is wrong|cannot be read"),
    ],
)
def test_one_changed_byte_is_found(
    name: str, at: int, reason: str, signed: tuple[Path, str]
) -> None:
    path = signed[0].with_name(name)
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(UsageError, match=reason):
        signatures.verify(*signed)


def test_another_key_is_told_from_a_changed_file(signed: tuple[Path, str], tmp_path: Path) -> None:
    other = signatures.keygen(tmp_path / "other.key")
    with pytest.raises(UsageError, match="signed by another key"):
        signatures.verify(signed[0], other)


def test_a_key_file_is_not_overwritten_and_nobody_else_reads_it(tmp_path: Path) -> None:
    signatures.keygen(tmp_path / "one.key")
    assert (tmp_path / "one.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="not overwritten"):
        signatures.keygen(tmp_path / "one.key")
