"""A classifier on taps in a folder: what comes back, and what is said if it does not."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file

from unfreeze.core.errors import InputError, OutputError
from unfreeze.core.readouts import Readout
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.folders import load_model, read_model, save_model
from unfreeze.zoo.model_config import write_config
from unfreeze.zoo.pooling import statistics_at
from unfreeze.zoo.tap_classifier import CutNetwork, TapClassifier

NAMES = ("ant", "bee", "Käfer")
CAFFE = {"channels": "BGR", "scale": 1.0, "mean": (103.939, 116.779, 123.68), "std": (50.0, 60.0, 70.0)}


def tap_classifier(backbone: Backbone, taps: int, rng: np.random.Generator) -> TapClassifier:
    """One on every statistic of the first taps, with random weights."""
    read = backbone.taps[:taps]
    readouts = tuple(Readout(tap.name, statistic) for tap in read for statistic in statistics_at(tap.layout))
    codes = sum(tap.channels * (4 if one == "grid" else 1) for tap in read for one in statistics_at(tap.layout))
    weight = rng.normal(size=(3, codes)).astype(np.float32) / codes
    return TapClassifier(backbone=backbone, readouts=readouts, weight=weight, bias=np.ones(3, np.float32))


def photos(seed: int, side: int = 64) -> torch.Tensor:
    """Three random ones."""
    draws = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, side, side, 3), dtype=torch.uint8, generator=draws)


@pytest.mark.parametrize("name", ["lite0", "resnet18", "vit_tiny_patch16_224", "torchvision:squeezenet1_1"])
def test_a_classifier_on_taps_comes_back(name: str, tmp_path: Path, rng: np.random.Generator, seed: int) -> None:
    """Names and scores are those that were saved, to the last bit, of timm's networks and torchvision's."""
    model = tap_classifier(load_backbone(name, size=64, pretrained=False), 3, rng)
    images = photos(seed)
    save_model(tmp_path / "model", model, class_names=NAMES, card_text="# A model\n")

    loaded, names = load_model(tmp_path / "model")

    assert names == NAMES
    assert isinstance(loaded, CutNetwork)
    assert (loaded.readouts, loaded.cuts, loaded.card) == (model.readouts, model.cuts, model.card)
    with torch.no_grad():
        assert torch.equal(loaded(images), model.module()(images))


def test_only_what_the_deepest_tap_needs_is_saved(tmp_path: Path, rng: np.random.Generator) -> None:
    """Of ResNet-18 up to conv2_x (He et al. 2016, Table 1): the stem and four convolutions of 3 x 3 x 64."""
    backbone = load_backbone("resnet18", size=64, pretrained=False)
    assert backbone.taps[0].name == "layer1"
    model = tap_classifier(backbone, 1, rng)
    save_model(tmp_path / "model", model, class_names=NAMES, card_text="")

    saved = load_file(tmp_path / "model" / "model.safetensors")

    weights = {name: value.numel() for name, value in saved.items() if value.ndim == 4}
    assert sum(weights.values()) == 7 * 7 * 3 * 64 + 4 * 3 * 3 * 64 * 64
    assert saved["linear.weight"].shape == model.weight.shape


def test_it_draws_nothing(tmp_path: Path, rng: np.random.Generator) -> None:
    """Saving and loading leave PyTorch's global generator as it is."""
    model = tap_classifier(load_backbone("resnet18", size=64, pretrained=False), 1, rng)
    before = torch.random.get_rng_state()

    save_model(tmp_path / "model", model, class_names=NAMES, card_text="")
    load_model(tmp_path / "model")

    assert torch.equal(torch.random.get_rng_state(), before)


