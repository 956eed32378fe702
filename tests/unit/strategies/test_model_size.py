"""How large models are."""

import numpy as np
import pytest

from unfreeze.core.readouts import Readout
from unfreeze.strategies.model_size import cost_of
from unfreeze.zoo.backbones import load_backbone
from unfreeze.zoo.graph import weights_before
from unfreeze.zoo.tap_classifier import TapClassifier


def test_a_network_that_is_cut_off_is_smaller() -> None:
    """ResNet-18 up to conv2_x, by hand after He et al. 2016, Table 1, with BatchNorm's four numbers a channel."""
    backbone = load_backbone("resnet18", size=64, pretrained=False)
    layer1 = TapClassifier(
        backbone=backbone,
        readouts=(Readout("layer1"), Readout("layer1", "maximum")),
        weight=np.zeros((3, 128), np.float32),
        bias=np.zeros(3, np.float32),
    )

    cost = cost_of(layer1)

    numbers = 7 * 7 * 3 * 64 + 4 * 3 * 3 * 64 * 64 + 5 * 4 * 64 + 3 * 128 + 3
    assert cost.deepest_tap == "layer1"
    assert cost.megabytes == 4 * numbers / 1e6


@pytest.mark.parametrize("name", ["lite0", "vit_tiny_patch16_224", "torchvision:squeezenet1_1"])
def test_what_is_counted_is_what_is_cut_off(name: str) -> None:
    """At every tap, the weights before it are those of the module that is made of the network up to there."""
    backbone = load_backbone(name, size=64, pretrained=False)

    for tap in backbone.taps:
        assert weights_before(backbone.graph, tap).keys() == backbone.prefix([tap]).state_dict().keys()


def test_a_whole_network_is_all_of_it() -> None:
    """Torchvision's documentation gives ResNet-18 11,689,512 parameters, of which 513,000 are its own head."""
    backbone = load_backbone("torchvision:resnet18", size=64, pretrained=False).with_classes(3)
    statistics = 2 * (64 + 4 * 64 + 5 * 128 + 5 * 256 + 5 * 512)

    cost = cost_of(backbone)

    assert cost.deepest_tap is None
    assert cost.megabytes == 4 * (11_689_512 - 513_000 + 513 * 3 + statistics) / 1e6
