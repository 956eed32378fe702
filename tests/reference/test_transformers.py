"""The folder of a delivered model in timm and in transformers, offline."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from unfreeze.strategies.calibration import tempered
from unfreeze.strategies.strategy import Fit
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.folders import save_model

NAMES = ("ant", "bee", "Käfer")
TEMPERATURE = 2.5
STRANGER = """
import json, sys, timm, torch
from transformers import AutoImageProcessor, AutoModelForImageClassification
from PIL import Image
for folder in sys.argv[1:]:
    images = torch.load(f"{folder}-images.pt")
    network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    model = AutoModelForImageClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        torch.save([model(pixel_values=images).logits, network(images)], f"{folder}-logits.pt")
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(network), is_training=False)
    photo = Image.linear_gradient("L").convert("RGB").resize((150, 90))
    seen = AutoImageProcessor.from_pretrained(folder)(photo, return_tensors="pt")["pixel_values"]
    print(json.dumps([model.config.id2label, bool(torch.equal(seen[0], transform(photo)))]))
assert "unfreeze" not in sys.modules
"""


def trained(name: str) -> Backbone:
    """A backbone for images of 64 pixels whose head says something."""
    backbone = load_backbone(name, size=64, pretrained=False).with_classes(len(NAMES))
    draws = torch.Generator().manual_seed(0)
    backbone.set_head(torch.randn(3, backbone.card.num_features, generator=draws), torch.randn(3, generator=draws))
    return backbone


@pytest.mark.slow
def test_timm_and_transformers_give_the_logits_divided_by_the_temperature(tmp_path: Path) -> None:
    """Neither needs this package or a connection; logits, labels and what they make of a photo are ours to the bit."""
    pytest.importorskip("transformers")
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    backbones = {name: trained(name) for name in ("lite0", "vit_tiny_patch16_224")}
    delivered = {}
    for name, backbone in backbones.items():
        torch.save(images, tmp_path / f"{name}-images.pt")
        fit = tempered(Fit(scores=np.zeros((1, 3), np.float32), model=backbone), TEMPERATURE)
        assert isinstance(fit.model, Backbone)
        delivered[name] = fit.model
        save_model(tmp_path / name, fit.model, class_names=NAMES, card_text="# A model\n")

    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub")}
    arguments = [sys.executable, "-c", STRANGER, *(str(tmp_path / name) for name in backbones)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, env=offline)

    for name, line in zip(backbones, done.stdout.splitlines(), strict=True):
        by_transformers, by_timm = torch.load(tmp_path / f"{name}-logits.pt")
        with torch.no_grad():
            ours, as_trained = delivered[name].network(images), backbones[name].network(images)
        assert torch.equal(by_transformers, ours)
        assert torch.equal(by_timm, ours)
        torch.testing.assert_close(TEMPERATURE * ours, as_trained)
        assert json.loads(line) == [dict(zip("012", NAMES, strict=True)), True]


def test_the_number_of_classes_is_named_once(tmp_path: Path) -> None:
    """What the library's builder is given beside has no ``num_classes``, which transformers would pass twice."""
    save_model(tmp_path / "model", trained("vit_tiny_patch16_224"), class_names=NAMES, card_text="")

    config = json.loads((tmp_path / "model" / "config.json").read_text())

    assert config["num_classes"] == config["pretrained_cfg"]["num_classes"] == 3
    assert config["model_args"] == {"img_size": 64}
