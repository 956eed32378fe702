"""A trial: one plan on some rows with one seed; a pure function of what it is given."""

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from unfreeze.core.progress import Advance
from unfreeze.core.records import Audit
from unfreeze.core.seeding import derive_seed, generator
from unfreeze.training.examples import Pixels
from unfreeze.training.freezing import apply_plan, audit, promise
from unfreeze.training.loop import Examples, make_optimizer, scores_of, train_epochs
from unfreeze.training.plans import Plan
from unfreeze.training.precision import (
    Arithmetic,
    Layout,
    Precision,
    candidates,
    in_layout,
    inputs_in_layout,
    mixed_precision,
    training_device,
)
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.folding import fold_batchnorm
from unfreeze.zoo.graph import Cut

AUDITED_IMAGES = 4
EVALUATION_LAYOUT: Layout = "channels_last"
TIMED_STEPS = 2
WORTH_A_CHANGE = 0.9  # a candidate replaces an earlier one only below this part of its time: else noise would choose


@dataclass(frozen=True, eq=False)
class Trial:
    """What training gave.

    Attributes:
        backbone: The trained copy, on the CPU, in evaluation mode.
        curve: Mean training loss of every epoch.
        audit: Of its freezing.
    """

    backbone: Backbone
    curve: tuple[float, ...]
    audit: Audit


@dataclass(frozen=True, eq=False, kw_only=True)
class Feed:
    """What a trial is fed with.

    Attributes:
        cut: Where the learning part begins.
        examples: Inputs of the learning part, as it trains on them.
        features: The same before any rescaling: what the frozen part should give. For the audit.
        pixels: The images.
        labels: Class index of every row.
    """

    cut: Cut
    examples: Examples
    features: Examples
    pixels: Pixels
    labels: Int[np.ndarray, " image"]


@final
@dataclass(frozen=True)
class _Prepared:
    """Examples in the plan's layout, that tell how many rows they gave."""

    examples: Examples
    layout: Layout
    advance: Advance

    def batches(self, rows: Int[np.ndarray, " row"], *, size: int, epoch: int | None) -> Iterator[Tensor]:
        for inputs in self.examples.batches(rows, size=size, epoch=epoch):
            yield inputs_in_layout(inputs, self.layout)
            self.advance(len(inputs))


def run_trial(
    start: Backbone, plan: Plan, feed: Feed, rows: Int[np.ndarray, " row"], *, seed: int, advance: Advance
) -> Trial:
    """Train a copy of `start` on `rows` as `plan` says, and audit its freezing.

    Args:
        start: With a head of the right width; is not changed.
        plan: What learns, and how.
        feed: Inputs and labels.
        rows: The rows to train on.
        seed: Of shuffling and dropout.
        advance: Is told of every image.

    Returns:
        The trained copy.

    Raises:
        AuditError: The trial broke its promise.
    """
    backbone = start.copy()
    network = in_layout(backbone.network.to(training_device()), plan.layout)
    promised = promise(network, plan)
    optimizer = make_optimizer(apply_plan(network, plan), plan)
    model = fold_batchnorm(backbone.suffix(feed.cut))
    with torch.random.fork_rng(), mixed_precision(network, plan.precision):
        torch.manual_seed(derive_seed(seed, "torch"))
        epochs = train_epochs(
            model,
            _Prepared(feed.examples, plan.layout, advance),
            feed.labels,
            rows=rows,
            optimizer=optimizer,
            plan=plan,
            rng=generator(seed, "shuffle"),
        )
        curve = tuple(epochs)
    network.eval()
    held = [tensor for group in optimizer.param_groups for tensor in group["params"]]
    difference = codes_difference(backbone, feed, rows[:AUDITED_IMAGES])
    result = audit(network, plan, promised, optimized=held, codes_difference=difference)
    network.to("cpu").to(memory_format=torch.contiguous_format)
    for parameter in network.parameters():
        parameter.grad = None
    return Trial(backbone, curve, result)


