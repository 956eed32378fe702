"""Similarity to the source, from the checkpoint alone: its BatchNorm layers kept the source's means and variances.

A BatchNorm layer normalises by the mean and variance that each of its channels had on the source's images. Run other
images through the frozen network: how far their means and variances are from those, at every layer, is how unlike the
source they look to this network. No image of the source is needed.

Low resolution is not dissimilarity. A photo of 32 pixels upscaled to 224 lacks the fine detail that the first layers
look for, whatever it shows. So the images are also run at about half the network's size, where a photo of 100 pixels or
more lacks nothing and a smaller one lacks less, and the smaller of the two divergences counts: the images are as like
the source as they look at the better of two distances. How many are small is a fact of its own (`Facts.small_images`).
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image as PillowImage
from torch import Tensor, nn

from unfreeze.core.cards import Card
from unfreeze.core.facts import Similarity
from unfreeze.core.progress import Advance, ignore
from unfreeze.data.image_set import Image
from unfreeze.data.squares import decoded
from unfreeze.features.openvino_graphs import BATCH_SIZE
from unfreeze.images.geometry import FILTERS, centre
from unfreeze.images.pool import DecoderPool
from unfreeze.zoo.backbones import Backbone, network_input

SAMPLE = 200  # images

# The scale, in nats per channel. A divergence of d is a mean shifted by sqrt(2 d) standard deviations in every channel:
# by 0.14 at `ALIKE`, by 1.4 at `UNLIKE`. Round numbers outside the range seen on six sets (0.03 to 0.45), so that
# nothing seen saturates, and halving the size of photos (divergence up to 1.5-fold) moves the value by less than 0.1.
ALIKE = 0.01
UNLIKE = 1.0

# Below this part of the layer's median variance, a channel never varied on the source's images: its weights died in
# training, and a quotient of two such variances is rounding error.
DEAD = 1e-5

_STEP = 32  # pixels: total stride of nearly all ConvNets, so that no layer sees a part of a step
_SMALLEST = 96  # pixels: below, the padding at the borders reaches every position of the deep layers

_BatchNorm = nn.modules.batchnorm._BatchNorm  # timm's layers with an activation inside are among its subclasses


@dataclass(eq=False)
class _Moments:
    """Mean and variance of each channel, gathered batch by batch (Chan et al. 1983)."""

    count: int = 0
    mean: Float[np.ndarray, " channel"] = field(default_factory=lambda: np.zeros(0))
    squares: Float[np.ndarray, " channel"] = field(default_factory=lambda: np.zeros(0))

    def add(self, values: Float[Tensor, "batch channel *positions"]) -> None:
        """Take in a batch."""
        count = values.numel() // values.shape[1]
        moments = torch.var_mean(values, dim=[0, *range(2, values.ndim)], correction=0)
        variance, mean = (moment.double().cpu().numpy() for moment in moments)
        if not self.count:
            self.mean, self.squares = np.zeros(len(mean)), np.zeros(len(mean))
        shift = mean - self.mean
        total = self.count + count
        self.squares = self.squares + variance * count + shift**2 * (self.count * count / total)
        self.mean = self.mean + shift * (count / total)
        self.count = total

    @property
    def variance(self) -> Float[np.ndarray, " channel"]:
        """Over all images and positions, as BatchNorm takes it in training."""
        return self.squares / max(self.count, 1)


def measure_similarity(
    backbone: Backbone, images: Sequence[Image], *, pool: DecoderPool, count: int = SAMPLE, advance: Advance = ignore
) -> Similarity:
    """How like the source's images some images look to a network, and how sure its own head is about them.

    Args:
        backbone: The network with the source's weights and its own head; it is not changed.
        images: Of the train part; labels do not matter.
        pool: Decoder pool.
        count: At most so many are run; which ones is decided by their content alone, not by names or order.
        advance: Reports progress per image of each pass.

    Returns:
        The similarity; without a value, and with the reason, if the network has no BatchNorm statistics.

    References:
        Li et al. (2018), Adaptive Batch Normalization for practical domain adaptation, Pattern Recognition 80: the
        statistics of BatchNorm layers hold what is particular to a domain.
    """
    if not _layers(backbone.network):
        return Similarity(
            value=None, because=f"{backbone.card.name} has no BatchNorm layers with statistics of a source"
        )
    chosen = sorted(images, key=lambda image: (image.sha256, image.name))[:count]
    pixels = [centre(square[None], backbone.card.size)[0] for _, square in decoded(chosen, backbone.card, pool, [])]
    if not pixels:
        return Similarity(value=None, because="no image could be decoded")
    return similarity_of(backbone, np.stack(pixels), advance)


def similarity_of(
    backbone: Backbone, pixels: UInt8[np.ndarray, "image size size 3"], advance: Advance = ignore
) -> Similarity:
    """Similarity of images that are decoded and cut as the network wants them; else as `measure_similarity`.

    Args:
        backbone: The network; it has BatchNorm statistics.
        pixels: Red, green, blue, at the network's input size.
        advance: Reports progress per image of each pass.

    Returns:
        The similarity.
    """
    usual = _Pass(backbone, pixels, advance)
    passes = [usual]
    smaller = _half(backbone.card.size)
    if smaller < backbone.card.size and _accepts(backbone, smaller):
        resized = np.stack([_resized(image, smaller, backbone.card) for image in pixels])
        passes.append(_Pass(backbone, resized, advance))
    best = min(passes, key=lambda one: one.divergence)
    return Similarity(
        value=on_scale(best.divergence),
        divergence=best.divergence,
        layers=len(best.by_layer),
        channels=best.channels,
        dead_channels=best.dead_channels,
        images=len(pixels),
        input_size=best.size,
        confidence=usual.confidence,
    )


def on_scale(divergence: float) -> float:
    """Similarity of a divergence in nats per channel: 1 at `ALIKE`, 0 at `UNLIKE`, linear in the logarithm, clipped."""
    if divergence <= ALIKE:
        return 1.0
    return max(0.0, math.log(UNLIKE / divergence) / math.log(UNLIKE / ALIKE))


def gaussian_divergence(
    mean: Float[np.ndarray, " channel"],
    variance: Float[np.ndarray, " channel"],
    source_mean: Float[np.ndarray, " channel"],
    source_variance: Float[np.ndarray, " channel"],
) -> Float[np.ndarray, " channel"]:
    """Kullback-Leibler divergence of one Gaussian from another, channel by channel, in nats.

    Args:
        mean: Of the data.
        variance: Of the data; 0 counts as a millionth of the source's.
        source_mean: Of the source.
        source_variance: Of the source, positive.

    Returns:
        ``KL(N(mean, variance) || N(source_mean, source_variance))``.
    """
    ratio = np.maximum(variance / source_variance, 1e-6)
    return np.asarray(0.5 * (ratio - 1 - np.log(ratio) + (mean - source_mean) ** 2 / source_variance))


class _Pass:
    """What one pass over the images gave.

    Attributes:
        size: Side at which they were run.
        by_layer: Median divergence over the living channels of each layer, in nats.
        channels: Of all layers.
        dead_channels: How many of these were left out.
        confidence: Mean largest softmax probability.
    """

    def __init__(self, backbone: Backbone, pixels: UInt8[np.ndarray, "image size size 3"], advance: Advance) -> None:
        self.size = int(pixels.shape[1])
        moments, self.confidence = _moments(backbone, pixels, advance)
        self.by_layer: dict[str, float] = {}
        self.channels = self.dead_channels = 0
        for name, layer in _layers(backbone.network).items():
            source_mean, source_variance = _statistics(layer)
            alive = living(source_variance)
            self.channels += len(alive)
            self.dead_channels += int((~alive).sum())
            seen = moments[name]
            if seen.count and alive.any():
                divergences = gaussian_divergence(
                    seen.mean[alive], seen.variance[alive], source_mean[alive], source_variance[alive]
                )
                self.by_layer[name] = float(np.median(divergences))

    @property
    def divergence(self) -> float:
        """Mean over the layers."""
        return float(np.mean(list(self.by_layer.values())))


def living(source_variance: Float[np.ndarray, " channel"]) -> Bool[np.ndarray, " channel"]:
    """Channels that varied on the source's images."""
    return np.asarray(source_variance > DEAD * np.median(source_variance))


