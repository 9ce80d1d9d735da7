"""``scanner tokens``: ask for cohort tokens, take the answer, count what is left.

Request and answer are files that go by hand, over any messenger: the answer is of use to the device
that asked and to nobody else, and tells nothing of the tokens.
"""

import argparse
import datetime as dt
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from scanner import config as settings
from scanner import enrolment
from scanner.cli import add_config_option
from scanner.cli.text import json_line, table
from scanner.core import blind, tokens
from scanner.errors import UNREADABLE, ConfigError, StoreError, UsageError, WireError
from scanner.outgoing import data_folder
from scanner.storage.tokens import Asked, Tokens

A_MONTH: Final = 60
MOST: Final = 300
_T = TypeVar("_T", bound=msgspec.Struct)


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Blinded tokens of one key."""

    month: str
    key: Annotated[bytes, Meta(min_length=8, max_length=8)]
    blinded: Annotated[list[bytes], Meta(min_length=1, max_length=MOST)]


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Their signatures, in the same order."""

    key: Annotated[bytes, Meta(min_length=8, max_length=8)]
    blinded: list[bytes]
    signed: list[bytes]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    parser = subparsers.add_parser("tokens", help="what stands for your cohort in a record")
    commands = parser.add_subparsers(required=True, metavar="ls|request|take")
    ls = commands.add_parser("ls", help="how many tokens are left")
    ls.add_argument("--json", action="store_true", help="one JSON object")
    request = commands.add_parser("request", help="write a request for the cohort's organiser")
    request.add_argument("--out", type=Path, required=True, metavar="FILE", help="where to")
    request.add_argument("--month", metavar="YYYY-MM", help="of the tokens (this one)")
    request.add_argument("--count", type=int, default=A_MONTH, help=f"how many ({A_MONTH})")
    take = commands.add_parser("take", help="read the organiser's answer")
    take.add_argument("file", type=Path, metavar="FILE", help="what came back")
    for command, action in ((ls, _ls), (request, _request), (take, _take)):
        command.add_argument("--data", type=Path, metavar="DIR", help="where tokens are kept")
        add_config_option(command)
        command.set_defaults(run=action)


def _ls(args: argparse.Namespace) -> int:
    with closing(Tokens(args.data or data_folder())) as store:
        counts = store.counts()
    if args.json:
        print(json_line({"tokens": counts}))
    elif counts:
        print(table([[month, str(count)] for month, count in counts.items()], ["month", "tokens"]))
    else:
        print("No tokens: records count for no cohort.")
    return 0


def _request(args: argparse.Namespace) -> int:
    if not 1 <= args.count <= MOST:
        raise UsageError(f"--count {args.count}: 1 to {MOST} is wanted")
    found = enrolment.installed(args.config or settings.find())
    if not found:
        raise ConfigError(
            "not enrolled: whose tokens to ask for is not known", hint="scanner enrol"
        )
    today = dt.datetime.now(dt.UTC).date()
    month = args.month or enrolment.month_of(today)
    if month not in found.issuers:
        known = ", ".join(sorted(found.issuers)) or "none"
        raise UsageError(
            f"the enrolment has no key for tokens of {month} (it has: {known})",
            hint="ask your organiser for a new enrolment",
        )
    modulus = found.issuers[month]
    try:
        key = tokens.public_key(modulus)
        wanted = [_ask(key, month, modulus) for _ in range(args.count)]
    except WireError as e:
        raise ConfigError(f"enrolment: issuers.{month}: {e.message}") from e
    request = Request(month=month, key=tokens.key_id(key), blinded=[a.blinded for a in wanted])
    with closing(Tokens(args.data or data_folder())) as store:
        store.drop_before(enrolment.month_of(today.replace(day=1) - dt.timedelta(1)))
        store.ask(wanted)
    write(args.out, request)
    print(f"wrote {args.out}: {args.count} blinded tokens of {month}, for your organiser to sign")
    return 0


def _ask(key: blind.PublicKey, month: str, modulus: bytes) -> Asked:
    prepared = blind.prepare(tokens.message(tokens.key_id(key)), os.urandom)
    hidden = blind.blind(key, prepared, os.urandom)
    return Asked(
        month=month,
        modulus=modulus,
        blinded=hidden.message,
        prepared=prepared,
        inverse=hidden.inverse.to_bytes(key.size, "big"),
    )


def _take(args: argparse.Namespace) -> int:
    answer = read(args.file, Answer)
    if len(answer.signed) != len(answer.blinded):
        raise UsageError(f"{args.file}: not as many answers as questions")
    signed = dict(zip(answer.blinded, answer.signed, strict=True))
    with closing(Tokens(args.data or data_folder())) as store:
        mine = [asked for asked in store.asked() if asked.blinded in signed]
        try:
            done = [(asked, _finish(asked, signed[asked.blinded])) for asked in mine]
        except WireError as e:
            raise UsageError(f"{args.file}: {e.message}", hint="ask for it again") from e
        if not done:
            raise UsageError(f"{args.file}: answers nothing that this device asked for")
        store.receive(done)
        left = store.counts()
    print(f"{len(done)} tokens taken; {sum(left.values())} in all", file=sys.stderr)
    return 0


def _finish(asked: Asked, answer: bytes) -> bytes:
    key = tokens.public_key(asked.modulus)
    inverse = int.from_bytes(asked.inverse, "big")
    signature = blind.finalize(key, asked.prepared, answer, inverse)
    return tokens.pack(tokens.key_id(key), asked.prepared, signature)


def read(path: Path, kind: type[_T]) -> _T:
    """A request or an answer from its file; raises UsageError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as e:
        raise UsageError(f"{path}: cannot be read: {e.strerror}") from e
    except UNREADABLE as e:
        raise UsageError(f"{path}: {e}", hint=f"an {kind.__name__.lower()} is wanted") from e


def write(path: Path, message: Request | Answer) -> None:
    """Put a request or an answer into a file; raises StoreError."""
    try:
        path.write_bytes(msgspec.json.encode(message) + b"\n")
    except OSError as e:
        raise StoreError(f"{path}: cannot be written: {e.strerror}") from e
