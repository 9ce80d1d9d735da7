"""Measure a detector: `python -m models.evaluate --model FILE --data DIR --negatives DIR`.

It looks with the scanner's own code: the same tiles, runtime and merging as on the device. With
--renders, held-out composed tiles are measured too, at a row of thresholds: the shipped threshold
is chosen there and not on photographs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.figures import Found, at_threshold, average_precision, match
from models.plan import TILE_PX
from models.sheet import draw_sheet
from models.sources import find_sources, pictures
from models.truth import Truth, read_truth
from scanner.core.tiles import Tile
from scanner.errors import ModelError
from scanner.hardware.tflite import TfliteDetector
from scanner.looking import detect_everywhere, look_at
from scanner.records import Detection

LOWEST = 0.05  # score from which detections count for the average precision
THRESHOLD = 0.65
THRESHOLDS = (0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
TILES, TILES_SEED = 400, 9002


def as_arrays(detections: Sequence[Detection]) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes (n, 4) and scores (n)."""
    boxes = [(d.box.x0, d.box.y0, d.box.x1, d.box.y1) for d in detections]
    scores = np.array([d.score for d in detections], np.float32)
    return np.array(boxes, np.float32).reshape(-1, 4), scores


def compare(detections: Sequence[Detection], truth: Truth) -> Found:
    """Return which detections are right."""
    return match(*as_arrays(detections), truth.boxes, truth.ignored)


def load(path: Path) -> np.ndarray:
    """Return a picture as (H, W, 3)."""
    return np.asarray(Image.open(path).convert("RGB"))


def look_once(detector: TfliteDetector, pixels: np.ndarray) -> list[Detection]:
    """Return what a single look at the whole picture finds."""
    height, width = pixels.shape[:2]
    return look_at(detector, pixels, [Tile(0, 0, max(height, width))])


def measure_data(
    detector: TfliteDetector, folder: Path, threshold: float, seen: list[Any]
) -> dict[str, Any]:
    """Return the figures on labelled photographs; ``seen`` gets pictures and detections."""
    everywhere, once = [], []
    kinds: dict[str, list[int]] = {}
    for truth in read_truth(folder):
        pixels = load(truth.path)
        detections = detect_everywhere(detector, pixels)
        found = compare(detections, truth)
        everywhere.append(found)
        once.append(compare(look_once(detector, pixels), truth))
        order = sorted(detections, key=lambda d: -d.score)
        named = {
            int(number): order[place].kind.value
            for place, number in enumerate(found.matches)
            if number >= 0 and found.scores[place] >= threshold
        }
        for number, kind in enumerate(truth.kinds):
            row = kinds.setdefault(kind, [0, 0, 0])
            row[0] += 1
            row[1] += number in named
            row[2] += named.get(number) == kind
        seen.append((truth, [d for d in detections if d.score >= threshold]))
    some = at_threshold(everywhere, threshold)
    return {
        "pictures": len(everywhere),
        "cameras": some.wanted,
        "ap50": round(average_precision(everywhere), 4),
        "ap50_one_look": round(average_precision(once), 4),
        "recall": round(some.recall, 4),
        "precision": round(some.precision, 4),
        "recall_one_look": round(at_threshold(once, threshold).recall, 4),
        "kinds": {
            kind: {"cameras": row[0], "found": row[1], "kind_right": row[2]}
            for kind, row in sorted(kinds.items())
        },
    }


def measure_negatives(
    detector: TfliteDetector, paths: Sequence[Path], threshold: float, seen: list[Any]
) -> dict[str, Any]:
    """Return false alarms on pictures without a camera."""
    alarms = []
    for path in paths:
        found = [d for d in detect_everywhere(detector, load(path)) if d.score >= threshold]
        alarms.append(len(found))
        seen.append((Truth.empty(path), found))
    return {
        "pictures": len(paths),
        "false_alarms": sum(alarms),
        "false_alarms_per_100": round(100 * sum(alarms) / len(paths), 1),
        "pictures_with_one": sum(count > 0 for count in alarms),
    }


