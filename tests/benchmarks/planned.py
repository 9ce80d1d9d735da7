"""A million scanners on a clustered broker: ``python -m tests.benchmarks.planned``.

Arithmetic from what one record costs, as measured on the machine that ``MACHINE`` names by the
commands beside each figure. docs/scale.md quotes what this prints; a test holds them together.
"""

import argparse
from typing import Final

import msgspec

from scanner.hub.cohorts import A_PERSON

MACHINE: Final = "two cores of an AMD EPYC at 2.6 GHz, Python 3.11, PostgreSQL 15, mosquitto 2.0"
DAY_S: Final = 86_400.0
MONTH_DAYS: Final = 30.0
SHARE_OF_CORE: Final = 0.5  # that is planned with: the rest is for bursts and bad days
PEOPLE: Final = 10  # in a cohort


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Processor time for each record and what it takes, as measured."""

    broker_us: float  # scale --live --hold: 10,000 connections held
    worker_us: float  # scale: opening, judging, writing
    token_us: float  # costs
    database_us: float  # scale
    fusing_alone_ms: float  # costs --there 1000 --at-once 1: one by one as they come
    fusing_many_ms: float  # costs --there 1000 --at-once 100: a hundred of a place together
    connection_kb: float  # of the broker's memory without TLS, costs
    record_bytes: float  # in the database, one a camera, cameras and indexes included, scale --fuse
    key_ms: float  # costs: reading one cohort's key at the start


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """How scanners of one profile report."""

    name: str
    a_month: float  # records of each scanner
    held: float  # share of the scanners that are connected at the same time
    peak: float  # records of the busiest hour over the mean


MEASURED: Final = Costs(
    broker_us=32,
    worker_us=91,
    token_us=194,
    database_us=34,
    fusing_alone_ms=547,
    fusing_many_ms=16.6,
    connection_kb=0.75,
    record_bytes=2700,
    key_ms=0.28,
)
CAREFUL: Final = Use(name="careful", a_month=A_PERSON, held=0.0005, peak=4)
OPEN: Final = Use(name="open", a_month=10 * MONTH_DAYS, held=0.2, peak=8)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What so many scanners take."""

    mean_per_s: float
    busiest_per_s: float
    connections: float
    broker_cores: float
    broker_gb: float
    worker_cores: float
    database_cores: float
    fusing_alone_cores: float
    fusing_many_cores: float
    records_a_year: float
    database_gb_a_year: float
    keys: float  # of cohorts that a worker reads
    start_s: float


def plan(scanners: float, use: Use, costs: Costs = MEASURED) -> Plan:
    """Cores are those of the busiest hour, half used; fusing may wait and is of the mean."""
    mean = scanners * use.a_month / (MONTH_DAYS * DAY_S)
    busiest = mean * use.peak
    keys = scanners / PEOPLE * 3  # of a month, the one before and the one to come
    connections = scanners * use.held
    a_year = scanners * use.a_month * 12

    def cores(rate: float, us: float) -> float:
        return rate * us / 1e6 / SHARE_OF_CORE

    return Plan(
        mean_per_s=mean,
        busiest_per_s=busiest,
        connections=connections,
        broker_cores=cores(busiest, costs.broker_us),
        broker_gb=connections * costs.connection_kb / 1e6,
        worker_cores=cores(busiest, costs.worker_us + costs.token_us),
        database_cores=cores(busiest, costs.database_us),
        fusing_alone_cores=cores(mean, costs.fusing_alone_ms * 1e3),
        fusing_many_cores=cores(mean, costs.fusing_many_ms * 1e3),
        records_a_year=a_year,
        database_gb_a_year=a_year * costs.record_bytes / 1e9,
        keys=keys,
        start_s=keys * costs.key_ms / 1e3,
    )


ROWS: Final = (
    ("records a second, mean", "mean_per_s"),
    ("records a second, busiest hour", "busiest_per_s"),
    ("connected at the same time", "connections"),
    ("broker: cores", "broker_cores"),
    ("broker: GB for connections", "broker_gb"),
    ("workers, intake with tokens: cores", "worker_cores"),
    ("database, intake: cores", "database_cores"),
    ("fusing one by one as they come: cores", "fusing_alone_cores"),
    ("fusing a hundred of a place at once: cores", "fusing_many_cores"),
    ("records a year, millions", "records_a_year"),
    ("database: GB a year", "database_gb_a_year"),
    ("cohort keys that each worker reads", "keys"),
    ("start of a worker, s", "start_s"),
)


def text(scanners: float) -> str:
    """The table."""
    plans = {use.name: plan(scanners, use) for use in (CAREFUL, OPEN)}
    lines = [f"{f'{scanners:,.0f} scanners':44}" + "".join(f"{name:>12}" for name in plans)]
    for words, field in ROWS:
        scale = 1e6 if "millions" in words else 1.0
        values = (getattr(p, field) / scale for p in plans.values())
        lines.append(f"{words:44}" + "".join(f"{number(value):>12}" for value in values))
    return "\n".join(lines)


def number(value: float) -> str:
    """Two or three figures that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="what a number of scanners takes")
    parser.add_argument("--scanners", type=float, default=1e6)
    print(text(parser.parse_args().scanners))


if __name__ == "__main__":
    main()
