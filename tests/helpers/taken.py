"""What a hub has taken in; nothing here wants a database server."""

from contextlib import closing
from pathlib import Path

from scanner.hub.service import DATABASE
from scanner.hub.stores import open_store


def taken_in(data: Path) -> tuple[int, int]:
    """How many records a hub has in its data folder, and how many payloads it has put aside."""
    with closing(open_store(data / DATABASE)) as store:
        return store.counts()
