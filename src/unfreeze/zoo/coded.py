"""A classifier that says what its head reads, too, and of which map those are the means."""

from typing import Any, Final, final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from unfreeze.zoo.backbones import PixelClassifier
from unfreeze.zoo.graph import find_cuts, trace_network
from unfreeze.zoo.last_map import Watched, watched
from unfreeze.zoo.tap_classifier import CutNetwork

_SAME: Final = 1e-4  # between codes and means of a map, of the largest; rounding gives 1e-6


@final
class WithCodes(nn.Module):
    """Scores of plain pixels, and the codes that they are computed from.

    Args:
        classifier: In evaluation mode; its layers are shared.
        map_layer: Gives on the map that is wanted too; None for none.
    """

    def __init__(self, classifier: PixelClassifier | CutNetwork, map_layer: nn.Module | None = None) -> None:
        super().__init__()
        self.classifier = classifier
        self.gives_map = map_layer is not None
        self._read: list[Tensor] = []
        self._maps: list[Tensor] = []
        head = (
            classifier.linear
            if isinstance(classifier, CutNetwork)
            else classifier.network.get_submodule(classifier.card.head)
        )
        head.register_forward_pre_hook(self._note)
        if map_layer is not None:
            map_layer.register_forward_hook(self._note_map)
        self.training = False  # not by eval(), which would reach the network's own layers

    def _note(self, head: nn.Module, given: tuple[Any, ...]) -> None:  # noqa: ARG002 - what a hook is given
        self._read = [given[0]]

    def _note_map(self, layer: nn.Module, given: tuple[Any, ...], found: Tensor) -> None:  # noqa: ARG002 - as above
        self._maps = [found]

    def forward(self, images: UInt8[Tensor, "batch height width 3"]) -> tuple[Tensor, ...]:
        """Scores and codes (of a head that is a convolution, those of its one place); the map behind them."""
        scores: Tensor = self.classifier(images)
        (codes,), maps = self._read, self._maps
        self._read, self._maps = [], []
        return (scores, torch.flatten(codes, 1), *(maps if self.gives_map else ()))


def with_map(classifier: PixelClassifier | CutNetwork) -> WithCodes:
    """A classifier that also gives its last map, if its head reads the means of that and nothing else.

    Then the head's weights times the map are what each place adds to a score: the class activation map of Zhou et al.
    (2016, arXiv:1512.04150), without any gradient. Found out by trying: codes of noise are compared with means.

    Args:
        classifier: In evaluation mode; its graph passes through the layer of the map from now on.

    Returns:
        Scores and codes ``[batch, code]``, and the map ``[batch, code, height, width]`` if there is one.
    """
    size = classifier.card.size
    found = _watched(classifier, size)
    module = WithCodes(classifier, None if found is None else found.layer)
    module.gives_map = found is not None and _reads_means(module, size)
    return module


def _watched(classifier: PixelClassifier | CutNetwork, size: int) -> Watched | None:
    if isinstance(classifier, CutNetwork):
        return watched(classifier, classifier.cuts)
    traced = trace_network(classifier.network, size)
    return watched(classifier, find_cuts(traced), graph=traced.graph)


def _reads_means(module: WithCodes, size: int) -> bool:
    noise = torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        _, codes, maps = module(noise)
    means: Float[Tensor, "batch code"] = maps.mean(dim=(2, 3))
    if codes.shape != means.shape:
        return False
    return float((codes - means).abs().max()) <= _SAME * float(codes.abs().max())
