"""New records -> changed cameras: fuses again what the new records touch, and nothing else.

Fusion looks at records only. What reviewers decided is applied to its result, and what readers
see is made of that. So all of the map can be made again from the records and the review log.
"""

import itertools
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

import msgspec

from scanner.core.fusing.fusion import Camera, fuse, patch
from scanner.core.fusing.vicinity import Report
from scanner.core.reviewing import decisions
from scanner.core.reviewing.decisions import Judged
from scanner.core.reviewing.reviewlog import Merge, Split, anchor_of, decode_body, named
from scanner.hub import judging
from scanner.hub.features import OPEN, Policy, project
from scanner.hub.regions import (
    areas_changed,
    areas_of,
    pieces,
    round_places,
    together,
)
from scanner.hub.stores.protocol import Box, Shown, Store, Stored

BATCH: Final = 5_000  # records looked at together: those of one place are fused at once
LONGEST_S: Final = 2.0  # after which no more of them are begun: records to take in wait
HELD_S: Final = 0.5  # after which a transaction takes no more: others wait for its areas
AREAS_MAX: Final = 500  # that it may hold: a server has room for some 6,000 locks of everybody
POLICY: Final = "policy"  # by which cameras are published
UNFINISHED: Final = "policy unfinished"  # who is applying it to the map; empty when that is done
PROJECT_BATCH: Final = 2_000

Name = Callable[[str, int], str]


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """One camera before and after; None: it was, or is, not there."""

    before: Stored | None
    after: Stored | None


# --- the rule of publication ----------------------------------------------------------------------


def policy_of(store: Store) -> Policy:
    """The rule under which the map is published."""
    text = store.get_meta(POLICY)
    return OPEN if text is None else msgspec.json.decode(text, type=Policy)


def set_policy(
    store: Store, policy: Policy, *, unless_set: bool = False, page: int = PROJECT_BATCH
) -> bool:
    """Publish by this rule; whether the projection had to be made again. Raises StoreError.

    Others may fuse meanwhile. What was broken off is done again by the next call, whatever its
    rule. ``unless_set``: only if there is no rule yet; ``page``: so many cameras at a time.
    """
    text = msgspec.json.encode(policy).decode()
    if store.get_meta(POLICY) == text and not store.get_meta(UNFINISHED):
        return False
    mine = secrets.token_hex(8)
    with store.transaction():
        store.hold_map(alone=True)
        if unless_set and store.get_meta(POLICY) is not None:
            return False
        # The rule first: what is fused from now on obeys it, and the rest follows page by page.
        store.put_metas({POLICY: text, UNFINISHED: mine})
    after: str | None = ""
    while after is not None:
        after = _project_page(store, after, page)
    with store.transaction():
        store.hold_map(alone=True)
        if store.get_meta(UNFINISHED) == mine:  # else another began after us and will say so
            store.put_meta(UNFINISHED, "")
    return True


def _project_page(store: Store, after_id: str, page: int) -> str | None:
    """Make the next cameras' projection again; the last one's id, None if there were none."""
    with store.transaction():
        # Alone: read before another fuser's commit, the page would undo what that one did.
        store.hold_map(alone=True)
        stored = store.cameras(limit=page, after_id=after_id)
        if not stored:
            return None
        policy = policy_of(store)
        judged = judging.judged(store, store.actions(), settled=stored)
        ids = {s.camera.members[0]: s.id for s in stored}
        cohorts = _cohorts(store, judged, policy)
        store.put_cameras(
            [],
            [
                _line(j, policy, count, ids[j.camera.members[0]])
                for j, count in zip(judged, cohorts, strict=True)
            ],
        )
    return stored[-1].id


def _ready(store: Store) -> None:
    """Give a rule to a map from before there was a projection."""
    if store.get_meta(POLICY) is None:
        set_policy(store, OPEN, unless_set=True)


# --- fusing ---------------------------------------------------------------------------------------


def fuse_waiting(store: Store, name: Name) -> list[Delta]:
    """Bring the next records that wait into the map; an empty list when none wait.

    Where other fusers work at the same time, each leaves alone what another has in hand, so that
    an empty list may also mean that they do the rest. ``name`` makes a camera's id from the
    record that showed it first. Raises StoreError.
    """
    if not store.waiting(1):
        return []
    _ready(store)
    begun = time.monotonic()
    left = pieces(store.waiting(BATCH))
    deltas: list[Delta] = []
    while time.monotonic() - begun < LONGEST_S and (first := next(left, None)):
        with store.transaction():
            work = _Work(store, name)
            for fresh in itertools.chain([first], left):
                work.fuse(fresh, wanted=store.waiting_of)
                if time.monotonic() - work.begun > HELD_S or len(work.areas) > AREAS_MAX:
                    break
            deltas += work.deltas
    return deltas


def fuse_again(store: Store, name: Name, change: Callable[[], Iterable[int]]) -> list[Delta]:
    """Change which records take part in the map, and fuse afresh round them, all or nothing.

    ``change`` is called inside the transaction and returns their numbers. Those that take no part
    any more are taken out of the map. Raises StoreError, and what ``change`` raises.
    """
    _ready(store)
    with store.transaction():
        # First, and alone: who fuses there has areas that we want, and wants records that we have.
        store.hold_map(alone=True)
        numbers = change()
        work = _Work(store, name, wait=True)
        for changed in together(store.reports(numbers)):
            work.fuse(changed)
        return work.deltas


