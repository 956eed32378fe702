"""Reading and checking weights."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from unfreeze.core.errors import WeightsError
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.weights import read_weights, weights_sha256


@pytest.fixture(scope="module")
def resnet() -> Backbone:
    """A small network with random weights that no other load would give."""
    return load_backbone("resnet18", size=64, pretrained=False).randomised(5)


@pytest.mark.parametrize("form", ["safetensors", "pth", "nested", "parallel"])
def test_every_form_of_file_gives_the_same_network(form: str, resnet: Backbone, tmp_path: Path) -> None:
    """safetensors, torch.save, a training checkpoint and a DataParallel state dict load alike."""
    weights = resnet.network.state_dict()
    path = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pth")
    if form == "safetensors":
        save_file(weights, path)
    elif form == "nested":
        torch.save({"epoch": 3, "state_dict": weights}, path)
    else:
        torch.save({f"module.{k}": v for k, v in weights.items()} if form == "parallel" else weights, path)

    loaded = load_backbone("resnet18", size=64, weights=path)

    assert loaded.card.weights_sha256 == weights_sha256(weights)
    remark = " (without the prefix module of their names)" if form == "parallel" else ""
    assert loaded.card.source == f"file {path.name}{remark}"


def test_a_head_of_another_width_is_left_out(resnet: Backbone, tmp_path: Path) -> None:
    """A file with five classes serves as a backbone: all but its head is loaded, and the head is zero."""
    path = tmp_path / "five.safetensors"
    save_file(resnet.with_classes(5).network.state_dict(), path)

    loaded = load_backbone("resnet18", size=64, weights=path)

    assert torch.equal(loaded.network.conv1.weight, resnet.network.conv1.weight)
    assert loaded.classes == 1000
    assert not any(parameter.any() for parameter in loaded.head_parameters())


def test_the_hash_sees_everything() -> None:
    """A changed bit, name, type or shape changes the hash; the order of the dictionary does not."""
    a, b = torch.arange(4.0), torch.ones(2)
    first = weights_sha256({"a": a, "b": b})

    assert first == weights_sha256({"b": b, "a": a})
    others = [{"a": a + 1e-6, "b": b}, {"a": a, "c": b}, {"a": a.reshape(2, 2), "b": b}, {"a": a.double(), "b": b}]
    assert len({first, *map(weights_sha256, others)}) == 5


class Trap:
    """Its pickle would run code."""

    def __reduce__(self) -> tuple:
        return (print, ("executed",))


def test_a_pickle_is_not_executed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file whose pickle calls a function is refused and the function is not called."""
    path = tmp_path / "trap.pth"
    torch.save({"weight": Trap()}, path)

    with pytest.raises(WeightsError, match="cannot be read"):
        read_weights(path)
    assert "executed" not in capsys.readouterr().out
