"""What a kernel starts from: an archive that is read again, with modules in the right order."""

import gzip
import lzma
import stat
from pathlib import Path

import pytest

from firmware import initramfs
from firmware.layering import FOLDER
from scanner.errors import UsageError

VERSION = "6.1.0-test"
DEPENDENCIES = """\
kernel/fs/squashfs/squashfs.ko:
kernel/fs/overlayfs/overlay.ko.xz:
kernel/fs/fat/vfat.ko: kernel/fs/fat/fat.ko
kernel/fs/fat/fat.ko:
kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/lib/crc16.ko
kernel/fs/jbd2/jbd2.ko:
kernel/lib/crc16.ko:
kernel/drivers/net/other.ko:
"""


def tree(folder: Path, *, dependencies: str = DEPENDENCIES, built_in: str = "") -> Path:
    modules = folder / "lib/modules" / VERSION
    modules.mkdir(parents=True)
    (modules / "modules.dep").write_text(dependencies)
    (modules / "modules.builtin").write_text(built_in)
    for line in DEPENDENCIES.splitlines():
        path = modules / line.split(":")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.name.encode()
        path.write_bytes(lzma.compress(text) if path.suffix == ".xz" else text)
    (folder / "bin").mkdir()
    (folder / "bin/busybox").write_bytes(b"busybox")
    return folder


def unpacked(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Of a newc archive: 6 + 13 * 8 characters, name, content, each padded to 4."""
    found, at = {}, 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, length = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 110 + length - 1].decode()
        at = (at + 110 + length + 3) // 4 * 4
        if name == "TRAILER!!!":
            return found
        found[name] = (mode, archive[at : at + size])
        at = (at + size + 3) // 4 * 4


def test_it_holds_one_program_one_script_and_the_modules_in_order(tmp_path: Path) -> None:
    packed = initramfs.build(tree(tmp_path), VERSION, FOLDER / "init")
    files = unpacked(gzip.decompress(packed))
    assert files["init"] == (stat.S_IFREG | 0o755, (FOLDER / "init").read_bytes())
    assert files["bin/busybox"] == (stat.S_IFREG | 0o755, b"busybox")
    names = [Path(line).name for line in files["modules"][1].decode().splitlines()]
    assert set(names) == {
        "squashfs.ko", "overlay.ko", "vfat.ko", "fat.ko", "ext4.ko", "jbd2.ko", "crc16.ko",
    }  # fmt: skip
    assert names.index("fat.ko") < names.index("vfat.ko")
    assert names.index("crc16.ko") < names.index("ext4.ko")
    assert names.index("jbd2.ko") < names.index("ext4.ko")
    assert files["lib/modules/overlay.ko"][1] == b"overlay.ko.xz"
    assert {mode for mode, _ in files.values() if stat.S_ISDIR(mode)} == {stat.S_IFDIR | 0o755}


def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = (
        initramfs.build(tree(tmp_path / name), VERSION, FOLDER / "init") for name in ("one", "two")
    )
    assert one == other


def test_what_is_built_in_is_not_missed_and_what_is_nowhere_is(tmp_path: Path) -> None:
    without = DEPENDENCIES.replace("kernel/fs/squashfs/squashfs.ko:\n", "")
    good = tree(
        tmp_path / "good", dependencies=without, built_in="kernel/fs/squashfs/squashfs.ko\n"
    )
    assert not any("squashfs" in name for name in initramfs.modules(good, VERSION))
    with pytest.raises(UsageError, match="has no squashfs"):
        initramfs.modules(tree(tmp_path / "bad", dependencies=without), VERSION)
