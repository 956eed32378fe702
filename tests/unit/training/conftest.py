"""What tests of training share: a small network and what it learns from."""

import numpy as np
import pytest
import torch

from unfreeze.core.plans import NONE
from unfreeze.data.squares import Squares
from unfreeze.images.pool import DecoderPool
from unfreeze.training.examples import Pixels, Remembered
from unfreeze.training.trials import Inputs
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.devices import CPU


@pytest.fixture(scope="module")
def start() -> Backbone:
    """A small network of two classes with random weights."""
    torch.manual_seed(0)
    return load_backbone("resnet18", pretrained=False, size=32).with_classes(2)


@pytest.fixture(scope="module")
def inputs(start: Backbone) -> Inputs:
    """Thirty-two images, dark ones and bright ones."""
    labels = np.arange(32) % 2
    noise = np.random.default_rng(0).normal(size=(32, 3, 32, 32)).astype(np.float32)
    images = Remembered(
        noise + labels[:, None, None, None].astype(np.float32), np.empty((0, 0, 3, 32, 32), np.float32), np.full(32, -1)
    )
    pixels = Pixels(Squares((), start.card, DecoderPool()), start.card, NONE, 0, CPU)
    return Inputs(cut=start.cuts[0], examples=images, features=images, pixels=pixels, labels=labels)
