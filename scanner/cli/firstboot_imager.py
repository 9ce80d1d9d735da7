"""Of what Raspberry Pi Imager was told: a wireless network is taken, all else gets its reason.

What is read is removed afterwards, since a password's digest and a network's key are in it. What
became of it stands in ``scanner-imager.txt``.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from scanner import config as settings
from scanner import imager
from scanner.disk import make_folder, replace
from scanner.errors import UsageError

TOLD: Final = "scanner-imager.txt"
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
        if settings.load(target if target.exists() else None).privacy.profile == "hostile":
            refused[WIFI] = HOSTILE
            grave.add(WIFI)
        else:
            _join(asked.wifi, boot, target)
            lines.append(TAKEN)
    lines += [f"{what}: not taken: {reason}" for what, reason in refused.items()]
    if lines:
        head = "What was set in Raspberry Pi Imager, and what became of it:\r\n\r\n"
        replace(boot / TOLD, (head + "".join(f"- {line}\r\n" for line in lines)).encode())
    for name in texts:
        remove(found[name])
    return [f"{what}, set in Imager: {refused[what]}" for what in refused if what in grave]


def _join(wifi: imager.Wifi, boot: Path, target: Path) -> None:
    """The network's file where wpa_supplicant looks for it, and the radio on."""
    make_folder(target.parent)
    place = target.with_name(imager.CONF)
    replace(place, imager.supplicant(wifi).encode(), mode=0o600)
    config = boot / "config.txt"
    if config.is_file():
        text = config.read_text(encoding="utf-8", errors="surrogateescape")
        lines = [line for line in text.splitlines(keepends=True) if line.strip() != RADIO_OFF]
        if "".join(lines) != text:
            replace(config, "".join(lines).encode(errors="surrogateescape"))
