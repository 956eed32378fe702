"""Weights under the names that training programs give them, and what has to be changed before they fit."""

import argparse
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from unfreeze.core.errors import WeightsError
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.fitting import fitted
from unfreeze.zoo.weights import weights_sha256

NAME, SIZE = "resnet10t", 64


@pytest.fixture(scope="module")
def network() -> Backbone:
    """A small network with weights that no other load would give."""
    return load_backbone(NAME, size=SIZE, pretrained=False).randomised(5)


def loaded(path: Path) -> Backbone:
    """The small network with the weights of a file."""
    return load_backbone(NAME, size=SIZE, weights=path)


def under(prefix: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights with something before their names."""
    return {f"{prefix}{name}": value for name, value in weights.items()}


def slower(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Other weights of the same network."""
    return {name: value * 0.5 if value.is_floating_point() else value for name, value in weights.items()}


@pytest.mark.parametrize(
    ("prefix", "part", "beside"),
    [
        ("model.", "state_dict", {"hyper_parameters": {"lr": 0.1}, "optimizer_states": [{}]}),
        ("net.", "state_dict", {}),
        ("_orig_mod.", None, {}),
        ("module._orig_mod.", "model_state_dict", {"epoch": 3}),
        ("a.very.deep.wrapper.", "state_dict", {"epoch": 3}),
        ("module.", "model", {"args": argparse.Namespace(lr=0.1)}),
        ("timm_model.", "weights", {"optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}}),
    ],
)
def test_what_stands_before_names(
    prefix: str, part: str | None, beside: dict[str, Any], network: Backbone, tmp_path: Path
) -> None:
    """Whatever held the network, and whatever is beside it, the network's own weights are loaded, bit for bit."""
    weights = network.network.state_dict()
    found = under(prefix, weights) | {"criterion.weight": torch.ones(7), "loss.ema": torch.ones(1)}
    torch.save(found if part is None else {part: found, **beside}, tmp_path / "w.ckpt")

    backbone = loaded(tmp_path / "w.ckpt")

    assert backbone.card.weights_sha256 == weights_sha256(weights)
    said = f" (without the prefix {prefix.rstrip('.')} of their names)" if prefix else ""
    assert backbone.card.source == f"file w.ckpt{said}"


@pytest.mark.parametrize("part", ["state_dict_ema", "model_ema"])
def test_averaged_weights_are_taken_as_timm_does(part: str, network: Backbone, tmp_path: Path) -> None:
    """Of a checkpoint with averaged weights those are taken that timm's own loader takes, and the card says so."""
    weights = network.network.state_dict()
    torch.save({"state_dict": weights, part: slower(weights)}, tmp_path / "w.pth")
    expected = timm.models.load_state_dict(str(tmp_path / "w.pth"))

    backbone = loaded(tmp_path / "w.pth")

    assert backbone.card.weights_sha256 == weights_sha256(expected)
    assert backbone.card.source == f"file w.pth (averaged weights ({part}))"


def test_torchvisions_averaged_weights(network: Backbone, tmp_path: Path) -> None:
    """An AveragedModel of torch, as torchvision's training script keeps it, has a counter beside the network."""
    averaged = torch.optim.swa_utils.AveragedModel(network.network)
    torch.save({"model": slower(network.network.state_dict()), "model_ema": averaged.state_dict()}, tmp_path / "w.pth")

    assert loaded(tmp_path / "w.pth").card.weights_sha256 == network.card.weights_sha256


@pytest.mark.parametrize(
    ("taken", "left", "source"),
    [
        (
            "module.encoder_q.",
            "module.encoder_k.",
            "file w.pth (without the prefix module.encoder_q of their names)",
        ),
        (
            "module.base_encoder.",
            "module.momentum_encoder.",
            "file w.pth (without the prefix module.base_encoder of their names)",
        ),
        ("encoder.", "encoder_momentum.", "file w.pth (without the prefix encoder of their names)"),
        ("online_network.", "target_network.", "file w.pth (without the prefix online_network of their names)"),
        ("ema_model.", "model.", "file w.pth (averaged weights (ema_model))"),
        ("teacher.", "student.", "file w.pth (averaged weights (teacher))"),
    ],
)
def test_one_of_two_networks(taken: str, left: str, source: str, network: Backbone, tmp_path: Path) -> None:
    """Where two networks fit, the one that is meant for use is taken."""
    weights = network.network.state_dict()
    torch.save({"state_dict": under(taken, weights) | under(left, slower(weights))}, tmp_path / "w.pth")

    backbone = loaded(tmp_path / "w.pth")

    assert backbone.card.weights_sha256 == network.card.weights_sha256
    assert backbone.card.source == source


def test_two_networks_of_which_none_is_meant(network: Backbone, tmp_path: Path) -> None:
    """Where two different networks fit and no word says which, both are named; the same one twice is no question."""
    weights = network.network.state_dict()
    torch.save(under("left.", weights) | under("right.", slower(weights)), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"2 networks that all fit \(left, right\)"):
        loaded(tmp_path / "w.pth")

    torch.save(under("left.", weights) | under("right.", weights), tmp_path / "w.pth")
    assert loaded(tmp_path / "w.pth").card.weights_sha256 == network.card.weights_sha256


def test_a_prefix_of_half_a_network_stays(network: Backbone, tmp_path: Path) -> None:
    """If what is left without a prefix is not the whole network, the weights are refused, with both sides."""
    weights = under("model.", network.network.state_dict())
    del weights["model.layer2.0.conv1.weight"]
    torch.save(weights, tmp_path / "w.pth")

    with pytest.raises(WeightsError, match=r"- only in the network: layer2\.0\.conv1\.weight$"):
        loaded(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ({"fc.weight": torch.ones(7, 512), "fc.bias": torch.ones(7)}, "; its head of 7 classes left out"),
        ({"fc.0.weight": torch.ones(512, 512), "fc.2.weight": torch.ones(128, 512)}, "; its head left out"),
        ({}, ""),
    ],
)
def test_a_head_is_no_reason_to_refuse(head: dict[str, Tensor], said: str, network: Backbone, tmp_path: Path) -> None:
    """A head of other classes or layers is left out, which is said; the new one is zero."""
    weights = {name: value for name, value in network.network.state_dict().items() if not name.startswith("fc.")}
    torch.save({"state_dict": under("model.", weights | head)}, tmp_path / "w.pth")

    backbone = loaded(tmp_path / "w.pth")

    assert torch.equal(backbone.network.layer1[0].conv1.weight, network.network.layer1[0].conv1.weight)
    assert not any(parameter.any() for parameter in backbone.head_parameters())
    assert backbone.card.source == f"file w.pth (without the prefix model of their names{said})"


def test_one_channel_is_spread_over_three(tmp_path: Path) -> None:
    """A network that learned on gray photos gives for a gray photo in three channels what it gave for the one."""
    gray = timm.create_model("resnet18", in_chans=1, num_classes=1000).eval()
    save_file(gray.state_dict(), tmp_path / "w.safetensors")
    photo = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))

    backbone = load_backbone("resnet18", size=64, weights=tmp_path / "w.safetensors")

    with torch.no_grad():
        torch.testing.assert_close(backbone.network(photo.repeat(1, 3, 1, 1)), gray(photo), rtol=1e-4, atol=1e-4)
    assert backbone.card.source == "file w.safetensors (first layer of one channel spread over three)"


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_numbers_of_another_width(kind: torch.dtype, network: Backbone, tmp_path: Path) -> None:
    """Weights in other precisions become float32 of the same value."""
    weights = {
        name: value.to(kind) if value.is_floating_point() else value
        for name, value in network.network.state_dict().items()
    }
    torch.save(weights, tmp_path / "w.pth")

    backbone = loaded(tmp_path / "w.pth")

    assert all(value.dtype in {torch.float32, torch.int64} for value in backbone.network.state_dict().values())
    assert torch.equal(backbone.network.layer1[0].conv1.weight, weights["layer1.0.conv1.weight"].float())


