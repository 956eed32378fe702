"""Caffe's files become backbones: what is read, matched, left out and refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from caffe_nets import MEAN, Blob, Net, caffenet, drawn, images, squeezenet
from unfreeze.core.errors import InputError, OutputError, PlanError, WeightsError
from unfreeze.zoo.backbones import load_backbone
from unfreeze.zoo.caffe.files import CaffeFiles
from unfreeze.zoo.caffe.importing import Imported, imported
from unfreeze.zoo.caffe.messages import message
from unfreeze.zoo.caffe.reading import mean_in, network_in, weights_in
from unfreeze.zoo.imported.folder import NETWORK, WEIGHTS, write_network
from unfreeze.zoo.imported.network import build_imported

pytest.importorskip("google.protobuf")


def small() -> Net:
    """A network of two convolutions and a classifier."""
    net = Net(16)
    x = net.relu(net.batch_norm(net.conv(net.image(), "conv1", 8, 3, p=1)))
    x = net.pool(x, "pool1", "MAX", 3, s=2)
    x = net.relu(net.conv(x, "conv2", 12, 3, p=1))
    net.layer("prob", "Softmax", [net.inner(x, "fc", 5)], Blob("prob", 5, 1))
    return net


def files(prototxt: str, caffemodel: bytes) -> CaffeFiles:
    """What the child would say of them."""
    return CaffeFiles(network_in(prototxt.encode()), {k: tuple(v) for k, v in weights_in(caffemodel).items()})


def read(net: Net, **settings: object) -> Imported:
    """The network, imported."""
    return imported(files(net.prototxt(), net.caffemodel()), **{"mean": MEAN, **settings})


def scores(network: Imported, inputs: np.ndarray) -> np.ndarray:
    """What the imported network gives."""
    module = build_imported(network.description)
    module.load_state_dict(dict(network.weights), strict=False)
    with torch.no_grad():
        return module(torch.from_numpy(inputs)).numpy()


OLD = {"Convolution": 4, "InnerProduct": 14, "BatchNorm": 0, "Scale": 0}


def old_caffemodel(net: Net, *, double: bool) -> bytes:
    """The same weights as V1 layers with blobs of four sides, single or double."""
    network = message("NetParameter")()
    for name, (kind, blobs) in net.blobs.items():
        layer = network.layers.add(name=name, type=OLD[kind])
        for blob in blobs:
            sides = [1] * (4 - blob.ndim) + list(blob.shape)
            added = layer.blobs.add(**dict(zip(("num", "channels", "height", "width"), sides, strict=True)))
            data = blob.astype("<f8" if double else "<f4").tobytes()
            (added.double_data if double else added.data).append(data)
    return network.SerializeToString()


@pytest.mark.parametrize("double", [False, True])
def test_old_weights_are_the_same_weights(double: bool) -> None:
    """V1 layers, blobs of four sides and double data give the scores of today's file, bit for bit."""
    net = small()
    old = imported(files(net.prototxt(), old_caffemodel(net, double=double)), mean=MEAN)

    np.testing.assert_array_equal(scores(old, images(net)), scores(read(net), images(net)))


def test_numbers_that_stand_one_by_one() -> None:
    """A blob whose floats are not packed on the wire holds the same numbers."""
    blob = message("UnpackedBlobProto")(data=[1.5, -2.0, 3.0])
    network = message("NetParameter")()
    network.layer.add(name="a").blobs.add().ParseFromString(blob.SerializeToString())

    assert weights_in(network.SerializeToString())["a"][0].tolist() == [1.5, -2.0, 3.0]


def test_old_prototxt() -> None:
    """V1 layers, with types in capitals and an input of four numbers, describe the network that today's do."""
    net = Net(16)
    net.layer("prob", "Softmax", [net.inner(net.relu(net.conv(net.image(), "c", 4, 3)), "fc", 3)], Blob("prob", 3, 1))
    old = """input: "data" input_dim: 1 input_dim: 3 input_dim: 16 input_dim: 16
    layers { name: "c" type: CONVOLUTION bottom: "data" top: "c" convolution_param { num_output: 4 kernel_size: 3 } }
    layers { name: "r" type: RELU bottom: "c" top: "c" }
    layers { name: "fc" type: INNER_PRODUCT bottom: "c" top: "fc" inner_product_param { num_output: 3 } }
    layers { name: "prob" type: SOFTMAX bottom: "fc" top: "prob" }"""

    found = imported(files(old, net.caffemodel()), mean=MEAN)

    np.testing.assert_array_equal(scores(found, images(net)), scores(read(net), images(net)))


