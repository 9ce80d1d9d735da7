"""Measure a detector: `python -m models.evaluate --data DIR --model FILE`.

It looks with the scanner's own code: the same tiles, runtime and merging as on the device, each
picture once per model. --data is labelled in YOLO or COCO form; pictures of --negatives and
--held-out hold no camera. Intervals hold 95 % of 1000 resamples of the pictures.

With --renders, held-out composed tiles are measured too, at a row of thresholds: the shipped
threshold is chosen there and not on photographs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.charts import draw_curves
from models.figures import at_threshold, average_precision, match
from models.labels import pictures
from models.looks import EVERY_SCALE, WAYS, Remembering, as_arrays, look, open_detector
from models.measure import Seen, curves, difference, photographs, recall_at_alarms, without_cameras
from models.plan import TILE_PX
from models.sheet import draw_sheet, draw_worst
from models.sources import find_sources, is_left_out
from models.truth import Truth, read_truth
from scanner.errors import MediaError, ModelError
from scanner.hardware.closeup import CloseUp, closeup_beside
from scanner.hardware.tflite import RUNTIMES, TfliteDetector

LOWEST = 0.05  # score from which detections count for the average precision
THRESHOLD = 0.7
THRESHOLDS = (0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
TILES, TILES_SEED = 640, 9002
DATA = "photographs"


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
    rows = {}
    for threshold in THRESHOLDS:
        some = at_threshold(found, threshold)
        alarms = 100 * at_threshold(empty, threshold).wrong / max(len(empty), 1)
        rows[str(threshold)] = {
            "recall": round(some.recall, 3),
            "precision": round(some.precision, 3),
            "f1": round(some.f1, 3),
            "alarms_per_100_empty": round(alarms, 1),
        }
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


def show(figures: dict[str, Any], depth: int = 0) -> None:
    """Print the figures, a line each, or a line for a row of plain ones."""
    for name, value in figures.items():
        indent = "  " * depth
        if not isinstance(value, dict):
            print(f"{indent}{name}: {_plain(value)}")
        elif set(value) == {"value", "low", "high"}:
            low, high = _plain(value["low"]), _plain(value["high"])
            print(f"{indent}{name}: {_plain(value['value'])} (95 %: {low} to {high})")
        elif value and depth and not any(isinstance(inner, dict) for inner in value.values()):
            row = ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items())
            print(f"{indent}{name}: {row}")
        else:
            print(f"{indent}{name}:")
            show(value, depth + 1)


def _plain(value: object) -> str:
    return "-" if value is None else f"{value}"


def gather(args: argparse.Namespace) -> list[tuple[str, Truth]]:
    """Return the pictures that the options name, each with its group, and check that they exist.

    A folder's group has its name, or all of its path where another one has the same name.
    """
    found = [(DATA, truth) for truth in (read_truth(args.data) if args.data else [])]
    folders = [(folder, pictures(folder)) for folder in args.negatives]
    folders += [(folder, list(filter(is_left_out, pictures(folder)))) for folder in args.held_out]
    for folder, paths in folders:
        if not paths:
            raise SystemExit(f"{folder}: training left none of its pictures out")
        alone = sum(other.name == folder.name for other, _ in folders) == 1
        group = f"without a camera, {folder.name if alone else folder}"
        found += [(group, Truth.empty(path)) for path in paths]
    return found


def look_at_all(
    model: Path, gathered: Sequence[tuple[str, Truth]], args: argparse.Namespace
) -> tuple[Seen, dict[str, Any]]:
    """Return what a model sees, and the figures of it."""
    detector = Remembering(open_detector(model, min(LOWEST, args.threshold), args.runtime))
    beside = args.closeup or closeup_beside(args.model)
    closer = CloseUp(beside, args.runtime) if beside and not args.no_closeup else None
    looks = [look(detector, truth, group, closer) for group, truth in gathered]
    seen = Seen(looks, DATA, args.threshold)
    figures: dict[str, Any] = {"model": model.name, "threshold": args.threshold}
    if looks:
        figures |= {"tiles": detector.tiles, "ms_per_tile": round(detector.ms_per_tile, 2)}
    with_cameras = any(one.truth.kinds for one in seen.labelled)
    if with_cameras:
        figures[DATA] = photographs(seen)
        figures["recall at false alarms per picture"] = recall_at_alarms(seen)
    for group in dict.fromkeys(group for group, _ in gathered):
        if group != DATA or not with_cameras:
            figures[group] = without_cameras(seen, group)
    return seen, figures


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Return every figure that the options ask for and write what is to be drawn."""
    gathered = gather(args)
    seen, figures = look_at_all(args.model, gathered, args)
    drawn = curves(seen, WAYS)
    if args.float:
        other, theirs = look_at_all(args.float, gathered, args)
        figures["float"] = theirs
        if any(one.truth.kinds for one in seen.labelled):
            figures["above float"] = difference(seen, other)
            drawn += curves(other, (EVERY_SCALE,), f"{args.float.stem}, ")
    if args.renders:
        detector = open_detector(args.model, min(LOWEST, args.threshold), args.runtime)
        figures["held-out tiles"] = measure_tiles(detector, args.renders, args.held_out)
        if args.run:
            figures["ap50 on the same tiles before quantisation"] = measure_float(
                args.run, args.renders, args.held_out
            )
    if args.sheet:
        chosen = [
            (one.truth, [d for d in one.ways[EVERY_SCALE] if d.score >= args.threshold])
            for one in seen.looks
        ]
        draw_sheet(chosen, args.sheet)
    if args.worst:
        draw_worst(seen.looks, args.threshold, args.worst)
    if args.plot:
        draw_curves(drawn, args.plot)
    return figures


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/detector.tflite"))
    parser.add_argument("--data", type=Path, help="labelled pictures, YOLO or COCO form")
    parser.add_argument("--negatives", type=Path, action="append", default=[])
    parser.add_argument(
        "--held-out", type=Path, action="append", default=[],
        help="a --backgrounds folder of training: the pictures it left out, as negatives",
    )  # fmt: skip
    parser.add_argument("--closeup", type=Path, help="the network that looks at finds close up")
    parser.add_argument("--no-closeup", action="store_true", help="not even the one beside --model")
    parser.add_argument("--float", type=Path, help="a second file to compare with, as unquantised")
    parser.add_argument(
        "--runtime", choices=list(RUNTIMES), default="", help="else the first found"
    )
    parser.add_argument("--renders", type=Path, help="also composed tiles, at many thresholds")
    parser.add_argument("--run", type=Path, help="with --renders: its checkpoint too, as float")
    parser.add_argument("--threshold", type=float, default=THRESHOLD)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sheet", type=Path, help="write the pictures with boxes to this .png")
    parser.add_argument("--worst", type=Path, help="write misses and false alarms to this .png")
    parser.add_argument(
        "--plot", type=Path, help="write precision over recall to this .png or .svg"
    )
    args = parser.parse_args(argv)
    if not (args.data or args.negatives or args.held_out or args.renders):
        parser.error("nothing to measure: give --data, --negatives, --held-out or --renders")
    if args.plot and args.plot.suffix.lower() not in {".png", ".svg"}:
        parser.error("--plot must end in .png or .svg")
    if args.plot and not args.data:
        parser.error("--plot needs --data: without a camera there is no recall")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line, measure and print."""
    args = parse(argv)
    try:
        figures = measure(args)
    except (MediaError, ModelError) as error:
        raise SystemExit(str(error)) from None
    print(json.dumps(figures, indent=1)) if args.json else show(figures)


if __name__ == "__main__":
    main()