@pytest.mark.parametrize(
    "name",
    [
        "vit_tiny_patch16_224",
        pytest.param("torchvision:vit_b_16", marks=pytest.mark.slow),
        pytest.param("swin_tiny_patch4_window7_224", marks=pytest.mark.slow),
    ],
)
def test_position_embeddings_are_resampled(name: str, tmp_path: Path) -> None:
    """Weights of a transformer for another size are brought to this one, and only what depends on the size changes."""
    own = load_backbone(name, size=224, pretrained=False)
    torch.save(under("model.", own.network.state_dict()), tmp_path / "w.pth")

    backbone = load_backbone(name, size=128 if name.startswith(("vit", "torch")) else 448, weights=tmp_path / "w.pth")

    before, after = own.network.state_dict(), backbone.network.state_dict()
    same = [key for key in before if key in after and before[key].shape == after[key].shape]
    assert len(same) > 100
    assert all(torch.equal(before[key], after[key]) for key in same if before[key].is_floating_point())


def test_resampling_is_that_of_timm(tmp_path: Path) -> None:
    """Position embeddings are those that timm's own function makes of them."""
    own = load_backbone("vit_tiny_patch16_224", size=224, pretrained=False)
    save_file(own.network.state_dict(), tmp_path / "w.safetensors")
    expected = timm.layers.resample_abs_pos_embed(own.network.pos_embed, new_size=[6, 6])

    backbone = load_backbone("vit_tiny_patch16_224", size=96, weights=tmp_path / "w.safetensors")

    torch.testing.assert_close(backbone.network.pos_embed.data, expected.data)
    assert backbone.card.source == "file w.safetensors (pos_embed resampled to this size)"


