"""Codes of an image: statistics over the places of what a layer gives."""

from types import MappingProxyType

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from unfreeze.core.readouts import GRID, STATISTICS, Statistic

_PLACES = MappingProxyType({"NCHW": (2, 3), "NHWC": (1, 2), "NLC": (1,), "NC": ()})


def statistics_at(layout: str) -> tuple[Statistic, ...]:
    """What can be read of a tensor of this layout: a vector has its mean alone, a sequence of tokens no grid."""
    places = len(_PLACES[layout])
    return tuple(one for one in STATISTICS if places == 2 or one == "mean" or (places == 1 and one != "grid"))


def pooled(x: Float[Tensor, "batch ..."], layout: str, statistic: Statistic = "mean") -> Float[Tensor, "batch code"]:
    """One vector per image: a statistic over the places of a map, or over the tokens of a sequence.

    Args:
        x: Tensor at a cut.
        layout: Of that cut.
        statistic: One of `statistics_at`; the grid has four values a channel, those of a channel together.

    Returns:
        The codes.
    """
    places = _PLACES[layout]
    if not places:
        return x
    if statistic == "maximum":
        return x.amax(dim=places)
    if statistic == "deviation":
        return (x - x.mean(dim=places, keepdim=True)).square().mean(dim=places).sqrt()
    if statistic == "grid":
        maps = x.permute(0, 3, 1, 2) if layout == "NHWC" else x
        return functional.adaptive_avg_pool2d(maps, GRID).flatten(1)
    return x.mean(dim=places)
