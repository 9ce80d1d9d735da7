"""Mixed-up glimpses of neighbouring cameras, sorted in hindsight."""

import numpy as np
import pytest

from scanner.core.tracks.bundle import Bundle
from scanner.core.tracks.labels import NOBODY, label_frames
from scanner.core.tracks.untangle import Answer, doubted, untangle
from scanner.records import Glimpse
from tests.benchmarks import tracking

PAIR = next(s for s in tracking.SCENES if s.name == "pair" and s.sway == "white" and s.rate == 4)


def test_glimpses_given_to_the_wrong_camera_are_found() -> None:
    """One in five on the wrong track."""
    rng = np.random.default_rng(4)
    mixed: list[list[Glimpse]] = [[], []]
    owner: dict[int, int] = {}
    for _, seen in tracking.walk(rng, PAIR):
        swap = rng.random() < 0.2
        for camera, glimpse in seen:
            owner[id(glimpse)] = camera
            mixed[camera ^ swap].append(glimpse)
    sorted_out = untangle(mixed)
    assert sorted(len({owner[id(g)] for g in track}) for track in sorted_out) == [1, 1]
    assert min(len(track) for track in sorted_out) >= 10


def test_a_track_too_many_goes() -> None:
    rng = np.random.default_rng(5)
    pieces: list[list[Glimpse]] = [[], [], []]
    for _, seen in tracking.walk(rng, PAIR):
        third = rng.random() < 0.2
        for camera, glimpse in seen:
            pieces[2 if third and camera else camera].append(glimpse)
    assert len(untangle(pieces)) == 2


@pytest.mark.parametrize("seed", range(4))
def test_at_most_one_switch_in_a_hundred_tracks(seed: int) -> None:
    result = tracking.measure(PAIR, 15, seed)
    assert result.switches <= 2  # one glimpse: to the other camera and back
    assert result.exact >= 14


@pytest.mark.parametrize("sway", ["walking", "slow", "white"])
def test_few_looks_mix_up_few_cameras(sway: str) -> None:
    """Two looks a second; a switch is mostly one glimpse, which counts twice."""
    scene = next(s for s in tracking.PAIR if s.sway == sway and s.rate == 2)
    result = tracking.measure(scene, 100, 2)
    assert result.switches <= 2
    assert result.exact >= 98


def test_what_two_answers_disagree_about_is_as_doubtful_as_they_are_alike() -> None:
    """The other answer calls the cameras 1 and 0, and gives the last glimpse to the other one."""
    answer = Answer(np.array([0, 1, 0, 1, NOBODY, 1]), np.full(6, 50.0), 100.0)
    other = Answer(np.array([1, 0, 1, 0, 0, 1]), np.full(6, 50.0), 107.0)
    assert doubted(answer, other).margins.tolist() == [50, 50, 50, 50, 50, 7]
    assert doubted(answer, Answer(other.labels, other.margins, np.inf)) == answer


def test_near_the_cameras_the_error_of_the_own_place_is_no_camera() -> None:
    """A fix that is a metre off turns what is 3 m away by 18 degrees, and what is far hardly."""
    rng = np.random.default_rng(3)
    glimpses = [g for _, seen in tracking.walk(rng, PAIR) for _, g in seen]
    bundle = Bundle([glimpses[::2], glimpses[1::2]])
    points = bundle.start()
    near, far = (bundle.shared2(points + [[0, north, 0, 0]] * 2)[0].max() for north in (0, 400))
    assert far == pytest.approx(bundle.sway2[0], rel=0.01)
    assert near > 1.5 * far


def test_a_frame_is_labelled_as_a_whole() -> None:
    """Both glimpses are nearer to camera 1; the shared sway says which is which."""
    off = np.array([[[3.0, 1.0], [5.0, 3.0]], np.zeros((2, 2))])  # seen less expected, degrees
    labels, margins, _ = label_frames(
        np.array([0, 0]), off, np.zeros((2, 2)), np.full(2, 0.1), np.full((2, 2), 4.0)
    )
    assert labels.tolist() == [0, 1]
    assert margins.min() > 10


def test_what_fits_no_camera_is_nobodys() -> None:
    off = np.full((2, 1, 2), 40.0)
    labels, _, _ = label_frames(
        np.array([0]), off, np.zeros((1, 2)), np.full(1, 0.1), np.full((2, 1), 4.0)
    )
    assert labels.tolist() == [NOBODY]
