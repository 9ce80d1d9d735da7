"""``scanner hub keys``, ``cohorts`` and ``enrolment``: what lets volunteers take part."""

import argparse
import datetime as dt
import sys
from pathlib import Path
from typing import Final, TypeAlias

import segno
from nacl.public import PublicKey

from scanner import enrolment, signing
from scanner.cli import hub_cohorts
from scanner.cli.numbers import LINE_MAX, between
from scanner.cli.text import table
from scanner.cli.tokens import Answer, Request, read, write
from scanner.enrolment import Broker, Enrolment
from scanner.errors import ConfigError, StoreError, UsageError, WireError
from scanner.hub import cohorts, keys
from scanner.sealing import key_to_text

LATE_DAYS: Final = 90  # records arrive so long after an epoch: 60 days of delay and some offline
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse has no other name for it


def add_keys(commands: Commands, data: Path) -> None:
    """``hub keys``: alone it prints the key that records are sealed to today."""
    parser = commands.add_parser("keys", help="the key pairs that records are sealed to")
    actions = parser.add_subparsers(metavar="list|new|destroy")
    listing = actions.add_parser("list", help="all epochs and their public keys")
    new = actions.add_parser("new", help="make the key of an epoch")
    new.add_argument("epoch", nargs="?", help="2026-Q4 or 2026-11; else the next quarter missing")
    destroy = actions.add_parser("destroy", help="overwrite and remove a private key")
    destroy.add_argument("epoch", help="as `list` names it")
    destroy.add_argument("--force", action="store_true", help="records for it may still arrive")
    for command, action in ((parser, _key), (listing, _list), (new, _new), (destroy, _destroy)):
        # Suppressed where a parent has set it: `hub keys --data D list` means D, too.
        default = data if command is parser else argparse.SUPPRESS
        command.add_argument("--data", type=Path, default=default, metavar="DIR")
        command.set_defaults(run=action)


def add_cohorts(commands: Commands, data: Path) -> None:
    """``hub cohorts``: groups whose reports confirm one another's."""
    parser = commands.add_parser("cohorts", help="groups of volunteers, and their tokens")
    actions = parser.add_subparsers(required=True, metavar="list|new|sign|hold|rollback|trust")
    listing = actions.add_parser("list", help="cohorts, months, tokens signed")
    listing.add_argument("--db", metavar="URL", help="as of `hub serve`")
    hub_cohorts.add_states(actions)
    new = actions.add_parser("new", help="make a cohort's key for a month")
    new.add_argument("cohort", help="small letters, digits, hyphens; never a person's name")
    new.add_argument("month", nargs="?", help="as in 2026-11; else the next one missing")
    new.add_argument(
        "--limit", type=between(1, LINE_MAX), default=cohorts.DEFAULT_LIMIT, help="tokens a month"
    )
    sign = actions.add_parser("sign", help="sign a volunteer's request for tokens")
    sign.add_argument("cohort", help="the volunteer's")
    sign.add_argument("request", type=Path, help="by `scanner tokens request`")
    sign.add_argument("--out", type=Path, required=True, metavar="FILE", help="the answer")
    for command, action in ((listing, hub_cohorts.listing), (new, _new_cohort), (sign, _sign)):
        command.add_argument("--data", type=Path, default=data, metavar="DIR")
        command.set_defaults(run=action)


def add_enrolment(commands: Commands, data: Path) -> None:
    """``hub enrolment``: one text for all volunteers of a cohort."""
    parser = commands.add_parser("enrolment", help="what a volunteer's device needs, as a QR code")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the text")
    parser.add_argument("--qr", type=Path, metavar="FILE.png", help="its QR code as a picture")
    parser.add_argument("--broker", required=True, metavar="HOST:PORT", help="as scanners see it")
    parser.add_argument("--tls", action="store_true", help="the broker speaks TLS")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="the only CA to trust, PEM or DER")
    parser.add_argument("--root", default="cctv/v1", help="first part of all topics")
    parser.add_argument("--username", default="scanner", help="one for all volunteers")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="of that user")
    parser.add_argument("--profile", choices=["open", "careful", "hostile"], default="careful")
    parser.add_argument("--campaign", default="", help="a name to show; no person's")
    parser.add_argument("--cohort", help="whose tokens it is for")
    parser.add_argument("--data", type=Path, default=data, metavar="DIR")
    parser.set_defaults(run=_enrolment)


