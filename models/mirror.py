"""Export a trained checkpoint: `python -m models.mirror --run RUN --renders DIR --out FILE`.

Three steps, each its own process, as PyTorch and TensorFlow do not share one gladly: fold the
checkpoint and compose calibration tiles (``arrays``), build the same graph in Keras from the plan
(``keras``), and convert it to a full-integer .tflite with int8 input and outputs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.edgetpu_check import objections
from models.plan import TILE_PX, Node, detector, outputs

CALIBRATION_TILES = 200
PARITY_TILES = 8
PARITY_LIMIT = 2e-3  # largest difference of any score or distance, PyTorch against Keras


def write_arrays(run: Path, renders: Path, backgrounds: Sequence[Path], out: Path) -> None:
    """Write folded weights, calibration tiles and what PyTorch makes of the first of them."""
    import torch  # noqa: PLC0415 - only this step has PyTorch

    from models.dataset import Composer  # noqa: PLC0415
    from models.network import Network, folded  # noqa: PLC0415
    from models.sources import find_sources  # noqa: PLC0415

    checkpoint = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
    network = Network()
    network.load_state_dict(checkpoint["average"])
    network.eval()
    composer = Composer(find_sources(renders, backgrounds), TILE_PX, seed=7001)
    tiles = np.stack([composer.tile(number).pixels for number in range(CALIBRATION_TILES)])
    sample = torch.from_numpy(tiles[:PARITY_TILES]).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        values = network(sample)
    truth = {}
    for name, value in zip(outputs(), values, strict=True):
        done = value.sigmoid() if name.startswith("scores") else value.clamp(0, 6)
        truth[f"truth/{name}"] = done.permute(0, 2, 3, 1).contiguous().numpy()
    np.savez(out, tiles=tiles, **truth, **folded(network))


def write_weights(run: Path, out: Path) -> None:
    """Write the averaged weights alone, in 16 bits, for ``models.train --start``."""
    import torch  # noqa: PLC0415 - only this step has PyTorch

    state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)["average"]
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    torch.save({"average": half}, out)


def keras_values(nodes: Sequence[Node], side: int) -> tuple[Any, dict[str, Any]]:
    """Return the input, x / 255 as NHWC with that side, and the value of every node."""
    import keras  # noqa: PLC0415 - only this step has TensorFlow

    entry = keras.Input((side, side, 3), batch_size=1, name="pixels")
    values = {"input": entry}
    for node in nodes:
        values[node.name] = _keras_node(node, [values[name] for name in node.inputs])
    return entry, values


def keras_model(arrays: dict[str, np.ndarray]) -> Any:
    """Return the plan as a Keras model with the folded weights, taking x / 255 as NHWC."""
    import keras  # noqa: PLC0415 - only this step has TensorFlow

    entry, values = keras_values(detector(), TILE_PX)
    model = keras.Model(entry, [values[name] for name in outputs()])
    for node in detector():
        if node.weights:
            weights = [arrays[f"{node.name}/kernel"], arrays[f"{node.name}/bias"]]
            model.get_layer(node.name).set_weights(weights)
    return model


def _keras_node(node: Node, inputs: list[Any]) -> Any:
    import keras  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    if node.op == "add":
        return keras.layers.Add(name=node.name)(inputs)
    if node.op == "double":  # UpSampling2D would become RESHAPE and TILE of five dimensions
        height, width = inputs[0].shape[1:3]
        resize = keras.layers.Lambda(
            lambda x: tf.compat.v1.image.resize_nearest_neighbor(
                x, (2 * height, 2 * width), half_pixel_centers=False
            ),
            output_shape=(2 * height, 2 * width, node.channels),
            name=node.name,
        )
        return resize(inputs[0])
    if node.op == "depthwise":
        layer = keras.layers.DepthwiseConv2D(
            node.kernel, node.stride, padding="same", name=node.name
        )
    else:
        layer = keras.layers.Conv2D(
            node.channels, node.kernel, node.stride, padding="same", name=node.name
        )
    value = layer(inputs[0])
    if node.activation == "relu6":
        return keras.layers.ReLU(6.0)(value)
    return keras.activations.sigmoid(value) if node.activation == "sigmoid" else value


def convert(arrays_file: Path, out: Path, *, float32: bool) -> None:
    """Check the Keras model against PyTorch and write the .tflite file."""
    arrays = dict(np.load(arrays_file))
    tiles = arrays["tiles"].astype(np.float32) / 255
    model = keras_model(arrays)
    worst = 0.0
    for number in range(PARITY_TILES if f"truth/{outputs()[0]}" in arrays else 0):
        made = model(tiles[number : number + 1], training=False)
        for name, value in zip(outputs(), made, strict=True):
            worst = max(worst, float(np.abs(arrays[f"truth/{name}"][number] - value[0]).max()))
    print(f"PyTorch against Keras: largest difference {worst:.2g}")
    if worst > PARITY_LIMIT:
        raise SystemExit(f"the Keras mirror differs from PyTorch by {worst:.2g}: not exported")
    write_tflite(model, tiles, out, float32=float32)


def write_tflite(model: Any, tiles: np.ndarray, out: Path, *, float32: bool = False) -> None:
    """Write a Keras model, int8 by the ranges that tiles (n, S, S, 3) of 0 to 1 give it."""
    import tensorflow as tf  # noqa: PLC0415 - only this step has TensorFlow

    def calibration() -> Iterator[list[np.ndarray]]:
        for tile in tiles:
            yield [tile[np.newaxis]]

    with tempfile.TemporaryDirectory() as folder:
        # A signature of one tile: without it the file's batch stays open, which no compiler maps.
        # from_concrete_functions fails on READ_VARIABLE.
        one = [tf.TensorSpec((1, *tiles.shape[1:]), tf.float32)]
        model.export(folder, verbose=False, input_signature=one)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if not float32:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = calibration
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8
        data = converter.convert()
    partial = out.with_suffix(".partial")
    partial.write_bytes(data)
    partial.replace(out)
    print(f"{out}: {len(data)} bytes")


def check_input(model: Path, side: int = TILE_PX) -> None:
    """Stop unless the file takes int8 = pixel - 128, as the scanner gives it."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415

    details = Interpreter(str(model)).get_input_details()[0]
    scale, zero = details["quantization"]
    if list(details["shape"]) != [1, side, side, 3] or zero != -128:
        raise SystemExit(f"{model}: input {details['shape']}, zero point {zero}, not usable")
    if abs(scale * 255 - 1) > 1e-3:
        raise SystemExit(f"{model}: input scale {scale:.6f} is not 1/255: no tile has 0 and 255")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step asked for; without one, both after each other."""
    parser = argparse.ArgumentParser(prog="python -m models.mirror", description=__doc__)
    parser.add_argument("step", nargs="?", choices=("all", "arrays", "keras"), default="all")
    parser.add_argument("--run", type=Path, help="folder with checkpoint.pt, of models.train")
    parser.add_argument("--renders", type=Path, help="as in models.train, for calibration tiles")
    parser.add_argument("--backgrounds", type=Path, action="append", default=[])
    parser.add_argument("--arrays", type=Path, help="between the steps, RUN/arrays.npz")
    parser.add_argument("--out", type=Path, default=Path("models/detector.tflite"))
    parser.add_argument("--float32", action="store_true", help="no quantisation, to compare with")
    parser.add_argument("--keras-python", default=sys.executable, help="Python with tensorflow-cpu")
    args = parser.parse_args(argv)
    if args.run is None and args.arrays is None:
        parser.error("--run or --arrays is needed")
    arrays = args.arrays or args.run / "arrays.npz"
    if args.step in {"all", "arrays"}:
        if args.run is None or args.renders is None:
            parser.error("--run and --renders are needed")
        write_arrays(args.run, args.renders, args.backgrounds, arrays)
        write_weights(args.run, args.out.with_suffix(".pt"))
    if args.step == "all":
        command = [args.keras_python, "-m", "models.mirror", "keras"]
        command += ["--arrays", str(arrays), "--out", str(args.out)]
        subprocess.run([*command, *["--float32"] * args.float32], check=True)
    if args.step == "keras":
        convert(arrays, args.out, float32=args.float32)
        if not args.float32:
            check_input(args.out)
            for objection in objections(args.out):
                print(f"Edge TPU: {objection}")


if __name__ == "__main__":
    main()
