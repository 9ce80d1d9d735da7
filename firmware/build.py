"""The flashable image: ``python -m firmware.build --target qemu``.

Each step leaves its result below ``build/firmware``; what is there and fits is not made again.
Nothing needs root: without it the tree is made in a user namespace (``unshare --map-auto``).
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from firmware import base, disk, manifest, parts, rootfs, sbom, signatures
from firmware.layering import CONFIGS, Definition, Image, read_image, read_layers, resolve
from firmware.release import write_payload
from firmware.trust import lasts
from scanner.errors import DeviceError, ScannerError, UsageError

ROOT: Final = rootfs.ROOT
CACHE: Final = ROOT / "build" / "firmware"
TOOLS: Final = {  # program: Debian's package
    "mmdebstrap": "mmdebstrap", "arch-test": "arch-test", "mksquashfs": "squashfs-tools",
    "mkfs.vfat": "dosfstools", "mcopy": "mtools", "genimage": "genimage", "depmod": "kmod",
    "openssl": "openssl", "xz": "xz-utils", "bmaptool": "bmap-tools",
}  # fmt: skip
PI_HOST: Final = "archive.raspberrypi.com"
NO_PI: Final = f"no network to {PI_HOST}, which has the Pi's kernel, firmware and libcamera"
PATIENCE_S: Final = 10.0
T = TypeVar("T")


class Progress:
    """One line when a step begins, one when it is done."""

    def __init__(self, steps: int) -> None:
        self._steps, self._number, self._began_s = steps, 0, time.monotonic()

    def do(self, what: str, work: Callable[[], T]) -> T:
        """One step."""
        self._number += 1
        began_s = time.monotonic()
        print(f"[{self._number}/{self._steps}] {what}", flush=True)
        result = work()
        now = time.monotonic()
        print(f"      {now - began_s:.0f} s, {now - self._began_s:.0f} s in all", flush=True)
        return result


def epoch() -> int:
    """Time of what is built: SOURCE_DATE_EPOCH, or the last commit's."""
    told = os.environ.get("SOURCE_DATE_EPOCH") or subprocess.run(
        ["git", "log", "-1", "--format=%ct"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    if not told:
        raise UsageError("no commit here to take the time of", hint="set SOURCE_DATE_EPOCH")
    return int(told)


def reachable(host: str) -> None:
    """Raise DeviceError with one line where the Pi's archive cannot be asked."""
    try:
        socket.create_connection((host, 80), PATIENCE_S).close()
    except OSError as e:
        raise DeviceError(NO_PI, hint="build where it is, or `make image-qemu` for a test") from e


def missing_tools() -> list[str]:
    """Debian packages that this machine lacks."""
    return sorted({package for program, package in TOOLS.items() if not shutil.which(program)})


def unprivileged() -> None:
    """Go on inside a user namespace where we are not root: files there may have any owner."""
    if os.geteuid() and not os.environ.get("FIRMWARE_NAMESPACE"):
        os.environ["FIRMWARE_NAMESPACE"] = "1"
        command = ["unshare", "--map-root-user", "--map-auto", "--mount", sys.executable, "-m"]
        os.execvp("unshare", [*command, "firmware.build", *sys.argv[1:]])  # noqa: S606


def make(image: Image, definition: Definition, args: argparse.Namespace) -> Path:
    """All steps; the folder with what is to be published."""
    when = epoch()
    built = rootfs.Built(target=image.info.name, release=args.release or when, built=when)
    name = f"{image.info.name}-{built.release}"
    work, root = CACHE / image.info.name, CACHE / image.info.name / "root"
    work.mkdir(parents=True, exist_ok=True)
    os.environ["SOURCE_DATE_EPOCH"] = str(when)
    step = Progress(7)
    archive = step.do("Debian's packages", lambda: base.archive(definition, CACHE))
    debs = [step.do("our package", lambda: rootfs.package(CACHE, when))]
    if image.edgetpu_sha256 is not None and not args.without_edgetpu:
        debs.append(parts.edgetpu(args.edgetpu, image.edgetpu_sha256))
    step.do(
        "the tree",
        lambda: rootfs.build(
            root, definition, base=archive, debs=debs, built=built, trust=args.trust
        ),
    )
    bill = step.do("what is in it", lambda: sbom.write(root, work, built))
    packed = work / "root.squashfs"
    step.do("the read-only root", lambda: disk.squash(root, packed, when))

    def card() -> Path:
        slot = disk.slot_files(image, root, work / "kernels")
        files = disk.boot_files(image, root, slot, built.release)
        disk.fat(files, work / "boot.vfat", when)
        write_payload(work / "payload", built, packed, slot)
        return disk.assemble(image, work, name)

    raw = step.do("the card", card)

    def publish() -> Path:
        out: Path = args.out / name
        out.mkdir(parents=True, exist_ok=True)
        if args.keep_raw:
            shutil.copyfile(raw, out / raw.name)
        if args.no_pack:
            return out
        manifest.publish(raw, out, image=image, built=built, url=args.url)
        shutil.copyfile(bill, out / f"{name}.cdx.json")
        signatures.write_sums(out)
        if args.key:
            signatures.sign(out / signatures.SUMS, args.key, when)
        return out

    return step.do("to publish", publish)


def main() -> int:
    """Build one image; prints the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=("pi", "qemu"), required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--release", type=int, default=0, help="number; the commit's time without")
    parser.add_argument("--url", default="https://example.org/scanner", help="where it will lie")
    parser.add_argument("--trust", type=Path, help="root.json: whose updates it will take")
    parser.add_argument("--key", type=Path, help="minisign-like key by firmware/signatures.py")
    parser.add_argument("--edgetpu", type=Path, help="package of Google's library for the Coral")
    parser.add_argument("--without-edgetpu", action="store_true", help="an image without it")
    parser.add_argument(
        "--keep-raw", action="store_true", help="leave the unpacked image there too"
    )
    parser.add_argument("--no-pack", action="store_true", help="end with the unpacked image")
    args = parser.parse_args()
    try:
        image = read_image(CONFIGS / f"scanner-{args.target}.yaml")
        definition = resolve(image, read_layers())
        if args.trust:
            # By the time of the source, as all else: the same source ends the same way.
            lasts(args.trust, epoch())
        if args.target == "pi":
            reachable(PI_HOST)
        if image.edgetpu_sha256 is not None and not args.without_edgetpu:
            parts.edgetpu(args.edgetpu, image.edgetpu_sha256)
        if missing := missing_tools():
            raise UsageError(
                f"missing here: {', '.join(missing)}",
                hint=f"sudo apt-get install {' '.join(missing)}",
            )
        unprivileged()
        print(make(image, definition, args))
    except ScannerError as e:
        print(f"firmware: error: {e}", file=sys.stderr)
        return e.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
