"""A backbone out of an ONNX file's nodes, and the ways in which such networks are given pixels."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import torch

from unfreeze.core.cards import Channels
from unfreeze.core.errors import InputError
from unfreeze.zoo.imported.description import Description
from unfreeze.zoo.imported.endings import Imported, ended
from unfreeze.zoo.onnx.conversion import operations_of
from unfreeze.zoo.onnx.nodes import OnnxNetwork
from unfreeze.zoo.preprocessing import Colours, Preprocessing

# Channels, what pixels are divided by, mean and deviation then. The first three are what Keras calls them
# (`keras.applications.imagenet_utils.preprocess_input`).
WAYS: Final[Mapping[str, tuple[Channels, float, Colours, Colours]]] = {
    "torch": ("RGB", 255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "tf": ("RGB", 255.0, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "caffe": ("BGR", 1.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0)),
    "unit": ("RGB", 255.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "pixels": ("RGB", 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
CROP_PCT = 0.875  # timm's where a network says nothing


def preprocessing_by(way: str | None, size: int, *, mean: Colours | None, scale: float | None) -> Preprocessing:
    """How an image becomes the input of a network whose file does not say.

    Args:
        way: A key of `WAYS`.
        size: Side of its images, pixels.
        mean: In place of the way's, of pixels from 0 to 255, in the network's order of channels.
        scale: In place of the way's: factor of pixels less the mean.

    Raises:
        InputError: There is no such way, or none was given.
    """
    check_way(way)
    assert way is not None  # noqa: S101 - it was checked
    channels, divisor, own_mean, std = WAYS[way]
    if mean is not None or scale is not None:
        # As one says it of pixels from 0 to 255: less the mean, times the scale.
        own_mean = _times(own_mean, divisor) if mean is None else mean
        std = _times(std, divisor) if scale is None else (1 / scale,) * 3
        divisor = 1.0
    return Preprocessing(
        size=size,
        crop_pct=CROP_PCT,
        crop_mode="center",
        interpolation="bilinear",
        channels=channels,
        scale=divisor,
        mean=own_mean,
        std=std,
    )


def _times(values: Colours, factor: float) -> Colours:
    first, second, third = (value * factor for value in values)
    return first, second, third


def check_way(way: str | None) -> None:
    """Check that a way is known.

    Raises:
        InputError: There is no such way, or none was given.
    """
    if way not in WAYS:
        found = "and the file does not say" if way is None else f"and there is no {way!r}"
        msg = (
            f"Which pixels does the network take? One of {', '.join(WAYS)} is wanted, {found}: give --preprocessing "
            "torch for ImageNet's mean and deviation, as networks of PyTorch's take them."
        )
        raise InputError(msg)


def imported(network: OnnxNetwork, takes: Preprocessing, *, until: str | None = None) -> Imported:
    """A backbone out of an ONNX file's nodes.

    Args:
        network: As it was read, for images of the side that it takes.
        takes: How an image becomes its input.
        until: Last layer of the trunk; None for the whole network with its classifier.

    Returns:
        The network.

    Raises:
        PlanError: A layer is not known, or the network ends in no classifier.
        WeightsError: Layers and weights do not fit.
    """
    converted = operations_of(network, until)
    whole = Description(operations=converted.operations, output=converted.output, head="", size=takes.size)
    tensors = {name: torch.from_numpy(np.array(value, np.float32)) for name, value in converted.tensors.items()}
    return ended(whole, tensors, takes, trunk=until is not None)
