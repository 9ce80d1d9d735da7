"""MapRoulette's line-by-line GeoJSON (RFC 7464): a record separator and one task on each line.

Each task that adds or changes a node carries the change as a file for an editor ("cooperative
work", type 2), so that the mapper checks and saves it; a camera that seems to have gone is a
question only.
"""

import base64
from collections.abc import Iterable, Iterator
from typing import Final

from scanner.core.wire import encode_json
from scanner.hub.exports import GENERATOR, LICENCE, NOTICE
from scanner.hub.exports.josm import addable, changeable, changed_node, new_node
from scanner.hub.exports.source import Entry

SEPARATOR: Final = "\x1e"
_QUESTIONS: Final = {
    "new": "Is there a camera here, and are its tags right?",
    "update": "Is the camera as the added tags say?",
    "gone": "Is the camera still there? Passers-by did not see it any more.",
}


def chunks(entries: Iterable[Entry]) -> Iterator[str]:
    """The text, one task each."""
    for entry in entries:
        yield SEPARATOR + encode_json(_task(entry)).decode() + "\n"


def _task(entry: Entry) -> dict[str, object]:
    feature, known = entry.feature, entry.known
    p = feature.properties
    lon_deg, lat_deg = (known.lon_deg, known.lat_deg) if known else feature.geometry.coordinates
    properties: dict[str, object] = {
        **entry.added,
        **({"@id": known.ref} if known else {}),
        "camera": feature.id,
        "sigma_m": p.sigma_m,
        "confirmations": p.confirmations,
        "last_seen": p.last_seen,
        "question": _question(entry),
    }
    task: dict[str, object] = {
        "type": "FeatureCollection",
        "licence": LICENCE,
        "notice": NOTICE,
        "features": [
            {
                "type": "Feature",
                "id": known.ref if known else feature.id,
                "geometry": {"type": "Point", "coordinates": [lon_deg, lat_deg]},
                "properties": properties,
            }
        ],
    }
    if addable(entry) or changeable(entry):
        task["cooperativeWork"] = {
            "meta": {"version": 2, "type": 2},
            "file": {
                "type": "xml",
                "format": "osc",
                "encoding": "base64",
                "content": base64.b64encode(_change(entry).encode()).decode(),
            },
        }
    return task


def _question(entry: Entry) -> str:
    cluster = entry.feature.properties.cluster
    if entry.what == "new" and cluster is not None:
        return f"There are {cluster} cameras here, or about so many. Where is each?"
    return _QUESTIONS[entry.what]


def _change(entry: Entry) -> str:
    """The change as an osmChange file."""
    inside = (
        f"<create>{new_node(entry, -1)}</create>"
        if entry.what == "new"
        else f"<modify>{changed_node(entry)}</modify>"
    )
    return f'<osmChange version="0.6" generator="{GENERATOR}">{inside}</osmChange>'
