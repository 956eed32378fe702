"""What every network must keep, whoever wrote it: cuts that change no bit, blocks that cover everything once."""

import tempfile
from functools import cache
from pathlib import Path

import pytest
import torch

import caffe_nets
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.caffe.files import CaffeFiles
from unfreeze.zoo.caffe.importing import imported
from unfreeze.zoo.caffe.reading import network_in, weights_in
from unfreeze.zoo.imported.folder import write_network

pytestmark = pytest.mark.slow

# name, side in pixels: small where the network allows it
NETWORKS = {
    "tf_efficientnet_lite0": 64,
    "resnet18": 64,
    "resnet50": 64,
    "mobilenetv3_large_100": 64,
    "convnext_atto": 64,
    "densenet121": 64,
    "regnety_002": 64,
    "vit_tiny_patch16_224": 64,
    "swin_tiny_patch4_window7_224": 112,
    "swiftformer_xs": 64,  # distilled: two classifiers on the same codes
    "repvit_m0_9": 64,  # distilled: a second one behind a norm of its own, which is not built
    "torchvision:alexnet": 96,
    "torchvision:vgg11": 64,
    "torchvision:squeezenet1_1": 64,
    "caffe:googlenet": 224,
    "caffe:resnet50": 96,
    "caffe:squeezenet": 96,
}
MOST_CUTS = 12
every_network = pytest.mark.parametrize("name", NETWORKS)


@cache
def backbone_of(name: str) -> Backbone:
    """Random weights serve: what is tested here does not depend on them."""
    library, _, network = name.partition(":")
    if library == "caffe":
        return imported_from_caffe(network, NETWORKS[name])
    return load_backbone(name, size=NETWORKS[name], pretrained=False)


def imported_from_caffe(name: str, size: int) -> Backbone:
    """One of the networks that are written here, by way of a folder."""
    pytest.importorskip("google.protobuf")
    net = caffe_nets.NETWORKS[name]()
    blobs = {layer: tuple(found) for layer, found in weights_in(net.caffemodel()).items()}
    read = imported(CaffeFiles(network_in(net.prototxt().encode()), blobs), mean=caffe_nets.MEAN)
    with tempfile.TemporaryDirectory() as folder:
        write_network(Path(folder) / "net", read, files={"net.caffemodel": "0"}, licence="unknown")
        return load_backbone(str(Path(folder) / "net"), size=size)


def spread(items: tuple, count: int) -> list:
    """At most `count` items, first and last among them."""
    places = torch.linspace(0, len(items) - 1, min(count, len(items))).round().int().tolist()
    return [items[i] for i in places]


@every_network
def test_suffix_of_prefix_is_the_network(name: str) -> None:
    """At every cut the suffix of the prefix gives the network's own output bit for bit, for another batch size too."""
    backbone = backbone_of(name)
    images = torch.randn(4, 3, backbone.card.size, backbone.card.size, generator=torch.Generator().manual_seed(0))
    cuts = spread(backbone.cuts, MOST_CUTS)

    with torch.no_grad():
        expected = backbone.network(images)
        for cut, raw in zip(cuts, backbone.prefix(cuts)(images), strict=True):
            assert tuple(raw.shape) == (4, *cut.shape), cut
            assert torch.equal(backbone.suffix(cut)(raw), expected), cut


@every_network
def test_suffix_shares_the_networks_parameters(name: str) -> None:
    """The suffix from the input holds the network's own parameters under the network's own names."""
    backbone = backbone_of(name)
    own = dict(backbone.network.named_parameters())

    for suffix in (backbone.suffix(backbone.cuts[0]), backbone.suffix(backbone.cut_before_blocks(1))):
        for parameter_name, parameter in suffix.named_parameters():
            assert parameter is own[parameter_name]
    assert own.keys() == dict(backbone.suffix(backbone.cuts[0]).named_parameters()).keys()


