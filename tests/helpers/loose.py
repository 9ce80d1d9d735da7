"""An accelerator with a loose cable: a real delegate library and a kernel's list of devices."""

import shutil
import subprocess
from pathlib import Path

from scanner.hardware.edgetpu import EdgeTpu, is_there
from scanner.hardware.tflite import TfliteDetector, shipped_model

SOURCE = Path(__file__).with_name("delegate.c")


class LooseTpu:
    """Plugs in and out, fails, hangs and crashes, for processes that use its ``library``."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        assert compiler, "these tests need a C compiler: apt-get install gcc libc6-dev"
        self._mode = folder / "mode"
        self._device = folder / "sys/bus/usb/devices/1-1"
        self._root = folder
        self.library = folder / "libloose.so"
        self.model = folder / "detector.tflite"
        self.compiled = folder / "detector_edgetpu.tflite"
        for path in (self.model, self.compiled):
            shutil.copy(shipped_model(), path)
        options = ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", f'-DMODE_FILE="{self._mode}"']
        subprocess.run([compiler, *options, "-o", self.library, SOURCE], check=True)
        self.plug()

    def plug(self) -> None:
        """The kernel lists it, and it works."""
        self._device.mkdir(parents=True, exist_ok=True)
        (self._device / "idVendor").write_text("18d1\n")
        (self._device / "idProduct").write_text("9302\n")
        self.act("ok")

    def unplug(self, how: str = "fail") -> None:
        """It is gone; an inference under way notices by ``how``: fail, hang or crash."""
        self.act(how)
        shutil.rmtree(self._device, ignore_errors=True)

    def act(self, mode: str) -> None:
        """One word of delegate.c."""
        new = self._mode.with_suffix(".new")
        new.write_text(mode)
        new.replace(self._mode)

    def open(self, *, walled: bool = False) -> EdgeTpu:
        """The detector's end of it."""
        return EdgeTpu(
            self.compiled,
            library=str(self.library),
            walled=walled,
            there=lambda: is_there(self._root),
        )

    def detector(self, tpu: EdgeTpu, threshold: float = 0.02) -> TfliteDetector:
        """A detector that uses it."""
        return TfliteDetector(self.model, threshold=threshold, tpu=tpu)
