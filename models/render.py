"""Render training pictures: `python -m models.render cutouts|streets|sheet --help`.

Picture i depends on the seed and on i alone, so a run may be stopped and started again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCRIPTS = Path(__file__).resolve().parent / "blender"
RESTART_AFTER = {"cutouts": 300, "streets": 12}
SHEET_COLUMNS, CELL_PX = 10, 160


def blender_command(script: str, arguments: Sequence[str]) -> list[str]:
    """Return the command that runs models/blender/<script> with the arguments."""
    program = which("blender")
    if program is None:
        raise SystemExit("blender is missing: apt-get install blender python3-numpy ffmpeg")
    return [
        program,
        "-b",
        "--factory-startup",
        "--python-exit-code",
        "3",
        "--python",
        str(SCRIPTS / script),
        "--",
        *arguments,
    ]


def finished(index: Path) -> set[int]:
    """Return the numbers of the pictures that the index file lists."""
    if not index.exists():
        return set()
    return {
        int(Path(json.loads(line)["file"]).stem)
        for line in index.read_text().splitlines()
        if line.strip()
    }


def chunks(numbers: Sequence[int], size: int) -> Iterator[list[int]]:
    """Yield the numbers in lists of at most size."""
    for start in range(0, len(numbers), size):
        yield list(numbers[start : start + size])


def smoothed(picture: Image.Image, passes: int = 2, contrast: float = 9.0) -> Image.Image:
    """Return an RGB picture with its grain smoothed over 3x3 pixels but not across edges.

    contrast is the difference in grey levels, between blurred neighbours, that counts half.
    """
    pixels = np.asarray(picture.convert("RGB"), np.float32)
    for _ in range(passes):
        # Grain all but vanishes in a blurred copy, so that what differs there is an edge.
        blurred = Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8)).filter(
            ImageFilter.GaussianBlur(0.9)
        )
        guide = np.asarray(blurred, np.float32)
        height, width = guide.shape[:2]
        padded, padded_guide = (
            np.pad(a, ((1, 1), (1, 1), (0, 0)), mode="edge") for a in (pixels, guide)
        )
        total, weights = pixels.copy(), np.ones((height, width, 1), np.float32)
        for dy, dx in np.ndindex(3, 3):
            if (dy, dx) != (1, 1):
                apart = (
                    np.abs(padded_guide[dy : dy + height, dx : dx + width] - guide).max(
                        axis=2, keepdims=True
                    )
                    / contrast
                )
                weight = np.float32(1.0 if 1 in {dy, dx} else 0.7) / (1 + apart**4)
                total += weight * padded[dy : dy + height, dx : dx + width]
                weights += weight
        pixels = total / weights
    return Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))


def collect(raw: Path, index: Path) -> None:
    """Turn the PNGs that the raw index lists into smoothed JPEGs and list those in the index."""
    if not raw.exists():
        return
    done = finished(index)
    for text in raw.read_text().splitlines(keepends=True):
        if not text.endswith("\n"):
            break
        line = json.loads(text)
        source = index.parent.parent / line["file"]
        if int(source.stem) in done or not source.exists():
            continue
        line["file"] = str(Path(line["file"]).with_suffix(".jpg"))
        with Image.open(source) as picture:
            smoothed(picture).save(source.with_suffix(".jpg"), quality=90)
        with index.open("a") as sink:
            sink.write(json.dumps(line) + "\n")
        source.unlink()


def run_chunks(
    what: str, out: Path, todo: list[list[int]], extra: Sequence[str], processes: int
) -> None:
    """Render lists of picture numbers, at most `processes` Blender processes at a time."""
    index = out / what / "index.jsonl"
    index.parent.mkdir(parents=True, exist_ok=True)
    total, before = sum(map(len, todo)), len(finished(index))
    raw = index.with_name("raw.jsonl") if what == "streets" else index
    queue, running = list(enumerate(todo)), list[subprocess.Popen[bytes]]()
    started, log = time.monotonic(), out / what / "blender.log"
    while queue or running:
        while queue and len(running) < processes:
            number, numbers = queue.pop(0)
            listing = out / what / f"todo-{number}.json"
            listing.write_text(json.dumps(numbers))
            arguments = ["--out", str(out), "--numbers", str(listing), "--index", str(raw), *extra]
            with log.open("ab") as sink:
                running.append(
                    subprocess.Popen(
                        blender_command(f"{what}.py", arguments), stdout=sink, stderr=sink
                    )
                )
        time.sleep(2)
        for process in [p for p in running if p.poll() is not None]:
            running.remove(process)
            if process.returncode:
                raise SystemExit(f"blender failed with status {process.returncode}: see {log}")
        if raw != index:
            collect(raw, index)
        done = len(finished(index)) - before
        print(
            f"\r{what}: {done}/{total} pictures, {time.monotonic() - started:.0f} s",
            end="",
            flush=True,
        )
    print()
    for listing in (out / what).glob("todo-*.json"):
        listing.unlink()


def render(what: str, args: argparse.Namespace) -> None:
    """Render the missing pictures of "cutouts" or "streets"."""
    done = finished(args.out / what / "index.jsonl")
    missing = [
        number for number in range(args.start, args.start + args.count) if number not in done
    ]
    extra = ["--seed", str(args.seed)]
    if what == "cutouts" and args.glb is not None:
        extra += ["--glb", str(args.glb)]
    if what == "cutouts" and args.only is not None:
        extra += ["--only", args.only]
    run_chunks(what, args.out, list(chunks(missing, RESTART_AFTER[what])), extra, args.processes)


def draw_sheet(folder: Path, out: Path, first: int, count: int) -> None:
    """Write a contact sheet of the pictures from first on, their camera boxes drawn in red."""
    lines = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    lines = sorted(lines, key=lambda line: str(line["file"]))[first : first + count]
    rows = -(-len(lines) // SHEET_COLUMNS)
    sheet = Image.new("RGB", (SHEET_COLUMNS * CELL_PX, rows * CELL_PX), (120, 130, 140))
    for place, line in enumerate(lines):
        picture = Image.open(folder / Path(line["file"]).name).convert("RGBA")
        pen = ImageDraw.Draw(picture)
        for camera in line["cameras"]:
            pen.rectangle(camera["box"], outline=(255, 0, 0, 255))
        picture.thumbnail((CELL_PX - 4, CELL_PX - 4))
        corner = (place % SHEET_COLUMNS * CELL_PX + 2, place // SHEET_COLUMNS * CELL_PX + 2)
        sheet.paste(picture, corner, picture)
    sheet.save(out)


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and render."""
    parser = argparse.ArgumentParser(prog="python -m models.render", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for what in ("cutouts", "streets"):
        command = commands.add_parser(what)
        command.add_argument("--out", type=Path, required=True, help="folder for the pictures")
        command.add_argument("--count", type=int, required=True, help="how many pictures in all")
        command.add_argument("--start", type=int, default=0, help="number of the first picture")
        command.add_argument("--seed", type=int, default=1)
        command.add_argument(
            "--processes", type=int, default=2, help="Blender processes at a time, one core each"
        )
        if what == "cutouts":
            command.add_argument(
                "--glb", type=Path, help="folder with .glb models of bullet cameras"
            )
            command.add_argument(
                "--only", choices=("cameras", "lookalikes"), help="leave out the other sort"
            )
    sheet = commands.add_parser("sheet", help="a contact sheet with boxes")
    sheet.add_argument("--dir", type=Path, required=True, help="folder that holds an index.jsonl")
    sheet.add_argument("--out", type=Path, required=True)
    sheet.add_argument("--first", type=int, default=0)
    sheet.add_argument("--count", type=int, default=100)
    args = parser.parse_args(argv)
    if args.command == "sheet":
        draw_sheet(args.dir, args.out, args.first, args.count)
    else:
        render(args.command, args)


if __name__ == "__main__":
    main(sys.argv[1:])
