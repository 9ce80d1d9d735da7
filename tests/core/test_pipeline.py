"""What a finder believes, and where a walk ends that is paused."""

import io
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from scanner.core import privacy
from scanner.core.wire import decode_record, encode_record
from scanner.errors import DeviceError, StoreError
from scanner.frame import Frame, Pixels
from scanner.looking import Watcher
from scanner.pipeline import Finder, find_all, watch, watch_walks
from scanner.records import Detection, Kind, NotLocated, Position
from scanner.replay.standins import (
    ConsolePanel,
    MemoryStore,
    ScriptedDetector,
    ScriptedFrames,
    ScriptedPositions,
)
from scanner.reporting import Sealer
from tests.helpers import walk
from tests.helpers.walk import LENS, Mounted


def found_with(score: float, min_score: float, height_m: float = 4.0) -> Finder:
    def answer(tile: Pixels) -> list[Detection]:
        return [replace(d, score=score) for d in walk.read_colours(tile)]

    finder = Finder(
        Watcher(ScriptedDetector(answer, 320)),
        ScriptedPositions(walk.positions(walk.straight_north)),
        LENS,
        min_score=min_score,
        remember=True,
    )
    frames = walk.frames(walk.straight_north, 22, [Mounted(5, 20, height_m, Kind.DOME)])
    list(find_all(ScriptedFrames(frames), finder))
    return finder


def test_a_camera_that_was_only_seen_faintly_is_not_believed() -> None:
    (outcome,) = (result for _, result in found_with(0.45, 0.5).outcomes)
    assert isinstance(outcome, NotLocated)
    assert outcome.reason == "seen too faintly"


def test_one_that_was_seen_well_is() -> None:
    finder = found_with(0.55, 0.5)
    assert finder.counts.sightings == 1
    assert len(finder.way) == finder.counts.frames == 88


def test_what_is_no_higher_than_a_cars_lamp_is_no_camera() -> None:
    (outcome,) = (result for _, result in found_with(0.9, 0.5, height_m=0.9).outcomes)
    assert isinstance(outcome, NotLocated)
    assert outcome.reason == "too low for a camera"


# --- a pause, where the ends of a walk are quiet ------------------------------------------------

QUIET = privacy.Policy(bucket_days=1, delay=privacy.Delay(), once_days=1, quiet_s=8.0)
PARTED_S = 60.0  # of walking before the pause, and again after it
# Last seen in the first seconds, in the middle, just before the pause; and so again after it.
AT_THE_PAUSE = {82, 101}
ROW = [Mounted(5, north_m, 4.0, Kind.DOME) for north_m in (10, 46, 82, 101, 139, 168)]


def parts(paused_s: float) -> tuple[list[Frame], list[Frame]]:
    """A walk along the row that is paused in the middle: the frames before and after."""
    frames = list(walk.frames(walk.straight_north, 2 * PARTED_S, ROW))[::2]
    late_ns = int(paused_s * 1e9)
    first = [f for f in frames if f.at_ns < PARTED_S * 1e9]
    return first, [Frame(f.number, f.at_ns + late_ns, f.pixels) for f in frames[len(first) :]]


def reported(
    *walks: list[Frame], paused_s: float, located_s: float = 0.0, moving_s: float = 0.0
) -> set[float]:
    """Metres along the row of the cameras reported; each list of frames is watched on its own.

    From the pause on there is no fix before ``located_s`` and no course before ``moving_s``.
    """
    walking, store = walk.positions(walk.straight_north), MemoryStore()

    def position_at(at_ns: int) -> Position | None:
        if PARTED_S <= at_ns / 1e9 < located_s:
            return None
        if PARTED_S <= at_ns / 1e9 < moving_s:
            return replace(walking(int(PARTED_S * 1e9)), at_ns=at_ns, course_deg=None)
        late_ns = int(paused_s * 1e9) if at_ns >= PARTED_S * 1e9 else 0
        return replace(walking(at_ns - late_ns), at_ns=at_ns)

    sealer = Sealer(store, encode_record, QUIET, model="t", uniform=lambda: 0.5)
    watcher = Watcher(ScriptedDetector(walk.read_colours, 320))
    finder = Finder(watcher, ScriptedPositions(position_at), LENS)
    for frames in walks:
        watch(ScriptedFrames(frames), finder, sealer, ConsolePanel(io.StringIO()))
    cameras = [c for w in store.waiting() for c in decode_record(w.payload).cameras]
    norths = [(c.lat_e7 / 1e7 - walk.ORIGIN[0]) * 111_320 for c in cameras]
    return {min((m.north_m for m in ROW), key=lambda m: abs(m - n)) for n in norths}


