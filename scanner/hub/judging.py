"""The review log applied to a part of the map."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from scanner.core.fusing.fusion import Camera
from scanner.core.reviewing import decisions
from scanner.core.reviewing.decisions import REACH_M, Judged
from scanner.core.reviewing.reviewlog import Anchor, Merge, Split, named, standing
from scanner.core.reviewing.tombstones import buried
from scanner.hub.regions import round_places
from scanner.hub.stores.protocol import Action, Box, Store, Stored


def bound(store: Store, box: Box) -> Iterator[tuple[Anchor, ...]]:
    """The anchors of each merge or split that counts in a box."""
    for action, body in standing(store.actions_near(box)):
        if isinstance(body, Merge | Split):
            yield named(action, body)


def lines_round(store: Store, places: Sequence[tuple[float, float]]) -> list[Action]:
    """The lines that may matter to cameras within REACH_M of places (lat, lon).

    Such a line lies within REACH_M of them, or of a rejected camera that they stand beside.
    """
    return store.actions_near(round_places(places, 3 * REACH_M))


def judged(
    store: Store,
    lines: Collection[Action],
    fused: Sequence[Camera] = (),
    settled: Iterable[Stored] = (),
    *,
    without: Collection[str] = (),
) -> list[Judged]:
    """Cameras as fused, and those that have merges and splits applied already, judged.

    ``without``: ids of the stored cameras in whose place the fused ones are.
    """
    settled = list(settled)
    # A tombstone is where its own camera is now, and that one may be beyond the part.
    numbers = store.numbers_of(record_id for record_id, _ in buried(lines)).values()
    known = {s.id for s in settled}.union(without)
    beyond = [s.camera for s in store.cameras_with(numbers) if s.id not in known]
    others = {camera.members[0] for camera in beyond}
    found = decisions.apply(fused, lines, store.reports, [*(s.camera for s in settled), *beyond])
    return [j for j in found if j.camera.members[0] not in others]
