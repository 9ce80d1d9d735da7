"""What all live receivers share: a thread that listens, comes back after trouble, fills a ring."""

import threading
import time
from abc import ABC, abstractmethod
from typing import Final

from scanner.core.fixes import Fix, FixRing, Lost
from scanner.records import Position

FIRST_PAUSE_S: Final = 0.25  # before listening again; doubles up to the longest
LONGEST_PAUSE_S: Final = 5.0
POLL_S: Final = 0.25  # how soon a closed source notices
CLOSE_S: Final = 10.0  # looking up a host's name cannot be cut short
SILENCE_S: Final = 20.0  # a receiver tells something every second, also without a fix
HEARD: Final = "heard"
GNSS_FROM_S: Final = 1_767_225_600.0  # 2026-01-01: receivers that say less do not know the date
# A satellite's week has ten bits: a receiver that counts the rounds wrongly is out by 1,024 weeks.
GNSS_UNTIL_S: Final = GNSS_FROM_S + 1024 * 7 * 86_400.0  # in August 2045


def boot_ns() -> int:
    """The boot clock, which is that of frames too; steps of the wall clock do not touch it."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class LivePositions(ABC):
    """Positions from a receiver that may come late, go away and come back.

    Subclasses say how to listen. ``sigma_m`` is used where the receiver tells no error;
    ``longest_pause_s`` is what is waited at most before listening again.
    """

    def __init__(
        self, name: str, *, sigma_m: float, longest_pause_s: float = LONGEST_PAUSE_S
    ) -> None:
        self._name = name
        self._longest_pause_s = longest_pause_s
        self._ring = FixRing(sigma_m=sigma_m, utc_from_s=GNSS_FROM_S, utc_until_s=GNSS_UNTIL_S)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._heard = False
        self._state = "not there yet"
        self._thread = threading.Thread(target=self._run, name=f"positions {name}", daemon=True)

    @property
    def state(self) -> str:
        """One line for people: the source and what is wrong with it, or that it is heard."""
        return f"{self._name}: {self._state}"

    @property
    def heard(self) -> bool:
        """Whether the receiver says anything at all at present."""
        return self._state == HEARD

    def position_at(self, at_ns: int) -> Position | None:
        """Position at a time on the boot clock, or None without a fresh fix around that time."""
        with self._lock:
            return self._ring.position_at(at_ns)

    def close(self) -> None:
        """Stop listening; may be called twice."""
        self._closed.set()
        self._thread.join(CLOSE_S)

    @abstractmethod
    def _listen(self) -> None:
        """Connect and hand over fixes until ``_closed``; raise OSError when the receiver goes."""

    def _start(self) -> None:
        """To be called at the end of a subclass' constructor."""
        self._thread.start()

    def _take(self, news: Fix | Lost) -> None:
        with self._lock:
            self._ring.add(news)

    def _note_heard(self) -> None:
        """The receiver has said something: the next trouble is a new one."""
        self._heard = True
        self._state = HEARD

    def _run(self) -> None:
        try:
            self._keep_listening()
        finally:
            self._state = (
                "closed" if self._closed.is_set() else "stopped by an error of the scanner"
            )

    def _keep_listening(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._closed.is_set():
            self._heard = False
            try:
                self._listen()
            except OSError as e:
                self._state = e.strerror or str(e) or type(e).__name__
            if self._heard:
                pause_s = FIRST_PAUSE_S
            self._closed.wait(pause_s)
            pause_s = min(2 * pause_s, self._longest_pause_s)
