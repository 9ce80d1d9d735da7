"""What reads bytes that somebody else wrote, with what must hold whatever they are.

Each target takes any bytes and returns; it may only raise what it is allowed to. Seeds show the
fuzzer what good input looks like, words what it is made of.
"""

from typing import Final

from tests.fuzz import files, osm, positions, records, web
from tests.fuzz.target import Target, run

__all__ = ["TARGETS", "Target", "run"]

TARGETS: Final[dict[str, Target]] = {
    **records.TARGETS,
    **positions.TARGETS,
    **web.TARGETS,
    **osm.TARGETS,
    **files.TARGETS,
}
