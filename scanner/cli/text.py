"""How commands write: tables for people, JSON lines for programs, progress on a terminal."""

import sys
from collections.abc import Sequence

import msgspec


def table(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """Columns under a header; those whose cells are all numbers are set flush right."""
    columns = list(zip(header, *rows, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    right = [all(_is_number(cell) for cell in column[1:]) for column in columns]
    lines = [
        "  ".join(
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in [header, ["-" * width for width in widths], *rows]
    ]
    return "\n".join(lines)


def _is_number(cell: str) -> bool:
    return cell in ("", "-") or cell.replace(".", "", 1).lstrip("+-").isdigit()


def json_line(value: object) -> str:
    """One JSON object on one line."""
    return msgspec.json.encode(value).decode()


class Progress:
    """A line on the terminal that is written over; nothing when errors go to a file."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()

    def show(self, text: str) -> None:
        """Replace the line."""
        if self._on:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Remove the line."""
        if self._on:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
