"""Feed a parser with whatever makes it do something new.

    python -m tests.fuzz NAME --minutes 2
    python -m tests.fuzz all --minutes 2      one after the other, each for so long

Inputs are up to 1 MB; one that takes a second of processor time or 200 MB is a finding, as is any
exception that the parser is not allowed. Findings lie in build/fuzz/NAME; keep one in
tests/fuzz/found/NAME, where tests/core/test_found_inputs.py reads it for good. What was learnt
stays in build/fuzz/NAME/corpus, so that the next run goes on from there.

At the end of each there is a line with what was reached: ``covered`` are places in our own code of
which there are ``at first``, by the seeds alone. A target that stays where it began is shallow: it
wants better seeds or words.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz.limits import INPUT_MAX, MEMORY_MB, processor_time
from tests.fuzz.target import Target

ROOT = Path(__file__).parents[2]
FOUND = Path(__file__).parent / "found"
HANG_S = 60  # of the clock, however busy the machine is
# A process is not used for longer: atheris keeps some 200 bytes of an input that goes through much
# of our code (the same inputs to the same code without its probes leave nothing behind).
PIECE_MINUTES = 3.0
LEAST_MINUTES = 0.05
LOG = "log.jsonl"  # in build/fuzz: a line for each run


def main() -> int:
    """Fuzz one target, or each in a process of its own; 1 if something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("name", help="a target, or all, or several with commas")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    try:
        import atheris  # noqa: PLC0415 - an extra of its own
    except ModuleNotFoundError:
        print("python -m tests.fuzz needs pip install -e '.[fuzz]'", file=sys.stderr)
        return 2
    if not args.inside:
        return _each(args.name, args.minutes)
    with atheris.instrument_imports(include=["scanner"]):
        from tests.fuzz import targets  # noqa: PLC0415 - only so is it watched
    target = targets.TARGETS[args.name]
    for seed in target.seeds:
        targets.run(target, seed)  # what is built once is no input's doing
    options = _options(args.name, target, args.minutes)

    def one(data: bytes) -> None:
        with processor_time(target.seconds):
            targets.run(target, data)

    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()  # ends the process
    return 0


def _each(names: str, minutes: float) -> int:
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - not before atheris watches

    wanted = list(TARGETS) if names == "all" else names.split(",")
    for name in wanted:
        if name not in TARGETS:
            print(f"{name}: one of {', '.join(TARGETS)}, all", file=sys.stderr)
            return 2
    return max(_alone(name, minutes) for name in wanted)


def _options(name: str, target: Target, minutes: float) -> list[str]:
    """For libFuzzer; puts seeds and words where it looks for them."""
    folder = ROOT / "build/fuzz" / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    for path in (FOUND / name).glob("*"):
        (corpus / path.name).write_bytes(path.read_bytes())
    words = folder / "words"
    words.write_text("".join(f'"{_spelt(word)}"\n' for word in target.words if word))
    memory_mb = max(MEMORY_MB, target.memory_mb)
    return [
        *(f"-max_len={min(INPUT_MAX, target.largest)}", f"-timeout={HANG_S}"),
        *("-report_slow_units=60", f"-dict={words}", "-len_control=20"),
        *(f"-rss_limit_mb={_resident_mb() + memory_mb}", f"-malloc_limit_mb={memory_mb}"),
        *(f"-max_total_time={round(minutes * 60)}", f"-artifact_prefix={folder}/"),
        *("-print_final_stats=1", str(corpus)),
    ]


def _spelt(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def _alone(name: str, minutes: float) -> int:
    """One target in processes of its own; a line about it, and the end of its output if it fell."""
    begun = time.monotonic()
    covered: list[int] = []
    inputs, left = 0, minutes
    while True:
        piece = str(min(left, PIECE_MINUTES))
        result = subprocess.run(
            [sys.executable, "-m", "tests.fuzz", name, "--minutes", piece, "--inside"],
            cwd=ROOT, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace",
        )  # fmt: skip
        covered += [int(n) for n in re.findall(r"cov: (\d+)", result.stdout)]
        done = re.search(r"stat::number_of_executed_units: (\d+)", result.stdout)
        inputs += int(done[1]) if done else 0
        left = minutes - (time.monotonic() - begun) / 60
        if result.returncode or left < LEAST_MINUTES:
            break
    line = {
        "target": name,
        "minutes": round((time.monotonic() - begun) / 60, 1),
        "inputs": inputs,
        "at first": covered[0] if covered else 0,
        "covered": max(covered, default=0),
        "found": int(result.returncode != 0),
    }
    print(json.dumps(line), flush=True)
    with (ROOT / "build/fuzz" / LOG).open("a") as log:
        log.write(json.dumps(line) + "\n")
    if result.returncode:
        print(*result.stdout.splitlines()[-40:], sep="\n", flush=True)
    return int(result.returncode != 0)


def _resident_mb() -> int:
    """What Python and the libraries have taken already: it is not the input's doing."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    return 0


if __name__ == "__main__":
    sys.exit(main())
