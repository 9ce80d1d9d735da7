"""Known vulnerabilities of a bill: those that apply, no others, and what mends them."""

import json
import subprocess
import sys
import zipfile
from itertools import combinations
from pathlib import Path

import pytest

from firmware import sbom
from firmware.rootfs import Built
from firmware.vulnerable import debian_older

STATUS = """\
Package: libc6
Status: install ok installed
Source: glibc
Architecture: arm64
Version: 2.36-9+deb12u10

Package: libsystemd0
Status: install ok installed
Source: systemd (252.39-1~deb12u1)
Architecture: arm64
Version: 252.39-1~deb12u1+b1

Package: linux-image-cloud-arm64
Status: install ok installed
Source: linux-signed-arm64 (6.1.192+2)
Architecture: arm64
Version: 6.1.192-2
"""
TRACKER = {
    "glibc": {
        "CVE-1-open": {"description": "not mended", "releases": {"bookworm": {"status": "open"}}},
        "CVE-2-old": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "2.36-1"}}},
        "CVE-3-new": {
            "description": "mended\n later",
            "releases": {
                "bookworm": {
                    "status": "resolved", "fixed_version": "2.36-9+deb12u11", "urgency": "high",
                },
            },
        },
        "CVE-4-never": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "0"}}},
        "CVE-5-elsewhere": {"releases": {"trixie": {"status": "open"}}},
        "CVE-6-unimportant": {
            "releases": {"bookworm": {"status": "open", "urgency": "unimportant"}},
        },
        "CVE-7-undetermined": {"releases": {"bookworm": {"status": "undetermined"}}},
    },
    "systemd": {
        # Of the source package's version, which the rebuilt package's is above.
        "CVE-8-same": {
            "releases": {"bookworm": {"status": "resolved", "fixed_version": "252.39-1~deb12u1"}},
        },
        "CVE-9-next": {
            "releases": {"bookworm": {"status": "resolved", "fixed_version": "252.39-1"}},
        },
    },
    # Which are signed in a source package of another name and another version.
    "linux": {
        "CVE-11-kernel": {
            "releases": {"bookworm": {"status": "resolved", "fixed_version": "6.1.193-1"}},
        },
        "CVE-12-kernel": {
            "releases": {"bookworm": {"status": "resolved", "fixed_version": "6.1.192-2"}},
        },
    },
    "libc6": {"CVE-10-of-no-source": {"releases": {"bookworm": {"status": "open"}}}},
}  # fmt: skip


def osv(
    name: str, package: str, *, events: list[dict[str, str]], **more: object
) -> dict[str, object]:
    return {
        "id": name,
        "summary": f"about {name}",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": package},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
            }
        ],
        **more,
    }


OSV = [
    osv("GHSA-a", "Example_Wheel", events=[{"introduced": "0"}, {"fixed": "1.10.1"}],
        aliases=["CVE-20-wheel"]),
    osv("GHSA-b", "example-wheel", events=[{"introduced": "0"}, {"fixed": "1.9"}]),
    osv("GHSA-c", "example-wheel", events=[{"introduced": "1.10"}, {"last_affected": "1.10"}]),
    osv("GHSA-d", "example-wheel", events=[{"introduced": "1.11"}]),
    osv("GHSA-e", "another", events=[{"introduced": "0"}]),
    osv("GHSA-f", "example-wheel", events=[{"introduced": "0"}], withdrawn="2026-01-01T00:00:00Z"),
    osv("GHSA-g", "example-wheel",
        events=[{"introduced": "0"}, {"fixed": "1.2"}, {"introduced": "1.5"}, {"fixed": "2.0"}]),
]  # fmt: skip
ALL = {
    ("CVE-1-open", "libc6", ""),
    ("CVE-3-new", "libc6", "2.36-9+deb12u11"),
    ("CVE-7-undetermined", "libc6", ""),
    ("CVE-9-next", "libsystemd0", "252.39-1"),
    ("CVE-11-kernel", "linux-image-cloud-arm64", "6.1.193-1"),
    ("CVE-20-wheel", "Example.Wheel", "1.10.1"),
    ("GHSA-c", "Example.Wheel", ""),
    ("GHSA-g", "Example.Wheel", "2.0"),
}


