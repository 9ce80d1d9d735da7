"""What pyosmium reads, in a process of its own: libosmium dies of some damaged files.

    python -m scanner.hub.osm_packed FILE

prints one camera a line, as JSON of ``Known``; ends with 2 and why, if the file cannot be read.
"""

import sys
from collections.abc import Iterator

import msgspec
import osmium

from scanner.hub.osm_import import VERSION, known_node
from scanner.hub.stores.protocol import Known


def cameras(path: str) -> Iterator[Known]:
    """The cameras of a file; raises what pyosmium raises."""
    found = osmium.FileProcessor(path, osmium.osm.NODE).with_filter(
        osmium.filter.KeyFilter("man_made")
    )
    for node in found:
        if not isinstance(node, osmium.osm.Node) or node.id <= 0 or not node.location.valid():
            continue
        tags = {tag.k: tag.v for tag in node.tags}
        if node.version:
            tags[VERSION] = str(node.version)
        known = known_node(f"node/{node.id}", node.location.lat, node.location.lon, tags)
        if known:
            yield known


def main() -> int:
    """2 and a line if the file is none of OpenStreetMap's."""
    try:
        for known in cameras(sys.argv[1]):
            sys.stdout.buffer.write(msgspec.json.encode(known) + b"\n")
    # What libosmium says of any file it cannot read, and Python of text in it that is none.
    except (RuntimeError, osmium.InvalidLocationError, UnicodeDecodeError) as e:
        sys.stderr.write(str(e))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
