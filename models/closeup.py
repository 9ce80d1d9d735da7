"""Make the close-up network: `python -m models.closeup --renders DIR --out RUN`.

A linear probe (Alain and Bengio, "Understanding intermediate layers using linear classifier
probes", 2016): EfficientNet-Lite0's ImageNet features, untouched, as its block 10 gives them for
a find and its surroundings, averaged over the middle, and a logistic regression between cameras
and whatever else the detector finds on composed tiles. Features that were learned from photographs
know more about photographs than what was tuned on renders.

Three steps: close-ups of finds are gathered in RUN (resumable), the regression is fitted, and the
network is written with the Python that has TensorFlow.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.dataset import Composer, Tile
from models.plan import BLOCKS, CLOSEUP_BLOCK, CLOSEUP_CELLS, CLOSEUP_PX, TILE_PX
from models.sources import find_sources
from scanner.core.tiles import iou
from scanner.hardware.closeup import close_up, log_odds
from scanner.hardware.tflite import TfliteDetector
from scanner.records import Box

MIDDLE = slice(2, 6)  # of the cells
TILES, HELD_OUT_TILES, PART = 6000, 1500, 500
SEED = 77
CAMERA_FROM, OTHER_FROM = 0.2, 0.3  # detector's score
CAMERA_IOU, OTHER_IOU = 0.5, 0.1
RIDGE = 0.01  # of the mean loss, on standardised features
SPREAD_FLOOR = 0.01  # of a feature's standard deviation
THRESHOLD = 0.7
CALIBRATION, PARITY = 200, 8


@dataclass(slots=True)
class Finds:
    """Close-ups (n, S, S, 3), whether each is a camera (n), and the detector's scores (n)."""

    pixels: NDArray[np.uint8]
    cameras: NDArray[np.bool_]
    scores: NDArray[np.float64]


def finds_of(tile: Tile, detector: TfliteDetector) -> Finds:
    """What the detector finds on a composed tile, without what is neither right nor wrong."""
    boxes, ignored = ([Box(*map(float, b)) for b in some] for some in (tile.boxes, tile.ignored))
    rows: list[tuple[NDArray[np.uint8], bool, float]] = []
    for found in detector.infer(tile.pixels):
        right = max((iou(found.box, box) for box in boxes), default=0.0)
        unclear = max((iou(found.box, box) for box in ignored), default=0.0)
        camera = right >= CAMERA_IOU
        other = found.score >= OTHER_FROM and right < OTHER_IOU and unclear < OTHER_IOU
        if camera or other:
            rows.append((close_up(tile.pixels, found.box, CLOSEUP_PX), camera, found.score))
    return Finds(
        np.array([row[0] for row in rows], np.uint8).reshape(-1, CLOSEUP_PX, CLOSEUP_PX, 3),
        np.array([row[1] for row in rows], bool),
        np.array([row[2] for row in rows], float),
    )


