"""Radio hints for ``watch``: from the signed list to how many tiles a frame is worth."""

import base64
from collections.abc import Callable
from pathlib import Path

from scanner import enrolment, signing
from scanner.config_front import HintSettings
from scanner.core import hints
from scanner.core.hints import Attention, Signature
from scanner.errors import ConfigError
from scanner.records import Position


def signatures_of(settings: HintSettings, config_file: Path) -> tuple[Signature, ...]:
    """What to listen for; nothing unless a list is named. To be called before the fence.

    Raises ConfigError for a list that cannot be read, is not signed by the key that was named or by
    the campaign of the enrolment, or asks for what people carry.
    """
    if not settings.file:
        return ()
    try:
        text = Path(settings.file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"hints.file: {settings.file}: cannot be read: {e}") from e
    try:
        return hints.parse(signing.check_hints(text, _trusted(settings, config_file))).signatures
    except ConfigError as e:
        raise ConfigError(f"hints.file: {settings.file}: {e.message}", hint=e.hint) from e


def _trusted(settings: HintSettings, config_file: Path) -> bytes:
    if settings.key:
        try:
            return base64.b64decode(settings.key, validate=True)
        except ValueError as e:
            raise ConfigError("hints.key is not base64") from e
    try:
        text = config_file.with_name(enrolment.FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(
            "no key to check it by", hint="set hints.key, or `scanner enrol` first"
        ) from e
    return enrolment.split(text).key


class Hinting:
    """Says what a frame is worth; ``take`` tells when hints were heard since it was asked last."""

    def __init__(self, take: Callable[[], list[int]]) -> None:
        self._take = take
        self._attention = Attention()
        self.heard = 0  # so many times in this walk

    def attention(self, at_ns: int, position: Position | None) -> float:
        """How many times the usual tiles to look at, at this time and place."""
        place = (position.lat_deg, position.lon_deg) if position else None
        for heard_ns in self._take():
            self.heard += 1
            self._attention.hear(heard_ns, place)
        return self._attention.factor(at_ns, place)

    def forget(self) -> None:
        """A new walk begins."""
        self.heard = 0
        self._attention.forget()
