"""A classifier that says what its head reads, too."""

from typing import Any, final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from unfreeze.zoo.backbones import PixelClassifier
from unfreeze.zoo.tap_classifier import CutNetwork


@final
class WithCodes(nn.Module):
    """Scores of plain pixels, and the codes that they are computed from.

    Args:
        classifier: In evaluation mode; its layers are shared.
    """

    def __init__(self, classifier: PixelClassifier | CutNetwork) -> None:
        super().__init__()
        self.classifier = classifier
        self._read: list[Tensor] = []
        head = (
            classifier.linear
            if isinstance(classifier, CutNetwork)
            else classifier.network.get_submodule(classifier.card.head)
        )
        head.register_forward_pre_hook(self._note)
        self.training = False  # not by eval(), which would reach the network's own layers

    def _note(self, head: nn.Module, given: tuple[Any, ...]) -> None:  # noqa: ARG002 - what a hook is given
        self._read = [given[0]]

    def forward(
        self, images: UInt8[Tensor, "batch height width 3"]
    ) -> tuple[Float[Tensor, "batch cls"], Float[Tensor, "batch code"]]:
        """Scores and codes; of a head that is a convolution, the codes of its one place."""
        scores: Tensor = self.classifier(images)
        (codes,) = self._read
        self._read = []
        return scores, torch.flatten(codes, 1)
