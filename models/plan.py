"""The detector's graph as plain data, built once and read by both frameworks.

``network.py`` runs it in PyTorch for training, ``mirror.py`` builds the same graph in Keras for
export. Values are NHWC in name only: a node says channels, kernel and stride, not layout.

Backbone: EfficientNet-Lite0 up to its first stride-32 block. Neck: a light feature pyramid. Heads:
two depthwise-separable towers, one for scores and one for distances, shared by the three levels,
with normalisation of their own in each.
"""

from collections.abc import Iterator
from dataclasses import dataclass

TILE_PX = 320
KINDS = ("bullet", "dome", "ptz", "alpr")
SCORE_CHANNELS = 1 + len(KINDS)
BOX_CHANNELS = 4
STRIDES_PX = (8, 16, 32)
MAX_DISTANCE = 6.0  # strides from a cell's middle to a side: the ceiling of ReLU6

# kernel, stride, expansion, channels out: blocks 0 to 11 of EfficientNet-Lite0's sixteen
BLOCKS = (
    (3, 1, 1, 16),
    (3, 2, 6, 24),
    (3, 1, 6, 24),
    (5, 2, 6, 40),
    (5, 1, 6, 40),
    (3, 2, 6, 80),
    (3, 1, 6, 80),
    (3, 1, 6, 80),
    (5, 1, 6, 112),
    (5, 1, 6, 112),
    (5, 1, 6, 112),
    (5, 2, 6, 192),
)
STEM_CHANNELS = 32
LEVEL_BLOCKS = (4, 10, 11)  # the last block of stride 8, 16 and 32
CLOSEUP_PX, CLOSEUP_BLOCK, CLOSEUP_CELLS = 128, 10, 8  # of the network that looks at finds again
NECK_CHANNELS = 64
TOWER_LAYERS = 2


@dataclass(frozen=True, slots=True)
class Node:
    """One operation.

    ``op`` is "conv", "depthwise", "add" (of two inputs) or "double" (nearest, twice as large).
    ``weights`` names the parameters, equal in nodes that share them. ``norm``: batch
    normalisation follows the convolution while training, of this node's own; otherwise the
    convolution has a bias. ``activation`` is "", "relu6" or "sigmoid".
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    channels_in: int
    channels: int
    kernel: int = 1
    stride: int = 1
    weights: str = ""
    norm: bool = False
    activation: str = ""


def backbone() -> Iterator[Node]:
    """Yield the pretrained nodes, from "input" to the last block; their norms are folded."""
    yield Node("stem", "conv", ("input",), 3, STEM_CHANNELS, 3, 2, "stem", activation="relu6")
    last, channels = "stem", STEM_CHANNELS
    for number, (kernel, stride, expansion, out) in enumerate(BLOCKS):
        name, wide = f"block{number}", channels * expansion
        before = last
        if expansion > 1:
            expand = f"{name}-expand"
            yield Node(expand, "conv", (last,), channels, wide, weights=expand, activation="relu6")
            last = expand
        depth = f"{name}-depth"
        yield Node(
            depth, "depthwise", (last,), wide, wide, kernel, stride, depth, activation="relu6"
        )
        residual = stride == 1 and channels == out
        project = f"{name}-project" if residual else name
        yield Node(project, "conv", (depth,), wide, out, weights=f"{name}-project")
        if residual:
            yield Node(name, "add", (before, project), out, out)
        last, channels = name, out


def separable(
    name: str, source: str, channels: int, activation: str, weights: str
) -> Iterator[Node]:
    """Yield a depthwise 3x3 and a pointwise convolution, the second one called ``name``."""
    depth = f"{name}-depth"
    yield Node(
        depth, "depthwise", (source,), channels, channels, 3, 1, f"{weights}-depth", norm=True
    )
    yield Node(
        name, "conv", (depth,), channels, channels,
        weights=f"{weights}-point", norm=True, activation=activation,
    )  # fmt: skip


def neck() -> Iterator[Node]:
    """Yield the feature pyramid: nodes "p8", "p16" and "p32", each NECK_CHANNELS wide."""
    for stride, block in zip(STRIDES_PX, LEVEL_BLOCKS, strict=True):
        side, wide = f"side{stride}", BLOCKS[block][3]
        yield Node(side, "conv", (f"block{block}",), wide, NECK_CHANNELS, weights=side, norm=True)
    above = ""
    for stride in reversed(STRIDES_PX):
        source = f"side{stride}"
        if above:
            doubled, joined = f"double{stride}", f"join{stride}"
            yield Node(doubled, "double", (above,), NECK_CHANNELS, NECK_CHANNELS)
            yield Node(joined, "add", (source, doubled), NECK_CHANNELS, NECK_CHANNELS)
            source = joined
        above = f"p{stride}"
        yield from separable(above, source, NECK_CHANNELS, "relu6", above)


def heads() -> Iterator[Node]:
    """Yield the towers and outputs: "scores8", "sides8" and so on."""
    for stride in STRIDES_PX:
        for what, channels, end in (
            ("scores", SCORE_CHANNELS, "sigmoid"),
            ("sides", BOX_CHANNELS, "relu6"),
        ):
            last = f"p{stride}"
            for layer in range(TOWER_LAYERS):
                name = f"{what}{stride}-tower{layer}"
                yield from separable(name, last, NECK_CHANNELS, "relu6", f"{what}-tower{layer}")
                last = name
            yield Node(
                f"{what}{stride}", "conv", (last,), NECK_CHANNELS, channels,
                weights=what, activation=end,
            )  # fmt: skip


def detector() -> list[Node]:
    """Return every node in an order in which it can be run."""
    return [*backbone(), *neck(), *heads()]


def outputs() -> list[str]:
    """Return the names of the output nodes, scores and sides by turns, smallest stride first."""
    return [f"{what}{stride}" for stride in STRIDES_PX for what in ("scores", "sides")]


def pads(kernel: int, stride: int) -> tuple[int, int]:
    """Return rows of zeros before and after an even side, as TensorFlow's "SAME" puts them."""
    total = kernel - stride if stride > 1 else kernel - 1
    return total // 2, total - total // 2


def parameter_count() -> int:
    """Return the number of weights and biases of the exported network."""
    seen: dict[str, int] = {}
    for node in detector():
        if node.op not in {"conv", "depthwise"}:
            continue
        fan_in = 1 if node.op == "depthwise" else node.channels_in
        key = node.name if node.norm else node.weights  # a norm of its own: a copy when folded
        seen[key] = node.channels * (node.kernel**2 * fan_in + 1)
    return sum(seen.values())


def multiplications(tile_px: int = TILE_PX) -> int:
    """Return multiply-accumulates of one tile."""
    side, total = {"input": tile_px}, 0
    for node in detector():
        scale = 2.0 if node.op == "double" else 1 / node.stride
        side[node.name] = int(side[node.inputs[0]] * scale)
        if node.op in {"conv", "depthwise"}:
            fan_in = 1 if node.op == "depthwise" else node.channels_in
            total += side[node.name] ** 2 * node.channels * node.kernel**2 * fan_in
    return total
