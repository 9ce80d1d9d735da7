"""What the backbone, as ImageNet left it, sees in close-ups; and a logistic regression."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from models.network import Network, backbone_file, folded, load_backbone

BATCH = 64
STEPS = 80


class Probe:
    """Features of one block of the pretrained backbone."""

    def __init__(self, block: int) -> None:
        self._network = Network()
        load_backbone(self._network, backbone_file())
        self._network.eval()
        self._last = f"block{block}"

    def features(self, pixels: NDArray[np.uint8], middle: slice) -> NDArray[np.float64]:
        """Means over the middle cells, (n, channels), of pictures (n, S, S, 3)."""
        means = []
        for first in range(0, len(pixels), BATCH):
            batch = torch.from_numpy(pixels[first : first + BATCH]).permute(0, 3, 1, 2)
            with torch.no_grad():
                values = self._network.value(self._last, batch.float() / 255)
            means.append(values[:, :, middle, middle].mean((2, 3)).double().numpy())
        return np.concatenate(means)

    def folded(self) -> dict[str, NDArray[np.float32]]:
        """Kernels and biases by node, as for the export."""
        return folded(self._network)


def logistic_regression(
    values: NDArray[np.float64], right: NDArray[np.bool_], ridge: float
) -> tuple[NDArray[np.float64], float]:
    """Weights and bias that tell right from wrong; ``ridge`` weighs the squared weights."""
    inputs, wanted = torch.from_numpy(values), torch.from_numpy(right).double()
    weights = torch.zeros(values.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=STEPS)

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        entropy = torch.nn.functional.binary_cross_entropy_with_logits
        value = entropy(inputs @ weights + bias, wanted) + ridge * weights.square().sum() / 2
        value.backward()
        return value

    optimiser.step(loss)
    return weights.detach().numpy(), bias.item()
