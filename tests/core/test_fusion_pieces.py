"""The map made piece by piece is the map made at once."""

import math
import random
from collections.abc import Iterable
from functools import partial

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.core.fusing.fusion import Box, Camera, fuse, patch
from scanner.core.fusing.vicinity import HALO_M, Report, box_of, cell_of, cells_near, middle_of
from scanner.core.reviewing.reviewlog import anchor_of
from scanner.core.wire import Record
from scanner.records import Kind
from tests.helpers.reports import ORIGIN, Place, entry, report

KINDS = (Kind.DOME, Kind.BULLET, Kind.PTZ)


def street(seed: int, *, length_m: float, passes: int, spacing_m: float = 12.0) -> list[Report]:
    """A street of cameras that chain from end to end, passed several times."""
    dice = random.Random(seed)
    count = int(length_m / spacing_m)
    places = [(spacing_m * i, dice.uniform(-4, 4)) for i in range(count)]
    kinds = [dice.choice(KINDS) for _ in places]
    reports = []
    for _ in range(passes):
        for start in range(0, count, 3):
            east, north = dice.gauss(0, 4), dice.gauss(0, 4)
            entries = [
                entry((x + east + dice.gauss(0, 0.7), y + north + dice.gauss(0, 0.7)), kind)
                for (x, y), kind in list(zip(places, kinds, strict=True))[start : start + 3]
                if dice.random() < 0.75
            ]
            if entries:
                reports.append(report(1000 * seed + len(reports), entries, common_m=4.0))
    return reports


class Kept:
    """A map as a hub keeps it: replaced piece by piece."""

    def __init__(self) -> None:
        self.reports: dict[int, Report] = {}
        self.cameras: set[Camera] = set()

    def take(self, fresh: list[Report], *, gone: Iterable[Report] = ()) -> None:
        self.reports |= {r.number: r for r in fresh}
        for r in gone:
            del self.reports[r.number]
        made = patch([*fresh, *gone], self.within, self.having)
        self.cameras = {c for c in self.cameras if made.marks.isdisjoint(map(anchor_of, c.members))}
        self.cameras |= set(made.cameras)

    def within(self, box: Box) -> list[Report]:
        west, south, east, north = box
        return [
            r
            for r in self.reports.values()
            if any(
                south <= e.lat_e7 / 1e7 <= north and west <= e.lon_e7 / 1e7 <= east
                for e in r.record.cameras
            )
        ]

    def having(self, numbers: Iterable[int]) -> list[Camera]:
        wanted = set(numbers)
        return [c for c in self.cameras if self.of(c) & wanted]

    @staticmethod
    def of(camera: Camera) -> set[int]:
        return {m.number for m in camera.members}


def same(cameras: Iterable[Camera], others: Iterable[Camera]) -> bool:
    return sorted(cameras, key=first) == sorted(others, key=first)


def first(camera: Camera) -> tuple[int, int]:
    return camera.members[0].number, camera.members[0].index


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_record_after_record_gives_what_all_at_once_gives(seed: int) -> None:
    reports = street(seed, length_m=1800, passes=2)
    random.Random(seed).shuffle(reports)
    kept = Kept()
    kept.take(reports[:-9])
    for start in range(len(reports) - 9, len(reports), 3):
        kept.take(reports[start : start + 5])
    assert same(kept.cameras, fuse(reports))


def test_a_record_that_no_longer_counts_leaves_no_trace() -> None:
    reports = street(4, length_m=1500, passes=2)
    kept = Kept()
    kept.take(reports)
    kept.take([], gone=reports[10:14])
    assert same(kept.cameras, fuse(reports[:10] + reports[14:]))


@pytest.mark.parametrize("bound", [True, False])
def test_what_reviewers_bind_together_is_made_anew_together_however_far_it_reaches(
    bound: bool,  # noqa: FBT001
) -> None:
    """They may merge camera after camera: its end is in no cell round the new record."""
    middle = middle_of(cell_of(report(1, [entry((0, 0))]).record))
    x, y = map(float, ORIGIN.enu_from_geodetic(middle.lat_deg, middle.lon_deg))
    one, other, fresh = (
        report(number, [entry((x + east_m, y))])
        for number, east_m in enumerate((0.0, 1250.0, 40.0), 1)
    )
    kept = Kept()
    kept.take([one, other, fresh])
    marks = [(r.record_id, 0) for r in (one, other)]
    merged = msgspec.structs.replace(
        fuse([one])[0], members=tuple(m for c in fuse([one, other]) for m in c.members)
    )
    made = patch(
        [fresh],
        kept.within,
        lambda _: [] if bound else [merged],
        lambda _: [marks] if bound else [],
    )
    assert made.marks == {(r.record_id, 0) for r in (one, other, fresh)}
    assert same(made.cameras, fuse([one, other, fresh]))


