"""A trial: one plan on some rows with one seed; a pure function of what it is given."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from unfreeze.core.plans import Layout, Plan
from unfreeze.core.progress import Advance, ignore
from unfreeze.core.records import Audit
from unfreeze.core.seeding import derive_seed, generator
from unfreeze.training.averaging import MeanWeights, renew_statistics
from unfreeze.training.examples import Pixels
from unfreeze.training.freezing import apply_plan, audit, promise
from unfreeze.training.loop import Examples, make_optimizer, scores_of, train_epochs
from unfreeze.training.precision import in_layout, inputs_in_layout, mixed_precision
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import Device
from unfreeze.zoo.folding import fold_batchnorm
from unfreeze.zoo.graph import Cut

AUDITED_IMAGES = 4
EVALUATION_LAYOUT: Layout = "channels_last"


@dataclass(frozen=True, eq=False)
class Trained:
    """What training gave.

    Attributes:
        backbone: The trained copy, on the CPU, in evaluation mode.
        curve: Mean training loss of every epoch.
        audit: Of its freezing.
        watched: Scores of the rows that were watched, after every epoch, in float32; without averaging.
    """

    backbone: Backbone
    curve: tuple[float, ...]
    audit: Audit
    watched: tuple[Float[np.ndarray, "row cls"], ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Inputs:
    """What a trial trains on.

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

    @property
    def device(self) -> Device:
        """Where the network learns: where its pixels go."""
        return self.pixels.device


@final
@dataclass(frozen=True)
class _Prepared:
    """Examples on the network's device and in the plan's layout, that tell how many rows they gave."""

    examples: Examples
    device: Device
    layout: Layout
    advance: Advance

    def batches(self, rows: Int[np.ndarray, " row"], *, size: int, epoch: int | None) -> Iterator[Tensor]:
        for batch in self.examples.batches(rows, size=size, epoch=epoch):
            yield inputs_in_layout(batch.to(self.device.torch), self.layout)
            self.advance(len(batch))


NO_ROWS = np.empty(0, np.int64)


def run_trial(
    start: Backbone,
    plan: Plan,
    inputs: Inputs,
    rows: Int[np.ndarray, " row"],
    *,
    seed: int,
    advance: Advance,
    watch: Int[np.ndarray, " watched"] = NO_ROWS,
) -> Trained:
    """Train a copy of `start` on `rows` as `plan` says, and audit its freezing.

    Args:
        start: With a head of the right width; is not changed.
        plan: What learns, and how.
        inputs: Inputs and labels.
        rows: The rows to train on.
        seed: Of shuffling and dropout.
        advance: Reports progress per image.
        watch: Rows to score after every epoch, such as those that a fold holds out; training does not see them, and
            goes as it goes without them.

    Returns:
        The trained copy.

    Raises:
        AuditError: The trial broke its promise.
    """
    backbone = start.copy()
    network = in_layout(backbone.network.to(inputs.device.torch), plan.arithmetic.layout)
    promised = promise(network, plan)
    optimizer = make_optimizer(apply_plan(network, plan), plan)
    training = _Training(backbone, plan, inputs, rows, optimizer=optimizer, advance=advance)
    drawing = inputs.device.drawing_from(derive_seed(seed, "torch"))
    with drawing, mixed_precision(network, plan.arithmetic.precision, inputs.device):
        curve, watched = training.run(seed=seed, watch=watch)
    network.eval()
    difference = codes_difference(backbone, inputs, rows[:AUDITED_IMAGES])
    held = training.optimized
    result = audit(network, plan, promised, optimized=held, codes_difference=difference, precision=inputs.precision)
    network.to("cpu").to(memory_format=torch.contiguous_format)
    for parameter in network.parameters():
        parameter.grad = None
    return Trained(backbone, curve, result, watched)


