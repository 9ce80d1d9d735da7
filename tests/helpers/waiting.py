"""Waiting for something that happens elsewhere."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], timeout_s: float = 30) -> None:
    """Return as soon as the condition holds; fail after the time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s"
        time.sleep(0.01)
