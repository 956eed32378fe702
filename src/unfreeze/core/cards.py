"""A card: what is known of a checkpoint, as plain data."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is known of a network and its weights.

    Attributes:
        name: Name by which it is loaded again: ``tf_efficientnet_lite0``, ``torchvision:alexnet``.
        library: ``timm`` or ``torchvision``.
        source: Where the weights came from, for people.
        licence: Of the weights; ``unknown`` if not known.
        weights_sha256: Of the state dict: names, dtypes, shapes and bytes in sorted order of names, head included.
        size: Side of the square input in pixels.
        crop_pct: Side of the crop as a fraction of the resized image.
        crop_mode: timm's word: ``center``, ``squash`` or ``border``.
        interpolation: Of the resizing: ``bicubic``, ``bilinear``, ...
        mean: Subtracted from each channel (red, green, blue) of an image in [0, 1].
        std: Each channel is then divided by it.
        parameters: How many numbers the network holds, head included.
        num_features: Width of the last codes.
        blocks: Names of the blocks, shallow to deep.
        taps: Names of the taps, shallow to deep.
        head: Module name of the classifier.
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
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    parameters: int
    num_features: int
    blocks: tuple[str, ...]
    taps: tuple[str, ...]
    head: str
