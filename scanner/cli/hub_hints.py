"""``scanner hub hints``: sign a list of Bluetooth signatures with the campaign's key."""

import argparse
from pathlib import Path

import msgspec

from scanner import signing
from scanner.cli.hub_campaign import Commands
from scanner.core import hints
from scanner.errors import StoreError, UsageError
from scanner.hub import keys


def add_hints(commands: Commands, data: Path) -> None:
    """``hub hints``."""
    parser = commands.add_parser("hints", help="sign a list of Bluetooth signatures for devices")
    parser.add_argument("list", type=Path, metavar="LIST.json", help="as docs/hints.json is")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--data", type=Path, default=data, metavar="DIR")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Refuse what people carry, sign, write."""
    try:
        found = hints.parse(args.list.read_bytes())
    except OSError as e:
        raise UsageError(f"{args.list}: cannot be read: {e.strerror}") from e
    key = keys.load_campaign(args.data)
    try:
        args.out.write_text(signing.sign_hints(msgspec.json.encode(found), key), encoding="utf-8")
    except OSError as e:
        raise StoreError(f"{args.out}: cannot be written: {e.strerror}") from e
    for signature in found.signatures:
        print(f"{signature.title}: {signature.kinds} independent signals")
    print(f"key          {signing.base64_of(bytes(key.verify_key))}")
    print(f"fingerprint  {signing.fingerprint(bytes(key.verify_key))}")
    return 0
