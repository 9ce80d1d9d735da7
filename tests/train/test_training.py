"""The parts that need PyTorch: `make test-train`, in an environment of its own."""

import numpy as np
import pytest
import torch

from models.average import mean
from models.dataset import Tile
from models.loss import assign, away_from, cells, corners, overlap, total
from models.network import Network, folded
from models.plan import BOX_CHANNELS, SCORE_CHANNELS, detector
from models.quantised import QuantisedNetwork


def tile(*boxes: tuple[float, ...], ignored: tuple[float, ...] = ()) -> Tile:
    return Tile(
        np.zeros((128, 128, 3), np.uint8),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.zeros(len(boxes), np.int64),
        np.array(ignored, np.float32).reshape(-1, 4),
    )


@pytest.mark.parametrize(
    ("side", "strides"), [(6, {8}), (20, {8}), (40, {8, 16}), (60, {16}), (100, {16, 32})]
)
def test_a_camera_is_answered_for_at_the_levels_of_its_size(side: int, strides: set[int]) -> None:
    middles, steps = cells(128)
    low, high = 64 - side / 2, 64 + side / 2
    camera = assign(tile((low, low, high, high)), middles, steps).camera
    assert set(steps[camera == 0].int().tolist()) == strides


def test_of_two_cameras_the_smaller_one_is_answered_for() -> None:
    middles, steps = cells(128)
    camera = assign(tile((40, 40, 84, 84), (56, 56, 72, 72)), middles, steps).camera
    nearest = (middles - 60).abs().sum(1) + (steps != 8) * 1000
    assert camera[nearest.argmin()] == 1


def test_cells_in_an_ignored_box_do_not_count() -> None:
    middles, steps = cells(128)
    camera = assign(tile(ignored=(0, 0, 64, 128)), middles, steps).camera
    assert set(camera[middles[:, 0] < 64].tolist()) == {-2}
    assert set(camera[middles[:, 0] > 64].tolist()) == {-1}


def test_distances_in_strides_give_back_the_box() -> None:
    middles, steps = torch.tensor([[20.0, 28.0]]), torch.tensor([8.0])
    sides = torch.tensor([[1.0, 0.5, 2.0, 1.5]])
    assert corners(middles, steps, sides).tolist() == [[12, 24, 36, 40]]
    iou, generalised = overlap(torch.tensor([[0.0, 0, 4, 4]]), torch.tensor([[0.0, 0, 4, 8]]))
    assert iou.item() == pytest.approx(0.5, abs=1e-4)
    assert generalised.item() == pytest.approx(0.5, abs=1e-4)


def test_the_network_has_the_promised_outputs_and_learns_where_it_is_not_frozen() -> None:
    torch.manual_seed(0)
    network = Network()
    outputs = network(torch.rand(2, 3, 128, 128))
    assert [tuple(value.shape[1:]) for value in outputs] == [
        (channels, 128 // stride, 128 // stride)
        for stride in (8, 16, 32)
        for channels in (SCORE_CHANNELS, BOX_CHANNELS)
    ]
    loss, parts, wrong = total(outputs, [tile((30, 30, 60, 60)), tile()])
    loss.backward()
    assert np.isfinite(list(parts.values())).all()
    assert len(wrong) == 2
    assert network.convs["stem"].weight.grad is None
    assert network.convs["block9-project"].weight.grad.abs().sum() > 0


def test_folding_keeps_what_the_network_computes() -> None:
    torch.manual_seed(0)
    network = Network()
    network.train()
    network(torch.rand(2, 3, 64, 64))
    network.eval()
    arrays = folded(network)
    node = next(node for node in detector() if node.name == "side8")
    value = torch.rand(1, node.channels_in, 4, 4)
    kernel = torch.from_numpy(arrays["side8/kernel"]).permute(3, 2, 0, 1)
    bias = torch.from_numpy(arrays["side8/bias"])
    made = torch.nn.functional.conv2d(value, kernel, bias)
    wanted = network.norms["side8"](network.convs["side8"](value))
    assert torch.allclose(made, wanted, atol=1e-4)


def test_the_quantised_network_is_close_to_the_exact_one_and_learns() -> None:
    torch.manual_seed(0)
    exact, rounded = Network(), QuantisedNetwork()
    rounded.load_state_dict(exact.state_dict())
    exact.eval()
    pixels = torch.rand(2, 3, 64, 64)
    outputs = rounded(pixels)
    for a, b in zip(exact(pixels), outputs, strict=True):
        assert (a - b).abs().mean() < 0.1 * a.abs().mean() + 0.05
    for name, value in zip(rounded.ranges, outputs, strict=False):
        low, high = rounded.ranges[name]
        assert low <= 0 <= high
        assert value.unique().numel() <= 256
    sum(value.square().mean() for value in outputs).backward()
    assert rounded.convs["block9-project"].weight.grad.abs().sum() > 0


def test_what_is_wrong_is_looked_for_away_from_cameras() -> None:
    middles, _ = cells(128)
    away = away_from(torch.tensor([[40.0, 40, 80, 80]]), middles)
    assert not away[(middles - 60).abs().sum(1).argmin()]
    assert away[0]
    assert away_from(torch.zeros((0, 4)), middles).all()


def test_the_mean_of_runs_keeps_counters() -> None:
    states = [{"w": torch.full((2,), v), "n": torch.tensor(7)} for v in (1.0, 3.0)]
    made = mean(states)
    assert made["w"].tolist() == [2.0, 2.0]
    assert made["n"].item() == 7
