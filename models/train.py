"""Train the detector: `python -m models.train --renders DIR --out RUN --minutes 60`.

Learning rates follow a cosine that ends after --minutes of training, however many tiles that is,
or after --tiles. RUN/checkpoint.pt is written every few minutes; --resume goes on from it.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from models.again import Again
from models.dataset import Composer, Tile
from models.figures import Found, at_threshold, average_precision, match, suppress
from models.labels import read_labelled
from models.loss import cells, corners, flatten, total
from models.network import Network, backbone_file, load_backbone
from models.plan import TILE_PX
from models.quantised import QuantisedNetwork
from models.sources import find_sources

BACKBONE_SHARE = 0.25  # of the learning rate
WEIGHT_DECAY = 0.02
WARM_UP = 150  # batches
AVERAGE = 0.998  # of the weights' running mean, per batch
VALIDATION_TILES, VALIDATION_SEED = 160, 9001
LOOK_AGAIN = 1000  # tiles after which the folders are read again
LEAST_SCORE = 0.05


class Tiles(Dataset[Tile]):
    """Tiles of a composer; the folders are read again now and then, as pictures may be added."""

    def __init__(self, args: argparse.Namespace, first: int) -> None:
        self.args, self.first = args, first
        self.composer = Composer(self._sources(), TILE_PX, args.seed)

    def _sources(self):  # noqa: ANN202 - sources
        return find_sources(self.args.renders, self.args.backgrounds, self.args.data)

    def __len__(self) -> int:
        return 1 << 40

    def __getitem__(self, number: int) -> Tile:
        if number % LOOK_AGAIN == LOOK_AGAIN - 1:
            self.composer.sources = self._sources()
        return self.composer.tile(self.first + number)


@dataclass(slots=True)
class Run:
    """What training goes on from: weights, their running mean, the optimiser and what is done."""

    network: Network
    average: Network
    optimiser: torch.optim.Optimizer
    batches: int = 0
    tiles: int = 0
    seconds: float = 0.0

    def save(self, folder: Path) -> None:
        """Write RUN/checkpoint.pt, whole or not at all."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "done": {"batches": self.batches, "tiles": self.tiles, "seconds": self.seconds},
        }
        torch.save(state, folder / "checkpoint.partial")
        (folder / "checkpoint.partial").replace(folder / "checkpoint.pt")

    def load(self, file: Path, *, weights_only: bool) -> None:
        """Go on from a checkpoint, or only start with its weights."""
        if not file.exists():
            raise SystemExit(f"{file}: no such checkpoint")
        state = torch.load(file, map_location="cpu", weights_only=True)
        self.average.load_state_dict(state["average"])
        self.network.load_state_dict(state["average" if weights_only else "network"])
        if not weights_only:
            self.optimiser.load_state_dict(state["optimiser"])
            done = state["done"]
            self.batches, self.tiles, self.seconds = done["batches"], done["tiles"], done["seconds"]


def new_run(args: argparse.Namespace) -> Run:
    """Return a run with ImageNet weights in the backbone, or that of --resume or --start."""
    torch.manual_seed(args.seed)
    made = QuantisedNetwork if args.quantise else Network
    network = made(args.frozen_blocks).to(memory_format=torch.channels_last)
    load_backbone(network, backbone_file())
    groups = []
    for backbone in (False, True):
        for decayed in (False, True):
            chosen = [
                p
                for name, p in network.named_parameters()
                if p.requires_grad
                and (".block" in name or ".stem" in name) == backbone
                and (p.ndim > 1) == decayed
            ]
            rate = args.rate * (BACKBONE_SHARE if backbone else 1.0)
            decay = WEIGHT_DECAY * decayed
            groups.append({"params": chosen, "lr": rate, "rate": rate, "weight_decay": decay})
    run = Run(network, copy.deepcopy(network), torch.optim.AdamW(groups))
    if args.resume:
        run.load(args.out / "checkpoint.pt", weights_only=False)
    elif args.start:
        run.load(args.start, weights_only=True)
    return run


def set_rate(run: Run, progress: float) -> None:
    """Set learning rates: a warm-up, then a cosine down to a fiftieth at ``progress`` 1."""
    warm = min(1.0, (run.batches + 1) / WARM_UP)
    share = 0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * min(progress, 1.0)))
    for group in run.optimiser.param_groups:
        group["lr"] = group["rate"] * warm * share


def to_input(tiles: Sequence[Tile]) -> torch.Tensor:
    """Return the tiles' pixels / 255 as (N, 3, S, S)."""
    pixels = torch.from_numpy(np.stack([tile.pixels for tile in tiles]))
    return (pixels.permute(0, 3, 1, 2).float() / 255).contiguous(memory_format=torch.channels_last)


