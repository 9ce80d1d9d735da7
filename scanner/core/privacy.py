"""The one door out: a site and a policy -> a record ready to seal, or the reason to withhold it.

A policy is data. ``open`` is the only one built; ``careful`` and ``hostile`` add a delay, a home
block, quiet minutes and once-a-quarter reports behind the same two functions.
"""

import bisect
from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec

from scanner.core.wire import KIND_CODES, CameraEntry, Record
from scanner.records import Sighting, Withheld

DAY_S: Final = 86_400
VIEW_BANDS: Final = (4, 8, 16, 32)  # lower ends of bands 1 to 4
SCORE_BANDS: Final = (0.4, 0.55, 0.7, 0.85)
CM_MAX: Final = 65_535
EARLIEST_UTC_S: Final = 1_735_689_600  # 2025: a clock before it was never set


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a profile allows to leave, and when."""

    bucket_days: Literal[1, 7, 28]
    max_delay_s: float  # a record is sent at an even chance anywhere within it


OPEN: Final = Policy(bucket_days=1, max_delay_s=0.0)
PROFILES: Final = {"open": OPEN}


def decide(
    site: Sequence[Sighting], policy: Policy, *, utc_s: float | None, model: str
) -> Record | Withheld:
    """The record of a site of 1 to 8 sightings, or why it stays here.

    ``utc_s`` is GNSS time of the last view, seconds since 1970; ``model`` the detector's version.
    Neither the scanner's position nor any time finer than the policy's bucket enters the record.
    """
    if utc_s is None or utc_s < EARLIEST_UTC_S:
        return Withheld(reason="no time from GNSS")
    return Record(
        bucket_days=policy.bucket_days,
        bucket=int(utc_s // DAY_S) // policy.bucket_days,
        common_sigma_cm=_cm(max(s.common_sigma_m for s in site)),
        model=model,
        # Sorted by place: the order in which they were passed would tell the way walked.
        cameras=tuple(
            sorted((_entry(s) for s in site), key=lambda e: (e.lat_e7, e.lon_e7, e.kind))
        ),
    )


def due_s(policy: Policy, now_s: float, uniform: Callable[[], float]) -> int:
    """When a record may be sent, seconds since 1970; 0: at once.

    ``uniform`` draws from [0, 1).
    """
    return int(now_s + uniform() * policy.max_delay_s) if policy.max_delay_s else 0


def _entry(sighting: Sighting) -> CameraEntry:
    return CameraEntry(
        kind=KIND_CODES.index(sighting.kind),
        lat_e7=round(sighting.lat_deg * 1e7),
        lon_e7=round(sighting.lon_deg * 1e7),
        ee_cm2=max(1, round(sighting.relative.ee * 1e4)),
        en_cm2=_towards_zero(sighting.relative.en * 1e4),
        nn_cm2=max(1, round(sighting.relative.nn * 1e4)),
        height_dm=None if sighting.height_m is None else max(0, round(sighting.height_m * 10)),
        views_band=bisect.bisect_right(VIEW_BANDS, sighting.views),
        score_band=bisect.bisect_right(SCORE_BANDS, sighting.score),
    )


def _towards_zero(value: float) -> int:
    """Rounded so that the covariance stays positive when its diagonal is rounded too."""
    return int(value * 0.999)


def _cm(value_m: float) -> int:
    return min(CM_MAX, max(0, round(value_m * 100)))
