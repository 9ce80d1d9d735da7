"""What is in an image, as CycloneDX 1.5: Debian's packages by dpkg, Python's by their metadata.

``python -m firmware.sbom TREE`` prints it. Made from the tree itself, so that it cannot leave out
what is installed; nothing in it says when it was made.
"""

import json
import re
import sys
import urllib.parse
import uuid
from email.parser import HeaderParser
from pathlib import Path
from typing import Final

import msgspec

from firmware.rootfs import Built

SPEC: Final = "1.5"
NAMESPACE: Final = uuid.UUID("5ca22e00-0000-4000-8000-000000000000")
WHERE: Final = "usr/share/scanner/sbom.cdx.json"
INSTALLED: Final = "install ok installed"
SOURCE, SOURCE_VERSION = "cctv-scanner:source", "cctv-scanner:source-version"


class Component(msgspec.Struct, frozen=True, order=True):
    """One package."""

    purl: str
    name: str
    version: str
    licences: tuple[str, ...] = ()
    source: tuple[str, str] = ("", "")  # name and version of Debian's source package


def debian(root: Path) -> list[Component]:
    """What ``dpkg -l`` calls installed, with the licences that its copyright file names."""
    found = []
    for block in (root / "var/lib/dpkg/status").read_text(encoding="utf-8").split("\n\n"):
        fields = HeaderParser().parsestr(block)
        if fields.get("Status") != INSTALLED:
            continue
        name, version, arch = (fields[key] for key in ("Package", "Version", "Architecture"))
        quoted = urllib.parse.quote(version, safe="")
        purl = f"pkg:deb/debian/{name}@{quoted}?arch={arch}&distro=debian-12"
        source = _source(fields.get("Source", name), version)
        found.append(Component(purl, name, version, _licences(root, name), source))
    return sorted(found)


def _source(field: str, version: str) -> tuple[str, str]:
    """Name and version: the version stands in brackets where it is another than the package's."""
    name, _, other = field.partition(" ")
    return name, other.strip("() ") or version


def _licences(root: Path, name: str) -> tuple[str, ...]:
    path = root / "usr/share/doc" / name / "copyright"
    if not path.is_file():
        return ()
    text = path.read_text(encoding="utf-8", errors="replace")
    return tuple(sorted(set(re.findall(r"^License:[ \t]+(\S.*?)\s*$", text, re.MULTILINE))))


def python(root: Path) -> list[Component]:
    """What ``pip list`` would name, in every folder of packages of the tree."""
    found = set()
    for folder in root.glob("**/site-packages"), root.glob("usr/lib/python3/dist-packages"):
        for place in folder:
            for path in (*place.glob("*.dist-info/METADATA"), *place.glob("*.egg-info/PKG-INFO"),
                         *place.glob("*.egg-info")):  # fmt: skip
                if path.is_file():
                    found.add(_python(path))
    return sorted(found)


def _python(path: Path) -> Component:
    fields = HeaderParser().parsestr(path.read_text(encoding="utf-8", errors="replace"))
    name, version = fields["Name"], fields["Version"]
    licence = fields.get("License-Expression") or fields.get("License") or ""
    known = (licence,) if licence and "\n" not in licence and licence != "UNKNOWN" else ()
    plain = re.sub(r"[-_.]+", "-", name).lower()
    return Component(f"pkg:pypi/{plain}@{version}", name, version, known)


def document(root: Path, built: Built) -> bytes:
    """The bill; the same tree gives the same bytes."""
    components = [*debian(root), *python(root)]
    ours = {
        "type": "firmware", "bom-ref": built.target,
        "name": built.target, "version": str(built.release),
    }  # fmt: skip
    body = {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "version": 1,
        "metadata": {"component": ours},
        "components": [_json(component) for component in components],
    }
    serial = uuid.uuid5(NAMESPACE, json.dumps(body, sort_keys=True))
    return (json.dumps({"serialNumber": f"urn:uuid:{serial}", **body}, indent=1) + "\n").encode()


def _json(component: Component) -> dict[str, object]:
    said: dict[str, object] = {
        "type": "library", "bom-ref": component.purl, "name": component.name,
        "version": component.version, "purl": component.purl,
    }  # fmt: skip
    if component.licences:
        said["licenses"] = [{"license": {"name": name}} for name in component.licences]
    if component.source[0]:
        # What Debian's list of vulnerabilities goes by.
        pairs = zip((SOURCE, SOURCE_VERSION), component.source, strict=True)
        said["properties"] = [{"name": name, "value": value} for name, value in pairs]
    return said


def write(root: Path, work: Path, built: Built) -> Path:
    """Put the bill into the tree and beside it; the path beside it."""
    content = document(root, built)
    target = root / WHERE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    beside = work / "sbom.cdx.json"
    beside.write_bytes(content)
    return beside


if __name__ == "__main__":
    print(document(Path(sys.argv[1]), Built(target="tree", release=0, built=0)).decode(), end="")
