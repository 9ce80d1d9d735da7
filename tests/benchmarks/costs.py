"""What single steps of the hub cost, in processor time: ``python -m tests.benchmarks.costs``.

A new record changes the map round it, and for that all records there are looked at again: where
many are already, one more costs more, and many together cost less each. Tokens of cohorts are
checked one by one, and a hub reads all cohorts' keys when it starts.
"""

import argparse
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from msgspec.structs import replace

from scanner.core import tokens
from scanner.core.blind import blind, finalize, prepare
from scanner.core.geometry import Origin
from scanner.core.wire import Record
from scanner.hub import cohorts, mapping
from scanner.hub.cohorts import Checker
from scanner.hub.keys import camera_id, load_naming
from scanner.hub.stores import open_store
from scanner.simulated import city
from tests.benchmarks import crowd
from tests.benchmarks.accounts import memory_mb
from tests.benchmarks.scale import CROWDED
from tests.helpers.broker import Mosquitto

ORIGIN: Final = Origin(48.0, 11.5)
CELL_KM2: Final = 0.5  # about: a cell of fusion is 700 m wide
CITY: Final = city.Plan(cameras=600, passes=4)  # about a square kilometre, densely watched


class More(msgspec.Struct, frozen=True):
    """What records cost where some are already."""

    there: int  # records on the ground of the city
    ground_km2: float
    at_once: int  # new records fused together
    ms: float  # processor time for each new one


def _records(count: int) -> tuple[list[Record], float]:
    """Records of one small city and its ground in km2."""
    rng = np.random.default_rng(1)
    built = city.build(rng, CITY, ORIGIN)
    made: list[Record] = []
    bucket = int(time.time() // 86_400) // 7
    while len(made) < count:
        made += [
            replace(seen.record, bucket_days=7, bucket=bucket, model="simulated")
            for seen in city.passes(rng, built, CITY)
        ]
    order = np.random.default_rng(2).permutation(len(made))[:count]
    east, north = np.ptp(built.places, axis=0) / 1000
    return [made[i] for i in order], float(east * north)


def one_more(there: int, at_once: int, turns: int) -> More:
    """Fuse so many, then some more in so many turns, and time these."""
    records, ground_km2 = _records(there + at_once * turns)
    with tempfile.TemporaryDirectory() as folder:
        name = _naming(Path(folder))
        store = open_store(Path(folder) / "hub.sqlite3")
        numbered = [(secrets.token_hex(16), record, "") for record in records]
        with store.transaction():
            store.add_reports(numbered[:there])
        _fuse(store, name)
        spent_s = 0.0
        for turn in range(turns):
            start = there + turn * at_once
            with store.transaction():
                store.add_reports(numbered[start : start + at_once])
            begun = time.process_time()
            _fuse(store, name)
            spent_s += time.process_time() - begun
        store.close()
    return More(there, round(ground_km2, 2), at_once, round(spent_s / turns / at_once * 1e3, 2))


def _naming(folder: Path) -> Callable[[str, int], str]:
    secret = load_naming(folder)
    return lambda record_id, index: camera_id(secret, record_id, index)


def _fuse(store: mapping.Store, name: Callable[[str, int], str]) -> None:
    while store.waiting(1):
        mapping.fuse_waiting(store, name)


class Tokens(msgspec.Struct, frozen=True):
    """What tokens cost."""

    check_us: float  # for each record that carries one
    key_ms: float  # to read one cohort's key of a month at the start


def token_costs(count: int = 40) -> Tokens:
    """Of tokens that are issued as they are in the field."""
    month = time.strftime("%Y-%m", time.gmtime())
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        issuer = cohorts.create(data, "one", month)
        identity = tokens.key_id(issuer.key)
        prepared = [prepare(tokens.message(identity), secrets.token_bytes) for _ in range(count)]
        blinded = [blind(issuer.key, p, secrets.token_bytes) for p in prepared]
        signed = cohorts.sign(data, "one", identity, [b.message for b in blinded])
        record = _records(1)[0][0]
        carrying = [
            replace(record, cohort=tokens.pack(identity, p, finalize(issuer.key, p, s, b.inverse)))
            for p, b, s in zip(prepared, blinded, signed, strict=True)
        ]
        begun = time.process_time()
        for _ in range(count):
            cohorts.issuers(data)
        key_ms = (time.process_time() - begun) / count * 1e3
        checker = Checker(cohorts.issuers(data))
        begun = time.process_time()
        for one in carrying:
            found = checker.check(one)
            assert not isinstance(found, str), found
        check_us = (time.process_time() - begun) / count * 1e6
    return Tokens(round(check_us, 1), round(key_ms, 2))


def connection_kb(few: int = 1000, many: int = 9000) -> float:
    """Memory that mosquitto takes for a connection, without what the kernel does."""
    seen: list[float] = []
    for count in (few, many):
        with tempfile.TemporaryDirectory() as folder, Mosquitto(Path(folder), CROWDED) as broker:

            def look(pid: int = broker.pid) -> None:
                seen.append(memory_mb(pid))

            crowd.hold(broker.port, [], count, look)
    return round((seen[1] - seen[0]) * 1000 / (many - few), 2)


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description="processor time of single steps of the hub")
    parser.add_argument("--there", type=int, nargs="+", default=[500, 2000, 8000])
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows: list[More] = []
    for there in args.there:
        for at_once in args.at_once:
            row = one_more(there, at_once, turns=max(1, min(5, 200 // at_once)))
            rows.append(row)
            print(
                f"{row.there:6} records on {row.ground_km2:.1f} km2, {row.at_once:5} new ones at "
                f"once: {row.ms:8.2f} ms of processor time each",
                file=sys.stderr if args.json else sys.stdout,
                flush=True,
            )
    paid, held_kb = token_costs(), connection_kb()
    if args.json:
        told = {"more": rows, "tokens": paid, "connection_kb": held_kb}
        print(json.dumps(msgspec.to_builtins(told)))
        return
    print(f"a connection {held_kb:.1f} kB of mosquitto's memory")
    print(
        f"a cohort's token {paid.check_us:.0f} us; a cohort's key at the start {paid.key_ms:.2f} ms"
    )


if __name__ == "__main__":
    main()