def step(run: Run, tiles: Sequence[Tile]) -> tuple[dict[str, float], list[float]]:
    """Learn from one batch; returns the parts of its loss and each tile's highest wrong score."""
    run.network.train()
    exact = isinstance(run.network, QuantisedNetwork)  # 16 bits would round more than int8 does
    with torch.autocast("cpu", torch.bfloat16, enabled=not exact):
        outputs = run.network(to_input(tiles))
    loss, parts, wrong = total(outputs, tiles)
    run.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(run.network.parameters(), 10.0)
    run.optimiser.step()
    share = min(AVERAGE, (1 + run.batches) / (10 + run.batches))
    with torch.no_grad():
        for mean, value in zip(
            run.average.state_dict().values(), run.network.state_dict().values(), strict=True
        ):
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - share)
            else:
                mean.copy_(value)
    run.batches += 1
    run.tiles += len(tiles)
    return parts, wrong


def validate(network: Network, composer: Composer, count: int = VALIDATION_TILES) -> list[Found]:
    """Return what the network finds in the composer's first ``count`` tiles, a multiple of 16."""
    network.eval()
    middles, strides = cells(composer.side)
    found = []
    for start in range(0, count, 16):
        tiles = [composer.tile(start + offset) for offset in range(16)]
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            raw, sides = flatten(network(to_input(tiles)))
        boxes = corners(middles, strides, sides.clamp(0, 6)).clamp(0, composer.side).numpy()
        scores = raw[..., 0].sigmoid().numpy()
        for tile, box, score in zip(tiles, boxes, scores, strict=True):
            some = score >= LEAST_SCORE
            kept = suppress(box[some], score[some])
            found.append(match(box[some][kept], score[some][kept], tile.boxes, tile.ignored))
    return found


def batches(args: argparse.Namespace, first: int) -> Iterator[list[Tile]]:
    """Yield batches of new tiles, composed by another process."""
    dataset = Tiles(args, first)
    numbers = iter(range(1 << 40))
    loader = DataLoader(
        dataset,
        args.batch,
        sampler=numbers,
        num_workers=args.workers,
        collate_fn=list,
        prefetch_factor=4 if args.workers else None,
    )
    yield from loader


def train(args: argparse.Namespace) -> None:
    """Train until the time or the tiles are used up."""
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    for folder in args.data:
        print(read_labelled(folder).summary)
    run = new_run(args)
    held_out = find_sources(args.renders, args.backgrounds, held_out=True)
    composer = Composer(held_out, TILE_PX, VALIDATION_SEED)
    began = previous = time.monotonic()
    before, saved, means = run.seconds, run.seconds, dict[str, float]()
    counted = run.tiles
    again = Again(args.seed)
    for new in batches(args, run.tiles):
        tiles = new + again.take(len(new) // 4)
        progress = run.tiles / args.tiles if args.tiles else run.seconds / (args.minutes * 60)
        set_rate(run, progress)
        parts, wrong = step(run, tiles)
        again.offer(new, wrong)
        run.seconds = before + time.monotonic() - began
        for name, value in parts.items():
            means[name] = means.get(name, value) * 0.98 + value * 0.02
        if run.batches % args.report == 0:
            now = time.monotonic()
            speed = (run.tiles - counted) / (now - previous)
            previous, counted = now, run.tiles
            text = ", ".join(f"{name} {value:.3f}" for name, value in means.items())
            print(
                f"{run.seconds / 60:.1f} min, {run.tiles} tiles, {speed:.1f}/s: {text}", flush=True
            )
        finished = progress >= 1
        if finished or run.seconds - saved > args.save_minutes * 60:
            saved = run.seconds
            run.save(args.out)
            report(args.out, run, validate(run.average, composer))
        if finished:
            return


def report(folder: Path, run: Run, found: list[Found]) -> None:
    """Print the figures on held-out tiles and add them to RUN/log.jsonl."""
    some = at_threshold(found, 0.4)
    line = {
        "minutes": round(run.seconds / 60, 1),
        "tiles": run.tiles,
        "ap50": round(average_precision(found), 4),
        "recall": round(some.recall, 4),
        "precision": round(some.precision, 4),
    }
    print(f"held-out tiles: {line}", flush=True)
    with (folder / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__)
    parser.add_argument("--renders", type=Path, required=True, help="folder of models.render")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    parser.add_argument("--backgrounds", type=Path, action="append", default=[])
    parser.add_argument(
        "--data", type=Path, action="append", default=[], help="YOLO or COCO folder"
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--tiles", type=int, default=0, help="end after so many instead")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--frozen-blocks", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--save-minutes", type=float, default=5.0)
    parser.add_argument("--report", type=int, default=50, help="batches between lines")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--quantise", action="store_true",
        help="compute as the int8 file will; for the last part of training, with --start",
    )  # fmt: skip
    parser.add_argument("--resume", action="store_true", help="go on from RUN/checkpoint.pt")
    parser.add_argument("--start", type=Path, help="checkpoint whose weights to begin with")
    train(parser.parse_args(argv))


if __name__ == "__main__":
    main()
