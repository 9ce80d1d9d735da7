"""Makers of updates for the emulated machine, and three releases of them.

::

    python -m tests.firmware.releases keys FOLDER      before the image: --trust FOLDER/...
    python -m tests.firmware.releases offer FOLDER     after it: next, sick and dead

``next`` is the image's own tree under a later number. ``sick`` is that with a unit that cannot
start, which ``scanner doctor`` finds. ``dead`` has no system in it at all. Their keys come from
fixed seeds, so that two builds of one commit trust the same bytes; nobody else may trust them.
"""

import argparse
import datetime as dt
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware import disk
from firmware.build import CACHE, epoch
from firmware.layering import CONFIGS, read_image
from firmware.release import Repository, write_payload
from firmware.rootfs import Built, run

MAKERS: Final = ("one", "two", "three", "online")
WORK: Final = CACHE / "scanner-qemu"
UNIT: Final = "etc/systemd/system/scanner-watch.service.d/99-broken.conf"
BROKEN: Final = "[Service]\nExecStart=\nExecStart=/opt/scanner/bin/not-there\n"
DEAD_BYTES: Final = 1 << 20


def keys(folder: Path, when: int) -> Path:
    """Make the keys and an empty repository; the root.json that an image is to trust."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in MAKERS:
        key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (folder / name).write_bytes(pem)
    repository = Repository(folder / "empty", dt.datetime.fromtimestamp(when, dt.UTC))
    makers = [folder / name for name in MAKERS[:3]]
    repository.init(makers, makers, folder / "online", threshold=2)
    return folder / "empty/root.json"


def offer(folder: Path) -> None:
    """Publish the three releases in folders of their own, from the tree that was built last."""
    root = WORK / "root"
    old = msgspec.json.decode((root / "usr/share/scanner/release.json").read_bytes(), type=Built)
    image = read_image(CONFIGS / "scanner-qemu.yaml")
    slot = disk.slot_files(image, root, WORK / "kernels")
    for number, (name, change) in enumerate(CHANGES.items(), start=1):
        release = msgspec.structs.replace(old, release=old.release + number)
        packed = folder / f"{name}.squashfs"
        change(packed, release)
        payload = folder / f"{name}.payload"
        write_payload(payload, release, packed, slot)
        repository = folder / name
        shutil.rmtree(repository, ignore_errors=True)
        shutil.copytree(folder / "empty", repository)
        signers = [folder / "one", folder / "two"]
        seen = Repository(repository, dt.datetime.now(dt.UTC)).add(
            payload, signers, folder / "online"
        )
        assert seen, f"{name}: two of three did not do"
        shutil.rmtree(payload)
        packed.unlink()


def _changed(packed: Path, release: Built, files: dict[str, str]) -> None:
    """The tree as it is, under another number and with these files besides."""
    tree = WORK / "root"
    twin = WORK / "twin"
    shutil.rmtree(twin, ignore_errors=True)
    # The same files under second names: what is written there must be a new file.
    subprocess.run(["cp", "--archive", "--link", tree, twin], check=True)
    told = json.dumps(msgspec.to_builtins(release)) + "\n"
    for name, text in {"usr/share/scanner/release.json": told, **files}.items():
        (twin / name).unlink(missing_ok=True)
        (twin / name).write_text(text)
    packed.unlink(missing_ok=True)
    # Packed less well than the image, in a fifth of the time.
    run(
        *("env", "--unset=SOURCE_DATE_EPOCH"),
        *("mksquashfs", twin, packed, "-quiet", "-no-progress", "-noappend"),
        *("-comp", "zstd", "-Xcompression-level", "1"),
    )
    shutil.rmtree(twin)


def _next(packed: Path, release: Built) -> None:
    _changed(packed, release, {})


def _sick(packed: Path, release: Built) -> None:
    _changed(packed, release, {UNIT: BROKEN})


def _dead(packed: Path, release: Built) -> None:
    assert release.release
    packed.write_bytes(hashlib.shake_256(b"no system").digest(DEAD_BYTES))


CHANGES: Final[dict[str, Callable[[Path, Built], None]]] = {
    "next": _next, "sick": _sick, "dead": _dead,
}  # fmt: skip


def main() -> int:
    """Keys or releases; prints what an image is to trust, or where the releases lie."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("keys", "offer"))
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    if args.what == "keys":
        print(keys(args.folder, epoch()))
        return 0
    if os.geteuid() and not os.environ.get("FIRMWARE_NAMESPACE"):
        # Files of other owners, as they were built.
        os.environ["FIRMWARE_NAMESPACE"] = "1"
        command = ["unshare", "--map-root-user", "--map-auto", "--mount", sys.executable, "-m"]
        os.execvp("unshare", [*command, "tests.firmware.releases", *sys.argv[1:]])  # noqa: S606
    offer(args.folder)
    print(args.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
