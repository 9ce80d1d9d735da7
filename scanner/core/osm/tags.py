"""A camera of the map -> tags of OpenStreetMap, and a linter for them.

What a scanner cannot know is left to a reviewer: that a camera reads number plates, who made it,
who runs it, what it hangs on, what it watches. ``surveillance`` is always written, since editors
that ask people to check a camera again pass over those without it.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from scanner.core.osm import reading
from scanner.core.wire import CameraProperties, Claims
from scanner.records import Kind

TYPES: Final = {Kind.BULLET: "fixed", Kind.DOME: "dome", Kind.PTZ: "panning"}
TURNING: Final = (Kind.DOME, Kind.PTZ)  # where such a camera looks is not to be seen from outside
LOWEST_M: Final = 0.1  # a height that would be written as nothing is none
REQUIRED: Final = ("man_made", "surveillance", "surveillance:type", "source", "check_date")
WIKIDATA: Final = {  # makers whose number is established among mappers
    "Flock Safety": "Q108485435",
    "Motorola Solutions": "Q634815",
    "Genetec": "Q30295174",
    "Leonardo": "Q910379",
    "Axis Communications": "Q2347731",
}
BASIS: Final = {  # keys that only a reviewer's claim allows, and which claim
    "manufacturer": "maker",
    "manufacturer:wikidata": "maker",
    "model": "maker",
    "operator": "operator",
    "operator:wikidata": "operator",
}

Check = Callable[[str], str | None]  # what is wrong with a value, None for nothing


def tags(
    *,
    kind: Kind,
    last_seen: str,
    direction_deg: float | None = None,
    height_m: float | None = None,
    reviewed: Mapping[str, str] | None = None,
    claims: Claims | None = None,
) -> dict[str, str]:
    """Tags of a camera, in order of their keys.

    ``last_seen`` is a month ("2026-11"); ``reviewed`` holds the tags that reviewers set, which
    stand over what was measured. Those that ``claims`` does not bear out, or that break the rules,
    are left out. ``direction_deg`` is to be given only where it is well known.
    """
    said = {
        key: value
        for key, value in (reviewed or {}).items()
        if key in PICKED and not PICKED[key](value) and _borne_out(key, value, claims)
    }
    own = {
        "man_made": "surveillance",
        "surveillance": "outdoor",
        "surveillance:type": "camera",
        "source": "survey",
        "check_date": last_seen,
    }
    if said.get("surveillance:type") == "ALPR":
        own["camera:type"] = "fixed"
    elif kind in TYPES:
        own["camera:type"] = TYPES[kind]
    if direction_deg is not None and kind not in TURNING:
        own["camera:direction"] = str(round(direction_deg) % 360)
    if height_m is not None and height_m >= LOWEST_M:
        own["height"] = f"{height_m:.1f}"
    own |= said
    if own.get("manufacturer") in WIKIDATA:
        own["manufacturer:wikidata"] = WIKIDATA[own["manufacturer"]]
    for key in ("manufacturer", "operator"):
        if key not in own:
            own.pop(f"{key}:wikidata", None)
    return dict(sorted(own.items()))


def tags_of(camera: CameraProperties) -> dict[str, str]:
    """Tags of a camera as it was published: measured ones afresh, reviewers' ones kept."""
    return tags(
        kind=camera.kind,
        last_seen=camera.last_seen,
        direction_deg=camera.direction_deg,
        height_m=camera.height_m,
        reviewed=camera.tags,
        claims=camera.basis,
    )


def _borne_out(key: str, value: str, claims: Claims | None) -> bool:
    """Whether a tag that only a reviewer may set was set by one."""
    claim = "alpr" if (key, value) == ("surveillance:type", "ALPR") else BASIS.get(key)
    return claim is None or (claims is not None and getattr(claims, claim) == "reviewer")


# --- the linter ----------------------------------------------------------------------------------


def lint(found: Mapping[str, str], claims: Claims | None = None) -> list[str]:
    """What is wrong with the tags of a camera that is to be handed on, one line each.

    With ``claims`` also whether each claim was made by a reviewer.
    """
    problems = [f"{key} is missing" for key in REQUIRED if key not in found]
    for key, value in found.items():
        check = RULES.get(key)
        wrong = check(value) if check else _unknown(key)
        if wrong:
            problems.append(f"{key}={value}: {wrong}" if check else f"{key}: {wrong}")
        elif claims is not None and not _borne_out(key, value, claims):
            problems.append(f"{key}={value}: no reviewer says so")
    problems += [
        f"{key}:wikidata: stands without {key}"
        for key in ("manufacturer", "operator")
        if f"{key}:wikidata" in found and key not in found
    ]
    return problems


def _unknown(key: str) -> str:
    return "camera:direction is meant" if key == "direction" else "not a tag of a camera"


def _one_of(*values: str) -> Check:
    def check(value: str) -> str | None:
        return None if value in values else f"one of {', '.join(values)} is wanted"

    return check


def _matches(pattern: str, wanted: str) -> Check:
    compiled = re.compile(pattern, re.ASCII)

    def check(value: str) -> str | None:
        return None if compiled.fullmatch(value) else f"{wanted} is wanted"

    return check


def _text(value: str) -> str | None:
    """Anything a person may have written, as OpenStreetMap stores it."""
    if not value or value != value.strip():
        return "empty, or blanks around it"
    if len(value) > reading.LONGEST:
        return f"longer than {reading.LONGEST} characters"
    if not all(c.isprintable() for c in value):
        return "characters that cannot be printed"
    return None


def _height(value: str) -> str | None:
    if not re.fullmatch(r"\d{1,3}(\.\d{1,2})?", value, re.ASCII):
        return "metres as a plain number are wanted"
    found = reading.height_m(value)
    return found.reason if isinstance(found, reading.Unread) else None


def _date(value: str) -> str | None:
    found = reading.date(value)
    if isinstance(found, reading.Unread) or len(value) < len("2026-11"):
        return "a month or a day as 2026-11 or 2026-11-23 is wanted"
    return None


_DEGREES: Final = r"(?:[0-9]|[1-9][0-9]|[12][0-9]{2}|3[0-5][0-9])"
_QID: Final = _matches(r"Q[1-9][0-9]{0,11}", "a number like Q108485435")

PICKED: Final[dict[str, Check]] = {  # what a reviewer may set
    "surveillance": _one_of("public", "outdoor", "indoor"),
    "surveillance:type": _one_of("camera", "ALPR"),
    "surveillance:zone": _one_of(
        *("town", "parking", "traffic", "shop", "bank", "building", "entrance")
    ),
    "camera:type": _one_of("fixed", "dome", "panning"),
    "camera:direction": _matches(
        rf"{_DEGREES}(?:;{_DEGREES}){{0,7}}", "whole degrees of 0 to 359, several with ; between"
    ),
    "camera:mount": _one_of("pole", "wall", "ceiling", "street_lamp", "traffic_signals"),
    "height": _height,
    "manufacturer": _text,
    "manufacturer:wikidata": _QID,
    "model": _text,
    "operator": _text,
    "operator:wikidata": _QID,
    "ref": _text,
}
RULES: Final[dict[str, Check]] = {
    **PICKED,
    "man_made": _one_of("surveillance"),
    "source": _one_of("survey"),
    "check_date": _date,
}
