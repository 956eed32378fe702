"""A model whose last map can be watched: what is left of the image's places before they are averaged away."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn

from unfreeze.zoo.backbones import PixelClassifier
from unfreeze.zoo.graph import Cut, graph_of
from unfreeze.zoo.tap_classifier import CutNetwork

_CHANNELS_FIRST, _CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


@dataclass(frozen=True, eq=False)
class Watched:
    """A model with the layer that its last map passes through.

    Attributes:
        model: From uint8 images ``[batch, size, size, 3]`` to scores.
        layer: Gives the map ``[batch, channel, height, width]`` on as it is.
        cut: Where in the network that is.
    """

    model: PixelClassifier | CutNetwork
    layer: nn.Module
    cut: Cut


class _Window(nn.Module):
    """Passes a map on, and lets gradients come down to it and no further."""

    def forward(self, maps: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch channel height width"]:
        """The map; with gradients a slope too slight to matter, since a deviation of equal places has no gradient."""
        if not torch.is_grad_enabled():
            return maps
        slope = 1e-5 * torch.arange(maps.shape[-1], dtype=maps.dtype, device=maps.device)
        return (maps.detach() + slope).requires_grad_()


def watched(
    model: PixelClassifier | CutNetwork, cuts: Sequence[Cut], *, graph: fx.GraphModule | None = None
) -> Watched | None:
    """Put a window into a model where its last map is.

    Args:
        model: Is changed: its graph passes through the window from now on. It shares layers with whatever it shared
            them with.
        cuts: Of the network that it was made of, from the input on.
        graph: Of the model's whole network where that is there already; it is not changed.

    Returns:
        The model; None if no layer of it has places on a grid, as in a vision transformer.
    """
    before = model.prefix if isinstance(model, CutNetwork) else graph or graph_of(model.network)
    nodes = {node.name for node in before.graph.nodes}
    cut = next((one for one in reversed(cuts) if one.node in nodes and one.layout != "NC" and _is_wide(one)), None)
    if cut is None or not _is_map(cut):  # the grid of patches of a transformer is no map of what it has found
        return None
    window = _Window()
    after = _through(before, cut, window)
    if isinstance(model, CutNetwork):
        model.prefix = after
    else:
        model.network = after
    return Watched(model, window, cut)


def _is_map(cut: Cut) -> bool:
    """Whether it has places on a grid, and is no plain image."""
    return cut.layout in {"NCHW", "NHWC"} and cut.name != "input"


def _is_wide(cut: Cut) -> bool:
    """Whether it has more than one place, on a grid or in a row."""
    sides = {"NCHW": cut.shape[1:], "NHWC": cut.shape[:2]}.get(cut.layout, cut.shape[:1])
    return min(sides) > 1


def _through(graph_module: fx.GraphModule, cut: Cut, window: nn.Module) -> fx.GraphModule:
    """The same graph, of which everything after `cut` sees what the window gives."""
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    output = graph.graph_copy(graph_module.graph, copies)
    graph.output(output)
    result = fx.GraphModule(graph_module, graph, "Watched")
    result.add_submodule("window", window)
    start = next(copies[node] for node in graph_module.graph.nodes if node.name == cut.node)
    with graph.inserting_after(start):
        maps = graph.call_method("permute", (start, *_CHANNELS_FIRST)) if cut.layout == "NHWC" else start
    with graph.inserting_after(maps):
        seen = graph.call_module("window", (maps,))
    with graph.inserting_after(seen):
        last = graph.call_method("permute", (seen, *_CHANNELS_LAST)) if cut.layout == "NHWC" else seen
    own = {maps, seen, last}
    start.replace_all_uses_with(last, delete_user_cb=lambda user: user not in own)
    graph.lint()
    result.recompile()
    result.training = False
    return result
