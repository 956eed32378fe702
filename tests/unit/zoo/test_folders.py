"""The delivered model: what timm loads is what was saved."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from unfreeze.core.errors import InputError, OutputError
from unfreeze.images.pool import DecoderPool
from unfreeze.workflows.prediction import predict_images
from unfreeze.zoo.backbones import Backbone, load_backbone, network_input
from unfreeze.zoo.folders import load_model, read_model, save_model
from unfreeze.zoo.model_config import read_card

NAMES = ("ant", "bee", "Käfer")
STRANGER = """
import json, sys, timm, torch
for folder in sys.argv[1:]:
    network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    with torch.no_grad():
        torch.save(network(torch.load(f"{folder}-images.pt")), f"{folder}-logits.pt")
    found = timm.data.resolve_model_data_config(network)
    print(json.dumps({**found, "names": network.pretrained_cfg["label_names"]}))
assert "unfreeze" not in sys.modules
"""


def trained(name: str, size: int) -> Backbone:
    """A backbone whose head says something."""
    backbone = load_backbone(name, size=size, pretrained=False).with_classes(len(NAMES))
    draws = torch.Generator().manual_seed(0)
    backbone.set_head(torch.randn(3, backbone.card.num_features, generator=draws), torch.randn(3, generator=draws))
    return backbone


@pytest.mark.slow
def test_timm_alone_gives_the_same_logits(tmp_path: Path) -> None:
    """A process that never saw this package gets the same bits, names and preprocessing from the folder."""
    backbones = {name: trained(name, 64) for name in ("lite0", "vit_tiny_patch16_224")}
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    for name, backbone in backbones.items():
        torch.save(images, tmp_path / f"{name}-images.pt")
        save_model(tmp_path / name, backbone, class_names=NAMES, card_text="# A model\n")

    folders = [str(tmp_path / name) for name in backbones]
    done = subprocess.run([sys.executable, "-c", STRANGER, *folders], capture_output=True, text=True, check=True)

    for (name, backbone), line in zip(backbones.items(), done.stdout.splitlines(), strict=True):
        with torch.no_grad():
            assert torch.equal(torch.load(tmp_path / f"{name}-logits.pt"), backbone.network(images))
        found = json.loads(line)
        assert (found["names"], found["input_size"]) == (list(NAMES), [3, 64, 64])
        assert (found["mean"], found["std"]) == (list(backbone.card.mean), list(backbone.card.std))


@pytest.mark.parametrize("name", ["resnet18", "torchvision:squeezenet1_1"])
def test_a_saved_model_comes_back(name: str, tmp_path: Path) -> None:
    """Names, preprocessing and logits are those that were saved, for torchvision's networks too."""
    backbone = trained(name, 64)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    save_model(tmp_path / "model", backbone, class_names=NAMES, card_text="# A model\n")

    loaded, names = load_model(tmp_path / "model")

    assert names == NAMES
    assert (loaded.card.size, loaded.card.mean, loaded.card.taps) == (64, backbone.card.mean, backbone.card.taps)
    assert (tmp_path / "model" / "README.md").read_text() == "# A model\n"
    with torch.no_grad():
        assert torch.equal(loaded.network(images), backbone.network(images))


def test_a_class_named_in_foreign_bytes_survives(tmp_path: Path) -> None:
    """A class folder whose name is not UTF-8 still makes a model that loads."""
    strange = ("a", "b", "c\udcff")
    save_model(tmp_path / "model", trained("resnet18", 64), class_names=strange, card_text="")

    assert load_model(tmp_path / "model")[1] == strange


@pytest.mark.parametrize("margins", [False, True])
def test_a_model_says_whether_it_gives_probabilities(tmp_path: Path, margins: bool) -> None:
    """The outputs of an SVM are no logits, and who loads the folder can find that out."""
    save_model(tmp_path / "model", trained("resnet18", 64), class_names=NAMES, card_text="", margins=margins)

    assert read_model(tmp_path / "model").gives_probabilities is not margins


CAFFE = {"channels": "BGR", "scale": 1.0, "mean": (103.939, 116.779, 123.68), "std": (50.0, 60.0, 70.0)}


