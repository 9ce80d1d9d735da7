"""An emulated machine with a kernel of its own, that runs test files one after the other.

Its clock counts instructions, two in a nanosecond, whatever this machine takes for them: what is
promised in seconds is held against a processor of about a Pi 4's speed. All of it lies in its
memory, so that it needs no driver but that of the console.
"""

import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

MEMORY_MIB: Final = 3072
# An instruction takes QEMU's clock a nanosecond and the machine's counter counts no faster: by a
# counter said to count twice in a nanosecond, time passes half as fast in the machine.
PROCESSOR: Final = "cortex-a72,cntfrq=2000000000"
PACKING: Final = threading.Lock()  # what a machine is to run lies in the tree meanwhile
PYTEST: Final = (
    *("python", "-u", "-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.arm64.told"),
    *("-v", "--tb=short", "-o", "addopts=--import-mode=importlib"),
)
# Nothing of it is needed to run the tests, and it all is to be unpacked.
UNWANTED: Final = (
    *("./boot", "./var/cache", "./var/lib/apt", "./usr/share/doc", "./usr/share/man"),
    *("./usr/share/locale", "./proc", "./sys", "./dev", "./tmp", "./run", "./usr/share/i18n"),
    *("*/site-packages/playwright", "*/site-packages/mypy", "*/site-packages/mypyc"),
    *("*/site-packages/*__mypyc*", "*/site-packages/bin", "*/site-packages/pip"),
    *("*/site-packages/psycopg_binary*", "./opt/v/bin/ruff", "./usr/lib/udev", "./frames"),
)
INIT: Final = f"""#!/bin/sh
mkdir -p /proc /sys /dev /tmp /run
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
exec </dev/ttyAMA0 >/dev/ttyAMA0 2>&1
stty raw -echo
mkdir -p /dev/pts /dev/shm
[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237  # a device to be refused
mount -t devpts pts /dev/pts; mount -t tmpfs shm /dev/shm; mount -t tmpfs run /run
mount -t tmpfs -o mode=1777 tmp /tmp
ln -sf /proc/self/fd /dev/fd
ulimit -n 4096
export HOME=/root LANG=C.UTF-8 PATH=/opt/v/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb
export PYTHONDONTWRITEBYTECODE=1
python -c 'import fcntl, socket
fcntl.ioctl(socket.socket(), 0x8914, b"lo".ljust(16, b"\\0") + (0x49).to_bytes(24, "little"))'
export FUZZ_SECONDS=2.5  # a second on a build machine, which does five times as much in it
cd /src
{" ".join(PYTEST)} -o timeout=3600 $(cat /pieces)
sync
echo o >/proc/sysrq-trigger
sleep 60
"""


def pack(tree: Path, target: Path, pieces: Sequence[str]) -> None:
    """The tree with a program that runs the pieces, as the archive that a kernel starts from."""
    (tree / "init").write_text(INIT)
    (tree / "init").chmod(0o755)
    (tree / "pieces").write_text("\n".join(f"tests/{name}" for name in pieces))
    unwanted = [word for name in UNWANTED for word in ("-path", name, "-prune", "-o")]
    with target.open("wb") as out:
        found = subprocess.Popen(
            ["find", ".", *unwanted, "-print0"], cwd=tree, stdout=subprocess.PIPE
        )
        subprocess.run(
            ["cpio", "--null", "--create", "--format=newc", "--quiet"],
            cwd=tree, stdin=found.stdout, stdout=out, check=True,
        )  # fmt: skip
        found.communicate()


def run(tree: Path, pieces: Sequence[str], folder: Path) -> Iterator[str]:
    """Start it and give what it says, line by line; its console stays in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / "archive"
    with PACKING:
        pack(tree, archive, pieces)
    command = ["qemu-system-aarch64", "-M", "virt", "-cpu", PROCESSOR, "-smp", "1"]
    command += ["-m", str(MEMORY_MIB), "-icount", "shift=0,sleep=off", "-accel", "tcg"]
    command += ["-display", "none", "-no-reboot", "-no-user-config", "-nic", "none"]
    command += ["-kernel", str(tree / "boot/vmlinuz"), "-initrd", str(archive)]
    command += ["-monitor", "none", "-serial", "stdio"]
    command += ["-append", "console=ttyAMA0 quiet panic=-1 rdinit=/init"]
    process = subprocess.Popen(
        ["nice", "-n", "10", *command], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    assert process.stdout
    try:
        with (folder / "console.txt").open("w") as console:
            for line in process.stdout:
                console.write(line)
                console.flush()
                yield line.rstrip("\r\n")
    finally:
        process.kill()
        process.wait()
        archive.unlink()
