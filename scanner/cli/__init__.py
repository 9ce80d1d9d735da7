"""The ``scanner`` command: one file per subcommand, each with ``add_parser`` and ``run``.

Exit codes: 0 ok, 1 bug, 2 usage, 69 device missing, 74 disk, 75 broker away, 78 configuration.
"""

import argparse
import importlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from scanner import __version__
from scanner.config import Config, load
from scanner.errors import ScannerError, StoreError, UsageError, from_checkout
from scanner.streams import flush, write_line

COMMANDS: Final = (
    *("run", "watch", "relay", "detect", "replay", "outbox", "home", "wipe", "enrol", "tokens"),
    *("calibrate", "config", "doctor", "selftest", "bench", "page", "hub", "demo"),
    *("firstboot", "update"),
)
EXTRAS: Final = {
    "starlette": "hub",
    "uvicorn": "hub",
    "segno": "hub",
    "cryptography": "hub",
    "av": "replay",
    "PIL": "replay",
    "tuf": "update",
}
EXIT_BUG: Final = 1
EXIT_UNREAD: Final = 74  # of a command that goes on until it is told to end: its reader has gone
EXIT_INTERRUPTED: Final = 130


class _Parser(argparse.ArgumentParser):
    """argparse whose errors look like all others: one line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Of argparse itself only -4.7 is a value, and -4.7,52.3 an option that nobody knows.
        self._negative_number_matcher = re.compile(r"-\.?\d")

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"`{self.prog} --help` says more")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code and never raises."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    unread = 0
    try:
        args = build_parser(next((a for a in arguments if a in COMMANDS), None)).parse_args(
            arguments
        )
        unread = getattr(args, "unread", unread)
        code = int(args.run(args))
        _finish()
    except ScannerError as e:
        if debug:
            raise
        say(f"scanner: error: {e}")
        return e.exit_code
    except BrokenPipeError:
        # The reader (head, less) has gone; nothing is left to say.
        for stream in (sys.stdout, sys.stderr):
            flush(stream)
        return unread
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as e:  # the outermost rim: anything here is a bug
        if debug:
            raise
        say(f"scanner: bug: {type(e).__name__}: {e} (run again with --debug and report it)")
        return EXIT_BUG
    return code


def _finish() -> None:
    """An end that cannot be told is for us to say, not for the interpreter; raises StoreError."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as e:
        flush(sys.stdout)
        raise StoreError(f"standard output: {e.strerror}") from e


def say(line: str) -> None:
    """A line for people, on standard error; none where its reader has gone, and no error."""
    write_line(sys.stderr, line)


def build_parser(wanted: str | None = None) -> argparse.ArgumentParser:
    """The parser with every subcommand, or with the wanted one only.

    A command's module, and what it needs, is imported when the command is known: the relay has no
    use for a web server, and the hub none for a network.
    """
    parser = _Parser(
        prog="scanner", description="Finds surveillance cameras on a walk and maps them."
    )
    parser.add_argument("--version", action="version", version=f"scanner {__version__}")
    parser.add_argument("--debug", action="store_true", help="show a traceback with errors")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    for name in [wanted] if wanted else COMMANDS:
        try:
            module = importlib.import_module(f"scanner.cli.{name}")
        except ModuleNotFoundError as e:
            remedy = from_checkout(EXTRAS.get(e.name or "", "hub,replay"))
            if wanted:
                raise UsageError(f"`scanner {name}` needs {e.name}", hint=remedy) from e
            subparsers.add_parser(name, help=f"needs {e.name}; {remedy}")
            continue
        module.add_parser(subparsers)
    return parser


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """``--config FILE``, and ``--debug`` after the command too."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="another scanner.toml")
    parser.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)


def config_of(args: argparse.Namespace) -> Config:
    """The configuration that a command is to use."""
    return load(args.config)
