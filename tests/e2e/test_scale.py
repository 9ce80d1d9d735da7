"""Many scanners and several workers, small: the large runs are benchmarks."""

import contextlib
import threading
from pathlib import Path

import numpy as np
import pytest

from scanner.core.fusing.vicinity import Report
from scanner.core.geometry import Origin
from scanner.hub import mapping
from scanner.hub.regions import AREA_E7, pieces
from scanner.hub.stores import open_store
from scanner.simulated import city
from tests.benchmarks import scale
from tests.helpers.maps import STORES, database

TOWN = city.Plan(cameras=120, passes=2, street_m=1500.0)  # 5 km: several areas have a part of it
ORIGIN = Origin(48.0, 11.5)


def town() -> list[Report]:
    rng = np.random.default_rng(1)
    seen = city.passes(rng, city.build(rng, TOWN, ORIGIN), TOWN)
    return [Report(number=n, record_id=f"{n:032x}", record=s.record) for n, s in enumerate(seen)]


def name(record_id: str, index: int) -> str:
    return f"{record_id}-{index}"


def areas(reports: list[Report]) -> set[tuple[int, int]]:
    firsts = [report.record.cameras[0] for report in reports]
    return {(first.lat_e7 // AREA_E7, first.lon_e7 // AREA_E7) for first in firsts}


def test_no_piece_is_wider_than_an_area_and_none_is_left_out() -> None:
    reports = town()
    found = list(pieces(reports))
    assert len(areas(reports)) > 1
    assert all(len(areas(piece)) == 1 for piece in found)
    assert sorted(r.number for piece in found for r in piece) == [r.number for r in reports]


@pytest.mark.parametrize("kind", STORES)
def test_fusers_side_by_side_in_one_town_make_the_map_of_one(tmp_path: Path, kind: str) -> None:
    reports = town()
    with database(kind, tmp_path) as url, contextlib.ExitStack() as opened:
        stores = [opened.enter_context(contextlib.closing(open_store(url))) for _ in range(3)]
        with stores[0].transaction():
            stores[0].add_reports([(r.record_id, r.record, "") for r in reports])

        def fuse(number: int) -> None:
            while stores[number].waiting(1):
                mapping.fuse_waiting(stores[number], name)

        fusers = [threading.Thread(target=fuse, args=(number,)) for number in range(3)]
        for fuser in fusers:
            fuser.start()
        for fuser in fusers:
            fuser.join(120)
        assert stores[0].size() > 100
        assert mapping.rebuild(stores[0], name) == []


@pytest.mark.parametrize("hold", [False, True], ids=["a line a record", "lines held"])
def test_every_record_of_many_scanners_is_kept_once(*, hold: bool) -> None:
    plan = scale.Plan(
        workers=2, scanners=40, each=2, cameras=60, towns=2, fuses=True, live=True, hold=hold
    )
    outcome = scale.run(plan)  # counts what is kept and what is put aside
    assert outcome.records == 80
    assert outcome.connected == 40 if hold else 80
    assert {"workers", "database"} <= set(outcome.cpu_us)
    assert outcome.ceiling > 0
