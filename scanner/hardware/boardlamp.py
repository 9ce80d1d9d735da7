"""The board's own green lamp, which every Pi has: for what must be told before a panel is known."""

import contextlib
import time
from pathlib import Path
from typing import Final

from scanner.core.blink import State, levels

LAMPS: Final = ("ACT", "led0")  # as the kernel calls it now, and as it did
LEDS: Final = Path("/sys/class/leds")


class BoardLamp:
    """One lamp below ``leds``; where there is none nothing is shown, and nothing is wrong."""

    def __init__(self, leds: Path = LEDS) -> None:
        self._lamp = next((leds / name for name in LAMPS if (leds / name).is_dir()), None)

    def show(self, state: State, seconds: float) -> None:
        """Blink a state's code for so long, then give the lamp back to the kernel."""
        before = self._trigger()
        self._write("trigger", "none")
        began_s = time.monotonic()
        while (since_s := time.monotonic() - began_s) < seconds:
            now = levels(state, since_s)
            self._write("brightness", "1" if now.lamps else "0")
            left_s = seconds - since_s
            time.sleep(max(0.001, min(now.change_in_s or left_s, left_s)))
        self._write("brightness", "0")
        self._write("trigger", before)

    def _trigger(self) -> str:
        """The one in brackets of ``none [mmc0] timer``."""
        if self._lamp is None:
            return "none"
        with contextlib.suppress(OSError):
            text = (self._lamp / "trigger").read_text()
            return next((w.strip("[]") for w in text.split() if w.startswith("[")), "none")
        return "none"

    def _write(self, name: str, value: str) -> None:
        if self._lamp is not None:
            with contextlib.suppress(OSError):
                (self._lamp / name).write_text(value)