def codes_difference(backbone: Backbone, feed: Feed, rows: Int[np.ndarray, " row"]) -> float:
    """Largest difference between what was trained on and what the network's own prefix gives, relative to its peak."""
    if feed.cut.name == "input":
        return 0.0
    prefix = backbone.prefix([feed.cut])
    with torch.inference_mode():
        (own,) = prefix(next(feed.pixels.batches(rows, size=len(rows), epoch=None)))
        fed = next(feed.features.batches(rows, size=len(rows), epoch=None))
    own = own.reshape(fed.shape) if own.numel() == fed.numel() else own.mean(dim=(2, 3)).reshape(fed.shape)
    return float((own - fed).abs().max() / own.abs().max().clamp_min(1e-12))


def predict_rows(backbone: Backbone, feed: Feed, rows: Int[np.ndarray, " row"]) -> Float[np.ndarray, "row cls"]:
    """Scores of `rows` in float32, by the part of the network that learned."""
    if not len(rows):
        return np.empty((0, backbone.classes), np.float32)
    network = in_layout(backbone.network.to(training_device()).eval(), EVALUATION_LAYOUT)
    examples = _Prepared(feed.examples, EVALUATION_LAYOUT, lambda _: None)
    scores = scores_of(fold_batchnorm(backbone.suffix(feed.cut).eval()), examples, rows)
    in_layout(network.to("cpu"), "NCHW")
    return scores


@dataclass(frozen=True, kw_only=True)
class Timed:
    """What training costs with one layout and precision.

    Attributes:
        layout: Of maps in memory.
        precision: Of forward passes.
        seconds: Wall time of one image in one epoch.
    """

    layout: Layout
    precision: Precision
    seconds: float


def time_candidates(
    start: Backbone, plan: Plan, feed: Feed, rows: Int[np.ndarray, " row"], *, seed: int
) -> tuple[Timed, ...]:
    """Measure each layout and precision that this machine may train in, on the user's own images.

    Args:
        start: Is not changed.
        plan: Its layout and precision do not matter.
        feed: Inputs and labels.
        rows: The rows to train on.
        seed: Of the steps.

    Returns:
        One measurement a candidate, in the order of `candidates`.
    """
    few = _timed_rows(plan, rows)
    for _ in feed.examples.batches(few, size=_batch_size(plan, rows), epoch=0):
        pass  # what is decoded once should not count against the first candidate
    return tuple(_time(start, plan, feed, rows, arithmetic, seed=seed) for arithmetic in candidates())


def fastest(timed: Sequence[Timed]) -> Timed:
    """The fastest one; an earlier one stays where a later one is hardly faster.

    Example:
        >>> plain = Timed(layout="channels_last", precision="float32", seconds=0.050)
        >>> fastest([plain, Timed(layout="NCHW", precision="float32", seconds=0.049)]).layout
        'channels_last'
    """
    best = timed[0]
    for candidate in timed[1:]:
        if candidate.seconds < WORTH_A_CHANGE * best.seconds:
            best = candidate
    return best


def _batch_size(plan: Plan, rows: Int[np.ndarray, " row"]) -> int:
    return min(plan.batch_size or len(rows), len(rows))


def _timed_rows(plan: Plan, rows: Int[np.ndarray, " row"]) -> Int[np.ndarray, " few"]:
    return np.resize(rows, _batch_size(plan, rows) * (1 + TIMED_STEPS))


def _time(
    start: Backbone, plan: Plan, feed: Feed, rows: Int[np.ndarray, " row"], arithmetic: Arithmetic, *, seed: int
) -> Timed:
    """A few steps on a copy that is thrown away; the first one also pays for what is prepared once."""
    short = replace(plan, epochs=1, layout=arithmetic.layout, precision=arithmetic.precision)
    stamps: list[float] = []
    few = _timed_rows(plan, rows)
    run_trial(start, short, feed, few, seed=seed, advance=lambda _: stamps.append(time.perf_counter()))
    step = min(later - earlier for earlier, later in itertools.pairwise(stamps))
    return Timed(layout=arithmetic.layout, precision=arithmetic.precision, seconds=step / _batch_size(plan, rows))
