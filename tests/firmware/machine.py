"""The image in an emulated machine: its card, its switch, what it says on the console."""

import json
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from scanner.core.wire import record_id
from scanner.storage.outbox import FILE_NAME, Outbox

CARD: Final = 2 << 30
FIRMWARE: Final = Path("/usr/share/qemu-efi-aarch64/QEMU_EFI.fd")
ENTRY: Final = "loader/entries/scanner-a.conf"
COLOURS: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
ROWS: Final = 446  # where the MBR's table begins; 16 bytes for each partition
SECTOR: Final = 512
BOOT, DATA = 1, 4  # partitions


class Card:
    """A file that is a card: the image, and behind it room, as a card has.

    Either a plain file or, as the emulator writes it, what differs from another card's file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.format = "qcow2" if path.suffix == ".qcow2" else "raw"

    def on_top(self, path: Path) -> "Card":
        """A card that begins as this one, which is not to be changed as long as it is used."""
        path.unlink(missing_ok=True)
        made = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", self.format]
        subprocess.run([*made, "-b", self.path, path], check=True)
        return Card(path)

    def flat(self, path: Path) -> "Card":
        """The same as a plain file of its own."""
        subprocess.run(
            ["qemu-img", "convert", "-f", self.format, "-O", "raw", self.path, path], check=True
        )
        return Card(path)

    def put(self, name: str, content: bytes) -> None:
        """A file on the boot partition of a plain card, as from another computer."""
        source = self.path.with_name("put")
        source.write_bytes(content)
        start, _ = self._place(BOOT)
        _mtools(f"{self.path}@@{start}", "mcopy", "-o", str(source), f"::/{name}")

    def put_folder(self, source: Path, name: str) -> None:
        """A folder with all in it, likewise."""
        start, _ = self._place(BOOT)
        _mtools(f"{self.path}@@{start}", "mcopy", "-s", "-o", str(source), f"::/{name}")

    def talkative(self) -> None:
        """Let the journal be read on the console as well: what services say is seen there."""
        text = self.read(ENTRY).decode()
        said = "quiet systemd.journald.forward_to_console=1"
        self.put(ENTRY, text.replace("quiet", said, 1).encode())

    def names(self) -> str:
        """What lies on the boot partition."""
        return self._boot("mdir", "-b", "-/", "::/")

    def read(self, name: str) -> bytes:
        """A file of the boot partition."""
        with tempfile.TemporaryDirectory() as folder:
            self._boot("mcopy", f"::/{name}", f"{folder}/got")
            return Path(folder, "got").read_bytes()

    def _boot(self, *command: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            part = self.partition(BOOT, Path(folder) / "boot")
            assert part, "no boot partition"
            return _mtools(str(part), *command)

    def _place(self, number: int) -> tuple[int, int]:
        """Where a partition begins and how long it is, in bytes; nothing: 0 and 0."""
        with tempfile.TemporaryDirectory() as folder:
            head = self._part(0, SECTOR, Path(folder) / "head").read_bytes()
        row = head[ROWS + 16 * (number - 1) :][:16]
        start, count = (int.from_bytes(row[n : n + 4], "little") for n in (8, 12))
        return (start * SECTOR, count * SECTOR) if count else (0, 0)

    def _part(self, start: int, size: int, target: Path) -> Path:
        whole = {"driver": self.format, "file": {"driver": "file", "filename": str(self.path)}}
        part = json.dumps({"driver": "raw", "offset": start, "size": size, "file": whole})
        subprocess.run(["qemu-img", "convert", "-O", "raw", f"json:{part}", target], check=True)
        return target

    def partition(self, number: int, target: Path) -> Path | None:
        """A partition alone, if there is one yet."""
        start, size = self._place(number)
        return self._part(start, size, target) if size else None

    def kept(self, folder: Path) -> Path:
        """A folder with what the data partition holds, read as after a power cut."""
        found = folder / "kept"
        shutil.rmtree(found, ignore_errors=True)
        found.mkdir()
        data = self.partition(DATA, folder / "data.img")
        if data is None:
            return found
        # Its journal first. A partition that has no file system yet holds nothing.
        fsck = subprocess.run(["e2fsck", "-fy", data], capture_output=True, check=False)
        told = subprocess.run(
            ["debugfs", "-R", f"rdump / {found}", data], capture_output=True, check=False
        )
        data.unlink()
        assert fsck.returncode <= 1 or not list(found.iterdir()), fsck.stdout + told.stderr
        return found

    def outbox(self, folder: Path) -> frozenset[str]:
        """Ids of the records on the card."""
        place = self.kept(folder) / "scanner"
        if not (place / FILE_NAME).is_file():
            return frozenset()
        (place / f"{FILE_NAME}-shm").unlink(missing_ok=True)
        box = Outbox(place)
        try:
            return frozenset(row.record_id for row in box.waiting())
        finally:
            box.close()

    def settings(self, folder: Path) -> bytes:
        """What the device goes by; nothing if there is none."""
        path = self.kept(folder) / "etc/scanner.toml"
        return path.read_bytes() if path.is_file() else b""


def _mtools(place: str, command: str, *words: str) -> str:
    done = subprocess.run(
        [command, "-i", place, *words], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def inserted(image: Path, folder: Path) -> Card:
    """A card with the image on it, larger than it."""
    card = Card(folder / "card.img")
    subprocess.run(["cp", "--sparse=always", image, card.path], check=True)
    with card.path.open("r+b") as file:
        file.truncate(CARD)
    return card


class Machine:
    """One that is running."""

    def __init__(self, card: Card, console: Path) -> None:
        self.card, self.console = card, console
        drive = f"file={card.path},format={card.format},if=virtio,cache=writethrough"
        words = "-M virt -cpu cortex-a72 -smp 2 -m 1024 -accel tcg,thread=multi -display none"
        self._process = subprocess.Popen(
            [
                *("qemu-system-aarch64", *words.split(), "-no-user-config", "-monitor", "none"),
                *("-bios", str(FIRMWARE), "-drive", drive, "-serial", f"file:{console}"),
                *("-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n,romfile="),
                *("-object", "rng-random,id=r,filename=/dev/urandom"),
                *("-device", "virtio-rng-pci,rng=r"),
            ],
            stdin=subprocess.DEVNULL,
        )

    def said(self) -> str:
        """The console so far, without its colours."""
        text = self.console.read_text(errors="replace") if self.console.exists() else ""
        return COLOURS.sub("", text)

    def until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Whether it came true in time, while the machine runs."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            if true():
                return True
            time.sleep(1)
        return true()

    def runs(self) -> bool:
        """Whether it is on."""
        return self._process.poll() is None

    def as_if_cut(self, target: Path) -> Card:
        """A copy of what was written, as a power cut at this instant would leave it.

        All threads of the emulator stop where they are, as under SIGKILL, and go on afterwards.
        """
        self._process.send_signal(signal.SIGSTOP)
        try:
            shutil.copyfile(self.card.path, target)
        finally:
            self._process.send_signal(signal.SIGCONT)
        return Card(target)

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

    def __init__(self, folder: Path, port: int) -> None:
        self.received = folder / "received"
        settings = folder / "mosquitto.conf"
        settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        self._broker = subprocess.Popen(
            ["mosquitto", "-c", settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(1)
        with self.received.open("wb") as out:
            self._ear = subprocess.Popen(
                ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-t", "cctv/v1/in",
                 "-q", "1", "-F", "%x"],
                stdout=out,
            )  # fmt: skip

    def records(self) -> list[bytes]:
        """What has come, in order."""
        return [bytes.fromhex(line) for line in self.received.read_text().split("\n")[:-1]]

    def ids(self) -> frozenset[str]:
        """Ids of what has come."""
        return frozenset(record_id(sealed) for sealed in self.records())

    def close(self) -> None:
        """End both."""
        for process in (self._ear, self._broker):
            process.terminate()
            process.wait(10)


@contextmanager
def listening(folder: Path, port: int) -> Iterator[Broker]:
    """A broker that knows nothing yet."""
    broker = Broker(folder, port)
    try:
        yield broker
    finally:
        broker.close()
