"""Radio hints: published signatures of surveillance devices, and where one was heard.

A hint only raises attention: where it is heard more tiles are looked at for a while. What is
reported is what was seen, located and withheld by the same rules as ever; a hint enters no record.

A signature holds signals of at least two kinds, and all kinds must be present in what one device
sends: a name alone is what anybody may call their speaker, a maker's number alone is shared with
everything else that maker sells. Devices that people carry or wear are refused when the list is
loaded, whoever signed it.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from scanner.errors import UNREADABLE, ConfigError

LEAST_KINDS: Final = 2
MOST_SIGNATURES: Final = 64
LEAST_NAME: Final = 6  # letters: shorter ones are parts of other names
LASTS_NS: Final = 60_000_000_000  # a hint counts so long after it was heard
NEAR_M: Final = 60.0  # and as far: BLE does not reach further through a street
MORE_TILES: Final = 2.0
EARTH_M_PER_DEG: Final = 111_320.0
LOCAL_BIT: Final = 0x02  # of an address' first byte: given by nobody, often by chance

# Makers of what people carry: Bluetooth SIG, "Company Identifiers".
PEOPLES_MAKERS: Final[Mapping[int, str]] = {
    0x0006: "Microsoft",
    0x004C: "Apple: phones, watches, AirTag",
    0x0075: "Samsung: phones, SmartTag",
    0x0087: "Garmin: watches",
    0x00D0: "Dexcom: glucose sensors",
    0x00E0: "Google: phones, trackers",
    0x018E: "Fitbit",
    0x01F9: "Medtronic",
    0x027D: "Huawei: phones",
    0x034D: "TASER, now Axon: body cameras",
    0x0360: "Insulet: insulin pumps",
    0x038D: "ResMed: breathing aids",
    0x038F: "Xiaomi: phones, bands",
    0x03BB: "Abbott: glucose sensors",
    0x04EC: "Motorola Solutions: body cameras, radios",
    0x059D: "Tandem: insulin pumps",
    0x067C: "Tile: trackers",
    0x072F: "OnePlus: phones",
}
_EVERY: Final = "every device"
# Services of what people carry, and those that say nothing: SIG, "Assigned Numbers", 3.4 and 3.11.
PEOPLES_SERVICES: Final[Mapping[int, str]] = {
    0x1800: _EVERY,
    0x1801: _EVERY,
    0x1808: "glucose sensors",
    0x1809: "thermometers",
    0x180A: _EVERY,
    0x180D: "heart rate belts",
    0x180F: _EVERY,
    0x1810: "blood pressure monitors",
    0x1812: "keyboards, mice",
    0x1816: "bicycles",
    0x1818: "bicycles",
    0x1819: "position receivers, ours too",
    0x181F: "glucose sensors",
    0x1822: "oximeters",
    0x183A: "insulin pumps",
    0x1844: "hearing aids",
    0x1854: "hearing aids",
    0xFCB2: "trackers",
    0xFD5A: "Samsung SmartTag",
    0xFD6F: "exposure notification: phones",
    0xFDF0: "hearing aids",
    0xFE2C: "Fast Pair: phones, earphones",
    0xFEAA: "Eddystone and Find My Device: trackers",
    0xFEEC: "Tile",
    0xFEED: "Tile",
    0xFD84: "Tile",
}
_TELLING: Final = frozenset(n for n, what in PEOPLES_SERVICES.items() if what != _EVERY)
PEOPLES_OUIS: Final[Mapping[str, str]] = {
    "00:25:DF": "Axon: body cameras, Tasers",
    "04:0D:84": "a module maker's, in breathing aids too",
    "B4:E3:F9": "a module maker's, in breathing aids too",
}
PEOPLES_NAMES: Final = re.compile(
    r"axon|taser|body.?(cam|worn)|bwc|airtag|airpods|iphone|ipad|android|galaxy|pixel|redmi|watch"
    r"|band|buds|phone|tile|smarttag|chipolo|tracker|headset|hearing|glucose|pump|cpap|resmed",
    re.IGNORECASE,
)

Number = Annotated[int, Meta(ge=0, le=0xFFFF)]
Hex = Annotated[str, Meta(pattern=r"^[0-9A-Fa-f]{4}$")]
Prefix = Annotated[str, Meta(pattern=r"^[0-9A-F]{2}(:[0-9A-F]{2}){2}$")]
NamePart = Annotated[str, Meta(min_length=LEAST_NAME, max_length=29, pattern=r"^[\x20-\x7e]+$")]


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signals of one sort of device; of each kind that is named at least one must be heard."""

    title: Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[\x20-\x7e]+$")]
    source: Annotated[str, Meta(min_length=1, max_length=200)]  # where it was published
    names: tuple[NamePart, ...] = ()  # the whole name
    name_starts: tuple[NamePart, ...] = ()
    companies: tuple[Hex, ...] = ()  # of manufacturer specific data, as in the SIG's list
    services: tuple[Hex, ...] = ()  # 16-bit UUIDs
    ouis: tuple[Prefix, ...] = ()  # of public addresses

    @property
    def kinds(self) -> int:
        """How many independent signals it asks for."""
        kinds = ((*self.names, *self.name_starts), self.companies, self.services, self.ouis)
        return sum(bool(kind) for kind in kinds)


