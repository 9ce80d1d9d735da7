"""`scanner watch` as a process with a lens: the shipped stand-in under the name of picamera2."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
MODULE = """
from pathlib import Path
from scanner.replay.lens import Board
Picamera2 = Board({model!r}, plugged=lambda: not Path({pulled!r}).exists())
"""


CONFIG = """
[position]
source = "gpsd:///nowhere/json.sock"
[detector]
inferences_per_s = 5
"""


class Watch:
    """Runs it; hears what systemd would; pulls its lens.

    ``module`` is the text of another picamera2.py, ``packages`` more folders to load from. With
    ``walks`` the demo's walk is in front of the lens, once ``begin`` is called. ``command`` may be
    ``run``, which starts ``watch`` itself.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        config: str = "",
        model: str = "pi4",
        walks: bool = False,
        module: str = "",
        packages: Sequence[Path] = (),
        command: str = "watch",
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "watch.log"
        self.words: list[str] = []
        self.heard_s: list[float] = []  # when each was heard
        self._pulled = folder / "pulled"
        own = folder / "site-packages"  # what the fence lets Python load from
        own.mkdir()
        text = MODULE.format(model=model, pulled=str(self._pulled))
        if walks:
            shutil.copy(Path(__file__).with_name("walk_lens.py"), own)
            text += "from walk_lens import walk\nPicamera2.picture = walk\n"
        (own / "picamera2.py").write_text(module or text)
        settings = folder / "scanner.toml"
        settings.write_text(config or CONFIG)
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(folder / "notify"))
        self._notify.setblocking(False)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, [own, *packages, ROOT])),
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": "1000000",
            "WALK_START": str(self.data / "walk-start"),
        }
        words = [sys.executable, "-m", "scanner", command, "--config", settings]
        words += ["--data", self.data, "--json", *options]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                words, env=environment, stdout=subprocess.PIPE, stderr=log, cwd=folder
            )

    def heard(self, word: str, *, since: int = 0) -> bool:
        """Whether systemd was told so, after the first ``since`` words."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            while True:
                self.words.append(self._notify.recv(4096).decode())
                self.heard_s.append(time.monotonic())
        except BlockingIOError:
            pass
        return any(word in w for w in self.words[since:])

    def begin(self) -> None:
        """The walk begins."""
        (self.data / "walk-start").write_text(str(time.monotonic()))

    def pull(self) -> None:
        """Take the lens off."""
        self._pulled.touch()

    def plug(self) -> None:
        """Put it back."""
        self._pulled.unlink()

    def end(self, number: int = signal.SIGTERM) -> str:
        """Tell it to stop; what it printed."""
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, self.log.read_text()
        return out.decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=60)  # what it has left behind holds its end of the pipe
        self._notify.close()

    def memory_mb(self) -> float:
        """Resident now."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))

    def pause(self, seconds: float) -> None:
        """Let it run; words that come are kept."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.heard("")
            time.sleep(0.05)
