"""The training loop: rates, losses, optimisers and epochs."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import distributed, nn
from torch.nn.functional import cross_entropy, one_hot

from unfreeze.core.plans import NONE, Plan, Rule
from unfreeze.core.strategies import FULL, HEAD
from unfreeze.training.loop import Data, Loop, loss_of, make_optimizer, rate_factor, scores_of
from unfreeze.training.sharing import ALONE, Share

LABELS = torch.tensor([0, 1, 2, 1])


def test_the_rate_rises_and_then_stays() -> None:
    """A linear rise over the warm-up, and what the rules say from its last step on; without one, from the first."""
    factors = [rate_factor(step, warmup=10) for step in (*range(10), 10, 99, 10**6)]

    assert factors[:10] == pytest.approx([0.1 * k for k in range(1, 11)])
    assert set(factors[9:]) == {1.0}
    assert rate_factor(0, warmup=0) == 1.0


def test_the_loss_of_a_mixture_is_the_mixture_of_the_losses() -> None:
    """With targets 0.3 of one class and 0.7 of another, the loss is 0.3 and 0.7 of the two, smoothing included."""
    scores, other = torch.randn(4, 3), LABELS.roll(1)
    targets = 0.3 * one_hot(LABELS, 3) + 0.7 * one_hot(other, 3)
    for smoothing in (0.0, 0.1):
        expected = sum(
            share * cross_entropy(scores, labels, label_smoothing=smoothing)
            for share, labels in ((0.3, LABELS), (0.7, other))
        )
        assert loss_of(scores, targets, label_smoothing=smoothing) == pytest.approx(float(expected), abs=1e-6)


def test_balanced_loss_of_scores_that_know_nothing_is_the_entropy_of_the_classes() -> None:
    """With scores 0 and the log shares as offset, the predicted probabilities are the shares."""
    shares = torch.tensor([0.25, 0.5, 0.25])
    loss = loss_of(torch.zeros(4, 3), LABELS, offset=shares.log())

    assert float(loss) == pytest.approx(float(-(shares * shares.log()).sum()), abs=1e-6)


@dataclass(eq=False)
class Rows:
    """Examples that are two numbers a row, and remember what they were asked for."""

    inputs: np.ndarray
    asked: list[tuple[int | None, list[int]]] = field(default_factory=list)

    def batches(self, rows: np.ndarray, *, size: int, epoch: int | None) -> Iterator[torch.Tensor]:
        """Inputs of the rows."""
        for start in range(0, len(rows), size):
            some = rows[start : start + size]
            self.asked.append((epoch, some.tolist()))
            yield torch.from_numpy(self.inputs[some])


PLAN = Plan(strategy=FULL, rules=(Rule(".*", 0.1),), epochs=6, batch_size=4, augmentation=NONE, label_smoothing=0.0)


def examples(count: int) -> tuple[Rows, np.ndarray]:
    """Two numbers a row, of which the first says something of the class."""
    labels = np.arange(count) % 2
    inputs = np.random.default_rng(0).normal(size=(count, 2)).astype(np.float32)
    inputs[:, 0] += labels
    return Rows(inputs), labels


def loop_of(plan: Plan, given: Rows, labels: np.ndarray, rows: np.ndarray) -> tuple[Loop, nn.Linear]:
    """A training of a linear model from known weights."""
    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    optimizer = make_optimizer(dict(model.named_parameters()), plan)
    return Loop(model, optimizer, Data(examples=given, labels=labels, rows=rows, class_count=2), plan, seed=0), model


def trained(plan: Plan, count: int, rows: np.ndarray) -> tuple[Rows, nn.Linear, list[list[float]]]:
    """Examples, model, and the losses of every epoch."""
    given, labels = examples(count)
    loop, model = loop_of(plan, given, labels, rows)
    return given, model, [loop.epoch(number) for number in range(plan.epochs)]


def test_every_epoch_shuffles_and_drops_what_makes_no_whole_batch() -> None:
    """Of ten rows eight train in an epoch, no row comes twice in it, and over the epochs every row has its turn."""
    rows = np.arange(5, 15)
    given, *_ = trained(PLAN, 20, rows)
    by_epoch = [[row for at, some in given.asked if at == epoch for row in some] for epoch in range(6)]

    assert {len(some) for _, some in given.asked} == {4}
    assert all(len(set(order)) == len(order) == 8 for order in by_epoch)
    assert len({tuple(order) for order in by_epoch}) == 6
    assert set().union(*by_epoch) == set(rows.tolist())


@pytest.mark.parametrize(("size", "sizes"), [(None, {10}), (99, {10}), (3, {3})])
def test_a_batch_is_never_larger_than_what_trains(size: int | None, sizes: set[int]) -> None:
    """Without a size, or with one that is too large, all rows make one batch."""
    given, *_ = trained(replace(PLAN, batch_size=size), 20, np.arange(10))

    assert {len(some) for _, some in given.asked} == sizes


def test_an_epoch_knows_its_number_alone() -> None:
    """The fourth epoch sees the rows of every fourth epoch, in their order, whatever came before it."""
    given, *_ = trained(PLAN, 20, np.arange(20))
    alone, labels = examples(20)
    loop, _ = loop_of(PLAN, alone, labels, np.arange(20))
    loop.epoch(3)

    assert alone.asked == [(at, some) for at, some in given.asked if at == 3]


def test_every_step_has_its_loss_and_is_told_of() -> None:
    """Five steps of four rows: the first loss is that of the untrained model on the first batch, by torch."""
    given, labels = examples(20)
    told: list[int] = []
    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    untrained = [parameter.detach().clone() for parameter in model.parameters()]
    data = Data(examples=given, labels=labels, rows=np.arange(20), class_count=2)
    optimizer = make_optimizer(dict(model.named_parameters()), PLAN)
    looked: list[int] = []
    loop = Loop(model, optimizer, data, PLAN, seed=0, after_step=lambda: told.append(1), advance=looked.append)
    losses = loop.epoch(0)
    _, first = given.asked[0]
    scores = nn.functional.linear(torch.from_numpy(given.inputs[first]), *untrained)

    assert losses[0] == pytest.approx(float(cross_entropy(scores, torch.from_numpy(labels[first]))), abs=1e-6)
    assert len(losses) == len(told) == 5
    assert looked == [0] * 5


def test_the_rate_of_a_step_follows_the_warm_up_through_epochs() -> None:
    """Two epochs of two steps rise through a warm-up of four, and the rate is the plan's from then on."""
    given, labels = examples(8)
    model = nn.Linear(2, 2)
    plan = replace(PLAN, warmup=4)
    optimizer = make_optimizer(dict(model.named_parameters()), plan)
    rates: list[float] = []
    data = Data(examples=given, labels=labels, rows=np.arange(8), class_count=2)
    loop = Loop(model, optimizer, data, plan, seed=0, advance=lambda _: rates.append(optimizer.param_groups[0]["lr"]))
    for number in range(3):
        loop.epoch(number)

    assert rates == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1, 0.1])


