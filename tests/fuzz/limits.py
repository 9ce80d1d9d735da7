"""What one input may cost."""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Final

INPUT_MAX: Final = 1_000_000  # bytes
# Of processor time: the clock tells more of the machine than of the parser. One second is a build
# machine's: who runs them on a slower processor says how long they may take there.
SECONDS: Final = float(os.environ.get("FUZZ_SECONDS", "1"))
MEMORY_MB: Final = 200  # beside what the program has taken before


@contextlib.contextmanager
def processor_time(most_s: float = SECONDS) -> Iterator[None]:
    """Raises TimeoutError if what is inside takes too long."""
    start = time.process_time()
    yield
    taken = time.process_time() - start
    if taken > most_s:
        raise TimeoutError(f"took {taken:.2f} s")
