"""From the configured source of positions to its adapter."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from scanner.errors import ConfigError
from scanner.hardware.ble import BlePositions
from scanner.hardware.gpsd import GpsdPositions
from scanner.hardware.live import LivePositions
from scanner.hardware.nmea import BAUDS, SerialPositions

GPSD_SOCKET: Final = "/run/gpsd/json.sock"  # as systemd/ sets it up
GPSD_PORT: Final = 2947
DEFAULT_BAUD: Final = 9600
FORMS: Final = (
    "gpsd, gpsd:///run/gpsd/json.sock, serial:///dev/ttyACM0?baud=9600, ble://ADDRESS-OR-NAME"
    " or gpsd://HOST:PORT"
)


def open_positions(source: str, sigma_m: float, *, walled: bool = False) -> LivePositions:
    """The live source that ``source`` names; it listens from now on and is to be closed.

    ``sigma_m``: 1 sigma per axis where the receiver tells none. ``walled``: for ``watch``, which
    has no network. Raises ConfigError for a source that is none of these, DeviceError for one that
    can never work.
    """
    url = urlsplit(f"gpsd://{GPSD_SOCKET}" if source == "gpsd" else source)
    if url.scheme == "gpsd":
        if walled and url.netloc:
            raise ConfigError(
                f"position.source: {source!r}: there is no network, not even loopback, where the"
                " lens is",
                hint=f'"gpsd" reaches it by its socket {GPSD_SOCKET}; systemd/ has the drop-in',
            )
        return GpsdPositions(_gpsd_address(source, url), sigma_m=sigma_m)
    if url.scheme == "serial" and len(url.path) > 1 and not url.netloc:
        return SerialPositions(Path(unquote(url.path)), baud=_baud(source, url), sigma_m=sigma_m)
    if url.scheme == "ble" and url.netloc and not url.path:
        return BlePositions(unquote(url.netloc), sigma_m=sigma_m)
    if source == "track":
        raise ConfigError("position.source: track is a file", hint="name it with --track FILE")
    raise _wrong(source)


def _wrong(source: str) -> ConfigError:
    return ConfigError(f"position.source: {source!r} is no source of positions", hint=FORMS)


def _gpsd_address(source: str, url: SplitResult) -> tuple[str, int] | str:
    try:
        port = url.port
    except ValueError as e:
        raise _wrong(source) from e
    if not url.netloc and len(url.path) > 1:
        return unquote(url.path)
    if not url.hostname or url.path or port == 0:
        raise _wrong(source)
    return url.hostname, GPSD_PORT if port is None else port


def _baud(source: str, url: SplitResult) -> int:
    if not url.query:
        return DEFAULT_BAUD
    values = parse_qs(url.query)
    text = values.pop("baud", [""])[0]
    if values or not re.fullmatch(r"[0-9]{1,7}", text):
        raise _wrong(source)
    if int(text) not in BAUDS:
        raise ConfigError(f"position.source: {source!r}: no such speed", hint=f"one of {BAUDS}")
    return int(text)
