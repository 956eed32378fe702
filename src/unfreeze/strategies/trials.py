"""A trial: one plan on some rows with one seed; a pure function of what it is given."""

import itertools
import time
from collections.abc import Iterator
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
from unfreeze.training.precision import mixed_precision, training_device
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.graph import Cut

AUDITED_IMAGES = 4
TIMED_STEPS = 3


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
        precision: Of the frozen layers that made the examples: f32, bf16 or int8.
    """

    cut: Cut
    examples: Examples
    features: Examples
    pixels: Pixels
    labels: Int[np.ndarray, " image"]
    precision: str = "f32"


@final
@dataclass(frozen=True)
class _Counted:
    """Examples that tell how many rows they gave."""

    examples: Examples
    advance: Advance

    def batches(self, rows: Int[np.ndarray, " row"], *, size: int, epoch: int | None) -> Iterator[Tensor]:
        for inputs in self.examples.batches(rows, size=size, epoch=epoch):
            yield inputs
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
    network = backbone.network.to(training_device()).to(memory_format=torch.channels_last)
    promised = promise(network, plan)
    optimizer = make_optimizer(apply_plan(network, plan), plan)
    model = backbone.suffix(feed.cut)
    with torch.random.fork_rng(), mixed_precision(network, plan.precision):
        torch.manual_seed(derive_seed(seed, "torch"))
        epochs = train_epochs(
            model,
            _Counted(feed.examples, advance),
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
    result = audit(network, plan, promised, optimized=held, codes_difference=difference, precision=feed.precision)
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
    network = backbone.network.to(training_device()).eval()
    scores = scores_of(backbone.suffix(feed.cut).eval(), feed.examples, rows)
    network.to("cpu")
    return scores


def seconds_per_image(start: Backbone, plan: Plan, feed: Feed, rows: Int[np.ndarray, " row"], *, seed: int) -> float:
    """Wall time of one image in one epoch of training, from a few steps on a copy that is thrown away.

    The fastest step counts: the first one also pays for what is prepared once.
    """
    short = replace(plan, epochs=1)
    size = min(plan.batch_size or len(rows), len(rows))
    few = np.resize(rows, size * TIMED_STEPS)
    stamps: list[float] = [time.perf_counter()]
    run_trial(start, short, feed, few, seed=seed, advance=lambda _: stamps.append(time.perf_counter()))
    return min(later - earlier for earlier, later in itertools.pairwise(stamps)) / size
