"""Lines for people, whose reader may go away while we work."""

import os
from contextlib import suppress
from typing import TextIO


def write_line(stream: TextIO, text: str) -> None:
    """Write a line; none where its reader has gone, and no error then or later."""
    with suppress(OSError):
        print(text, file=stream)
    flush(stream)


def flush(stream: TextIO) -> None:
    """Write what waits to be written; where that fails, it and all that follows lead nowhere.

    It would be tried again, also by the interpreter as it ends, whose exit code would be another.
    """
    with suppress(OSError):
        stream.flush()
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)
