"""One frame's life on the device, from pixels to a sealed record in the outbox.

    frame -> detections -> glimpses -> tracks -> sightings -> sites -> records, sealed, on the card

A frame is held for one turn of the loop. What is found waits in memory only until its site is
complete: the wearer has moved on, or the walk has ended.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from scanner.core import privacy
from scanner.core.blink import State
from scanner.core.geometry import LensModel, pose_from_position
from scanner.core.locate import locate
from scanner.core.sites import group, join
from scanner.core.tracking import Tracker, glimpse
from scanner.errors import ScannerError, StoreError
from scanner.frame import Frame
from scanner.looking import Watcher
from scanner.ports import FrameSource, Panel, PositionSource
from scanner.records import Detection, NotLocated, Position, Sighting, Track
from scanner.reporting import Sealer

# How many times the usual tiles a frame is worth, by time and position: a hint was heard here.
Attention = Callable[[int, Position | None], float]
LEAST_HEIGHT_M: Final = 2.0  # cameras hang out of reach; lights of cars and letter boxes do not
SITE_COMPLETE_S: Final = 20.0  # so long after its last view nothing is added to a site


class Counts(msgspec.Struct):
    """What a run came to; for the person at the terminal, never stored."""

    frames: int = 0
    without_fix: int = 0
    detections: int = 0
    sightings: int = 0
    not_located: int = 0
    withheld: int = 0
    records: int = 0


class Finder:
    """Frames with positions -> located sightings: what ``run`` and ``replay`` have in common.

    A track whose five best views score less than ``min_score`` on average is not believed: the
    detector may look for fainter things than it would report from one picture, because a walk shows
    each of them many times and fainter views tell where it is. That they are many is no evidence
    that it is a camera: a lamp that looks like one does so in frame after frame. ``remember`` keeps
    every track in ``outcomes`` and every position in ``way``, to be drawn.
    """

    def __init__(
        self,
        watcher: Watcher,
        positions: PositionSource,
        lens: LensModel,
        *,
        min_score: float = 0.0,
        remember: bool = False,
        attention: Attention = lambda *_: 1.0,
    ) -> None:
        self._min_score = min_score
        self._attention = attention
        self.state = State.NO_FIX  # whether what the last frame showed can be located
        self._remember = remember
        self.way: list[Position] = []
        self._watcher = watcher
        self._positions = positions
        self._lens = lens
        self._tracker = Tracker()
        self.counts = Counts()
        self.outcomes: list[tuple[Track, Sighting | NotLocated]] = []
        self._utc_ahead_s: float | None = None  # of the boot clock

    def take(self, frame: Frame) -> list[Sighting]:
        """Look at one frame; return the cameras whose tracks have ended."""
        self.counts.frames += 1
        position = self._positions.position_at(frame.at_ns)
        if position and (position.utc_s or 0) >= privacy.EARLIEST_UTC_S:
            self._utc_ahead_s = (position.utc_s or 0) - position.at_ns / 1e9
        if position and self._remember:
            self.way.append(position)
        height, width = frame.pixels.shape[:2]
        lens = self._lens.resized(width, height)
        pose = pose_from_position(position, lens) if position else None
        self.state = State.SCANNING if pose else State.SEARCHING if position else State.NO_FIX
        attention = self._attention(frame.at_ns, position)
        found: Sequence[Detection] = self._watcher.look(frame.pixels, attention, frame.small)
        self.counts.detections += len(found)
        if pose is None:
            self.counts.without_fix += 1
            return self._locate_all(self._tracker.update([], frame.at_ns))
        seen = [glimpse(d, pose, lens, frame.number) for d in found]
        return self._locate_all(self._tracker.update(seen, frame.at_ns))

    def utc_s(self, at_ns: int) -> float | None:
        """GNSS time at a time on the boot clock, seconds since 1970; None until a receiver told it.

        One that has lost it again, or was started anew, changes nothing.
        """
        return None if self._utc_ahead_s is None else at_ns / 1e9 + self._utc_ahead_s

    def finish(self) -> list[Sighting]:
        """The walk is over: the cameras of all tracks that were still open."""
        return self._locate_all(self._tracker.close())

    def _judge(self, track: Track) -> Sighting | NotLocated:
        result = locate(track)
        if isinstance(result, Sighting) and result.score < self._min_score:
            return NotLocated(reason="seen too faintly", kind=result.kind, views=result.views)
        if isinstance(result, Sighting) and (result.height_m or math.inf) < LEAST_HEIGHT_M:
            return NotLocated(reason="too low for a camera", kind=result.kind, views=result.views)
        return result

    def _locate_all(self, tracks: Sequence[Track]) -> list[Sighting]:
        located = []
        for track in tracks:
            result = self._judge(track)
            if self._remember:
                self.outcomes.append((track, result))
            if isinstance(result, NotLocated):
                self.counts.not_located += 1
            else:
                self.counts.sightings += 1
                located.append(result)
        return located


def watch(source: FrameSource, finder: Finder, sealer: Sealer, panel: Panel) -> Counts:
    """Watch one walk, as ``watch_walks`` does."""
    return watch_walks([source], finder, sealer, panel)


def watch_walks(
    walks: Iterable[FrameSource],
    finder: Finder,
    sealer: Sealer,
    panel: Panel,
    *,
    walk_over: Callable[[], None] = lambda: None,
) -> Counts:
    """Run until the last walk ends; what was found is on the card when this returns or raises.

    What a full card does not take is tried again in the next walk. ``walk_over`` is called after
    each. Raises what a source or a part raised, or StoreError if records could not be kept in the
    end.
    """
    trouble: Exception | None = None
    for walk in walks:
        trouble = _watch_one(walk, finder, sealer, panel)
        if trouble:
            break
        walk_over()
    if sealer.unkept:
        lost = StoreError(
            f"{sealer.unkept} records could not be kept: the card takes no more",
            hint="free some space and walk again",
        )
        trouble = trouble or lost
    if trouble:
        panel.show(State.DISK if isinstance(trouble, StoreError) else State.TROUBLE, _said(trouble))
        raise trouble
    panel.show("done")
    return finder.counts


def _said(trouble: Exception) -> str:
    """What a person may read of it: an error that nobody foresaw could name anything."""
    return str(trouble) if isinstance(trouble, ScannerError) else type(trouble).__name__


def _watch_one(
    source: FrameSource, finder: Finder, sealer: Sealer, panel: Panel
) -> Exception | None:
    """Run until the source ends; what was raised, if that is why. What was found is put away.

    A long pause, or standing still, may make two walks of it: ``Sealer.parts``.
    """
    waiting: list[Sighting] = []
    trouble: Exception | None = None
    now_ns: int | None = None
    try:
        for frame in source.frames():
            if now_ns is not None and sealer.parts(frame.at_ns):
                _end(waiting, finder, sealer, panel, now_ns)
                waiting = []
            waiting += _seen(finder.take(frame), panel)
            panel.show(finder.state)
            now_ns = frame.at_ns
            complete, waiting = _split(waiting, now_ns)
            _keep(complete, finder, sealer, panel, now_ns)
    except Exception as e:  # noqa: BLE001 - raised again, once what was found is on the card
        trouble = e
    _end(waiting, finder, sealer, panel, now_ns or 0)
    return trouble


def find_all(source: FrameSource, finder: Finder) -> Iterator[tuple[int, list[Sighting]]]:
    """Run until the source ends, keeping nothing: yields (frame number, sightings ended there)."""
    for frame in source.frames():
        yield frame.number, finder.take(frame)
    yield -1, finder.finish()


Site = tuple[Sighting, ...]


def _seen(sightings: list[Sighting], panel: Panel) -> list[Sighting]:
    """Tell of each, without its place."""
    for s in sightings:
        good_to_m = math.sqrt((s.relative.ee + s.relative.nn) / 2 + s.common_sigma_m**2)
        panel.show(State.SEEN, f"{s.kind}, {s.views} views, ±{good_to_m:.0f} m")
    return sightings


def _split(sightings: Sequence[Sighting], now_ns: int) -> tuple[list[Site], list[Sighting]]:
    """Sites whose last view is some time ago, and the sightings of all others."""
    complete: list[Site] = []
    waiting: list[Sighting] = []
    for site in group(join(sightings)):
        if (now_ns - max(s.at_ns for s in site)) / 1e9 >= SITE_COMPLETE_S:
            complete.append(site)
        else:
            waiting += site
    return complete, waiting


def _end(
    waiting: Sequence[Sighting], finder: Finder, sealer: Sealer, panel: Panel, now_ns: int
) -> None:
    """The walk is over, or stood still for so long that what follows is another."""
    found = [*waiting, *_seen(finder.finish(), panel)]
    _keep(group(join(found)), finder, sealer, panel, now_ns, over=True)


def _keep(
    sites: Sequence[Site],
    finder: Finder,
    sealer: Sealer,
    panel: Panel,
    now_ns: int,
    *,
    over: bool = False,
) -> None:
    """Seal the sites and put them on the card; the panel hears of it afterwards.

    All that touches the card is ``keep``: what it cannot do now is done with the next sites.
    """
    utc_s = finder.utc_s(now_ns)
    outcomes = sealer.take(sites, utc_s, now_ns, moving=finder.state is State.SCANNING)
    for withheld in outcomes + (sealer.end() if over else []):
        finder.counts.withheld += 1
        if withheld.reason == privacy.NO_TIME:
            panel.show(State.CLOCK, f"kept back: {withheld.reason}")
        else:  # the policy at work; by which rule would tell who looks on that home is near
            panel.show(State.WITHHELD)
    trouble, waiting = None, sealer.unkept
    try:
        sealer.keep()
    except StoreError as e:
        trouble = e
    if kept := waiting - sealer.unkept:
        finder.counts.records += kept
        panel.show("found", f"{kept} site{'s' if kept > 1 else ''}")
    if trouble:
        panel.show(State.DISK_FULL if trouble.full else State.DISK, str(trouble))
