"""``scanner home``: tell the device where nothing may be reported from, without writing it down."""

import argparse
import math
import sys
from pathlib import Path
from typing import Final

from scanner.cli import add_config_option, config_of
from scanner.core.privacy import PROFILES
from scanner.errors import UsageError
from scanner.outgoing import data_folder
from scanner.storage.known import HOME_NAME, read_home, write_home
from scanner.wiping import overwrite

LATITUDE_MAX: Final = 89.0
LONGITUDE_MAX: Final = 180.0


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    parser = subparsers.add_parser("home", help="a block around your home that is never reported")
    commands = parser.add_subparsers(required=True, metavar="set|clear|show")
    put = commands.add_parser("set", help="choose the block, once")
    put.add_argument(
        "place",
        nargs="*",
        metavar="LAT LON",
        help="degrees; without them they are read from the terminal, past the shell's history",
    )
    clear = commands.add_parser("clear", help="forget the block")
    show = commands.add_parser("show", help="whether one is set, and what it does")
    for command, action in ((put, _set), (clear, _clear), (show, _show)):
        command.add_argument("--data", type=Path, metavar="DIR", help="where the outbox lies")
        add_config_option(command)
        command.set_defaults(run=action)


def wants_home(profile: str, data: Path) -> bool:
    """Whether the profile keeps back what is near home, and none was set."""
    return PROFILES[profile].home and read_home(data) is None


def _folder(args: argparse.Namespace) -> Path:
    folder: Path = args.data or data_folder()
    return folder


def _set(args: argparse.Namespace) -> int:
    words = args.place or _asked()
    lat_deg, lon_deg = _place(words)
    write_home(_folder(args), lat_deg, lon_deg)
    print(
        "Set. Nothing will be reported from a block of 1.2 x 1.2 km that holds your home somewhere"
        " in it.\nThe place itself was not written down: only a random salt and six bits of a"
        " digest,\nwhich fit one block in 64. What is found in those is kept back too."
    )
    return 0


def _asked() -> list[str]:
    print("latitude and longitude of your home, degrees: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().replace(",", " ").split()


def _place(words: list[str]) -> tuple[float, float]:
    try:
        lat_deg, lon_deg = (float(word.rstrip(",")) for word in words)
    except ValueError as e:
        raise UsageError("two numbers are wanted: LAT LON", hint="such as 52.3702 4.8952") from e
    fine = math.isfinite(lat_deg) and math.isfinite(lon_deg)
    if not fine or abs(lat_deg) > LATITUDE_MAX or abs(lon_deg) > LONGITUDE_MAX:
        raise UsageError(f"{lat_deg:g} {lon_deg:g} is no place on land", hint="LAT comes first")
    return lat_deg, lon_deg


def _clear(args: argparse.Namespace) -> int:
    path = _folder(args) / HOME_NAME
    there = path.exists()
    overwrite(path)
    print("Forgotten." if there else "No home was set.")
    return 0


def _show(args: argparse.Namespace) -> int:
    profile = config_of(args).privacy.profile
    if read_home(_folder(args)) is None:
        print("No home is set: what is found near it is reported like all else.")
    else:
        print("A home is set. Where it is cannot be read from what the device keeps.")
    if not PROFILES[profile].home:
        print(f"The profile {profile} does not use it.")
    return 0