@final
class _Training:
    """The epochs of one trial.

    Args:
        backbone: The copy that learns.
        plan: What learns, and how.
        inputs: Inputs and labels.
        rows: The rows to train on.
        optimizer: Over what learns.
        advance: Reports progress per image.
    """

    def __init__(
        self,
        backbone: Backbone,
        plan: Plan,
        inputs: Inputs,
        rows: Int[np.ndarray, " row"],
        *,
        optimizer: torch.optim.Optimizer,
        advance: Advance,
    ) -> None:
        self._backbone, self._plan, self._inputs, self._rows = backbone, plan, inputs, rows
        self._optimizer, self._advance = optimizer, advance
        self._model = fold_batchnorm(backbone.suffix(inputs.cut))

    @property
    def optimized(self) -> list[Tensor]:
        """Every tensor that the optimiser holds."""
        return [tensor for group in self._optimizer.param_groups for tensor in group["params"]]

    def run(
        self, *, seed: int, watch: Int[np.ndarray, " watched"]
    ) -> tuple[tuple[float, ...], tuple[Float[np.ndarray, "row cls"], ...]]:
        """Train; the mean loss of every epoch, and the scores of the watched rows after it."""
        plan = self._plan
        curve, watched = [], []
        mean = MeanWeights(self.optimized) if plan.averaged_passes > 1 else None
        for number, loss in enumerate(self._epochs(seed), start=1):
            curve.append(loss)
            if len(watch):
                watched.append(_scores_in_between(self._backbone, self._inputs, watch, lambda _: self._advance(0)))
            if mean is not None and number > plan.passes - plan.averaged_passes:
                mean.add_snapshot()
        if mean is not None:
            mean.apply()
            self._renew_statistics()
        return tuple(curve), tuple(watched)

    def _epochs(self, seed: int) -> Iterator[float]:
        return train_epochs(
            self._model,
            self._examples(self._advance),
            self._inputs.labels,
            rows=self._rows,
            class_count=self._backbone.classes,
            optimizer=self._optimizer,
            plan=self._plan,
            rng=generator(seed, "shuffle"),
            advance=self._advance,
        )

    def _renew_statistics(self) -> None:
        """Of BatchNorm, where it learns: those of training belong to other weights than their mean."""
        if self._plan.batchnorm == "learning":
            size = min(self._plan.batch_size or len(self._rows), len(self._rows))
            renew_statistics(
                self._model, self._examples(lambda _: self._advance(0)).batches(self._rows, size=size, epoch=0)
            )

    def _examples(self, advance: Advance) -> _Prepared:
        return _Prepared(self._inputs.examples, self._inputs.device, self._plan.arithmetic.layout, advance)


def _scores_in_between(
    backbone: Backbone, inputs: Inputs, rows: Int[np.ndarray, " row"], advance: Advance
) -> Float[np.ndarray, "row cls"]:
    """Scores of `rows` in float32 in the middle of training, which finds everything as it was."""
    training = [module for module in backbone.network.modules() if module.training]
    model = backbone.suffix(inputs.cut).eval()
    examples = _Prepared(inputs.examples, inputs.device, EVALUATION_LAYOUT, advance)
    with torch.autocast(inputs.device.name, enabled=False):
        scores = scores_of(model, examples, rows)
    for module in training:
        module.training = True
    return scores


def codes_difference(backbone: Backbone, inputs: Inputs, rows: Int[np.ndarray, " row"]) -> float:
    """How far what was trained on is from what the network's own prefix gives in float32.

    Returns:
        Of the images, the largest length of the difference relative to the length of the features; where the frozen
        layers ran in a lower precision the median, since single images may lie further off.
    """
    if inputs.cut.name == "input":
        return 0.0
    prefix = backbone.prefix([inputs.cut])
    with torch.inference_mode():
        (computed,) = prefix(next(inputs.pixels.batches(rows, size=len(rows), epoch=None)))
        fed = next(inputs.features.batches(rows, size=len(rows), epoch=None)).to(computed.device)
    pooled_or_raw = computed if computed.numel() == fed.numel() else computed.mean(dim=(2, 3))
    computed = pooled_or_raw.reshape(fed.shape)
    lengths = [(computed - fed).flatten(1).norm(dim=1), computed.flatten(1).norm(dim=1).clamp_min(1e-12)]
    differences = lengths[0] / lengths[1]
    return float(differences.max() if inputs.precision == "f32" else differences.median())


def predict_rows(
    backbone: Backbone, inputs: Inputs, rows: Int[np.ndarray, " row"], *, advance: Advance = ignore
) -> Float[np.ndarray, "row cls"]:
    """Scores of `rows` in float32, by the part of the network that learned; `advance` is called after every batch."""
    if not len(rows):
        return np.empty((0, backbone.classes), np.float32)
    network = in_layout(backbone.network.to(inputs.device.torch).eval(), EVALUATION_LAYOUT)
    examples = _Prepared(inputs.examples, inputs.device, EVALUATION_LAYOUT, advance)
    scores = scores_of(fold_batchnorm(backbone.suffix(inputs.cut).eval()), examples, rows)
    in_layout(network.to("cpu"), "NCHW")
    return scores
