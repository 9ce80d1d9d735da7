"""``scanner doctor``: checks that everything is there that a walk needs."""

import argparse
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np

from scanner import wall
from scanner.app import hub_key, open_detector
from scanner.cli import add_config_option, config_of
from scanner.cli.relay import add_broker_option, with_broker
from scanner.cli.text import json_line
from scanner.config import Config
from scanner.errors import ConfigError, DeviceError, ScannerError, StoreError
from scanner.hardware.live import boot_ns
from scanner.hardware.positions import open_positions
from scanner.outgoing import connect, data_folder, open_outbox
from scanner.wall import landlock

MIN_FREE_BYTES: Final = 50 * 1024 * 1024
POSITION_S: Final = 3.0
MARKS: Final = {"ok": "+", "note": "?", "fail": "!"}

Check = Callable[[Config, Path], str]


class _Note(Exception):  # noqa: N818 - not an error: something left out on purpose
    """A part is not set up, which may be as meant."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("doctor", help="check everything that a walk needs")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the outbox lies")
    parser.add_argument("--json", action="store_true", help="one JSON object per check")
    add_broker_option(parser)
    add_config_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a line per check; the exit code is that of the first failure."""
    config = with_broker(config_of(args), args.broker)
    data: Path = args.data or data_folder()
    code = 0
    for name, state, text, failure in _results(config, data):
        code = code or failure
        if args.json:
            print(json_line({"check": name, "state": state, "text": text}))
        else:
            print(f"{MARKS[state]} {name:<9} {text}", flush=True)
    return code


def _results(config: Config, data: Path) -> Iterator[tuple[str, str, str, int]]:
    """Name, state, text and exit code of each check, in the order a frame would meet them."""
    for name, check in CHECKS.items():
        try:
            yield name, "ok", check(config, data), 0
        except _Note as e:
            yield name, "note", str(e), 0
        except ScannerError as e:
            yield name, "fail", str(e), e.exit_code


def _detector(config: Config, _: Path) -> str:
    detector = open_detector(config)
    tile = np.zeros((detector.tile_size, detector.tile_size, 3), np.uint8)
    detector.infer(tile)
    start = time.perf_counter()
    detector.infer(tile)
    ms = (time.perf_counter() - start) * 1e3
    return f"{detector.tile_size} px tiles, {ms:.0f} ms each on the processor"


def _lens(_: Config, __: Path) -> str:
    raise _Note("lenses are not opened by this version; recorded walks are (run --source)")


def _position(config: Config, _: Path) -> str:
    if config.position.source == "track":
        return "recorded track, by --track"
    with closing(open_positions(config.position.source, config.position.sigma_m)) as positions:
        deadline = time.monotonic() + POSITION_S
        while time.monotonic() < deadline:
            position = positions.position_at(boot_ns())
            if position:
                return f"a fix, good to {position.sigma_m:.0f} m (1 sigma)"
            time.sleep(0.05)
        if positions.heard:
            raise _Note("the receiver is heard but has no fix yet: it needs open sky")
        raise DeviceError(
            f"no positions from {positions.state}",
            hint="is the receiver plugged in, gpsd installed? or set position.source to track",
        )


def _card(_: Config, data: Path) -> str:
    with open_outbox(data) as store:
        waiting = len(store.waiting())
    if not os.access(data, os.W_OK):
        raise StoreError(f"{data}: cannot be written")
    free = shutil.disk_usage(data).free
    if free < MIN_FREE_BYTES:
        raise StoreError(f"{data}: {free // 1024**2} MiB free", hint="50 MiB are wanted")
    return f"{data}: {waiting} records wait, {free / 1024**3:.1f} GiB free"


def _key(config: Config, _: Path) -> str:
    if hub_key(config) is None:
        raise ConfigError(
            "privacy.hub_key is empty: nobody could read the records",
            hint="`scanner hub keys` prints the hub's key",
        )
    return "the hub's public key is set"


def _broker(config: Config, _: Path) -> str:
    if not config.mqtt.host:
        raise _Note("mqtt.host is empty: records stay in the outbox")
    connect(config).close()
    return f"{config.mqtt.host}:{config.mqtt.port} answers"


def _wall(_: Config, __: Path) -> str:
    text = wall.describe()
    if not landlock.version():
        raise _Note(text)
    return text


CHECKS: Final[dict[str, Check]] = {
    "detector": _detector,
    "lens": _lens,
    "position": _position,
    "card": _card,
    "hub key": _key,
    "broker": _broker,
    "wall": _wall,
}
