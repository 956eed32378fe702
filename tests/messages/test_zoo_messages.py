"""The words of each error about networks and weights that a user can meet: one sentence, and what to do."""

import contextlib
import io
import json
import pickle
import re
import sys
import types
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub import close_session
from safetensors.torch import save_file

from unfreeze.core.errors import InputError, PlanError, UnknownBackboneError, WeightsError
from unfreeze.zoo import weights as zoo_weights
from unfreeze.zoo.backbones import load_backbone
from unfreeze.zoo.folders import load_model
from unfreeze.zoo.weights import read_weights


def test_a_misspelt_name() -> None:
    """A misspelt network is answered with similar names."""
    with pytest.raises(UnknownBackboneError) as caught:
        load_backbone("resnet81")
    assert str(caught.value).startswith("No network is called 'resnet81'. Did you mean resnet")


def test_a_name_like_no_other() -> None:
    """Where nothing is similar, the text says where the names are."""
    with pytest.raises(UnknownBackboneError, match=r"called 'zzzzzz'\. unfreeze zoo list lists the names\."):
        load_backbone("zzzzzz")


def test_a_network_of_somebody_else() -> None:
    """A name of the Hub that is not timm's says how to bring it here."""
    with pytest.raises(
        UnknownBackboneError, match=r"unfreeze zoo pull hf-hub:some/net, and then give its name: --backbone net\."
    ):
        load_backbone("hf-hub:some/net")


def test_a_path_without_a_folder() -> None:
    """What looks like a path is told that nothing is there."""
    with pytest.raises(UnknownBackboneError, match=r"called 'runs/modle', and there is no such folder"):
        load_backbone("runs/modle")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04", r"^{} is a file, and weights do not say of which network they are\. .*--weights {}\.$"),
        (b"\x08\x08\x12\x07pytorch\x1a\x03", r"^{} cannot be read: it is an ONNX model\. .* named with --backbone\.$"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
            r"^{} cannot be read: it is a Git LFS pointer",
        ),
        (b"", r"^{} cannot be read: it is empty"),
    ],
)
def test_a_file_in_place_of_a_network(data: bytes, words: str, tmp_path: Path) -> None:
    """A file that is given as a network is told what it is, and that its network has to be named."""
    (tmp_path / "w.pth").write_bytes(data)

    with pytest.raises(UnknownBackboneError, match=words.replace("{}", re.escape(str(tmp_path / "w.pth")))):
        load_backbone(str(tmp_path / "w.pth"))


