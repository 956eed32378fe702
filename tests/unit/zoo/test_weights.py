"""Reading and checking weights."""

import json
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from unfreeze.core.errors import WeightsError
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.kept import check_no_pickle
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


@pytest.mark.parametrize("length", [128, 384, 1408, 19280, 35744])
def test_a_length_is_no_sign_of_another_kind(length: int, tmp_path: Path) -> None:
    """The length with which a safetensors file begins may look like the start of a pickle or of a zip archive."""
    tensors = {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    header = json.dumps(tensors).encode().ljust(length)
    path = tmp_path / "w.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + header + bytes(4))

    assert read_weights(path).tensors["w"].tolist() == [0.0]
    check_no_pickle(path, "entry")  # a zoo takes it too


@pytest.mark.parametrize("shown", [torch.zeros(1).expand(2**33), torch.zeros(10**6).expand(50, 10**6)])
def test_tensors_that_repeat_their_numbers_are_refused(shown: torch.Tensor, tmp_path: Path) -> None:
    """A small file that would unfold into more than it holds is refused before anything is copied."""
    torch.save({"w": shown}, tmp_path / "w.pth")

    with pytest.raises(WeightsError, match=r"its tensors unfold to [\d,]+ bytes from [\d,]+\)"):
        read_weights(tmp_path / "w.pth")


def test_a_part_that_stands_in_many_places_is_looked_at_once(tmp_path: Path) -> None:
    """A file of a few kilobytes whose parts hold each other many times over is answered, not walked for ever."""
    part: dict[str, object] = {"epoch": 3}
    for _ in range(6):
        part = {str(number): part for number in range(300)}
    torch.save(part, tmp_path / "w.pth")

    with pytest.raises(WeightsError, match="holds no tensors by name"):
        read_weights(tmp_path / "w.pth")


def test_a_flipped_bit_in_an_archive_is_found(tmp_path: Path) -> None:
    """torch.save writes checksums, and a number that changed since is refused; without checksums it is read."""
    path = tmp_path / "w.pth"
    torch.save({"w": torch.ones(1000)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(torch.ones(2).numpy().tobytes(), torch.tensor([1.0, 2.0]).numpy().tobytes(), 1))
    with pytest.raises(WeightsError, match=r"data/0 in it is not what was written: some of its bytes have changed"):
        read_weights(path)

    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"w": torch.ones(1000)}, path)
    finally:
        torch.serialization.set_crc32_options(True)
    assert read_weights(path).tensors["w"].sum() == 1000


def test_nothing_of_torchs_own_is_said(tmp_path: Path) -> None:
    """A file of another pickle protocol is read without torch's warning."""
    torch.save({"w": torch.ones(2)}, tmp_path / "w.pth", pickle_protocol=5)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_weights(tmp_path / "w.pth").tensors["w"].sum() == 2


class DTensor(torch.Tensor):
    """Stands for the class of torch.distributed."""


class ShardedTensor:
    """Stands for its older one, which is no tensor."""


@pytest.mark.parametrize("part", [torch.ones(2).as_subclass(DTensor), ShardedTensor()])
def test_a_network_spread_over_machines_is_refused(part: object, tmp_path: Path) -> None:
    """A part of a tensor is one machine's, and no network without the others."""
    torch.save({"v": torch.ones(1), "w": part}, tmp_path / "w.pth")

    with pytest.raises(WeightsError, match="w is one machine's part of a network that was spread over several"):
        read_weights(tmp_path / "w.pth")
