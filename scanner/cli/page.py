"""``scanner page``: this walk on a phone, over the device's own link, by a process of its own.

It sees neither lens nor card: ``watch`` hands it lines (``scanner.phone.lines``), and what it may
read is the program itself. A code is made at every start and lives as long as the process.
"""

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import Final

from scanner import wall
from scanner.cli import add_config_option, config_of
from scanner.cli.insecure import add_insecure_option, insecurely, tell_of_fence
from scanner.config import Config
from scanner.errors import ConfigError

SOCKET: Final = Path("/run/scanner-page/page.sock")  # as systemd/ sets it up
HOUR_S: Final = 3600.0


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("page", help="show this walk on a phone, over USB or Wi-Fi")
    parser.add_argument(
        "--socket", type=Path, default=SOCKET, metavar="PATH", help="where `watch` tells its lines"
    )
    parser.add_argument(
        "--hours", type=float, metavar="H", help="end after so long; without, go on until told to"
    )
    add_insecure_option(parser)
    add_config_option(parser)
    parser.set_defaults(run=run)


def add_page_options(parser: argparse.ArgumentParser) -> None:
    """``--page``, for ``run``."""
    parser.add_argument(
        "--page", action="store_true", help="show this walk on a phone, at page.address"
    )


def add_page_socket_option(parser: argparse.ArgumentParser) -> None:
    """``--page-socket``, for ``watch``."""
    parser.add_argument("--page-socket", type=Path, metavar="PATH", help="where `page` listens")


def page_socket(args: argparse.Namespace, config: Config) -> Path | None:
    """Where ``watch`` tells its lines; None: there is to be no page."""
    given: Path | None = getattr(args, "page_socket", None)
    return given or (SOCKET if config.page.address else None)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT, or for as long as was asked for."""
    from scanner.phone.codes import Door, new_code  # noqa: PLC0415 - `run` needs none of this
    from scanner.phone.ear import Ear, listen  # noqa: PLC0415
    from scanner.phone.server import PageServer, own_address  # noqa: PLC0415
    from scanner.phone.walk import Walk  # noqa: PLC0415

    settings = config_of(args).page
    if not settings.address:
        raise ConfigError(
            "page.address is empty: there is no page",
            hint="set it to this device's address on its USB or Wi-Fi link, such as 10.55.0.1",
        )
    address = own_address(settings.address)
    walk, code = Walk(), new_code()
    server = PageServer((address, settings.port), walk, Door(code))
    announce(f"http://{server.host}/", code)
    ear = Ear(listen(args.socket), walk)  # `run` goes on when it sees this
    server.pass_on = ear.pass_on
    with insecurely(asked=args.insecure):
        tell_of_fence(wall.fence_page())
        wall.close_page()
    ear.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    if args.hours is not None:
        ending = threading.Timer(args.hours * HOUR_S, server.shutdown)
        ending.daemon = True
        ending.start()
    with server:
        server.serve_forever(poll_interval=0.5)
    return 0


def announce(address: str, code: str) -> None:
    """Address and code for whoever started it; a QR code of both on a terminal."""
    print(f"page: {address}  code: {code}", flush=True)
    if not sys.stdout.isatty():
        return
    try:
        import segno  # noqa: PLC0415 - only for a terminal
    except ModuleNotFoundError:
        print("a QR code needs pip install segno", file=sys.stderr)
        return
    segno.make(f"{address}#{code}", micro=False).terminal(compact=True)
    sys.stdout.flush()
