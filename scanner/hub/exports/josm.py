"""OSM XML for JOSM: new nodes with negative ids, known ones with what could be added.

The file is marked ``upload="never"``: JOSM will not send the layer as it is. Who has looked at a
camera merges that one into the layer they downloaded and edit, which is what "reviewed
individually" means there.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping

from scanner.hub.exports import GENERATOR, LICENCE_URL, NOTICE
from scanner.hub.exports.source import Entry
from scanner.hub.exports.xml import attribute, writable
from scanner.hub.osm_import import VERSION


def chunks(entries: Iterable[Entry]) -> Iterator[str]:
    """The text, piece by piece; cameras that are gone or cannot be told apart are left out."""
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<osm version="0.6" generator={attribute(GENERATOR)} upload="never" '
        f"license={attribute(LICENCE_URL)}>\n<note>{NOTICE}</note>\n"
    )
    numbers = itertools.count(-1, -1)
    for entry in entries:
        if addable(entry):
            yield new_node(entry, next(numbers), ' action="modify"')
        elif changeable(entry):
            yield changed_node(entry, ' action="modify"')
    yield "</osm>\n"


def addable(entry: Entry) -> bool:
    """Whether one new node would say it: of a cluster nobody knows where each camera is."""
    return entry.what == "new" and entry.feature.properties.cluster is None


def changeable(entry: Entry) -> bool:
    """Whether the known node can be written back: its version is known, its tags are XML."""
    known = entry.known
    return (
        entry.what == "update"
        and known is not None
        and VERSION in known.tags
        and all(writable(k) and writable(v) for k, v in known.tags.items())
    )


def new_node(entry: Entry, number: int, more: str = "") -> str:
    """A node that OpenStreetMap does not have."""
    lon_deg, lat_deg = entry.feature.geometry.coordinates
    return _node(f'id="{number}"{more}', lat_deg, lon_deg, entry.added)


def changed_node(entry: Entry, more: str = "") -> str:
    """A known node, where OpenStreetMap has it, with what could be added."""
    known = entry.known
    if known is None:
        raise ValueError("a changed node must be known")
    number = known.ref.removeprefix("node/")
    tags = {k: v for k, v in known.tags.items() if k != VERSION} | entry.added
    return _node(
        f'id="{number}" version="{known.tags[VERSION]}"{more}', known.lat_deg, known.lon_deg, tags
    )


def _node(named: str, lat_deg: float, lon_deg: float, tags: Mapping[str, str]) -> str:
    lines = "".join(
        f"<tag k={attribute(key)} v={attribute(value)}/>\n" for key, value in sorted(tags.items())
    )
    return (
        f'<node {named} visible="true" lat="{lat_deg:.7f}" lon="{lon_deg:.7f}">\n{lines}</node>\n'
    )
