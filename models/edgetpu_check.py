"""Would the Edge TPU compiler map a file? `python -m models.edgetpu_check FILE [--json]`.

Says of every operator whether it runs on the accelerator or stays on the processor, and why. The
compiler makes one part of the graph for the accelerator: the first operator that it cannot map and
all that depends on it stay on the processor, while operators before the first that it maps do no
harm. What is known of the operators, and from where, is in ``operators.py``. The compiler is not
run: this is a gate, not a proof.

Against 28 public pairs of a model and its compiled form a prototype of these rules named the
operators that stay on the processor in 27; the other one (a deeplab) maps a TILE that is refused
here. That large and 1 x 1 bilinear resizes stay on the processor is a guess from three files.

Ends with 0 if all is mapped, 1 if something stays on the processor, 2 if the compiler would refuse
the file or it is no .tflite file.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from models.flatbuffer import Graph, Tensor, UnreadableError, load, naming
from models.operators import (
    BIASES,
    DOUBTS,
    LIMITS,
    MIXING,
    PARAMETERS,
    REFUSED_FROM,
    SUPPORTED,
    WEIGHTS,
    Step,
)

# What its memory holds; more is sent again for each tile. Compiler logs in issues of public
# repositories add up to 7.02 to 7.1 MiB (ultralytics/yolov5 #3630, ultralytics/ultralytics #4754).
MAX_PARAMETER_BYTES = 7 * 1024 * 1024
QUANTISED = {"int8", "uint8"}
INNERMOST = 3
COMPILED = "edgetpu-custom-op"
FLEX = "Flex"  # TensorFlow operators that the interpreter inside the compiler does not have
ALL_MAPPED, SOME_LEFT, REFUSED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one operator; ``reason`` is empty if it is mapped."""

    index: int
    name: str
    version: int
    shape: tuple[int, ...]
    reason: str

    @property
    def mapped(self) -> bool:
        """Whether the accelerator runs it."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class Report:
    """What becomes of a file. ``refusals``: why the compiler would not take it at all."""

    verdicts: tuple[Verdict, ...]
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]
    parameter_bytes: int

    @property
    def left(self) -> list[Verdict]:
        """Operators that stay on the processor."""
        return [verdict for verdict in self.verdicts if not verdict.mapped]

    @property
    def status(self) -> int:
        """The exit status."""
        if self.refusals:
            return REFUSED
        return SOME_LEFT if self.left else ALL_MAPPED

    @property
    def summary(self) -> str:
        """One line for people."""
        if self.refusals:
            return "refused: " + "; ".join(self.refusals)
        mapped = len(self.verdicts) - len(self.left)
        size = f"parameters {self.parameter_bytes / 2**20:.2f} of 7.00 MiB"
        return f"{mapped} of {len(self.verdicts)} operators on the Edge TPU; {size}"


def check(model: Path) -> Report:
    """Return what the compiler would make of a file; raises UnreadableError."""
    graph = load(model)
    with naming(model):  # options and values of constants are read only now
        return judge(graph)


def judge(graph: Graph) -> Report:
    """Return what the compiler would make of a graph."""
    steps = [Step(graph, operation) for operation in graph.operations]
    reasons = partition(graph, steps)
    verdicts = tuple(
        Verdict(n, step.name, step.operation.version, step.result.shape if step.result else (), why)
        for n, (step, why) in enumerate(zip(steps, reasons, strict=True))
    )
    mapped = [step for step, why in zip(steps, reasons, strict=True) if not why]
    size = parameter_bytes(mapped)
    warnings = [
        f"{name}: {DOUBTS[name]}" for name in sorted({step.name for step in mapped} & set(DOUBTS))
    ]
    if any(graph.tensors[number].open_sizes for number in graph.inputs):
        warnings.append("the batch is open in the file and taken as 1; export it with a fixed one")
    if size > MAX_PARAMETER_BYTES:
        over = (size - MAX_PARAMETER_BYTES) / 1024
        warnings.append(f"{over:.0f} KiB of parameters do not fit and are sent again for each tile")
    return Report(verdicts, tuple(refusals(graph, steps)), tuple(warnings), size)


def refusals(graph: Graph, steps: Sequence[Step]) -> list[str]:
    """Return why the compiler would not take the file at all."""
    found = []
    if graph.graphs != 1:
        found.append(f"{graph.graphs} graphs, the compiler takes one")
    if not steps:
        found.append("no operator to map")
    if any(tensor.outside for tensor in graph.tensors):
        found.append("weights outside of the flatbuffer, which the compiler cannot read")
    entries = [graph.tensors[n] for n in graph.inputs]
    found += [f"input {entry.name} has no fixed size" for entry in entries if _unfixed(entry)]
    for (name, version), count in sorted(Counter(_versions(steps)).items()):
        if version >= REFUSED_FROM.get(name, version + 1):
            found.append(f"{count} {name} of version {version}, which the compiler cannot read")
    names = {step.name for step in steps}
    if COMPILED in names:
        found.append("it is compiled already")
    found += [f"{name} needs TensorFlow" for name in sorted(names) if name.startswith(FLEX)]
    return found


def _unfixed(tensor: Tensor) -> bool:
    """Whether a size is open other than a batch, which the interpreter takes as 1."""
    return bool(tensor.open_sizes - {0}) or (0 in tensor.open_sizes and tensor.shape[0] != 1)


def _versions(steps: Sequence[Step]) -> list[tuple[str, int]]:
    return [(step.name, step.operation.version) for step in steps]


def partition(graph: Graph, steps: Sequence[Step]) -> list[str]:
    """Return why each operator stays on the processor, "" for those that are mapped.

    A tensor's mark says what it depends on: a mapped operator, or one that stays on the processor
    although a mapped one feeds it. After the latter nothing can be mapped.
    """
    fed = [False] * len(graph.tensors)
    broken = [""] * len(graph.tensors)
    reasons = []
    for step in steps:
        inputs = [n for n in step.operation.inputs if n >= 0]
        own, after_mapped = obstacle(step), any(fed[n] for n in inputs)
        before = next((broken[n] for n in inputs if broken[n]), "")
        reason = own or (f"after {before}" if before else "")
        if not before and own and after_mapped:
            before = step.name
        for number in step.operation.outputs:
            fed[number], broken[number] = after_mapped or not reason, before
        reasons.append(reason)
    return reasons


def obstacle(step: Step) -> str:
    """Return why an operator cannot be mapped wherever it stands, or ""."""
    if step.operation.custom:
        return "custom operator"
    if step.name not in SUPPORTED:
        return "operator not supported"
    newest = SUPPORTED[step.name]
    if step.operation.version > newest:
        return f"version {step.operation.version}, the newest seen mapped is {newest}"
    reasons = (_tensor_obstacle(tensor) for tensor in (*step.values, *step.outputs))
    own = next(filter(None, reasons), "") or _parameter_obstacle(step) or _mixture(step)
    if own or step.name not in LIMITS:
        return own
    return LIMITS[step.name](step)


def _tensor_obstacle(tensor: Tensor) -> str:
    if tensor.type not in QUANTISED:
        return f"works on {tensor.type}"
    if _unfixed(tensor):
        return "size is not fixed"
    if any(size > 1 for size in tensor.shape[:-INNERMOST]):
        return f"only the {INNERMOST} innermost dimensions may exceed 1: {list(tensor.shape)}"
    return ""


def _parameter_obstacle(step: Step) -> str:
    for place in PARAMETERS.get(step.name, ()):
        tensor = step.inputs[place] if place < len(step.inputs) else None
        if tensor is not None and not tensor.constant:
            return f"input {place} is not constant"
    for name, places, types in (("weights", WEIGHTS, QUANTISED), ("bias", BIASES, {"int32"})):
        place = places.get(step.name, len(step.inputs))
        tensor = step.inputs[place] if place < len(step.inputs) else None
        if tensor is not None and tensor.type not in types:
            return f"{name} of {tensor.type}"
    return ""


def _mixture(step: Step) -> str:
    places = PARAMETERS.get(step.name, ())
    inputs = [tensor for n, tensor in enumerate(step.inputs) if tensor and n not in places]
    types = {tensor.type for tensor in (*inputs, *step.outputs)}
    mixed = len(types) > 1 and step.name not in MIXING
    return f"works on {' and '.join(sorted(types))}" if mixed else ""


def parameter_bytes(steps: Sequence[Step]) -> int:
    """Return the bytes of weights and biases; tensors that share a buffer count once."""
    sizes = {tensor.buffer: tensor.size_bytes for step in steps for tensor in step.constants}
    return sum(sizes.values())


def objections(model: Path) -> list[str]:
    """Return all that speaks against a file; empty if all of it is mapped and fits."""
    report = check(model)
    found = list(report.refusals)
    left = Counter((verdict.name, verdict.reason) for verdict in report.left)
    found += [f"{count} {name} on the processor: {why}" for (name, why), count in left.items()]
    if report.parameter_bytes > MAX_PARAMETER_BYTES:
        found.append(report.warnings[-1])
    return found


def lines(report: Report) -> list[str]:
    """Return the report for people; neighbours of one name, shape and fate share a line."""
    rows = []
    for _, group in groupby(report.verdicts, lambda v: (v.name, v.version, v.shape, v.reason)):
        same = list(group)
        first, last = same[0], same[-1]
        index = f"{first.index}" if len(same) == 1 else f"{first.index}-{last.index}"
        shape = "x".join(map(str, first.shape))
        fate = f"CPU: {first.reason}" if first.reason else "TPU"
        rows.append(f"{index:>9}  {first.name:<24} v{first.version}  {shape:<16}  {fate}")
    return [*rows, *(f"warning: {warning}" for warning in report.warnings), report.summary]


def main(argv: Sequence[str] | None = None) -> int:
    """Check a file and print what becomes of it."""
    parser = argparse.ArgumentParser(
        prog="python -m models.edgetpu_check", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--compile", action="store_true", help="if all is well, run edgetpu_compiler on the file"
    )
    args = parser.parse_args(argv)
    try:
        report = check(args.model)
    except UnreadableError as error:
        print(json.dumps({"status": REFUSED, "refusals": [str(error)]}) if args.json else error)
        return REFUSED
    if args.json:
        operators = [
            asdict(verdict) | {"on": "TPU" if verdict.mapped else "CPU"}
            for verdict in report.verdicts
        ]
        figures = asdict(report) | {"status": report.status, "summary": report.summary}
        figures["operators"] = operators
        del figures["verdicts"]
        print(json.dumps(figures, indent=1))
    else:
        print("\n".join([report.summary] if report.refusals else lines(report)))
    return run_compiler(args.model) if args.compile and not report.status else report.status


def run_compiler(model: Path) -> int:
    """Make MODEL_edgetpu.tflite beside the file with Google's compiler; returns its exit code."""
    compiler = shutil.which("edgetpu_compiler")
    if compiler is None:
        raise SystemExit("edgetpu_compiler: not found; Coral's pages say how to install it")
    command = [compiler, "--show_operations", "--out_dir", str(model.parent), str(model)]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