def indoors(last: Frame, stay_s: int) -> list[Frame]:
    """What a device sees that is left on where nobody walks: a dark frame a second."""
    dark = last.pixels * 0
    return [Frame(last.number + s, last.at_ns + int(s * 1e9), dark) for s in range(1, stay_s)]


@pytest.mark.parametrize("paused_s", [privacy.STAY_S, 36_000])
def test_a_long_pause_is_the_end_of_a_walk(paused_s: float) -> None:
    before, after = parts(paused_s)
    assert reported([*before, *after], paused_s=paused_s) == {46, 139}


@pytest.mark.parametrize("without", ["located_s", "moving_s"])
@pytest.mark.parametrize("stay_s", [30, 100])
def test_a_walk_that_ends_at_home_has_ended_there_also_with_the_device_left_on(
    stay_s: int, without: str
) -> None:
    before, _ = parts(0)
    frames = [*before, *indoors(before[-1], stay_s)]
    assert reported(frames, paused_s=0, **{without: PARTED_S + stay_s}) == {46}


@pytest.mark.parametrize("without", ["located_s", "moving_s"])
def test_who_stays_somewhere_begins_another_walk_there(without: str) -> None:
    before, after = parts(200)
    frames = [*before, *indoors(before[-1], 200), *after]
    assert reported(frames, paused_s=200, **{without: PARTED_S + 200}) == {46, 139}


def test_who_waits_at_a_crossing_goes_on_with_the_walk() -> None:
    before, after = parts(120)
    frames = [*before, *indoors(before[-1], 120), *after]
    assert reported(frames, paused_s=120, moving_s=PARTED_S + 120) == {46, 139} | AT_THE_PAUSE


def test_one_sealer_serves_two_walks() -> None:
    assert reported(*parts(0), paused_s=0) == {46, 139}


def test_a_wrong_press_that_is_mended_at_once_is_none() -> None:
    paused_s = privacy.STAY_S / 2
    before, after = parts(paused_s)
    assert reported([*before, *after], paused_s=paused_s) == {46, 139} | AT_THE_PAUSE


def test_another_walk_begins_where_it_is_located() -> None:
    """Time without a fix, at home with the lens on, is no part of its quiet minutes."""
    before, after = parts(36_000)
    begun_s = 36_000 + PARTED_S
    indoors = [Frame(0, int((begun_s - s) * 1e9), before[0].pixels) for s in (30, 20, 10)]
    walks = [*before, *indoors, *after]
    assert reported(walks, paused_s=36_000, located_s=begun_s) == {46, 139}


# --- the time of a site ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dated_s", "records"), [((0, 60), 1), ((0, 15), 1), ((20, 60), 1), ((60, 60), 0)]
)
def test_a_receiver_may_tell_the_date_before_or_after_a_site_is_seen(
    dated_s: tuple[int, int], records: int
) -> None:
    """One camera is last seen in the 13th second; its site is complete in the 33rd."""
    known, store = walk.positions(walk.straight_north), MemoryStore()

    def position_at(at_ns: int) -> Position:
        position = known(at_ns)
        dated = dated_s[0] <= at_ns / 1e9 < dated_s[1]
        return position if dated else replace(position, utc_s=None)

    frames = list(walk.frames(walk.straight_north, 45, [Mounted(5, 20, 4.0, Kind.DOME)]))[::2]
    finder = Finder(
        Watcher(ScriptedDetector(walk.read_colours, 320)), ScriptedPositions(position_at), LENS
    )
    sealer = Sealer(store, encode_record, privacy.OPEN, model="t", uniform=lambda: 0.5)
    watch(ScriptedFrames(frames), finder, sealer, ConsolePanel(io.StringIO()))
    assert len(store.waiting()) == records


