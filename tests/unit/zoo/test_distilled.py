"""Networks that were distilled, whose scores are the mean of two classifiers."""

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from unfreeze.core.errors import PlanError
from unfreeze.zoo.backbones import load_backbone
from unfreeze.zoo.folders import load_model, save_model

pytestmark = pytest.mark.slow

IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_a_new_head_takes_the_place_of_both(tmp_path: Path) -> None:
    """Both classifiers become the new head, so that what is saved gives its scores, to us and to timm."""
    backbone = load_backbone("swiftformer_xs", size=64, pretrained=False).with_classes(3)
    draws = torch.Generator().manual_seed(1)
    weight, bias = torch.randn(3, backbone.card.num_features, generator=draws), torch.randn(3, generator=draws)
    backbone.set_head(weight, bias)
    save_model(tmp_path / "model", backbone, class_names=("a", "b", "c"), card_text="x")

    with torch.no_grad():
        (codes,) = backbone.prefix([backbone.head_cut])(IMAGES)
        expected = codes @ weight.T + bias
        ours, _ = load_model(tmp_path / "model")
        theirs = timm.create_model(f"local-dir:{tmp_path / 'model'}", pretrained=True).eval()
        for network in (backbone.network, ours.network, theirs):
            torch.testing.assert_close(network(IMAGES), expected, rtol=1e-4, atol=1e-4)
    assert [name for name, _ in backbone.network.named_parameters() if "head" in name] == ["head.weight", "head.bias"]
    again = load_backbone(str(tmp_path / "model"))
    assert "its head of 3 classes left out" in again.card.source


@pytest.mark.parametrize(("name", "size"), [("repvit_m0_9", 64), ("levit_128s", 224)])
def test_a_second_classifier_is_not_built(name: str, size: int, tmp_path: Path) -> None:
    """Weights of the whole network load without its second classifier; codes are timm's, and timm loads the model."""
    whole = timm.create_model(name).eval()
    save_file({key: value.contiguous() for key, value in whole.state_dict().items()}, tmp_path / "w.safetensors")
    backbone = load_backbone(name, size=size, weights=tmp_path / "w.safetensors")
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))

    with torch.no_grad():
        codes = whole.forward_head(whole.forward_features(images), pre_logits=True)
        norm = whole.get_submodule(f"{backbone.head.rpartition('.')[0]}.bn")
        (found,) = backbone.prefix([backbone.head_cut])(images)
        torch.testing.assert_close(found, norm(codes), rtol=1e-4, atol=1e-4)
    save_model(tmp_path / "model", backbone.with_classes(2), class_names=("a", "b"), card_text="x")
    assert timm.create_model(f"local-dir:{tmp_path / 'model'}", pretrained=True).num_classes == 2


@pytest.mark.parametrize(("name", "size"), [("crossvit_tiny_240", 240), ("deit_tiny_distilled_patch16_224", 64)])
def test_classifiers_on_different_codes(name: str, size: int) -> None:
    """Where each classifier has codes of its own there is no one head, which a sentence says."""
    with pytest.raises(PlanError, match="does not end in one linear layer or 1x1 convolution"):
        load_backbone(name, size=size, pretrained=False)
