"""Mixup and cutmix: batches whose images, and targets, are mixtures of two."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchvision.transforms import v2

from unfreeze.core.plans import Augmentation

Targets = Int[Tensor, " image"] | Float[Tensor, "image cls"]  # class indices, or shares of the classes


def mixed(
    inputs: Float[Tensor, "image *shape"], labels: Int[Tensor, " image"], *, classes: int, recipe: Augmentation
) -> tuple[Float[Tensor, "image *shape"], Targets]:
    """A batch mixed with itself, as `recipe` says; torch's global generator draws.

    Pixels are mixed as in the two papers. Where the frozen part's activations are remembered, the maps at the cut are
    mixed instead: mixup there is manifold mixup (Verma et al. 2019, arXiv:1806.05236), cutmix pastes rectangles of the
    map, which stand for somewhat larger ones of the image. Codes, which have no place left in them, are not mixed.

    Args:
        inputs: What the learning part takes: pixels, maps or codes.
        labels: Class index of every image.
        classes: Number of classes.
        recipe: Its mixup and cutmix.

    Returns:
        The inputs and their targets: both as they were where nothing is mixed, else rows that add up to 1.
    """
    kinds = [(recipe.mixup, v2.MixUp), (recipe.cutmix, v2.CutMix)]
    wanted = [(alpha, kind) for alpha, kind in kinds if alpha]
    if not wanted or inputs.ndim != 4:
        return inputs, labels
    alpha, kind = wanted[int(torch.randint(len(wanted), ()))]
    mixture, targets = kind(alpha=alpha, num_classes=classes)(inputs, labels)
    return mixture, targets