def _statistics(layer: nn.Module) -> tuple[Float[np.ndarray, " channel"], Float[np.ndarray, " channel"]]:
    mean, variance = layer.get_buffer("running_mean"), layer.get_buffer("running_var")
    return mean.double().cpu().numpy(), variance.double().cpu().numpy()


def _layers(network: nn.Module) -> dict[str, nn.Module]:
    """BatchNorm layers that hold statistics, by name."""
    return {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, _BatchNorm) and module.running_mean is not None and _has_learnt(module)
    }


def _has_learnt(layer: nn.Module) -> bool:
    """Whether the statistics are of images, and not means of 0 and variances of 1, as random weights have them."""
    mean, variance = _statistics(layer)
    return bool(mean.any() or (variance != 1).any())


def _moments(
    backbone: Backbone, pixels: UInt8[np.ndarray, "image size size 3"], advance: Advance
) -> tuple[dict[str, _Moments], float]:
    """Moments of what each BatchNorm layer takes, and the mean confidence of the head."""
    found = {name: _Moments() for name in _layers(backbone.network)}
    sure: list[Tensor] = []
    with _listening(backbone.network, found), torch.inference_mode():
        for batch in _batches(pixels):
            logits = backbone.network(network_input(torch.from_numpy(batch), backbone.card))
            sure.append(logits.flatten(1).softmax(dim=1).amax(dim=1))
            advance(len(batch))
    return found, float(torch.cat(sure).mean())


@contextmanager
def _listening(network: nn.Module, moments: dict[str, _Moments]) -> Iterator[None]:
    """Let every BatchNorm layer of the network tell its moments what it is given."""

    def listener(seen: _Moments) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _, given: seen.add(given[0])

    hooks = [network.get_submodule(name).register_forward_pre_hook(listener(seen)) for name, seen in moments.items()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _batches(pixels: UInt8[np.ndarray, "image size size 3"]) -> Iterable[UInt8[np.ndarray, "batch size size 3"]]:
    return (pixels[start : start + BATCH_SIZE] for start in range(0, len(pixels), BATCH_SIZE))


def _half(size: int) -> int:
    """Half a size, down to a whole step, but not below what deep layers need."""
    return max(_SMALLEST, size // 2 // _STEP * _STEP)


def _accepts(backbone: Backbone, size: int) -> bool:
    """Whether the network runs at another size: some have a fixed one."""
    blank = np.zeros((1, size, size, 3), dtype=np.uint8)
    try:
        with torch.inference_mode():
            backbone.network(network_input(torch.from_numpy(blank), backbone.card))
    except (RuntimeError, AssertionError, ValueError):  # what layers of a fixed size raise
        return False
    return True


def _resized(image: UInt8[np.ndarray, "size size 3"], size: int, card: Card) -> UInt8[np.ndarray, "smaller smaller 3"]:
    return np.asarray(PillowImage.fromarray(image).resize((size, size), FILTERS[card.interpolation]))
