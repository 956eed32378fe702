"""The mean of the weights over the last epochs of a training."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn


class MeanWeights:
    """Mean of the snapshots of some parameters; nothing else of the network is touched, so what is frozen stays.

    Args:
        learning: The parameters that learn.
    """

    def __init__(self, learning: Sequence[Tensor]) -> None:
        self._learning = [parameter for parameter in learning if isinstance(parameter, nn.Parameter)]
        self._mean = AveragedModel(nn.ParameterList(self._learning))

    def add_snapshot(self) -> None:
        """Count the parameters as they are now."""
        self._mean.update_parameters(nn.ParameterList(self._learning))

    @torch.no_grad()
    def apply(self) -> None:
        """Set the parameters to the mean of all snapshots."""
        for parameter, mean in zip(self._learning, self._mean.module.parameters(), strict=True):
            parameter.copy_(mean)


def renew_statistics(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """BatchNorm statistics of `model` from these batches: those of training belong to other weights than their mean.

    Args:
        model: All its BatchNorm layers learn their statistics; put into training mode and back.
        batches: Inputs of training.
    """
    update_bn(batches, model)