@pytest.fixture
def nothing_answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No way leads to the internet, also none that huggingface_hub or urllib keep open or would keep."""
    for part in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(part, "http://127.0.0.1:9")  # nothing listens there
    _forget_connections()
    yield
    _forget_connections()


def _forget_connections() -> None:
    """Both libraries make what asks once in a process, with the proxies of that moment."""
    close_session()
    urllib.request.install_opener(None)  # type: ignore[arg-type]  # the next request makes a new one


@pytest.mark.usefixtures("nothing_answers")
@pytest.mark.parametrize("name", ["resnet18", "torchvision:alexnet"])
def test_no_network_and_no_weights(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without internet and without weights one sentence says what to do."""
    monkeypatch.setattr(zoo_weights, "_answers", lambda url: False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(WeightsError) as caught:
        load_backbone(name, size=64)
    assert str(caught.value) == (
        f"There are no weights for {name} on this machine and they could not be downloaded: connect to the internet, "
        "give a file with --weights FILE (.safetensors or .pth), "
        "or use the default network, whose weights are installed."
    )


def test_no_weights_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network for which nobody published weights says so."""
    monkeypatch.setattr(zoo_weights, "_answers", lambda url: False)
    with pytest.raises(WeightsError, match=r"timm publishes no weights for efficientnet_b6\. Choose another network"):
        load_backbone("efficientnet_b6", size=64)


def test_weights_of_another_network_show_both_sides(tmp_path: Path) -> None:
    """A mismatch names what is only in the network, what is only in the file, and other shapes."""
    weights = load_backbone("resnet18", size=64, pretrained=False).network.state_dict()
    weights["extra.weight"] = weights.pop("conv1.weight").clone()
    weights["layer1.0.conv1.weight"] = torch.zeros(3)
    save_file(weights, tmp_path / "w.safetensors")

    with pytest.raises(WeightsError) as caught:
        load_backbone("resnet18", size=64, weights=tmp_path / "w.safetensors")
    assert str(caught.value).splitlines() == [
        f"The weights in {tmp_path / 'w.safetensors'} are not of this network; give the file that belongs to it.",
        " - only in the network: conv1.weight",
        " + only in the file: extra.weight",
        " ! shape of layer1.0.conv1.weight: (64, 64, 3, 3) in the network, (3,) in the file",
    ]


def test_weights_that_are_no_numbers(tmp_path: Path) -> None:
    """A weight that is not finite is refused by name."""
    weights = load_backbone("resnet18", size=64, pretrained=False).network.state_dict()
    weights["layer2.0.bn1.bias"][3] = float("nan")
    save_file(weights, tmp_path / "w.safetensors")

    with pytest.raises(
        WeightsError, match=r"layer2\.0\.bn1\.bias holds numbers that are not finite\. Use another file\."
    ):
        load_backbone("resnet18", size=64, weights=tmp_path / "w.safetensors")


def zipped(*names: str) -> bytes:
    """A zip archive with empty parts of these names."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return stream.getvalue()


def torch_script() -> bytes:
    """A traced layer, as torch writes it."""
    stream = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)), stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("none.pth", None, "There is no weights file"),
        ("empty.pth", b"", r"it is empty\. Copy or download it again"),
        ("UPPER.SAFETENSORS", b"", "it is empty"),
        ("text.safetensors", b"hello there, no weights", "it is a text"),
        ("text.pth", b"hello there, no weights", "it is a text"),
        ("w.pth", b"\x07\xff\x00\x01 whatever", r"damaged, or no file of weights"),
        ("w.pth", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "Git LFS pointer.*git lfs pull"),
        ("w.bin", b"  <!DOCTYPE html><html>", "a web page.*/resolve/"),
        ("w.pth", b"\x89HDF\r\n\x1a\n\0\0", "an HDF5 file, as Keras writes"),
        ("w.pth", zipped("config.json", "metadata.json", "model.weights.h5"), "a Keras model"),
        ("w.pth", torch_script(), "a TorchScript program.*state_dict"),
        ("w.pth", zipped("a.npy", "b.npy"), "an archive of NumPy arrays"),
        ("w.pth", zipped("resnet18.pth"), "a zip archive.*Unpack it"),
        ("w.pth", zipped("x/data.pkl")[:-30], "cut off or damaged"),
        ("w.pth", pickle.dumps({"a": 1}), "a pickle, and not one of torch.save"),
        ("w.pth", b"\x08\x08\x12\x07pytorch\x1a\x03", "an ONNX model. Import it with unfreeze zoo import"),
        ("w.pth", b"\x1f\x8b\x08\0", "packed by gzip"),
        ("w.pth", b"\x1c\0\0\0TFL3\0\0", "a TensorFlow Lite model"),
        (
            "model.safetensors.index.json",
            b'{"metadata": {}, "weight_map": {}}',
            "the index of weights in several files",
        ),
        ("w.pth", b"ccollections\nOrderedDict\np0\n", "a pickle, and not one of torch.save"),
        ("w.pth", b"<?xml version='1.0'?>\n<Error><Code>AccessDenied", "the error message of a server, in XML"),
        ("w.pth", b'{"error": "Repository not found"}', "the error message of a server, in JSON"),
        ("w.bin", b"Entry not found", "a text that begins with 'Entry not found'"),
        ("w.pth", "<html>404</html>".encode("utf-16"), "a text in UTF-16"),
        ("w.pb", b"\x08\x01\x12\x9a\x01\x0a\x10", "a graph of TensorFlow"),
        ("w.pb", b"\x0a\x2a\x0a\x05input\x12\x0bPlaceholder", "a graph of TensorFlow"),
        ("w.index", bytes(9) + b"\x57\xfb\x80\x8b\x24\x75\x47\xdb", "the index of a TensorFlow checkpoint"),
        ("w.msgpack", b"\x81\xa6params\x81\xa4conv", "a file of msgpack, as Flax writes"),
        ("w.mat", bytes(512) + b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        ("w.mat", b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "a file of MATLAB"),
        ("w.params", b"\x12\x01" + bytes(22), "a file of MXNet's parameters"),
        ("w.weights", b"\0\0\0\0\x02\0\0\0" + bytes(12), "a file of Darknet's weights"),
        ("w.caffemodel", b"\x0a\x09CaffeNet\xa2\x06\x00", "a Caffe model"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,  # packed files hold the time
)
def test_files_that_are_no_weights(name: str, data: bytes | None, words: str, tmp_path: Path) -> None:
    """A missing, empty or foreign file is one clear error that says what it is, whatever it is called."""
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)

    with pytest.raises(WeightsError, match=words) as caught:
        read_weights(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_fastai_export(tmp_path: Path) -> None:
    """A pickled learner of fastai is told by its name; nothing of it is made."""

    class Learner:
        pass

    Learner.__module__, Learner.__qualname__ = "fastai.learner", "Learner"
    module = types.ModuleType("fastai.learner")
    module.Learner = Learner
    with importable(module):
        torch.save(Learner(), tmp_path / "export.pkl")

    with pytest.raises(WeightsError, match=r"a fastai export; not loaded.*learn\.model\.state_dict"):
        read_weights(tmp_path / "export.pkl")


@contextlib.contextmanager
def importable(module: types.ModuleType) -> Iterator[None]:
    """Let a module of this name be imported, so that pickle finds its class."""
    package = types.ModuleType(module.__name__.partition(".")[0])
    added = {package.__name__: package, module.__name__: module}
    sys.modules.update(added)
    try:
        yield
    finally:
        for name in added:
            del sys.modules[name]


def test_several_networks_in_one_file(tmp_path: Path) -> None:
    """Where parts of a file could each be meant, and none is of the network, they are named."""
    torch.save({"generator": {"w": torch.ones(2)}, "judge": {"w": torch.ones(2)}}, tmp_path / "w.pth")

    with pytest.raises(WeightsError, match=r"holds several networks \(generator, judge\)"):
        load_backbone("resnet18", size=64, weights=tmp_path / "w.pth")


def test_a_file_without_tensors(tmp_path: Path) -> None:
    """A file that holds no tensors by name says what was wanted."""
    torch.save({"epoch": 3}, tmp_path / "w.pth")

    with pytest.raises(WeightsError, match=r"holds no tensors by name\. Give a state dict"):
        load_backbone("resnet18", size=64, weights=tmp_path / "w.pth")


@pytest.mark.parametrize(("name", "size"), [("torchvision:alexnet", 16), ("vit_tiny_patch16_224", 8)])
def test_a_size_that_does_not_fit(name: str, size: int) -> None:
    """A size that the network cannot take is an error about the size."""
    with pytest.raises(PlanError, match=rf"images of {size} pixels .*Leave the size out"):
        load_backbone(name, size=size, pretrained=False)


def test_a_network_with_two_heads() -> None:
    """A network that does not end in one head cannot be used, and the text says why."""
    with pytest.raises(PlanError, match="does not end in one linear layer or 1x1 convolution"):
        load_backbone("deit_tiny_distilled_patch16_224", size=64, pretrained=False)


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    """An empty folder, and one of somebody else, are told what a model is."""
    with pytest.raises(InputError, match=r"is no model: config\.json and model\.safetensors missing\. Give the folder"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "resnet18"}))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"is no model of this program: config\.json does not have its part 'unfreeze'"
    ):
        load_model(tmp_path)
