"""The mean of the last weights."""

import torch
from torch import nn

from unfreeze.training.averaging import MeanWeights, renew_statistics


def test_the_result_is_the_mean_of_the_snapshots() -> None:
    """Three snapshots give their mean, and a parameter that does not learn keeps its bits."""
    layer = nn.Linear(3, 2)
    bias = layer.bias.detach().clone()
    mean = MeanWeights([layer.weight])
    snapshots = [torch.randn(2, 3) for _ in range(3)]
    for snapshot in snapshots:
        layer.weight.data.copy_(snapshot)
        mean.add_snapshot()
    mean.apply()

    torch.testing.assert_close(layer.weight.detach(), torch.stack(snapshots).mean(dim=0))
    assert torch.equal(layer.bias, bias)


def test_statistics_are_those_of_the_batches() -> None:
    """After renewal, mean and variance are the means over batches of each batch's own, not a running average."""
    norm = nn.BatchNorm1d(3)
    batches = [torch.randn(16, 3) + 5 for _ in range(4)]
    renew_statistics(norm, batches)

    torch.testing.assert_close(norm.running_mean, torch.stack([b.mean(dim=0) for b in batches]).mean(dim=0))
    torch.testing.assert_close(norm.running_var, torch.stack([b.var(dim=0) for b in batches]).mean(dim=0))
