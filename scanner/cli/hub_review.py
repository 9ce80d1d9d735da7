"""``scanner hub review`` and ``reviewers``: what a person decides about the map, and who may."""

import argparse
import contextlib
import datetime as dt
import getpass
import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from scanner.cli import review_screen
from scanner.cli.hub_store import add_places, default_data, existing
from scanner.cli.numbers import line_number
from scanner.cli.text import json_line, table
from scanner.core.wire import CameraFeature
from scanner.errors import UsageError
from scanner.hub import mapping, naming
from scanner.hub.review import LOG_MAX, ReviewDesk, Wanted
from scanner.hub.review_api import Done, Line, lines
from scanner.hub.review_queue import Item
from scanner.hub.reviewers import Reviewers

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse has no other name for it
REVIEWER: Final = "SCANNER_REVIEWER"
WORDS: Final = {
    "confirm": "it is there: publish it, however few report it",
    "reject": "there is no camera: later reports do not bring it back",
    "gone": "it was there and has been taken down",
    "withdraw": "take back whatever reviewers said of it being there",
}


def add_review(commands: Commands) -> None:
    """``hub review``: alone, in a terminal, one key per decision."""
    parser = commands.add_parser("review", help="decide about the map's cameras")
    _common(parser)
    parser.set_defaults(run=_screen)
    actions = parser.add_subparsers(metavar="list|log|undo|DECISION")
    command = actions.add_parser("list", help="what waits, first what a decision changes most")
    command.add_argument("--limit", type=line_number, default=20, metavar="N")
    _common(command, run=_list)
    for verb, text in WORDS.items():
        command = actions.add_parser(verb, help=text)
        command.add_argument("camera", help="its id, as `list` shows it")
        _common(command, run=_decide, verb=verb)
    _add_more(actions)
    command = actions.add_parser("undo", help="take a decision back, or an undoing")
    command.add_argument("number", type=line_number, help="of the line, as `log` shows it")
    _common(command, run=_undo)
    command = actions.add_parser("log", help="all that was decided, and by whom")
    command.add_argument("--since", type=line_number, default=0, metavar="NUMBER")
    command.add_argument("--limit", type=line_number, default=LOG_MAX, metavar="N")
    _common(command, run=_log)


def _add_more(actions: Commands) -> None:
    command = actions.add_parser("merge", help="two are one camera")
    command.add_argument("camera", help="its id")
    command.add_argument("other", help="the other one's id")
    _common(command, run=_decide, verb="merge")
    command = actions.add_parser("split", help="it is two: by how its records differ, or named")
    command.add_argument("camera", help="its id")
    command.add_argument(
        "--record", action="append", default=[], metavar="ID/INDEX", help="one that is apart"
    )
    _common(command, run=_decide, verb="split")
    command = actions.add_parser("move", help="it is elsewhere")
    command.add_argument("camera", help="its id")
    command.add_argument("lat", type=float, help="degrees")
    command.add_argument("lon", type=float, help="degrees")
    _common(command, run=_decide, verb="move")
    command = actions.add_parser("tag", help="set OpenStreetMap tags; an empty value removes one")
    command.add_argument("camera", help="its id")
    command.add_argument("tags", nargs="+", metavar="KEY=VALUE")
    _common(command, run=_decide, verb="tag")


def _common(parser: argparse.ArgumentParser, **defaults: object) -> None:
    """Options of all of them; before the decision's name they count, too."""
    top = not defaults
    suppressed = argparse.SUPPRESS
    parser.add_argument(
        "--data", type=Path, default=default_data() if top else suppressed, metavar="DIR"
    )
    parser.add_argument(
        "--db", default=None if top else suppressed, metavar="URL", help="as of `hub serve`"
    )
    parser.add_argument(
        "--reviewer",
        metavar="NAME",
        default=os.environ.get(REVIEWER, "") if top else suppressed,
        help=f"who decides, for the log; default: ${REVIEWER}",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        default=False if top else suppressed,
        help="one JSON object per line",
    )
    parser.set_defaults(**defaults)


def add_reviewers(commands: Commands) -> None:
    """``hub reviewers``: who may log in on the page."""
    parser = commands.add_parser("reviewers", help="who may review on the page")
    actions = parser.add_subparsers(required=True, metavar="add|remove|list")
    add = actions.add_parser("add", help="add a reviewer, or give one another passphrase")
    add.add_argument("name", help="as the log will show it; need not be anybody's real one")
    add.add_argument("--passphrase-file", type=Path, metavar="FILE", help="instead of asking")
    add.add_argument("--proxy-only", action="store_true", help="none: a proxy logs this one in")
    remove = actions.add_parser("remove", help="take a reviewer off; decisions stay")
    remove.add_argument("name", help="the reviewer's")
    listing = actions.add_parser("list", help="all reviewers")
    for command, action in ((add, _add), (remove, _remove), (listing, _reviewers)):
        add_places(command)
        command.set_defaults(run=action)


