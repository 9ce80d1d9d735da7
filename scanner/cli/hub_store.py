"""Where a hub's database is; ``scanner hub status``, ``backup`` and ``restore``."""

import argparse
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from scanner.errors import UsageError
from scanner.hub import backups
from scanner.hub.features import Policy
from scanner.hub.service import DATABASE
from scanner.hub.stores import Store, database_file, open_store

CONFIRMING_COHORTS: Final = 2  # as campaigns under the default profile, careful, want it


def default_data() -> Path:
    """Where a hub keeps its things: as a service where systemd says, else below the home."""
    service = os.environ.get("STATE_DIRECTORY")
    return Path(service) if service else Path.home() / ".local/state/scanner-hub"


def add_places(parser: argparse.ArgumentParser) -> None:
    """``--data`` and ``--db``."""
    parser.add_argument("--data", type=Path, default=default_data(), metavar="DIR")
    parser.add_argument(
        "--db",
        metavar="URL",
        help="sqlite:///PATH or postgresql://...; default: SQLite in the data folder",
    )


def add_publication(parser: argparse.ArgumentParser) -> None:
    """``--cohorts`` and ``--batch``, the rule of publication."""
    parser.add_argument(
        "--cohorts",
        type=int,
        default=CONFIRMING_COHORTS,
        metavar="N",
        help="publish what so many cohorts report, or a reviewer confirms (2); 0: any one report",
    )

    parser.add_argument(
        "--batch",
        type=int,
        default=0,
        metavar="N",
        help="take new records into the map once a month, N or more together (0: at once)",
    )


def publication(args: argparse.Namespace) -> Policy:
    """The rule of publication that the options ask for; raises UsageError."""
    if args.cohorts < 0:
        raise UsageError(f"--cohorts {args.cohorts}: 0 or more is wanted")
    if args.batch < 0:
        raise UsageError(f"--batch {args.batch}: 0 or more is wanted")
    return Policy(reports=max(1, args.cohorts), cohorts=args.cohorts)


def database(args: argparse.Namespace) -> str | Path:
    """URL or path of the database; raises UsageError for what is neither."""
    if not args.db:
        return Path(args.data) / DATABASE
    database_file(args.db)
    return str(args.db)


@contextlib.contextmanager
def existing(args: argparse.Namespace) -> Iterator[Store]:
    """The database of ``--db`` or ``--data``; raises UsageError if there is none."""
    where = database(args)
    path = database_file(where)
    if path is not None and not path.exists():
        raise UsageError(f"{path}: no such database", hint="--data DIR or --db URL")
    with contextlib.closing(open_store(where)) as store:
        yield store


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare ``status``, ``backup`` and ``restore``."""
    command = commands.add_parser("status", help="how many records there are")
    add_places(command)
    command.set_defaults(run=_status)
    command = commands.add_parser("backup", help="copy the database to a file, while it is used")
    command.add_argument("file", type=Path, metavar="FILE")
    add_places(command)
    command.set_defaults(run=_back_up)
    command = commands.add_parser("restore", help="fill an empty database from a backup")
    command.add_argument("file", type=Path, metavar="FILE")
    add_places(command)
    command.set_defaults(run=_restore)


def _status(args: argparse.Namespace) -> int:
    """Counts that the web side tells nobody: they would say when a record came."""
    with existing(args) as store:
        records, bad = store.counts()
        print(f"{records} records, {store.pooled()} of them in the pool; {store.size()} cameras")
        print(f"{bad} quarantined")
        for reason, count in store.quarantined():
            print(f"  {count} {reason}")
    return 0


def _back_up(args: argparse.Namespace) -> int:
    with existing(args) as store:
        records, _ = store.counts()
    backups.back_up(database(args), args.file)
    print(f"{args.file}: {records} records; keys are not in it: `--data` holds them")
    return 0


def _restore(args: argparse.Namespace) -> int:
    backups.restore(database(args), args.file)
    with existing(args) as store:
        records, _ = store.counts()
    print(f"{records} records are back")
    return 0
