"""From Caffe's files to a delivered model: what is saved says the same wherever it is read."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from caffe_nets import resnet50
from unfreeze.core.errors import OutputError, WeightsError
from unfreeze.core.readouts import Readout
from unfreeze.workflows.importing import ImportSettings, import_network, mean_of
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.folders import load_model, save_model
from unfreeze.zoo.programs import write_program
from unfreeze.zoo.tap_classifier import TapClassifier

pytest.importorskip("google.protobuf")
NAMES = ("ant", "bee", "wasp")
SIDE = 64  # the network's own is 224


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A narrow ResNet-50, imported by the child process."""
    place = tmp_path_factory.mktemp("caffe")
    prototxt, caffemodel = resnet50(narrow=16, classes=10).write(place)
    record = import_network(ImportSettings(files=[prototxt, caffemodel], out=place / "net", mean="104,117,123"))
    assert (record.size, record.classes, record.head, record.left_out) == (224, 10, "fc", ("prob",))
    assert len(record.blocks) == 17  # the first convolution and 16 units
    assert record.files.keys() == {"deploy.prototxt", "net.caffemodel"}
    return place / "net"


def pixels() -> torch.Tensor:
    """Two images of noise."""
    return torch.randint(0, 256, (2, SIDE, SIDE, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def trained(folder: Path) -> Backbone:
    """With a head that says something."""
    backbone = load_backbone(str(folder), size=SIDE).with_classes(len(NAMES))
    draws = torch.Generator().manual_seed(0)
    backbone.set_head(torch.randn(3, backbone.card.num_features, generator=draws), torch.randn(3, generator=draws))
    return backbone


def test_a_delivered_network_comes_back(folder: Path, tmp_path: Path) -> None:
    """A model loads without the folder of its network, and says what was saved; so does its program, in torch alone."""
    elsewhere = tmp_path / "net"
    shutil.copytree(folder, elsewhere)
    backbone = trained(elsewhere)
    with torch.no_grad():
        expected = backbone.module()(pixels())
    save_model(tmp_path / "model", backbone, class_names=NAMES, card_text="# A model\n")
    shutil.rmtree(elsewhere)

    loaded, names = load_model(tmp_path / "model")
    assert write_program(tmp_path / "model") == ""
    program = torch.export.load(tmp_path / "model" / "model.pt2").module()

    assert names == NAMES
    assert isinstance(loaded, Backbone)
    assert (loaded.card.channels, loaded.card.taps) == ("BGR", backbone.card.taps)
    with torch.no_grad():
        assert torch.equal(loaded.module()(pixels()), expected)
        torch.testing.assert_close(program(pixels()), expected.softmax(1), rtol=1e-5, atol=1e-6)


def test_a_classifier_on_a_tap_comes_back(folder: Path, tmp_path: Path) -> None:
    """A linear classifier on an inner tap is saved with the layers up to it, and says the same without the folder."""
    backbone = load_backbone(str(folder), size=SIDE)
    tap, draws = backbone.taps[1], np.random.default_rng(0)
    weight = draws.standard_normal((3, tap.channels)).astype(np.float32)
    bias = draws.standard_normal(3).astype(np.float32)
    model = TapClassifier(backbone=backbone, readouts=(Readout(tap.name),), weight=weight, bias=bias)
    with torch.no_grad():
        expected = model.module()(pixels())
    save_model(tmp_path / "model", model, class_names=NAMES, card_text="# A model\n")

    loaded, _ = load_model(tmp_path / "model")

    with torch.no_grad():
        assert torch.equal(loaded.module()(pixels()), expected)


def test_another_graph_is_another_network(folder: Path, tmp_path: Path) -> None:
    """The same weights in another graph have another hash, so that codes of one are never taken for the other's."""
    net = resnet50(narrow=16, classes=10)
    net.text = [line.replace("pool: MAX", "pool: AVE") for line in net.text]
    prototxt, caffemodel = net.write(tmp_path)
    other = ImportSettings(files=[prototxt, caffemodel], out=tmp_path / "net", mean="104,117,123")
    import_network(other)

    cards = [load_backbone(str(one)).card for one in (folder, tmp_path / "net")]

    assert cards[0].weights_sha256 != cards[1].weights_sha256


def test_random_weights_are_drawn_from_a_seed(folder: Path) -> None:
    """Training from scratch begins with the same architecture and weights that follow from the seed."""
    backbone = load_backbone(str(folder), size=SIDE)

    first, again, other = (backbone.randomised(seed).card.weights_sha256 for seed in (1, 1, 2))

    assert first == again
    assert len({first, other, backbone.card.weights_sha256}) == 3


def test_files_that_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    """The child's refusal names the file in one sentence, and a place that is taken is not written."""
    prototxt, caffemodel = folder.parent / "deploy.prototxt", folder.parent / "net.caffemodel"
    (tmp_path / "half.caffemodel").write_bytes(caffemodel.read_bytes()[:1000])
    for given, wrong in (
        ((prototxt, tmp_path / "half.caffemodel"), "half.caffemodel"),
        ((tmp_path / "none.prototxt", caffemodel), "none.prototxt"),
    ):
        settings = ImportSettings(files=given, out=tmp_path / "new", mean="0,0,0")
        with pytest.raises(WeightsError, match=rf"{wrong} cannot be read \(.*\)\. Give the network's \.prototxt"):
            import_network(settings)
    with pytest.raises(OutputError, match="never replaces another"):
        import_network(ImportSettings(files=[prototxt, caffemodel], out=folder, mean="0,0,0"))


def test_mean_option() -> None:
    """One number stands for three; what is neither numbers nor a file is refused in a sentence."""
    assert mean_of("128") == (128.0, 128.0, 128.0)
    assert mean_of("104,117,123") == (104.0, 117.0, 123.0)
    for wrong in ("104,117", "1,2,x", "nan"):
        with pytest.raises(ValueError, match="--mean takes a mean file or three numbers"):
            mean_of(wrong)
