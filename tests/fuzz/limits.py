"""What one input may cost."""

import contextlib
import time
from collections.abc import Iterator
from typing import Final

INPUT_MAX: Final = 1_000_000  # bytes
SECONDS: Final = 1.0  # of processor time: the clock tells more of the machine than of the parser
MEMORY_MB: Final = 200  # beside what the program has taken before


@contextlib.contextmanager
def processor_time(most_s: float = SECONDS) -> Iterator[None]:
    """Raises TimeoutError if what is inside takes too long."""
    start = time.process_time()
    yield
    taken = time.process_time() - start
    if taken > most_s:
        raise TimeoutError(f"took {taken:.2f} s")
