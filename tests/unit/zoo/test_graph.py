"""Tracing, cuts and their two modules on small networks written for one question each."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from unfreeze.core.errors import PlanError
from unfreeze.zoo.graph import Cut, Traced, find_cuts, prefix_module, suffix_module, trace_network
from unfreeze.zoo.pooling import pooled


def cuts_of(network: nn.Module, size: int = 8) -> tuple[Traced, tuple[Cut, ...]]:
    """A traced network and its cuts."""
    traced = trace_network(network, size)
    return traced, find_cuts(traced)


def assert_every_cut_works(network: nn.Module, size: int = 8) -> None:
    """Check suffix(prefix(x)) against the whole graph at every cut, with a batch size that tracing did not see."""
    traced, cuts = cuts_of(network, size)
    images = torch.randn(5, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = traced.graph(images)
        for cut in cuts:
            (raw,) = prefix_module(traced.graph, [cut])(images)
            assert torch.equal(suffix_module(traced.graph, cut)(raw), expected), cut


class Shortcut(nn.Module):
    """One residual unit, written in the network's own forward."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.inner = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102 - torch's name
        x = self.stem(x)
        return (x + self.inner(x)).mean((2, 3))


def test_a_shortcut_hides_what_it_jumps_over() -> None:
    """Inside a residual unit there is no cut, since its input is still needed."""
    _, cuts = cuts_of(Shortcut())

    assert [cut.name for cut in cuts] == ["input", "stem", "add", "mean"]
    assert [cut.layout for cut in cuts] == ["NCHW", "NCHW", "NCHW", "NC"]


class InPlace(nn.Module):
    """In-place work of every kind that torch.fx can see."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102 - torch's name
        x = self.act(self.conv(x))
        x.add_(1.0)
        x = functional.hardtanh(x, 0.0, 2.0, True)
        x = functional.relu(x, inplace=True)
        return x.flatten(1)


def test_in_place_work_becomes_new_tensors() -> None:
    """The graph gives what the in-place network gives, and no tensor at a cut is overwritten."""
    torch.manual_seed(0)
    network = InPlace()
    images = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        expected = network(images.clone())
        traced, cuts = cuts_of(network)
        raws = prefix_module(traced.graph, cuts)(images)
        copies = [raw.clone() for raw in raws]
        for cut, raw, kept in zip(cuts, raws, copies, strict=True):
            assert torch.equal(suffix_module(traced.graph, cut)(raw), expected)
            assert torch.equal(raw, kept), cut


class Sizes(nn.Module):
    """Keeps sizes alive over everything, as vision transformers do, and makes a tensor from one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.token = nn.Parameter(torch.randn(1, 1, 4))

    def forward(self, x: Tensor, mask: Tensor | None = None, scale: float = 2.0) -> Tensor:  # noqa: D102 - torch's name
        batch, _, height, width = x.shape
        doubled = batch * 2 + 1
        x = self.conv(x).flatten(2).transpose(1, 2)
        token = self.token.expand(batch, -1, -1)
        x = functional.relu(x)
        if mask is not None:
            x = x * mask
        x = torch.cat((token, x), 1)
        x = torch.sigmoid(x) * scale
        return x[:, 1:].reshape(batch, height, width, 4).mean((1, 2)) * (doubled - batch - batch)


def test_sizes_do_not_hide_cuts() -> None:
    """Numbers read off a shape are no live tensors; suffixes that need them work for any batch size."""
    _, cuts = cuts_of(Sizes())

    assert {"conv", "relu", "cat", "sigmoid"} <= {cut.name for cut in cuts}
    assert_every_cut_works(Sizes())


class Parallel(nn.Module):
    """A tuple of tensors in flight, and a value that is used much later."""

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102 - torch's name
        left, middle, right = x.chunk(3, dim=1)
        joined = torch.cat((left * 2, right), 1)
        return (joined.sum(1, keepdim=True) + middle).flatten(1)


def test_a_bundle_is_no_cut() -> None:
    """While a tuple of tensors is in use nothing else is a cut."""
    _, cuts = cuts_of(Parallel())

    assert [cut.name for cut in cuts] == ["input", "add", "flatten"]
    assert_every_cut_works(Parallel())


def test_prefix_drops_what_lies_behind() -> None:
    """A prefix holds no layer after its deepest cut."""
    traced, cuts = cuts_of(Shortcut())

    assert set(dict(prefix_module(traced.graph, cuts[:2]).named_parameters())) == {"stem.weight", "stem.bias"}


@pytest.mark.parametrize(
    ("layout", "shape", "axes"),
    [("NCHW", (2, 5, 3, 3), (2, 3)), ("NHWC", (2, 3, 3, 5), (1, 2)), ("NLC", (2, 9, 5), (1,))],
)
def test_pooling_is_the_mean_over_places(layout: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    """Codes are means over places, computed here by NumPy."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))

    torch.testing.assert_close(pooled(x, layout), torch.from_numpy(x.numpy().mean(axis=axes)))


def test_vectors_stay_as_they_are() -> None:
    """A vector needs no pooling."""
    x = torch.randn(2, 5)

    assert pooled(x, "NC") is x


class Restless(nn.Module):
    """Branches on what it sees."""

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102 - torch's name
        return x if x.sum() > 0 else -x


def test_a_network_that_decides_by_its_data_is_refused() -> None:
    """What torch.fx cannot trace is an error that says so."""
    with pytest.raises(PlanError, match=r"torch\.fx cannot trace it"):
        trace_network(Restless(), 8)