class Signatures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The list as signed."""

    v: Annotated[int, Meta(ge=1, le=1)]
    made: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    signatures: Annotated[tuple[Signature, ...], Meta(min_length=1, max_length=MOST_SIGNATURES)]


class Advertisement(msgspec.Struct, frozen=True, kw_only=True):
    """What one device sends; lives as long as it is judged."""

    address: str = ""
    public: bool = False  # the address was given by a maker, not by chance
    name: str = ""
    companies: frozenset[int] = frozenset()
    services: frozenset[int] = frozenset()


def parse(body: bytes) -> Signatures:
    """A list of signatures; raises ConfigError for people's devices and for single signals."""
    try:
        found = msgspec.json.decode(body, type=Signatures)
    except UNREADABLE as e:
        raise ConfigError(f"not a list of signatures: {e}") from e
    for signature in found.signatures:
        why = refused(signature)
        if why:
            raise ConfigError(
                f"signature {signature.title!r} is refused: {why}",
                hint="only devices that are fixed to a place, and two independent signals of them",
            )
    return found


def refused(signature: Signature) -> str:
    """Why a signature may not be listened for; empty if it may."""
    return next(_reasons(signature), "")


def _reasons(signature: Signature) -> Iterator[str]:
    """All that speaks against it."""
    for what, numbers, peoples in (
        ("company", signature.companies, PEOPLES_MAKERS),
        ("service", signature.services, PEOPLES_SERVICES),
    ):
        for number in numbers:
            if int(number, 16) in peoples:
                yield f"{what} {number} is of {peoples[int(number, 16)]}"
    for oui in signature.ouis:
        if oui in PEOPLES_OUIS:
            yield f"addresses {oui} are {PEOPLES_OUIS[oui]}"
        if int(oui[:2], 16) & (LOCAL_BIT | 1):
            yield f"addresses {oui} belong to no maker"
    for name in (signature.title, *signature.names, *signature.name_starts):
        if PEOPLES_NAMES.search(name):
            yield f"{name!r} may be what a person carries"
    if signature.kinds < LEAST_KINDS:
        yield "a single kind of signal is no evidence"


def match(signatures: Iterable[Signature], heard: Advertisement) -> Signature | None:
    """The signature that fits, if any does; never one for a device of people."""
    if _of_people(heard):
        return None
    return next((s for s in signatures if _fits(s, heard)), None)


def _of_people(heard: Advertisement) -> bool:
    """Whether anything in what a device sends is of what people carry."""
    return bool(
        heard.companies & PEOPLES_MAKERS.keys()
        or heard.services & _TELLING
        or heard.address[:8].upper() in PEOPLES_OUIS
        or PEOPLES_NAMES.search(heard.name)
    )


def _fits(signature: Signature, heard: Advertisement) -> bool:
    named = not signature.names and not signature.name_starts
    named = named or heard.name in signature.names
    named = named or heard.name.startswith(signature.name_starts or ("\0",))
    oui = not signature.ouis or (heard.public and heard.address[:8].upper() in signature.ouis)
    return (
        named
        and oui
        and _common(signature.companies, heard.companies)
        and _common(signature.services, heard.services)
    )


def _common(wanted: Iterable[str], heard: frozenset[int]) -> bool:
    numbers = {int(number, 16) for number in wanted}
    return not numbers or bool(numbers & heard)


class Attention:
    """Where hints were heard, for as long as they count; in memory, gone with the walk.

    ``factor``: how many times the usual tiles to look at. Places are degrees; without one a hint
    counts for its time alone.
    """

    def __init__(self) -> None:
        self._heard: list[tuple[int, tuple[float, float] | None]] = []

    def hear(self, at_ns: int, place: tuple[float, float] | None) -> None:
        """A hint, heard at this time while we were at this place."""
        self._heard = [*self._recent(at_ns), (at_ns, place)][-MOST_SIGNATURES:]

    def factor(self, at_ns: int, place: tuple[float, float] | None) -> float:
        """``MORE_TILES`` near a recent hint, else 1."""
        self._heard = self._recent(at_ns)
        near = any(_near(heard, place) for _, heard in self._heard)
        return MORE_TILES if near else 1.0

    def forget(self) -> None:
        """A new walk."""
        self._heard = []

    def _recent(self, at_ns: int) -> list[tuple[int, tuple[float, float] | None]]:
        return [(told, place) for told, place in self._heard if 0 <= at_ns - told < LASTS_NS]


def _near(one: tuple[float, float] | None, other: tuple[float, float] | None) -> bool:
    if one is None or other is None:
        return True
    north_m = (one[0] - other[0]) * EARTH_M_PER_DEG
    east_deg = (one[1] - other[1] + 180) % 360 - 180
    east_m = east_deg * EARTH_M_PER_DEG * math.cos(math.radians(one[0]))
    return math.hypot(north_m, east_m) <= NEAR_M