def today() -> dt.date:
    """The day, UTC."""
    return dt.datetime.now(dt.UTC).date()


def current(ring: keys.KeyRing) -> str:
    """The name of the epoch to seal to today."""
    epochs = [name for name in ring.private if name != keys.NO_EPOCH]
    return enrolment.latest(epochs, today()) if epochs else keys.NO_EPOCH


def public_key(ring: keys.KeyRing) -> PublicKey:
    """What to seal to today; raises UsageError if there is nothing left."""
    if not ring.private:
        raise UsageError("all keys are destroyed", hint="`scanner hub keys new`")
    return ring.public[current(ring)]


# --- keys ---------------------------------------------------------------------------------------


def _key(args: argparse.Namespace) -> int:
    print(key_to_text(public_key(keys.load_ring(args.data))))
    return 0


def _list(args: argparse.Namespace) -> int:
    ring = keys.load_ring(args.data)
    now = current(ring) if ring.private else ""
    rows = [
        [epoch, key_to_text(key), "sealed to now" if epoch == now else _state(epoch)]
        for epoch, key in ring.public.items()
    ]
    rows += [[epoch, "-", "destroyed"] for epoch in ring.destroyed if epoch not in ring.private]
    print(table(rows, ["epoch", "public key", "state"]))
    return 0


def _state(epoch: str) -> str:
    if epoch == keys.NO_EPOCH:
        return "opens older records"
    if enrolment.first_day(epoch) > today():
        return "to come"
    over = (today() - enrolment.end_day(epoch)).days
    return "over: can be destroyed" if over >= LATE_DAYS else "over: records may still arrive"


def _new(args: argparse.Namespace) -> int:
    epoch = args.epoch or _next_quarter(keys.epochs(args.data))
    public = keys.create(args.data, epoch)
    print(f"{epoch} {key_to_text(public)}")
    print("Enrolments made from now on carry it; a running hub must be started again.")
    return 0


def _next_quarter(known: set[str]) -> str:
    epoch = enrolment.quarter_of(today())
    while epoch in known:
        epoch = enrolment.following(epoch)
    return epoch


def _destroy(args: argparse.Namespace) -> int:
    epoch: str = args.epoch
    ring = keys.load_ring(args.data)
    late = epoch != keys.NO_EPOCH and (today() - enrolment.end_day(epoch)).days < LATE_DAYS
    if not args.force and epoch in ring.private and (late or epoch == current(ring)):
        raise UsageError(
            f"records sealed to the key of {epoch} may still arrive and could not be read",
            hint=f"wait {LATE_DAYS} days after its end, or --force",
        )
    keys.destroy(args.data, epoch)
    print(f"The private key of {epoch} was overwritten and removed: this hub cannot open")
    print("what is sealed to it any more. Not reached: a hub that runs (start it again), backups,")
    print(
        "snapshots, and old blocks that flash memory may keep. What was opened is in the database."
    )
    return 0


# --- cohorts ------------------------------------------------------------------------------------


def _new_cohort(args: argparse.Namespace) -> int:
    month = args.month or enrolment.month_of(today())
    known = {i.month for i in cohorts.issuers(args.data, args.cohort)}
    while not args.month and month in known:
        month = enrolment.following(month)
    cohorts.create(args.data, args.cohort, month, args.limit)
    print(f"{args.cohort} can be given tokens of {month}; a running hub must be started again")
    return 0


def _sign(args: argparse.Namespace) -> int:
    request = read(args.request, Request)
    try:
        signed = cohorts.sign(args.data, args.cohort, request.key, request.blinded)
    except WireError as e:
        raise UsageError(f"{args.request}: {e.message}") from e
    write(args.out, Answer(key=request.key, blinded=request.blinded, signed=signed))
    print(f"wrote {args.out}: {len(signed)} tokens of {request.month} for {args.cohort}")
    return 0


