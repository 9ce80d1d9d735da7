"""Fixes of a receiver on the boot clock -> the position at any time around them.

Three clocks meet here. A fix arrives at some time of the boot clock, late by a delay that varies;
it carries GNSS time, which is exact but may step by years while the receiver starts; the system's
wall clock is never asked. The least delay seen lately ties GNSS time to the boot clock.
"""

import bisect
import math
from collections import deque
from typing import Final

import msgspec

from scanner.core.geometry import MIN_COURSE_SPEED_MPS, Origin, distance_m, wrap_deg
from scanner.core.locate import GNSS_CORRELATION_S
from scanner.records import Position

NS: Final = 1_000_000_000
MAX_GAP_S: Final = 5.0  # between two fixes; a longer hole gives no position
MAX_AHEAD_S: Final = 1.5  # past the newest fix of a live receiver
MAX_SPEED_MPS: Final = 60.0  # a step faster than this is a jump of the receiver
MAX_UTC_S: Final = 1e11  # in the year 5138; more is no number of nanoseconds
MAX_STEP_S: Final = 2.0  # by which GNSS time and arrival may disagree from fix to fix
SAME_EPOCH_S: Final = 0.03  # fixes closer than this are of one measurement; receivers do 25 Hz
COURSE_BASE_S: Final = 6.0  # without Doppler, course is taken over so long a stretch
COURSE_NOISE_M: Final = 0.5  # of the difference between two fixes, at least
DOPPLER_NOISE_MPS: Final = 0.07  # data sheets promise 0.05 m/s for half of all fixes
MIN_COURSE_SIGMA_DEG: Final = 3.0
AHEAD_NOISE_MPS: Final = 1.0  # how wrong a velocity is once the walker may have turned or stopped
RESETTLE_FIXES: Final = 3  # that agree with each other outvote the track so far,
RESETTLE_S: Final = 2.0  # if they span so long
DELAYS_KEPT: Final = 32
FIXES_KEPT: Final = 256