@pytest.mark.parametrize("seed", [5, 6])
def test_the_order_means_nothing_across_cells(seed: int) -> None:
    reports = street(seed, length_m=2000, passes=3)
    shuffled = random.Random(seed).sample(reports, len(reports))
    assert fuse(shuffled) == fuse(reports)


def test_every_sighting_is_of_one_camera_across_cells() -> None:
    reports = street(7, length_m=1500, passes=3, spacing_m=7.0)
    cameras = fuse(reports)
    members = [m for camera in cameras for m in camera.members]
    assert len(members) == len(set(members)) == sum(len(r.record.cameras) for r in reports)
    for camera in cameras:
        assert len(Kept.of(camera)) == len(camera.members)


def test_an_edge_between_cells_divides_no_camera() -> None:
    """Along 3 km there are four edges; at none are there more cameras than elsewhere."""
    reports = street(8, length_m=3000, passes=5, spacing_m=30.0)
    found = [c for c in fuse(reports) if c.reports > 1]
    assert len(found) == pytest.approx(100, abs=4)


def test_what_a_new_record_asks_for_does_not_grow_with_the_town() -> None:
    """Cameras chain through all of the street, but a patch looks at the same piece of it."""
    town = street(9, length_m=6000, passes=1)
    fresh = report(10**6, [entry((1500, 0))])
    asked: list[int] = []

    def within(box: Box, kept: Kept) -> list[Report]:
        asked.append(len(kept.within(box)))
        return kept.within(box)

    for share in (2, 1):
        kept = Kept()
        kept.reports = {r.number: r for r in town[: len(town) // share]}
        patch([fresh], partial(within, kept=kept), lambda _: ())
    assert asked[0] == asked[1] > 0
    assert asked[0] < len(town) / 2


@settings(max_examples=100, deadline=None)
@given(
    st.integers(-899_999_999, 899_999_999),
    st.integers(-1_799_999_999, 1_800_000_000),
    st.floats(0, 200),
    st.floats(0, 2 * math.pi),
)
def test_a_cell_knows_what_is_near_it(lat_e7: int, lon_e7: int, far_m: float, way: float) -> None:
    def at(lat: int, lon: int) -> Record:
        east = (lon + 1_800_000_000) % 3_600_000_000 - 1_800_000_000
        north = max(-900_000_000, min(900_000_000, lat))
        moved = entry((0, 0))
        changed = type(moved)(
            *[
                north if i == 1 else east if i == 2 else v
                for i, v in enumerate(
                    (
                        moved.kind,
                        0,
                        0,
                        moved.ee_cm2,
                        moved.en_cm2,
                        moved.nn_cm2,
                        moved.height_dm,
                        0,
                        0,
                    )
                )
            ]
        )
        return report(1, [changed]).record

    here = at(lat_e7, lon_e7)
    assert cell_of(here) in cells_near(here)
    scale = max(1e-3, math.cos(math.radians(lat_e7 / 1e7)))
    if abs(lat_e7) < 899_000_000 and scale > 0.02:
        there = at(
            lat_e7 + int(far_m * math.cos(way) / 0.1113),
            lon_e7 + int(far_m * math.sin(way) / 0.1113 / scale),
        )
        assert cell_of(there) in cells_near(here, 1.1 * far_m + 1)


def test_the_box_of_a_cell_holds_it_and_its_surroundings() -> None:
    record = report(1, [entry((0, 0))]).record
    cell = cell_of(record)
    west, south, east, north = box_of({cell})
    middle = middle_of(cell)
    assert south < middle.lat_deg < north
    assert west < middle.lon_deg < east
    height_m = (north - south) * 111_200
    assert height_m == pytest.approx(700 + 2 * HALO_M, rel=0.03)


def test_places_are_told_in_the_frame_they_were_given_in() -> None:
    place: Place = (812.0, -455.0)
    (camera,) = fuse([report(1, [entry(place)])])
    assert ORIGIN.enu_from_geodetic(camera.lat_deg, camera.lon_deg) == pytest.approx(place, abs=0.2)