def test_a_network_that_takes_blue_first_is_saved_as_one_that_takes_red_first(tmp_path: Path) -> None:
    """What timm makes of pixels, and the saved weights of that, are what the network makes of them itself."""
    backbone = trained("resnet18", 64)
    backbone = replace(backbone, card=replace(backbone.card, **CAFFE))
    pixels = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    save_model(tmp_path / "model", backbone, class_names=NAMES, card_text="")

    saved = read_model(tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())["pretrained_cfg"]
    as_timm = (pixels.permute(0, 3, 1, 2) / 255 - torch.tensor(config["mean"]).reshape(1, 3, 1, 1)) / torch.tensor(
        config["std"]
    ).reshape(1, 3, 1, 1)

    assert config["mean"] == pytest.approx([123.68 / 255, 116.779 / 255, 103.939 / 255])
    assert config["std"] == pytest.approx([70 / 255, 60 / 255, 50 / 255])
    with torch.no_grad():
        expected = backbone.network(network_input(pixels, backbone.card))
        torch.testing.assert_close(saved.module.network(as_timm), expected, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(saved.module(pixels), expected, rtol=1e-4, atol=1e-4)


def test_blue_first_into_no_convolution_is_refused(tmp_path: Path) -> None:
    """Where there is no first convolution to reverse, nothing is written, and one sentence says why."""
    backbone = trained("resnet18", 64)
    backbone.network.set_submodule("conv1", nn.Identity())
    backbone = replace(backbone, card=replace(backbone.card, **CAFFE))

    with pytest.raises(InputError, match="resnet18 takes blue, green, red, and its first layer is no plain"):
        save_model(tmp_path / "model", backbone, class_names=NAMES, card_text="")
    assert list(tmp_path.iterdir()) == []


def test_the_range_of_a_set_goes_with_its_model(tmp_path: Path) -> None:
    """A photo of 16 bits that comes alone is scaled as those of the set were; models of before have the whole range."""
    backbone = trained("resnet18", 64).with_levels((30_000, 30_510))
    save_model(tmp_path / "model", backbone, class_names=NAMES, card_text="")
    grey = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint16)
    Image.fromarray(grey * 2 + 30_000).save(tmp_path / "deep.png")
    Image.fromarray(grey.astype(np.uint8)).save(tmp_path / "grey.png")

    with DecoderPool(workers=1) as pool:
        paths = [tmp_path / "deep.png", tmp_path / "grey.png"]
        deep, shallow = predict_images(tmp_path / "model", paths, pool=pool, engine="torch").scores

    np.testing.assert_array_equal(deep, shallow)
    assert load_model(tmp_path / "model")[0].card.levels == (30_000, 30_510)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    del config["unfreeze"]["card"]["levels"]
    config["unfreeze"]["schema"] = "unfreeze.model/3"
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    assert read_card(tmp_path / "model")[0].levels == (0, 65_535)


@pytest.mark.parametrize(("version", "words"), [(1, "an older unfreeze"), (99, "a newer unfreeze")])
def test_a_folder_of_another_version_says_so(tmp_path: Path, version: int, words: str) -> None:
    """Whoever keeps models for years learns which side is to be renewed."""
    save_model(tmp_path / "model", trained("resnet18", 64), class_names=NAMES, card_text="")
    config = tmp_path / "model" / "config.json"
    config.write_text(config.read_text().replace("unfreeze.model/4", f"unfreeze.model/{version}"))

    with pytest.raises(InputError, match=f"was written by {words} \\(schema unfreeze.model/{version}, this one reads"):
        load_model(tmp_path / "model")


def test_damage_is_noticed(tmp_path: Path) -> None:
    """One changed bit in the weights is an error at loading."""
    save_model(tmp_path / "model", trained("resnet18", 64), class_names=NAMES, card_text="")
    file = tmp_path / "model" / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)

    with pytest.raises(InputError, match="damaged"):
        load_model(tmp_path / "model")


def test_a_model_never_replaces_anything(tmp_path: Path) -> None:
    """A folder that holds something stays as it is, and no temporary folder is left."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.txt").write_text("keep")
    backbone = trained("resnet18", 64)

    with pytest.raises(OutputError, match="not empty"):
        save_model(tmp_path / "model", backbone, class_names=NAMES, card_text="")
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "mine.txt"]


def test_a_failed_save_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If writing breaks off, neither the model nor a temporary folder remains."""
    backbone = trained("resnet18", 64)

    with pytest.raises(UnicodeEncodeError):
        save_model(tmp_path / "model", backbone, class_names=NAMES, card_text="\ud800")
    assert list(tmp_path.iterdir()) == []
