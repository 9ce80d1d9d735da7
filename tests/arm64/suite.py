"""The device's core on arm64, end to end: `make test-arm64`.

    python -m tests.arm64.suite [--jobs N] [--again] [--only WORD]... [--list]

Makes a Debian 12 for arm64 (tree.sh), runs the test files that pieces.py names in emulated programs
and in an emulated machine, then compares what `scanner detect` finds with this machine's answer.
A file that has passed is not run again for the same sources. Ends with 1 if anything failed.
"""

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.arm64 import compare, machine, told
from tests.arm64.pieces import LEFT_OUT, ROOT, pieces

FOLDER: Final = ROOT / "build/arm64"
TREE: Final = Path(os.environ.get("ARM64_TREE", FOLDER / "tree"))
SCRIPT: Final = ROOT / "tests/arm64/tree.sh"
# Emulated, so that a test may take long; a promise in seconds is for the machine to keep.
PYTEST: Final = (*machine.PYTEST, "-o", "timeout=3600")
# What is tested; and that it is no other runtime.
VERSIONS: Final = """
import platform, importlib.metadata as m
names = {d.metadata["Name"].lower().replace("_", "-") for d in m.distributions()}
assert platform.machine() == "aarch64" and "ai-edge-litert" not in names
print(platform.machine(), "Python", platform.python_version(),
      *(f"{n} {m.version(n)}" for n in ("tflite-runtime", "numpy", "PyNaCl", "msgspec")))
"""


# What no test depends on, and what tests write.
UNTOUCHED: Final = ("docs/", "tests/arm64/", ".hypothesis/")
FUZZED: Final = ("core/test_found_inputs.py",)  # what depends on the fuzzer


def digest(piece: str) -> str:
    """Of all that a piece's outcome depends on: not of the other pieces, nor of the pages."""
    whole = hashlib.sha256((TREE / ".installed").read_bytes())
    for path in sorted((TREE / "src").rglob("*")):
        name = str(path.relative_to(TREE / "src"))
        other = ("/test_" in name and name != f"tests/{piece}") or name.endswith(".pyc")
        other |= name.startswith("tests/fuzz/") and piece not in FUZZED
        if other or name.startswith(UNTOUCHED) or not path.is_file():
            continue
        whole.update(f"{name}\0".encode() + path.read_bytes())
    return whole.hexdigest()