class Fix(msgspec.Struct, frozen=True, kw_only=True):
    """One fix of a receiver."""

    at_ns: int = 0  # boot clock, when it arrived
    utc_s: float | None = None  # seconds since 1970 by GNSS
    lat_deg: float
    lon_deg: float
    sigma_m: float | None = None  # 1 sigma per axis
    speed_mps: float | None = None
    course_deg: float | None = None


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver says that it has no fix."""

    at_ns: int = 0
    utc_s: float | None = None  # of a fix told before that this takes back, if any


class FixRing:
    """The newest ``keep`` fixes of a receiver, or all of a recording (``keep`` None).

    ``sigma_m`` stands in where a fix has none. ``ahead_s`` is how far positions reach past the
    newest fix. Wall times before ``utc_from_s`` or from ``utc_until_s`` on are not passed on: no
    receiver lives there.
    """

    def __init__(
        self,
        *,
        sigma_m: float,
        keep: int | None = FIXES_KEPT,
        ahead_s: float = MAX_AHEAD_S,
        utc_from_s: float = 0.0,
        utc_until_s: float = math.inf,
    ) -> None:
        self._sigma_m = sigma_m
        self._keep = keep
        self._ahead_s = ahead_s
        self._utc_from_s, self._utc_until_s = utc_from_s, utc_until_s
        self._fixes: list[Fix] = []  # their times rise
        self._delays: deque[int] = deque(maxlen=DELAYS_KEPT)  # arrival - GNSS time, newest last
        self._aside: list[Fix] = []  # do not fit the track, but may be right
        self._lost = False

    def __len__(self) -> int:
        return len(self._fixes)

    @property
    def newest(self) -> Fix | None:
        """The last fix taken."""
        return self._fixes[-1] if self._fixes else None

    def add(self, fix: Fix | Lost) -> None:
        """Take a fix as it arrives, or the news that there is none; ``at_ns`` never falls.

        Out of order, impossible or jumping fixes are left out; of several for one moment the last
        counts. When the receiver insists on another place or time, it is believed.
        """
        if isinstance(fix, Lost):
            self._lose(fix)
        elif _is_possible(fix):
            if self._steps_in_time(fix) or self._jumps(self._on_boot_clock(fix)):
                self._put_aside(fix)
            else:
                self._aside.clear()
                self._accept(fix)

    def _lose(self, lost: Lost) -> None:
        newest = self.newest
        if newest and lost.utc_s is not None and lost.utc_s == newest.utc_s:
            self._fixes.pop()
        self._lost = True

    def _steps_in_time(self, fix: Fix) -> bool:
        if fix.utc_s is None or not self._delays:
            return False
        return abs(_delay_ns(fix) - self._delays[-1]) > MAX_STEP_S * NS

    def _on_boot_clock(self, fix: Fix) -> Fix:
        """The fix at the time it was measured, as far as the least delay tells."""
        if fix.utc_s is None:
            return fix
        delay = min([*self._delays, _delay_ns(fix)])
        return msgspec.structs.replace(fix, at_ns=round(fix.utc_s * NS) + delay)

    def _jumps(self, fix: Fix) -> bool:
        until_ns = fix.at_ns - round(SAME_EPOCH_S * NS)
        before = bisect.bisect_right(self._fixes, until_ns, key=lambda f: f.at_ns)
        return before > 0 and _is_jump(self._fixes[before - 1], fix)

    def _put_aside(self, fix: Fix) -> None:
        if self._aside and not _agree(self._aside[-1], fix):
            self._aside.clear()
        self._aside.append(fix)
        span_ns = fix.at_ns - self._aside[0].at_ns
        if len(self._aside) >= RESETTLE_FIXES and span_ns >= RESETTLE_S * NS:
            self._delays.clear()
            while self._aside:
                self._accept(self._aside.pop(0))

    def _accept(self, fix: Fix) -> None:
        if fix.utc_s is not None:
            self._learn_delay(_delay_ns(fix))
            fix = self._on_boot_clock(fix)
        newest = self.newest
        if newest and fix.at_ns <= newest.at_ns - SAME_EPOCH_S * NS:
            return
        if newest and fix.at_ns < newest.at_ns + SAME_EPOCH_S * NS:
            self._fixes.pop()
            fix = msgspec.structs.replace(fix, at_ns=newest.at_ns)
        self._fixes.append(fix)
        self._lost = False
        if self._keep is not None:
            del self._fixes[: -self._keep]

    def _learn_delay(self, delay_ns: int) -> None:
        """Move the fixes so far back when it shows that all of them came late."""
        least = min(self._delays, default=delay_ns)
        self._delays.append(delay_ns)
        if delay_ns < least:
            self._fixes = [
                msgspec.structs.replace(f, at_ns=f.at_ns + delay_ns - least) for f in self._fixes
            ]

    def position_at(self, at_ns: int) -> Position | None:
        """Position at a time on the boot clock; None without a fresh fix around it."""
        place = self._place(at_ns)
        if place is None or abs(place[0]) > 90:  # noqa: PLR2004 - walked on past a pole
            return None
        lat_deg, lon_deg, sigma_m, utc_s = place
        course = self._course(at_ns)
        if utc_s is not None and not self._utc_from_s <= utc_s < self._utc_until_s:
            utc_s = None
        return Position(
            at_ns=at_ns,
            lat_deg=lat_deg,
            lon_deg=lon_deg,
            sigma_m=sigma_m,
            course_deg=course[0],
            course_sigma_deg=course[1],
            utc_s=utc_s,
        )

    def _around(self, at_ns: int) -> tuple[Fix, ...]:
        """The fixes before and after a time; one if it lies on it or past the newest."""
        after = bisect.bisect_left(self._fixes, at_ns, key=lambda f: f.at_ns)
        if after == len(self._fixes):
            return tuple(self._fixes[-1:])
        if self._fixes[after].at_ns == at_ns:
            return (self._fixes[after],)
        return tuple(self._fixes[after - 1 : after + 1]) if after else ()

    def _place(self, at_ns: int) -> tuple[float, float, float, float | None] | None:
        """Latitude, longitude, sigma, wall time."""
        around = self._around(at_ns)
        if not around:
            return None
        a, b = around[0], around[-1]
        if a is b:
            return self._place_from(b, at_ns)
        if b.at_ns - a.at_ns > MAX_GAP_S * NS or _is_jump(a, b):
            return None
        share = (at_ns - a.at_ns) / (b.at_ns - a.at_ns)
        origin = Origin(a.lat_deg, a.lon_deg)
        east, north = origin.enu_from_geodetic(b.lat_deg, b.lon_deg)
        lat_deg, lon_deg = origin.geodetic_from_enu(share * east, share * north)
        sigma_m = max(a.sigma_m or self._sigma_m, b.sigma_m or self._sigma_m)
        return lat_deg, lon_deg, sigma_m, _utc_at(b, at_ns)

    def _place_from(self, fix: Fix, at_ns: int) -> tuple[float, float, float, float | None] | None:
        """On from a fix by its velocity, no further than ``ahead_s``."""
        ahead_s = (at_ns - fix.at_ns) / NS
        if ahead_s > self._ahead_s or (ahead_s > 0 and self._lost):
            return None
        east, north = self._velocity(fix) if ahead_s > 0 else (0.0, 0.0)
        lat_deg, lon_deg = Origin(fix.lat_deg, fix.lon_deg).geodetic_from_enu(
            east * ahead_s, north * ahead_s
        )
        sigma_m = math.hypot(fix.sigma_m or self._sigma_m, AHEAD_NOISE_MPS * ahead_s)
        return lat_deg, lon_deg, sigma_m, _utc_at(fix, at_ns)

    def _velocity(self, newest: Fix) -> tuple[float, float]:
        """East and north, metres per second; as told, else over the last stretch, else none."""
        if newest.speed_mps is not None and newest.speed_mps < MIN_COURSE_SPEED_MPS:
            return 0.0, 0.0
        if newest.speed_mps is not None and newest.course_deg is not None:
            course = math.radians(newest.course_deg)
            return newest.speed_mps * math.sin(course), newest.speed_mps * math.cos(course)
        stretch = self._stretch(newest.at_ns)
        return (stretch[0] / stretch[2], stretch[1] / stretch[2]) if stretch else (0.0, 0.0)

    def _course(self, at_ns: int) -> tuple[float | None, float]:
        """Course over ground and its sigma, degrees; None and 180 while standing.

        A receiver's own course (Doppler) is better than differences of fixes.
        """
        around = self._around(at_ns)
        told = [f.course_deg for f in around if f.course_deg is not None and _is_walking(f)]
        if told and len(told) == len(around):
            a, b = around[0], around[-1]
            share = (at_ns - a.at_ns) / (b.at_ns - a.at_ns) if b is not a else 0.0
            slowest = min(f.speed_mps or 0.0 for f in around)
            sigma = math.degrees(math.atan2(DOPPLER_NOISE_MPS, slowest))
            course = (told[0] + share * wrap_deg(told[-1] - told[0])) % 360.0
            return course, max(sigma, MIN_COURSE_SIGMA_DEG)
        if all(f.speed_mps is not None and not _is_walking(f) for f in around):
            return None, 180.0
        stretch = self._stretch(at_ns)
        if stretch is None:
            return None, 180.0
        east, north, seconds = stretch
        noise_m = step_noise_m(max(f.sigma_m or self._sigma_m for f in around), seconds)
        sigma = math.degrees(math.atan2(noise_m, math.hypot(east, north)))
        return math.degrees(math.atan2(east, north)) % 360.0, max(sigma, MIN_COURSE_SIGMA_DEG)

    def _stretch(self, at_ns: int) -> tuple[float, float, float] | None:
        """East and north gone around a time, and in how many seconds; None while standing."""
        half_ns = round(COURSE_BASE_S / 2 * NS)
        middle_ns = min(at_ns, self._fixes[-1].at_ns)
        start_ns = max(middle_ns - half_ns, self._fixes[0].at_ns)
        end_ns = min(middle_ns + half_ns, self._fixes[-1].at_ns)
        if end_ns - start_ns < half_ns:
            return None
        a, b = self._place(start_ns), self._place(end_ns)
        if a is None or b is None:
            return None
        east, north = Origin(a[0], a[1]).enu_from_geodetic(b[0], b[1])
        seconds = (end_ns - start_ns) / NS
        if math.hypot(east, north) < MIN_COURSE_SPEED_MPS * seconds:
            return None
        return east, north, seconds


def step_noise_m(sigma_m: float, seconds: float) -> float:
    """1 sigma of the difference between two fixes, per axis, each wrong by ``sigma_m``.

    First-order Gauss-Markov (R. G. Brown and P. Hwang, Introduction to Random Signals, 2012): what
    two fixes share is gone from their difference.
    """
    alike = math.exp(-seconds / GNSS_CORRELATION_S)
    return max(sigma_m * math.sqrt(2 * (1 - alike)), COURSE_NOISE_M)


def _delay_ns(fix: Fix) -> int:
    return fix.at_ns - round((fix.utc_s or 0.0) * NS)


def _utc_at(fix: Fix, at_ns: int) -> float | None:
    return None if fix.utc_s is None else fix.utc_s + (at_ns - fix.at_ns) / NS


def _is_walking(fix: Fix) -> bool:
    return fix.speed_mps is not None and fix.speed_mps >= MIN_COURSE_SPEED_MPS


def _is_possible(fix: Fix) -> bool:
    """All numbers are finite and in range; comparisons with NaN are false."""
    return (
        abs(fix.lat_deg) <= 90  # noqa: PLR2004
        and abs(fix.lon_deg) <= 180  # noqa: PLR2004
        and (fix.utc_s is None or abs(fix.utc_s) < MAX_UTC_S)
        and (fix.sigma_m is None or 0 <= fix.sigma_m < math.inf)
        and (fix.speed_mps is None or 0 <= fix.speed_mps < math.inf)
        and (fix.course_deg is None or abs(fix.course_deg) < math.inf)
    )


def _is_jump(a: Fix, b: Fix) -> bool:
    way_m = distance_m(a.lat_deg, a.lon_deg, b.lat_deg, b.lon_deg)
    return way_m > MAX_SPEED_MPS * (b.at_ns - a.at_ns) / NS


def _agree(a: Fix, b: Fix) -> bool:
    """Two fixes set aside, one after the other, could be of one walk."""
    if a.utc_s is None or b.utc_s is None:
        return not _is_jump(a, b)
    steps = abs(_delay_ns(b) - _delay_ns(a)) > MAX_STEP_S * NS
    way_m = distance_m(a.lat_deg, a.lon_deg, b.lat_deg, b.lon_deg)
    seconds = b.utc_s - a.utc_s
    return not steps and seconds >= 0 and way_m <= MAX_SPEED_MPS * max(seconds, SAME_EPOCH_S)
