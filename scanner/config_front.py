"""Sections of scanner.toml for what its person sees, hears and touches: panel, page, hints."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

NO_PIN: Final = -1


class PanelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lamps, buzzer and button, by the numbers of the Pi's GPIO lines (BCM)."""

    lamp: Annotated[
        int, Meta(ge=-1, le=27, description="GPIO of a single lamp, lit when high; -1: none")
    ] = NO_PIN
    red: Annotated[int, Meta(ge=-1, le=27, description="GPIO of a red lamp; -1: none")] = NO_PIN
    yellow: Annotated[int, Meta(ge=-1, le=27, description="GPIO of a yellow lamp; -1: none")] = (
        NO_PIN
    )
    green: Annotated[int, Meta(ge=-1, le=27, description="GPIO of a green lamp; -1: none")] = NO_PIN
    buzzer: Annotated[
        int, Meta(ge=-1, le=27, description="GPIO of a buzzer that sounds when high; -1: none")
    ] = NO_PIN
    button: Annotated[
        int, Meta(ge=-1, le=27, description="GPIO of a button to ground; -1: none")
    ] = NO_PIN
    invisible: Annotated[
        bool, Meta(description="dark and silent; a press lights the panel for 10 s")
    ] = False

    @property
    def used(self) -> bool:
        """Whether anything is connected at all."""
        pins = (self.lamp, self.red, self.yellow, self.green, self.buzzer, self.button)
        return any(pin != NO_PIN for pin in pins)


class PageSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The page for a phone, served by ``scanner page`` and ``scanner run --page`` only."""

    address: Annotated[
        str,
        Meta(
            pattern=r"^([0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:]*)?$",
            description="this device's own address on its USB or Wi-Fi link, such as 10.55.0.1;"
            " empty: no page",
        ),
    ] = ""
    port: Annotated[int, Meta(ge=1, le=65535, description="port of the page")] = 8480


class HintSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bluetooth signatures of surveillance devices: where one is heard, more tiles are looked at.

    A hint is never reported by itself.
    """

    file: Annotated[
        str, Meta(description="path of a signed list of signatures; empty: nothing is listened for")
    ] = ""
    key: Annotated[
        str,
        Meta(
            description="public key, base64, that the list must be signed by; empty: that of the"
            " enrolment"
        ),
    ] = ""