def test_each_parameter_learns_at_the_rate_of_its_rule_and_vectors_do_not_decay() -> None:
    """Biases and scales are pulled towards zero by no weight decay, and nothing else is in the optimiser."""
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    plan = replace(PLAN, rules=(Rule(r"2\..*", 0.5), Rule(r"0\..*", 0.25), Rule(".*", None)), weight_decay=0.3)
    learning = {name: p for name, p in model.named_parameters() if plan.rate_of(name) is not None}
    names = {id(parameter): name for name, parameter in model.named_parameters()}

    found = {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in make_optimizer(learning, plan).param_groups
        for parameter in group["params"]
    }

    assert found == {"0.weight": (0.25, 0.3), "0.bias": (0.25, 0.0), "2.weight": (0.5, 0.3), "2.bias": (0.5, 0.0)}


def test_one_convex_batch_is_trained_to_the_minimum_of_scikit_learn() -> None:
    """With a penalty of 2 / (C n), which two opposite columns of weights share, it is the logistic regression of C."""
    plan = replace(
        PLAN, strategy=HEAD, optimizer="lbfgs", batch_size=None, warmup=0, clip_norm=None, penalty=2 / (0.5 * 40)
    )
    given, model, *_ = trained(plan, 40, np.arange(40))
    theirs = LogisticRegression(C=0.5, tol=1e-8).fit(given.inputs, np.arange(40) % 2)

    weight, bias = ((parameter[1] - parameter[0]).detach().numpy() for parameter in (model.weight, model.bias))
    np.testing.assert_allclose(weight, theirs.coef_[0], atol=1e-3)
    assert float(bias) == pytest.approx(theirs.intercept_[0], abs=1e-3)


