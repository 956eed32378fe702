"""Blocks, taps and heads of networks whose structure is known from their papers."""

from functools import cache

import pytest
import torch

from unfreeze.zoo.backbones import Backbone, load_backbone


@cache
def backbone_of(name: str) -> Backbone:
    """Random weights serve: structure does not depend on them."""
    size = {"torchvision:alexnet": 96, "swin_tiny_patch4_window7_224": 112}.get(name, 64)
    return load_backbone(name, size=size, pretrained=False)


@pytest.mark.parametrize(
    ("name", "last_two", "number"),
    [
        ("tf_efficientnet_lite0", ["blocks.6.0", "conv_head"], 18),  # stem, 16 units, head convolution
        ("resnet18", ["layer4.0", "layer4.1"], 9),  # stem, 8 units
        ("torchvision:alexnet", ["classifier.1", "classifier.4"], 7),  # 5 convolutions, fc6, fc7
        ("torchvision:vgg11", ["classifier.0", "classifier.3"], 10),  # 8 convolutions, fc6, fc7
        ("torchvision:squeezenet1_1", ["features.11", "features.12"], 9),  # stem, 8 fire modules
        ("vit_tiny_patch16_224", ["blocks.10", "blocks.11"], 13),  # patches, 12 transformer units
        ("mobilenetv3_large_100", ["blocks.6.0", "conv_head"], 18),  # stem, 15 units, two 1x1 convolutions
        ("regnety_002", ["s4.b6", "s4.b7"], 14),  # stem, 1 + 1 + 4 + 7 units
    ],
)
def test_blocks_are_what_the_papers_call_units(name: str, last_two: list[str], number: int) -> None:
    """The last two blocks and the number of blocks are those of the published architecture."""
    card = backbone_of(name).card

    assert list(card.blocks[-2:]) == last_two
    assert len(card.blocks) == number


def test_lite0_has_eight_taps() -> None:
    """EfficientNet-Lite0 is read after each of its seven stages and at its last 1,280 features."""
    backbone = backbone_of("tf_efficientnet_lite0")

    assert [tap.name for tap in backbone.taps[:-1]] == [f"blocks.{stage}" for stage in range(7)]
    assert [tap.channels for tap in backbone.taps] == [16, 24, 40, 80, 112, 192, 320, 1280]


@pytest.mark.parametrize("name", ["torchvision:alexnet", "torchvision:vgg11"])
def test_fully_connected_layers_are_taps(name: str) -> None:
    """AlexNet and VGG are read at fc6 and fc7, 4,096 wide, after their activation."""
    backbone = backbone_of(name)
    fc6, fc7 = backbone.taps[-2:]

    assert fc6.shape == fc7.shape == (4096,)
    assert fc6 == backbone.blocks[-2].end
    graph = {node.name: node for node in backbone.graph.graph.nodes}
    assert type(backbone.network.get_submodule(graph[fc6.node].target)).__name__ == "ReLU"


@pytest.mark.slow
def test_timms_vgg_has_fc6_and_fc7_too() -> None:
    """VGG by timm, whose fully connected layers are convolutions in one module, is read at fc6 and fc7 as well."""
    backbone = backbone_of("vgg11")

    assert backbone.card.blocks[-2:] == ("pre_logits.fc1", "pre_logits.fc2")
    assert [tap.channels for tap in backbone.taps[-2:]] == [4096, 4096]
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))  # smaller than the layers' own size
    with torch.no_grad():
        (fc6,) = backbone.prefix(backbone.taps[-2:-1])(images)
        assert torch.equal(backbone.suffix(backbone.taps[-2])(fc6), backbone.network(images))


def test_a_long_run_of_equal_blocks_has_taps_inside() -> None:
    """A transformer of twelve equal blocks is read after every third."""
    taps = backbone_of("vit_tiny_patch16_224").card.taps

    assert taps[:-1] == ("blocks.2", "blocks.5", "blocks.8")


def test_layouts_are_known() -> None:
    """Swin's maps have channels last, a ResNet's first, a transformer has tokens."""
    names = ("swin_tiny_patch4_window7_224", "resnet18", "vit_tiny_patch16_224")
    layouts = [{tap.layout for tap in backbone_of(name).taps[:-1]} for name in names]

    assert layouts == [{"NHWC"}, {"NCHW"}, {"NLC"}]
