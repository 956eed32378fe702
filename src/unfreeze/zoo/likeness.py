"""A model that also says how like those in training a photo is, as one module: what exported programs are made of."""

from typing import final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from unfreeze.metrics.novelty import CodeCloud
from unfreeze.zoo.coded import WithCodes
from unfreeze.zoo.folders import SavedModel


@final
class Likeness(nn.Module):
    """`metrics.novelty.likeness` in float32.

    Args:
        cloud: Where the codes of the training set lie.
    """

    means: Tensor
    directions: Tensor
    variances: Tensor
    held_out: Tensor

    def __init__(self, cloud: CodeCloud) -> None:
        super().__init__()
        self.rest = cloud.rest
        for name in ("means", "directions", "variances", "held_out"):
            self.register_buffer(name, torch.from_numpy(getattr(cloud, name).astype(np.float32)))

    def forward(self, codes: Float[Tensor, "batch code"]) -> Float[Tensor, " batch"]:
        """Of each photo, above 0 and at most 1; small for a photo that is unlike all in training."""
        unit: Tensor = codes / codes.norm(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)  # zeros stay
        apart = unit[:, None] - self.means
        along = apart @ self.directions.T
        # Not as a difference of two squares, which would lose digits that float32 does not have to spare.
        beside = apart - along @ self.directions
        squares = (along.square() / self.variances).sum(dim=2) + beside.square().sum(dim=2) / self.rest
        farther = (self.held_out >= squares.amin(dim=1, keepdim=True)).to(torch.float32).sum(dim=1)
        return (1 + farther) / (1 + len(self.held_out))


@final
class AnswersAndLikeness(nn.Module):
    """As `zoo.programs.Answers`, with the likeness of each photo behind.

    Args:
        saved: The model.
        cloud: Where the codes of its training set lie.
    """

    def __init__(self, saved: SavedModel, cloud: CodeCloud) -> None:
        super().__init__()
        self.scores, self.likeness = WithCodes(saved.module), Likeness(cloud)
        self.probabilities = saved.gives_probabilities

    def forward(
        self, images: UInt8[Tensor, "batch height width 3"]
    ) -> tuple[Float[Tensor, "batch cls"], Float[Tensor, " batch"]]:
        """What the model says of plain pixels, red, green, blue."""
        scores, codes = self.scores(images)
        return torch.softmax(scores, dim=1) if self.probabilities else scores, self.likeness(codes)
