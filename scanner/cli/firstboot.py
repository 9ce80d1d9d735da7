"""``scanner firstboot``: takes settings and an enrolment from the boot partition, at every start.

Whoever writes the card puts them there, from any computer: ``scanner.toml``, and ``enrolment`` with
one of the endings .json, .txt, .png, .jpg. What is right moves to /etc/scanner and is removed from
the boot partition, overwritten first. What is wrong stays, changes nothing, and is explained in
``scanner-problem.txt`` beside it; the board's lamp and the panel show the code for trouble.
What Raspberry Pi Imager was told is in files of its own: ``firstboot_imager``.
"""

import argparse
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from scanner import config as settings
from scanner import enrolment, imager, signing, wiping
from scanner.cli import add_config_option
from scanner.cli.enrol import run as enrol
from scanner.cli.enrol import text_of
from scanner.cli.firstboot_imager import TOLD, leave, take
from scanner.cli.firstboot_removal import remove, spent
from scanner.core.blink import State
from scanner.disk import make_folder, replace
from scanner.errors import DeviceError, ScannerError, StoreError, UsageError
from scanner.hardware.boardlamp import LEDS, BoardLamp
from scanner.hardware.panel import GpioPanel, lgpio_factory

SETTINGS: Final = "scanner.toml"
ENROLMENTS: Final = tuple(f"enrolment{end}" for end in (".json", ".txt", ".png", ".jpg", ".jpeg"))
FINGERPRINT: Final = "fingerprint.txt"
PROBLEM: Final = "scanner-problem.txt"
TAKEN: Final = "scanner-taken.txt"
LARGEST: Final = 20_000_000  # bytes; a photograph of a QR code
BLINK_S: Final = 30.0
HEAD: Final = (
    "The scanner could not use what lies here. Put it right and start the device again.\n\n"
)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("firstboot", help="take settings from the boot partition")
    parser.add_argument("--boot", type=Path, required=True, metavar="DIR", help="where it is")
    parser.add_argument("--leds", type=Path, default=LEDS, metavar="DIR", help=argparse.SUPPRESS)
    parser.add_argument(
        "--blink-s", type=float, default=BLINK_S, metavar="S", help="how long a problem is shown"
    )
    add_config_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 also where something was wrong: the device goes on with the settings that it has.

    Only where a network is left that must not be joined it is not 0.
    """
    target: Path = args.config or settings.find()
    steps: list[tuple[str, Callable[[], None]]] = []
    found = {path.name.lower(): path for path in sorted(args.boot.iterdir()) if path.is_file()}
    taken, problems = _clear(found, target)
    if SETTINGS in found:
        steps.append((SETTINGS, lambda: _settings(found[SETTINGS], target)))
    given = [found[name] for name in ENROLMENTS if name in found]
    if given:
        said = found.get(FINGERPRINT)
        steps.append((given[0].name, lambda: _enrolment(given[0], said, target)))
    problems += [f"{p.name}: there is another enrolment, {given[0].name}" for p in given[1:]]
    # Last: whether a network may be joined depends on the profile.
    told = [name for name in imager.FILES if name in found]
    if told:
        steps.append((told[0], lambda: problems.extend(take(found, target, _content, remove))))
    done, wrong = _do(steps, args.boot)
    code = 0
    try:
        wrong += leave(args.boot, target)
    except ScannerError as e:
        wrong.append(f"a wireless network is left that may not be joined: {e}")
        code = e.exit_code
    taken, problems = taken + done, problems + wrong
    _tell(args.boot, taken, problems)
    for line in problems:
        print(f"scanner: not taken: {line}")
    for name in taken:
        print(f"scanner: taken: {name}")
    if problems:
        _blink(args, target)
    return code


def _do(steps: Sequence[tuple[str, Callable[[], None]]], boot: Path) -> tuple[list[str], list[str]]:
    """Each step, whatever becomes of the others; names of what was taken, and what is wrong."""
    taken, problems = [], []
    for name, step in steps:
        try:
            step()
        except ScannerError as e:
            reason = str(e).replace(f"{boot}/", "")
            problems.append(reason if reason.startswith(name) else f"{name}: {reason}")
        else:
            taken.append(name)
    return taken, problems


def _clear(found: dict[str, Path], target: Path) -> tuple[list[str], list[str]]:
    """Remove what an earlier start took and did not wholly remove, so that it is not read again.

    After a wipe the word of what was taken goes as well. Returns names, and what is wrong.
    """
    ours = (SETTINGS, *ENROLMENTS, FINGERPRINT, *imager.FILES)
    begun = [name for name in ours if name in found and spent(found[name])]
    stale = [name for name in (TAKEN, TOLD) if name in found and spent(found[name])]
    if not any(target.with_name(name).exists() for name in (target.name, *wiping.SETTINGS)):
        stale += [name for name in (TAKEN, TOLD) if name in found and _says_taken(found[name])]
    problems = []
    for name in dict.fromkeys((*begun, *stale)):
        try:
            remove(found.pop(name))
        except StoreError as e:
            problems.append(str(e))
    return begun, problems


def _says_taken(notice: Path) -> bool:
    """Of what was refused the reason still helps."""
    with suppress(OSError):
        return b"taken" in notice.read_bytes().replace(b"not taken", b"")
    return False


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path.name}: larger than {LARGEST // 1_000_000} MB")
        return path.read_bytes()
    except OSError as e:
        raise UsageError(f"{path.name}: cannot be read: {e.strerror}") from e


def _settings(path: Path, target: Path) -> None:
    """Check and install; the broken and the unknown never get to where it counts."""
    try:
        text = _content(path).decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise UsageError(f"{path.name}: not text in UTF-8", hint="save it as UTF-8") from e
    settings.parse(text, path.name)
    _install(target, text)
    remove(path)


def _enrolment(path: Path, said: Path | None, target: Path) -> None:
    """The first is taken as it is: who writes the card vouches for it.

    Another campaign's later needs its fingerprint beside it.
    """
    _content(path)
    text = text_of(str(path))
    _, signed = signing.check(text)
    fingerprint = signing.fingerprint(signed.key)
    if said:
        fingerprint = _content(said).decode(errors="replace").strip()
    elif _campaign(target.with_name(enrolment.FILE)) not in (None, signed.key):
        raise UsageError(
            f"{path.name}: of another campaign than the one that is installed",
            hint=f"put its fingerprint, as it was told to you, into {FINGERPRINT}",
        )
    enrol(argparse.Namespace(source=text, fingerprint=fingerprint, config=target))
    remove(path)
    if said:
        remove(said)


def _campaign(path: Path) -> bytes | None:
    try:
        return enrolment.split(path.read_text(encoding="utf-8")).key
    except (OSError, UnicodeDecodeError, ScannerError):
        return None


def _install(target: Path, text: str) -> None:
    make_folder(target.parent)
    replace(target, text.encode(), whatever_umask=True)  # the services read it


def _tell(boot: Path, taken: list[str], problems: list[str]) -> None:
    """For whoever looks at the card; with the line ends that every computer shows."""
    texts = {
        PROBLEM: HEAD + "".join(f"- {line}\n" for line in problems) if problems else "",
        TAKEN: "".join(f"{name} was taken and removed.\n" for name in taken),
    }
    for name, text in texts.items():
        path = boot / name
        try:
            if text:
                path.write_text(text, encoding="utf-8", newline="\r\n")
            elif path.exists() and (name == PROBLEM or problems):
                remove(path)
        except OSError as e:
            print(f"scanner: {name} cannot be written: {e.strerror or e}")


def _blink(args: argparse.Namespace, target: Path) -> None:
    """Trouble on the panel, where the settings that hold name one, and on the board."""
    lamp = BoardLamp(args.leds)
    try:
        panel = settings.load(target if target.exists() else None).panel
        if panel.used:
            with closing(GpioPanel(panel, pins=lgpio_factory(Path.cwd()))) as shown:
                shown.show(State.TROUBLE)
                lamp.show(State.TROUBLE, args.blink_s)
            return
    except (ScannerError, DeviceError) as e:
        print(f"scanner: no panel: {e}")
    lamp.show(State.TROUBLE, args.blink_s)
