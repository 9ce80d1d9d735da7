import msgspec
import pytest

from scanner.core.geometry import Origin
from scanner.core.sites import group, join
from scanner.records import Covariance, Kind, Sighting

ORIGIN = Origin(55.752, 37.6175)


def sighting(
    east_m: float, north_m: float, frames: tuple[int, int], kind: Kind = Kind.DOME
) -> Sighting:
    lat, lon = ORIGIN.geodetic_from_enu(east_m, north_m)
    return Sighting(
        kind=kind,
        score=0.8,
        lat_deg=lat,
        lon_deg=lon,
        relative=Covariance(1.0, 0.2, 1.5),
        common_sigma_m=2.0,
        height_m=4.0,
        frames=tuple(range(frames[0], frames[1] + 1)),
        at_ns=frames[1] * 10**9,
    )


def test_a_camera_seen_lost_and_seen_again_is_one() -> None:
    (one,) = join([sighting(0, 0, (0, 9)), sighting(1.0, 1.0, (15, 30))])
    assert one.views == 10 + 16
    assert (one.first_frame, one.last_frame) == (0, 30)
    assert one.relative.ee < 1.0
    assert ORIGIN.enu_from_geodetic(one.lat_deg, one.lon_deg) == pytest.approx((0.5, 0.5), abs=0.01)


@pytest.mark.parametrize(
    "other",
    [
        sighting(1.0, 1.0, (5, 30)),  # seen in the same frames
        sighting(1.0, 1.0, (15, 30), Kind.BULLET),
        sighting(7.0, 1.0, (15, 30)),  # too far for its error
    ],
    ids=["together", "other kind", "far"],
)
def test_different_cameras_stay_apart(other: Sighting) -> None:
    assert len(join([sighting(0, 0, (0, 9)), other])) == 2


def test_a_site_is_25_m_wide_at_most_and_holds_8_at_most() -> None:
    chain = [sighting(x, 0, (x, x)) for x in (0, 10, 24, 26, 60)]
    assert [len(site) for site in group(chain)] == [2, 2, 1]
    sizes = [len(s) for s in group([sighting(0, 0, (n, n)) for n in range(10)])]
    assert sum(sizes) == 10
    assert max(sizes) <= 8


def test_neighbours_share_a_site() -> None:
    """A chain that is too long for one site is cut at its widest gap."""
    chain = [sighting(x, 0, (x, x)) for x in (0, 10, 19, 21, 30)]
    assert [len(site) for site in group(chain)] == [1, 4]


def test_no_sighting_gets_lost_in_grouping() -> None:
    many = [sighting(x * 7.3 % 90, x * 3.1 % 60, (x, x)) for x in range(40)]
    assert sorted(s.first_frame for site in group(many) for s in site) == list(range(40))


def test_fusing_keeps_the_surer_kind() -> None:
    first = msgspec.structs.replace(sighting(0, 0, (0, 3), Kind.UNKNOWN), score=0.5)
    (one,) = join([first, sighting(0.5, 0, (10, 30), Kind.PTZ)])
    assert one.kind == Kind.PTZ


def test_two_tracks_that_take_turns_are_one_camera() -> None:
    """A track that was lost and one that took over share no frame, though their times overlap."""
    first = msgspec.structs.replace(sighting(0, 0, (0, 9)), frames=(0, 1, 2, 3, 5, 9))
    second = msgspec.structs.replace(sighting(1, 0, (4, 20)), frames=(4, 6, 7, 8, 12, 20))
    assert len(join([first, second])) == 1
