"""A card: what is known of a checkpoint, as plain data."""

import math
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from unfreeze.core.settings import ResizeWord

Channels = Literal["RGB", "BGR"]
# timm's words for the ways in which a photo becomes a square.
CROP_MODES: MappingProxyType[ResizeWord, str] = MappingProxyType(
    {"crop": "center", "squash": "squash", "pad": "border"}
)


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is known of a network and its weights.

    Its input is ``(pixels / scale - mean) / std`` for pixels from 0 to 255, each channel by itself.

    Attributes:
        name: Name by which it is loaded again: ``tf_efficientnet_lite0``, ``torchvision:alexnet``, a folder.
        library: ``timm``, ``torchvision`` or ``imported``.
        source: Where the weights came from, for people.
        licence: Of the weights; ``unknown`` if not known.
        weights_sha256: Of the state dict: names, dtypes, shapes and bytes in sorted order of names, head included; of a
            network that was imported, of its graph too.
        size: Side of the square input in pixels.
        crop_pct: Side of the crop as a fraction of the resized image.
        crop_mode: timm's word: ``center``, ``squash`` or ``border``.
        interpolation: Of the resizing: ``bicubic``, ``bilinear``, ...
        channels: Order in which the network takes red, green and blue: ``RGB``, or ``BGR`` as Caffe's networks do.
        scale: What pixels are divided by: 255 for networks that take values from 0 to 1, 1 for Caffe's.
        mean: Then subtracted from each channel, in the order of `channels`.
        std: Each channel is then divided by it, in the same order.
        parameters: How many numbers the network holds, head included.
        num_features: Width of the last codes.
        blocks: Names of the blocks, shallow to deep.
        taps: Names of the taps, shallow to deep.
        head: Module name of the classifier.
        levels: Of photos with 16 bits a channel, from 0 to 65,535, which becomes black and which white.
    """

    name: str
    library: str
    source: str
    licence: str
    weights_sha256: str
    size: int
    crop_pct: float
    crop_mode: str
    interpolation: str
    channels: Channels
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    parameters: int
    num_features: int
    blocks: tuple[str, ...]
    taps: tuple[str, ...]
    head: str
    levels: tuple[int, int] = (0, 65_535)

    @property
    def unusual_input(self) -> list[Any]:
        """Order of channels and scale where they are not ``RGB`` and 255, for keys of what is kept; else empty."""
        return [] if (self.channels, self.scale) == ("RGB", 255.0) else [self.channels, self.scale]

    @property
    def unusual_levels(self) -> list[Any]:
        """Levels that are not the whole range, for keys of codes; else empty."""
        return [] if self.levels == (0, 65_535) else [["levels", *self.levels]]

    @property
    def resize(self) -> ResizeWord:
        """How photos become squares, in our words; see `resized_by`."""
        return next(word for word, mode in CROP_MODES.items() if mode == self.crop_mode)

    @property
    def resized_side(self) -> int:
        """Pixels to which the shorter side of a photo (``squash``: both, ``pad``: the longer) is resized; as timm."""
        return math.floor(self.size / self.crop_pct)

    def resized_by(self, word: ResizeWord) -> "Card":
        """The card of the same network, its photos made squares in another way.

        Args:
            word: ``crop`` cuts the middle out; ``squash`` resizes the whole photo to a square, whatever its shape;
                ``pad`` shows the whole photo in its shape, with a border. What `crop_mode` is already stays as it is.

        Returns:
            The card.
        """
        if word == self.resize:
            return self
        return replace(self, crop_mode=CROP_MODES[word], crop_pct=self.crop_pct if word == "crop" else 1.0)

    @property
    def border(self) -> tuple[int, int, int]:
        """Red, green and blue of the border of ``pad``: the mean colour, so that the network's input is zero there."""
        red, green, blue = (round(255 * value) for value in self.in_unit_rgb().mean)
        return red, green, blue

    def in_unit_rgb(self) -> "Card":
        """The card of the same network once it takes red, green, blue, and values from 0 to 1, as timm gives them."""
        mean, std = ([value * (self.scale / 255.0) for value in values] for values in (self.mean, self.std))
        if self.channels == "BGR":
            mean, std = mean[::-1], std[::-1]
        return replace(self, channels="RGB", scale=255.0, mean=_three(mean), std=_three(std))


def card_from(stored: dict[str, Any]) -> Card:
    """The card that was written as JSON."""
    return Card(**with_tuples(stored))


def with_tuples(stored: dict[str, Any]) -> dict[str, Any]:
    """Lists of JSON become tuples again."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}


def _three(values: list[float]) -> tuple[float, float, float]:
    first, second, third = values
    return first, second, third
