"""Known vulnerabilities of what a bill of materials names, from databases on this machine's disk.

::

    python -m firmware.vulnerable BILL.cdx.json --debian tracker.json --osv all.zip [--out FILE]

``--debian`` is the security tracker's list (security-tracker.debian.org/tracker/data/json),
``--osv`` the PyPI part of osv.dev (its all.zip, one of its files, or a folder of them). Nothing is
fetched. ``--out`` writes the bill with its vulnerabilities (CycloneDX 1.5). The exit code is 1
where a version that mends one is known and not installed.
"""

import argparse
import itertools
import json
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from packaging.version import InvalidVersion, Version

from firmware.lock import plain
from firmware.sbom import SOURCE, SOURCE_VERSION
from scanner.errors import UNREADABLE, ScannerError, UsageError

SUITE: Final = "bookworm"
NEVER: Final = "0"  # as a fixed version: this suite never had it
EXIT_FIXABLE: Final = 1
T = TypeVar("T")
_SIGNED: Final = re.compile(r"(.+)-signed(?:-\w+)?")
Turn = tuple[tuple[int, ...], int]  # of a version: characters, and the number after them


class _Property(msgspec.Struct):
    name: str
    value: str


class Part(msgspec.Struct):
    """One component of a bill."""

    name: str
    version: str
    purl: str
    properties: list[_Property] = []

    @property
    def source(self) -> tuple[str, str]:
        """Debian's source package as its tracker knows it; of others nothing."""
        told = {one.name: one.value for one in self.properties}
        name, version = told.get(SOURCE, ""), told.get(SOURCE_VERSION, "")
        # A kernel with Debian's signature comes from a source package of its own; the tracker
        # knows the one that was signed, whose version the package itself has.
        signed = _SIGNED.fullmatch(name)
        return (signed[1], self.version) if signed else (name, version)


class _Bill(msgspec.Struct):
    components: list[Part]


class _Suite(msgspec.Struct):
    status: str
    fixed_version: str = ""
    urgency: str = ""


class _Issue(msgspec.Struct):
    releases: dict[str, _Suite] = {}
    description: str = ""


class _Package(msgspec.Struct):
    ecosystem: str
    name: str


class _Event(msgspec.Struct):
    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None


class _Range(msgspec.Struct):
    type: str
    events: list[_Event] = []


class _Affected(msgspec.Struct):
    package: _Package | None = None
    ranges: list[_Range] = []
    versions: list[str] = []


class _Osv(msgspec.Struct):
    id: str
    summary: str = ""
    aliases: list[str] = []
    affected: list[_Affected] = []
    withdrawn: str = ""


class Found(msgspec.Struct, frozen=True, order=True):
    """One vulnerability of one package."""

    id: str
    purl: str
    name: str
    version: str
    fixed: str = ""  # the first version without it; empty: there is none yet
    weight: str = ""
    text: str = ""


def _order(char: str) -> int:
    """Of a character outside of digits: a tilde before the end, letters before all else."""
    if char == "~":
        return -1
    return ord(char) if char.isalpha() else ord(char) + 256


def _key(part: str) -> list[Turn]:
    """Of an upstream version or a Debian revision: text and number in turn (Policy 5.6.12)."""
    pieces = re.findall(r"(\D*)(\d*)", part)[:-1] or [("", "")]
    # Past the end of a text stands 0: more than a tilde, less than anything else.
    return [((*map(_order, text), 0), int(number or 0)) for text, number in pieces]


def debian_older(one: str, other: str) -> bool:
    """Whether a version of Debian's comes before another."""
    (epoch, upstream, revision), (epoch_2, upstream_2, revision_2) = _split(one), _split(other)
    if epoch != epoch_2:
        return epoch < epoch_2
    for left, right in (*_padded(upstream, upstream_2), *_padded(revision, revision_2)):
        if left != right:
            return left < right
    return False


def _split(version: str) -> tuple[int, list[Turn], list[Turn]]:
    epoch, colon, rest = version.partition(":")
    upstream, dash, revision = (rest if colon else version).rpartition("-")
    parts = (upstream, revision) if dash else (revision, "")
    return int(epoch) if colon else 0, _key(parts[0]), _key(parts[1])


def _padded(one: list[Turn], other: list[Turn]) -> Iterator[tuple[Turn, Turn]]:
    return itertools.zip_longest(one, other, fillvalue=((0,), 0))


def debian(parts: list[Part], tracker: Mapping[str, Mapping[str, _Issue]]) -> list[Found]:
    """What Debian's tracker says of the source packages; unimportant ones are passed over."""
    found = []
    for part in parts:
        source, version = part.source
        for name, issue in tracker.get(source, {}).items():
            suite = issue.releases.get(SUITE)
            if suite is None or suite.urgency == "unimportant":
                continue
            fixed = suite.fixed_version
            mended = fixed == NEVER or (bool(fixed) and not debian_older(version, fixed))
            if suite.status == "resolved" and mended:
                continue
            text = " ".join(issue.description.split())
            found.append(
                Found(name, part.purl, part.name, part.version,
                      "" if suite.status == "open" else fixed, suite.urgency, text)
            )  # fmt: skip
    return sorted(found)


