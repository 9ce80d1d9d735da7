"""Plots as pieces of SVG for a page, which colours them by its style sheet, light and dark."""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from tests.benchmarks.results import Plot, Point, Ratio

WIDTH, HEIGHT = 380.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 50.0, 368.0, 14.0, 206.0
SERIES: Final = 5  # classes s0 to s4 of the style sheet
DASHES: Final = ("", "7 3", "2 3", "9 3 2 3", "4 4")  # told apart without colour sight, too
TICKS: Final = 6
_POWERS: Final = ("", "k", "M", "G")


def short(value: float) -> str:
    """A number for a tick: 10 k, 0.5."""
    size = 0
    while abs(value) >= 1000 and size < len(_POWERS) - 1:
        value, size = value / 1000, size + 1
    return f"{value:g} {_POWERS[size]}".strip()


class Axis:
    """From values to places along a stretch of the picture."""

    def __init__(
        self, values: Sequence[float], start: float, end: float, *, log: bool, zero: bool = True
    ) -> None:
        usable = [v for v in values if not log or v > 0] or [1.0]
        low, high = min(usable), max(usable)
        self._log = log
        if log:
            self.low, self.high = _powers(low, high)
        else:
            low = min(0.0, low) if zero else low
            step = _step((high - low) or 1.0)
            self.low, self.high = math.floor(low / step) * step, math.ceil(high / step) * step
            self.high = self.high if self.high > self.low else self.low + step
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        """Where a value lies."""
        if self._log:
            value, low, high = (math.log10(max(v, 1e-12)) for v in (value, self.low, self.high))
        else:
            low, high = self.low, self.high
        share = (value - low) / (high - low)
        return self._start + min(1.0, max(0.0, share)) * (self._end - self._start)

    def ticks(self) -> list[float]:
        """Round values, few of them."""
        if not self._log:
            step = _step(self.high - self.low)
            count = round((self.high - self.low) / step)
            return [round(self.low + i * step, 10) for i in range(count + 1)]
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        steps = (1, 2, 5) if last - first < TICKS / 2 else (1,)
        every = [m * 10.0**e for e in range(first, last + 1) for m in steps]
        inside = [v for v in every if self.low * 0.999 <= v <= self.high * 1.001]
        return inside[:: max(1, math.ceil(len(inside) / TICKS))]


def _step(span: float) -> float:
    power = 10.0 ** math.floor(math.log10(span / 4))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if span / (m * power) <= TICKS)


def _powers(low: float, high: float) -> tuple[float, float]:
    """The round values of 1, 2, 5 that hold a range."""
    below = [m * 10.0 ** math.floor(math.log10(low)) for m in (1, 2, 5)]
    above = [m * 10.0 ** math.floor(math.log10(high)) for m in (1, 2, 5, 10)]
    start = max(v for v in below if v <= low * 1.001)
    end = min(v for v in above if v >= high * 0.999)
    return (start, end) if end > start else (start / 2, end * 2)


