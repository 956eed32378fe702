"""What tests of training share: a small network and what it learns from."""

import numpy as np
import pytest
from torch import nn

from unfreeze.core.plans import NONE
from unfreeze.data.squares import Squares
from unfreeze.images.pool import DecoderPool
from unfreeze.training.examples import Pixels, Remembered
from unfreeze.training.trials import Inputs
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import CPU


@pytest.fixture(scope="session")
def start(tiny: Backbone) -> Backbone:
    """A small network of two classes with random weights and a head that knows nothing."""
    return tiny.with_classes(2)


@pytest.fixture(scope="session")
def dropping(start: Backbone) -> Backbone:
    """The same with dropout before the last BatchNorm."""
    twin = start.copy()
    dropout = nn.Dropout(0.5).eval()
    for module in (twin.network, twin.graph):
        module.set_submodule("layer4.0.drop_block", dropout)
    return twin


@pytest.fixture(scope="session")
def inputs(start: Backbone) -> Inputs:
    """Thirty-two images, dark ones and bright ones."""
    labels = np.arange(32) % 2
    noise = np.random.default_rng(0).normal(size=(32, 3, 32, 32)).astype(np.float32)
    images = Remembered(
        noise + labels[:, None, None, None].astype(np.float32), np.empty((0, 0, 3, 32, 32), np.float32), np.full(32, -1)
    )
    pixels = Pixels(Squares((), start.card, DecoderPool()), start.card, NONE, 0, CPU)
    return Inputs(cut=start.cuts[0], examples=images, features=images, pixels=pixels, labels=labels)
