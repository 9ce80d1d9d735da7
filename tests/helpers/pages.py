"""The commands that the pages for people show, taken from them."""

import argparse
import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scanner.cli import build_parser
from scanner.errors import UsageError

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/**/*.md", "models/*.md", "systemd/*.md", "firmware/*.md")
    for path in ROOT.glob(pattern)
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
SHELL = ("sh", "bash", "console")
INLINE = re.compile(r"`((?:sudo )?(?:scanner|make|python3? -m) [^`]+)`")
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = {
    name
    for names in re.findall(r"^([a-z][a-z0-9 -]*):(?!=)", MAKEFILE, re.MULTILINE)
    for name in names.split()
}
UNITS = {path.name.removesuffix(".service") for path in ROOT.glob("systemd/*.service")}
# What stands on a Debian machine, or is installed by what Makefile and package ask for.
PROGRAMS = (
    *("apt", "apt-get", "systemctl", "journalctl", "systemd-analyze", "mosquitto_sub", "curl"),
    *("osmium", "tar", "install", "mkdir", "python", "python3", "make", "scanner"),
)


@dataclass(frozen=True, order=True)
class Command:
    """One line of a page as somebody would paste it."""

    page: str
    line: str

    @property
    def words(self) -> list[str]:
        """The line's words, without ``sudo`` and comments."""
        words = shlex.split(self.line, comments=True)
        if words[0] == "sudo":
            words = words[words.index("--") + 1 :] if "--" in words else words[1:]
        return words


@cache
def text_of(page: str) -> str:
    """The whole page."""
    return (ROOT / page).read_text()


@cache
def fenced(page: str) -> tuple[Command, ...]:
    """Commands in the page's shell blocks, in their order, continued lines joined."""
    blocks = [body for language, body in FENCE.findall(text_of(page)) if language in SHELL]
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    cut = (re.sub(r"\s+#\s.*$", "", line).strip().removeprefix("$ ") for line in lines)
    return tuple(Command(page, line) for line in cut if line)


@cache
def mentioned(page: str) -> tuple[Command, ...]:
    """Commands within the page's text and tables."""
    return tuple(Command(page, " ".join(c.split())) for c in INLINE.findall(text_of(page)))


def blocks_without_language(page: str) -> list[str]:
    """Blocks that look like commands and do not say so: no test would see them."""
    plain = [body for language, body in FENCE.findall(text_of(page)) if not language]
    return [body for body in plain if body.split()[0] in PROGRAMS]


def check(command: Command) -> None:
    """That the command could run, without running it; fails with the reason."""
    program, *arguments = command.words
    if "/bin/" in program:  # of an environment that the page has made
        program = program.rpartition("/")[2]
    assert program in PROGRAMS, f"{program}: is it installed?"
    if program == "scanner":
        _scanner(arguments)
    elif program == "make":
        _make(arguments)
    elif program in ("python", "python3"):
        _module(arguments)
    elif program in ("systemctl", "journalctl"):
        units = {word for word in arguments if word.startswith("scanner-")}
        assert units <= UNITS, units - UNITS


def _scanner(arguments: list[str]) -> None:
    wrong = ""
    try:
        build_parser().parse_args(arguments)
    except UsageError as e:
        wrong = str(e)
    if wrong:
        # In a sentence a command may stand without what it must have; its options are still its.
        assert "required" in wrong or "..." in arguments, wrong
        assert set(options(arguments)) <= set(known_options(arguments)), arguments


def options(arguments: list[str]) -> list[str]:
    """The long options among a command's words."""
    return [w.split("=")[0] for w in arguments if w.startswith("--") and w != "--help"]


def known_options(arguments: list[str]) -> list[str]:
    """The options of the subcommand that the words lead to; fails if it is none."""
    parser: argparse.ArgumentParser = build_parser()
    for word in arguments:
        deeper = next((a for a in parser._actions if isinstance(a.choices, dict)), None)
        if word.startswith(("-", "...")) or deeper is None:
            break
        assert word in dict(deeper.choices or {}), f"{word} is no command"
        parser = dict(deeper.choices or {})[word]
    return [option for action in parser._actions for option in action.option_strings]


def _make(arguments: list[str]) -> None:
    for word in arguments:
        name, equals, _ = word.partition("=")
        if equals:
            used = re.search(rf"\$\({name}\)|\(if \$\({name}\)", MAKEFILE)
            read = any(f'"{name}"' in p.read_text() for p in ROOT.glob("tests/firmware/*.py"))
            assert used or read, f"nothing reads {name}"
        else:
            assert name in TARGETS, f"make knows no {name}"


def _module(arguments: list[str]) -> None:
    assert arguments[0] == "-m", arguments
    name, *rest = arguments[1:]
    if name in ("pytest", "venv", "pip"):
        named = [word for word in rest if word.startswith("tests/")]
        assert all((ROOT / word).exists() for word in named), named
        return
    path = ROOT / name.replace(".", "/")
    path = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    assert path.is_file(), f"there is no {name}"
    source = path.read_text()
    for option in options(rest):
        assert f'"{option}"' in source, f"{name} does not know {option}"
