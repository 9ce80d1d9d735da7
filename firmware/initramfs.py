"""The archive a kernel starts from: one program, one script, the modules on the way to the root."""

import gzip
import lzma
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from scanner.errors import UsageError

# On the way from the kernel to the root of either image; those built into a kernel are passed over.
MODULES: Final = (
    *("virtio_pci", "virtio_mmio", "virtio_blk", "sdhci-iproc", "bcm2835", "sdhci-brcmstb"),
    *("loop", "squashfs", "overlay", "ext4", "vfat", "nls_cp437", "nls_ascii", "nls_iso8859-1"),
)
NEEDED: Final = frozenset({"squashfs", "overlay", "ext4", "vfat"})


def modules(root: Path, version: str) -> list[str]:
    """Files of the kernel's modules, each after those it needs, relative to ``root``.

    Reads modules.dep as depmod writes it. Raises UsageError where one is neither there nor built
    into the kernel.
    """
    folder = root / "lib/modules" / version
    needs: dict[str, list[str]] = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needs[path] = others.split()
    built_in = {_name(line) for line in (folder / "modules.builtin").read_text().splitlines()}
    by_name = {_name(path): path for path in needs}
    order: list[str] = []
    for name in MODULES:
        wanted = name.replace("-", "_")
        if wanted in by_name:
            # The file's own needs are listed from the nearest to the farthest.
            order += [*reversed(needs[by_name[wanted]]), by_name[wanted]]
        elif name in NEEDED and wanted not in built_in:
            raise UsageError(f"kernel {version} has no {name}")
    return [f"lib/modules/{version}/{path}" for path in dict.fromkeys(order)]


def _name(path: str) -> str:
    return Path(path.strip()).name.split(".ko")[0].replace("-", "_")


def build(root: Path, version: str, init: Path) -> bytes:
    """The packed archive for one kernel; the same tree gives the same bytes."""
    folders = ("bin", "dev", "proc", "sys", "run", "lib", "lib/modules")
    files: dict[str, tuple[int, bytes]] = dict.fromkeys(folders, (stat.S_IFDIR | 0o755, b""))
    files["bin/busybox"] = (stat.S_IFREG | 0o755, (root / "bin/busybox").read_bytes())
    files["init"] = (stat.S_IFREG | 0o755, init.read_bytes())
    listed = []
    for path in modules(root, version):
        content = (root / path).read_bytes()
        name = f"lib/modules/{Path(path).name.removesuffix('.xz')}"
        files[name] = (
            stat.S_IFREG | 0o644,
            lzma.decompress(content) if path.endswith(".xz") else content,
        )
        listed.append(f"/{name}\n")
    files["modules"] = (stat.S_IFREG | 0o644, "".join(listed).encode())
    return gzip.compress(cpio(files), mtime=0)


def cpio(files: Mapping[str, tuple[int, bytes]]) -> bytes:
    """A "newc" archive of name: (mode, content), in order; owner root, no times."""
    return b"".join(
        [*_entries((name, *entry) for name, entry in files.items()), *_trailer(len(files))]
    )


def _entries(files: Iterable[tuple[str, int, bytes]]) -> Iterable[bytes]:
    for number, (name, mode, content) in enumerate(files, start=1):
        yield _entry(number, name, mode, content)


def _trailer(count: int) -> Iterable[bytes]:
    yield _entry(count + 1, "TRAILER!!!", 0, b"")


def _entry(number: int, name: str, mode: int, content: bytes) -> bytes:
    encoded = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + encoded) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
