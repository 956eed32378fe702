"""Models whose last map is watched."""

import pytest
import torch

from unfreeze.core.readouts import Readout
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.last_map import watched
from unfreeze.zoo.tap_classifier import TapClassifier


def photos(side: int) -> torch.Tensor:
    """Two random ones."""
    return torch.randint(0, 256, (2, side, side, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("name", "channels"), [("lite0", 1280), ("convnext_atto", 320), ("alexnet", 256)])
def test_a_watched_model_says_the_same(name: str, channels: int) -> None:
    """Scores stay as they are to the last bit, and the window sees the map with its channels first."""
    backbone = load_backbone(name, size=96, pretrained=False)
    images, seen = photos(96), []
    with torch.no_grad():
        expected = backbone.module()(images)

    found = watched(backbone.module(), backbone.cuts, graph=backbone.graph)

    assert found is not None
    found.layer.register_forward_hook(lambda *call: seen.append(call[2].shape))
    with torch.no_grad():
        assert torch.equal(found.model(images), expected)
    assert seen[0][:2] == (2, channels)
    assert min(seen[0][2:]) > 1


def test_without_a_graph_the_network_is_traced(tiny: Backbone) -> None:
    """The window lies at the same place as with the graph that is known."""
    known, traced = (watched(tiny.module(), tiny.cuts, graph=graph) for graph in (tiny.graph, None))

    assert known is not None
    assert traced is not None
    assert known.cut == traced.cut


def test_a_transformer_has_no_map() -> None:
    """Its tokens are in a row."""
    backbone = load_backbone("vit_tiny_patch16_224", size=64, pretrained=False)

    assert watched(backbone.module(), backbone.cuts, graph=backbone.graph) is None


def test_of_a_classifier_on_taps_the_deepest_map_is_watched(tiny: Backbone) -> None:
    """What comes after the taps is not in it, and its scores stay as they are."""
    tap = next(one for one in tiny.taps if len(one.shape) == 3)
    weight = torch.ones(3, tap.channels).numpy()
    model = TapClassifier(backbone=tiny, readouts=(Readout(tap.name),), weight=weight, bias=weight[:, 0]).module()
    with torch.no_grad():
        expected = model(photos(32))

    found = watched(model, tiny.cuts)

    assert found is not None
    assert found.cut == tap
    with torch.no_grad():
        assert torch.equal(found.model(photos(32)), expected)
