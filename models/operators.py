"""What the Edge TPU compiler is known to make of each operator of TensorFlow Lite.

Three sources, as the compiler (16.0, the last one) is closed:

- the table of supported operations in Coral's "TensorFlow models on the Edge TPU", with the limits
  that it names; of the last rows of the table (RSQRT, SQUARED_DIFFERENCE, TRANSPOSE_CONV) no copy
  was at hand, they stand here from memory;
- 28 pairs of a model and its compiled form from the repositories google-coral/test_data and
  google-coral/edgetpu: the newest version of an operator that was seen mapped is its ceiling;
- issues of google-coral/edgetpu with "Didn't find op for builtin opcode": #631 (CONV_2D 6), #845
  (TRANSPOSE_CONV 4), #879 (QUANTIZE 3); of google-coral/libedgetpu: #71 (EXP 2). A file with one
  such operator is refused as a whole. Of versions between the two nothing is known; a log of
  compiler 14.1 (tiny_yolo_edgetpu.log of rajansaini691/retinanet-model-tflite) leaves such an
  operator on the processor, and so does this check.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import dropwhile

from models.flatbuffer import Graph, Operation, Tensor

NAMES = {
    0: "ADD", 1: "AVERAGE_POOL_2D", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D",
    5: "DEPTH_TO_SPACE", 6: "DEQUANTIZE", 8: "FLOOR", 9: "FULLY_CONNECTED",
    11: "L2_NORMALIZATION", 14: "LOGISTIC", 16: "LSTM", 17: "MAX_POOL_2D", 18: "MUL", 19: "RELU",
    20: "RELU_N1_TO_1", 21: "RELU6", 22: "RESHAPE", 23: "RESIZE_BILINEAR", 25: "SOFTMAX",
    26: "SPACE_TO_DEPTH", 28: "TANH", 32: "CUSTOM", 34: "PAD", 36: "GATHER",
    37: "BATCH_TO_SPACE_ND", 38: "SPACE_TO_BATCH_ND", 39: "TRANSPOSE", 40: "MEAN", 41: "SUB",
    42: "DIV", 43: "SQUEEZE", 44: "UNIDIRECTIONAL_SEQUENCE_LSTM", 45: "STRIDED_SLICE", 47: "EXP",
    48: "TOPK_V2", 49: "SPLIT", 50: "LOG_SOFTMAX", 53: "CAST", 54: "PRELU", 55: "MAXIMUM",
    56: "ARG_MAX", 57: "MINIMUM", 58: "LESS", 60: "PADV2", 61: "GREATER", 64: "SELECT",
    65: "SLICE", 67: "TRANSPOSE_CONV", 69: "TILE", 70: "EXPAND_DIMS", 74: "SUM", 75: "SQRT",
    76: "RSQRT", 77: "SHAPE", 78: "POW", 82: "REDUCE_MAX", 83: "PACK", 88: "UNPACK",
    89: "REDUCE_MIN", 90: "FLOOR_DIV", 97: "RESIZE_NEAREST_NEIGHBOR", 98: "LEAKY_RELU",
    99: "SQUARED_DIFFERENCE", 100: "MIRROR_PAD", 101: "ABS", 107: "GATHER_ND", 114: "QUANTIZE",
    117: "HARD_SWISH", 118: "IF", 119: "WHILE", 126: "BATCH_MATMUL", 130: "BROADCAST_TO",
    150: "GELU",
}  # fmt: skip

# Newest version seen in a compiled file. Where none was seen it is 2: the version in which most
# operators learnt int8.
SUPPORTED = {
    "ADD": 2, "AVERAGE_POOL_2D": 2, "CONCATENATION": 2, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3,
    "EXPAND_DIMS": 2, "FULLY_CONNECTED": 4, "L2_NORMALIZATION": 2, "LOGISTIC": 2, "LSTM": 2,
    "MAX_POOL_2D": 2, "MAXIMUM": 2, "MEAN": 2, "MINIMUM": 2, "MUL": 2, "PACK": 2, "PAD": 2,
    "PRELU": 2, "QUANTIZE": 2, "REDUCE_MAX": 2, "REDUCE_MIN": 2, "RELU": 2, "RELU6": 2,
    "RELU_N1_TO_1": 2, "RESHAPE": 1, "RESIZE_BILINEAR": 3, "RESIZE_NEAREST_NEIGHBOR": 2,
    "RSQRT": 2, "SLICE": 2, "SOFTMAX": 2, "SPACE_TO_DEPTH": 2, "SPLIT": 2,
    "SQUARED_DIFFERENCE": 2, "SQUEEZE": 2, "STRIDED_SLICE": 2, "SUB": 2, "SUM": 2, "TANH": 2,
    "TRANSPOSE": 2, "TRANSPOSE_CONV": 3, "UNIDIRECTIONAL_SEQUENCE_LSTM": 2,
}  # fmt: skip
REFUSED_FROM = {"CONV_2D": 6, "EXP": 2, "QUANTIZE": 3, "TRANSPOSE_CONV": 4}

# inputs that must be constant: weights, biases, sizes and axes
PARAMETERS = {
    "CONV_2D": (1, 2), "DEPTHWISE_CONV_2D": (1, 2), "FULLY_CONNECTED": (1, 2),
    "TRANSPOSE_CONV": (0, 1, 3), "PAD": (1,), "MEAN": (1,), "SUM": (1,), "REDUCE_MAX": (1,),
    "REDUCE_MIN": (1,), "RESHAPE": (1,), "RESIZE_BILINEAR": (1,),
    "RESIZE_NEAREST_NEIGHBOR": (1,), "TRANSPOSE": (1,), "STRIDED_SLICE": (1, 2, 3),
    "SLICE": (1, 2), "SPLIT": (0,), "PRELU": (1,), "EXPAND_DIMS": (1,),
}  # fmt: skip
WEIGHTS = {
    "CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "PRELU": 1, "TRANSPOSE_CONV": 1,
}  # fmt: skip
BIASES = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}
# those whose inputs and outputs are not all of one type: they change it, or keep a state
MIXING = {"LSTM", "QUANTIZE", "UNIDIRECTIONAL_SEQUENCE_LSTM"}

# fused activations by number: 0 none, 1 relu, 2 relu -1 to 1, 3 relu6, 4 tanh, 5 sign
CLIPPING = {0, 1, 2, 3}
SOFTMAX_MOST = 16_000
RESIZED_MOST_PX = 200


class Step:
    """An operation with its tensors at hand; ``entry`` and ``result`` are the first of each."""

    def __init__(self, graph: Graph, operation: Operation) -> None:
        self.operation = operation
        self.name = operation.custom or NAMES.get(operation.code, f"operator {operation.code}")
        self.inputs = [graph.tensors[n] if n >= 0 else None for n in operation.inputs]
        self.outputs = [graph.tensors[n] for n in operation.outputs if n >= 0]
        given = [tensor for tensor in self.inputs if tensor is not None]
        self.values = [tensor for tensor in given if not tensor.constant]
        self.constants = [tensor for tensor in given if tensor.constant]

    @property
    def entry(self) -> Tensor | None:
        """The first input that is computed."""
        return self.values[0] if self.values else None

    @property
    def result(self) -> Tensor | None:
        """The first output."""
        return self.outputs[0] if self.outputs else None

    def axes(self, place: int) -> set[int]:
        """Return the axes that a constant input names, counted from the first."""
        tensor = self.inputs[place] if place < len(self.inputs) else None
        rank = len(self.entry.shape) if self.entry else 0
        return {int(axis) % max(rank, 1) for axis in tensor.integers()} if tensor else set()


def _no_activation(field: int) -> Callable[[Step], str]:
    return lambda step: "fused activation" if step.operation.option(field, "<b") else ""


def _clipping_only(field: int) -> Callable[[Step], str]:
    return lambda step: (
        "" if step.operation.option(field, "<b") in CLIPPING else "fused activation is no clipping"
    )


def _convolution(activation: int, dilation: int) -> Callable[[Step], str]:
    def limit(step: Step) -> str:
        across, down = (step.operation.option(dilation + n, default=1) for n in (0, 1))
        if across != down:
            return "dilation differs between x and y"
        return _clipping_only(activation)(step)

    return limit


def _concatenation(step: Step) -> str:
    if step.operation.option(1, "<b"):
        return "fused activation"
    if not step.constants:
        return ""
    if len(step.inputs) != 2:
        return "a constant input beside more than one other"
    # zero padding is meant: zero as a real number, which the scale says and not the byte
    return "" if len(set(step.constants[0].content)) <= 1 else "a constant input that is not zero"


def _fully_connected(step: Step) -> str:
    if step.operation.option(1, "<b"):
        return "weights in another format than the default"
    result = step.result
    if result and sum(size > 1 for size in result.shape) > 1:
        return "output of more than one dimension"
    return _clipping_only(0)(step)


def _mean(step: Step) -> str:
    axes, entry = step.axes(1), step.entry
    if entry and len(entry.shape) - 1 in axes and entry.shape[-1] % 4:
        return "channels are averaged and no multiple of 4"
    return _not_batch(1)(step)


def _not_batch(place: int) -> Callable[[Step], str]:
    def limit(step: Step) -> str:
        entry = step.entry
        four = entry is not None and len(entry.shape) >= 4
        return "works along the batch" if four and 0 in step.axes(place) else ""

    return limit


def _pack(step: Step) -> str:
    return "" if step.operation.option(1) else "packs along the batch"


def _pad(step: Step) -> str:
    tensor, entry = step.inputs[1] if len(step.inputs) > 1 else None, step.entry
    if tensor is None or entry is None or len(entry.shape) < 4:
        return ""
    return "pads the batch" if tensor.integers()[:2].any() else ""


def _prelu(step: Step) -> str:
    alpha = step.inputs[1] if len(step.inputs) > 1 else None
    wide = alpha is not None and any(size > 1 for size in alpha.shape[:-1])
    return "alpha has more than one dimension" if wide else ""


def _resize_bilinear(step: Step) -> str:
    entry, result = step.entry, step.result
    if not entry or not result or len(entry.shape) != 4:
        return "not of four dimensions"
    small = entry.shape[1:3] == (1, 1)
    large = min(result.shape[1:3]) >= RESIZED_MOST_PX
    if small or large:
        return f"resize from {entry.shape[1:3]} to {result.shape[1:3]} would lose precision"
    return ""


def _softmax(step: Step) -> str:
    entry = step.entry
    if entry and sum(size > 1 for size in entry.shape) > 1:
        return "of more than one dimension"
    return f"more than {SOFTMAX_MOST} values" if entry and max(entry.shape) > SOFTMAX_MOST else ""


def _squeeze(step: Step) -> str:
    entry, result = step.entry, step.result
    if entry and result and _without_leading_ones(entry) != _without_leading_ones(result):
        return "removes a dimension behind one of more than 1"
    return ""


def _without_leading_ones(tensor: Tensor) -> list[int]:
    return list(dropwhile(lambda size: size == 1, tensor.shape))


def _strided_slice(step: Step) -> str:
    strides = step.inputs[3] if len(step.inputs) > 3 else None
    if strides is not None and (strides.integers() != 1).any():
        return "strides other than 1"
    masks = step.operation.option(2) or step.operation.option(3)
    return "ellipsis or new axis" if masks else ""


# what limits an operator that is supported: "" or why it stays on the processor
LIMITS: dict[str, Callable[[Step], str]] = {
    "AVERAGE_POOL_2D": _no_activation(5),
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution(3, 4),
    "DEPTHWISE_CONV_2D": _convolution(4, 5),
    "FULLY_CONNECTED": _fully_connected,
    "MAX_POOL_2D": _no_activation(5),
    "MEAN": _mean,
    "PACK": _pack,
    "PAD": _pad,
    "PRELU": _prelu,
    "REDUCE_MAX": _not_batch(1),
    "REDUCE_MIN": _not_batch(1),
    "RESIZE_BILINEAR": _resize_bilinear,
    "SOFTMAX": _softmax,
    "SPLIT": _not_batch(0),
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "SUM": _not_batch(1),
}

# what may go wrong with an operator that is expected to be mapped
DOUBTS = {
    "RESHAPE": "large ones may not be mapped",
    "RESIZE_BILINEAR": "some sizes are not mapped",
    "RESIZE_NEAREST_NEIGHBOR": "some sizes are not mapped; compiler 16.0 is needed",
}