class Results:
    """What was found out, one file for each piece, kept from run to run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _path(self, piece: str) -> Path:
        return self._folder / f"{piece.replace('/', '.')}.txt"

    def read(self, piece: str) -> tuple[int, int, list[str]]:
        """Tests that passed, all tests, and what was said; zeros if not run with these sources."""
        path = self._path(piece)
        head, *said = path.read_text().splitlines() if path.is_file() else ["0 0 0 never"]
        passed, total, _, sources = head.split()
        return (int(passed), int(total), said) if sources == digest(piece) else (0, 0, [])

    def passed(self, piece: str) -> bool:
        """Whether all of it passed with the sources as they are."""
        passed, total, _ = self.read(piece)
        return 0 < passed == total

    def listen(self, lines: Iterable[str], pieces: Sequence[str]) -> None:
        """Put down each piece as it is told done, and the others as not run."""
        left, said = list(pieces), []
        for line in lines:
            if not line.startswith(told.MARK):
                said.append(line)
                continue
            piece, passed, total, seconds = line.removeprefix(told.MARK).split()
            self._keep(piece, f"{passed} {total} {seconds}", said)
            print(f"{passed} of {total} passed in {seconds} s: {piece}", flush=True)
            left.remove(piece)
            said = []
        for piece in left:
            self._keep(piece, "0 0 0", said)

    def _keep(self, piece: str, figures: str, said: Sequence[str]) -> None:
        words = "\n".join(said)
        self._path(piece).write_text(f"{figures} {digest(piece)}\n{words}\n")


def enter(*command: str) -> Iterator[str]:
    """Run a command in the tree, emulated; what it says, line by line."""
    process = subprocess.Popen(
        ["nice", "-n", "10", SCRIPT, *command],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env={**os.environ, "ARM64_TREE": str(TREE)},
    )  # fmt: skip
    with process:
        assert process.stdout
        for line in process.stdout:
            yield line.rstrip("\n")


def run(names: Sequence[str], results: Results, jobs: int, *, whole: bool) -> None:
    """The files in emulated programs, or in a ``whole`` machine; as many of either as may be."""

    def some(number: int) -> None:
        share = names[number::jobs]
        if whole:
            results.listen(machine.run(TREE, share, FOLDER / f"machine-{number}"), share)
            return
        # Each in a process of its own: tflite-runtime for arm64 switches subnormal numbers off in
        # the one that loads it, and Hypothesis draws no floats there.
        for name in share:
            results.listen(enter(*PYTEST, f"tests/{name}"), [name])

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(some, range(min(jobs, len(names)))))


def detect() -> tuple[bool, str]:
    """`scanner detect` on frames of the demo's walk, here and there."""
    folder = TREE / "frames"
    folder.mkdir(exist_ok=True)
    compare.pictures(folder)
    pictures = sorted(folder.glob("*.png"))
    here = subprocess.run(
        [sys.executable, "-m", "scanner", "detect", "--json", *pictures],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    looked_at = [f"/frames/{path.name}" for path in pictures]
    there = enter("python", "-m", "scanner", "detect", "--json", *looked_at)
    (FOLDER / "here.jsonl").write_text(here.stdout)
    (FOLDER / "there.jsonl").write_text("".join(f"{line}\n" for line in there if line[:1] == "{"))
    return compare.answers(FOLDER / "here.jsonl", FOLDER / "there.jsonl")


def summary(names: Sequence[str], results: Results, where: str) -> bool:
    """Count all, and show what went wrong; whether everything passed."""
    found = {name: results.read(name) for name in names}
    for name, (passed, total, said) in found.items():
        if not 0 < passed == total:
            print(f"=== {name}", *said[-60:], sep="\n")
    all_passed, tests = (sum(figures[n] for figures in found.values()) for n in (0, 1))
    bad = [name for name, (passed, total, _) in found.items() if not 0 < passed == total]
    print(
        f"in {where}: {len(names)} files, {all_passed} passed, {tests - all_passed} failed, "
        f"{sum(not found[name][1] for name in bad)} files not run"
    )
    return not bad


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.arm64.suite")
    parser.add_argument("--jobs", type=int, default=1, help="emulations at a time")
    parser.add_argument("--again", action="store_true", help="also what has passed")
    parser.add_argument("--only", action="append", default=[], help="files with this in the name")
    parser.add_argument("--list", action="store_true", help="only say what would run, and where")
    return parser.parse_args()


def shown(programs: Sequence[str], machines: Sequence[str]) -> Iterator[str]:
    """What runs where, and what does not run."""
    yield from (f"program  {name}" for name in programs)
    yield from (f"machine  {name}" for name in machines)
    yield from (f"not      {name}: {why}" for name, why in LEFT_OUT.items())


def main() -> int:
    """Run what is not proven yet."""
    args = arguments()
    chosen = [
        [name for name in names if not args.only or any(word in name for word in args.only)]
        for names in pieces()
    ]
    if args.list:
        print(*shown(*chosen), sep="\n")
        return 0
    subprocess.run([SCRIPT], check=True, env={**os.environ, "ARM64_TREE": str(TREE)})
    versions = list(enter("python", "-c", VERSIONS))
    print(*versions, sep="\n", flush=True)
    results = Results(FOLDER / "results")
    places = ("emulated programs", "an emulated machine")
    for names, place in zip(chosen, places, strict=True):
        to_do = [name for name in names if args.again or not results.passed(name)]
        print(f"{len(names)} files in {place}, {len(to_do)} of them to run", flush=True)
        run(to_do, results, args.jobs, whole=place == places[1])
    same, words = detect()
    good = [summary(names, results, place) for names, place in zip(chosen, places, strict=True)]
    print(words)
    return int(not (same and all(good) and versions[-1].startswith("aarch64")))


if __name__ == "__main__":
    sys.exit(main())
