"""A trial: one plan on some rows with one seed; a pure function of what it is given."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from timm.layers import convert_sync_batchnorm
from torch import Tensor

from unfreeze.core.errors import DidNotTrainError
from unfreeze.core.plans import Layout, Plan
from unfreeze.core.progress import Advance, ignore
from unfreeze.core.records import Audit
from unfreeze.core.seeding import derive_seed
from unfreeze.training.averaging import MeanWeights, renew_statistics
from unfreeze.training.examples import Pixels
from unfreeze.training.freezing import apply_plan, audit, promise
from unfreeze.training.loop import Data, Examples, Loop, batch_rows, make_optimizer, scores_of
from unfreeze.training.precision import in_layout, inputs_in_layout, mixed_precision, threads
from unfreeze.training.sharing import ALONE, Share
from unfreeze.training.states import TrainingState, on_cpu
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import Device
from unfreeze.zoo.folding import fold_batchnorm
from unfreeze.zoo.graph import Cut

AUDITED_IMAGES = 4
HALVINGS = 3  # of the rates, before a training is given up
RISEN = 2.0  # standard errors by which a loss must exceed that of the start
HUMP, SETTLED = 0.5, 10  # how far a loss may rise in so many epochs, of the way to that of a guess
FEWEST_JUDGED = 3  # steps after the warm-up: of one alone a fifth looks like that though nothing has changed
EVALUATION_LAYOUT: Layout = "channels_last"


@dataclass(frozen=True, eq=False)
class Trained:
    """What training gave.

    Attributes:
        backbone: The trained copy, on the CPU, in evaluation mode.
        curve: Mean training loss of every epoch.
        audit: Of its freezing.
        halvings: How often the rates were halved, since the loss rose.
    """

    backbone: Backbone
    curve: tuple[float, ...]
    audit: Audit
    halvings: int = 0


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


def run_trial(
    start: Backbone, plan: Plan, inputs: Inputs, rows: Int[np.ndarray, " row"], *, seed: int, advance: Advance
) -> Trained:
    """Train a copy of `start` on `rows` as `plan` says, and audit its freezing.

    Args:
        start: With a head of the right width; is not changed.
        plan: What learns, and how.
        inputs: Inputs and labels.
        rows: The rows to train on.
        seed: Of shuffling and dropout.
        advance: Reports progress per image.

    Returns:
        The trained copy.

    Raises:
        AuditError: The trial broke its promise.
        DidNotTrainError: Its loss rose, at an eighth of its rates too.
    """
    training = TrainingRun(start, plan, inputs, rows, seed=seed)
    training.train_to(plan.epochs, advance=advance)
    return training.result()


@final
class TrainingRun:
    """One training, which can go on: some epochs and then some more give the bits of all of them at once.

    Args:
        start: With a head of the right width; is not changed.
        plan: What learns, and how; its epochs do not matter.
        inputs: Inputs and labels.
        rows: The rows to train on.
        seed: Of shuffling and dropout.
        draws: Whether anything in it draws random numbers of torch's, of which there is one source for all threads.
        share: What this process takes of every batch.

    Attributes:
        curve: Mean training loss of every epoch so far.
        halvings: How often the rates were halved, since the loss rose, and training began again.
    """

    def __init__(
        self,
        start: Backbone,
        plan: Plan,
        inputs: Inputs,
        rows: Int[np.ndarray, " row"],
        *,
        seed: int,
        draws: bool = True,
        share: Share = ALONE,
    ) -> None:
        self.start, self.plan, self.inputs, self.rows, self.seed, self.draws = start, plan, inputs, rows, seed, draws
        self._share = share
        self._advance: Advance = ignore
        self.halvings = 0
        self._begin(plan)

    def _begin(self, plan: Plan) -> None:
        inputs, self._plan = self.inputs, plan
        self._backbone = self.start.copy()
        if self._share.of > 1 and plan.batchnorm == "learning" and not inputs.device.is_cpu:
            self._backbone = synchronised(self._backbone)  # on CPUs each process takes statistics of its own share
        self._network = in_layout(self._backbone.network.to(inputs.device.torch), plan.arithmetic.layout)
        self._promised = promise(self._network, plan)
        learning = apply_plan(self._network, plan)
        self._optimizer = make_optimizer(learning, plan)
        self._optimized = [tensor for group in self._optimizer.param_groups for tensor in group["params"]]
        self._mean = None if plan.averaging is None else MeanWeights(list(learning.values()), plan.averaging)
        self._names = tuple(learning)
        data = Data(
            examples=self._examples(self._report),
            labels=inputs.labels,
            rows=self.rows,
            class_count=self._backbone.classes,
        )
        self._loop = Loop(
            fold_batchnorm(self._backbone.suffix(inputs.cut)),
            self._optimizer,
            data,
            plan,
            seed=self.seed,
            after_step=self._mean.add_snapshot if self._mean else lambda: None,
            advance=self._report,
            share=self._share,
        )
        self.curve: list[float] = []
        self._losses: list[float] = []  # of every step

    def _report(self, images: int) -> None:
        self._advance(images)

    def _examples(self, advance: Advance) -> _Prepared:
        return _Prepared(self.inputs.examples, self.inputs.device, self._plan.arithmetic.layout, advance)

    @property
    def size(self) -> int:
        """Bytes that it takes while it waits: the network, and thrice what learns."""
        learning: int = sum(tensor.nbytes for tensor in self._optimized)
        whole: int = sum(parameter.nbytes for parameter in self._network.parameters())
        return whole + 3 * learning

    def train_to(self, epochs: int, *, advance: Advance = ignore) -> None:
        """Train until there are so many epochs; from the start again, at half the rates, where the loss has risen.

        Args:
            epochs: No fewer than there are.
            advance: Reports progress per image.

        Raises:
            DidNotTrainError: The loss rose once more after `HALVINGS` halvings.
        """
        self._advance = advance
        while len(self.curve) < epochs:
            number, precision = len(self.curve), self._plan.arithmetic.precision
            with self._computing(number), mixed_precision(self._network, precision, self.inputs.device):
                losses = self._loop.epoch(number)
            self._losses += losses
            self.curve.append(float(np.mean(losses)))
            if self._plan.optimizer == "adamw" and self._has_risen(len(losses)):
                self._begin_gentler()
        for tensor in self._optimized:
            tensor.grad = None  # it may wait for long

    @contextmanager
    def _computing(self, stream: int | str) -> Iterator[None]:
        """Draw from a stream of the training's own, on as many threads as it trains on."""
        of_rank = (self._share.rank,) if self._share.rank else ()  # others drop other parts of their own images
        seed = derive_seed(self.seed, "torch", stream, *of_rank)
        drawing = self.inputs.device.drawing_from(seed) if self.draws else nullcontext()
        with drawing, threads(self._plan.arithmetic.threads):
            yield

    @property
    def state(self) -> TrainingState:
        """Everything in which it differs from one that has not begun: a copy, on the CPU."""
        optimizer = self._optimizer.state_dict()["state"]
        tensors = {f"network.{name}": tensor for name, tensor in self._network.state_dict().items()}
        tensors |= {f"optimizer.{n}.{name}": kept for n, of_one in optimizer.items() for name, kept in of_one.items()}
        tensors |= {f"mean.{name}": tensor for name, tensor in (self._mean.tensors if self._mean else {}).items()}
        return TrainingState(
            tensors={name: on_cpu(tensor) for name, tensor in tensors.items()},
            curve=tuple(self.curve),
            losses=tuple(self._losses),
            halvings=self.halvings,
        )

    def take_up(self, state: TrainingState) -> None:
        """Stand where another training stood that was given the same, by the optimiser adamw: what follows is alike."""
        while self.halvings < state.halvings:
            self.halvings += 1
            self._begin(self._plan.with_rates_times(0.5))
        self._network.load_state_dict(state.part("network"))
        kept: dict[int, dict[str, Tensor]] = {}
        for name, tensor in state.part("optimizer").items():
            number, _, word = name.partition(".")
            like = self._optimized[int(number)]
            laid_out = torch.empty_like(like).copy_(tensor) if tensor.ndim else tensor  # the order can change bits
            kept.setdefault(int(number), {})[word] = laid_out
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": kept})
        if self._mean is not None:
            self._mean.take_up(state.part("mean"))
        self._loop.go_on_from(len(state.losses))
        self.curve, self._losses = list(state.curve), list(state.losses)

    def _has_risen(self, last: int) -> bool:
        epochs, classes = len(self.curve), self._backbone.classes
        return has_risen(self._losses, last, warmup=self._plan.warmup, epochs=epochs, classes=classes)

    def _begin_gentler(self) -> None:
        if self.halvings == HALVINGS:
            raise DidNotTrainError((self._losses[0], *self.curve))
        self.halvings += 1
        self._begin(self._plan.with_rates_times(0.5))

    def result(self) -> Trained:
        """A copy of the network as it is now, with the mean of its weights, audited; training may go on after it.

        Raises:
            AuditError: The training broke its promise.
        """
        backbone = self._backbone.copy()
        network, plan = backbone.network, self._plan
        if self._mean is not None and self.curve:
            parameters = dict(network.named_parameters())
            self._mean.write_to(parameters[name] for name in self._names)
            self._renew_statistics(backbone)
        network.eval()
        difference = codes_difference(backbone, self.inputs, self.rows[:AUDITED_IMAGES])
        names = {id(parameter): name for name, parameter in self._network.named_parameters()}
        audited = audit(
            network,
            plan,
            self._promised,
            optimized=[names.get(id(tensor), "unknown") for tensor in self._optimized],
            codes_difference=difference,
            precision=self.inputs.precision,
        )
        network.to("cpu").to(memory_format=torch.contiguous_format)
        return Trained(backbone, tuple(self.curve), audited, self.halvings)

    def _renew_statistics(self, backbone: Backbone) -> None:
        """Of BatchNorm, where it learns: those of training belong to other weights than their mean."""
        if self._plan.batchnorm == "frozen":
            return
        size = batch_rows(self._plan, len(self.rows))
        model, examples = fold_batchnorm(backbone.suffix(self.inputs.cut)), self._examples(lambda _: self._advance(0))
        with self._computing("statistics"):  # dropout is active in it
            renew_statistics(model, examples.batches(self.rows, size=size, epoch=0))


