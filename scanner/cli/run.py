"""``scanner run``: ``watch`` and ``relay`` beside each other, each behind its own wall.

This process only starts the two and waits; it opens neither lens nor network.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from scanner import wall
from scanner.cli import add_config_option, config_of
from scanner.cli.page import add_page_options
from scanner.cli.recording import recording_arguments
from scanner.cli.relay import add_broker_option, broker_arguments, with_broker
from scanner.cli.watch import add_watch_options, checked, key_of
from scanner.cli.wipe import run as run_wipe
from scanner.config import Config
from scanner.errors import WallError
from scanner.outgoing import data_folder, open_outbox
from scanner.wiping import EXIT_WIPED

Process = subprocess.Popen[bytes]
PAGE_SOCKET: Final = "page.sock"  # in the data folder
PAGE_S: Final = 30.0  # a Pi Zero needs some seconds to load it
LOOK_S: Final = 0.05
TRIES: Final = 5  # in a row, to start a relay again that ends as soon as it is started
STEADY_S: Final = 60.0  # a relay that was at work for so long may be started again as at first


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("run", help="find cameras and send them to the hub")
    add_watch_options(parser)
    add_page_options(parser)
    add_broker_option(parser)
    add_config_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Fill the outbox from the walk while a relay empties it.

    The exit code is that of watch where it fails, else that of the relay: a walk is not cut short
    because nothing is sent.
    """
    config = checked(args, with_broker(config_of(args), args.broker))
    key_of(config)
    data: Path = args.data or data_folder()
    with _ended_with_us() as children:
        if args.page and (code := _show_page(children, args, data)):
            return code
        sender = Sender(children, _relay(args, data)) if config.mqtt.host else None
        code = _wait(_start(children, _watch(args, config, data)), sender, stay=not args.once)
    if args.once and config.mqtt.host and not code:
        with _ended_with_us() as children:
            code = _start(children, [*_relay(args, data), "--once"]).wait()
    if code == EXIT_WIPED:  # by its person, from behind the wall: the rest is done from here
        return run_wipe(argparse.Namespace(data=data, config=args.config, yes=True, finish=False))
    if not code:
        with open_outbox(data) as store:
            print(f"outbox: {store.count()} waiting", file=sys.stderr)
    return code


def _show_page(children: list[Process], args: argparse.Namespace, data: Path) -> int:
    """Start the page and wait until its code is told, as what comes next is slow and talks.

    Its exit code if it ends instead; 0 otherwise.
    """
    path = data / PAGE_SOCKET
    path.unlink(missing_ok=True)
    page = _start(children, [*_scanner("page", args), "--socket", str(path)])
    until_s = time.monotonic() + PAGE_S
    while not path.exists() and time.monotonic() < until_s:
        if page.poll() is not None:
            return page.returncode
        time.sleep(LOOK_S)
    return 0


class Sender:
    """A relay, started again where only that lets it see its name servers."""

    def __init__(
        self, children: list[Process], command: list[str], *, steady_s: float = STEADY_S
    ) -> None:
        self._children, self._command = children, command
        self._steady_s = steady_s
        self._tries = TRIES
        self._code: int | None = None
        self._begin()

    def _begin(self) -> None:
        self._began_s = time.monotonic()
        self._process = _start(self._children, self._command)

    def ended(self) -> int | None:
        """Its exit code once it has ended for good; a failure is told. None: it is at work."""
        if self._code is not None:
            return self._code
        code = self._process.poll()
        if code == WallError.exit_code and self._may_again():
            self._begin()
            return None
        self._code = code
        if code:
            print(
                f"scanner: note: the relay has ended with {code}: nothing is sent any more,"
                " records wait in the outbox",
                file=sys.stderr,
            )
        return code

    def _may_again(self) -> bool:
        steady = time.monotonic() - self._began_s > self._steady_s
        self._tries = TRIES if steady else self._tries
        self._tries -= 1
        return self._tries >= 0


def _wait(watch: Process, sender: Sender | None, *, stay: bool) -> int:
    """Until watch fails or, where both are to ``stay``, until both have ended."""
    while True:
        sent = sender.ended() if sender else 0
        code = watch.poll()
        if code or (code is not None and not stay):
            return code
        if code is not None and sent is not None:
            return sent
        time.sleep(LOOK_S)


def _watch(args: argparse.Namespace, config: Config, data: Path) -> list[str]:
    command = [*_scanner("watch", args), "--data", str(data), *recording_arguments(args)]
    command += ["--page-socket", str(data / PAGE_SOCKET)] if args.page else []
    command += ["--hub-key", config.privacy.hub_key] if args.hub_key else []
    return command + [f"--{flag}" for flag in ("once", "json") if getattr(args, flag)]


def _relay(args: argparse.Namespace, data: Path) -> list[str]:
    return [*_scanner("relay", args), "--data", str(data), *broker_arguments(args.broker)]


def _scanner(command: str, args: argparse.Namespace) -> list[str]:
    shared = ["--config", str(args.config)] if args.config else []
    shared += ["--insecure"] if args.insecure else []
    return [sys.executable, "-m", "scanner", command, *shared]


def _start(children: list[Process], command: list[str]) -> Process:
    # Without threads here, code between fork and exec is safe; killed, we could tell them nothing.
    bound = partial(wall.end_with_parent, os.getpid())
    child = subprocess.Popen(command, preexec_fn=bound)  # noqa: S603, PLW1509
    children.append(child)
    return child


@contextmanager
def _ended_with_us() -> Iterator[list[Process]]:
    """Processes that are told to end when this one ends, in whatever way it is told to."""
    children: list[Process] = []
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield children
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait()
        signal.signal(signal.SIGTERM, before)