def wheels(parts: list[Part], known: Iterator[_Osv]) -> list[Found]:
    """What OSV says of Python's packages."""
    ours = {plain(part.name): part for part in parts if part.purl.startswith("pkg:pypi/")}
    found = set()
    for one in known:
        if one.withdrawn:
            continue
        for affected in one.affected:
            package = affected.package
            if package is None or package.ecosystem != "PyPI" or plain(package.name) not in ours:
                continue
            part = ours[plain(package.name)]
            hit, fixed = _hit(part.version, affected)
            if hit:
                name = next((a for a in one.aliases if a.startswith("CVE-")), one.id)
                found.add(Found(name, part.purl, part.name, part.version, fixed, "", one.summary))
    return sorted(found)


def _hit(version: str, affected: _Affected) -> tuple[bool, str]:
    """Whether a version is affected, and the first one above it that is not (OSV schema 1.6)."""
    here = _version(version)
    hit, fixes = version in affected.versions, []
    for span in affected.ranges:
        if span.type != "ECOSYSTEM":
            continue
        inside = False
        for event in sorted(span.events, key=lambda e: _version(_at(e))):
            at = _version(_at(event))
            if event.introduced is not None and at <= here:
                inside = True
            elif event.fixed is not None:
                inside = inside and at > here
                fixes += [at] if at > here else []
            elif event.last_affected is not None:
                inside = inside and at >= here
        hit = hit or inside
    return hit, str(min(fixes)) if fixes else ""


def _at(event: _Event) -> str:
    return event.introduced or event.fixed or event.last_affected or "0"


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        return Version("0")


def read_osv(path: Path) -> Iterator[_Osv]:
    """Entries of a zip file, a folder or one file; raises UsageError."""
    try:
        if path.is_dir():
            for file in sorted(path.glob("*.json")):
                yield msgspec.json.decode(file.read_bytes(), type=_Osv)
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in sorted(archive.namelist()):
                    yield msgspec.json.decode(archive.read(name), type=_Osv)
        else:
            yield msgspec.json.decode(path.read_bytes(), type=_Osv)
    except OSError as e:
        raise UsageError(f"{path}: cannot be read: {e.strerror}") from e
    except (*UNREADABLE, zipfile.BadZipFile) as e:
        raise UsageError(f"{path}: no entries of OSV: {e}") from e


def read_bill(path: Path) -> list[Part]:
    """Components; raises UsageError."""
    return _decoded(path, _Bill, "no bill of materials").components


def read_tracker(path: Path) -> dict[str, dict[str, _Issue]]:
    """Debian's list: source package, name of the issue, what is known; raises UsageError."""
    return _decoded(path, dict[str, dict[str, _Issue]], "not the list of Debian's security tracker")


def _decoded(path: Path, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as e:
        raise UsageError(f"{path}: cannot be read: {e.strerror}") from e
    except UNREADABLE as e:
        raise UsageError(f"{path}: {what}: {e}") from e


def with_vulnerabilities(bill: bytes, found: list[Found]) -> bytes:
    """The bill as CycloneDX has it: each vulnerability once, with the components it affects."""
    document = json.loads(bill)
    rows = []
    for name, group in itertools.groupby(found, key=lambda one: one.id):
        ones = list(group)
        row: dict[str, object] = {
            "id": name,
            "description": ones[0].text,
            "affects": [{"ref": one.purl} for one in ones],
        }
        fixes = sorted({f"{one.name} {one.fixed}" for one in ones if one.fixed})
        if fixes:
            row["recommendation"] = f"mended in {', '.join(fixes)}"
        rows.append(row)
    document["vulnerabilities"] = rows
    return (json.dumps(document, indent=1) + "\n").encode()


def lines(found: list[Found]) -> list[str]:
    """One for each package and vulnerability, and one for all."""
    rows = [
        f"{one.id}  {one.name} {one.version}  "
        + (f"mended in {one.fixed}" if one.fixed else "not mended yet")
        + (f"  {one.weight}" if one.weight else "")
        for one in found
    ]
    mended = len({(one.id, one.name) for one in found if one.fixed})
    names = len({one.id for one in found})
    return [*rows, f"{names} known vulnerabilities; {mended} times a newer version mends one"]


def main() -> int:
    """Print the list, and write it with ``--out``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bill", type=Path)
    parser.add_argument("--debian", type=Path, metavar="FILE", help="the tracker's list")
    parser.add_argument("--osv", type=Path, metavar="ZIP|FOLDER|FILE", help="OSV's for PyPI")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the bill with what was found")
    args = parser.parse_args()
    try:
        if not (args.debian or args.osv):
            raise UsageError("no database given", hint="--debian FILE, --osv FILE")
        parts = read_bill(args.bill)
        found = debian(parts, read_tracker(args.debian)) if args.debian else []
        found = sorted([*found, *(wheels(parts, read_osv(args.osv)) if args.osv else [])])
        if args.out:
            args.out.write_bytes(with_vulnerabilities(args.bill.read_bytes(), found))
    except ScannerError as e:
        print(f"firmware: error: {e}", file=sys.stderr)
        return e.exit_code
    print("\n".join(lines(found)))
    return EXIT_FIXABLE if any(one.fixed for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
