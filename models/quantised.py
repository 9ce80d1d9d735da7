"""The network as the int8 file will compute it, to train with: `models.train --quantise`.

Normalisation is folded with its running figures, kernels are rounded to int8 per channel and
every node's output per tensor over the extremes seen, as TensorFlow Lite's converter does after
training. Rounding lets the gradient pass (Jacob et al., "Quantization and Training of Neural
Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - PyTorch's own habit

from models.network import Network
from models.plan import MAX_DISTANCE, Node, pads

LEVELS = 255
FORGET = 0.9995  # of an extreme, per batch: the converter sees fewer tiles than training does
SMALLEST = 1e-6


class QuantisedNetwork(Network):
    """Takes and gives what ``Network`` does, and has the same weights under the same names."""

    def __init__(self, frozen_blocks: int = 5) -> None:
        super().__init__(frozen_blocks)
        self.ranges: dict[str, tuple[float, float]] = {}

    def _run(self, node: Node, inputs: list[Tensor]) -> Tensor:
        if node.op == "double":  # copies values that are rounded already
            return super()._run(node, inputs)
        value = super()._run(node, inputs) if node.op == "add" else self._convolve(node, inputs[0])
        return self._rounded(node.name, value)

    def _convolve(self, node: Node, value: Tensor) -> Tensor:
        conv = self.convs[node.weights]
        kernel, bias = conv.weight, conv.bias
        if node.norm:
            norm = self.norms[node.name]
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            kernel = kernel * scale[:, None, None, None]
            bias = norm.bias - norm.running_mean * scale
        largest = kernel.detach().abs().amax((1, 2, 3)).clamp(min=SMALLEST)
        kernel = torch.fake_quantize_per_channel_affine(
            kernel, largest / 127, torch.zeros(len(largest), dtype=torch.int32), 0, -127, 127
        )
        before, after = pads(node.kernel, node.stride)
        value = F.pad(value, (before, after, before, after))
        value = F.conv2d(value, kernel, bias, node.stride, groups=conv.groups)
        if node.weights == "sides":
            return value + (value.clamp(0.0, MAX_DISTANCE) - value).detach()
        return F.relu6(value) if node.activation == "relu6" else value

    def _rounded(self, name: str, value: Tensor) -> Tensor:
        low, high = self.ranges.get(name, (0.0, 0.0))
        if self.training or name not in self.ranges:
            extremes = torch.aminmax(value.detach())
            low = min(low * FORGET, extremes.min.item())
            high = max(high * FORGET, extremes.max.item())
            self.ranges[name] = low, high
        step = max((high - low) / LEVELS, SMALLEST)
        zero = max(-128, min(127, round(-128 - low / step)))
        return torch.fake_quantize_per_tensor_affine(value, step, zero, -128, 127)
