"""Step one, and the feature extractor that it is compared with: linear classifiers on the frozen network's codes."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float, Int

from unfreeze.core.progress import Advance, ignore
from unfreeze.core.records import Outcome
from unfreeze.core.seeding import derive_seed
from unfreeze.probes.solver import LinearProbe
from unfreeze.strategies.depth import LOSSES, Loss, TapProbe, best_probe, fit_tap_probes, last_probe, with_probe
from unfreeze.strategies.experiment import Experiment, Split
from unfreeze.strategies.strategy import Fit, Strategy
from unfreeze.strategies.trials import Feed, Trial, predict_rows, run_trial
from unfreeze.training.examples import Remembered
from unfreeze.training.plans import Plan, head_plan
from unfreeze.training.precision import one_thread
from unfreeze.zoo.backbones import Backbone


@dataclass(frozen=True, eq=False)
class StepOne:
    """What is fitted once a split and used by several strategies there: probes at every tap, and the head.

    Attributes:
        experiment: Task, network, codes.
        taps: Those that are probed; all if empty.
        losses: Which linear classifiers are fitted there; the head needs the softmax.
    """

    experiment: Experiment
    taps: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = LOSSES
    _probes: dict[str, list[TapProbe]] = field(default_factory=dict)
    _alone: dict[tuple[str, Loss, bool], list[TapProbe]] = field(default_factory=dict)
    _heads: dict[str, tuple[Fit, LinearProbe]] = field(default_factory=dict)

    def probes(self, split: Split, advance: Advance = ignore) -> list[TapProbe]:
        """Every loss at every tap, shallow to deep."""
        if split.name not in self._probes:
            by_tap, task = self.experiment.codes.by_tap, self.experiment.task
            mine = {tap: by_tap[tap] for tap in self.taps or by_tap}
            self._probes[split.name] = fit_tap_probes(
                mine, task, split, losses=self.losses, balanced=self.experiment.balanced, advance=advance
            )
        return self._probes[split.name]

    def softmax_on_last(self, split: Split) -> TapProbe:
        """The softmax on the last codes: of the probes of the split if they are there, else alone."""
        (found,) = self.alone(split, "softmax", last=True)
        return found

    def alone(self, split: Split, loss: Loss, *, last: bool) -> list[TapProbe]:
        """Probes of one loss on the last codes, or at every tap; nothing else is fitted for them."""
        tap, codes = self.experiment.source.taps[-1].name, self.experiment.codes
        if split.name in self._probes:
            return [p for p in self._probes[split.name] if p.loss == loss and (not last or p.tap == tap)]
        if (split.name, loss, last) not in self._alone:
            by_tap = {tap: codes.last} if last else {name: codes.by_tap[name] for name in self.taps or codes.by_tap}
            self._alone[split.name, loss, last] = fit_tap_probes(
                by_tap, self.experiment.task, split, losses=(loss,), balanced=self.experiment.balanced
            )
        return self._alone[split.name, loss, last]

    def head(self, split: Split) -> Fit:
        """The head alone, trained to convergence with the C of the softmax on the last codes."""
        if split.name not in self._heads:
            C = self.softmax_on_last(split).C
            self._heads[split.name] = _without_network(fit_head(self.experiment, split, C=C), C)
        fit, head = self._heads[split.name]
        return replace(fit, backbone=with_probe(self.experiment.source, head))

    def fitted(self) -> list[tuple[Split, list[TapProbe]]]:
        """The probes of the splits so far, in their order; for the depth curve."""
        splits = [self.experiment.task.split(number) for number in range(len(self._probes))]
        return [(split, self._probes[split.name]) for split in splits if split.name in self._probes]


@dataclass(frozen=True, eq=False)
class ProbeStrategy:
    """The feature extractor: a linear classifier on the last codes, or on the tap that cross-validation likes best.

    Attributes:
        shared: Fits all probes of a split at once.
        loss: softmax or svm.
        last: On the last codes; else the tap is chosen inside each split.
    """

    shared: StepOne
    loss: Loss
    last: bool

    work = 0
    refit_seconds = 0.0  # a moment

    @property
    def outcome(self) -> Outcome:
        """What it is."""
        kind = "SVM" if self.loss == "svm" else "softmax"
        if self.last:
            tap = self.shared.experiment.source.taps[-1].name
            name, trained = f"{self.loss} on the last codes", f"linear {kind} on codes of {tap}"
            return Outcome(name=name, kind="probe", tap=tap, trained=trained)
        trained = f"linear {kind} on the codes that cross-validation likes best"
        return Outcome(name=f"{self.loss} on the best tap", kind="probe", trained=trained, deliverable=False)

    def fit(self, split: Split, *, advance: Advance = ignore) -> Fit:
        """Fit, or take what another probe of this split has fitted."""
        if split is self.shared.experiment.task.everything():  # to be delivered: nobody asks for the other probes
            probes = self.shared.alone(split, self.loss, last=self.last)
        else:
            probes = self.shared.probes(split, advance)
        mine = last_probe(probes, self.loss) if self.last else best_probe(probes, self.loss)
        width = mine.probe.weight.shape[1]
        needed = [mine] if self.last else [probe for probe in probes if probe.loss == self.loss]
        return Fit(
            scores=mine.test_scores,
            probabilities=self.loss == "softmax",
            backbone=with_probe(self.shared.experiment.source, mine.probe) if self.last else None,
            settings={"loss": self.loss, "C": mine.C, "Cs": list(mine.Cs), "cv_accuracy": mine.cv_accuracy},
            tap=mine.tap,
            took=(sum(probe.seconds for probe in needed), sum(probe.cpu_seconds for probe in needed)),
            trained=f"linear {'SVM' if self.loss == 'svm' else 'softmax'} on {width:,} codes of {mine.tap}",
        )


@dataclass(frozen=True, eq=False)
class HeadStrategy:
    """Step one: the head alone, on codes of the frozen network.

    Attributes:
        shared: Trains the head of a split once, also for the steps that start from it.
    """

    shared: StepOne

    work = 0
    refit_seconds = 0.0  # a moment

    @property
    def outcome(self) -> Outcome:
        """What it is."""
        return Outcome(name="head", kind="head", trained="the head alone, on codes of the frozen network")

    def fit(self, split: Split, *, advance: Advance = ignore) -> Fit:  # noqa: ARG002 - it takes a second
        """Train, or take what was trained for another strategy."""
        return self.shared.head(split)


def step_one(experiment: Experiment, losses: tuple[Loss, ...] = LOSSES) -> tuple[StepOne, list[Strategy]]:
    """The cheap strategies: linear classifiers on the last codes and on the best tap, and the head.

    Args:
        experiment: Task, network, codes.
        losses: Which linear classifiers; the softmax among them.

    Returns:
        What they share, and the strategies.
    """
    shared = StepOne(experiment, losses=losses)
    probes = [ProbeStrategy(shared, loss, last) for last in (True, False) for loss in losses]
    return shared, [*probes, HeadStrategy(shared)]


def _without_network(fit: Fit, C: float) -> tuple[Fit, LinearProbe]:
    """A head as its weights alone: twenty splits would hold twenty networks that differ in nothing else."""
    assert fit.backbone is not None  # noqa: S101 - fit_head always gives one
    weight, bias = (p.detach().numpy().copy() for p in fit.backbone.head_parameters())
    head = LinearProbe(weight=weight.reshape(len(bias), -1), bias=bias, loss="softmax", C=C)
    return replace(fit, backbone=None), head


def fit_head(experiment: Experiment, split: Split, *, C: float) -> Fit:
    """Train a new head to convergence on standardised codes, which are then folded into it.

    Args:
        experiment: Task, network, codes.
        split: Rows.
        C: Regularisation of the softmax (scikit-learn's convention).

    Returns:
        The network with its head.
    """
    start = experiment.source.with_classes(experiment.task.class_count)
    with one_thread():
        trial, feed = _train_head(experiment, start, split, C=C)
        scores = predict_rows(trial.backbone, feed, split.test)
    settings = _head_plan(experiment, start, len(split.learn), C).to_json()
    return Fit(scores=scores, backbone=trial.backbone, settings=settings, audit=trial.audit, curve=trial.curve)


def _head_plan(experiment: Experiment, start: Backbone, images: int, C: float) -> Plan:
    return head_plan(start, penalty=1 / (C * images), balanced=experiment.balanced)


def _train_head(experiment: Experiment, start: Backbone, split: Split, *, C: float) -> tuple[Trial, Feed]:
    """Train on standardised codes, then fold the standardisation into the head, so that it takes plain ones."""
    codes, rows = experiment.codes.last, split.learn
    mean, std = codes[rows].mean(axis=0), codes[rows].std(axis=0)
    std = np.where(std > 1e-6, std, 1.0).astype(np.float32)
    feed = Feed(
        cut=start.head_cut,
        examples=_head_examples((codes - mean) / std, start),
        features=_head_examples(codes, start),
        pixels=experiment.pixels,
        labels=experiment.task.labels,
        precision=experiment.engine.precision,
    )
    plan = _head_plan(experiment, start, len(rows), C)
    trial = run_trial(start, plan, feed, rows, seed=derive_seed(experiment.seed, "head", split.name), advance=ignore)
    weight, bias = (p.detach() for p in trial.backbone.head_parameters())
    folded = weight.reshape(len(bias), -1) / torch.from_numpy(std)
    trial.backbone.set_head(folded, bias - folded @ torch.from_numpy(mean))
    return trial, replace(feed, examples=feed.features)


def _head_examples(codes: Float[np.ndarray, "image code"], backbone: Backbone) -> Remembered:
    """Codes as what the head takes; a convolution as head takes them as a map of one pixel."""
    shaped = codes[:, :, None, None] if backbone.head_cut.layout == "NCHW" else codes
    none = np.empty((0, 0, *shaped.shape[1:]), np.float32)
    nowhere: Int[np.ndarray, " image"] = np.full(len(codes), -1, dtype=np.int64)
    return Remembered(shaped.astype(np.float32), none, nowhere)