def gather(args: argparse.Namespace, *, held_out: bool) -> Finds:
    """Finds on many tiles, a file in RUN for each PART of them; those that are there stay."""
    sources = find_sources(args.renders, args.backgrounds, held_out=held_out)
    composer = Composer(sources, TILE_PX, SEED)
    detector = TfliteDetector(args.detector, threshold=CAMERA_FROM)
    name = "held-out" if held_out else "training"
    parts = range((HELD_OUT_TILES if held_out else args.tiles) // PART)
    files = [args.out / f"{name}-{part}.npz" for part in parts]
    for part, file in enumerate(tqdm(files, f"{name}, {PART} tiles each")):
        if file.exists():
            continue
        numbers = range(part * PART, (part + 1) * PART)
        joined = join([finds_of(composer.tile(number), detector) for number in numbers])
        partial = file.with_suffix(".partial.npz")
        np.savez(partial, pixels=joined.pixels, cameras=joined.cameras, scores=joined.scores)
        partial.replace(file)
    return join([Finds(**np.load(file)) for file in files])


def join(parts: Sequence[Finds]) -> Finds:
    """All of them, in order."""
    return Finds(
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.cameras for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def fit(args: argparse.Namespace) -> None:
    """Fit the regression, weigh it against the detector's scores, and write RUN/arrays.npz."""
    from models.probe import Probe, logistic_regression  # noqa: PLC0415 - only this has PyTorch

    training, held_out = gather(args, held_out=False), gather(args, held_out=True)
    probe = Probe(CLOSEUP_BLOCK)
    seen = probe.features(training.pixels, MIDDLE)
    mean, spread = seen.mean(0), seen.std(0) + SPREAD_FLOOR
    weights, bias = logistic_regression((seen - mean) / spread, training.cameras, RIDGE)
    weights = weights / spread
    bias -= float(mean @ weights)
    alone = probe.features(held_out.pixels, MIDDLE) @ weights + bias
    detector = np.array([log_odds(score) for score in held_out.scores])
    shares, _ = logistic_regression(np.stack([detector, alone], 1), held_out.cameras, 0.0)
    evidence = shares[1] / shares[0] * alone
    shift = same_at_threshold(detector, evidence, held_out.cameras)
    together = detector + evidence + shift
    for what, values in (("detector", detector), ("close-up", alone), ("both", together)):
        print(f"{what}: {ranked_right(values, held_out.cameras):.3f} of the pairs ranked rightly")
    print(f"{len(training.cameras)} finds, {training.cameras.sum()} of cameras;", end=" ")
    print(f"{len(held_out.cameras)} held out; the close-up counts {shares[1] / shares[0]:.2f}")
    kernel = np.zeros((CLOSEUP_CELLS, CLOSEUP_CELLS, BLOCKS[CLOSEUP_BLOCK][3], 1), np.float32)
    cells = (MIDDLE.stop - MIDDLE.start) ** 2
    kernel[MIDDLE, MIDDLE, :, 0] = weights * shares[1] / shares[0] / cells
    np.savez(
        args.out / "arrays.npz",
        tiles=training.pixels[:: max(1, len(training.cameras) // CALIBRATION)],
        truth=(evidence + shift)[:PARITY],
        checked=held_out.pixels[:PARITY],
        **probe.folded(),
        **{"evidence/kernel": kernel, "evidence/bias": [bias * shares[1] / shares[0] + shift]},
    )


def same_at_threshold(
    detector: NDArray[np.float64], evidence: NDArray[np.float64], cameras: NDArray[np.bool_]
) -> float:
    """The shift of the evidence with which as many cameras pass the threshold as without it."""
    limit = log_odds(THRESHOLD)
    passing = int((detector[cameras] >= limit).sum())
    return float(limit - np.sort((detector + evidence)[cameras])[::-1][passing - 1])


def ranked_right(values: NDArray[np.float64], cameras: NDArray[np.bool_]) -> float:
    """Share of pairs of a camera and something else in which the camera has the higher value."""
    others = np.sort(values[~cameras])
    return float(np.searchsorted(others, values[cameras]).mean() / max(len(others), 1))


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step asked for; without one, all after each other."""
    parser = argparse.ArgumentParser(prog="python -m models.closeup", description=__doc__)
    parser.add_argument("step", nargs="?", choices=("all", "fit"), default="all")
    parser.add_argument("--renders", type=Path, required=True, help="as in models.train")
    parser.add_argument("--backgrounds", type=Path, action="append", default=[])
    parser.add_argument("--detector", type=Path, default=Path("models/detector.tflite"))
    parser.add_argument("--tiles", type=int, default=TILES)
    parser.add_argument("--out", type=Path, required=True, help="folder of this run")
    parser.add_argument("--file", type=Path, default=Path("models/closeup.tflite"))
    parser.add_argument("--keras-python", default=sys.executable, help="Python with tensorflow-cpu")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    fit(args)
    if args.step == "all":
        command = [args.keras_python, "-m", "models.closeup_file"]
        subprocess.run([*command, args.out / "arrays.npz", args.file], check=True)


if __name__ == "__main__":
    main()
