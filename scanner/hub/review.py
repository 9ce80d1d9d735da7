"""The reviewers' desk: what waits for a person, and what a person decides.

Every decision is one more line of the log, with the reviewer's name; nothing in it is changed or
taken out, undoing is a line, too. What a line does to the map is ``core/reviewing/decisions.py``.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec

from scanner.core.fusing.fusion import Camera
from scanner.core.geometry import distance_m
from scanner.core.osm import tags as osm
from scanner.core.reviewing import parting, reviewlog
from scanner.core.reviewing.decisions import REACH_M
from scanner.core.reviewing.reviewlog import (
    PRIVATE,
    Anchor,
    Body,
    Merge,
    Move,
    Rollback,
    Split,
    Tag,
    Undo,
    Word,
    anchor_of,
    decode_body,
    encode_body,
    is_private,
)
from scanner.core.reviewing.tombstones import TOMBSTONE_M
from scanner.core.wire import Record
from scanner.errors import UsageError
from scanner.hub.features import Policy
from scanner.hub.review_queue import Item, Queue, box_round
from scanner.hub.stores.protocol import Action, Box, Store, Stored, Verb

MERGE_M: Final = 60.0  # as the cameras of one record: what is farther apart is not one
MOVE_M: Final = 100.0  # a camera that is farther off is another
SPARED_MAX: Final = 32  # neighbours noted with a rejection
NAME_MAX: Final = 64
LOG_MAX: Final = 1000  # lines at once
WORDS: Final = ("confirm", "reject", "withdraw", "gone")


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision as a reviewer asks for it."""

    verb: str
    camera_id: str
    with_id: str = msgspec.field(default="", name="with")  # merge: the other camera
    lat: float | None = None  # move: degrees
    lon: float | None = None
    tags: dict[str, str] = {}
    members: list[tuple[str, int]] = []  # split: record id and index; none: as they differ most


class Refresh(Protocol):
    """Applies the log to the cameras of a box, inside the transaction that changed the log."""

    def __call__(self, store: Store, box: Box) -> object:
        """Bring the map there up to date."""


