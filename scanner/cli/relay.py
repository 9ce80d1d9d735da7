"""``scanner relay``: outbox to broker; no lens, no position, no key that opens a record."""

import argparse
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from scanner import wall
from scanner.cli import add_config_option, config_of
from scanner.cli.insecure import add_insecure_option, insecurely, tell_of_fence
from scanner.config import Config
from scanner.errors import ConfigError, StoreError, UsageError
from scanner.outgoing import data_folder, make_relay, open_outbox
from scanner.storage.outbox import Outbox
from scanner.wiping import begun

LOOK_S: Final = 1.0  # between two looks at whether there still is an outbox


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("relay", help="send what waits in the outbox")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the outbox lies")
    parser.add_argument("--once", action="store_true", help="send what is due, then end")
    add_broker_option(parser)
    add_insecure_option(parser)
    add_config_option(parser)
    parser.set_defaults(run=run)


def add_broker_option(parser: argparse.ArgumentParser) -> None:
    """``--broker HOST:PORT``."""
    parser.add_argument("--broker", metavar="HOST:PORT", help="instead of mqtt.host, mqtt.port")


def broker_arguments(broker: str | None) -> list[str]:
    """The option as it is passed on to another process."""
    return ["--broker", broker] if broker else []


def with_broker(config: Config, broker: str | None) -> Config:
    """The configuration with the broker replaced, if one was given; raises UsageError."""
    if not broker:
        return config
    host, colon, port = broker.rpartition(":")
    if not colon:
        host, port = broker, str(config.mqtt.port)
    if not host or not port.isdigit() or not 0 < int(port) < 65536:  # noqa: PLR2004 - ports
        raise UsageError(f"--broker {broker}: HOST:PORT is wanted")
    mqtt = msgspec.structs.replace(config.mqtt, host=host.strip("[]"), port=int(port))
    return msgspec.structs.replace(config, mqtt=mqtt)


def run(args: argparse.Namespace) -> int:
    """Send until told to stop (SIGTERM, Ctrl-C), or once."""
    data: Path = args.data or data_folder()
    if begun(data):  # an outbox made anew would be in its way
        raise StoreError(f"{data}: a wipe is not finished", hint="sudo scanner wipe")
    config = with_broker(config_of(args), args.broker)
    if not config.mqtt.host:
        raise ConfigError("mqtt.host is empty: no broker to send to", hint="or give --broker")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    tell = partial(print, "relay:", file=sys.stderr)
    with open_outbox(data, tell) as store:
        relay = make_relay(config, store, tell, args.config)
        with insecurely(asked=args.insecure):
            inputs = [Path(config.mqtt.ca_file)] if config.mqtt.ca_file else []
            tell_of_fence(wall.fence_relay(store.files, inputs))
            wall.close_relay(data)
        if args.once:
            print(f"sent {relay.drain(stop.wait)}")
        else:
            relay.run(lambda seconds: _over(stop, store, seconds))
        if not store.there:
            raise StoreError(f"{data}: the outbox is gone", hint="was this device wiped?")
    return 0


def _over(stop: threading.Event, store: Outbox, seconds: float) -> bool:
    """Wait; whether to end: told to, or the outbox was wiped and lives in memory only."""
    until_s = time.monotonic() + seconds
    while store.there and not stop.is_set():
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            return False
        stop.wait(min(left_s, LOOK_S))
    return True
