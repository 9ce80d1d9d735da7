"""Write the close-up network: `python -m models.closeup_file RUN/arrays.npz FILE`.

The second step of ``models.closeup``, with the Python that has TensorFlow but nothing of the
scanner.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

from models.mirror import check_input, keras_values, write_tflite
from models.plan import CLOSEUP_BLOCK, CLOSEUP_CELLS, CLOSEUP_PX, backbone

PARITY_LIMIT = 5e-3  # largest difference of log-odds, PyTorch against Keras


def write(arrays_file: Path, out: Path) -> None:
    """Build the network in Keras, compare it with PyTorch and write the int8 file."""
    arrays = dict(np.load(arrays_file))
    last = f"block{CLOSEUP_BLOCK}"
    nodes = list(backbone())
    nodes = nodes[: [node.name for node in nodes].index(last) + 1]
    entry, values = keras_values(nodes, CLOSEUP_PX)
    end = keras.layers.Conv2D(1, CLOSEUP_CELLS, padding="valid", name="evidence")
    model = keras.Model(entry, end(values[last]))
    for name in [node.name for node in nodes if node.weights] + ["evidence"]:
        model.get_layer(name).set_weights([arrays[f"{name}/kernel"], arrays[f"{name}/bias"]])
    made = [
        float(np.ravel(model(one[np.newaxis].astype(np.float32) / 255, training=False))[0])
        for one in arrays["checked"]
    ]
    worst = float(np.abs(made - arrays["truth"]).max())
    print(f"PyTorch against Keras: largest difference {worst:.2g}")
    if worst > PARITY_LIMIT:
        raise SystemExit(f"the Keras mirror differs from PyTorch by {worst:.2g}: not exported")
    write_tflite(model, arrays["tiles"].astype(np.float32) / 255, out)
    check_input(out, CLOSEUP_PX)


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:]))
