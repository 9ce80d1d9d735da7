"""A person at a terminal who follows a page: types its lines, answers what is asked, reads on."""

import contextlib
import io
import os
import pty
import re
import select
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from scanner.cli import main
from tests.helpers.pages import ROOT, Command

WAIT_S = 90
WALLED = ("run", "watch", "relay", "page")  # these shut themselves in for good


@dataclass(frozen=True)
class Step:
    """How a line is run where it cannot be run as it stands."""

    more: str = ""  # options added: free ports, a small number of frames
    instead: Mapping[str, str] = field(default_factory=dict)  # what stands for a place holder
    typed: tuple[tuple[str, str], ...] = ()  # what is asked, and the answer
    until: str = ""  # it goes on running; this is what it prints when it is ready
    alone: bool = False  # what runs meanwhile is stopped first
    codes: tuple[int, ...] = (0,)
    says: str = ""  # in its output
    at: str = "."  # folder below the story's


class Story:
    """A folder to work in, the programs that were started there, what they said."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.said = ""  # by the last line
        self.at_end = contextlib.ExitStack()
        self._running: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("SCANNER_", "MQTT_"))},
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONUNBUFFERED": "1",
            **environment,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.at_end.close()

    def stop(self) -> None:
        """End what still runs, the last first."""
        while self._running:
            process = self._running.pop()
            process.terminate()
            process.wait(30)

    def run(self, command: Command | str, step: Step | None = None) -> str:
        """Run a line in a shell; what it printed. Fails if it fails."""
        step = step or Step()
        line = command.line if isinstance(command, Command) else command
        line = re.sub(r"^sudo (-\S+ \S+ -- )?", "", line)
        for holder, value in step.instead.items():
            assert holder in line, (holder, line)
            line = line.replace(holder, value)
        line = f"{line} {step.more}".strip()
        if step.alone:
            self.stop()
        if step.until:
            self._start(line, step)
        elif step.typed:
            self._converse(line, step)
        elif line.startswith("scanner ") and line.split()[1] not in WALLED:
            self._here(line, step)
        else:
            self._apart(line, step)
        assert step.says in self.said, (line, self.said)
        return self.said

    def _here(self, line: str, step: Step) -> None:
        """Without a process of its own: starting Python is most of what such a line costs."""
        words: list[str] = []
        said = io.StringIO()
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.environment)
        try:
            with (
                contextlib.chdir(self.folder / step.at),
                contextlib.redirect_stdout(said),
                contextlib.redirect_stderr(said),
            ):
                for word in shlex.split(line)[1:]:
                    found = Path().glob(word) if "*" in word else ()
                    words += sorted(str(path) for path in found) or [word]
                code = main(words)
        finally:
            os.environ.clear()
            os.environ.update(before)
        self.said = said.getvalue()
        assert code in step.codes, (line, code, self.said)

    def _apart(self, line: str, step: Step) -> None:
        done = subprocess.run(
            ["bash", "-euc", line],
            capture_output=True,
            cwd=self.folder / step.at,
            env=self.environment,
            check=False,
            timeout=WAIT_S,
            stdin=subprocess.DEVNULL,
        )
        self.said = (done.stdout + done.stderr).decode()
        assert done.returncode in step.codes, (line, done.returncode, self.said)

    def _start(self, line: str, step: Step) -> None:
        log = self.folder / f"log-{len(self._running)}"
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-euc", f"exec {line}"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.folder / step.at,
                env=self.environment,
            )
        self._running.append(process)
        end = time.monotonic() + WAIT_S
        while step.until not in (text := log.read_text(errors="replace")):
            assert process.poll() is None, (line, text)
            assert time.monotonic() < end, (line, text)
            time.sleep(0.02)
        self.said = text

    def _converse(self, line: str, step: Step) -> None:
        mine, theirs = pty.openpty()
        process = subprocess.Popen(
            ["bash", "-euc", line],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=self.folder / step.at,
            env=self.environment,
            start_new_session=True,  # or a passphrase would be asked for on the tests' terminal
        )
        os.close(theirs)
        said, read = "", 0
        for asked, answer in step.typed:
            while asked not in said[read:]:
                more = _heard(mine)
                assert more, (line, said)
                said += more
            read = said.index(asked, read) + len(asked)
            os.write(mine, answer.encode())
        while more := _heard(mine):
            said += more
        os.close(mine)
        self.said = said
        assert process.wait(WAIT_S) in step.codes, (line, said)


def _heard(terminal: int) -> str:
    """What was printed since; empty when the program has ended, or says nothing for long."""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        if select.select([terminal], [], [], WAIT_S)[0]:
            return os.read(terminal, 4096).decode()
    return ""