@every_network
def test_nothing_works_in_place(name: str) -> None:
    """No module and no operation of the graph overwrites its input, which may be the tensor at a cut."""
    backbone = backbone_of(name)

    assert not [m for m in backbone.network.modules() if getattr(m, "inplace", False)]
    for node in backbone.graph.graph.nodes:
        assert not (node.op == "call_method" and node.target.endswith("_")), node
        assert node.kwargs.get("inplace", False) is False, node


@every_network
def test_blocks_cover_every_weight_once(name: str) -> None:
    """Every weight before the head is in exactly one block, and blocks follow one another from the input on."""
    backbone = backbone_of(name)
    inside = [parameter for block in backbone.blocks for parameter in block.parameters]
    weighted = {n for n, p in backbone.network.named_parameters() if p.ndim >= 2 and not n.startswith(backbone.head)}

    assert len(inside) == len(set(inside))
    assert weighted <= set(inside)
    assert backbone.blocks[0].start.name == "input"
    for before, after in zip(backbone.blocks, backbone.blocks[1:], strict=False):
        assert before.end == after.start
    assert len({block.name for block in backbone.blocks}) == len(backbone.blocks)


@every_network
def test_taps_go_deeper_and_end_at_the_head(name: str) -> None:
    """Taps are cuts in order of depth, at most a dozen, and the last is what the head reads."""
    backbone = backbone_of(name)
    places = [backbone.cuts.index(tap) for tap in backbone.taps]

    assert places == sorted(set(places))
    assert 4 <= len(places) <= 12
    assert backbone.taps[-1] == backbone.head_cut == backbone.cuts[-1]


@every_network
def test_cut_names_are_unique(name: str) -> None:
    """No two cuts have the same name."""
    cuts = backbone_of(name).cuts

    assert len({cut.name for cut in cuts}) == len(cuts)


@every_network
def test_logits_are_affine_in_the_last_codes(name: str) -> None:
    """A head written from a linear classifier gives that classifier's scores on the last codes."""
    backbone = backbone_of(name).with_classes(3)
    draws = torch.Generator().manual_seed(1)
    weight, bias = torch.randn(3, backbone.card.num_features, generator=draws), torch.randn(3, generator=draws)
    pixels = torch.randint(0, 256, (2, backbone.card.size, backbone.card.size, 3), generator=draws, dtype=torch.uint8)

    with torch.no_grad():
        assert not backbone.suffix(backbone.head_cut)(
            backbone.prefix([backbone.head_cut])(torch.randn(1, 3, *[backbone.card.size] * 2))[0]
        ).any()
        backbone.set_head(weight, bias)
        *_, codes, raw = backbone.codes_module(raw=[backbone.cuts[0]])(pixels)
        torch.testing.assert_close(backbone.network(raw), codes @ weight.T + bias, rtol=1e-4, atol=1e-4)


@every_network
def test_training_the_suffix_trains_the_network(name: str) -> None:
    """One step of descent on a suffix moves the last block's weights in the network and none before it."""
    backbone = backbone_of(name).copy()
    cut = backbone.cut_before_blocks(1)
    before = {n: p.detach().clone() for n, p in backbone.network.named_parameters()}
    suffix = backbone.suffix(cut)
    optimizer = torch.optim.SGD(suffix.parameters(), lr=1.0)
    images = torch.randn(2, 3, backbone.card.size, backbone.card.size, generator=torch.Generator().manual_seed(2))

    with torch.no_grad():
        (raw,) = backbone.prefix([cut])(images)
    suffix(raw).square().sum().backward()
    optimizer.step()

    moved = {n for n, p in backbone.network.named_parameters() if not torch.equal(p, before[n])}
    last = set(backbone.blocks[-1].parameters)  # of a ResNet's only the last norm: it starts at zero
    earlier = {n for block in backbone.blocks[:-1] for n in block.parameters}
    assert f"{backbone.head}.weight" in moved
    assert moved & last
    assert not moved & earlier
