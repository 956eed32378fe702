"""How an image becomes a network's input."""

from dataclasses import dataclass

from unfreeze.core.cards import Channels

Colours = tuple[float, float, float]  # a number for each channel, in the network's order


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How an image becomes the network's input; each field as in `Card`."""

    size: int
    crop_pct: float
    crop_mode: str
    interpolation: str
    channels: Channels
    scale: float
    mean: Colours
    std: Colours
