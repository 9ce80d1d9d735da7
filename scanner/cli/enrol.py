"""``scanner enrol``: check an enrolment, show whose it is, install it beside scanner.toml."""

import argparse
import os
import ssl
import sys
import warnings
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scanner import config as settings
from scanner import enrolment, signing
from scanner.cli import add_config_option, say
from scanner.disk import make_folder, replace, replace_secret
from scanner.enrolment import Enrolment, Signed
from scanner.errors import ConfigError, StoreError, UsageError, from_checkout
from scanner.wiping import overwrite

PICTURES: Final = (".png", ".jpg", ".jpeg")
PASSWORD_FILE: Final = "mqtt-password"  # noqa: S105 - where systemd's LoadCredential looks for it
MOST_BYTES: Final = 65_536
MOST_PIXELS: Final = 20_000_000  # a few bytes may claim to be a picture of gigabytes
SIDE: Final = 3_000  # pixels; larger pictures are made smaller


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("enrol", help="take part in a campaign")
    parser.add_argument(
        "source",
        metavar="FILE|PICTURE|-|TEXT",
        help="an enrolment: its file, a picture of its QR code, - for what is typed in, the text",
    )
    parser.add_argument(
        "--fingerprint", metavar="HEX", help="the campaign's, as it was told to you; asks nothing"
    )
    add_config_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check, ask, install; a wrong enrolment changes nothing."""
    name = "enrolment" if "\n" in args.source else args.source
    try:
        found, signed = signing.check(text_of(args.source))
        _check_ca(found)
    except ConfigError as e:
        raise ConfigError(f"{name}: {e.message}", hint=e.hint) from e
    target = (args.config or settings.find()).with_name(enrolment.FILE)
    before = _before(target)
    _show(found, signed, before)
    _agree(args, signed, before)
    _install(target, found, _canonical(signed), before)
    print(f"wrote {target}; what waits in the outbox stays as it is")
    return 0


def text_of(source: str) -> str:
    """The enrolment's two lines, wherever they are; raises UsageError."""
    if source == "-":
        return sys.stdin.read(MOST_BYTES)
    if source.lstrip().startswith("{"):
        return source
    path = Path(source)
    if path.suffix.lower() in PICTURES:
        return _from_picture(path)
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode()
    except OSError as e:
        raise UsageError(f"{source}: cannot be read: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise UsageError(f"{source}: not an enrolment") from e


def _from_picture(path: Path) -> str:
    try:
        import cv2  # noqa: PLC0415 - of an extra, for this alone
    except ImportError as e:
        raise UsageError(
            "reading a QR code needs OpenCV",
            hint=f"{from_checkout('calibrate')}; or read it with a phone and give the text",
        ) from e
    picture = _grey(path)
    # Of codes as large as an enrolment's, found by markers all of 25 were read, by contours 11.
    for reader in (cv2.QRCodeDetectorAruco(), cv2.QRCodeDetector()):
        try:
            text = reader.detectAndDecode(picture)[0]
        except (cv2.error, UnicodeDecodeError):  # of what only looks like a code
            continue
        if text:
            return str(text)
    raise UsageError(f"{path}: no QR code is seen", hint="read it with a phone, give the text")


def _grey(path: Path) -> NDArray[np.uint8]:
    """A picture as (height, width), of bounded size."""
    from PIL import Image  # noqa: PLC0415 - of the same extra

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                picture.draft("L", (SIDE, SIDE))  # a photograph is unpacked as small as will do
                if picture.width * picture.height > MOST_PIXELS:
                    raise UsageError(f"{path}: more than {MOST_PIXELS // 10**6} million pixels")
                grey = picture.convert("L")
    except (OSError, SyntaxError, ValueError, Warning, Image.DecompressionBombError) as e:
        raise UsageError(f"{path}: cannot be read as a picture") from e
    grey.thumbnail((SIDE, SIDE))
    return np.asarray(grey, dtype=np.uint8)


def _check_ca(found: Enrolment) -> None:
    if not found.broker.ca:
        return
    try:
        ssl.create_default_context(cadata=found.broker.ca)
    except ssl.SSLError as e:
        raise ConfigError("broker.ca is not a certificate") from e


def _before(target: Path) -> Signed | None:
    try:
        signed = enrolment.split(target.read_text(encoding="utf-8"))
        enrolment.decode(signed.body)
    except (OSError, UnicodeDecodeError, ConfigError):
        return None  # none, or one that cannot be used: to be replaced
    return signed


def _show(found: Enrolment, signed: Signed, before: Signed | None) -> None:
    broker = found.broker
    rows = [
        ("campaign", found.campaign or "without a name"),
        ("made", found.made),
        ("profile", found.profile),
        (
            "broker",
            f"{broker.host}:{broker.port}{' with TLS' if broker.tls else ', NOT ENCRYPTED'}",
        ),
        ("hub keys", ", ".join(sorted(found.hub_keys))),
        ("tokens", ", ".join(sorted(found.issuers)) or "none"),
        ("this file", signing.digest(signed.body)),
        ("fingerprint", signing.fingerprint(signed.key)),
    ]
    for name, value in rows:
        print(f"{name:<12} {value}")
    if before and before.key != signed.key:
        print("ANOTHER CAMPAIGN than the one you take part in: its fingerprint is")
        print(f"{'':<12} {signing.fingerprint(before.key)}")


def _agree(args: argparse.Namespace, signed: Signed, before: Signed | None) -> None:
    """Somebody says that the fingerprint is right; raises UsageError if not."""
    if args.fingerprint:
        if not signing.same_fingerprint(args.fingerprint, signing.fingerprint(signed.key)):
            raise UsageError("the fingerprint is another one: this is not your campaign's")
    elif not sys.stdin.isatty():
        raise UsageError("nobody is there to compare the fingerprint", hint="give --fingerprint")
    else:
        print("Compare the fingerprint with the one you were told, not with one sent along;")
        print("compare `this file` with somebody else of your group: it is the same for all.")
        if input("Are they the same? [y/N] ").strip().lower() not in ("y", "yes"):
            raise UsageError("not installed")
    if (
        before
        and enrolment.decode(before.body).made > enrolment.decode(signed.body).made
        and (before.key == signed.key)
    ):
        raise UsageError(
            "this enrolment is older than the one you have",
            hint=f"remove {enrolment.FILE} first if that is meant",
        )


def _canonical(signed: Signed) -> str:
    key, signature = signing.base64_of(signed.key), signing.base64_of(signed.signature)
    return f"{signed.body.decode()}\ned25519 {key} {signature}\n"


def _install(target: Path, found: Enrolment, text: str, before: Signed | None) -> None:
    """The enrolment last: until it is there, nothing else of it counts.

    What it brings is written even if nothing else of it is new: it may have been lost. Before it
    goes what belongs to another broker, the enrolment that names it last: at no time is
    there one broker's name with another's password.
    """
    # As root on a device: its services read it. As a person: nobody else does.
    shared = 0o644 if os.geteuid() == 0 else 0o600
    ca, password = target.with_name(enrolment.CA_FILE), target.with_name(PASSWORD_FILE)
    other = before is None or enrolment.decode(before.body).broker != found.broker
    if other and password.exists() and not found.broker.password:
        say(
            f"scanner: note: {password} goes, as it may be another broker's: if this campaign's"
            " wants one, put it there again"
        )
    try:
        make_folder(target.parent)
        for old in (ca, password, target) if other else ():
            overwrite(old)
        if found.broker.ca:
            pem = ssl.DER_cert_to_PEM_cert(found.broker.ca)
            replace(ca, pem.encode(), mode=shared, whatever_umask=True)
        if found.broker.password:
            replace_secret(password, f"{found.broker.password}\n".encode(), mode=0o600)
        # The old one may name another campaign.
        replace_secret(target, text.encode(), mode=shared, whatever_umask=True)
    except StoreError as e:
        raise ConfigError(str(e), hint="sudo, or --config FILE elsewhere") from e