def test_training_that_is_balanced_leaves_plain_scores_for_equal_classes() -> None:
    """With nine rows in ten of one class and inputs that say nothing, both classes score the same in the end."""
    labels = np.array([0] * 36 + [1] * 4)
    nothing = Rows(np.zeros((40, 2), np.float32))
    plan = replace(PLAN, optimizer="lbfgs", batch_size=None, warmup=0, clip_norm=None, balanced=True)
    loop, model = loop_of(plan, nothing, labels, np.arange(40))
    for number in range(6):
        loop.epoch(number)

    first, second = model.bias.detach().tolist()
    assert first - second == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_scores_come_in_order_from_batches_of_one_shape(count: int) -> None:
    """The last batch is filled up with its last row, whose scores come once."""
    given, _ = examples(12)
    rows = np.arange(12)[::-1][:count].copy()

    found = scores_of(lambda inputs: 2 * inputs, given, rows, size=4)

    np.testing.assert_array_equal(found, 2 * given.inputs[rows])
    assert {len(some) for _, some in given.asked} == {4}
    assert {epoch for epoch, _ in given.asked} == {None}


@pytest.mark.parametrize("size", [4, 5, 32])
@pytest.mark.parametrize("of", [1, 2, 3, 4])
def test_processes_share_every_batch(size: int, of: int) -> None:
    """Each row of a batch is one process's, and nobody takes two more than another."""
    parts = [np.arange(size)[Share(rank, of).part(size)] for rank in range(of)]
    lengths = [len(part) for part in parts]

    assert np.concatenate(parts).tolist() == list(range(size))
    assert max(lengths) - min(lengths) <= 1


def test_gradients_and_losses_of_shares_add_up_to_those_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five rows, three and two: what is sent to be summed sums to what one process has."""
    sent: list[torch.Tensor] = []
    monkeypatch.setattr(distributed, "all_reduce", lambda flat: sent.append(flat.clone()))
    plan = replace(PLAN, batch_size=5, clip_norm=None)
    labels, rows = np.arange(5) % 2, np.arange(5)
    losses, steps = [], []
    for share in (ALONE, Share(0, 2), Share(1, 2)):
        torch.manual_seed(0)
        model = nn.Linear(2, 2)
        data = Data(examples=examples(5)[0], labels=labels, rows=rows, class_count=2)
        optimizer = make_optimizer(dict(model.named_parameters()), plan)
        losses += Loop(model, optimizer, data, plan, seed=0, share=share).epoch(0)
        steps.append([parameter.grad for parameter in model.parameters() if parameter.grad is not None])
    whole = torch.cat([gradient.reshape(-1) for gradient in steps[0]])

    assert [len(flat) for flat in sent] == [1 + 6, 1 + 6]
    torch.testing.assert_close(sent[0] + sent[1], torch.cat([torch.tensor(losses[:1]), whole]))
