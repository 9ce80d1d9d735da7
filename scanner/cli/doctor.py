"""``scanner doctor``: checks that everything is there that a walk needs, within seconds.

Each check runs beside the others, raises nothing and is given up after ``--seconds``: a part that
hangs is a finding too.
"""

import argparse
import textwrap
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from scanner.cli import add_config_option, config_of
from scanner.cli.doctor_board import BOARD
from scanner.cli.doctor_checks import SETTINGS
from scanner.cli.doctor_device import Check, Device, Note
from scanner.cli.relay import add_broker_option, with_broker
from scanner.cli.text import json_line
from scanner.errors import BrokerError, DeviceError, ScannerError, UsageError
from scanner.outgoing import data_folder

LIMIT_S: Final = 3.0
MARKS: Final = {"ok": "+", "note": "?", "fail": "!"}
INDENT: Final = 14
COLUMNS: Final = 80
LINES: Final = 23  # and one for the prompt
EXIT_BUG: Final = 1

# In the order in which a frame would meet them.
ORDER: Final = (
    *("lens", "accelerator", "model", "gnss", "ble", "panel", "disk", "clock", "temperature"),
    *("voltage", "broker", "hub key", "policy", "wall", "units"),
)
CHECKS: Final[Mapping[str, Check]] = {name: {**BOARD, **SETTINGS}[name] for name in ORDER}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found; ``exit_code`` is 0 unless it failed."""

    check: str
    state: Literal["ok", "note", "fail"]
    text: str
    exit_code: int = 0


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("doctor", help="check everything that a walk needs")
    parser.add_argument("checks", nargs="*", metavar="CHECK", help="only these; all without")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the outbox lies")
    parser.add_argument("--json", action="store_true", help="one JSON object per check")
    parser.add_argument(
        "--seconds", type=float, default=LIMIT_S, metavar="S", help="at most, per check (3)"
    )
    add_broker_option(parser)
    add_config_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what each check found; the exit code is that of the first failure."""
    unknown = [name for name in args.checks if name not in CHECKS]
    if unknown or not 0 < args.seconds < 600:  # noqa: PLR2004 - ten minutes
        what = f"no check is called {unknown[0]!r}" if unknown else f"--seconds {args.seconds:g}"
        raise UsageError(what, hint=f"checks: {', '.join(CHECKS)}")
    device = Device(
        config=with_broker(config_of(args), args.broker),
        data=args.data or data_folder(),
        config_file=args.config,
        patience_s=args.seconds,
    )
    wanted = {name: CHECKS[name] for name in CHECKS if name in (args.checks or CHECKS)}
    findings = examine(device, wanted)
    if args.json:
        for found in findings:
            print(json_line(found))
    else:
        print("\n".join(screen(findings)))
    return next((found.exit_code for found in findings if found.exit_code), 0)


def examine(device: Device, checks: Mapping[str, Check] = CHECKS) -> list[Finding]:
    """Run all checks beside each other, each for at most ``device.patience_s``; never raises."""
    findings: dict[str, Finding] = {}
    threads = {
        name: threading.Thread(
            target=_into(findings, name, check, device), name=f"doctor {name}", daemon=True
        )
        for name, check in checks.items()
    }
    deadline = time.monotonic() + device.patience_s
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    # From a copy: a check that comes too late may still write.
    known = dict(findings)
    return [known.get(name) or _late(name, device.patience_s) for name in checks]


def _into(
    findings: dict[str, Finding], name: str, check: Check, device: Device
) -> Callable[[], None]:
    def work() -> None:
        findings[name] = _finding(name, check, device)

    return work


def _finding(name: str, check: Check, device: Device) -> Finding:
    try:
        return Finding(check=name, state="ok", text=check(device))
    except Note as e:
        return Finding(check=name, state="note", text=str(e))
    except ScannerError as e:
        return Finding(check=name, state="fail", text=str(e), exit_code=e.exit_code)
    except Exception as e:  # noqa: BLE001 - the rim: one broken check must not hide the others
        text = f"a bug of this check, please report it: {type(e).__name__}: {e}"
        return Finding(check=name, state="fail", text=text, exit_code=EXIT_BUG)


def _late(name: str, seconds: float) -> Finding:
    code = BrokerError.exit_code if name == "broker" else DeviceError.exit_code
    text = f"no answer within {seconds:g} s (hangs, or is slow: --seconds {3 * seconds:g})"
    return Finding(check=name, state="fail", text=text, exit_code=code)


def screen(findings: Sequence[Finding], columns: int = COLUMNS, lines: int = LINES) -> list[str]:
    """The findings as lines that fit a screen: what is well gives way to what is not."""
    blocks = [_block(found, columns) for found in findings]
    for state in ("ok", "note", "fail"):
        for place, found in enumerate(findings):
            if sum(map(len, blocks)) > lines and found.state == state:
                blocks[place] = [_cut(blocks[place], columns)]
    return [line for block in blocks for line in block]


def _block(found: Finding, columns: int) -> list[str]:
    first = f"{MARKS[found.state]} {found.check:<{INDENT - 2}}"
    text = " ".join(found.text.split())
    return textwrap.wrap(text, columns, initial_indent=first, subsequent_indent=" " * INDENT) or [
        first
    ]


def _cut(block: list[str], columns: int) -> str:
    whole = " ".join([block[0], *(line.strip() for line in block[1:])])
    return whole if len(whole) <= columns else whole[: columns - 3] + "..."
