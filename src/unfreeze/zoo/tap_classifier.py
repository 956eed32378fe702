"""A linear classifier on codes of one tap or several, with the network up to the deepest of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray
from torch import Tensor, fx, nn

from unfreeze.core.cards import Card
from unfreeze.core.readouts import Readout
from unfreeze.zoo.backbones import Backbone, network_input
from unfreeze.zoo.graph import Cut
from unfreeze.zoo.imported.description import Description
from unfreeze.zoo.imported.network import description_of
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

    def module(self) -> "CutNetwork":
        """From uint8 images ``[batch, size, size, 3]`` (red, green, blue) to scores; shares the network's modules."""
        prefix = self.backbone.prefix(self.cuts)
        module = CutNetwork(prefix, self.cuts, self.readouts, card=self.card, shape=self.weight.shape)
        module.description = description_of(self.backbone.network)
        with torch.no_grad():
            module.linear.weight.copy_(torch.from_numpy(self.weight))
            module.linear.bias.copy_(torch.from_numpy(self.bias))
        return module


@final
class CutNetwork(nn.Module):
    """The network up to its deepest tap, and the linear classifier: from plain pixels to scores.

    It is no `Backbone`: what comes after the deepest tap is not in it.

    Args:
        prefix: From the network's input to the tensors at `cuts`.
        cuts: The taps that are read, shallow to deep.
        readouts: What the classifier reads, in the order of its weights.
        card: Of the network that was cut.
        shape: Of the classifier's weight: classes and codes. Its values are still to be written.
    """

    prefix: fx.GraphModule
    linear: nn.Linear
    description: Description | None  # of the network that was cut, if it was imported: no library can build it

    def __init__(
        self,
        prefix: fx.GraphModule,
        cuts: Sequence[Cut],
        readouts: Sequence[Readout],
        *,
        card: Card,
        shape: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.prefix, self.cuts, self.readouts, self.card = prefix, tuple(cuts), tuple(readouts), card
        places = {cut.name: place for place, cut in enumerate(cuts)}
        self._reads = [(places[one.tap], cuts[places[one.tap]].layout, one.statistic) for one in readouts]
        classes, codes = shape
        # Empty first, since it would draw from the global generator.
        self.linear = nn.Linear(codes, classes, device="meta").to_empty(device="cpu")
        self.description = None
        self.training = False  # not by eval(), which would reach the network's own layers

    @property
    def classes(self) -> int:
        """How many."""
        return len(self.linear.bias)

    def module(self) -> "CutNetwork":
        """Itself: as of `Backbone` and `TapClassifier`, from plain pixels to scores."""
        return self

    def forward(self, images: UInt8[Tensor, "batch height width 3"]) -> Float[Tensor, "batch cls"]:
        """Scores of plain pixels, red, green, blue."""
        found = self.prefix(network_input(images, self.card))
        codes = [pooled(found[place], layout, statistic) for place, layout, statistic in self._reads]
        scores: Tensor = self.linear(torch.cat(codes, dim=1))
        return scores
