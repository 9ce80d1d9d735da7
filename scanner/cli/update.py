"""``scanner update``: a signed system into the other slot, tried once, kept if all is well.

Nobody logs in to the device, so an update is offered on the boot partition: as a folder ``update``,
or as ``update.txt`` with the address of one. What is refused stays, with ``update-problem.txt``.
"""

import argparse
import datetime as dt
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from scanner.cli import add_config_option
from scanner.disk import replace
from scanner.errors import UNREADABLE, ScannerError, StoreError, UsageError
from scanner.slots import (
    CountedSlots,
    Place,
    Running,
    Slot,
    Slots,
    TrybootSlots,
    confirm,
    other,
    places_below,
)

SYSTEM: Final = Path("/usr/share/scanner")
STATE: Final = Path("/data/update")
ENVIRONMENT: Final = Path("/run/scanner-boot/env")
BOOT: Final = Path("/boot/firmware")
WRAPPER: Final = Path("/usr/bin/scanner")
PATIENCE_S: Final = 60.0
FOLDER: Final = "update"
ADDRESS: Final = "update.txt"
PROBLEM: Final = "update-problem.txt"
NEW: Final = "before.json"  # what failed already when the update was written


class _Row(msgspec.Struct, frozen=True):
    """A line of ``doctor --json``."""

    check: str
    state: str


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("update", help="put a newer system into the other slot")
    parser.add_argument("source", nargs="?", metavar="URL|FOLDER", help="where the update lies")
    parser.add_argument("--confirm", action="store_true", help="keep what runs, or go back")
    parser.add_argument("--offered", action="store_true", help="take what the boot partition has")
    parser.add_argument("--stay", action="store_true", help="do not start again when written")
    for name, default in (("--boot", BOOT), ("--state", STATE), ("--system", SYSTEM)):
        parser.add_argument(name, type=Path, default=default, help=argparse.SUPPRESS)
    parser.add_argument(
        "--seconds", type=float, default=PATIENCE_S, metavar="S", help="at most, per check (60)"
    )
    parser.add_argument("--env", type=Path, default=ENVIRONMENT, help=argparse.SUPPRESS)
    add_config_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write and start again; or say whether what runs is to be kept."""
    if [bool(args.source), args.confirm, args.offered].count(True) != 1:
        raise UsageError("say where the update lies, or --confirm", hint="`scanner update URL`")
    running = running_system(args.system)
    environment = _environment(args.env)
    slots = slots_of(args.boot)
    if args.confirm:
        return _confirm(args, slots, environment, running)
    if args.offered:
        return _offered(args, slots, environment, running)
    return _update(args, args.source, slots, environment, running)


def _offered(
    args: argparse.Namespace, slots: Slots, environment: dict[str, str], running: Running
) -> int:
    """Update from what lies on the boot partition, if anything does; take it away when done."""
    folder, address = args.boot / FOLDER, args.boot / ADDRESS
    if folder.is_dir():
        source = str(folder)
    elif address.is_file():
        source = address.read_text(encoding="utf-8", errors="replace").strip()
    else:
        return 0
    problem = args.boot / PROBLEM
    try:
        code = _update(args, source, slots, environment, running)
    except ScannerError as e:
        text = f"The update was not taken:\n\n- {e}\n"
        problem.write_text(text, encoding="utf-8", newline="\r\n")
        raise
    problem.unlink(missing_ok=True)
    address.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    return code or (0 if args.stay else restart(slots))


def _update(
    args: argparse.Namespace,
    address: str,
    slots: Slots,
    environment: dict[str, str],
    running: Running,
) -> int:
    # Every start asks for --confirm, which has no use for these.
    from scanner.updating import Source, install, local, not_before  # noqa: PLC0415

    if slots.kept() != environment.get("SLOT"):
        raise UsageError(
            "this system is on trial and may not be overwritten", hint="start the device once more"
        )
    root = args.system / "root.json"
    if not root.is_file():
        raise UsageError("this system trusts no keys", hint="it was built without root.json")
    not_before(running, dt.datetime.now(dt.UTC))
    source = Source(local(address), root=root.read_bytes(), state=args.state / "tuf")
    places = _places(args.boot, environment)
    with _on_their_way(args.state):
        slot, release = install(
            source, slots, places, running, lambda text: print(text, flush=True)
        )
    failed = sorted(_failed(args.seconds))
    replace(args.state / NEW, msgspec.json.encode(failed))
    print(f"release {release.release} is in slot {slot} and will be tried once")
    return 0 if args.stay or args.offered else restart(slots)


@contextmanager
def _on_their_way(folder: Path) -> Iterator[None]:
    """Bytes on their way lie in a folder of the card, not in the memory, which is small."""
    folder.mkdir(parents=True, exist_ok=True)
    usual, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = usual


def running_system(folder: Path) -> Running:
    """What this system is; raises UsageError where it is no image of ours."""
    try:
        return msgspec.json.decode((folder / "release.json").read_bytes(), type=Running)
    except OSError as e:
        raise UsageError(
            "this is not the flashable image", hint="a package is updated by apt"
        ) from e
    except UNREADABLE as e:
        raise StoreError(f"{folder}/release.json is damaged: {e}") from e


def _environment(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as e:
        raise UsageError("this system was not started from a slot", hint=str(e)) from e
    return dict(line.split("=", 1) for line in lines if "=" in line)


def slots_of(boot: Path) -> Slots:
    """Whoever picks a slot on this card; raises UsageError."""
    if (boot / "config.txt").is_file():
        return TrybootSlots(boot)
    if (boot / "loader/entries").is_dir():
        return CountedSlots(boot)
    raise UsageError(f"{boot} is no boot partition of ours", hint="is it mounted?")


def _places(boot: Path, environment: dict[str, str]) -> dict[Slot, Place]:
    part = environment["PART"]
    return places_below(boot, {"a": Path(f"{part}2"), "b": Path(f"{part}3")})


def _failed(seconds: float) -> frozenset[str]:
    """Names of the checks that fail now, by ``scanner doctor`` as its services' user."""
    program = [str(WRAPPER)] if WRAPPER.exists() else [sys.executable, "-m", "scanner"]
    told = subprocess.run(  # noqa: S603 - our own program
        [*program, "doctor", "--json", "--seconds", str(seconds)],
        capture_output=True,
        check=False,
    ).stdout.splitlines()
    try:
        rows = [msgspec.json.decode(line, type=_Row) for line in told]
    except UNREADABLE:
        rows = []
    # A doctor that says nothing at all is the worst that can be found.
    return frozenset(r.check for r in rows if r.state == "fail") if rows else frozenset({"doctor"})


def _confirm(
    args: argparse.Namespace, slots: Slots, environment: dict[str, str], running: Running
) -> int:
    slot: Slot = "b" if environment.get("SLOT") == "b" else "a"
    if slots.kept() == slot:
        return 0
    try:
        before = msgspec.json.decode((args.state / NEW).read_bytes(), type=frozenset[str])
    except (OSError, *UNREADABLE):
        before = frozenset()
    failed = _failed(args.seconds)
    if confirm(slots, slot, running.release, failed=failed, before=before):
        print(f"release {running.release} in slot {slot} is kept")
        return 0
    worse = ", ".join(sorted(failed - before))
    print(f"scanner: going back to slot {other(slot)}: worse than before: {worse}", file=sys.stderr)
    return StoreError.exit_code


def restart(slots: Slots) -> int:
    """Start again, into the slot that is to be tried."""
    argument = slots.restart_argument()
    command = ["systemctl", "reboot"] + ([f"--reboot-argument={argument}"] if argument else [])
    return subprocess.run(command, check=False).returncode  # noqa: S603 - systemd's own
