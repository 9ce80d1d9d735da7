"""What Raspberry Pi Imager reads: ``rpi-imager --repo os_list.json``, and the files it names.

The sizes and digests are taken from the files as they lie there: Imager writes nothing usable where
``extract_sha256`` is not that of what it has unpacked.
"""

import datetime as dt
import hashlib
import json
import lzma
import subprocess
from pathlib import Path
from typing import Final

import msgspec

from firmware.layering import Image
from firmware.rootfs import Built, run
from scanner.errors import UsageError

NAME: Final = "os_list.json"
LOCAL: Final = "os_list_local.rpi-imager-manifest"  # beside an image on this machine's own disk
CHUNK: Final = 1 << 20
DESCRIPTION: Final = (
    "Finds surveillance cameras on a walk. Set up by a file on the card; of Imager's settings the"
    " wireless network is used, and user, ssh, host name and time zone are not"
)
ICON: Final = "icon.svg"
DRAWN: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40">
<circle cx="20" cy="20" r="18" fill="#1a66c9"/>
<circle cx="20" cy="20" r="9" fill="#ffffff"/><circle cx="20" cy="20" r="5" fill="#202124"/>
</svg>
"""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One image in Imager's list (format 4)."""

    name: str
    description: str
    icon: str
    url: str
    extract_size: int
    extract_sha256: str
    image_download_size: int
    image_download_sha256: str
    release_date: str
    devices: tuple[str, ...]
    architecture: str = "armv8"
    # Imager writes user-data and network-config: scanner/imager.py reads them, not cloud-init.
    init_format: str = "cloudinit"


def entry(packed: Path, *, url: str, image: Image, built: Built) -> Entry:
    """What is to be said of a packed image; reads it wholly. Raises UsageError."""
    size, digest = unpacked(packed)
    with packed.open("rb") as file:
        download = hashlib.file_digest(file, "sha256").hexdigest()
    when = dt.datetime.fromtimestamp(built.built, dt.UTC)
    return Entry(
        name=f"cctv-scanner {built.release}",
        description=DESCRIPTION,
        icon=f"{url.rpartition('/')[0]}/{ICON}",
        url=url,
        extract_size=size,
        extract_sha256=digest,
        image_download_size=packed.stat().st_size,
        image_download_sha256=download,
        release_date=when.date().isoformat(),
        devices=image.devices,
    )


def unpacked(packed: Path) -> tuple[int, str]:
    """Size and SHA-256 of what is in an .xz file; raises UsageError if it is cut short."""
    digest, size = hashlib.sha256(), 0
    try:
        with lzma.open(packed) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except (lzma.LZMAError, EOFError) as e:
        raise UsageError(f"{packed.name} is damaged: {e}", hint="build it again") from e
    return size, digest.hexdigest()


def text(entries: list[Entry]) -> str:
    """The list as Imager reads it."""
    return json.dumps({"os_list": [msgspec.to_builtins(e) for e in entries]}, indent=1) + "\n"


def publish(raw: Path, out: Path, *, image: Image, built: Built, url: str) -> None:
    """Pack an image into ``out``; beside it go its block map and both lists."""
    packed = out / f"{raw.name}.xz"
    with packed.open("wb") as file:
        # One thread: the number of threads would show in the bytes.
        command = ["xz", "--threads=1", "-1", "--check=crc64", "--stdout", str(raw)]
        if subprocess.run(command, stdout=file, check=False).returncode:
            raise UsageError("xz failed", hint="is the disk full?")
    run("bmaptool", "create", "--output", out / f"{raw.name}.bmap", raw, quiet=True)
    (out / ICON).write_text(DRAWN)
    at = url.rstrip("/")
    far = entry(packed, url=f"{at}/{packed.name}", image=image, built=built)
    (out / NAME).write_text(text([far]))
    near = msgspec.structs.replace(far, url=packed.resolve().as_uri())
    (out / LOCAL).write_text(text([near]))
