"""Tags of OpenStreetMap as people write them -> values, or the reason why there is none.

What occurs for directions among thousands of mapped cameras: whole degrees, points of the compass,
several views ("90;180"), sectors clockwise ("338-23"), the traffic that is watched ("NB"), in
``camera:direction`` or in ``direction``; more rarely names ("north-west"), a degree sign, decimals,
words that are relative to a road, and things that are no direction at all.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from scanner.records import Kind

LONGEST: Final = 255  # characters of a value, by OpenStreetMap's own limit
DIRECTION_KEYS: Final = ("camera:direction", "direction")  # the first that says it counts
ROUND_DEG: Final = 360.0
FOOT_M: Final = 0.3048
HIGHEST_M: Final = 300.0  # above ground; more is a mistake in the unit

_POINTS: Final = (
    *("n", "nne", "ne", "ene", "e", "ese", "se", "sse"),
    *("s", "ssw", "sw", "wsw", "w", "wnw", "nw", "nnw"),
)
_COMPASS: Final = {name: 22.5 * i for i, name in enumerate(_POINTS)}
_TRAFFIC: Final = {"nb": 0.0, "eb": 90.0, "sb": 180.0, "wb": 270.0}
_WORDS: Final = {"north": "n", "east": "e", "south": "s", "west": "w"}
_SIDE: Final = "(?:north|south|east|west)"
_SPELT: Final = re.compile(rf"\b({_SIDE})[ _-]?({_SIDE})?[ _-]?({_SIDE})?[ _-]?(bound|erly|ern)?\b")
_DASHES: Final = re.compile("[\u2010-\u2015\u2212]")
_UNITS: Final = re.compile(r"(?<=[0-9])\s*(?:°|º|deg(?:rees?)?\b)")
_DECIMAL: Final = re.compile(r"(?<=[0-9]),(?=[0-9](?![0-9]))")
_LIST: Final = re.compile(r"\s*(?:[;,|/&+]|\band\b)\s*")
_SECTOR: Final = re.compile(r"(-?[^\s-][^-]*?)\s*(?:-|\bto\b|\.\.+)\s*([^\s-][^-]*)", re.ASCII)
_NUMBER: Final = re.compile(r"-?[0-9]{1,3}(?:\.[0-9]{0,9})?", re.ASCII)
_RELATIVE: Final = frozenset(
    (
        *("forward", "backward", "backwards", "both", "left", "right", "up", "down"),
        *("clockwise", "anticlockwise", "inside", "outside", "in", "out", "front", "back"),
    )
)
_ALL_ROUND: Final = frozenset(("all", "all round", "omni", "omnidirectional", "panorama", "*"))


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Where a camera looks: the middle, clockwise from north, and how wide if it was said."""

    direction_deg: float  # [0, 360)
    width_deg: float | None = None  # 360: all round, and the middle means nothing
    of_traffic: bool = False  # it was said which traffic is watched, not where the lens points