TRAINING = """
layer { name: "d" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { crop_size: 16 mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.5 } }
layer { name: "s" type: "Split" bottom: "data" top: "x" top: "y" }
layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "aux" type: "InnerProduct" bottom: "c" top: "aux" inner_product_param { num_output: 9 } }
layer { name: "loss1" type: "SoftmaxWithLoss" bottom: "aux" bottom: "label" top: "loss1" }
layer { name: "fc" type: "InnerProduct" bottom: "c" top: "fc" inner_product_param { num_output: 3 } }
layer { name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
"""


def test_training_prototxt() -> None:
    """Of a prototxt for training, the last loss says where the network ends, and the data what it takes."""
    net = Net(16)
    net.inner(net.conv(net.image(), "c", 4, 3), "fc", 3)

    found = imported(files(TRAINING, net.caffemodel()))

    assert (found.takes.size, found.takes.mean, found.takes.std) == (16, MEAN, (2.0,) * 3)
    assert found.description.head == "fc"
    assert [one.name for one in found.description.operations] == ["c", "fc_flat", "fc"]


def test_moving_average_factor() -> None:
    """Statistics are divided by the factor that is stored with them, and a Scale behind becomes part of the norm."""
    network = read(small())

    assert [one.kind for one in network.description.operations][:3] == ["Convolution", "BatchNorm", "ReLU"]
    torch.testing.assert_close(
        network.weights["bn_conv1.running_mean"], torch.from_numpy(drawn("conv1.m", (8,), 0.2)), rtol=1e-5, atol=1e-6
    )


def test_mean_file() -> None:
    """A mean image becomes the mean of each of its channels."""
    image = np.arange(3 * 4, dtype="<f4").reshape(3, 2, 2)
    blob = message("BlobProto")(num=1, channels=3, height=2, width=2, data=[image.tobytes()])

    assert mean_in(blob.SerializeToString()).tolist() == [1.5, 5.5, 9.5]


