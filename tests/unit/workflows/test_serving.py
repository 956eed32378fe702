"""Models that stay in memory: where they looked, against PyTorch."""

import io
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from served import saved_model
from unfreeze.core.readouts import Readout
from unfreeze.features import delivered
from unfreeze.workflows.serving import LoadedModel, Said, load_to_serve, said_of, where_looked
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.devices import CPU
from unfreeze.zoo.folders import save_model
from unfreeze.zoo.tap_classifier import TapClassifier

pytestmark = pytest.mark.slow


def asked(model: LoadedModel, rng: np.random.Generator) -> tuple[np.ndarray, list[Said]]:
    """Six photos of noise as the network takes them, each of a colour, and what the model says of them."""
    side = model.geometry.side
    squares = list(rng.integers(0, 120, (6, side, side, 3), np.uint8))
    for number, square in enumerate(squares):
        square[: side // (1 + number // 3), :, number % 3] += 120
    said = said_of(model, squares, name="that is tested")
    pixels = np.stack([one.seen.pixels for one in said]) if said[0].seen else np.empty(0)
    return pixels, said


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_where_it_looked_is_what_torch_computes(
    engine: str, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head's weights of the label times timm's own features, above zero, as a share of the largest."""
    if engine == "torch":
        monkeypatch.setattr(delivered, "openvino_is_installed", lambda: False)
    folder = saved_model(tmp_path / "model", side=128)
    network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    config = network.pretrained_cfg

    model = load_to_serve(folder, CPU, tmp_path / "cache")
    pixels, said = asked(model, rng)

    values = (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - torch.tensor(config["mean"]).view(3, 1, 1)) / (
        torch.tensor(config["std"]).view(3, 1, 1)
    )
    with torch.inference_mode():
        maps = network.forward_features(values)
        labels = network.forward_head(maps).argmax(dim=1)
        wanted = torch.einsum("bc,bcyx->byx", network.get_classifier().weight[labels], maps).clamp_min(0)
    assert len(labels.unique()) > 1
    for one, label, light in zip(said, labels.tolist(), wanted.numpy(), strict=True):
        found = where_looked(model, one)
        assert found is not None
        assert int(one.scores.argmax()) == label
        np.testing.assert_allclose(np.array(found[0]), 255 * light / light.max(), rtol=0, atol=0.6)
        assert Image.open(io.BytesIO(found[1])).size == (256, 256)


def tap_model(tiny: Backbone, folder: Path, readouts: tuple[Readout, ...], width: int) -> Path:
    """A linear classifier on codes of a network that is frozen."""
    weight = np.random.default_rng(0).normal(size=(3, width)).astype(np.float32)
    model = TapClassifier(backbone=tiny, readouts=readouts, weight=weight, bias=np.zeros(3, np.float32))
    save_model(folder, model, class_names=("a", "b", "c"), card_text="")
    return folder


def test_a_head_on_means_of_a_middle_layer_says_where_it_looked(
    tiny: Backbone, tmp_path: Path, rng: np.random.Generator
) -> None:
    """The mean of what the places add is the score, since that is all that the head reads."""
    tap = [one for one in tiny.taps if len(one.shape) == 3][-2]
    folder = tap_model(tiny, tmp_path / "model", (Readout(tap.name),), tap.channels)

    model = load_to_serve(folder, CPU, tmp_path / "cache")
    _, said = asked(model, rng)

    assert model.head is not None
    for one in said:
        assert one.seen is not None
        sums = np.tensordot(model.head, one.seen.maps, axes=1).mean(axis=(1, 2))
        np.testing.assert_allclose(sums, one.scores, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["joined taps", "transformer"])
def test_what_reads_no_means_of_a_map_has_none(
    kind: str, tiny: Backbone, tmp_path: Path, rng: np.random.Generator
) -> None:
    """It answers as before, also when its program is read back."""
    if kind == "joined taps":
        maps = [one for one in tiny.taps if len(one.shape) == 3][-2:]
        readouts = tuple(Readout(tap.name) for tap in maps)
        folder = tap_model(tiny, tmp_path / "model", readouts, sum(tap.channels for tap in maps))
    else:
        network = load_backbone("test_vit", pretrained=False, size=160).with_classes(3)
        folder = tmp_path / "model"
        save_model(folder, network, class_names=("a", "b", "c"), card_text="")

    for _ in range(2):
        model = load_to_serve(folder, CPU, tmp_path / "cache")
        _, said = asked(model, rng)
        assert model.head is None
        assert [where_looked(model, one) for one in said] == [None] * 6
