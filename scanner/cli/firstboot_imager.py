"""Of what Raspberry Pi Imager was told: a wireless network is taken, all else gets its reason.

What is read is removed afterwards, since a password's digest and a network's key are in it. What
became of it stands in ``scanner-imager.txt``. In the profile ``hostile`` no network is taken, and
one that was taken before is forgotten.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from scanner import config as settings
from scanner import enrolment, imager, wiping
from scanner.disk import make_folder, replace
from scanner.errors import UsageError

TOLD: Final = "scanner-imager.txt"
CONFIG: Final = "config.txt"
RADIO_OFF: Final = "dtoverlay=disable-wifi"
WIFI: Final = "wireless network"
TAKEN: Final = f"{WIFI}: taken; used from the next start on"
HOSTILE: Final = (
    "the name of a network says where it stands, and this campaign's profile is hostile;"
    " send over USB or a cable"
)


def take(
    found: Mapping[str, Path],
    target: Path,
    read: Callable[[Path], bytes],
    remove: Callable[[Path], None],
) -> list[str]:
    """What is in Imager's files, done or refused; returns what a person must hear of.

    ``found`` has the boot partition's files by name. Raises UsageError, having changed nothing,
    where a file is not as Imager writes it.
    """
    texts = {}
    for name in imager.FILES:
        if name in found:
            try:
                texts[name] = read(found[name]).decode("utf-8-sig")
            except UnicodeDecodeError as e:
                raise UsageError(f"{name}: not text in UTF-8") from e
    asked = imager.wishes(texts)
    refused = {what: imager.REASONS[what] for what in sorted(asked.others)}
    grave = set(imager.GRAVE)
    lines = []
    boot = next(iter(found.values())).parent
    if asked.wifi:
        if _hostile(target):
            refused[WIFI] = HOSTILE
            grave.add(WIFI)
        else:
            _join(asked.wifi, boot, target)
            lines.append(TAKEN)
    lines += [f"{what}: not taken: {reason}" for what, reason in refused.items()]
    if lines:
        _say(boot, lines)
    for name in texts:
        remove(found[name])
    return [f"{what}, set in Imager: {refused[what]}" for what in refused if what in grave]


def leave(boot: Path, target: Path) -> list[str]:
    """Forget a network that was taken before the profile became hostile; what a person must hear.

    Raises ScannerError where one stays, or where no profile can be read to judge it by.
    """
    place = target.with_name(imager.CONF)
    if not place.exists() or not _hostile(target):
        return []
    # The file last: while it is there the next start does all of this again.
    text, lines = _config(boot)
    if text and len(lines) == len(text.splitlines()):
        end = "" if text.endswith("\n") else "\n"
        _write_config(boot, f"{text}{end}[all]\n{RADIO_OFF}\n")
    _say(boot, [f"{WIFI}: not kept: {HOSTILE}"])
    wiping.overwrite(place)
    return [f"{WIFI}, set in Imager: {HOSTILE}"]


def _hostile(target: Path) -> bool:
    named = target.exists() or target.with_name(enrolment.FILE).exists()
    return settings.load(target if named else None).privacy.profile == "hostile"


def _say(boot: Path, lines: list[str]) -> None:
    head = "What was set in Raspberry Pi Imager, and what became of it:\r\n\r\n"
    replace(boot / TOLD, (head + "".join(f"- {line}\r\n" for line in lines)).encode())


def _join(wifi: imager.Wifi, boot: Path, target: Path) -> None:
    """The network's file where wpa_supplicant looks for it, and the radio on."""
    make_folder(target.parent)
    place = target.with_name(imager.CONF)
    replace(place, imager.supplicant(wifi).encode(), mode=0o600)
    text, lines = _config(boot)
    if "".join(lines) != text:
        _write_config(boot, "".join(lines))


def _config(boot: Path) -> tuple[str, list[str]]:
    """config.txt, and its lines without the one that switches the radio off; no file: nothing."""
    path = boot / CONFIG
    if not path.is_file():
        return "", []
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    return text, [line for line in text.splitlines(keepends=True) if line.strip() != RADIO_OFF]


def _write_config(boot: Path, text: str) -> None:
    replace(boot / CONFIG, text.encode(errors="surrogateescape"))