def test_what_was_loaded_is_saved_again(tmp_path: Path, rng: np.random.Generator) -> None:
    """A copy made by loading and saving holds the same bytes."""
    model = tap_classifier(load_backbone("resnet18", size=64, pretrained=False), 2, rng)
    save_model(tmp_path / "one", model, class_names=NAMES, card_text="", margins=True)

    loaded, names = load_model(tmp_path / "one")
    save_model(tmp_path / "two", loaded, class_names=names, card_text="", margins=True)

    for file in ("model.safetensors", "config.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_timm_does_not_take_it_for_a_whole_network(tmp_path: Path, rng: np.random.Generator) -> None:
    """The folder is refused, rather than give a network whose last layers are random."""
    model = tap_classifier(load_backbone("resnet18", size=64, pretrained=False), 2, rng)
    save_model(tmp_path / "model", model, class_names=NAMES, card_text="")

    with pytest.raises(TypeError, match="unfreeze"):  # its settings are none of timm's
        timm.create_model(f"local-dir:{tmp_path / 'model'}", pretrained=True)


def test_blue_first_is_saved_as_red_first(tmp_path: Path, rng: np.random.Generator, seed: int) -> None:
    """A network of Caffe's kind is cut and saved as one that takes red, green, blue, and says the same."""
    backbone = load_backbone("resnet18", size=64, pretrained=False)
    model = tap_classifier(replace(backbone, card=replace(backbone.card, **CAFFE)), 2, rng)
    save_model(tmp_path / "model", model, class_names=NAMES, card_text="")

    saved = read_model(tmp_path / "model")

    assert (saved.card.channels, saved.card.scale) == ("RGB", 255.0)
    with torch.no_grad():
        torch.testing.assert_close(saved.module(photos(seed)), model.module()(photos(seed)), rtol=1e-4, atol=1e-4)


def test_a_tap_that_the_network_does_not_have(tmp_path: Path, rng: np.random.Generator) -> None:
    """Where the library builds the network in another way today, a sentence says what to install."""
    model = tap_classifier(load_backbone("resnet18", size=64, pretrained=False), 2, rng)
    save_model(tmp_path / "model", model, class_names=NAMES, card_text="")
    config = tmp_path / "model" / "config.json"
    found = json.loads(config.read_text())
    found["unfreeze"]["cuts"][1]["node"] = "gone"
    write_config(config.parent, found)

    with pytest.raises(InputError) as caught:
        load_model(tmp_path / "model")
    assert str(caught.value) == (
        f"The model in {tmp_path / 'model'} reads resnet18 at layer1, layer2, and the resnet18 of timm "
        f"{timm.__version__} is not built like that. Install the timm that it was written with, or train it again."
    )


def test_layers_that_do_not_fit(tmp_path: Path, rng: np.random.Generator) -> None:
    """Weights of layers that are not before the taps are never passed over in silence."""
    model = tap_classifier(load_backbone("resnet18", size=64, pretrained=False), 2, rng)
    save_model(tmp_path / "model", model, class_names=NAMES, card_text="")
    config = tmp_path / "model" / "config.json"
    found = json.loads(config.read_text())
    found["unfreeze"]["cuts"][1]["node"] = found["unfreeze"]["cuts"][0]["node"]
    write_config(config.parent, found)

    with pytest.raises(InputError, match="is not built like that"):
        load_model(tmp_path / "model")


def test_damage_and_a_missing_file_are_said(tmp_path: Path, rng: np.random.Generator) -> None:
    """One changed bit in the weights is an error at loading, and so is a file that is gone."""
    model = tap_classifier(load_backbone("resnet18", size=64, pretrained=False), 1, rng)
    save_model(tmp_path / "model", model, class_names=NAMES, card_text="")
    file = tmp_path / "model" / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)

    with pytest.raises(InputError, match=r"damaged: model\.safetensors is not what was written"):
        load_model(tmp_path / "model")
    file.unlink()
    with pytest.raises(InputError, match=r"is no model: model\.safetensors missing"):
        load_model(tmp_path / "model")
    with pytest.raises(OutputError, match="not empty"):
        save_model(tmp_path / "model", model, class_names=NAMES, card_text="")
