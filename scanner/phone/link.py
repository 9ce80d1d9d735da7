"""The side of ``watch``: a panel whose lamps are lines of text to the page's process.

Connects to the page's Unix socket, again and again while nobody is there; asks come back the same
way. Without a page it costs a try every few seconds.
"""

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from scanner.core.blink import State
from scanner.core.button import Action
from scanner.errors import ScannerError
from scanner.phone.lines import ASK_BYTES, Line, clean, encode

AGAIN_S: Final = 2.0  # before connecting anew
FACTS_S: Final = 2.0  # between facts
POLL_S: Final = 0.25
CLOSE_S: Final = 5.0
KEPT_LINES: Final = 100  # that wait for a page; older ones are dropped
ASKS: Final = {
    b"pause": Action.PAUSE,
    b"go on": Action.GO_ON,
    b"new walk": Action.NEW_WALK,
    b"wipe": Action.WIPE,
}
PASSING: Final = (State.FOUND, State.SEEN, State.WITHHELD)  # each is news; the others stand


class PageLink:
    """Tells the page what a panel is told, and facts; ``act`` hears what its reader asks for.

    ``facts`` are asked for every few seconds, on a thread of its own; none of them may name a place
    or hold a picture.
    """

    def __init__(
        self,
        path: Path,
        act: Callable[[Action], None] = lambda _: None,
        facts: Mapping[str, Callable[[], str]] | None = None,
    ) -> None:
        self._path = path
        self._act = act
        self._facts = facts if facts is not None else {}
        self._state = Line()
        self._lines: deque[Line] = deque(maxlen=KEPT_LINES)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        self._thread.start()

    def show(self, state: str, detail: str = "") -> None:
        """Note the state for the page."""
        line = Line(state=clean(state)[:24], detail=clean(detail))
        with self._lock:
            if state not in PASSING:
                if line == self._state:
                    return
                self._state = line
            self._lines.append(line)

    def new_walk(self) -> None:
        """What was found before is not of this walk."""
        with self._lock:
            self._lines.clear()
            self._lines += [Line(new_walk=True), self._state]

    def close(self) -> None:
        """Tell what waits, where somebody listens, and hang up; may be called twice."""
        self._closed.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
                    link.settimeout(CLOSE_S)
                    link.connect(str(self._path))
                    self._talk(link)
            except OSError:
                pass  # no page, or it has ended: as often as not there is none
            self._closed.wait(AGAIN_S)

    def _talk(self, link: socket.socket) -> None:
        link.settimeout(POLL_S)
        next_facts_s = 0.0
        asked = b""
        with self._lock:
            self._lines.appendleft(self._state)
        while True:
            closing = self._closed.is_set()  # what was told before that still gets there
            if not closing and time.monotonic() >= next_facts_s:
                next_facts_s = time.monotonic() + FACTS_S
                for name, fact in list(self._facts.items()):
                    self._send(link, Line(fact=name, detail=_told(fact)))
            while self._lines:
                with self._lock:
                    line = self._lines.popleft()
                self._send(link, line)
            if closing:
                return
            try:
                data = link.recv(ASK_BYTES)
            except TimeoutError:
                continue
            if not data:
                return
            *asks, asked = (asked + data)[-ASK_BYTES:].split(b"\n")
            for ask in asks:
                if ask in ASKS:
                    self._act(ASKS[ask])

    def _send(self, link: socket.socket, line: Line) -> None:
        link.settimeout(CLOSE_S)
        link.sendall(encode(line))
        link.settimeout(POLL_S)


def _told(fact: Callable[[], str]) -> str:
    """A fact, or why it cannot be told."""
    try:
        return clean(fact())
    except ScannerError as e:
        return clean(e.message)
