"""What a benchmark hands on: ratios first, then figures and plots, and on which machine."""

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, Self

import msgspec

FOLDER: Final = Path(__file__).parents[2] / "build" / "bench"
Point = tuple[float, float]


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """Ours over another's in the same run; ``good`` says which way is better."""

    name: str
    value: float
    good: Literal["high", "low"]
    ours: str  # with its unit
    theirs: str
    bar: float | None = None
    wall: bool = False  # made of times by the wall: no bar is judged by them on a busy machine
    neutral: bool = False  # growth, or a bound that nobody passes: neither better nor worse than 1

    @property
    def held(self) -> bool | None:
        """Whether the bar holds, None without one."""
        if self.bar is None:
            return None
        return self.value >= self.bar if self.good == "high" else self.value <= self.bar


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """An absolute figure of this machine."""

    name: str
    value: str  # with its unit


class Series(msgspec.Struct, frozen=True):
    """A line of a plot."""

    name: str
    points: list[Point]


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """Lines over a common axis."""

    title: str
    x: str
    y: str
    series: list[Series]
    log_x: bool = False
    log_y: bool = False
    bar: float | None = None  # a line across


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where a part ran, and how busy it was before."""

    cpu: str
    cores: int
    memory_gb: int
    python: str
    load: float  # waiting processes, mean of the minute before

    @property
    def busy(self) -> bool:
        """Whether it had more to do than leaves room for timing."""
        return self.load > self.cores / 2

    @classmethod
    def here(cls) -> Self:
        """This one, now."""
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [text.partition(":")[2].strip() for text in lines if text.startswith("model name")]
        return cls(
            cpu=names[0] if names else platform.machine(),
            cores=os.cpu_count() or 1,
            memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            python=platform.python_version(),
            load=round(os.getloadavg()[0], 1),
        )


class Result(msgspec.Struct, kw_only=True):
    """One part."""

    part: str
    title: str
    says: str  # one sentence: what is compared
    ratios: list[Ratio] = []
    figures: list[Figure] = []
    plots: list[Plot] = []
    notes: list[str] = []
    machine: Machine | None = None
    command: str = ""
    quick: bool = False
    seconds: float = 0.0
    day: str = ""

    def judged(self, r: Ratio) -> bool | None:
        """Whether a bar holds; None without one, or where the machine was too busy to say."""
        unclear = r.wall and self.machine is not None and self.machine.busy
        return None if unclear else r.held

    def done(self, command: str, machine: Machine, begun: float, *, quick: bool) -> None:
        """Note how it came about; ``begun`` by the monotonic clock."""
        self.command, self.machine, self.quick = command, machine, quick
        self.seconds = round(time.monotonic() - begun, 1)
        self.day = time.strftime("%Y-%m-%d", time.gmtime())


def ratio(
    name: str,
    ours: float,
    theirs: float,
    unit: str,
    *,
    good: Literal["high", "low"] = "high",
    bar: float | None = None,
    neutral: bool = False,
) -> Ratio:
    """Ours over theirs, both in the same unit."""
    return Ratio(
        name=name,
        value=ours / theirs if theirs else float("inf"),
        good=good,
        ours=f"{said(ours)} {unit}".strip(),
        theirs=f"{said(theirs)} {unit}".strip(),
        bar=bar,
        neutral=neutral,
    )


def said(value: float) -> str:
    """Three figures that count, no more."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def path_of(part: str, *, quick: bool, folder: Path = FOLDER) -> Path:
    """Where a part's result is kept."""
    return folder / ("quick" if quick else "full") / f"{part}.json"


def save(result: Result, path: Path) -> None:
    """Write it whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    new.replace(path)


def load(path: Path) -> Result | None:
    """What was kept; None if nothing usable is."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Result)
    except (OSError, msgspec.MsgspecError):
        return None


def percentile(values: Sequence[float], share: float) -> float:
    """Of sorted or unsorted values, the one that ``share`` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
