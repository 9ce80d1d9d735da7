"""What the worst inputs cost: each target in a process of its own, with a line of JSON for each.

    python -m tests.fuzz.measure [NAME ...]

Processor time and memory are those of the process, whatever else the machine does; where the system
would have to give much more than is allowed, it ends it.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.fuzz.target import Target, run

STOP_S: Final = 60  # of processor time for all inputs of a target
AGAIN: Final = 2  # times, where it took too long
ROOM_MB: Final = 1_500  # that may be asked for beside what is used: threads reserve much


def main(names: Sequence[str]) -> int:
    """A line for each target; 1 if one is over its limits."""
    from tests.fuzz import worst  # noqa: PLC0415 - the measuring itself needs none of them
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415

    bad = 0
    for name in names or TARGETS:
        cases = worst.cases(name)
        line = {"target": name} | in_a_child(TARGETS[name], cases)
        bad |= bool(line["wrong"])
        print(json.dumps(line), flush=True)
    return bad


def in_a_child(target: Target, cases: dict[str, bytes]) -> dict[str, object]:
    """What the inputs of one target cost; ``wrong`` are those over its limits."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 1
        try:
            with os.fdopen(writing, "w") as out:
                for line in _measured(target, cases):
                    out.write(json.dumps(line) + "\n")
                    out.flush()
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as told:
        lines = [json.loads(line) for line in told]
    _, status = os.waitpid(child, 0)
    nothing = {"case": "", "seconds": 0.0}
    slowest = max(lines, key=lambda line: float(line["seconds"]), default=nothing)
    wrong = [line for line in lines if line["wrong"]]
    if status:
        begun = list(cases)[len(lines)] if len(lines) < len(cases) else "its end"
        wrong.append({"case": begun, "wrong": f"ended by {os.waitstatus_to_exitcode(status)}"})
    return {
        "cases": len(lines),
        "slowest_s": slowest["seconds"],
        "slowest": slowest["case"],
        "memory_mb": max((line["memory_mb"] for line in lines), default=0),
        "wrong": wrong,
    }


def _taken(target: Target, data: bytes) -> tuple[float, str]:
    """Processor time of one input, and what was wrong with it."""
    start, wrong = _processor_s(), ""
    try:
        run(target, data)
    except Exception as e:  # noqa: BLE001 - it is what is looked for
        wrong = f"{type(e).__name__}: {str(e)[:200]}"
    return _processor_s() - start, wrong


def _measured(target: Target, cases: dict[str, bytes]) -> Iterator[dict[str, object]]:
    resource.setrlimit(resource.RLIMIT_CPU, (STOP_S, STOP_S))
    for seed in target.seeds:
        run(target, seed)  # what is built or loaded once is no input's doing
    room = (_status("VmSize") + ROOM_MB) * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    before_mb = _status("VmRSS")
    for case, data in cases.items():
        seconds, wrong = _taken(target, data)
        # Others at work on the processor only ever add to it.
        for _ in range(AGAIN):
            if wrong or seconds <= target.seconds:
                break
            seconds = min(seconds, _taken(target, data)[0])
        children_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        memory_mb = max(_status("VmHWM") - before_mb, children_mb)
        if seconds > target.seconds:
            wrong = wrong or f"took {seconds:.2f} s"
        if memory_mb > target.memory_mb:
            wrong = wrong or f"took {memory_mb} MB"
            # What comes after is judged by itself.
            Path("/proc/self/clear_refs").write_text("5")
        yield {
            "case": case, "seconds": round(seconds, 3), "memory_mb": memory_mb, "wrong": wrong,
        }  # fmt: skip


def _processor_s() -> float:
    """Of this process and those it has started and seen the end of."""
    spent = os.times()
    return time.process_time() + spent.children_user + spent.children_system


def _status(key: str) -> int:
    """A line of this process's memory, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) // 1024
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
