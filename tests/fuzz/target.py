"""What one target of the fuzzer is."""

from collections.abc import Callable

import msgspec

from tests.fuzz.limits import INPUT_MAX, MEMORY_MB, SECONDS


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One parser."""

    read: Callable[[bytes], None]
    seeds: tuple[bytes, ...]  # good input, to begin from
    allowed: tuple[type[Exception], ...] = ()  # what it says of bytes it will not have
    words: tuple[bytes, ...] = ()  # that its format is made of: the fuzzer puts them in
    largest: int = INPUT_MAX  # bytes; less where the real reader takes no more at once
    seconds: float = SECONDS
    memory_mb: int = MEMORY_MB


def run(target: Target, data: bytes) -> bool:
    """Whether the parser took the bytes; raises whatever it should not."""
    try:
        target.read(data)
    except target.allowed:
        return False
    return True
