"""What the checks of ``scanner doctor`` are handed."""

import functools
import importlib.util
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from scanner.app import open_detector
from scanner.config import Config
from scanner.hardware.tflite import TfliteDetector
from scanner.storage import outbox

RASPBERRY: str = "Raspberry Pi"


class Note(Exception):  # noqa: N818 - not an error: something left out on purpose
    """A part is not set up, which may be as meant, or is worth a thought."""


class Device:
    """The device under examination.

    ``root`` is where ``/sys``, ``/proc``, ``/dev`` and ``/run`` are looked for; ``patience_s`` is
    what a check may take.
    """

    def __init__(
        self,
        config: Config,
        data: Path,
        *,
        config_file: Path | None = None,
        root: Path = Path("/"),
        patience_s: float = 3.0,
    ) -> None:
        self.config, self.data, self.root = config, data, root
        self.config_file = config_file
        self.patience_s = patience_s
        self._opening = threading.Lock()
        self._detector: TfliteDetector | None = None

    def read(self, path: str) -> str:
        """A file's text below ``root``, stripped; empty if there is none."""
        try:
            text = (self.root / path.lstrip("/")).read_bytes()
        except OSError:
            return ""
        return text.replace(b"\0", b"").decode("utf-8", "replace").strip()

    def glob(self, pattern: str) -> list[Path]:
        """Files below ``root``, in order."""
        return sorted(self.root.glob(pattern.lstrip("/")))

    def exists(self, path: str) -> bool:
        """Whether there is such a path below ``root``."""
        return (self.root / path.lstrip("/")).exists()

    @property
    def is_pi(self) -> bool:
        """Whether this is a Raspberry Pi, by its device tree."""
        return self.read("/proc/device-tree/model").startswith(RASPBERRY)

    @functools.cached_property
    def at_work(self) -> bool:
        """Whether ``watch`` or ``relay`` runs on the same data."""
        return (self.data / outbox.FILE_NAME).is_file() and outbox.in_use(self.data)

    def detector(self) -> TfliteDetector:
        """The detector, opened once for all checks: an Edge TPU serves one process once."""
        with self._opening:
            if self._detector is None:
                self._detector = open_detector(self.config)
            return self._detector

    def usb(self) -> Iterator[tuple[str, Path]]:
        """``vendor:product`` and sysfs folder of each USB device."""
        for vendor in self.glob("/sys/bus/usb/devices/*/idVendor"):
            folder = vendor.parent
            product = (folder / "idProduct").read_text().strip()
            yield f"{vendor.read_text().strip()}:{product}", folder


Check = Callable[[Device], str]


def installed(module: str) -> bool:
    """Whether a module can be imported; it is not."""
    return importlib.util.find_spec(module) is not None
