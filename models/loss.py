"""Which cells answer for which camera, and what a wrong answer costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - PyTorch's own habit

from models.dataset import Tile
from models.plan import KINDS, STRIDES_PX

LEVEL_PX = {8: (0.0, 48.0), 16: (32.0, 112.0), 32: (80.0, 1e9)}  # larger side that a level takes
REACH = 1.5  # cells around a camera's middle that answer for it
LEAST_QUALITY = 0.3  # score wanted of a right cell whose box does not overlap at all
NEGATIVE_WEIGHT = 0.75
BOX_WEIGHT, KIND_WEIGHT = 2.0, 0.5


@dataclass(slots=True)
class Targets:
    """For one tile, all cells of all levels after each other: A of them.

    ``camera`` (A): number of the camera it answers for, -1 none, -2 does not count.
    """

    camera: Tensor
    boxes: Tensor
    kinds: Tensor


def cells(side_px: int) -> tuple[Tensor, Tensor]:
    """Return middles (A, 2) x, y and strides (A) of all cells of a tile."""
    middles, strides = [], []
    for stride in STRIDES_PX:
        steps = (torch.arange(side_px // stride) + 0.5) * stride
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        middles.append(torch.stack([x.flatten(), y.flatten()], 1))
        strides.append(torch.full((x.numel(),), float(stride)))
    return torch.cat(middles), torch.cat(strides)


def assign(tile: Tile, middles: Tensor, strides: Tensor) -> Targets:
    """Return which cells answer for which camera: near its middle, at the level of its size."""
    boxes, kinds = torch.from_numpy(tile.boxes), torch.from_numpy(tile.kinds)
    camera = torch.full((len(middles),), -1)
    ignored = torch.from_numpy(tile.ignored)
    if len(ignored):
        x, y = middles[:, None, 0], middles[:, None, 1]
        inside = (
            (x > ignored[:, 0]) & (x < ignored[:, 2]) & (y > ignored[:, 1]) & (y < ignored[:, 3])
        )
        camera[inside.any(1)] = -2
    if not len(boxes):
        return Targets(camera, boxes, kinds)
    sides = boxes[:, 2:] - boxes[:, :2]
    centres = (boxes[:, 2:] + boxes[:, :2]) / 2
    away = (middles[:, None] - centres[None]).abs()
    near = (away <= torch.maximum(strides[:, None, None] * REACH, torch.zeros(1))).all(2)
    reach = torch.maximum(sides[None] / 2, strides[:, None, None] / 2)
    inside = (away <= reach).all(2)
    larger = sides.max(1).values
    low = torch.tensor([LEVEL_PX[int(s)][0] for s in STRIDES_PX])
    high = torch.tensor([LEVEL_PX[int(s)][1] for s in STRIDES_PX])
    level = (strides.log2() - 3).long()
    fits = (larger[None] >= low[level][:, None]) & (larger[None] < high[level][:, None])
    cost = torch.where(near & inside & fits, sides.prod(1)[None], torch.inf)
    smallest, which = cost.min(1)
    camera = torch.where(smallest.isfinite(), which, camera)
    return Targets(camera, boxes, kinds)


def flatten(outputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return raw scores (N, A, 5) and distances (N, A, 4) from the network's outputs."""
    flat = [value.float().flatten(2).transpose(1, 2) for value in outputs]
    return torch.cat(flat[0::2], 1), torch.cat(flat[1::2], 1)


def corners(middles: Tensor, strides: Tensor, sides: Tensor) -> Tensor:
    """Return boxes (..., 4) in pixels from distances (..., 4) in strides."""
    reach = sides * strides[..., None]
    return torch.cat([middles - reach[..., :2], middles + reach[..., 2:]], -1)


def overlap(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return IoU and generalised IoU of boxes (n, 4) pairwise, (n) each."""
    low, high = (
        torch.maximum(first[:, :2], second[:, :2]),
        torch.minimum(first[:, 2:], second[:, 2:]),
    )
    common = (high - low).clamp(min=0).prod(1)
    area = (first[:, 2:] - first[:, :2]).clamp(min=0).prod(1)
    union = area + (second[:, 2:] - second[:, :2]).prod(1) - common + 1e-6
    low, high = (
        torch.minimum(first[:, :2], second[:, :2]),
        torch.maximum(first[:, 2:], second[:, 2:]),
    )
    hull = (high - low).clamp(min=0).prod(1) + 1e-6
    iou = common / union
    return iou, iou - (hull - union) / hull


def away_from(boxes: Tensor, middles: Tensor) -> Tensor:
    """Return which cells (A) lie outside of all boxes (n, 4) enlarged by half."""
    if not len(boxes):
        return torch.ones(len(middles), dtype=torch.bool)
    centres, reach = (boxes[:, 2:] + boxes[:, :2]) / 2, (boxes[:, 2:] - boxes[:, :2]) * 0.75 + 8
    return ((middles[:, None] - centres).abs() > reach).any(2).all(1)


def total(
    outputs: Sequence[Tensor], tiles: Sequence[Tile]
) -> tuple[Tensor, dict[str, float], list[float]]:
    """Return the loss of a batch, its parts, and the highest wrong score of each tile."""
    raw, sides = flatten(outputs)
    middles, strides = cells(tiles[0].pixels.shape[0])
    targets = [assign(tile, middles, strides) for tile in tiles]
    camera = torch.stack([target.camera for target in targets])
    tile_of, cell = torch.nonzero(camera >= 0, as_tuple=True)
    first = torch.tensor([0, *[len(t.boxes) for t in targets]]).cumsum(0)
    which = first[tile_of] + camera[tile_of, cell]
    truth = torch.cat([target.boxes for target in targets])[which]
    kinds = torch.cat([target.kinds for target in targets])[which]

    made = corners(middles[cell], strides[cell], sides[tile_of, cell])
    iou, generalised = overlap(made, truth)
    count = max(len(which), 1)
    box = (1 - generalised).sum() / count

    wanted = torch.zeros(camera.shape)
    quality = LEAST_QUALITY + (1 - LEAST_QUALITY) * iou.detach().clamp(0, 1)
    wanted[tile_of, cell] = quality
    likely = raw[..., 0].detach().sigmoid()
    weight = torch.where(camera >= 0, wanted, NEGATIVE_WEIGHT * likely**2) * (camera != -2)
    score = F.binary_cross_entropy_with_logits(raw[..., 0], wanted, weight, reduction="sum") / count

    known = kinds >= 0
    one_hot = F.one_hot(kinds.clamp(min=0), len(KINDS)).float()
    kind = F.binary_cross_entropy_with_logits(
        raw[tile_of, cell, 1:], one_hot, reduction="none"
    ).mean(1)
    kind = (kind * known).sum() / max(int(known.sum()), 1)
    loss = score + BOX_WEIGHT * box + KIND_WEIGHT * kind
    parts = {"score": score.item(), "box": box.item(), "kind": kind.item()}
    alone = torch.stack([away_from(target.boxes, middles) for target in targets])
    wrong = torch.where((camera == -1) & alone, likely, 0.0).max(1).values
    return loss, parts, wrong.tolist()
