"""BatchNorm folded into convolutions against the network as it is."""

import pytest
import torch
from torch import nn

from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.folding import fold_batchnorm

pytestmark = pytest.mark.slow


@pytest.fixture(params=["tf_efficientnet_lite0", "resnet18", "torchvision:resnet18"])
def backbone(request: pytest.FixtureRequest) -> Backbone:
    """A random network in float64 whose BatchNorms have statistics, scales and shifts of their own."""
    backbone = load_backbone(request.param, pretrained=False, size=64)
    backbone.network.double()
    torch.manual_seed(0)
    for module in backbone.network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low in ((module.running_mean, -0.5), (module.bias, -0.5), (module.running_var, 0.5)):
                assert tensor is not None
                nn.init.uniform_(tensor, low, low + 1)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return backbone


def test_folding_changes_neither_outputs_nor_gradients(backbone: Backbone) -> None:
    """In float64 both agree to rounding, for every parameter, and no BatchNorm runs any more."""
    inputs = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    parameters = list(backbone.network.parameters())
    plain = backbone.network(inputs)
    expected = torch.autograd.grad(plain.square().mean(), parameters)
    folded = fold_batchnorm(backbone.suffix(backbone.cuts[0]))
    ran = [node.target for node in folded.graph.nodes if node.op == "call_module"]
    outputs = folded(inputs)
    gradients = torch.autograd.grad(outputs.square().mean(), parameters)

    assert not any(isinstance(folded.get_submodule(path), nn.BatchNorm2d) for path in ran)
    torch.testing.assert_close(outputs, plain, rtol=1e-9, atol=1e-12)
    for ours, theirs in zip(gradients, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9 * float(theirs.abs().max()))


def test_a_batchnorm_that_learns_its_statistics_is_left_alone() -> None:
    """In training mode nothing is folded."""
    backbone = load_backbone("resnet18", pretrained=False, size=64)
    module = backbone.suffix(backbone.cuts[0])
    before = module.code
    backbone.network.train()

    assert fold_batchnorm(module).code == before
