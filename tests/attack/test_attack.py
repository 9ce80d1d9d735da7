"""An opponent with the hub's key tries to follow walks and to find homes, on every run.

Two towns to learn in and three to be judged in; ``make privacy`` takes more. Each rule of
``careful`` is taken away in turn: then the same attack must succeed.
"""

from functools import lru_cache

import numpy as np
import pytest

from scanner.simulated.volunteers import Town, live
from tests.attack import homes
from tests.attack.designs import DESIGNS, GOALS, ORIGIN
from tests.attack.homes import Scene
from tests.attack.linkage import Score, link, score
from tests.attack.table import Table, table

TOWN = Town()
LEARNED, TOWNS = 2, 5


@lru_cache(maxsize=1)
def months() -> list[homes.Month]:
    return [live(np.random.default_rng(seed), TOWN, ORIGIN) for seed in range(TOWNS)]


@lru_cache(maxsize=4)
def tables(name: str) -> list[Table]:
    rng = np.random.default_rng(7)
    return [table(month, DESIGNS[name], rng) for month in months()]


@lru_cache(maxsize=4)
def linked(name: str) -> dict[str, Score]:
    return link(tables(name)[:LEARNED], tables(name)[LEARNED:])


@lru_cache(maxsize=4)
def homes_found(name: str) -> float:
    scenes = [Scene(TOWN, m, t) for m, t in zip(months(), tables(name), strict=True)]
    return homes.found(scenes[:LEARNED], scenes[LEARNED:])


def near_own_home(name: str) -> float:
    """Records of a device within 200 m of its home, mean per device."""
    return float(
        np.mean(
            [
                (np.hypot(*(t.place_m - month.homes_m[t.device]).T) < homes.NEAR_M).sum()
                / len(month.homes_m)
                for month, t in zip(months(), tables(name), strict=True)
            ]
        )
    )


def repeats(name: str) -> float:
    """Pairs of records of one device within 12 m of each other, per record."""
    found, records = 0, 0
    for t in tables(name):
        for device in np.unique(t.device):
            places = t.place_m[t.device == device]
            apart = np.hypot(*(places[:, None] - places).T)
            found += int((apart < 12).sum() - len(places)) // 2
            records += len(places)
    return found / records


def test_careful_walks_cannot_be_followed() -> None:
    found = linked("careful")
    assert found["walk"].f1 <= GOALS["walk"], found
    assert found["device"].f1 <= GOALS["device"], found


def test_careful_homes_are_not_found() -> None:
    assert homes_found("careful") <= GOALS["home"]


def test_careful_reports_no_camera_again_and_again() -> None:
    assert repeats("careful") < 0.02


def test_without_the_delay_each_walk_is_one_burst() -> None:
    found = linked("careful, all sent at the walk's end")
    assert found["walk"].f1 > 3 * GOALS["walk"], found
    assert found["device"].f1 > GOALS["device"], found


def test_without_the_once_rule_cameras_are_reported_again_and_again() -> None:
    assert repeats("careful, cameras reported again each day") > 0.1


def test_without_once_rule_and_home_block_homes_are_warm_spots() -> None:
    """The two stand in for each other: each alone hides homes to about the goal."""
    assert homes_found("careful, again each day and no home told") > GOALS["home"]


def test_without_the_home_block_the_doorstep_is_reported() -> None:
    assert near_own_home("careful, no home told") > 4 * near_own_home("careful")


@pytest.mark.parametrize(
    ("claimed", "true", "f1"),
    [
        ([0, 0, 1, 1], [5, 5, 6, 6], 1.0),
        ([0, 1, 2, 3], [5, 5, 6, 6], 0.0),
        ([0] * 4, [1, 1, 2, 2], 0.5),
    ],
)
def test_pairs_are_scored_as_they_should(claimed: list[int], true: list[int], f1: float) -> None:
    assert score(np.array(claimed), np.array(true)).f1 == pytest.approx(f1)
