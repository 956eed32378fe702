"""BatchNorm with frozen statistics, folded into the convolution before it: one pass over the activations, not two.

With fixed statistics BatchNorm is a scale and a shift of every channel, and so is a convolution's weight and bias. Both
still learn: gradients reach the weight, the scale and the shift through the folded ones. Measured for a training step
of all of EfficientNet-Lite0 on one core: three quarters of the time in float32, five sixths in bfloat16.
"""

from typing import cast, final

import torch
from jaxtyping import Float
from timm.layers import BatchNormAct2d, Conv2dSame
from torch import Tensor, fx, nn

# Exactly these classes: a subclass may do more with its weight, such as standardising it.
_CONVOLUTIONS = (nn.Conv2d, Conv2dSame)
_NORMS = (nn.BatchNorm2d, BatchNormAct2d)


def fold_batchnorm(module: fx.GraphModule) -> fx.GraphModule:
    """Fold every BatchNorm in evaluation mode into the convolution whose output it alone takes.

    Args:
        module: Changed in place; its submodules, and so their parameters, are shared with the result. Modes must not
            change afterwards: a BatchNorm that learns its statistics cannot be folded.

    Returns:
        The same module: equal outputs and gradients up to rounding.
    """
    submodules = dict(module.named_modules(remove_duplicate=False))  # one module may stand at two places
    for node in list(module.graph.nodes):
        if node.op != "call_module" or not isinstance(node.args[0], fx.Node) or node.args[0].op != "call_module":
            continue
        source, norm = node.args[0], submodules[node.target]
        conv = submodules.get(source.target)  # none for what was folded already
        if len(source.users) == 1 and type(conv) in _CONVOLUTIONS and _is_fixed(norm):
            name = f"folded_{node.name}"
            module.add_submodule(name, _Folded(cast("nn.Conv2d", conv), cast("nn.BatchNorm2d", norm)))
            node.target, node.args = name, source.args
            module.graph.erase_node(source)
    module.recompile()
    return module


def _is_fixed(norm: nn.Module) -> bool:
    """Whether it only scales and shifts, by numbers of its own."""
    return type(norm) in _NORMS and not norm.training and norm.running_var is not None and norm.weight is not None


@final
class _Folded(nn.Module):
    """A convolution and the BatchNorm after it."""

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv, self.norm = conv, norm

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch _ _ _"]:
        conv, norm = self.conv, self.norm
        mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
        scale = norm.weight * torch.rsqrt(variance + norm.eps)
        before = torch.zeros_like(mean) if conv.bias is None else conv.bias
        folded = {
            "weight": conv.weight * scale[:, None, None, None],
            "bias": norm.bias + (before - mean) * scale,
        }
        y: Tensor = torch.func.functional_call(conv, folded, (x,))
        return norm.act(norm.drop(y)) if isinstance(norm, BatchNormAct2d) else y