def synchronised(backbone: Backbone) -> Backbone:
    """The same, its BatchNorm layers taking their statistics from the shares of all processes; on GPUs alone."""
    network, graph = (convert_sync_batchnorm(module) for module in (backbone.network, backbone.graph))
    return replace(backbone, network=network, graph=graph)  # these share tensors as before, and no longer modules


@runtime_checkable
class Trainer(Protocol):
    """Where a training is carried out."""

    @property
    def processes(self) -> int:
        """How many share every batch."""
        ...

    @property
    def speedup(self) -> float:
        """How many times as fast as one process here it is expected to be."""
        ...

    def train_to(self, run: TrainingRun, epochs: int, *, advance: Advance) -> None:
        """As `TrainingRun.train_to`.

        Raises:
            UnfreezeError: Also if it cannot be carried out there.
        """
        ...


@final
@dataclass(frozen=True)
class InThisProcess:
    """Fills the role of `Trainer` without any other process."""

    processes: int = 1
    speedup: float = 1.0

    def train_to(self, run: TrainingRun, epochs: int, *, advance: Advance) -> None:
        """As `TrainingRun.train_to`."""
        run.train_to(epochs, advance=advance)


IN_THIS_PROCESS = InThisProcess()


def has_risen(losses: Sequence[float], last: int, *, warmup: int, epochs: int, classes: int) -> bool:
    """Whether a training has become worse than its start, so that it goes nowhere.

    The start is what the first quarter of the warm-up saw, when hardly anything had changed; it is compared with the
    steps of the last epoch that lie after the warm-up, of which one counts as twice the largest of the start at most:
    a loss that explodes would hide in its own noise (in simulation nine in ten did). A good training rises at first,
    too: on omniglot the loss of two blocks goes 1.7, 2.9, 2.5, 2.2, 2.0 … 1.1, and the mean of the weights is never
    worse than the start. So in the first epochs the loss may rise half of the way to that of a guess that knows
    nothing, later not at all, but for noise.

    Args:
        losses: Of every step, nats.
        last: How many of them are of the last epoch.
        warmup: Steps of the warm-up.
        epochs: That were made.
        classes: Of which a guess knows nothing.

    Returns:
        False before the end of the warm-up; True where a loss is no number.

    Example:
        >>> has_risen([0.4, 0.5, *[0.9] * 6, 5.0, 7.0, 6.0], 3, warmup=8, epochs=5, classes=2)
        True
    """
    first = max(2, warmup // 4)
    begun = np.array(losses[:first])
    now = np.array(losses[max(warmup, first, len(losses) - max(last, FEWEST_JUDGED)) :])
    if not np.isfinite(losses).all():
        return True
    if len(now) < FEWEST_JUDGED:
        return False
    guess = math.log(classes)
    now = np.minimum(now, 2 * max(guess, begun.max()))
    noise = RISEN * math.sqrt(begun.var(ddof=1) / len(begun) + now.var(ddof=1) / len(now))
    humped = HUMP * (guess - begun.mean()) if epochs < SETTLED else 0.0
    rounding = 1e-9 * begun.mean()  # means of equal losses may differ in their last digit
    return bool(now.mean() > begun.mean() + max(noise, humped, rounding))


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
