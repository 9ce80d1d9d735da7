"""The one door out: a site and a policy -> a record ready to seal, or the reason to withhold it.

A policy is data; three are built in. Nothing here reads a clock, draws at random or keeps anything:
time, chance and what the device remembers are handed in.
"""

import bisect
import math
from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec

from scanner.core.places import Home, Seen
from scanner.core.wire import KIND_CODES, CameraEntry, Record
from scanner.records import Sighting, Withheld

DAY_S: Final = 86_400
QUARTER_DAYS: Final = 91  # thirteen weeks, the same ones for every device
VIEW_BANDS: Final = (4, 8, 16, 32)  # lower ends of bands 1 to 4
SCORE_BANDS: Final = (0.4, 0.55, 0.7, 0.85)
COMMON_M: Final = (2.0, 6.0, 20.0, 60.0, 600.0)  # a record's own error
CM_MAX: Final = 65_535
# So long without a frame is a stay: the walk has ended. Less is a wrong press that is mended, or a
# lens that comes back; within a minute nobody comes home and leaves again.
STAY_S: Final = 60.0
STILL_S: Final = 180.0  # without a fix or a step: longer than a light is red
EARLIEST_UTC_S: Final = 1_735_689_600  # 2025: a clock before it was never set

NO_TIME: Final = "no time from GNSS"
FIRST_MINUTES: Final = "first minutes of the walk"
LAST_MINUTES: Final = "last minutes of the walk"
HOME: Final = "home block"
REPORTED: Final = "reported already"
DROPPED: Final = "dropped at random"
REASONS: Final = {
    NO_TIME: "the receiver gave no time, so a record could not say its day",
    FIRST_MINUTES: "found in the first minutes of a walk, which often start at home",
    LAST_MINUTES: "found in the last minutes of a walk, which often end at home",
    HOME: "in the block around your home, or in one of the others that hide which it is",
    REPORTED: "reported before in this period, or taken for one that was",
    DROPPED: "a random share is never reported",
}