# --- enrolment ----------------------------------------------------------------------------------


def _enrolment(args: argparse.Namespace) -> int:
    try:
        text = signing.sign(enrolment.checked(_made(args)), keys.load_campaign(args.data))
    except ConfigError as e:
        raise UsageError(e.message) from e
    size = len(text.encode())
    if size > enrolment.QR_BYTES:
        raise UsageError(
            f"{size} bytes are too many for one QR code, {enrolment.QR_BYTES} at most",
            hint="a smaller CA certificate (an elliptic curve's), a shorter name",
        )
    code = segno.make(text, error="m", boost_error=False, mode="byte", micro=False)
    try:
        args.out.write_text(text, encoding="utf-8")
        if args.qr:
            code.save(str(args.qr), scale=4, kind="png")
    except OSError as e:
        raise StoreError(f"{e.filename}: cannot be written: {e.strerror}") from e
    if sys.stdout.isatty():
        code.terminal(compact=True)
    _, signed = signing.check(text)
    print(
        f"wrote {args.out}: {size} bytes, QR code {code.designator}, {code.symbol_size()[0]} wide"
    )
    print(f"this file    {signing.digest(signed.body)}")
    print(f"fingerprint  {signing.fingerprint(signed.key)}")
    print("Tell the fingerprint by another way than the one the enrolment takes.")
    return 0


def _made(args: argparse.Namespace) -> Enrolment:
    host, _, port = args.broker.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"--broker {args.broker}: HOST:PORT is wanted")
    return Enrolment(
        v=1,
        made=today().isoformat(),
        campaign=args.campaign,
        profile=args.profile,
        broker=Broker(
            host=host.strip("[]"),
            port=int(port),
            root=args.root,
            username=args.username,
            password=_password(args.password_file) if args.password_file else "",
            tls=args.tls or bool(args.ca),
            ca=_der(args.ca) if args.ca else b"",
        ),
        hub_keys=_hub_keys(args.data),
        issuers=_issuers(args),
    )


def _hub_keys(data: Path) -> dict[str, bytes]:
    """Keys of the present epoch and the next one; raises UsageError for a hub without epochs."""
    ring = keys.load_ring(data)
    now = current(ring) if ring.private else ""
    if now in ("", keys.NO_EPOCH):
        raise UsageError("the hub has no key with an epoch", hint="`scanner hub keys new`")
    after = enrolment.first_day(now)
    later = [e for e in ring.private if e != keys.NO_EPOCH and enrolment.first_day(e) > after]
    chosen = [now, *sorted(later, key=enrolment.first_day)[:1]]
    return {epoch: bytes(ring.public[epoch]) for epoch in chosen}


def _issuers(args: argparse.Namespace) -> dict[str, bytes]:
    if not args.cohort:
        return {}
    this = enrolment.month_of(today())
    found = [i for i in cohorts.issuers(args.data, args.cohort) if i.month >= this][:2]
    if not found:
        raise UsageError(
            f"{args.cohort} has no key for tokens of {this} or later",
            hint="`scanner hub cohorts new`",
        )
    return {i.month: i.key.modulus.to_bytes(i.key.size, "big") for i in found}


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise UsageError(f"{path}: cannot be read: {e.strerror}") from e


def _password(path: Path) -> str:
    try:
        return _file(path).decode().strip()
    except UnicodeDecodeError as e:
        raise UsageError(f"{path}: not a password: not UTF-8") from e


def _der(path: Path) -> bytes:
    """A certificate without its PEM wrapping; raises UsageError."""
    from cryptography import x509  # noqa: PLC0415 - only here
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    data = _file(path)
    try:
        pem = b"-----BEGIN" in data
        found = (
            x509.load_pem_x509_certificate(data) if pem else x509.load_der_x509_certificate(data)
        )
    except ValueError as e:
        raise UsageError(f"{path}: not a certificate") from e
    return found.public_bytes(Encoding.DER)
