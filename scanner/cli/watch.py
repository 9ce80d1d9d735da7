"""``scanner watch``: lens to outbox; no network, and no new file once it looks.

Imports that start threads (numpy, the detector) come after the fence, which binds one thread and
those it starts.
"""

import argparse
import signal
import sys
from pathlib import Path
from threading import Event

import msgspec

from scanner import wall
from scanner.cli import add_config_option, config_of
from scanner.cli.insecure import add_insecure_option, insecurely, tell_of_fence
from scanner.cli.recording import add_recording_options
from scanner.config import Config
from scanner.errors import ConfigError, DeviceError, UsageError
from scanner.outgoing import data_folder, open_outbox
from scanner.storage.outbox import Outbox


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("watch", help="find cameras and seal them into the outbox")
    add_watch_options(parser)
    add_config_option(parser)
    parser.set_defaults(run=run)


def add_watch_options(parser: argparse.ArgumentParser) -> None:
    """What ``watch`` takes, and ``run`` passes on to it."""
    parser.add_argument("--source", type=Path, metavar="VIDEO|FOLDER", help="recorded pictures")
    add_recording_options(parser, required=False)
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the outbox lies")
    parser.add_argument("--once", action="store_true", help="end when the source ends")
    parser.add_argument("--hub-key", metavar="BASE64", help="instead of privacy.hub_key")
    parser.add_argument("--json", action="store_true", help="the counts as a JSON object")
    add_insecure_option(parser)


def run(args: argparse.Namespace) -> int:
    """Look until the source ends or SIGTERM comes; what was found is then on the card."""
    config = checked(args, config_of(args))
    data: Path = args.data or data_folder()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with open_outbox(data) as store:
        with insecurely(asked=args.insecure):
            tell_of_fence(wall.fence_watch(data, _inputs(args, config)))
        _watch(args, config, store, stop)
    return 0


def checked(args: argparse.Namespace, config: Config) -> Config:
    """The configuration as the options change it, if they make sense; opens nothing."""
    if args.hub_key:
        privacy = msgspec.structs.replace(config.privacy, hub_key=args.hub_key)
        config = msgspec.structs.replace(config, privacy=privacy)
    if args.source is None:
        raise DeviceError(
            "no lens can be opened yet", hint="give --source VIDEO|FOLDER --track FILE"
        )
    if args.track is None:
        raise UsageError("--source needs --track FILE", hint="GPX or NMEA of the same walk")
    return config


def key_of(config: Config) -> str:
    """The hub's key; raises ConfigError if records would be sent that nobody could ever read."""
    key = config.privacy.hub_key or "".join(config.privacy.hub_keys.values())
    if not key and config.mqtt.host:
        raise ConfigError(
            "no hub key: what would be sent could never be read",
            hint="set privacy.hub_key or give --hub-key; `scanner hub keys` prints it",
        )
    return key


def _watch(args: argparse.Namespace, config: Config, store: Outbox, stop: Event) -> None:
    # After the fence: these start threads.
    from scanner.app import hub_key, nobodys_key, watch_recording  # noqa: PLC0415
    from scanner.cli.replay import recording_of  # noqa: PLC0415
    from scanner.cli.text import json_line  # noqa: PLC0415
    from scanner.replay.standins import ConsolePanel  # noqa: PLC0415

    key = key_of(config)
    if not key:
        print(
            "scanner: note: no hub key (privacy.hub_key, --hub-key): records are sealed to a key "
            "that nobody holds and only show the way",
            file=sys.stderr,
        )

    def close_door() -> None:
        with insecurely(asked=args.insecure):
            wall.close_watch(store.folder)

    counts = watch_recording(
        recording_of(args),
        config,
        store,
        hub_key(config) or nobodys_key(),
        ConsolePanel(),
        close_door=close_door,
        told_to_stop=stop.is_set,
    )
    print(
        json_line(counts)
        if args.json
        else (
            f"{counts.frames} frames, {counts.detections} detections, "
            f"{counts.sightings} sightings, {counts.records} records kept, "
            f"{counts.withheld} withheld, {counts.not_located} tracks not located, "
            f"{counts.without_fix} frames without fix or course"
        )
    )


def _inputs(args: argparse.Namespace, config: Config) -> list[Path]:
    named = [args.source, args.track, args.config, config.detector.model, config.lens.calibration]
    return [Path(path) for path in named if path]
