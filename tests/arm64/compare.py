"""What `scanner detect` finds on two machines, side by side.

    python tests/arm64/compare.py pictures FOLDER
    python tests/arm64/compare.py answers HERE.jsonl THERE.jsonl

The first writes frames of the demo's walk. The second pairs the cameras of each picture and fails
if one without a partner is more than a hair above the threshold, or a pair's IoU is below 0.9:
processors round int8 networks differently.
"""

import json
import sys
from pathlib import Path
from typing import Any

from PIL import Image

IOU_BAR = 0.9
THRESHOLD, HAIR = 0.7, 0.06  # of the score: a camera so near the threshold may be on either side
STEP = 12


def pictures(folder: Path) -> None:
    """Every so many frames of the demo's walk, as PNG files."""
    import av  # noqa: PLC0415 - only here

    video = Path(__file__).parents[2] / "scanner/demo/walk.mp4"
    with av.open(str(video)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % STEP == 0:
                Image.fromarray(frame.to_ndarray(format="rgb24")).save(folder / f"{number:03}.png")


def iou(a: list[float], b: list[float]) -> float:
    """Intersection over union of two boxes."""
    wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    high = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = wide * high
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return both / (areas - both)


def read(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Name of a picture -> its cameras."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {Path(line["image"]).name: line["cameras"] for line in lines}


def answers(here: Path, there: Path) -> tuple[bool, str]:
    """Print a line per picture; whether they are the same cameras, and a line with the figures."""
    ours, theirs = read(here), read(there)
    differ, overlaps, alone = 0, [], []
    for name, cameras in sorted(ours.items()):
        others = theirs.get(name, [])
        left = list(others)
        lowest = 1.0
        for camera in cameras:
            best = max(left, key=lambda c: iou(c["box"], camera["box"]), default=None)
            if best is None or iou(best["box"], camera["box"]) < IOU_BAR / 2:
                alone.append(camera)
                continue
            left.remove(best)
            overlap = iou(best["box"], camera["box"])
            overlaps.append(overlap)
            lowest = min(lowest, overlap)
            differ += overlap < IOU_BAR or best["kind"] != camera["kind"]
        alone += left
        print(f"{name}: {len(cameras)} here, {len(others)} there, lowest IoU {lowest:.3f}")
    near = [camera["score"] for camera in alone if camera["score"] <= THRESHOLD + HAIR]
    differ += len(alone) - len(near)
    words = (
        f"detect: {len(ours)} pictures, {len(overlaps)} cameras in both, lowest IoU "
        f"{min(overlaps, default=0.0):.3f}; {len(near)} near the threshold in one only; "
        f"{differ} differ"
    )
    return bool(overlaps) and not differ and ours.keys() == theirs.keys(), words


def main() -> int:
    """The command line."""
    what, *paths = sys.argv[1:]
    if what == "pictures":
        pictures(Path(paths[0]))
        return 0
    same, words = answers(Path(paths[0]), Path(paths[1]))
    print(words)
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
