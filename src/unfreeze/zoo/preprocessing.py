"""How an image becomes a network's input."""

from dataclasses import dataclass

from unfreeze.core.cards import Channels


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How an image becomes the network's input; each field as in `Card`."""

    size: int
    crop_pct: float
    crop_mode: str
    interpolation: str
    channels: Channels
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