# --- several walks, and a card that is full -----------------------------------------------------


class Card(MemoryStore):
    """Takes nothing while it is full."""

    full = True

    def add(self, payload: bytes, *, due_s: int = 0) -> str:
        if self.full:
            raise StoreError("database or disk is full")
        return super().add(payload, due_s=due_s)


@pytest.mark.parametrize(
    ("message", "full"),
    [
        ("/data/outbox.sqlite3: database or disk is full", True),
        ("known.bin: cannot be used: No space left on device", True),
        ("/home/full of cameras/outbox.sqlite3: disk I/O error", False),
        ("/home/this is full/outbox.sqlite3: disk I/O error", False),
    ],
)
def test_a_card_is_not_full_because_a_folder_is_called_so(message: str, full: bool) -> None:  # noqa: FBT001
    assert StoreError(message, hint="free some space: full").full is full


class Freed(ScriptedFrames):
    """While this walk lasts its person frees some space."""

    def __init__(self, frames: list[Frame], card: Card) -> None:
        super().__init__(frames)
        self._card = card

    def frames(self) -> Iterator[Frame]:
        self._card.full = False
        yield from super().frames()


def on_a_full_card(card: Card, *walks: ScriptedFrames) -> int:
    """Walks, one after the other; how often one was over."""
    over: list[int] = []
    positions = ScriptedPositions(walk.positions(walk.straight_north))
    watcher = Watcher(ScriptedDetector(walk.read_colours, 320))
    sealer = Sealer(card, encode_record, privacy.OPEN, model="t", uniform=lambda: 0.5)
    watch_walks(
        *(walks, Finder(watcher, positions, LENS), sealer, ConsolePanel(io.StringIO())),
        walk_over=lambda: over.append(1),
    )
    return len(over)


def test_what_a_full_card_did_not_take_waits_for_the_next_walk() -> None:
    before, after = parts(0)
    card, roomy = Card(), Card()
    roomy.full = False
    assert on_a_full_card(card, ScriptedFrames(before), Freed(after, card)) == 2
    on_a_full_card(roomy, ScriptedFrames(before), ScriptedFrames(after))
    assert len(card.waiting()) == len(roomy.waiting()) > 0


def test_only_at_the_end_of_all_walks_is_it_said_to_be_lost() -> None:
    before, after = parts(0)
    with pytest.raises(StoreError, match="could not be kept"):
        on_a_full_card(Card(), ScriptedFrames(before), ScriptedFrames(after))


# --- an end that nobody foresaw -----------------------------------------------------------------


class Failing(ScriptedFrames):
    """Raises at its end."""

    def __init__(self, frames: list[Frame], error: Exception) -> None:
        super().__init__(frames)
        self._error = error

    def frames(self) -> Iterator[Frame]:
        yield from super().frames()
        raise self._error


@pytest.mark.parametrize("error", [DeviceError("the lens is gone"), MemoryError("55.75, 37.61")])
def test_what_was_found_is_on_the_card_whatever_ends_the_walk(error: Exception) -> None:
    frames = list(walk.frames(walk.straight_north, 22, [Mounted(5, 20, 4.0, Kind.DOME)]))[::2]
    store, said = MemoryStore(), io.StringIO()
    positions = ScriptedPositions(walk.positions(walk.straight_north))
    finder = Finder(Watcher(ScriptedDetector(walk.read_colours, 320)), positions, LENS)
    sealer = Sealer(store, encode_record, privacy.OPEN, model="t", uniform=lambda: 0.5)
    with pytest.raises(type(error)):
        watch(Failing(frames, error), finder, sealer, ConsolePanel(said))
    assert len(store.waiting()) == 1
    assert "37.61" not in said.getvalue()  # an error of somebody else's could name a place
