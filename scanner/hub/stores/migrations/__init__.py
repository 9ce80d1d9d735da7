"""The databases' tables as numbered steps of SQL, each from one version to the next."""

from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent


def newest(database: str) -> int:
    """Version that the steps lead to."""
    return len(list(HERE.glob(f"{database}-*.sql")))


def statements(database: str, version: int) -> Iterator[str]:
    """The statements that lead to a version from the one before."""
    text = (HERE / f"{database}-{version}.sql").read_text(encoding="utf-8")
    # A comment may hold a semicolon, and stands to the end of its line.
    bare = "\n".join(line.partition("--")[0] for line in text.splitlines())
    yield from filter(None, (part.strip() for part in bare.split(";")))
