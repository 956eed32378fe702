"""How far a training is, so that it can go on in another process: tensors and numbers, and no pickle."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import safetensors.torch
import torch
from torch import Tensor

from unfreeze.zoo.safetensors_notes import notes_of


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingState:
    """What a training has made of what it was given.

    Attributes:
        tensors: Of the network, the optimiser and the mean of the weights, by name; on the CPU.
        curve: Mean training loss of every epoch since it last began.
        losses: Of every step of these.
        halvings: How often it began again at half its rates.
    """

    tensors: Mapping[str, Tensor]
    curve: tuple[float, ...]
    losses: tuple[float, ...]
    halvings: int

    def part(self, whose: str) -> dict[str, Tensor]:
        """Tensors whose names begin with this word, by what follows it."""
        begin = f"{whose}."
        return {name.removeprefix(begin): tensor for name, tensor in self.tensors.items() if name.startswith(begin)}

    def to_bytes(self) -> bytes:
        """As a file of safetensors."""
        numbers = {"curve": self.curve, "losses": self.losses, "halvings": self.halvings}
        notes = {name: json.dumps(value) for name, value in numbers.items()}
        return safetensors.torch.save(dict(self.tensors), metadata=notes)


def state_from(data: bytes) -> TrainingState:
    """What `TrainingState.to_bytes` gave."""
    notes = {name: json.loads(text) for name, text in notes_of(data).items()}
    return TrainingState(
        tensors=safetensors.torch.load(data),
        curve=tuple(notes["curve"]),
        losses=tuple(notes["losses"]),
        halvings=notes["halvings"],
    )


def on_cpu(tensor: Tensor) -> Tensor:
    """A copy in the plain order, as safetensors wants it."""
    return torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor.detach())