@contextlib.contextmanager
def opened(args: argparse.Namespace) -> Iterator[ReviewDesk]:
    """The desk over the database of the options."""
    with existing(args) as store:
        name = naming.name_of(store, args.data)
        policy = mapping.policy_of(store)
        yield ReviewDesk(store, policy, partial(mapping.refresh, name=name), time.time)


# --- review -------------------------------------------------------------------------------------


def reviewer_of(args: argparse.Namespace) -> str:
    """Who decides; raises UsageError if nobody is named."""
    name = str(args.reviewer)
    if not name:
        raise UsageError("a review needs a name", hint=f"--reviewer NAME, or ${REVIEWER}")
    return name


def _screen(args: argparse.Namespace) -> int:
    name = reviewer_of(args)
    if not sys.stdin.isatty():
        raise UsageError("this is not a terminal", hint="`scanner hub review list` and the others")
    with opened(args) as desk:
        return review_screen.run(desk, name)


def _list(args: argparse.Namespace) -> int:
    with opened(args) as desk:
        items = desk.queue(max(1, args.limit))
    if args.json:
        for item in items:
            print(json_line(item))
    elif items:
        print(table([_row(item) for item in items], ["camera", "gain", "kind", "place", "why"]))
    else:
        print("Nothing waits.")
    return 0


def _row(item: Item) -> list[str]:
    feature = msgspec.json.decode(item.feature, type=CameraFeature)
    lon_deg, lat_deg = feature.geometry.coordinates
    place = f"{lat_deg:.6f}, {lon_deg:.6f}"
    kind = str(feature.properties.kind)
    return [feature.id, f"{item.gain:.2f}", kind, place, "; ".join(item.reasons)]


def _decide(args: argparse.Namespace) -> int:
    wanted = Wanted(
        verb=args.verb,
        camera_id=args.camera,
        with_id=getattr(args, "other", ""),
        lat=getattr(args, "lat", None),
        lon=getattr(args, "lon", None),
        tags=review_screen.tags_of(getattr(args, "tags", [])),
        members=[_member(text) for text in getattr(args, "record", [])],
    )
    name = reviewer_of(args)
    with opened(args) as desk:
        _done(args, desk.act(name, wanted))
    return 0


def _member(text: str) -> tuple[str, int]:
    record_id, _, index = text.partition("/")
    if not index.isdecimal():
        raise UsageError(f"--record {text}: ID/INDEX is wanted", hint="INDEX counts from 0")
    return record_id, int(index)


def _undo(args: argparse.Namespace) -> int:
    name = reviewer_of(args)
    with opened(args) as desk:
        _done(args, desk.undo(name, args.number))
    return 0


def _done(args: argparse.Namespace, number: int) -> None:
    if args.json:
        print(json_line(Done(number)))
    else:
        print(f"line {number} of the log; `scanner hub review undo {number}` takes it back")


def _log(args: argparse.Namespace) -> int:
    with opened(args) as desk:
        found = lines(desk, args.since, args.limit)
    if args.json:
        for line in found:
            print(json_line(line))
    elif found:
        titles = ["line", "at", "reviewer", "decision", "camera", "what", ""]
        print(table([_log_row(line) for line in found], titles))
    else:
        print("Nothing was decided.")
    return 0


def _log_row(line: Line) -> list[str]:
    at = dt.datetime.fromtimestamp(line.at_s, dt.UTC).strftime("%Y-%m-%d %H:%M")
    counts = "" if line.counts else "taken back"
    return [str(line.number), at, line.reviewer, line.verb, line.camera_id, line.text, counts]


# --- reviewers ----------------------------------------------------------------------------------


def _add(args: argparse.Namespace) -> int:
    passphrase = None if args.proxy_only else _passphrase(args.passphrase_file)
    new = Reviewers(args.data).add(args.name, passphrase)
    print(f"{args.name} may review" if new else f"{args.name} has a new passphrase")
    if new:
        print("A hub that was started without reviewers must be started again.")
    return 0


def _passphrase(path: Path | None) -> str:
    if path:
        try:
            return path.read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as e:
            raise UsageError(f"{path}: cannot be read as a passphrase") from e
    if not sys.stdin.isatty():
        raise UsageError("there is nobody to ask for a passphrase", hint="--passphrase-file FILE")
    first = getpass.getpass("Passphrase: ")
    if getpass.getpass("Once more:  ") != first:
        raise UsageError("the two are not the same")
    return first


def _remove(args: argparse.Namespace) -> int:
    Reviewers(args.data).remove(args.name)
    print(f"{args.name} may not review any more; what was decided stays")
    return 0


def _reviewers(args: argparse.Namespace) -> int:
    names = Reviewers(args.data).names()
    rows = [[name, "passphrase" if own else "through the proxy"] for name, own in names.items()]
    print(table(rows, ["reviewer", "comes in by"]) if rows else "There are no reviewers.")
    return 0
