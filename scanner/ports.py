"""What the scanner needs from the world, one Protocol each.

Every port has a real adapter and a shipped stand-in; ``tests/contracts`` holds both to the
promises written here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    # Not at run time: the relay and the hub use this file and never load what pixels need.
    from collections.abc import Iterator, Sequence

    from scanner.frame import Frame, Pixels
    from scanner.records import Detection, Position


class FrameSource(Protocol):
    """Pictures in the order they were taken."""

    def frames(self) -> Iterator[Frame]:
        """Yield frames with rising ``number`` and ``at_ns``; end when there are no more.

        Raises MediaError or DeviceError when the source cannot go on.
        """

    def close(self) -> None:
        """Let go of file or device; may be called twice."""


class Detector(Protocol):
    """The network: finds cameras in one square tile."""

    @property
    def tile_size(self) -> int:
        """Side of the tiles it takes, in pixels."""

    def infer(self, tile: Pixels) -> Sequence[Detection]:
        """Cameras in a tile of shape (tile_size, tile_size, 3), boxes in the tile's pixels.

        Boxes lie inside the tile, scores fall from first to last. Raises DeviceError when the
        accelerator is lost for good.
        """


class PositionSource(Protocol):
    """Where the scanner is."""

    def position_at(self, at_ns: int) -> Position | None:
        """Position at a time on the boot clock, or None without a fresh fix around that time."""

    def close(self) -> None:
        """Let go of file or device; may be called twice."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """One sealed record in the outbox."""

    record_id: str
    payload: bytes
    due_s: int  # not to be sent before this time, seconds since 1970; 0: at once


class RecordStore(Protocol):
    """Sealed records that wait for the broker."""

    def add(self, payload: bytes, *, due_s: int = 0) -> str:
        """Keep a sealed record and return its id; on return it survives a power cut.

        Adding the same payload twice keeps one. Raises StoreError if it cannot be kept.
        """

    def due(self, now_s: float, limit: int) -> list[Waiting]:
        """At most ``limit`` records whose time has come, those due first at the front."""

    def remove(self, *record_ids: str) -> None:
        """Forget records that the broker has acknowledged; unknown ids are no error.

        Raises StoreError if none of them can be forgotten now.
        """

    def waiting(self) -> list[Waiting]:
        """All records, due first at the front."""

    def count(self) -> int:
        """How many wait, without reading them."""

    def close(self) -> None:
        """Close the store; may be called twice."""


class Publisher(Protocol):
    """The way to the broker."""

    @property
    def connection(self) -> int:
        """Number of the connection that stands, another one after each that broke; 0 for none."""

    def publish(self, payload: bytes) -> None:
        """Return once the broker has acknowledged the payload; otherwise raise BrokerError."""

    def close(self) -> None:
        """Hang up; may be called twice."""


class Panel(Protocol):
    """What the person carrying the device is told."""

    def show(self, state: str, detail: str = "") -> None:
        """Show a state of ``scanner.core.blink.State``, with a line of text for those who read.

        ``no-fix``, ``searching``, ``scanning``, ``asleep`` and ``done`` stand until the next one;
        ``found`` is shown for a moment. A trouble (``trouble``, or by name: ``lens``,
        ``accelerator``, ``gnss``, ``disk``, ``disk-full``, ``clock``, ``heat``, ``voltage``) stands
        for 16 s beside what goes on: while it lasts, tell it again. Others are passed over. May be
        called from any thread; never blocks, never raises. The text names no place.
        """

    def close(self) -> None:
        """Switch off; may be called twice."""
