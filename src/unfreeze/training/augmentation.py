"""Augmentation: what training sees of a decoded square; plain data and one function of it."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unfreeze.core.plans import Augmentation
from unfreeze.images.geometry import centre

# Weights of red, green and blue in brightness (ITU-R BT.601), as in Pillow's and torchvision's grey.
_GREY = np.array([0.299, 0.587, 0.114])
_TRIES = 10


def augment(
    square: NDArray[np.uint8], *, size: int, recipe: Augmentation, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """One random view of a decoded square.

    Args:
        square: Shape (side, side, 3).
        size: Side of the result in pixels.
        recipe: How much to vary; with `NONE` the result equals the centre crop that evaluation sees.
        rng: Source of all chance; equal states give equal views.

    Returns:
        Shape (size, size, 3), never a view of `square`.
    """
    if recipe.crops:
        box = _crop_box(square.shape[0], recipe, rng)
        image = Image.fromarray(square).resize((size, size), Image.Resampling.BILINEAR, box=box)
    else:
        image = Image.fromarray(np.ascontiguousarray(centre(square, size)))
    if recipe.flip and rng.random() < recipe.flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if recipe.colours:
        image = image.convert("RGB", _colour_matrix(image, recipe, rng))
    if recipe.operations:
        image = _random_operations(image, recipe, rng)
    return np.array(image)


def _crop_box(side: int, recipe: Augmentation, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """A random part of the square (Szegedy et al. 2015, arXiv:1409.4842); the largest centred one if none fits."""
    for _ in range(_TRIES):
        area = side * side * rng.uniform(*recipe.scale)
        ratio = math.exp(rng.uniform(math.log(recipe.ratio[0]), math.log(recipe.ratio[1])))
        width, height = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if width <= side and height <= side:
            left, top = rng.uniform(0, side - width), rng.uniform(0, side - height)
            return left, top, min(left + width, side), min(top + height, side)
    return 0.0, 0.0, float(side), float(side)


def _colour_matrix(image: Image.Image, recipe: Augmentation, rng: np.random.Generator) -> tuple[float, ...]:
    """Brightness, then contrast around the mean grey, then saturation, as one affine map: one pass instead of three."""
    bright = 1 + recipe.brightness * rng.uniform(-1, 1)
    contrast = 1 + recipe.contrast * rng.uniform(-1, 1)
    saturation = 1 + recipe.saturation * rng.uniform(-1, 1)
    # From the histogram: four times as fast as a mean over the interleaved bytes, and exact.
    channel_means = np.reshape(image.histogram(), (3, 256)) @ np.arange(256) / (image.width * image.height)
    mean_grey = float(channel_means @ _GREY) * bright
    mix = saturation * np.eye(3) + (1 - saturation) * np.tile(_GREY, (3, 1))
    matrix = np.column_stack([bright * contrast * mix, np.full(3, (1 - contrast) * mean_grey)])
    return tuple(matrix.ravel().tolist())


def _random_operations(image: Image.Image, recipe: Augmentation, rng: np.random.Generator) -> Image.Image:
    """Torchvision's RandAugment, its chance drawn from `rng`; the global generator stays as it was."""
    import torch
    from torchvision.transforms import v2

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**63)))
        varied: Image.Image = v2.RandAugment(recipe.operations, recipe.magnitude)(image)
    return varied