def test_older_names_are_read_as_timm_reads_them(tmp_path: Path) -> None:
    """ConvNeXt's weights under the names of its authors are the same network."""
    own = load_backbone("convnext_atto", size=64, pretrained=False)
    older = {}
    for name, value in own.network.state_dict().items():
        new = name.replace("stem.", "downsample_layers.0.").replace(".blocks.", ".").replace(".conv_dw.", ".dwconv.")
        new = new.replace(".mlp.fc1.", ".pwconv1.").replace(".mlp.fc2.", ".pwconv2.").replace("head.norm.", "norm.")
        parts = new.split(".")
        if "downsample" in parts:
            new = ".".join(["downsample_layers", parts[1], *parts[3:]])
        older[new.replace("head.fc.", "head.")] = value
    torch.save({"model": older}, tmp_path / "w.pth")

    backbone = load_backbone("convnext_atto", size=64, weights=tmp_path / "w.pth")

    assert backbone.card.weights_sha256 == own.card.weights_sha256


def test_weights_of_another_network_stay_refused(tmp_path: Path) -> None:
    """No conversion makes a network's weights fit another one."""
    torch.save(nn.Sequential(nn.Linear(2, 3)).state_dict(), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="are not of this network"):
        load_backbone("vit_tiny_patch16_224", size=96, weights=tmp_path / "w.pth")
    save_file(timm.create_model("resnet18").state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="are not of this network"):
        load_backbone("dla34", size=96, weights=tmp_path / "w.safetensors")


