"""The mean of the weights, in which later ones weigh more."""

import pytest
import torch
from scipy.special import poch
from torch import nn

from unfreeze.training.averaging import MeanWeights, renew_statistics


def averaged(layer: nn.Linear, power: float, snapshots: list[torch.Tensor]) -> MeanWeights:
    """The mean over a layer's weight, of which these were the snapshots."""
    mean = MeanWeights([layer.weight], power)
    for snapshot in snapshots:
        layer.weight.data.copy_(snapshot)
        mean.add_snapshot()
    return mean


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5, 8.0])
def test_the_result_weighs_every_snapshot_by_its_place(power: float) -> None:
    """Snapshot t counts as t (t + 1) ... (t + power - 1), which is nearly t to the power: with 0 all count the same."""
    layer, snapshots = nn.Linear(3, 2), [torch.randn(2, 3) for _ in range(7)]
    shares = torch.tensor([poch(t, power) for t in range(1, 8)]).float()
    averaged(layer, power, snapshots).write_to([layer.weight])

    torch.testing.assert_close(
        layer.weight.detach(), torch.einsum("t,txy->xy", shares / shares.sum(), torch.stack(snapshots))
    )


def test_the_last_twelfth_of_a_training_makes_more_than_half_of_its_mean() -> None:
    """With a power of 8: of 1,200 snapshots the last hundred are 1, the others 0."""
    layer = nn.Linear(1, 1)
    averaged(layer, 8.0, [torch.full((1, 1), float(t >= 1100)) for t in range(1200)]).write_to([layer.weight])

    assert 0.5 < layer.weight.item() < 0.6


def test_a_mean_is_written_elsewhere_and_goes_on() -> None:
    """The parameters that learn keep their bits, so does what does not learn, and a later mean is that of all."""
    layer, other, at_once = (nn.Linear(3, 2) for _ in range(3))
    bias = other.bias.detach().clone()
    snapshots = [torch.randn(2, 3) for _ in range(5)]
    mean = averaged(layer, 8.0, snapshots[:3])
    mean.write_to([other.weight])
    assert torch.equal(layer.weight, snapshots[2])
    assert torch.equal(other.bias, bias)

    for snapshot in snapshots[3:]:
        layer.weight.data.copy_(snapshot)
        mean.add_snapshot()
    mean.write_to([other.weight])
    averaged(at_once, 8.0, snapshots).write_to([at_once.weight])

    assert torch.equal(other.weight, at_once.weight)


def test_statistics_are_those_of_the_batches() -> None:
    """After renewal, mean and variance are the means over batches of each batch's own, not a running average."""
    norm = nn.BatchNorm1d(3)
    batches = [torch.randn(16, 3) + 5 for _ in range(4)]
    renew_statistics(norm, batches)

    torch.testing.assert_close(norm.running_mean, torch.stack([b.mean(dim=0) for b in batches]).mean(dim=0))
    torch.testing.assert_close(norm.running_var, torch.stack([b.var(dim=0) for b in batches]).mean(dim=0))
