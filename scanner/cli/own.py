"""``scanner outbox keygen`` and ``open``: a volunteer's own copies, read on another machine."""

import argparse
import base64
import binascii
import datetime as dt
import os
import sys
from contextlib import closing
from pathlib import Path

import nacl.exceptions
from nacl.public import PrivateKey

from scanner.cli.text import json_line
from scanner.core.wire import KIND_CODES, CameraEntry, Record
from scanner.errors import UsageError
from scanner.outgoing import data_folder
from scanner.sealing import key_to_text, open_own
from scanner.storage.outbox import OWN_FOLDER, Outbox


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare them below ``scanner outbox``."""
    keygen = commands.add_parser("keygen", help="make a key of your own, on another machine")
    keygen.add_argument("file", type=Path, metavar="FILE", help="where the private half goes")
    keygen.set_defaults(run=_keygen)
    command = commands.add_parser("open", help="your own copies as GeoJSON, on another machine")
    command.add_argument("--key", type=Path, required=True, metavar="FILE", help="by keygen")
    command.add_argument("--data", type=Path, metavar="DIR", help="copy of the data folder")
    command.set_defaults(run=_open)


def _keygen(args: argparse.Namespace) -> int:
    key = PrivateKey.generate()
    try:
        handle = os.open(args.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as e:
        raise UsageError(f"{args.file}: cannot be made: {e.strerror}") from e
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64encode(bytes(key)) + b"\n")
    print(f"wrote {args.file}: keep it away from the device. For the device's scanner.toml:")
    print(f'\n[privacy]\nown_key = "{key_to_text(key.public_key)}"')
    return 0


def _open(args: argparse.Namespace) -> int:
    folder = (args.data or data_folder()) / OWN_FOLDER
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder", hint="no own copies were kept here")
    key = _private(args.key)
    with closing(Outbox(folder)) as store:
        records, closed = open_own([w.payload for w in store.waiting()], key)
    features = [
        feature for record in records for feature in (_feature(record, c) for c in record.cameras)
    ]
    print(json_line({"type": "FeatureCollection", "features": features}))
    if closed:
        print(f"scanner: note: {closed} copies are not for this key", file=sys.stderr)
    return 0


def _private(path: Path) -> PrivateKey:
    try:
        return PrivateKey(base64.b64decode(path.read_bytes().strip(), validate=True))
    except OSError as e:
        raise UsageError(f"{path}: cannot be read: {e.strerror}") from e
    except (binascii.Error, ValueError, nacl.exceptions.CryptoError) as e:
        raise UsageError(f"{path}: not a key", hint="`scanner outbox keygen` makes one") from e


def _feature(record: Record, entry: CameraEntry) -> dict[str, object]:
    sigma_m = ((entry.ee_cm2 + entry.nn_cm2) / 2e4 + (record.common_sigma_cm / 100) ** 2) ** 0.5
    first = dt.date(1970, 1, 1) + dt.timedelta(record.bucket * record.bucket_days)
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [entry.lon_e7 / 1e7, entry.lat_e7 / 1e7]},
        "properties": {
            "kind": KIND_CODES[entry.kind],
            "sigma_m": round(sigma_m, 1),
            "height_m": None if entry.height_dm is None else entry.height_dm / 10,
            "from": first.isoformat(),
            "days": record.bucket_days,
        },
    }