def refresh(store: Store, box: Box, *, name: Name) -> list[Delta]:
    """Apply the log to the cameras of a box, inside the transaction that changed the log."""
    work = _Work(store, name, wait=True)
    wanted: set[str] = set()
    for action in store.actions_near(box):
        body = decode_body(action)
        if isinstance(body, Merge | Split):
            wanted |= {record_id for record_id, _ in named(action, body)}
    for changed in together(store.reports(store.numbers_of(wanted).values())):
        work.fuse(changed)
    with store.region(areas_of(box), wait=True):
        work.judge({s.id: s for s in store.cameras(box)})
    return work.deltas


def rebuild(store: Store, name: Name) -> list[Delta]:
    """Fuse all records afresh; returns what differs from the map as it was. Raises StoreError."""
    _ready(store)
    with store.transaction():
        store.hold_map(alone=True)  # else what is fused while we read is lost
        policy = policy_of(store)
        reports = store.all_reports()
        judged = decisions.apply(fuse(reports), store.actions(), store.reports)
        before = {stored.id: stored for stored in store.cameras()}
        deltas = _put(store, before, judged, name, policy)
        store.mark_fused(r.number for r in reports)
    return deltas


# --- decisions, and what readers see --------------------------------------------------------------


class _Work:
    """Parts of the map, one after the other, in one transaction."""

    def __init__(self, store: Store, name: Name, *, wait: bool = False) -> None:
        store.hold_map()
        self._store = store
        self._name = name
        self._policy = policy_of(store)
        self._wait = wait
        self.begun = time.monotonic()
        self.areas: set[str] = set()  # that were asked for
        self.deltas: list[Delta] = []

    def fuse(
        self, reports: Sequence[Report], *, wanted: Callable[[list[int]], set[int]] = set
    ) -> None:
        """Make anew what some records change, unless another fuser is at it.

        ``wanted`` is asked, once nobody else can be, which of the records are still to be fused.
        """
        store = self._store
        areas = areas_changed(reports)
        self.areas.update(areas)
        with store.region(areas, wait=self._wait) as mine:
            if not mine:
                return
            # Read after the locks were taken: what another has just done is seen.
            left = wanted([report.number for report in reports])
            fresh = [report for report in reports if report.number in left]
            if not fresh:
                return
            stored: dict[str, Stored] = {}

            def kept(numbers: Iterable[int]) -> list[Camera]:
                found = {s.id: s for s in store.cameras_with(numbers)}
                stored.update(found)
                return [s.camera for s in found.values()]

            made = patch(fresh, store.reports_in, kept, partial(judging.bound, store))
            before = {
                i: s
                for i, s in stored.items()
                if any(anchor_of(member) in made.marks for member in s.camera.members)
            }
            self._judge(before, made.cameras, {})
            store.mark_fused(report.number for report in fresh)

    def judge(self, settled: dict[str, Stored]) -> None:
        """Apply the log to cameras as they are."""
        self._judge({}, (), settled)

    def _judge(
        self, before: dict[str, Stored], fused: Sequence[Camera], settled: dict[str, Stored]
    ) -> None:
        """Put fused cameras in place of those before; judge settled ones and those round them."""
        store = self._store
        places = [(c.lat_deg, c.lon_deg) for c in fused]
        places += [(s.camera.lat_deg, s.camera.lon_deg) for s in (before | settled).values()]
        if not places:
            return
        lines = judging.lines_round(store, places)
        if lines:
            # A tombstone may have moved.
            beside = {s.id: s for s in store.cameras(round_places(places)) if s.id not in before}
            settled = settled | beside
        judged = judging.judged(store, lines, fused, settled.values(), without=before)
        self._put(before | settled, judged)

    def _put(self, before: dict[str, Stored], judged: Sequence[Judged]) -> None:
        self.deltas += _put(self._store, before, judged, self._name, self._policy)


def _put(
    store: Store, before: dict[str, Stored], judged: Sequence[Judged], name: Name, policy: Policy
) -> list[Delta]:
    """Put cameras in place of those that were there; returns what differs."""
    changed: list[tuple[str, str, Camera, Shown]] = []
    deltas: list[Delta] = []
    left = dict(before)
    for j, cohorts in zip(judged, _cohorts(store, judged, policy), strict=True):
        first = j.camera.members[0]
        line = _line(j, policy, cohorts, name(first.record_id, first.index))
        camera_id, cell, camera, shown = line
        old = left.pop(camera_id, None)
        if old and old.camera == camera and old.shown == shown:
            continue
        changed.append(line)
        after = Stored(
            id=camera_id,
            cell=cell,
            camera=camera,
            verdict=shown.verdict,
            cohorts=cohorts,
            shown=shown,
        )
        deltas.append(Delta(before=old, after=after))
    deltas += [Delta(before=old, after=None) for old in left.values()]
    if deltas:
        store.put_cameras(left, changed)
    return deltas


def _line(
    judged: Judged, policy: Policy, cohorts: int, camera_id: str
) -> tuple[str, str, Camera, Shown]:
    shown = project(judged, policy, cohorts, camera_id=camera_id)
    return camera_id, shown.cell, judged.camera, shown


def _cohorts(store: Store, judged: Sequence[Judged], policy: Policy) -> list[int]:
    """How many different cohorts report each camera; not asked where it does not matter."""
    if not policy.cohorts:
        return [0] * len(judged)
    of = store.cohorts_of_reports(m.number for j in judged for m in j.camera.members)
    return [len({of[m.number] for m in j.camera.members if m.number in of}) for j in judged]