def test_classic_codes(tmp_path: Path) -> None:
    """CaffeNet's fc6 and fc7 are taps, rectified, and blue, green, red less the mean is in the card."""
    write_network(tmp_path / "net", read(caffenet(narrow=16, classes=7)), files={"a.caffemodel": "0"}, licence="BSD")

    backbone = load_backbone(str(tmp_path / "net"))
    pixels = torch.randint(0, 256, (2, 227, 227, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        codes = dict(zip((tap.name for tap in backbone.taps), backbone.codes_module()(pixels), strict=True))

    assert len(backbone.cuts) == 23  # from the image to what fc8 reads
    assert {"relu_fc6", "drop_fc7"} <= codes.keys()
    for name in ("relu_fc6", "drop_fc7"):
        assert codes[name].shape == (2, 256)
        assert (codes[name] >= 0).all()
        assert (codes[name] > 0).any()
    card = backbone.card
    assert (card.channels, card.scale, card.mean, card.std) == ("BGR", 1.0, MEAN, (1.0, 1.0, 1.0))
    assert (card.library, card.licence, card.source) == ("imported", "BSD", "file a.caffemodel")


def test_a_rectified_classifier_keeps_its_logits() -> None:
    """What rectifies SqueezeNet's classifier is left out, since logits have to be affine in the codes."""
    network = read(squeezenet(narrow=4, classes=6))

    assert network.left_out == ("prob", "relu_conv10")
    assert (scores(network, images(squeezenet())) < 0).any()


def test_trunk() -> None:
    """A trunk gets a head of zeros on its pooled output."""
    network = read(small(), until="conv2")

    assert network.description.head == "head"
    assert scores(network, images(small())).tolist() == [[0.0, 0.0]]


DETECTOR = 'layer { name: "p" type: "PriorBox" bottom: "conv2" bottom: "data" top: "p" }'
REFUSED = {
    "a detector": (
        lambda net: net.text.append(DETECTOR),
        PlanError,
        r"PriorBox .* is for detectors: cut at relu_conv2",
    ),
    "an unknown layer": (
        lambda net: net.text.append('layer { name: "m" type: "MVN" bottom: "conv2" top: "m" }'),
        PlanError,
        r"layer m \(MVN\) is of a type that is not known",
    ),
    "no classifier": (
        lambda net: net.text.append('layer { name: "r" type: "TanH" bottom: "conv2" top: "r" }'),
        PlanError,
        "The network ends in r",
    ),
    "a lost input": (
        lambda net: net.text.append('layer { name: "r" type: "ReLU" bottom: "none" top: "r" }'),
        PlanError,
        "The layer r reads 'none', which no layer before it gives",
    ),
    "weights of another net": (lambda net: net.blobs.pop("conv2"), WeightsError, "matched by name"),
    "another width": (
        lambda net: net.blobs.update(fc=("InnerProduct", [np.zeros((5, 7), np.float32), np.zeros(5, np.float32)])),
        WeightsError,
        "does not take images of 16 pixels",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """What cannot be imported is refused in one sentence that names the layer and says what to do."""
    change, kind, sentence = REFUSED[name]
    net = small()
    change(net)

    with pytest.raises(kind, match=sentence) as caught:
        read(net)

    assert "\n" not in str(caught.value)


def test_a_mean_is_asked_for() -> None:
    """Without a mean in the prototxt none is guessed."""
    with pytest.raises(PlanError, match="Which mean"):
        read(small(), mean=None)


def test_the_folder_comes_back(tmp_path: Path) -> None:
    """A folder gives the scores that were imported, at another size too, and never replaces another."""
    net, folder = small(), tmp_path / "net"
    network = read(net)
    write_network(folder, network, files={"a": "0"}, licence="unknown")

    with torch.no_grad():
        found = load_backbone(str(folder)).network(torch.from_numpy(images(net))).numpy()

    np.testing.assert_array_equal(found, scores(network, images(net)))
    assert sorted(path.name for path in folder.iterdir()) == [NETWORK, WEIGHTS]
    with pytest.raises(OutputError, match="never replaces another"):
        write_network(folder, network, files={"a": "0"}, licence="unknown")


@pytest.mark.parametrize("name", [NETWORK, WEIGHTS])
def test_damaged_folders_are_refused(name: str, tmp_path: Path) -> None:
    """A folder of which a byte has changed or is missing is refused in one sentence."""
    folder = tmp_path / "net"
    write_network(folder, read(small()), files={"a": "0"}, licence="unknown")
    whole = (folder / name).read_bytes()

    for place in range(0, 400, 23):
        for data in (whole[:place], whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]):
            (folder / name).write_bytes(data)
            with pytest.raises(InputError, match=r"[.]$") as caught:
                load_backbone(str(folder))
            assert "\n" not in str(caught.value)


def refusal(prototxt: bytes, caffemodel: bytes) -> str:
    """Why the files are refused; empty if they are not. Whatever else is raised goes on."""
    try:
        blobs = {name: tuple(found) for name, found in weights_in(caffemodel).items()}
        imported(CaffeFiles(network_in(prototxt), blobs), mean=MEAN)
    except InputError as error:
        return str(error)
    return ""


def test_mutants() -> None:
    """Of hundreds of damaged prototxts and caffemodels each is read or refused in a sentence; nothing else happens."""
    net, draws = small(), np.random.default_rng(0)
    text, data = net.prototxt().encode(), net.caffemodel()
    refusals = []
    for number in range(300):
        damaged = [bytearray(text), bytearray(data)]
        mutant = damaged[number % 2]
        for _ in range(1 + number % 4):
            mutant[draws.integers(len(mutant))] = draws.integers(256)
        if number % 5 == 0:
            del mutant[draws.integers(len(mutant)) :]
        refusals.append(refusal(*map(bytes, damaged)))

    assert sum(map(bool, refusals)) > 100
    assert not [sentence for sentence in refusals if "\n" in sentence]
