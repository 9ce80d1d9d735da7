"""The lines between ``watch`` and the page: one JSON object each, small, text only.

``watch`` sees pictures and the page reaches a network, so what passes between them is narrow by
construction: lines of at most ``LINE_BYTES``, at most ``BYTES_PER_S`` of them on average, printable
characters only. A picture of 100 kB would need minutes and would have to be spelled out.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from scanner.errors import UNREADABLE

LINE_BYTES: Final = 800  # 160 characters of four bytes fit
BYTES_PER_S: Final = 2_000.0
BURST_BYTES: Final = 20_000.0
ASK_BYTES: Final = 64
TEXT: Final = r"^[^\x00-\x1f\x7f-\x9f]*$"

Text = Annotated[str, Meta(max_length=160, pattern=TEXT)]
Name = Annotated[str, Meta(min_length=1, max_length=24, pattern=r"^[a-z0-9?-]+( [a-z0-9]+)*$")]


class Line(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What ``watch`` tells: a state as a panel gets it, or a fact, or that a new walk begins."""

    state: Name | None = None
    detail: Text = ""
    fact: Name | None = None  # its text is the detail
    new_walk: bool = False


_decoder = msgspec.json.Decoder(Line)


def encode(line: Line) -> bytes:
    """The line with its end; its text is ``clean``."""
    return msgspec.json.encode(line) + b"\n"


def decode(data: bytes) -> Line | None:
    """A line read; None for anything that is not one."""
    if len(data) > LINE_BYTES:
        return None
    try:
        return _decoder.decode(data)
    except UNREADABLE:
        return None


def clean(text: str) -> str:
    """Text that may pass: printable, at most 160 characters."""
    return "".join(c if c.isprintable() else " " for c in text)[:160]


class Meter:
    """Lets bytes pass at ``BYTES_PER_S``, with bursts; times are seconds of one clock."""

    def __init__(self) -> None:
        self._left = BURST_BYTES
        self._at_s: float | None = None

    def passes(self, size: int, at_s: float) -> bool:
        """Whether so many bytes may pass now; if so they have."""
        waited_s = at_s - self._at_s if self._at_s is not None else 0.0
        self._at_s = at_s
        self._left = min(BURST_BYTES, self._left + waited_s * BYTES_PER_S)
        if size > self._left:
            return False
        self._left -= size
        return True
