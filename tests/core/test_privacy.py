import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.core import privacy
from scanner.core.wire import PLAIN_BYTES, Record, decode_record, encode_record
from scanner.records import Covariance, Kind, Sighting, Withheld

NOON = 1_780_000_000.0


def sighting(**changes: object) -> Sighting:
    plain = Sighting(
        kind=Kind.PTZ,
        score=0.8,
        lat_deg=55.7520123,
        lon_deg=37.6175321,
        relative=Covariance(1.0, 0.2, 1.5),
        common_sigma_m=2.0,
        height_m=4.2,
        frames=(3, 4, 5, 9, 10, 11, 15, 22, 30),
        at_ns=12345,
    )
    return msgspec.structs.replace(plain, **changes)


def decided(*site: Sighting, utc_s: float = NOON) -> Record:
    record = privacy.decide(site, privacy.OPEN, utc_s=utc_s, model="abc")
    assert isinstance(record, Record)
    return record


def test_a_record_says_where_the_camera_is_and_which_day_it_was() -> None:
    record = decided(sighting())
    (entry,) = record.cameras
    assert (entry.lat_e7, entry.lon_e7) == (557520123, 376175321)
    assert (record.bucket_days, record.bucket) == (1, int(NOON // 86400))
    assert record.common_sigma_cm == 200
    assert (entry.ee_cm2, entry.nn_cm2, entry.height_dm) == (10000, 15000, 42)
    assert (entry.views_band, entry.score_band) == (2, 3)


@pytest.mark.parametrize("second", [0, 1, 3600, 86399])
def test_all_times_of_a_day_give_the_same_record(second: int) -> None:
    start = NOON // 86400 * 86400
    assert decided(sighting(), utc_s=start + second) == decided(sighting(), utc_s=start)


@pytest.mark.parametrize("utc_s", [None, 0.0, 86400.0 * 365])
def test_without_gnss_time_nothing_leaves(utc_s: float | None) -> None:
    assert privacy.decide([sighting()], privacy.OPEN, utc_s=utc_s, model="") == Withheld(
        reason="no time from GNSS"
    )


@given(st.randoms())
def test_the_order_of_the_walk_is_not_in_the_record(shuffler: random.Random) -> None:
    site = [sighting(lat_deg=55.75 + n * 1e-5, lon_deg=37.6 - n * 2e-5) for n in range(5)]
    shuffled = list(site)
    shuffler.shuffle(shuffled)
    assert decided(*shuffled) == decided(*site)


@pytest.mark.parametrize("changes", [{"at_ns": 987654321}, {"frames": tuple(range(70, 79))}])
def test_nothing_of_the_walk_itself_is_in_the_record(changes: dict[str, object]) -> None:
    assert decided(sighting(**changes)) == decided(sighting())


@given(
    st.floats(1e-3, 200),
    st.floats(1e-3, 200),
    st.floats(-0.999, 0.999),
)
def test_every_covariance_survives_the_wire(ee: float, nn: float, r: float) -> None:
    relative = Covariance(ee, r * (ee * nn) ** 0.5, nn)
    record = decided(sighting(relative=relative))
    plain = encode_record(record)
    assert len(plain) == PLAIN_BYTES
    assert decode_record(plain) == record


def test_open_records_are_due_at_once() -> None:
    assert privacy.due_s(privacy.OPEN, NOON, random.Random(1).random) == 0


def test_a_policy_with_delay_draws_from_the_source_given() -> None:
    policy = privacy.Policy(bucket_days=7, max_delay_s=1000)
    assert privacy.due_s(policy, NOON, lambda: 0.5) == int(NOON) + 500
