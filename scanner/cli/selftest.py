"""``scanner selftest``: the panel shows its states, then a marked test sighting that never leaves.

For parts that a program can only show and a person must judge; ``doctor`` checks the others.
"""

import argparse
import io
import sys
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from scanner import selftest
from scanner.cli import add_config_option, config_of
from scanner.cli.text import json_line
from scanner.config import Config
from scanner.core.blink import PATTERNS, UNSHOWN, State
from scanner.core.button import Action
from scanner.errors import DeviceError
from scanner.hardware.panel import GpioPanel, lgpio_factory
from scanner.outgoing import data_folder
from scanner.replay.standins import ConsolePanel

BUTTON_S: Final = 20.0
SHOWN: Final = [s for s in PATTERNS if s not in (*UNSHOWN, State.DONE, State.VOLTAGE)]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("selftest", help="show the panel's states, make a test sighting")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the outbox lies")
    parser.add_argument("--no-panel", action="store_true", help="the test sighting alone")
    parser.add_argument("--json", action="store_true", help="the result as a JSON object")
    add_config_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Panel, then sighting; the outbox is not opened."""
    config = config_of(args)
    if config.panel.used and not args.no_panel:
        _panel(config, args.data or data_folder())
    elif not args.json:
        print("panel: none is configured ([panel] in scanner.toml)")
    outcome = selftest.run(time.time(), ConsolePanel(io.StringIO()))
    if args.json:
        print(
            json_line(
                {
                    "frames": outcome.frames,
                    "off_m": round(outcome.off_m, 2),
                    "model": outcome.record.model,
                    "kept": False,
                }
            )
        )
        return 0
    print(
        f"sighting: {outcome.frames} frames, one camera, located {outcome.off_m:.1f} m from its "
        f"place, sealed; marked {outcome.record.model!r}, thrown away"
    )
    return 0


def _panel(config: Config, data: Path) -> None:
    """Each state for a cycle, then the button; raises DeviceError if nobody presses it."""
    pressed = threading.Event()

    def act(action: Action) -> None:
        print(f"button: {action.value}", flush=True)
        pressed.set()

    with ExitStack() as stack:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        pins = stack.enter_context(closing(lgpio_factory(data)))
        for state in SHOWN:
            print(f"panel: {state.value}", flush=True)
            # A new panel each time: troubles stand for a while beside what comes after them.
            with closing(GpioPanel(config.panel, act, pins=pins)) as panel:
                panel.show(state)
                time.sleep(PATTERNS[state].cycle_s)
        if config.panel.button >= 0 and sys.stdin.isatty():
            print(f"button: press it within {BUTTON_S:.0f} s", flush=True)
            with closing(GpioPanel(config.panel, act, pins=pins)) as panel:
                panel.show(State.SCANNING)
                if not pressed.wait(BUTTON_S):
                    raise DeviceError(
                        "the button was not heard", hint="is it between its GPIO and ground?"
                    )