class Delay(msgspec.Struct, frozen=True, kw_only=True):
    """How long after the end of its day a record waits: a draw between two bounds.

    With ``scale_days`` the draw is exponential with that mean before it is cut at the bounds, and
    drawn again beyond them, so that no record waits for exactly the longest time; without, it is
    uniform. ``least_days`` to ``most_days`` hold from the moment of the find.
    """

    least_days: float = 0.0
    most_days: float = 0.0
    scale_days: float | None = None

    @property
    def mean_days(self) -> float:
        """Mean time from find to sending, the find at any time of its day."""
        low, high = self.least_days, self.most_days - 1
        if self.scale_days is None:
            return 0.5 + (low + high) / 2
        reach = (high - low) / self.scale_days
        return 0.5 + low + self.scale_days - (high - low) / math.expm1(reach)

    def draw_s(self, uniform: float) -> float:
        """Seconds after the end of the day, by inverting the distribution at ``uniform``."""
        # The find was at most one day before the end of its day.
        low, high = self.least_days, self.most_days - 1
        if self.scale_days is None:
            return (low + uniform * (high - low)) * DAY_S
        reach = 1 - math.exp((low - high) / self.scale_days)
        return (low - self.scale_days * math.log1p(-uniform * reach)) * DAY_S


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a profile allows to leave, and when."""

    bucket_days: Literal[1, 7, 28]
    delay: Delay
    once_days: int  # each camera is reported once in so many days
    filling: float = 0.0  # share of the memory's filter that is set at random from the start
    dropped: float = 0.0  # share of the sites that are never reported
    home: bool = False  # whether finds in the home block are kept back
    quiet_s: float = 0.0  # at both ends of a walk


OPEN: Final = Policy(bucket_days=1, delay=Delay(), once_days=1)
CAREFUL: Final = Policy(
    bucket_days=7,
    delay=Delay(most_days=14, scale_days=5),
    once_days=QUARTER_DAYS,
    filling=0.006,
    home=True,
)
HOSTILE: Final = Policy(
    bucket_days=28,
    delay=Delay(least_days=14, most_days=60),
    once_days=QUARTER_DAYS,
    filling=0.006,
    dropped=1 / 3,
    home=True,
    quiet_s=600.0,
)
PROFILES: Final = {"open": OPEN, "careful": CAREFUL, "hostile": HOSTILE}


def decide(
    site: Sequence[Sighting],
    policy: Policy,
    *,
    utc_s: float | None,
    model: str,
    due_s: int = 0,
    seen: Seen | None = None,
    home: Home | None = None,
    since_start_s: float = math.inf,
    chance: float = 1.0,
) -> Record | Withheld:
    """The record of a site of 1 to 8 sightings, or why it stays here.

    ``utc_s`` is GNSS time of the last view, seconds since 1970; ``model`` the detector's version;
    ``due_s`` when the record may be sent, as ``due_s`` drew it, 0 without delay;
    ``seen`` what was reported in this period and ``home`` the home block, None where there is none;
    ``since_start_s`` how long after the start of the walk the site was first seen; ``chance`` drawn
    uniformly from [0, 1) for this site.

    Of a site of which some cameras were reported before, the others are: what leaks is the place
    that is reported again and again. Neither the scanner's position nor any time finer than the
    policy's bucket enters the record.
    """
    if utc_s is None or utc_s < EARLIEST_UTC_S:
        return Withheld(reason=NO_TIME)
    if since_start_s < policy.quiet_s:
        return Withheld(reason=FIRST_MINUTES)
    if policy.home and home and any(home.covers(s.lat_deg, s.lon_deg) for s in site):
        return Withheld(reason=HOME)
    new = [s for s in site if not (seen and seen.has(s.lat_deg, s.lon_deg))]
    if not new:
        return Withheld(reason=REPORTED)
    if chance < policy.dropped:
        return Withheld(reason=DROPPED)
    return Record(
        bucket_days=policy.bucket_days,
        bucket=int(_stamp_s(policy, utc_s, due_s) // DAY_S) // policy.bucket_days,
        common_sigma_cm=_cm(_common_m(max(s.common_sigma_m for s in new))),
        model=model,
        # Sorted by place: the order in which they were passed would tell the way walked.
        cameras=tuple(sorted((_entry(s) for s in new), key=lambda e: (e.lat_e7, e.lon_e7, e.kind))),
    )


def _common_m(sigma_m: float) -> float:
    """The nearest of few values: to the centimetre it would tell a receiver and its walks.

    Not rounded up, which would weigh good walks too little where the hub compares them.
    """
    sigma_m = min(max(sigma_m, COMMON_M[0]), COMMON_M[-1])
    return min(COMMON_M, key=lambda band: abs(math.log(sigma_m / band)))


def settles(outcome: Record | Withheld) -> bool:
    """Whether the cameras of a site count as reported from now on.

    Those dropped at random do: drawn again at every pass, all would be reported in the end, and a
    place remembered would be a place reported.
    """
    return isinstance(outcome, Record) or outcome.reason == DROPPED


def due_s(policy: Policy, utc_s: float, uniform: Callable[[], float]) -> int:
    """When a record may be sent, seconds since 1970; 0: at once. ``uniform`` draws from [0, 1).

    Counted from the end of the day of the find, UTC: neither the times on a seized card nor those
    of arrival then narrow down the hour of a walk.
    """
    if not policy.delay.most_days:
        return 0
    day_end = (utc_s // DAY_S + 1) * DAY_S
    return int(day_end + policy.delay.draw_s(uniform()))


def _stamp_s(policy: Policy, utc_s: float, due_s: int) -> float:
    """The time that a record tells: that of the find, off by as much as its delay is off the mean.

    The true week would hold the records of a walk together that the delays take apart: with it
    the attack of ``tests/attack`` finds same-walk pairs with F1 0.14, without it 0.08.
    """
    return due_s - policy.delay.mean_days * DAY_S if due_s else utc_s


def in_words(policy: Policy) -> tuple[str, ...]:
    """What leaves under a policy, and what stays, one sentence each."""
    span = {1: "day", 7: "week", 28: "four weeks"}[policy.bucket_days]
    often = "a day" if policy.once_days == 1 else f"in {policy.once_days} days"
    delay, quiet_min = policy.delay, policy.quiet_s / 60
    lines = [
        "leaves: each camera's place, kind and height; never yours, a picture or a name",
        f"the time in a record is the {span}",
        f"each camera is reported once {often}",
    ]
    if delay.most_days:
        spread = "" if delay.scale_days is None else f", most within {2 * delay.scale_days:g}"
        least = f"{delay.least_days:g} to " if delay.least_days else "at most "
        lines.append(f"a record waits {least}{delay.most_days:g} days{spread}, each on its own")
    else:
        lines.append("a record is sent at once: whoever sees it arrive knows when you walked")
    if policy.home:
        lines.append("nothing is reported from the block around your home (`scanner home set`)")
    if policy.quiet_s:
        lines.append(f"nothing is reported from the first and last {quiet_min:g} minutes")
    if policy.dropped:
        lines.append(f"{policy.dropped:.0%} of the sites are dropped at random")
    return tuple(lines)


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
