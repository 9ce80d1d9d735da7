"""``scanner config``: write, check and explain scanner.toml."""

import argparse
from pathlib import Path

from scanner import config as settings
from scanner.cli import add_config_option
from scanner.cli.text import json_line
from scanner.core.privacy import PROFILES, in_words
from scanner.errors import ConfigError, UsageError


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    parser = subparsers.add_parser("config", help="write, check or explain scanner.toml")
    commands = parser.add_subparsers(required=True, metavar="init|check|explain")
    init = commands.add_parser("init", help="write a complete file with every key explained")
    init.add_argument("file", nargs="?", type=Path, metavar="FILE", help="where to")
    init.add_argument("--force", action="store_true", help="write over an existing file")
    check = commands.add_parser("check", help="say whether the file is right")
    explain = commands.add_parser("explain", help="every key, its value here and what it does")
    explain.add_argument("--json", action="store_true", help="one JSON object per key")
    for command, action in ((init, _init), (check, _check), (explain, _explain)):
        add_config_option(command)
        command.set_defaults(run=action)


def _init(args: argparse.Namespace) -> int:
    path: Path = args.file or args.config or settings.find()
    if path.exists() and not args.force:
        raise UsageError(f"{path} exists", hint="--force writes over it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(settings.example(), encoding="utf-8")
    except OSError as e:
        raise ConfigError(f"{path}: cannot be written: {e.strerror}") from e
    print(f"wrote {path}")
    return 0


def _check(args: argparse.Namespace) -> int:
    settings.load(args.config)
    path = args.config or settings.find()
    print(f"{path}: ok" if path.exists() else f"{path}: not there; every key has its default")
    return 0


def _explain(args: argparse.Namespace) -> int:
    config = settings.load(args.config)
    for section, key, default, text in settings.entries():
        value = getattr(getattr(config, section), key)
        means = in_words(PROFILES[value]) if (section, key) == ("privacy", "profile") else ()
        if args.json:
            row = {"key": f"{section}.{key}", "value": value, "default": default, "text": text}
            print(json_line({**row, "means": means} if means else row))
            continue
        changed = "" if value == default else f"   (default {json_line(default)})"
        print(f"{section}.{key} = {json_line(value)}{changed}\n    {text}")
        for line in means:
            print(f"      - {line}")
    return 0
