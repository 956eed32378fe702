"""A linear classifier on codes of one tap or several, with the network up to the deepest of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray
from torch import Tensor, nn

from unfreeze.core.cards import Card
from unfreeze.core.readouts import Readout
from unfreeze.zoo.backbones import Backbone, network_input
from unfreeze.zoo.graph import Cut
from unfreeze.zoo.pooling import pooled


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class TapClassifier:
    """What a linear classifier on frozen codes is delivered as.

    Attributes:
        backbone: The network, its head unused.
        readouts: What the classifier reads, in the order of its weights: the values of a readout stand together.
        weight: Of the codes as they are: no standardisation comes before.
        bias: Of each class.
    """

    backbone: Backbone
    readouts: tuple[Readout, ...]
    weight: Float32[ndarray, "cls code"]
    bias: Float32[ndarray, " cls"]

    @property
    def card(self) -> Card:
        """The backbone's."""
        return self.backbone.card

    @property
    def classes(self) -> int:
        """How many."""
        return len(self.bias)

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """The taps that are read, shallow to deep."""
        read = {readout.tap for readout in self.readouts}
        return tuple(tap for tap in self.backbone.taps if tap.name in read)

    def module(self) -> nn.Module:
        """From uint8 images ``[batch, size, size, 3]`` (red, green, blue) to scores; shares the network's modules."""
        return _Module(self)


@final
class _Module(nn.Module):
    """See `TapClassifier.module`."""

    def __init__(self, model: TapClassifier) -> None:
        super().__init__()
        cuts = model.cuts
        self.prefix = model.backbone.prefix(cuts)
        self.card = model.card
        self.reads: Sequence[tuple[int, str, Readout]] = [
            (place, cut.layout, readout)
            for readout in model.readouts
            for place, cut in enumerate(cuts)
            if cut.name == readout.tap
        ]
        weight, bias = torch.from_numpy(model.weight), torch.from_numpy(model.bias)
        self.linear = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            self.linear.weight.copy_(weight)
            self.linear.bias.copy_(bias)
        self.training = False  # not by eval(), which would reach the network's own layers

    def forward(self, images: UInt8[Tensor, "batch height width 3"]) -> Float[Tensor, "batch cls"]:
        """Scores of plain pixels."""
        found = self.prefix(network_input(images, self.card))
        codes = [pooled(found[place], layout, readout.statistic) for place, layout, readout in self.reads]
        scores: Tensor = self.linear(torch.cat(codes, dim=1))
        return scores
