from models.edgetpu_check import MAX_PARAMETER_BYTES
from models.plan import (
    BOX_CHANNELS,
    SCORE_CHANNELS,
    STRIDES_PX,
    TILE_PX,
    detector,
    multiplications,
    outputs,
    pads,
    parameter_count,
)


def test_every_node_comes_after_its_inputs_with_the_channels_it_expects() -> None:
    channels = {"input": 3}
    for node in detector():
        assert node.name not in channels
        assert {channels[name] for name in node.inputs} == {node.channels_in}
        channels[node.name] = node.channels
    assert [channels[name] for name in outputs()] == [SCORE_CHANNELS, BOX_CHANNELS] * 3


def test_each_output_has_the_stride_in_its_name() -> None:
    stride = {"input": 1.0}
    for node in detector():
        (before,) = {stride[name] for name in node.inputs}
        stride[node.name] = before / 2 if node.op == "double" else before * node.stride
    assert [stride[name] for name in outputs()] == [s for s in STRIDES_PX for _ in range(2)]


def test_nodes_that_share_weights_have_the_same_shape() -> None:
    shapes: dict[str, set[tuple[object, ...]]] = {}
    for node in detector():
        if node.weights:
            shape = (node.op, node.channels_in, node.channels, node.kernel, node.stride)
            shapes.setdefault(node.weights, set()).add(shape)
    assert all(len(found) == 1 for found in shapes.values())


def test_it_fits_the_edge_tpu_and_ten_milliseconds() -> None:
    assert parameter_count() < MAX_PARAMETER_BYTES
    assert multiplications() < 700e6


def test_padding_is_that_of_tensorflow() -> None:
    assert pads(3, 1) == (1, 1)
    assert pads(3, 2) == (0, 1)
    assert pads(5, 2) == (1, 2)
    assert TILE_PX % max(STRIDES_PX) == 0
