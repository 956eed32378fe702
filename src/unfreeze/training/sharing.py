"""One training shared by several processes: which rows of a batch are whose, and how their gradients become one."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import psutil
import torch
from jaxtyping import Float
from torch import Tensor, distributed, nn


@final
@dataclass(frozen=True)
class Share:
    """What one process takes of a training. All processes shuffle alike, and make the same step.

    Attributes:
        rank: Of this process, 0 to `of` - 1.
        of: Number of processes, which must have joined a process group of PyTorch's if they are several.
    """

    rank: int = 0
    of: int = 1

    def part(self, size: int) -> slice:
        """Its rows of a batch: as many as the others take, or one more or less.

        Example:
            >>> [Share(rank, 3).part(32) for rank in range(3)]
            [slice(0, 10, None), slice(10, 21, None), slice(21, 32, None)]
        """
        return slice(self.rank * size // self.of, (self.rank + 1) * size // self.of)

    def add_up(self, learning: Sequence[nn.Parameter], loss: Float[Tensor, ""]) -> float:
        """Add up the gradients and the losses of all processes, so that each goes on with the same bits.

        One sum of one flat tensor, after the backward pass, and not DistributedDataParallel: that takes the mean of the
        processes' means, which is not the batch's where shares differ by a row; it wants to be the module whose
        forward is called, and here that is a graph with parts folded in; and the loss would need a sum of its own.
        What it gains, sending one part while the next is computed, pays between machines with slow links.

        Args:
            learning: Their gradients are replaced.
            loss: Of this process, so weighed that the sum is the batch's.

        Returns:
            The batch's loss.
        """
        if self.of == 1:
            return float(loss.item())
        gradients = [parameter.grad for parameter in learning if parameter.grad is not None]
        flat = torch.cat([loss.reshape(1), *(gradient.reshape(-1) for gradient in gradients)])
        distributed.all_reduce(flat)
        parts = torch.split(flat[1:], [gradient.numel() for gradient in gradients])
        for gradient, whole in zip(gradients, parts, strict=True):
            gradient.copy_(whole.view_as(gradient))
        return float(flat[0].item())


ALONE = Share()


def connect_at(address: str) -> None:
    """Let this process exchange gradients through the network interface that has this address, and no other one.

    Gloo and NCCL ask for the interface's name. By default Gloo takes the one of the host's name, on which others may
    reach it.
    """
    for name, addresses in psutil.net_if_addrs().items():
        if any(one.address == address for one in addresses):
            os.environ.update(dict.fromkeys(("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"), name))