class ReviewDesk:
    """What reviewers see and do; may be called from any thread.

    ``clock`` gives seconds since 1970. Raises UsageError for what cannot be done, StoreError.
    """

    def __init__(
        self, store: Store, policy: Policy, refresh: Refresh, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._refresh = refresh
        self._clock = clock
        self._queue = Queue(store, policy)
        self._lock = threading.Lock()

    def queue(self, limit: int = 20) -> list[Item]:
        """What waits for a person, first what a decision changes most."""
        with self._lock:
            return self._queue.items(limit)

    def item(self, camera_id: str) -> Item:
        """One camera as the queue shows it, whether it waits or not."""
        with self._lock:
            return self._queue.item(self._camera(camera_id))

    def act(self, reviewer: str, wanted: Wanted) -> int:
        """Decide; returns the number of the line in the log."""
        name = checked_name(reviewer)
        with self._lock:
            stored = self._camera(wanted.camera_id)
            body = self._body(stored, wanted)
            verb = msgspec.convert(wanted.verb, Verb)
            camera = stored.camera
            return self._add(
                reviewer=name,
                verb=verb,
                camera_id=stored.id,
                anchor=anchor_of(camera.members[0]),
                lat_deg=camera.lat_deg,
                lon_deg=camera.lon_deg,
                body=encode_body(body),
            )

    def undo(self, reviewer: str, number: int) -> int:
        """Take a decision back, or an undoing; returns the number of the new line."""
        name = checked_name(reviewer)
        with self._lock:
            line = self._line(number)
            if line.verb == "rollback":
                raise UsageError(
                    f"line {number} is about a cohort", hint="`scanner hub cohorts trust`"
                )
            if number in reviewlog.undone(self._store.actions(number - 1)):
                raise UsageError(f"line {number} does not count any more")
            return self._add(
                reviewer=name,
                verb="undo",
                camera_id=line.camera_id,
                anchor=line.anchor,
                lat_deg=line.lat_deg,
                lon_deg=line.lon_deg,
                body=encode_body(Undo(number)),
            )

    def log(self, since: int = 0, limit: int = 100) -> list[Action]:
        """Lines after a number, first to last."""
        with self._lock:
            return self._store.actions(since, max(1, min(limit, LOG_MAX)))

    def undoings(self, since: int = 0) -> list[Action]:
        """Lines after a number that take others back, without which none can be said to count."""
        with self._lock:
            return [line for line in self._store.actions(since) if line.verb == "undo"]

    # --- inside the lock ------------------------------------------------------------------------

    def _camera(self, camera_id: str) -> Stored:
        stored = self._store.camera(camera_id)
        if not stored:
            raise UsageError(f"there is no camera {camera_id}", hint="it may have been merged")
        return stored

    def _line(self, number: int) -> Action:
        found = self._store.actions(number - 1, 1)
        if not found or found[0].number != number:
            raise UsageError(f"the log has no line {number}")
        return found[0]

    def _add(
        self,
        *,
        reviewer: str,
        verb: Verb,
        camera_id: str,
        anchor: Anchor,
        lat_deg: float,
        lon_deg: float,
        body: bytes,
    ) -> int:
        box = box_round(lat_deg, lon_deg, REACH_M)
        with self._store.transaction():
            number = self._store.add_action(
                at_s=int(self._clock()),
                reviewer=reviewer,
                verb=verb,
                camera_id=camera_id,
                anchor=anchor,
                lat_deg=lat_deg,
                lon_deg=lon_deg,
                body=body,
            )
            self._refresh(self._store, box)
        self._queue.look_again(box)
        return number

    def _body(self, stored: Stored, wanted: Wanted) -> Body:
        """What the line says."""
        camera = stored.camera
        match wanted.verb:
            case "confirm" | "withdraw" | "gone":
                return Word(camera.kind, camera.kind_share, camera.covariance)
            case "reject":
                return self._seen(stored)
            case "merge":
                other = self._camera(wanted.with_id)
                if other.id == stored.id:
                    raise UsageError("a camera is merged with another one")
                _within(camera, other.camera.lat_deg, other.camera.lon_deg, MERGE_M, "merged with")
                return Merge(anchor_of(other.camera.members[0]))
            case "split":
                return parting.split(camera, self._records(camera), wanted.members or None)
            case "move":
                if wanted.lat is None or wanted.lon is None:
                    raise UsageError("a move needs lat and lon")
                _within(camera, wanted.lat, wanted.lon, MOVE_M, "moved to")
                return Move(wanted.lat, wanted.lon)
            case "tag":
                tags = checked(wanted.tags)
                return Tag(tags, self._seen(stored) if is_private(tags) else None)
            case _:
                raise UsageError(f"{wanted.verb}: not a decision", hint=", ".join(DECISIONS))

    def _seen(self, stored: Stored) -> Word:
        """A camera that is taken off the map, with those that stand beside it."""
        camera = stored.camera
        return Word(camera.kind, camera.kind_share, camera.covariance, self._beside(stored))

    def _beside(self, stored: Stored) -> tuple[Anchor, ...]:
        """Cameras within a tombstone's reach that are on the map already: others, by their side."""
        here = stored.camera
        # Looked up where reviewers say they are, spared by where reports say so.
        box = box_round(here.lat_deg, here.lon_deg, TOMBSTONE_M + MOVE_M)
        near = [s.camera for s in self._store.cameras(box) if s.id != stored.id]
        near = [c for c in near if _distance_m(here, c.lat_deg, c.lon_deg) <= TOMBSTONE_M]
        near.sort(key=lambda c: _distance_m(here, c.lat_deg, c.lon_deg))
        return tuple(anchor_of(c.members[0]) for c in near[:SPARED_MAX])

    def _records(self, camera: Camera) -> Mapping[str, Record]:
        reports = self._store.reports(sorted({m.number for m in camera.members}))
        return {report.record_id: report.record for report in reports}


DECISIONS: Final = (*WORDS, "merge", "split", "move", "tag")


def checked(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags that a reviewer may set; an empty value takes one away. Raises UsageError."""
    if not tags:
        raise UsageError("no tags are given", hint="as in camera:mount=pole")
    for key, value in tags.items():
        rule = osm.PICKED.get(key)
        if not rule:
            raise UsageError(f"{key}: not a tag that reviewers set", hint=", ".join(osm.PICKED))
        wrong = rule(value) if value and (key, value) not in PRIVATE else None
        if wrong:
            raise UsageError(f"{key}={value}: {wrong}")
    return dict(tags)


def meaning(line: Action) -> str:
    """What a line says besides its verb, for people."""
    body = decode_body(line)
    text = ""
    match body:
        case Merge(anchor=anchor):
            text = f"with {anchor[0][:8]}/{anchor[1]}"
        case Move(lat_deg=lat, lon_deg=lon):
            text = f"to {lat:.6f}, {lon:.6f}"
        case Tag(tags=tags):
            text = " ".join(f"{key}={value}" for key, value in sorted(tags.items()))
        case Undo(number=number):
            text = f"line {number}"
        case Split(named=named):
            text = f"{len(named.anchors)} records apart"
        case Rollback(cohort=cohort, state=state, reason=reason):
            text = f"{cohort}: {state}" + (f", {reason}" if reason else "")
    return text


def checked_name(reviewer: str) -> str:
    """A reviewer's name as it goes into the log; raises UsageError."""
    name = reviewer.strip()
    if not name or len(name) > NAME_MAX or not name.isprintable():
        raise UsageError("a review needs a name", hint="every action must be attributable")
    return name


def _distance_m(camera: Camera, lat_deg: float, lon_deg: float) -> float:
    return distance_m(camera.lat_deg, camera.lon_deg, lat_deg, lon_deg)


def _within(camera: Camera, lat_deg: float, lon_deg: float, most_m: float, doing: str) -> None:
    if not (-90 <= lat_deg <= 90 and -180 <= lon_deg <= 180):  # noqa: PLR2004
        raise UsageError(f"{lat_deg}, {lon_deg}: not a place in degrees")
    apart_m = _distance_m(camera, lat_deg, lon_deg)
    if apart_m > most_m:
        raise UsageError(
            f"a camera is not {doing} what is {apart_m:.0f} m away",
            hint=f"{most_m:.0f} m at most",
        )