def draw(plot: Plot) -> str:
    """A figure with its legend."""
    points = [p for s in plot.series for p in s.points]
    more = [plot.bar] if plot.bar is not None else []
    x = Axis([p[0] for p in points], LEFT, RIGHT, log=plot.log_x, zero=False)
    y = Axis([p[1] for p in points] + more, BOTTOM, TOP, log=plot.log_y)
    parts = [_grid(x, y)]
    for number, series in enumerate(plot.series):
        parts.append(_line(series.points, number % SERIES, x, y))
    if plot.bar is not None:
        high = y.at(plot.bar)
        parts.append(
            f'<line class="bar" x1="{LEFT}" x2="{RIGHT}" y1="{high:.1f}" y2="{high:.1f}"/>'
            f'<text class="bartext" x="{RIGHT - 4}" y="{high - 4:.1f}" text-anchor="end">'
            f"bar {short(plot.bar)}</text>"
        )
    parts.append(
        f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 34}" text-anchor="middle">{escape(plot.x)}'
        f'</text><text transform="translate(11 {(TOP + BOTTOM) / 2}) rotate(-90)" '
        f'text-anchor="middle">{escape(plot.y)}</text>'
    )
    legend = "".join(
        f'<li><svg viewBox="0 0 26 10" aria-hidden="true"><line class="s{n % SERIES}" x1="0" '
        f'x2="26" y1="5" y2="5" stroke-dasharray="{DASHES[n % SERIES]}"/></svg>'
        f"{escape(s.name)}</li>"
        for n, s in enumerate(plot.series)
    )
    return (
        f'<figure><figcaption>{escape(plot.title)}</figcaption><svg class="plot" role="img" '
        f'viewBox="0 0 {WIDTH:g} {BOTTOM + 42:g}" aria-label="{escape(_told(plot), quote=True)}">'
        f"{''.join(parts)}</svg><ul>{legend}</ul></figure>"
    )


def _told(plot: Plot) -> str:
    """The plot in words, for who does not see it."""
    ends = (
        f"{s.name}: {short(round(s.points[0][1], 3))} to {short(round(s.points[-1][1], 3))}"
        for s in plot.series
        if s.points
    )
    return f"{plot.title}; {plot.y} over {plot.x}; " + "; ".join(ends)


def _grid(x: Axis, y: Axis) -> str:
    across = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y.at(v):.1f}" y2="{y.at(v):.1f}"/>'
        f'<text x="{LEFT - 6}" y="{y.at(v) + 4:.1f}" text-anchor="end">{short(v)}</text>'
        for v in y.ticks()
    )
    along = "".join(
        f'<line class="tick" x1="{x.at(v):.1f}" x2="{x.at(v):.1f}" y1="{BOTTOM}" '
        f'y2="{BOTTOM + 4}"/><text x="{x.at(v):.1f}" y="{BOTTOM + 17}" '
        f'text-anchor="middle">{short(v)}</text>'
        for v in x.ticks()
    )
    base = f'<line class="tick" x1="{LEFT}" x2="{RIGHT}" y1="{BOTTOM}" y2="{BOTTOM}"/>'
    return across + along + base


def _line(points: Sequence[Point], number: int, x: Axis, y: Axis) -> str:
    places = [(x.at(a), y.at(b)) for a, b in sorted(points)]
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    dots = "".join(
        f'<circle class="s{number}" cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in places
    )
    dots = dots if len(places) <= 40 else ""
    dashes = f' stroke-dasharray="{DASHES[number]}"' if DASHES[number] else ""
    return f'<polyline class="s{number}" points="{path}"{dashes}/>{dots}'


SPAN: Final = 30.0  # a ratio bar shows a thirtieth to thirty times


def gauge(r: Ratio) -> str:
    """A ratio on a logarithmic stretch: from 1, in the middle, to its value; the bar as a mark."""

    def at(value: float) -> float:
        share = math.log(min(SPAN, max(1 / SPAN, value))) / math.log(SPAN)
        return 100 + 98 * share

    start, end = sorted((100.0, at(r.value)))
    better = (r.value >= 1) == (r.good == "high") if r.held is None else r.held
    kind = "neutral" if r.neutral and r.held is None else "better" if better else "worse"
    mark = ""
    if r.bar is not None:
        where = at(r.bar)
        mark = f'<line class="bar" x1="{where:.1f}" x2="{where:.1f}" y1="0" y2="14"/>'
    return (
        '<svg class="gauge" viewBox="0 0 200 14" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rail" x="0" y="6" width="200" height="2"/>'
        f'<rect class="{kind}" x="{start:.1f}" y="2" width="{max(1.5, end - start):.1f}" '
        f'height="10"/><line class="one" x1="100" x2="100" y1="0" y2="14"/>{mark}</svg>'
    )
