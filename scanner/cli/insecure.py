"""What ``watch`` and ``relay`` say about their walls."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from scanner.cli import say
from scanner.errors import WallError


def add_insecure_option(parser: argparse.ArgumentParser) -> None:
    """``--insecure``."""
    parser.add_argument(
        "--insecure", action="store_true", help="go on where the wall cannot be built"
    )


@contextmanager
def insecurely(*, asked: bool) -> Iterator[None]:
    """Lets a wall that cannot be built pass, aloud, if that was asked for."""
    try:
        yield
    except WallError as e:
        if not asked:
            raise WallError(e.message, hint=e.hint or "--insecure goes on without it") from e
        say(f"scanner: WARNING: --insecure: NO WALL between lens and network: {e.message}")


def tell_of_fence(version: int) -> None:
    """Say so where this kernel cannot fence files."""
    if not version:
        say("scanner: note: no Landlock in this kernel: files are fenced by systemd, or not at all")
