"""From a tree to a card: the packed root, the boot partition, the image."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from firmware import initramfs
from firmware.layering import FOLDER, Image
from firmware.rootfs import kernels, run
from scanner.errors import UsageError
from scanner.slots import entry

DISK_ID: Final = 0x5CA22E00  # stands in the MBR, and on the kernel's command line as bytes
BOOT_MIB: Final = 512  # room for an update that is put there
CMDLINE: Final = "quiet panic=10 scanner.slot={slot} scanner.disk={disk}"
CONSOLE: Final = (
    "console=ttyAMA0 systemd.show_status=1"  # an emulated machine's; a Pi shows nothing
)
# Radios stay off until somebody removes these lines.
CONFIG_TXT: Final = """\
os_prefix={slot}/
arm_64bit=1
auto_initramfs=1
camera_auto_detect=1
dtparam=watchdog=on
dtoverlay=disable-bt
dtoverlay=disable-wifi
gpu_mem=64
"""
GENIMAGE: Final = """\
image {name}.img {{
	hdimage {{
		partition-table-type = "mbr"
		disk-signature = {disk:#010x}
		align = 4M
	}}
	partition boot {{
		partition-type = {kind:#04x}
		bootable = "true"
		image = "boot.vfat"
	}}
	partition a {{
		partition-type = 0x83
		image = "root.squashfs"
		size = {root}M
	}}
	partition b {{
		partition-type = 0x83
		size = {root}M
	}}
}}
"""


def squash(root: Path, target: Path, epoch: int) -> None:
    """The tree as a read-only file system; the same tree gives the same bytes."""
    target.unlink(missing_ok=True)
    # It takes its time from the environment or from its options, and refuses both.
    run(
        *("env", "--unset=SOURCE_DATE_EPOCH"),
        *("mksquashfs", root, target, "-quiet", "-no-progress", "-comp", "gzip", "-noappend"),
        *("-mkfs-time", str(epoch), "-all-time", str(epoch)),
    )


def command_line(slot: str) -> str:
    """The kernel's, for a slot."""
    return CMDLINE.format(slot=slot, disk=DISK_ID.to_bytes(4, "little").hex())


def slot_files(image: Image, root: Path, boot: Path) -> dict[str, bytes]:
    """What lies in a slot's folder on the boot partition; ``boot`` has the kernels."""
    files: dict[str, bytes] = {}
    init = FOLDER / "init"
    for version in kernels(root):
        if image.slots == "bootcounting":
            names = ("vmlinuz", "initrd")
        else:
            names = (("kernel_2712.img", "initramfs_2712") if "2712" in version
                     else ("kernel8.img", "initramfs8"))  # fmt: skip
        files[names[0]] = (boot / f"vmlinuz-{version}").read_bytes()
        files[names[1]] = initramfs.build(root, version, init)
    for path in sorted((root / "usr/lib").glob("linux-image-*-rpi-*/broadcom/*.dtb")):
        files[path.name] = path.read_bytes()
    for path in sorted((root / "usr/lib").glob("linux-image-*-rpi-*/overlays/*")):
        files[f"overlays/{path.name}"] = path.read_bytes()
    return files


def boot_files(image: Image, root: Path, slot: dict[str, bytes], release: int) -> dict[str, bytes]:
    """The whole boot partition of a new card: slot a, and the one who picks a slot."""
    files = {f"a/{name}": content for name, content in slot.items()}
    if image.slots == "bootcounting":
        loader = root / "usr/lib/systemd/boot/efi/systemd-bootaa64.efi"
        files["EFI/BOOT/BOOTAA64.EFI"] = loader.read_bytes()
        files["loader/loader.conf"] = b"timeout 0\neditor no\n"
        text = entry("a", release, f"{CONSOLE} {command_line('a')}")
        files["loader/entries/scanner-a.conf"] = text.encode()
        return files
    files["config.txt"] = CONFIG_TXT.format(slot="a").encode()
    files["a/cmdline.txt"] = (command_line("a") + "\n").encode()
    for path in sorted((root / "usr/lib/raspi-firmware").glob("*")):
        if path.suffix in (".bin", ".elf", ".dat"):
            files[path.name] = path.read_bytes()
    return files


def fat(files: dict[str, bytes], target: Path, epoch: int) -> None:
    """A FAT32 with these files; the same files give the same bytes."""
    folder = target.with_suffix(".files")
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (epoch, epoch))
    target.unlink(missing_ok=True)
    settled = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "TZ": "UTC", "MTOOLS_SKIP_CHECK": "1"}
    make = ["mkfs.vfat", "--invariant", "-F", "32", "-n", "SCANNER", "-i", "5ca22e01", "-C"]
    commands = [[*make, str(target), str(BOOT_MIB * 1024)]]
    folders = sorted(p for p in folder.rglob("*") if p.is_dir())
    commands += [["mmd", "-i", str(target), f"::/{p.relative_to(folder)}"] for p in folders]
    commands += [
        ["mcopy", "-m", "-i", str(target), str(folder / name), f"::/{name}"] for name in files
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=settled)
        if done.returncode:
            raise UsageError(f"{command[0]} ended with {done.returncode}", hint=done.stderr.strip())
    shutil.rmtree(folder)


def assemble(image: Image, work: Path, name: str) -> Path:
    """The card's image from boot.vfat and root.squashfs in the folder ``work``."""
    size = (work / "root.squashfs").stat().st_size
    if size > image.root_mib << 20:
        raise UsageError(
            f"the root has {size >> 20} MiB and a slot {image.root_mib}",
            hint="root_mib in firmware/config",
        )
    config = work / "genimage.cfg"
    # An EFI partition for a machine that looks for one; plain FAT for the Pi.
    kind = 0xEF if image.slots == "bootcounting" else 0x0C
    config.write_text(GENIMAGE.format(name=name, disk=DISK_ID, kind=kind, root=image.root_mib))
    for folder in ("genimage.tmp", "empty"):
        shutil.rmtree(work / folder, ignore_errors=True)
    (work / "empty").mkdir()
    run(
        *("genimage", "--config", config, "--inputpath", work, "--outputpath", work),
        *("--rootpath", work / "empty", "--tmppath", work / "genimage.tmp"),
        quiet=True,
    )
    shutil.rmtree(work / "genimage.tmp", ignore_errors=True)
    return work / f"{name}.img"
