"""Stand-ins that behave: for tests, for the demo and for people without a Pi."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar, TextIO

from scanner.core.blink import TROUBLES, UNSHOWN
from scanner.core.wire import record_id
from scanner.errors import BrokerError
from scanner.frame import Frame, Pixels
from scanner.ports import Panel, Waiting
from scanner.records import Detection, Position
from scanner.streams import write_line


class ScriptedFrames:
    """Frames from a list."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = list(frames)

    def frames(self) -> Iterator[Frame]:
        """Yield the frames in order."""
        yield from self._frames

    def close(self) -> None:
        """Nothing is held open."""


class ScriptedDetector:
    """Answers each tile by a function of its pixels."""

    def __init__(self, answer: Callable[[Pixels], Sequence[Detection]], tile_size: int) -> None:
        self._answer = answer
        self._tile_size = tile_size

    @property
    def tile_size(self) -> int:
        """Side of the tiles it takes, in pixels."""
        return self._tile_size

    def infer(self, tile: Pixels) -> Sequence[Detection]:
        """What the script says of this tile, best first."""
        return sorted(self._answer(tile), key=lambda d: -d.score)


class ScriptedPositions:
    """Positions from a function of the time."""

    def __init__(self, position_at: Callable[[int], Position | None]) -> None:
        self._position_at = position_at

    def position_at(self, at_ns: int) -> Position | None:
        """What the script says of this time."""
        return self._position_at(at_ns)

    def close(self) -> None:
        """Nothing is held open."""


class MemoryStore:
    """An outbox that forgets everything when the program ends."""

    def __init__(self) -> None:
        self._records: dict[str, Waiting] = {}

    def add(self, payload: bytes, *, due_s: int = 0) -> str:
        """Keep a sealed record and return its id."""
        name = record_id(payload)
        self._records.setdefault(name, Waiting(record_id=name, payload=payload, due_s=due_s))
        return name

    def due(self, now_s: float, limit: int) -> list[Waiting]:
        """At most ``limit`` records whose time has come."""
        return [r for r in self.waiting() if r.due_s <= now_s][:limit]

    def remove(self, *record_ids: str) -> None:
        """Forget records."""
        for name in record_ids:
            self._records.pop(name, None)

    def waiting(self) -> list[Waiting]:
        """All records, due first at the front."""
        return sorted(self._records.values(), key=lambda r: r.due_s)

    def count(self) -> int:
        """How many wait."""
        return len(self._records)

    def close(self) -> None:
        """Nothing is held open."""


class RecordingPublisher:
    """Keeps what is published; refuses when told to."""

    def __init__(self) -> None:
        self.published: list[bytes] = []
        self.refuse_after: int | None = None  # so many more are taken, then none
        self.connection = 1

    def publish(self, payload: bytes) -> None:
        """Take the payload, or raise BrokerError."""
        if self.refuse_after is not None:
            if self.refuse_after == 0:
                self.connection = 0
                raise BrokerError("the recording publisher was told to refuse")
            self.refuse_after -= 1
        self.published.append(payload)

    def close(self) -> None:
        """Nothing is held open."""


class ConsolePanel:
    """Writes a line per change of state, to standard error unless told otherwise."""

    MARKS: ClassVar[dict[str, str]] = {
        **{state.value: "!" for state in TROUBLES},
        "no-fix": "?",
        "searching": "~",
        "scanning": ".",
        "found": "+",
        "asleep": "_",
        "done": "=",
    }

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._last: tuple[str, str] | None = None

    def show(self, state: str, detail: str = "") -> None:
        """Print the state if it is another than the last."""
        if (state, detail) == self._last or state in UNSHOWN:
            return
        self._last = (state, detail)
        mark = self.MARKS.get(state, " ")
        write_line(self._stream, f"{mark} {state}{': ' if detail else ''}{detail}")

    def close(self) -> None:
        """Nothing is held open."""


class SeveralPanels:
    """Tells all of some panels."""

    def __init__(self, panels: Iterable[Panel]) -> None:
        self._panels = list(panels)

    def show(self, state: str, detail: str = "") -> None:
        """Tell each."""
        for panel in self._panels:
            panel.show(state, detail)

    def close(self) -> None:
        """Close each."""
        for panel in self._panels:
            panel.close()
