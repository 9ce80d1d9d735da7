"""The whole system, broken on purpose for an hour, and an audit.

    python -m tests.faults --seed 1
    python -m tests.faults --seeds 10          one after the other, 1 to 10

An hour of accelerated time: two walkers along a street with true cameras, two crowds; relays; a
line that cuts, repeats, delays and bends; mosquitto; `hub serve` and two `hub work`; PostgreSQL.
Every 20 s something breaks, drawn from the seed. Prints a JSON object per seed; logs of a seed that
fails stay. Needs to mount small disks: root, or a kernel that lets people have namespaces of
their own.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from tests.faults import audit, plan, town
from tests.faults.hour import Hour
from tests.faults.system import System

INSIDE = "SCANNER_FAULTS_INSIDE"  # set in the namespace of ours


def main() -> int:
    """One JSON object per seed; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=0, metavar="N", help="seeds 1 to N")
    parser.add_argument("--minutes", type=float, default=60.0, help="of accelerated time (60)")
    parser.add_argument("--speed", type=float, default=20.0, help="times as fast as life (20)")
    parser.add_argument("--every", type=float, default=plan.EVERY_S, help="seconds to a fault (20)")
    parser.add_argument(
        "--forgetful",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="of the messages are acknowledged and thrown away: the audit must fail",
    )
    parser.add_argument("--plan", action="store_true", help="print the faults of the seed, no more")
    parser.add_argument("--logs", type=Path, default=Path("build/faults"), help="of failing seeds")
    parser.add_argument("--keep-logs", action="store_true", help="of good seeds, too")
    args = parser.parse_args()
    if args.plan:
        for fault in plan.draw(args.seed, args.minutes * 60, args.every):
            print(json.dumps(msgspec.to_builtins(fault)))
        return 0
    if not os.environ.get(INSIDE):
        _enter_namespace()
    bad = 0
    for seed in range(1, args.seeds + 1) if args.seeds else [args.seed]:
        bad += not one_hour(seed, args)
    return int(bad > 0)


def _enter_namespace() -> None:
    """This program again, where it may mount: disks that it makes are nobody else's."""
    found = shutil.which("unshare")
    assert found, "util-linux is missing"
    own = ["-m"] if os.geteuid() == 0 else ["-cm", "--keep-caps"]
    os.environ[INSIDE] = "1"
    command = [found, *own, "--propagation", "private", sys.executable, "-m", "tests.faults"]
    os.execv(found, [*command, *sys.argv[1:]])  # noqa: S606 the same program


def one_hour(seed: int, args: argparse.Namespace) -> bool:
    """One seed; whether all bars hold."""
    begun, cpu = time.monotonic(), os.times()
    duration_s = args.minutes * 60
    faults = plan.draw(seed, duration_s, args.every)
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # the database's user passes through
        life = {"speed": args.speed, "duration_s": duration_s}
        with System(folder, seed, faults, forgetful=args.forgetful, **life) as system:
            hour = Hour(system, faults, seed=seed, **life)
            hour.run(tell=sys.stderr.isatty() or bool(os.environ.get("PROGRESS")))
            drained_s = hour.drain()
            told = audit.check(
                system, hour.waiting(), hour.gone_with_card, town.places(seed, duration_s)
            )
            result = {
                "seed": seed, "good": told.good, "seconds": round(time.monotonic() - begun),
                "drained_s": round(drained_s), **msgspec.to_builtins(told),
                "faults": sum(hour.done.values()), "by_kind": dict(sorted(hour.done.items())),
                "line": dict(system.line.done), "restored": hour.restored,
            }  # fmt: skip
            if args.keep_logs or not told.good:
                hour.keep_logs(args.logs / f"seed-{seed}", result)
    spent = os.times()
    used = spent.children_user + spent.children_system - cpu.children_user - cpu.children_system
    result["cpu_s"] = round(used + spent.user + spent.system - cpu.user - cpu.system)
    print(json.dumps(result), flush=True)
    return told.good


if __name__ == "__main__":
    sys.exit(main())
