"""``scanner run``: watch and relay in one; here from a file source."""

import argparse
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from scanner.app import (
    data_folder,
    hub_key,
    nobodys_key,
    open_outbox,
    refuse_live_lens,
    relay_once,
    watch_recording,
)
from scanner.cli import add_config_option, config_of
from scanner.cli.relay import add_broker_option, broker_arguments, with_broker
from scanner.cli.replay import add_recording_options, recording_of
from scanner.cli.text import json_line
from scanner.config import Config
from scanner.errors import ConfigError, UsageError
from scanner.pipeline import Counts
from scanner.replay.standins import ConsolePanel


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("run", help="find cameras and send them to the hub")
    parser.add_argument("--source", type=Path, metavar="VIDEO|FOLDER", help="recorded pictures")
    add_recording_options(parser, required=False)
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the outbox lies")
    parser.add_argument("--once", action="store_true", help="end when the source ends")
    parser.add_argument("--hub-key", metavar="BASE64", help="instead of privacy.hub_key")
    parser.add_argument("--json", action="store_true", help="the counts as a JSON object")
    add_broker_option(parser)
    add_config_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Fill the outbox from the walk while a relay of its own process empties it."""
    config = _config(args)
    if args.source is None:
        refuse_live_lens()
    if args.track is None:
        raise UsageError("--source needs --track FILE", hint="GPX or NMEA of the same walk")
    data: Path = args.data or data_folder()
    key = hub_key(config)
    if key is None and config.mqtt.host:
        raise ConfigError(
            "no hub key: what would be sent could never be read",
            hint="set privacy.hub_key or give --hub-key; `scanner hub keys` prints it",
        )
    if key is None:
        print(
            "scanner: note: no hub key (privacy.hub_key, --hub-key): records are sealed to a key "
            "that nobody holds and only show the way",
            file=sys.stderr,
        )
    with _relay_beside(args, config, data) as relay:
        with open_outbox(data) as store:
            counts = watch_recording(
                recording_of(args), config, store, key or nobodys_key(), ConsolePanel()
            )
        _report(counts, args.json)
        if relay and not args.once:
            relay.wait()
    if args.once and config.mqtt.host:
        relay_once(config, data)
    with open_outbox(data) as store:
        print(f"outbox: {len(store.waiting())} waiting", file=sys.stderr)
    return 0


def _config(args: argparse.Namespace) -> Config:
    config = with_broker(config_of(args), args.broker)
    if args.hub_key:
        privacy = msgspec.structs.replace(config.privacy, hub_key=args.hub_key)
        config = msgspec.structs.replace(config, privacy=privacy)
    return config


@contextmanager
def _relay_beside(
    args: argparse.Namespace, config: Config, data: Path
) -> Iterator["subprocess.Popen[bytes] | None"]:
    """``scanner relay`` as a process of its own, so that what sees never sends."""
    if not config.mqtt.host:
        yield None
        return
    command = [sys.executable, "-m", "scanner", "relay", "--data", str(data)]
    command += ["--config", str(args.config)] if args.config else []
    with subprocess.Popen([*command, *broker_arguments(args.broker)]) as relay:  # noqa: S603
        try:
            yield relay
        finally:
            relay.send_signal(signal.SIGTERM)


def _report(counts: Counts, as_json: bool) -> None:  # noqa: FBT001 - a flag of the command line
    if as_json:
        print(json_line(counts))
        return
    print(
        f"{counts.frames} frames, {counts.detections} detections, {counts.sightings} sightings, "
        f"{counts.records} records kept, {counts.withheld} withheld, "
        f"{counts.not_located} tracks not located, "
        f"{counts.without_fix} frames without fix or course"
    )
