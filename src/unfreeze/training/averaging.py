"""The mean of the weights over a training, in which later steps weigh more."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn


class MeanWeights:
    """Mean of the snapshots of some parameters; nothing else of the network is touched, so what is frozen stays.

    Args:
        learning: The parameters that learn.
        power: Snapshot t weighs about as t to this power (Shamir & Zhang 2013, arXiv:1212.1824, section 4): with 0 all
            weigh the same, with 8 more than half of the weight lies on the last twelfth.
    """

    def __init__(self, learning: Sequence[Tensor], power: float) -> None:
        def mean(before: Tensor, now: Tensor, snapshots: Tensor | int) -> Tensor:
            return torch.lerp(before, now, (power + 1) / (int(snapshots) + 1 + power))

        self._learning = [parameter for parameter in learning if isinstance(parameter, nn.Parameter)]
        self._mean = AveragedModel(nn.ParameterList(self._learning), avg_fn=mean)

    def add_snapshot(self) -> None:
        """Count the parameters as they are now."""
        self._mean.update_parameters(nn.ParameterList(self._learning))

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The mean and the number of snapshots, by name."""
        kept: dict[str, Tensor] = self._mean.state_dict()
        return kept

    def take_up(self, tensors: Mapping[str, Tensor]) -> None:
        """Stand where another mean of the same parameters stood, by its `tensors`."""
        self._mean.load_state_dict(tensors)

    @torch.no_grad()
    def write_to(self, parameters: Iterable[nn.Parameter]) -> None:
        """Set these to the mean of all snapshots; in the order of those that learn."""
        for parameter, mean in zip(parameters, self._mean.module.parameters(), strict=True):
            parameter.copy_(mean)


def renew_statistics(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """BatchNorm statistics of `model` from these batches: those of training belong to other weights than their mean.

    Args:
        model: All its BatchNorm layers learn their statistics; put into training mode and back.
        batches: Inputs of training.
    """
    update_bn(batches, model)
