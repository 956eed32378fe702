"""The training loop: one for every plan. It yields, and the caller decides to print, save or stop."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from unfreeze.core.plans import Plan
from unfreeze.core.progress import Advance, ignore
from unfreeze.metrics.imbalance import log_shares
from unfreeze.training.mixing import Targets, mixed
from unfreeze.training.precision import inputs_in_layout

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


def rate_factor(step: int, *, steps: int, warmup: float | None) -> float:
    """Factor of all rates at `step` of `steps`: a linear rise, then half a cosine down to 0 (Loshchilov & Hutter 2017).

    Without a warm-up (None) it stays 1.

    Example:
        >>> [round(rate_factor(step, steps=10, warmup=0.2), 2) for step in (0, 1, 2, 6)]
        [0.5, 1.0, 1.0, 0.5]
    """
    if warmup is None:
        return 1.0
    rising = max(1, round(warmup * steps)) if warmup else 0
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def train_epochs(
    model: Callable[[Tensor], Tensor],
    examples: Examples,
    labels: Int[np.ndarray, " image"],
    *,
    rows: Int[np.ndarray, " row"],
    class_count: int,
    optimizer: torch.optim.Optimizer,
    plan: Plan,
    rng: np.random.Generator,
    advance: Advance = ignore,
) -> Iterator[float]:
    """Train and yield the mean loss of every epoch; train/eval mode is the plan's business, set before.

    Args:
        model: From what `examples` gives to scores [batch, cls].
        examples: Inputs of the model by row.
        labels: Class index of every row of the image set.
        rows: The rows to train on.
        class_count: Number of classes.
        optimizer: Over what learns; its rates are the highest ones.
        plan: Epochs, batch size, warm-up, label smoothing, mixing, balance.
        rng: Shuffles.
        advance: Called with 0 at every evaluation of the loss, so that it can look at the stop: a step of L-BFGS has
            dozens of them.

    Yields:
        Mean training loss of the epoch.
    """
    targets = torch.from_numpy(labels)
    size = min(plan.batch_size or len(rows), len(rows))
    steps = plan.epochs * (len(rows) // size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: rate_factor(s, steps=steps, warmup=plan.warmup))
    learning = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    offset = torch.from_numpy(log_shares(labels[rows], class_count)).float() if plan.balanced else None
    for epoch in range(plan.passes):
        # The rows left over after whole batches are dropped: another shuffle drops others.
        order = rng.permutation(rows)[: len(rows) // size * size]
        losses: list[float] = []
        for number, inputs in enumerate(examples.batches(order, size=size, epoch=epoch)):
            wanted = targets[order[number * size : (number + 1) * size]].to(inputs.device)
            mixture, mixed_targets = mixed(inputs, wanted, classes=class_count, recipe=plan.augmentation)
            laid_out = inputs_in_layout(mixture, plan.arithmetic.layout)
            closure = partial(
                _step_loss, model, laid_out, mixed_targets, learning, plan=plan, offset=offset, advance=advance
            )
            losses.append(optimizer.step(closure))
            schedule.step()
        yield float(np.mean(losses))


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


def _step_loss(
    model: Callable[[Tensor], Tensor],
    inputs: Tensor,
    targets: Targets,
    learning: list[nn.Parameter],
    *,
    plan: Plan,
    offset: Tensor | None,
    advance: Advance,
) -> float:
    """Loss and its gradients; an optimiser with a line search asks for them more than once a step."""
    advance(0)
    for parameter in learning:
        parameter.grad = None
    loss = loss_of(model(inputs).float(), targets, label_smoothing=plan.label_smoothing, offset=offset)
    if plan.penalty:
        loss = loss + 0.5 * plan.penalty * torch.stack([p.square().sum() for p in learning if p.ndim > 1]).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    if plan.clip_norm is not None:
        nn.utils.clip_grad_norm_(learning, plan.clip_norm)
    return loss.item()


@torch.inference_mode()
def scores_of(
    model: Callable[[Tensor], Tensor], examples: Examples, rows: Int[np.ndarray, " row"], *, size: int = 32
) -> Float[np.ndarray, "row cls"]:
    """Scores of `rows`, without augmentation, in batches of one shape; the model must be in evaluation mode."""
    real = len(rows)
    padded = np.concatenate([rows, np.repeat(rows[-1:], -real % size)])
    scores = [model(inputs).float().cpu().numpy() for inputs in examples.batches(padded, size=size, epoch=None)]
    return np.concatenate(scores)[:real]
