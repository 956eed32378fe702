"""Beginning from a folder: a delivered model, one that timm saved, one of transformers."""

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models import save_for_hf
from torch import Tensor

from unfreeze.core.errors import WeightsError
from unfreeze.zoo.backbones import load_backbone
from unfreeze.zoo.folders import save_model
from unfreeze.zoo.network_folders import folder_named

NAMES = ("ants", "bees", "cats")


def transformers_resnet(folder: Path, network: torch.nn.Module) -> None:
    """A ResNet-18 with the names of transformers 5.24, whose own ResNet gave the same scores from them, bit for bit."""
    weights: dict[str, Tensor] = {}
    for name, value in network.state_dict().items():
        if name.startswith("layer"):
            stage, layer, kind, *rest = name.split(".")
            stem = f"resnet.encoder.stages.{int(stage[5:]) - 1}.layers.{layer}"
            if kind == "downsample":
                new = f"{stem}.shortcut.{'convolution' if rest[0] == '0' else 'normalization'}.{rest[1]}"
            else:
                part = "convolution" if kind.startswith("conv") else "normalization"
                new = f"{stem}.layer.{int(kind[-1]) - 1}.{part}.{rest[0]}"
        else:
            top, rest_of = name.split(".", 1)
            stems = {"conv1": "convolution", "bn1": "normalization"}
            new = f"classifier.1.{rest_of}" if top == "fc" else f"resnet.embedder.embedder.{stems[top]}.{rest_of}"
        weights[new] = value.contiguous()
    folder.mkdir(exist_ok=True)
    save_file(weights, folder / "model.safetensors")
    config = {"model_type": "resnet", "layer_type": "basic", "depths": [2, 2, 2, 2]}
    write(folder / "config.json", {**config, "hidden_sizes": [64, 128, 256, 512]})


def write(path: Path, document: dict[str, Any]) -> None:
    """A document as JSON."""
    path.write_text(json.dumps(document))


def test_a_second_round_keeps_what_the_first_had(tmp_path: Path) -> None:
    """A delivered model as a backbone has its network, weights, size, preprocessing and licence."""
    first = load_backbone("lite0", size=64).with_classes(3).resized_by("pad")
    save_model(tmp_path / "model", first, class_names=NAMES, card_text="")

    second = load_backbone(str(tmp_path / "model"))

    same = ("name", "size", "crop_pct", "crop_mode", "interpolation", "mean", "std", "licence", "blocks", "taps")
    assert {name: getattr(second.card, name) for name in same} == {name: getattr(first.card, name) for name in same}
    assert torch.equal(second.network.conv_stem.weight, first.network.conv_stem.weight)
    assert second.card.source == f"folder model, from {first.card.source} (its head of 3 classes left out)"
    assert load_backbone(str(tmp_path / "model"), size=96).card.size == 96


def test_what_timm_saved(tmp_path: Path) -> None:
    """A folder of timm's own writer gives its network and the preprocessing that it names."""
    network = timm.create_model("resnet10t", num_classes=3)
    config = {"input_size": (3, 80, 80), "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.2, 0.1), "crop_pct": 0.8}
    network.pretrained_cfg = {**network.pretrained_cfg, **config, "license": "mit"}
    save_for_hf(network, tmp_path / "saved", model_config={"num_classes": 3}, safe_serialization=True)

    backbone = load_backbone(str(tmp_path / "saved"))

    card = backbone.card
    assert (card.name, card.size, card.crop_pct, card.licence) == ("resnet10t", 80, 0.8, "mit")
    assert (card.mean, card.std) == ((0.5, 0.4, 0.3), (0.2, 0.2, 0.1))
    assert torch.equal(backbone.network.layer1[0].conv1.weight, network.layer1[0].conv1.weight)


def test_what_transformers_saved(tmp_path: Path) -> None:
    """A ResNet of transformers is timm's network with the same weights, images prepared as its processor does."""
    network = timm.create_model("resnet18").eval()
    transformers_resnet(tmp_path, network)
    processor = {"size": {"shortest_edge": 96}, "crop_pct": 0.75, "resample": 2, "image_mean": [0.1, 0.2, 0.3]}
    write(tmp_path / "preprocessor_config.json", processor | {"image_std": [1, 1, 1]})
    (tmp_path / "README.md").write_text("---\ntags: [a]\nlicense: cc-by-4.0\n---\nText")

    backbone = load_backbone(str(tmp_path))

    card, images = backbone.card, torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        assert torch.equal(backbone.network(images), network(images))
    assert (card.name, card.size, card.crop_pct, card.crop_mode) == ("resnet18", 96, 0.75, "center")
    assert (card.interpolation, card.mean, card.licence) == ("bilinear", (0.1, 0.2, 0.3), "cc-by-4.0")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, "has no config.json"),
        ({}, "names no network"),
        ({"model_type": "convnext"}, r"is a convnext; of transformers, ResNet, ViT and the networks of timm are read"),
        ({"model_type": "vit", "hidden_size": 100}, "a vit with settings that timm has no network for"),
        ({"model_type": "resnet", "downsample_in_bottleneck": True}, "a resnet with settings"),
        ({"architecture": "resnet18", "model_args": {"act_layer": "gelu"}}, r"settings of its own \(act_layer\)"),
        ({"architecture": "resnet18"}, "it has no weights"),
    ],
)
def test_folders_that_cannot_be_used(config: dict[str, Any] | None, words: str, tmp_path: Path) -> None:
    """A folder without a network that timm has is one sentence."""
    if config is not None:
        write(tmp_path / "config.json", config)

    with pytest.raises(WeightsError, match=words) as caught:
        load_backbone(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_network_that_pools_otherwise(tmp_path: Path) -> None:
    """A network whose folder says another pooling than the name's is refused, since its codes would be others."""
    network = timm.create_model("vit_tiny_patch16_224", global_pool="avg", num_classes=3)
    save_for_hf(network, tmp_path / "saved", model_config={"num_classes": 3}, safe_serialization=True)

    with pytest.raises(WeightsError, match=r"pools by avg, and vit_tiny_patch16_224"):
        load_backbone(str(tmp_path / "saved"))


def test_a_network_comes_before_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that happens to be called like a network does not change what the name means."""
    monkeypatch.chdir(tmp_path)
    for name in ("resnet18", "mine"):
        (tmp_path / name).mkdir()

    assert folder_named("resnet18") is None
    assert folder_named("./resnet18") == Path("resnet18")
    assert folder_named("mine") == Path("mine")
    assert folder_named("nothing") is None
