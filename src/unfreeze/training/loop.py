"""The training loop: one for every plan. It goes epoch by epoch, and the caller decides to print, go on or stop."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from unfreeze.core.plans import Plan
from unfreeze.core.progress import Advance, ignore
from unfreeze.core.seeding import generator
from unfreeze.metrics.imbalance import log_shares
from unfreeze.training.mixing import Targets, mixed
from unfreeze.training.precision import inputs_in_layout
from unfreeze.training.sharing import ALONE, Share

LBFGS_ITERATIONS = 50


@runtime_checkable
class Examples(Protocol):
    """What the loop is fed with: whatever the learning part of the network takes, for any row of the image set."""

    def batches(self, rows: Int[np.ndarray, " row"], *, size: int, epoch: int | None) -> Iterator[Tensor]:
        """Inputs of `rows`, `size` at a time and in order; augmented for an `epoch`, plain for None."""
        ...


def make_optimizer(learning: dict[str, nn.Parameter], plan: Plan) -> torch.optim.Optimizer:
    """Optimiser over exactly the parameters that learn, each at the rate of its rule; vectors are not decayed."""
    if plan.optimizer == "lbfgs":
        return torch.optim.LBFGS(
            learning.values(),
            max_iter=LBFGS_ITERATIONS,
            history_size=20,
            tolerance_grad=1e-6,
            tolerance_change=1e-10,
            line_search_fn="strong_wolfe",
        )
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in learning.items():
        rate = plan.rate_of(name)
        assert rate is not None, name  # noqa: S101 - our own mistake: `learning` comes from the same plan
        decay = plan.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    described = [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]
    return torch.optim.AdamW(described)


def rate_factor(step: int, *, warmup: int) -> float:
    """Factor of all rates at `step`: a linear rise, then 1 for as long as it takes.

    A schedule that falls would have to know the end; what it gives, the mean of the weights gives as well (on 500
    images of trashnet two blocks reach 85 to 86 % either way).

    Example:
        >>> [rate_factor(step, warmup=4) for step in (0, 1, 3, 4, 99)]
        [0.25, 0.5, 1.0, 1.0, 1.0]
    """
    return min(1.0, (step + 1) / warmup) if warmup else 1.0


@final
class Loop:
    """A training, epoch by epoch; train and evaluation mode are the plan's business, set before.

    Args:
        model: From what the examples give to scores [batch, cls].
        optimizer: Over what learns; its rates are those of the plan.
        data: What it learns from.
        plan: Batch size, warm-up, label smoothing, mixing, balance.
        seed: Of the shuffles.
        after_step: Called after every step.
        advance: Called with 0 at every evaluation of the loss, so that it can look at the stop: a step of L-BFGS has
            dozens of them.
        share: What this process takes of every batch.
    """

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        optimizer: torch.optim.Optimizer,
        data: "Data",
        plan: Plan,
        *,
        seed: int,
        after_step: Callable[[], None] = lambda: None,
        advance: Advance = ignore,
        share: Share = ALONE,
    ) -> None:
        self._model, self._optimizer, self._data, self._plan = model, optimizer, data, plan
        self._seed, self._after_step, self._advance, self._share = seed, after_step, advance, share
        factor = partial(rate_factor, warmup=plan.warmup)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        self._learning = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        shares = log_shares(data.labels[data.rows], data.class_count) if plan.balanced else None
        self._offset = None if shares is None else torch.from_numpy(shares).float()
        self._size = batch_rows(plan, len(data.rows))

    def go_on_from(self, step: int) -> None:
        """Let the rates be those after so many steps."""
        self._schedule.last_epoch = step
        for group, rate in zip(self._optimizer.param_groups, self._schedule.base_lrs, strict=True):
            group["lr"] = rate * rate_factor(step, warmup=self._plan.warmup)

    def epoch(self, number: int) -> list[float]:
        """Train for one epoch, which knows its number and not how many there are.

        The rows left over after whole batches are dropped: another shuffle drops others.

        Returns:
            The loss of every step, nats.
        """
        rows, targets = self._data.rows, torch.from_numpy(self._data.labels)
        steps = len(rows) // self._size
        order = generator(self._seed, "shuffle", number).permutation(rows)[: steps * self._size]
        own = order.reshape(steps, self._size)[:, self._share.part(self._size)]
        losses: list[float] = []
        batches = self._data.examples.batches(own.reshape(-1), size=own.shape[1], epoch=number)
        for batch, inputs in zip(own, batches, strict=True):
            losses.append(self._step(inputs, targets[batch].to(inputs.device)))
        return losses

    def _step(self, inputs: Tensor, wanted: Tensor) -> float:
        plan, classes = self._plan, self._data.class_count
        mixture, targets = mixed(inputs, wanted, classes=classes, recipe=plan.augmentation)
        laid_out = inputs_in_layout(mixture, plan.arithmetic.layout)
        loss: float = self._optimizer.step(partial(self._loss, laid_out, targets))
        self._schedule.step()
        self._after_step()
        return loss

    def _loss(self, inputs: Tensor, targets: Targets) -> float:
        """Loss and its gradients; an optimiser with a line search asks for them more than once a step."""
        plan = self._plan
        self._advance(0)
        for parameter in self._learning:
            parameter.grad = None
        scores = self._model(inputs).float()
        loss = loss_of(scores, targets, label_smoothing=plan.label_smoothing, offset=self._offset)
        if plan.penalty:
            squares = [parameter.square().sum() for parameter in self._learning if parameter.ndim > 1]
            loss = loss + 0.5 * plan.penalty * torch.stack(squares).sum()
        part = loss * (len(inputs) / self._size)  # the mean over the batch is the sum of these over the processes
        part.backward()  # type: ignore[no-untyped-call]
        whole = self._share.add_up(self._learning, part.detach())
        if plan.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._learning, plan.clip_norm)
        return whole


def batch_rows(plan: Plan, rows: int) -> int:
    """How many of so many rows a step takes."""
    return min(plan.batch_size or rows, rows)


@dataclass(frozen=True, eq=False, kw_only=True)
class Data:
    """What a training learns from.

    Attributes:
        examples: Inputs of the model by row.
        labels: Class index of every row of the image set.
        rows: The rows to train on.
        class_count: Number of classes.
    """

    examples: Examples
    labels: Int[np.ndarray, " image"]
    rows: Int[np.ndarray, " row"]
    class_count: int


def loss_of(
    scores: Float[Tensor, "image cls"],
    targets: Targets,
    *,
    label_smoothing: float = 0.0,
    offset: Float[Tensor, " cls"] | None = None,
) -> Float[Tensor, ""]:
    """Mean cross-entropy with targets that may be mixtures: a mixture's loss is the mixture of the losses.

    Args:
        scores: Of the network.
        targets: Class indices, or rows that add up to 1.
        label_smoothing: Share of the targets that is spread over all classes.
        offset: Added to the scores: the classes' log shares where training is balanced.

    Returns:
        Nats.
    """
    adjusted = scores if offset is None else scores + offset.to(scores.device)
    return nn.functional.cross_entropy(adjusted, targets, label_smoothing=label_smoothing)


@torch.inference_mode()
def scores_of(
    model: Callable[[Tensor], Tensor], examples: Examples, rows: Int[np.ndarray, " row"], *, size: int = 32
) -> Float[np.ndarray, "row cls"]:
    """Scores of `rows`, without augmentation, in batches of one shape; the model must be in evaluation mode."""
    real = len(rows)
    padded = np.concatenate([rows, np.repeat(rows[-1:], -real % size)])
    scores = [model(inputs).float().cpu().numpy() for inputs in examples.batches(padded, size=size, epoch=None)]
    return np.concatenate(scores)[:real]
