"""How long a walk has gone on: standing still, and time without a fix, are no part of it."""

import bisect


class Walked:
    """A clock that runs while the scanner is located and moves.

    Times are nanoseconds on the boot clock and rise from step to step.
    """

    def __init__(self) -> None:
        self.start_ns: int | None = None  # when it moved first
        self._moved_ns: int | None = None  # when it moved last
        self._last_ns: int | None = None
        self._moving = False
        self._still_ns = 0
        self._stops: list[tuple[int, int]] = []  # end of a stop; how long all until then were

    def step(self, at_ns: int, *, moving: bool) -> None:
        """Say whether it is located and moves now; what lies between two such times counts."""
        if self._last_ns is not None and not (moving and self._moving):
            self._still_ns += at_ns - self._last_ns
            if self._stops and not self._moving:
                self._stops.pop()  # the same stop lasts
            self._stops.append((at_ns, self._still_ns))
        if moving:
            self._moved_ns = at_ns
            self.start_ns = at_ns if self.start_ns is None else self.start_ns
        self._last_ns, self._moving = at_ns, moving

    def between_s(self, from_ns: int, to_ns: int) -> float:
        """Seconds walked between two times, of which the first is one when it moved."""
        still_ns = self._still_until(to_ns) - self._still_until(from_ns)
        return max(0, to_ns - from_ns - still_ns) / 1e9

    def still_s(self, now_ns: int) -> float:
        """Seconds since it moved last; 0 before it ever did."""
        return 0.0 if self._moved_ns is None else (now_ns - self._moved_ns) / 1e9

    def unseen_s(self, now_ns: int) -> float:
        """Seconds since anything was said; 0 before it ever was."""
        return 0.0 if self._last_ns is None else (now_ns - self._last_ns) / 1e9

    def _still_until(self, at_ns: int) -> int:
        before = bisect.bisect_right(self._stops, at_ns, key=lambda stop: stop[0])
        return self._stops[before - 1][1] if before else 0
