"""What a finder believes."""

from msgspec.structs import replace

from scanner.frame import Pixels
from scanner.looking import Watcher
from scanner.pipeline import Finder, find_all
from scanner.records import Detection, Kind, NotLocated
from scanner.replay.standins import ScriptedDetector, ScriptedFrames, ScriptedPositions
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
