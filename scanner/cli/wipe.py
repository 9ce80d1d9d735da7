"""``scanner wipe``: what this device holds is overwritten and removed."""

import argparse
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from scanner.cli import add_config_option
from scanner.config import find
from scanner.errors import StoreError, UsageError
from scanner.outgoing import data_folder
from scanner.storage import outbox
from scanner.wiping import begun, finish, found, markable, unmark, wipe_now

SYSTEMD: Final = Path("/run/systemd/system")
HONESTLY: Final = """\
What this cannot promise: SD cards and other flash keep old copies of what was overwritten, in
places that no program reaches. Records were sealed, so old copies tell how many there were and
when they were due, not where. Only the destruction of the card is certain. What was sent is gone
from here, not from the hub. Wiping a device may be unlawful where you are."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("wipe", help="overwrite and remove what this device holds")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--finish",
        action="store_true",
        help="the rest of what button or page began, if they did; asks nothing",
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the outbox lies")
    add_config_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """List, ask, overwrite, remove; other files of the folder are left alone and named."""
    data: Path = args.data or data_folder()
    config_file: Path = args.config or find()
    if args.finish or begun(data):
        return _finish(data, config_file)
    files = found(data, config_file)
    if not files:
        print(f"{data}: holds nothing of ours.")
        return 0
    for path in files:
        print(path)
    print(f"\n{HONESTLY}\n", flush=True)
    if not args.yes and not _agreed():
        raise UsageError("nothing was wiped", hint="type wipe, or give --yes")
    _refuse_in_use(data)
    files = found(data, config_file)  # without the log that a killed relay had left
    with ExitStack() as stack:
        with suppress(StoreError):  # without a mark it goes as far, but once
            stack.enter_context(markable(data))
        left = wipe_now(data, config_file)
        unmark(data)  # it came to its end: what is left, a person is told
    print(f"{len(files) - len(left)} files overwritten and removed.")
    _tell_of(left)
    others = sorted(p.name for p in data.iterdir()) if data.is_dir() else []
    if others:
        print(f"left alone in {data}: {', '.join(others)}")
    return 0


def _finish(data: Path, config_file: Path) -> int:
    """Go on with a wipe that was begun: it was asked for, and whoever is still at work ends."""
    if not begun(data):
        print(f"{data}: no wipe was begun.")
        return 0
    _tell_of(finish(data, config_file))
    print("the wipe that was begun is finished.")
    return 0


def _tell_of(left: list[Path]) -> None:
    """Raises StoreError if a wipe has left something."""
    if stays := [path for path in left if path.exists()]:
        raise StoreError(
            f"not wiped: {', '.join(map(str, stays))}",
            hint="`sudo scanner wipe` tries again; what stays then goes only with the card",
        )
    if left:
        raise StoreError(
            f"removed, but not overwritten: {', '.join(map(str, left))}",
            hint="what they held goes only with the card",
        )


def _refuse_in_use(data: Path) -> None:
    """Under a running process, files would live on until it ends, and be filled again."""
    if not (data / outbox.FILE_NAME).is_file():
        return
    if outbox.in_use(data):
        how = "sudo systemctl stop scanner-watch scanner-relay" if SYSTEMD.is_dir() else ""
        raise UsageError(
            f"{data}: the outbox is in use",
            hint=how or "end `scanner watch` and `scanner relay` first",
        )


def _agreed() -> bool:
    if not sys.stdin.isatty():
        return False
    return input("Type wipe to go on: ").strip() == "wipe"
