import math
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.core import privacy
from scanner.core.places import SEEN_BITS, Seen, home_block
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


@given(st.floats(0.01, 2000.0))
def test_a_receiver_is_not_told_by_how_well_it_thinks_it_does(sigma_m: float) -> None:
    told_m = decided(sighting(common_sigma_m=sigma_m)).common_sigma_cm / 100
    assert told_m in privacy.COMMON_M
    if 1.2 <= sigma_m <= 100.0:
        assert 0.54 < told_m / sigma_m < 1.85, "far off, the hub would weigh the walk wrongly"


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


# --- delays -------------------------------------------------------------------------------------


def delays(policy: privacy.Policy, utc_s: float = NOON, count: int = 10_000) -> list[float]:
    """Days between find and due time."""
    uniform = random.Random(1).random
    return sorted(
        (privacy.due_s(policy, utc_s, uniform) - utc_s) / privacy.DAY_S for _ in range(count)
    )


def test_open_records_are_due_at_once() -> None:
    assert privacy.due_s(privacy.OPEN, NOON, random.Random(1).random) == 0


@pytest.mark.parametrize(
    ("policy", "least", "most"), [(privacy.CAREFUL, 0, 14), (privacy.HOSTILE, 14, 60)]
)
@pytest.mark.parametrize("second", [0, 40_000, 86_399])
def test_delays_keep_their_bounds_at_any_time_of_day(
    policy: privacy.Policy, least: float, most: float, second: int
) -> None:
    days = delays(policy, NOON // 86400 * 86400 + second, 5000)
    assert least <= days[0]
    assert days[-1] <= most


def test_the_extremes_of_chance_stay_within_bounds() -> None:
    for policy in (privacy.CAREFUL, privacy.HOSTILE):
        for u in (0.0, 1 - 2**-53):
            days = (privacy.due_s(policy, NOON, lambda u=u: u) - NOON) / privacy.DAY_S
            assert policy.delay.least_days <= days <= policy.delay.most_days


def test_careful_delays_are_exponential_without_a_heap_at_the_end() -> None:
    """Times between midnight and sending: mean of an exponential of 5 days cut at 13."""
    midnight = NOON // 86400 * 86400 + 86399
    days = delays(privacy.CAREFUL, midnight)
    expected = 5 - 13 / (math.exp(13 / 5) - 1)
    assert sum(days) / len(days) == pytest.approx(expected, rel=0.03)
    in_last_day = sum(d > days[-1] - 1 for d in days) / len(days)
    assert in_last_day < 0.03


def test_hostile_delays_are_uniform() -> None:
    days = delays(privacy.HOSTILE)
    counts = [sum(low <= d < low + 9 for d in days) for low in range(15, 51, 9)]
    assert max(counts) < 1.1 * min(counts)


def test_due_times_tell_the_day_of_a_walk_but_not_the_hour() -> None:
    start = NOON // 86400 * 86400
    morning, evening = (
        [privacy.due_s(privacy.CAREFUL, start + at_s, lambda u=u: u / 50) for u in range(50)]
        for at_s in (8 * 3600, 20 * 3600)
    )
    assert morning == evening


# --- what is withheld ---------------------------------------------------------------------------


def seen_with(*places: Sighting) -> Seen:
    seen = Seen(b"secret", bytes(SEEN_BITS // 8))
    for place in places:
        seen.add(place.lat_deg, place.lon_deg)
    seen.settle()
    return seen


def test_a_camera_is_reported_once() -> None:
    assert privacy.decide(
        [sighting()], privacy.CAREFUL, utc_s=NOON, model="", seen=seen_with(sighting())
    ) == Withheld(reason=privacy.REPORTED)


def test_of_a_known_site_only_the_new_camera_is_reported() -> None:
    far = sighting(lat_deg=55.7522800)  # 29 m north
    record = privacy.decide(
        [sighting(), far], privacy.CAREFUL, utc_s=NOON, model="", seen=seen_with(sighting())
    )
    assert isinstance(record, Record)
    assert [e.lat_e7 for e in record.cameras] == [557522800]


def test_nothing_leaves_the_home_block() -> None:
    home = home_block(55.7520, 37.6175, salt=b"salt", uniform=0.3)
    for policy, held in ((privacy.OPEN, False), (privacy.CAREFUL, True), (privacy.HOSTILE, True)):
        outcome = privacy.decide([sighting()], policy, utc_s=NOON, model="", home=home)
        assert (outcome == Withheld(reason=privacy.HOME)) == held


@pytest.mark.parametrize(("since_s", "held"), [(0, True), (599, True), (600, False), (1e6, False)])
def test_hostile_holds_back_the_first_ten_minutes(since_s: float, held: bool) -> None:  # noqa: FBT001
    outcome = privacy.decide(
        [sighting()], privacy.HOSTILE, utc_s=NOON, model="", since_start_s=since_s
    )
    assert (outcome == Withheld(reason=privacy.FIRST_MINUTES)) == held
    assert isinstance(
        privacy.decide([sighting()], privacy.CAREFUL, utc_s=NOON, model="", since_start_s=since_s),
        Record,
    )


def test_hostile_drops_a_third_for_good() -> None:
    draw = random.Random(2).random
    outcomes = [
        privacy.decide([sighting()], privacy.HOSTILE, utc_s=NOON, model="", chance=draw())
        for _ in range(6000)
    ]
    dropped = [o for o in outcomes if o == Withheld(reason=privacy.DROPPED)]
    assert len(dropped) / len(outcomes) == pytest.approx(1 / 3, abs=0.02)
    assert all(privacy.settles(o) for o in outcomes)


@pytest.mark.parametrize("reason", [privacy.HOME, privacy.REPORTED, privacy.FIRST_MINUTES])
def test_what_was_withheld_otherwise_may_be_reported_later(reason: str) -> None:
    assert not privacy.settles(Withheld(reason=reason))


@pytest.mark.parametrize(
    ("policy", "days"), [(privacy.OPEN, 1), (privacy.CAREFUL, 7), (privacy.HOSTILE, 28)]
)
def test_records_tell_the_bucket_of_their_policy(policy: privacy.Policy, days: int) -> None:
    start = NOON // (days * 86400) * days * 86400
    first, last = (
        privacy.decide([sighting()], policy, utc_s=at_s, model="")
        for at_s in (start, start + days * 86400 - 1)
    )
    assert first == last
    assert isinstance(first, Record)
    assert (first.bucket_days, first.bucket) == (days, int(start) // 86400 // days)


def test_a_cohort_token_is_carried() -> None:
    record = privacy.decide([sighting()], privacy.CAREFUL, utc_s=NOON, model="")
    assert isinstance(record, Record)
    record = msgspec.structs.replace(record, cohort=b"t" * 512)
    assert decode_record(encode_record(record)).cohort == b"t" * 512


def test_every_policy_says_in_words_what_it_does() -> None:
    words = {name: " ".join(privacy.in_words(p)) for name, p in privacy.PROFILES.items()}
    assert "at once" in words["open"]
    assert "home" not in words["open"]
    for word in ("week", "91 days", "14 days", "home"):
        assert word in words["careful"], word
    for word in ("four weeks", "14 to 60 days", "10 minutes", "33%", "home"):
        assert word in words["hostile"], word


@pytest.mark.parametrize("policy", [privacy.CAREFUL, privacy.HOSTILE])
def test_the_time_told_is_moved_with_the_delay_and_right_on_average(
    policy: privacy.Policy,
) -> None:
    draw = random.Random(4).random
    off_days = []
    for _ in range(3000):
        utc_s = NOON + draw() * 364 * privacy.DAY_S
        due = privacy.due_s(policy, utc_s, draw)
        record = privacy.decide([sighting()], policy, utc_s=utc_s, model="", due_s=due)
        assert isinstance(record, Record)
        middle = (record.bucket + 0.5) * policy.bucket_days
        off_days.append(middle - utc_s / privacy.DAY_S)
    assert abs(sum(off_days) / len(off_days)) < 0.03 * policy.bucket_days
    assert max(off_days) - min(off_days) > 1.5 * policy.bucket_days
