"""Feed a parser with whatever makes it do something new.

    python -m tests.fuzz NAME --minutes 2
    python -m tests.fuzz all --minutes 2      one after the other, each for so long

Inputs are up to 1 MB; one that takes a second of processor time or 200 MB is a finding, as is any
exception that the parser is not allowed. Findings lie in build/fuzz/NAME; keep one in
tests/fuzz/found/NAME, where tests/core/test_found_inputs.py reads it for good.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from tests.fuzz.limits import INPUT_MAX, MEMORY_MB, processor_time

ROOT = Path(__file__).parents[2]
FOUND = Path(__file__).parent / "found"
HANG_S = 60  # of the clock, however busy the machine is


def main() -> int:
    """Fuzz one target, or each in a process of its own; 1 if something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("name", help="a target, or all")
    parser.add_argument("--minutes", type=float, default=2.0)
    args = parser.parse_args()
    try:
        import atheris  # noqa: PLC0415 - an extra of its own
    except ModuleNotFoundError:
        print("python -m tests.fuzz needs pip install 'cctv-scanner[fuzz]'", file=sys.stderr)
        return 2
    with atheris.instrument_imports(include=["scanner"]):
        from tests.fuzz import targets  # noqa: PLC0415 - only so is it watched
    if args.name == "all":
        return max(_alone(name, args.minutes) for name in targets.TARGETS)
    if args.name not in targets.TARGETS:
        parser.error(f"{args.name}: one of {', '.join(targets.TARGETS)}, all")
    target = targets.TARGETS[args.name]
    folder = ROOT / "build/fuzz" / args.name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    for path in (FOUND / args.name).glob("*"):
        (corpus / path.name).write_bytes(path.read_bytes())
    options = [
        *(f"-max_len={INPUT_MAX}", f"-timeout={HANG_S}", "-report_slow_units=60"),
        *(f"-rss_limit_mb={_resident_mb() + MEMORY_MB}", f"-malloc_limit_mb={MEMORY_MB}"),
        *(f"-max_total_time={round(args.minutes * 60)}", f"-artifact_prefix={folder}/"),
        *("-print_final_stats=1", str(corpus)),
    ]

    def one(data: bytes) -> None:
        with processor_time():
            targets.run(target, data)

    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()  # ends the process
    return 0


def _alone(name: str, minutes: float) -> int:
    """One target in a process of its own; the last lines of its output."""
    print(f"{name}:", flush=True)
    command = [sys.executable, "-m", "tests.fuzz", name, "--minutes", str(minutes)]
    result = subprocess.run(
        command, cwd=ROOT, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines = result.stdout.splitlines()
    ends = [line for line in lines if line.startswith(("stat::number", "stat::new", "SUMMARY"))]
    shown = ends if result.returncode == 0 else lines[-40:]
    print(*(f"  {line}" for line in shown), sep="\n", flush=True)
    return int(result.returncode != 0)


def _resident_mb() -> int:
    """What Python and the libraries have taken already: it is not the input's doing."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    return 0


if __name__ == "__main__":
    sys.exit(main())
