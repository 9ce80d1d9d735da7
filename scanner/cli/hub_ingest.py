"""``scanner hub ingest FILE``: records that a courier brought, or that the hub itself put by."""

import argparse
import contextlib
import random
import time
from pathlib import Path

from scanner.cli import courier
from scanner.cli.hub_cohorts import add_land
from scanner.cli.hub_store import add_places, database
from scanner.hub import keeping, keys, mapping, naming
from scanner.hub.cohorts import Checker, issuers
from scanner.hub.ingest import Ingest
from scanner.hub.plausibility import Plausibility, read_ground
from scanner.hub.stores import open_store


def add_ingest(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser("ingest", help="take in what `outbox export` wrote, or --keep")
    parser.add_argument("file", type=Path, nargs="+", metavar="FILE")
    add_places(parser)
    parser.add_argument("--require-token", action="store_true", help="only records with a token")
    add_land(parser)
    parser.set_defaults(run=run)


def add_keep(parser: argparse.ArgumentParser) -> None:
    """``--keep``, for whoever takes records in."""
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="put each record by as it came: `hub ingest DIR/*` brings back what a backup lacks",
    )


def run(args: argparse.Namespace) -> int:
    """Read all of the couriers' files before any is taken in; what is known counts once."""
    kept = [path for path in args.file if path.suffix == keeping.SUFFIX]
    brought = [p for path in args.file if path not in kept for p in courier.read(path)]
    random.SystemRandom().shuffle(brought)
    naming.look_for_keys(args.data)  # before a database is made where there is no hub
    ground = read_ground(args.land) if args.land else None
    with contextlib.closing(open_store(database(args))) as store:
        name = naming.name_of(store, args.data)
        intake = Ingest(
            store,
            keys.load_ring(args.data),
            time.time,
            checker=Checker(issuers(args.data)),
            token_required=args.require_token,
            doubt=Plausibility(store, ground=ground).doubts,
        )
        received = [intake.take(brought)]
        received += [intake.take(some) for path in kept for some in keeping.read(path)]
        while mapping.fuse_waiting(store, name):
            pass
    print(
        f"{sum(r.added for r in received)} records taken in, "
        f"{sum(r.repeated for r in received)} known before, "
        f"{sum(r.quarantined for r in received)} quarantined, "
        f"{sum(r.dummies for r in received)} dummies"
    )
    return 0
