"""Frozen means frozen, and the audit notices when it is not."""

import numpy as np
import pytest
import torch
from torch import nn

from unfreeze.core.errors import AuditError
from unfreeze.core.plans import Plan, Rule
from unfreeze.core.strategies import FULL, HEAD, unfreeze
from unfreeze.training.freezing import apply_plan, audit, promise
from unfreeze.training.loop import make_optimizer

HEAD_ONLY = Plan(strategy=HEAD, rules=(Rule(r"head\..*", 1e-2), Rule(".*", None)))
TOP_LEARNS = Plan(strategy=unfreeze(1), rules=(Rule(r"(top|head)\..*", 1e-2), Rule(".*", None)), batchnorm="learning")


class Small(nn.Module):
    """Two blocks with BatchNorm and dropout, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.low = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))
        self.top = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores."""
        return self.head(self.top(self.low(x)))


@pytest.fixture
def network() -> Small:
    """The same random weights in every test."""
    torch.manual_seed(0)
    return Small()


def train(network: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    """A few steps on random data."""
    optimizer = make_optimizer(apply_plan(network, plan), plan)
    x, y = torch.randn(16, 6), torch.randint(0, 3, (16,))
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    return optimizer


def held(network: nn.Module, optimizer: torch.optim.Optimizer) -> list[str]:
    """The name of every tensor in the optimiser."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return [names[id(tensor)] for group in optimizer.param_groups for tensor in group["params"]]


@pytest.mark.parametrize("plan", [HEAD_ONLY, TOP_LEARNS])
def test_what_is_frozen_does_not_move(network: Small, plan: Plan) -> None:
    """After training, frozen parameters and buffers hash as before and the audit passes."""
    promised = promise(network, plan)
    optimizer = train(network, plan)

    assert audit(network, plan, promised, optimized=held(network, optimizer), codes_difference=0.0).passed


def test_a_network_put_into_training_mode_is_caught(network: Small) -> None:
    """Clearing requires_grad alone lets BatchNorm's statistics drift; the audit names them."""
    promised = promise(network, HEAD_ONLY)
    optimizer = make_optimizer(apply_plan(network, HEAD_ONLY), HEAD_ONLY)
    network.train()
    network(torch.randn(16, 6))

    with pytest.raises(AuditError, match=r"low\.1\.running_mean"):
        audit(network, HEAD_ONLY, promised, optimized=held(network, optimizer), codes_difference=0.0)


def test_an_optimiser_that_holds_something_else_is_caught(network: Small) -> None:
    """Or too little: the optimiser must hold exactly what the plan names."""
    promised, every = promise(network, HEAD_ONLY), [name for name, _ in network.named_parameters()]

    for names in (every, ["head.weight"]):
        with pytest.raises(AuditError, match="optimiser holds what the plan names: False"):
            audit(network, HEAD_ONLY, promised, optimized=names, codes_difference=0.0)


def test_codes_that_differ_are_caught(network: Small) -> None:
    """A head that trained on other features than the network gives is not delivered."""
    promised = promise(network, HEAD_ONLY)
    optimizer = train(network, HEAD_ONLY)

    with pytest.raises(AuditError, match="difference of the features"):
        audit(network, HEAD_ONLY, promised, optimized=held(network, optimizer), codes_difference=0.05)


def test_dropout_is_active_only_where_something_learns(network: Small) -> None:
    """Frozen blocks stay in evaluation mode, dropout included; learning ones do not."""
    apply_plan(network, TOP_LEARNS)

    assert [network.low[2].training, network.top[2].training] == [False, True]
    assert [network.low[1].training, network.top[1].training] == [False, True]


def test_frozen_statistics_stay_even_in_a_block_that_learns(network: Small) -> None:
    """With batchnorm="frozen" scale and shift learn, mean and variance do not."""
    plan = Plan(strategy=FULL, rules=(Rule(".*", 1e-2),), batchnorm="frozen")
    before = network.top[1].running_mean.clone(), network.top[1].weight.detach().clone()
    train(network, plan)

    np.testing.assert_array_equal(network.top[1].running_mean, before[0])
    assert not torch.equal(network.top[1].weight, before[1])