class Unread(msgspec.Struct, frozen=True):
    """A value that gives nothing, and why."""

    reason: str


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What the tags of one camera say; ``unread`` has key and reason of each that says nothing."""

    kind: Kind
    alpr: bool
    views: tuple[View, ...]
    mount: str | None
    height_m: float | None
    checked: str | None  # year, month or day, as far as it was given
    unread: tuple[tuple[str, str], ...]

    @property
    def direction_deg(self) -> float | None:
        """The one direction, None if there are several, none, or it looks all round."""
        if len(self.views) != 1 or self.views[0].width_deg == ROUND_DEG:
            return None
        return self.views[0].direction_deg


def directions(value: str) -> tuple[View, ...] | Unread:
    """The views that a direction value names, equal ones once, in the order written."""
    if len(value) > LONGEST:
        return Unread(f"longer than {LONGEST} characters")
    plain = _plain(value)
    if not plain:
        return Unread("empty")
    if plain in _ALL_ROUND:
        return (View(direction_deg=0.0, width_deg=ROUND_DEG),)
    views: dict[View, None] = {}
    for part in _LIST.split(plain):
        if not part:
            continue
        view = _view(part)
        if isinstance(view, Unread):
            return view
        views[view] = None
    return tuple(views) or Unread("empty")


def _plain(value: str) -> str:
    """Lower case, ASCII dashes, compass points as letters, no unit, decimal points."""
    text = _DASHES.sub("-", value.strip().lower())
    text = _SPELT.sub(_letters, text)
    return _DECIMAL.sub(".", _UNITS.sub("", text)).strip()


def _letters(spelt: re.Match[str]) -> str:
    letters = "".join(_WORDS[word] for word in spelt.groups()[:3] if word)
    if letters not in _COMPASS:
        return spelt.group()  # "north-south": two directions
    return letters + ("b" if spelt.group(4) == "bound" else "")


def _view(part: str) -> View | Unread:
    single = _bearing(part)
    if not isinstance(single, Unread):
        return View(direction_deg=single % ROUND_DEG, of_traffic=part in _TRAFFIC)
    sector = _SECTOR.fullmatch(part)
    if not sector:
        return single
    start, end = (_bearing(side.strip()) for side in sector.groups())
    if isinstance(start, Unread):
        return start
    if isinstance(end, Unread):
        return end
    if start == end:
        return View(direction_deg=start % ROUND_DEG)
    width = (end - start) % ROUND_DEG or ROUND_DEG
    return View(direction_deg=(start + width / 2) % ROUND_DEG, width_deg=width)


def _bearing(text: str) -> float | Unread:
    """Degrees clockwise from north, 0 to 360, of one number or name."""
    known = _COMPASS.get(text, _TRAFFIC.get(text))
    if known is not None:
        return known
    text = text.removeprefix("~").strip()
    if _NUMBER.fullmatch(text):
        degrees = float(text)
        if not -ROUND_DEG / 2 <= degrees <= ROUND_DEG:
            return Unread("no bearing: beyond a full turn")
        return degrees if degrees >= 0 else degrees + ROUND_DEG
    if text in _RELATIVE:
        return Unread("relative to a road or wall that is not named")
    return Unread("not a direction")


# --- the rest of a camera ------------------------------------------------------------------------

_KINDS: Final = {
    **dict.fromkeys(("fixed", "bullet", "box", "turret", "static"), Kind.BULLET),
    **dict.fromkeys(("dome", "fixed_dome"), Kind.DOME),
    **dict.fromkeys(("panning", "ptz", "pan", "rotating", "panorama"), Kind.PTZ),
}
_MOUNTS: Final = {
    "pole": ("post", "mast", "column", "utility_pole", "flock_pole", "telephone_pole"),
    "wall": ("building", "facade", "house", "wall_mounted"),
    "ceiling": ("roof_underside", "canopy"),
    "roof": ("rooftop",),
    "street_lamp": (
        *("streetlight", "street_light", "streelight", "street_lamp_pole", "lamp_post"),
        *("lamppost", "lamp", "light", "light_pole", "lighting_pole", "lamp_pole", "lightpole"),
    ),
    "traffic_signals": (
        *("traffic_signal", "traffic_light", "traffic_lights", "traffic_signal_pole", "signal"),
        *("signals", "traffic_light_pole", "signal_mast"),
    ),
    "gantry": ("toll_gantry", "sign_gantry", "overhead_gantry"),
    "bridge": ("overpass",),
    "sign": ("traffic_sign", "sign_post", "signpost"),
    "tree": (),
    "fence": (),
    "trailer": ("mobile_trailer",),
}
_MOUNT_OF: Final = {name: m for m, others in _MOUNTS.items() for name in (m, *others)}
_METRES: Final = re.compile(r"([0-9]{1,3}(?:[.,][0-9]{1,3})?)\s*(?:m|metres?|meters?)?", re.ASCII)
_FEET: Final = re.compile(
    r"([0-9]{1,3}(?:\.[0-9]{1,3})?)\s*(?:'|\u2032|ft|feet|foot)"
    r"(?:\s*([0-9]{1,2})\s*(?:\"|''|\u2033|in|inch(?:es)?)?)?",
    re.ASCII,
)
_DATE: Final = re.compile(r"(\d{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01]))?)?", re.ASCII)


def mount(value: str) -> str | Unread:
    """The usual name of what a camera hangs on; models and counts are found here too."""
    plain = re.sub(r"[\s_-]+", "_", value.strip().lower())[:LONGEST]
    found = _MOUNT_OF.get(plain) or _MOUNT_OF.get(plain.removesuffix("s"))
    return found or Unread("not a mount")


def height_m(value: str) -> float | Unread:
    """Metres above ground from metres, or feet and inches."""
    text = value.strip().lower()
    metres = _METRES.fullmatch(text)
    if metres:
        found = float(metres[1].replace(",", "."))
    elif feet := _FEET.fullmatch(text):
        found = (float(feet[1]) + int(feet[2] or 0) / 12) * FOOT_M
    else:
        return Unread("not a height")
    return found if 0 < found <= HIGHEST_M else Unread("no height of a camera")


def date(value: str) -> str | Unread:
    """A year, month or day as ISO 8601 writes it."""
    text = value.strip()[:LONGEST]
    return text if _DATE.fullmatch(text) else Unread("not a date")


def read(tags: Mapping[str, str]) -> Reading:
    """What tags found in the wild say of a camera."""
    unread: list[tuple[str, str]] = []
    views: tuple[View, ...] = ()
    for key in DIRECTION_KEYS:
        if key in tags:
            said = directions(tags[key])
            if isinstance(said, Unread):
                unread.append((key, said.reason))
            elif not views or all(v.of_traffic for v in views):
                views = said
    values: dict[str, str | float] = {}
    for key, reader in (("camera:mount", mount), ("height", height_m), ("check_date", date)):
        if key in tags:
            found = reader(tags[key])
            if isinstance(found, Unread):
                unread.append((key, found.reason))
            else:
                values[key] = found
    alpr = tags.get("surveillance:type", "").strip().lower() in ("alpr", "anpr", "alpr;camera")
    kind = Kind.ALPR if alpr else _KINDS.get(tags.get("camera:type", "").strip().lower())
    height = values.get("height")
    return Reading(
        kind=kind or Kind.UNKNOWN,
        alpr=alpr,
        views=views,
        mount=_text(values.get("camera:mount")),
        height_m=height if isinstance(height, float) else None,
        checked=_text(values.get("check_date")),
        unread=tuple(unread),
    )


def _text(value: str | float | None) -> str | None:
    return value if isinstance(value, str) else None


def surveils(tags: Mapping[str, str]) -> bool:
    """Whether a node is a camera at all: guards, gunshot sensors and mere zones are not."""
    if tags.get("man_made") != "surveillance":
        return False
    return tags.get("surveillance:type", "camera").strip().lower() in (
        *("camera", "alpr", "anpr", "alpr;camera", "camera;alpr", "yes"),
    )