class Folder:
    """A bill made from a tree, and both databases."""

    def __init__(self, folder: Path) -> None:
        tree = folder / "tree"
        (tree / "var/lib/dpkg").mkdir(parents=True)
        (tree / "var/lib/dpkg/status").write_text(STATUS)
        wheel = tree / "opt/lib/python3.11/site-packages/example_wheel.dist-info"
        wheel.mkdir(parents=True)
        (wheel / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: Example.Wheel\nVersion: 1.10\n"
        )
        self.bill = folder / "bill.cdx.json"
        self.bill.write_bytes(sbom.document(tree, Built(target="test", release=1, built=0)))
        self.debian, self.osv = folder / "tracker.json", folder / "all.zip"
        self.debian.write_text(json.dumps(TRACKER))
        with zipfile.ZipFile(self.osv, "w") as archive:
            for one in OSV:
                archive.writestr(f"{one['id']}.json", json.dumps(one))
        self.out = folder / "with.cdx.json"

    def told(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "firmware.vulnerable", self.bill, *words]
        return subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, check=False
        )


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_what_applies_is_found_with_what_mends_it(folder: Folder) -> None:
    told = folder.told("--debian", folder.debian, "--osv", folder.osv)
    assert told.stderr == ""
    *rows, last = told.stdout.splitlines()
    found = set()
    for row in rows:
        name, package, state = row.split("  ")[:3]
        fixed = state.removeprefix("mended in ") if state.startswith("mended in") else ""
        found.add((name, package.split()[0], fixed))
    assert found == ALL
    assert last == "8 known vulnerabilities; 5 times a newer version mends one"
    assert told.returncode == 1


def test_nothing_to_mend_is_no_failure(folder: Folder) -> None:
    folder.debian.write_text(json.dumps({"glibc": {"CVE-1": TRACKER["glibc"]["CVE-1-open"]}}))
    told = folder.told("--debian", folder.debian)
    assert (told.returncode, told.stdout.count("\n")) == (0, 2)


def test_the_bill_can_hold_what_was_found(folder: Folder) -> None:
    folder.told("--debian", folder.debian, "--osv", folder.osv, "--out", folder.out)
    document = json.loads(folder.out.read_bytes())
    refs = {one["bom-ref"] for one in document["components"]}
    rows = {row["id"]: row for row in document["vulnerabilities"]}
    assert set(rows) == {name for name, _, _ in ALL}
    for row in rows.values():
        assert {one["ref"] for one in row["affects"]} <= refs
    assert rows["CVE-3-new"]["recommendation"] == "mended in libc6 2.36-9+deb12u11"
    assert rows["CVE-3-new"]["description"] == "mended later"
    assert "recommendation" not in rows["CVE-1-open"]


def test_a_folder_and_a_single_file_of_osv_do_as_well(folder: Folder, tmp_path: Path) -> None:
    entries = tmp_path / "osv"
    entries.mkdir()
    for one in OSV:
        (entries / f"{one['id']}.json").write_text(json.dumps(one))
    assert folder.told("--osv", entries).stdout == folder.told("--osv", folder.osv).stdout
    alone = folder.told("--osv", entries / "GHSA-a.json").stdout
    assert alone.startswith("CVE-20-wheel  Example.Wheel 1.10  mended in 1.10.1\n")


@pytest.mark.parametrize(
    ("words", "content", "reason"),
    [
        (("--debian",), b"[]", "not the list of Debian's security tracker"),
        (("--debian",), None, "cannot be read"),
        (("--osv",), b"{}", "no entries of OSV"),
        ((), None, "no database given"),
    ],
)
def test_what_is_no_database_is_told(
    words: tuple[str, ...], content: bytes | None, reason: str, folder: Folder, tmp_path: Path
) -> None:
    path = tmp_path / "database"
    if content is not None:
        path.write_bytes(content)
    told = folder.told(*words, *([path] if words else []))
    assert told.returncode not in (0, 1)
    assert told.stderr.count("\n") == 1
    assert reason in told.stderr


# Debian Policy 5.6.12, and forms that are found in bookworm.
VERSIONS = [
    "1.0~~", "1.0~~a", "1.0~", "1.0", "1.0-0", "1.0-1", "1.0-1~bpo12+1", "1.0-1+b1",
    "1.0-1+deb12u1", "1.0-1+deb12u10", "1.0-1+deb12u9", "1.0+dfsg-1", "1.0.0-1", "1.0a-1",
    "1.0ab-1", "1.0~rc1-1", "1:0.1-1", "1:0.1", "2", "10", "09", "1.2.3-4-5", "1.2.3-4", "0",
    "1.0-1.1", "1.0-1build1",
]  # fmt: skip


def test_versions_are_ordered_as_dpkg_orders_them() -> None:
    pairs = [*combinations(VERSIONS, 2)]
    script = "\n".join(
        f"dpkg --compare-versions '{a}' lt '{b}' && echo 1 || echo 0" for a, b in pairs
    )
    told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert [debian_older(a, b) for a, b in pairs] == [line == "1" for line in told.split()]
    assert not any(debian_older(version, version) for version in VERSIONS)
