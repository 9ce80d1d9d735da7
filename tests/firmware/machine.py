"""The image in an emulated machine: its card, its switch, what it says on the console."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

BOOT_AT: Final = "@@4M"  # where the boot partition begins on the card
CARD: Final = 2 << 30
FIRMWARE: Final = Path("/usr/share/qemu-efi-aarch64/QEMU_EFI.fd")


class Card:
    """A copy of the image, larger than it, as a card is."""

    def __init__(self, image: Path, folder: Path) -> None:
        self.path = folder / "card.img"
        subprocess.run(["cp", "--sparse=always", image, self.path], check=True)
        with self.path.open("r+b") as file:
            file.truncate(CARD)

    def put(self, name: str, content: bytes) -> None:
        """A file on the boot partition, as from another computer."""
        source = self.path.with_name("put")
        source.write_bytes(content)
        self._mtools("mcopy", "-o", str(source), f"::/{name}")

    def put_folder(self, source: Path, name: str) -> None:
        """A folder with all in it."""
        self._mtools("mcopy", "-s", "-o", str(source), f"::/{name}")

    def names(self) -> str:
        """What lies on the boot partition."""
        return self._mtools("mdir", "-b", "-/", "::/")

    def read(self, name: str) -> bytes:
        """A file of the boot partition."""
        target = self.path.with_name("got")
        target.unlink(missing_ok=True)
        self._mtools("mcopy", f"::/{name}", str(target))
        return target.read_bytes()

    def _mtools(self, command: str, *words: str) -> str:
        done = subprocess.run(
            [command, "-i", f"{self.path}{BOOT_AT}", *words],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def data(self, folder: Path) -> Path | None:
        """The data partition alone, if there is one yet."""
        with self.path.open("rb") as file:
            row = file.read(512)[446 + 48 : 446 + 64]
            start, count = (int.from_bytes(row[n : n + 4], "little") * 512 for n in (8, 12))
        if not count:
            return None
        target = folder / "data.img"
        with self.path.open("rb") as source, target.open("wb") as out:
            source.seek(start)
            shutil.copyfileobj(source, out, 1 << 20)
        return target


class Machine:
    """One that is running."""

    def __init__(self, card: Card, console: Path) -> None:
        self.console = console
        drive = f"file={card.path},format=raw,if=virtio,cache=writethrough"
        self._process = subprocess.Popen(
            [
                *("qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-smp", "2"),
                *(
                    "-m",
                    "1024",
                    "-accel",
                    "tcg,thread=multi",
                    "-display",
                    "none",
                    "-no-user-config",
                ),
                *("-bios", str(FIRMWARE), "-drive", drive, "-serial", f"file:{console}"),
                *("-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n,romfile="),
                *("-monitor", "none", "-object", "rng-random,id=r,filename=/dev/urandom"),
                *("-device", "virtio-rng-pci,rng=r"),
            ],
            stdin=subprocess.DEVNULL,
        )

    def said(self) -> str:
        """The console so far."""
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Whether it came true in time, while the machine runs."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            if true():
                return True
            time.sleep(1)
        return true()

    def cut(self) -> None:
        """Take the power away."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(30)


@contextmanager
def running(card: Card, console: Path) -> Iterator[Machine]:
    """On; the power is cut in the end."""
    machine = Machine(card, console)
    try:
        yield machine
    finally:
        machine.cut()


def free_port() -> int:
    """One that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Broker:
    """mosquitto on this machine's loopback, which the emulated one reaches as 10.0.2.2."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.received = folder / "received"
        settings = folder / "mosquitto.conf"
        settings.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self._broker = subprocess.Popen(
            ["mosquitto", "-c", settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(1)
        with self.received.open("wb") as out:
            self._ear = subprocess.Popen(
                ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.port), "-t", "cctv/v1/in",
                 "-q", "1", "-F", "%x"],
                stdout=out,
            )  # fmt: skip

    def records(self) -> list[bytes]:
        """What has come, in order."""
        return [bytes.fromhex(line) for line in self.received.read_text().split()]

    def close(self) -> None:
        """End both."""
        for process in (self._ear, self._broker):
            process.terminate()
            process.wait(10)