def measure_tiles(
    detector: TfliteDetector, renders: Path, backgrounds: Sequence[Path]
) -> dict[str, Any]:
    """Return figures on held-out composed tiles at a row of thresholds."""
    from models.dataset import Composer  # noqa: PLC0415 - measuring photographs needs none of it

    sources = find_sources(renders, backgrounds, held_out=True)
    composer = Composer(sources, detector.tile_size, TILES_SEED)
    found = []
    for number in range(TILES):
        tile = composer.tile(number)
        boxes, scores = as_arrays(detector.infer(tile.pixels))
        found.append(match(boxes, scores, tile.boxes, tile.ignored))
    empty = [one for one in found if not one.wanted]
    rows = []
    for threshold in THRESHOLDS:
        some = at_threshold(found, threshold)
        rows.append(
            {
                "threshold": threshold,
                "recall": round(some.recall, 3),
                "precision": round(some.precision, 3),
                "f1": round(some.f1, 3),
                "alarms_per_100_empty": round(
                    100 * at_threshold(empty, threshold).wrong / max(len(empty), 1), 1
                ),
            }
        )
    return {"tiles": TILES, "ap50": round(average_precision(found), 4), "thresholds": rows}


def measure_float(run: Path, renders: Path, backgrounds: Sequence[Path]) -> float:
    """Return the average precision of the checkpoint that the file was exported from."""
    import torch  # noqa: PLC0415 - only this figure needs it

    from models.dataset import Composer  # noqa: PLC0415
    from models.network import Network  # noqa: PLC0415
    from models.train import validate  # noqa: PLC0415

    state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
    network = Network()
    network.load_state_dict(state["average"])
    composer = Composer(find_sources(renders, backgrounds, held_out=True), TILE_PX, TILES_SEED)
    return round(average_precision(validate(network, composer, TILES)), 4)


def show(figures: dict[str, Any]) -> None:
    """Print the figures, a line each."""
    for name, value in figures.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for key, inner in value.items():
                if key == "thresholds":
                    for row in inner:
                        print("  " + ", ".join(f"{k} {v}" for k, v in row.items()))
                else:
                    print(f"  {key}: {inner}")
        else:
            print(f"{name}: {value}")


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Return every figure that the options ask for and write the sheet."""
    detector = TfliteDetector(args.model, threshold=min(LOWEST, args.threshold))
    figures: dict[str, Any] = {"model": args.model.name, "threshold": args.threshold}
    seen: list[Any] = []
    if args.data:
        figures["photographs"] = measure_data(detector, args.data, args.threshold, seen)
    folders = [(folder, pictures(folder)) for folder in args.negatives]
    folders += [(folder, pictures(folder)[1::2]) for folder in args.held_out]
    for folder, paths in folders:
        figures[f"without a camera, {folder.name}"] = measure_negatives(
            detector, paths, args.threshold, seen
        )
    if args.renders:
        figures["held-out tiles"] = measure_tiles(detector, args.renders, args.held_out)
        if args.run:
            figures["ap50 on the same tiles before quantisation"] = measure_float(
                args.run, args.renders, args.held_out
            )
    if args.sheet:
        draw_sheet(seen, args.sheet)
    return figures


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line, measure and print."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/detector.tflite"))
    parser.add_argument("--data", type=Path, help="images/, labels/, kinds.csv, ignore.csv")
    parser.add_argument("--negatives", type=Path, action="append", default=[])
    parser.add_argument(
        "--held-out", type=Path, action="append", default=[],
        help="a --backgrounds folder of training: the pictures it left out, as negatives",
    )  # fmt: skip
    parser.add_argument("--renders", type=Path, help="also composed tiles, at many thresholds")
    parser.add_argument("--run", type=Path, help="with --renders: its checkpoint too, as float")
    parser.add_argument("--threshold", type=float, default=THRESHOLD)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sheet", type=Path, help="write pictures with boxes to this .png")
    args = parser.parse_args(argv)
    if not (args.data or args.negatives or args.held_out or args.renders):
        parser.error("nothing to measure: give --data, --negatives, --held-out or --renders")
    try:
        figures = measure(args)
    except ModelError as error:
        raise SystemExit(str(error)) from None
    print(json.dumps(figures, indent=1)) if args.json else show(figures)


if __name__ == "__main__":
    main()
