"""``scanner hub work``: take records in, without page and without publishing.

As many as wanted beside one ``scanner hub serve``: the broker gives each record to one of them.
"""

import argparse
import contextlib
import logging
import re
import signal
import sys
import threading
from collections.abc import Callable
from typing import Final

from scanner.cli import add_config_option, config_of, say
from scanner.cli.hub_cohorts import add_land
from scanner.cli.hub_ingest import add_keep
from scanner.cli.hub_store import add_places, database
from scanner.cli.relay import add_broker_option, with_broker
from scanner.errors import ConfigError, UsageError
from scanner.hub.intake import Intake, IntakeOptions
from scanner.outgoing import mqtt_password

TELL_EVERY_S: Final = 2.0
NAME: Final = r"[a-z0-9-]{1,12}"  # with what stands before it a client id that every broker takes


def add_work(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser("work", help="help a hub to take records in: no page")
    add_places(parser)
    parser.add_argument(
        "--name",
        required=True,
        help="of this worker, always the same: the broker keeps under it what it was given",
    )
    parser.add_argument("--require-token", action="store_true", help="only records with a token")
    add_land(parser)
    add_keep(parser)
    parser.add_argument(
        "--intake-only", action="store_true", help="leave making cameras of them to others"
    )
    add_broker_option(parser)
    add_config_option(parser)
    parser.set_defaults(run=run)


def tell_of_trouble(trouble: Callable[[], str], stop: threading.Event) -> None:
    """Until stopped, say on standard error when the broker is away and when it is back."""
    told = ""
    while not stop.wait(TELL_EVERY_S):
        now = trouble()
        if now != told:
            say(f"scanner: {now or 'the broker is back'}")
        told = now


def run(args: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    if not re.fullmatch(NAME, args.name):
        raise UsageError(f"--name {args.name}: up to 12 of a-z, 0-9 and - are wanted")
    mqtt = with_broker(config_of(args), args.broker).mqtt
    if not mqtt.host:
        raise ConfigError("no broker is configured", hint="--broker HOST:PORT")
    options = IntakeOptions(
        data=args.data,
        database=database(args),
        mqtt=mqtt,
        password=mqtt_password(),
        token_required=args.require_token,
        land=args.land,
        keep=args.keep,
        client_id=f"cctv-hub-{args.name}",
        fuses=not args.intake_only,
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with contextlib.closing(Intake(options)) as intake:
        intake.start()
        print(f"worker  {args.name}", flush=True)
        print(f"broker  {mqtt.host}:{mqtt.port}", flush=True)
        tell_of_trouble(lambda: intake.inbox.trouble, stop)
    return 0
