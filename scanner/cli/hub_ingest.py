"""``scanner hub ingest FILE``: records that a courier brought, through the hub's real intake."""

import argparse
import contextlib
import random
import time
from functools import partial
from pathlib import Path

from scanner.cli import courier
from scanner.cli.hub_cohorts import add_land
from scanner.cli.hub_store import add_places, database
from scanner.hub import keys, mapping
from scanner.hub.cohorts import Checker, issuers
from scanner.hub.ingest import Ingest
from scanner.hub.plausibility import Plausibility, read_ground
from scanner.hub.stores import open_store


def add_ingest(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser("ingest", help="take in what `scanner outbox export` wrote")
    parser.add_argument("file", type=Path, nargs="+", metavar="FILE")
    add_places(parser)
    parser.add_argument("--require-token", action="store_true", help="only records with a token")
    add_land(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read all files before any is taken in; what is known already counts once."""
    payloads = [payload for path in args.file for payload in courier.read(path)]
    random.SystemRandom().shuffle(payloads)
    ring = keys.load_ring(args.data)
    ground = read_ground(args.land) if args.land else None
    with contextlib.closing(open_store(database(args))) as store:
        intake = Ingest(
            store,
            ring,
            time.time,
            checker=Checker(issuers(args.data)),
            token_required=args.require_token,
            doubt=Plausibility(store, ground=ground).doubt,
        )
        received = intake.take(payloads)
        name = partial(keys.camera_id, keys.load_naming(args.data))
        while mapping.fuse_waiting(store, name):
            pass
    print(
        f"{received.added} records taken in, {received.repeated} known before, "
        f"{received.quarantined} quarantined, {received.dummies} dummies"
    )
    return 0