@pytest.mark.parametrize("args", [None, argparse.Namespace(lr=0.1)], ids=["tensors alone", "objects beside"])
def test_student_and_teacher(args: Any, network: Backbone, tmp_path: Path) -> None:
    """Of DINO's two networks the teacher is taken, which is the average; of two that differ and are alike, none is."""
    weights = network.network.state_dict()
    beside = {} if args is None else {"args": args}
    student, teacher = under("module.backbone.", slower(weights)), under("backbone.", weights)
    head = {"head.mlp.0.weight": torch.ones(3, 2)}
    torch.save({"student": student | head, "teacher": teacher | head, **beside}, tmp_path / "dino.pth")
    torch.save({"source": weights, "target": slower(weights), **beside}, tmp_path / "two.pth")

    backbone = loaded(tmp_path / "dino.pth")
    assert backbone.card.weights_sha256 == weights_sha256(weights)
    assert backbone.card.source == "file dino.pth (averaged weights (teacher.backbone))"
    with pytest.raises(WeightsError, match=r"are of 2 networks that all fit \(source, target\)"):
        loaded(tmp_path / "two.pth")


def test_a_teacher_of_another_kind(network: Backbone, tmp_path: Path) -> None:
    """Of a student and a larger teacher the one is taken that is the network."""
    weights = network.network.state_dict()
    teacher = timm.create_model("resnet18").state_dict()
    torch.save({"student": weights, "teacher": teacher}, tmp_path / "distilled.pth")

    assert loaded(tmp_path / "distilled.pth").card.weights_sha256 == weights_sha256(weights)


def test_weights_deep_inside(network: Backbone, tmp_path: Path) -> None:
    """A state dict three parts deep is found."""
    weights = network.network.state_dict()
    torch.save({"checkpoint": {"model": {"state_dict": weights}}, "epoch": 3}, tmp_path / "deep.pth")

    assert loaded(tmp_path / "deep.pth").card.weights_sha256 == weights_sha256(weights)


def test_weights_as_vissl_keeps_them(network: Backbone, tmp_path: Path) -> None:
    """A network four parts deep, beside a head and a loss that hold tensors too, is found by its names."""
    weights = network.network.state_dict()
    model = {"trunk": under("_feature_blocks.", weights), "heads": {"0.clf.weight": torch.ones(3, 512)}}
    state = {"base_model": {"model": model, "meters": {}}, "optimizer": {}}
    torch.save({"classy_state_dict": state, "loss": {"state": torch.ones(2)}}, tmp_path / "vissl.torch")

    assert loaded(tmp_path / "vissl.torch").card.weights_sha256 == weights_sha256(weights)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (lambda value: value.to_sparse(), r"conv1\.0\.weight is sparse, and plain tensors are wanted"),
        (lambda value: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8), r"conv1\.0\.weight is quantised"),
        (lambda value: value.to("meta"), r"is without its numbers \(on the device meta\)"),
        (lambda value: (value * 10).to(torch.int8), "numbers of the kind int8, and float ones are wanted"),
        (lambda value: value.to(torch.complex64), "numbers of the kind complex64, and float ones are wanted"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_that_are_no_plain_numbers(changed: Any, words: str, network: Backbone, tmp_path: Path) -> None:
    """Sparse, quantised, complex and empty tensors are refused by name, never rounded or taken for others."""
    weights = network.network.state_dict()
    torch.save(weights | {"conv1.0.weight": changed(weights["conv1.0.weight"])}, tmp_path / "w.pth")

    with pytest.raises(WeightsError, match=words) as caught:
        loaded(tmp_path / "w.pth")
    assert "\n" not in str(caught.value)


def test_the_networks_own_names_are_no_part_of_another() -> None:
    """A file with exactly the network's names is that network, also where a library's filter makes one of a part."""
    network = nn.Sequential()
    network.add_module("encoder", nn.Linear(2, 3))
    network.add_module("head", nn.Linear(3, 2))
    weights = network.state_dict()

    def of_a_part(given: Any) -> Any:
        return {name: value + len(given) for name, value in weights.items()}

    found = fitted(weights, network, heads=("head.",), source="w", converted=of_a_part)
    assert (found.fits, found.remarks) == (True, ())
    assert all(torch.equal(found.weights[name], value) for name, value in weights.items())
