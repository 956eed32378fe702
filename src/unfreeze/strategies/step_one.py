"""Step one, and the feature extractor that it is compared with: linear classifiers on the frozen network's codes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float, Int

from unfreeze.core.plans import Plan, ProbeSettings, TrainingSettings
from unfreeze.core.progress import Advance, ignore
from unfreeze.core.readouts import Readout
from unfreeze.core.records import DepthPoint, Outcome
from unfreeze.core.seeding import derive_seed
from unfreeze.core.strategies import HEAD, Loss, StrategyId
from unfreeze.data.tasks import Split
from unfreeze.probes.solver import LinearProbe
from unfreeze.strategies.depth_curve import (
    LOSSES,
    ProbeSpec,
    TapProbe,
    best_probe,
    depth_points,
    fit_tap_probes,
    mean_points,
)
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.joined import JoinedStrategy
from unfreeze.strategies.strategy import Fit, Strategy
from unfreeze.training.examples import Remembered
from unfreeze.training.plans import head_plan
from unfreeze.training.precision import threads
from unfreeze.training.trials import Inputs, Trained, predict_rows, run_trial
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.tap_classifier import TapClassifier


@dataclass(frozen=True, eq=False)
class StepOne:
    """What is fitted once a split, when it is first asked for, and used by several strategies: probes, and the head.

    Attributes:
        experiment: Task, network, codes.
        taps: Those that are probed; all if empty.
        losses: Which linear classifiers are fitted there; the head needs the softmax.
    """

    experiment: Experiment
    taps: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = LOSSES
    _probes: dict[tuple[str, str, Loss], TapProbe] = field(default_factory=dict)
    _heads: dict[str, tuple[Fit, LinearProbe]] = field(default_factory=dict)
    _points: dict[tuple[str, str, Loss], DepthPoint] = field(default_factory=dict)

    @property
    def every_probe(self) -> tuple[tuple[str, Loss], ...]:
        """Every tap and loss, shallow to deep."""
        return tuple((tap, loss) for tap in self._names for loss in self.losses)

    @property
    def last(self) -> str:
        """The tap of the last codes."""
        return self.experiment.source.taps[-1].name

    def fit(self, split: Split, probes: Iterable[tuple[str, Loss]], advance: Advance | None = None) -> list[TapProbe]:
        """Probes of a split at these taps, with these losses; what is missing is fitted side by side."""
        advance = advance or self.experiment.progress.checkpoint
        wanted = [(split.name, *probe) for probe in probes]
        missing = [key for key in dict.fromkeys(wanted) if key not in self._probes]
        advance(len(wanted) - len(missing))
        if missing:
            fitted = fit_tap_probes(
                self.experiment.codes.by_tap,
                self.experiment.task,
                [ProbeSpec(split, tap, loss) for _, tap, loss in missing],
                balanced=self.experiment.balanced,
                advance=advance,
            )
            self._probes.update(zip(missing, fitted, strict=True))
            if len(split.test):
                self.take_note(split.name, depth_points(split, fitted, self.experiment.task))
        return [self._probes[key] for key in wanted]

    def on_last(self, split: Split, loss: Loss) -> TapProbe:
        """On the last codes; no other tap is fitted for it."""
        return self.fit(split, [(self.last, loss)])[0]

    def head(self, split: Split) -> Fit:
        """The head alone, trained to convergence with the C of the softmax on the last codes."""
        if split.name not in self._heads:
            beside = self.on_last(split, "softmax")
            fit = replace(fit_head(self.experiment, split, C=beside.C), temperature=beside.temperature)
            self._heads[split.name] = _without_network(fit, beside.C)
        fit, head = self._heads[split.name]
        return replace(fit, model=_with_probe(self.experiment.source, head))

    @property
    def split_with_head(self) -> Split:
        """One whose head is trained already, for what any head will do; else the whole train part."""
        task = self.experiment.task
        return task.named(next(iter(self._heads), task.everything().name))

    def take_note(self, split: str, points: Sequence[DepthPoint]) -> None:
        """Of probes that were fitted elsewhere, or in an earlier life of the run; for the depth curve."""
        self._points.update({(split, point.tap, point.loss): point for point in points})

    def points(self, split: Split, probes: Iterable[tuple[str, Loss]]) -> tuple[DepthPoint, ...]:
        """Points of probes of a split, each of which was fitted or taken note of."""
        return tuple(self._points[split.name, tap, loss] for tap, loss in probes)

    def depth_curve(self) -> tuple[DepthPoint, ...]:
        """Of the splits on which every tap has been fitted, and of the losses of which that is so."""
        of_splits: list[tuple[DepthPoint, ...]] = []
        while points := self._at_every_tap(self.experiment.task.split(len(of_splits))):
            of_splits.append(points)
        return mean_points(of_splits)

    def _at_every_tap(self, split: Split) -> tuple[DepthPoint, ...]:
        """Points of the losses that have been fitted at every tap, shallow to deep."""
        whole = [loss for loss in self.losses if all((split.name, tap, loss) in self._points for tap in self._names)]
        return self.points(split, [(tap, loss) for tap in self._names for loss in whole])

    @property
    def _names(self) -> tuple[str, ...]:
        return self.taps or tuple(self.experiment.codes.by_tap)


@dataclass(frozen=True, eq=False)
class ProbeStrategy:
    """The feature extractor: a linear classifier on the last codes, or on the tap that cross-validation picks.

    Attributes:
        shared: Fits each probe of a split once, whoever asks for it.
        loss: softmax or svm.
        last: On the last codes; else the tap is chosen inside each split.
    """

    shared: StepOne
    loss: Loss
    last: bool

    work = 0
    refit_seconds = 0.0  # a moment
    training = None

    @property
    def outcome(self) -> Outcome:
        """What it is."""
        strategy = StrategyId("probe", loss=self.loss, taps="last" if self.last else "best")
        if self.last:
            description = f"linear {self._kind} on codes of {self.shared.last}"
            return Outcome(strategy=strategy, tap=self.shared.last, description=description)
        description = f"linear {self._kind} on the codes that cross-validation picks"
        return Outcome(strategy=strategy, description=description)

    @property
    def _kind(self) -> str:
        return "SVM" if self.loss == "svm" else "softmax"

    @property
    def probes(self) -> list[tuple[str, Loss]]:
        """The probes of a split that it needs: tap and loss, shallow to deep."""
        probes = [(tap, loss) for tap, loss in self.shared.every_probe if loss == self.loss]
        return probes[-1:] if self.last else probes

    def fit(self, split: Split, *, advance: Advance = ignore) -> Fit:  # noqa: ARG002 - it passes over no images
        """Fit, or take what was fitted for another strategy."""
        needed = self.shared.fit(split, self.probes)
        best = best_probe(needed)
        width = best.probe.weight.shape[1]
        return Fit(
            scores=best.test_scores,
            probabilities=self.loss == "softmax",
            temperature=best.temperature,
            model=self._model(best),
            settings=ProbeSettings(loss=self.loss, C=best.C, Cs=best.Cs, cv_accuracy=best.cv_accuracy),
            tap=best.tap,
            description=f"linear {self._kind} on {width:,} codes of {best.tap}",
            probes=self.shared.points(split, self.probes) if len(split.test) else (),
            shared_usage=(sum(probe.seconds for probe in needed), sum(probe.cpu_seconds for probe in needed)),
        )

    def _model(self, best: TapProbe) -> Backbone | TapClassifier:
        """On the last codes, the network with the probe as its head; else it ends at the tap, whichever that is."""
        source = self.shared.experiment.source
        if self.last:
            return _with_probe(source, best.probe)
        readouts = (Readout(best.tap),)
        return TapClassifier(backbone=source, readouts=readouts, weight=best.probe.weight, bias=best.probe.bias)


@dataclass(frozen=True, eq=False)
class HeadStrategy:
    """Step one: the head alone, on codes of the frozen network.

    Attributes:
        shared: Trains the head of a split once, also for the steps that start from it.
    """

    shared: StepOne

    work = 0
    refit_seconds = 0.0  # a moment
    training = None

    @property
    def outcome(self) -> Outcome:
        """What it is."""
        return Outcome(strategy=HEAD, description="the head alone, on codes of the frozen network")

    def fit(self, split: Split, *, advance: Advance = ignore) -> Fit:  # noqa: ARG002 - it takes a second
        """Train, or take what was trained for another strategy."""
        return self.shared.head(split)


def step_one(experiment: Experiment, losses: tuple[Loss, ...] = LOSSES) -> tuple[StepOne, list[Strategy]]:
    """The cheap strategies: linear classifiers on the last codes, on the best tap and on all taps, and the head.

    Args:
        experiment: Task, network, codes.
        losses: Which linear classifiers; the softmax among them.

    Returns:
        What they share, and the strategies.
    """
    shared = StepOne(experiment, losses=losses)
    probes = [ProbeStrategy(shared, loss, last) for last in (True, False) for loss in losses]
    return shared, [*probes, JoinedStrategy(experiment), HeadStrategy(shared)]


def _with_probe(source: Backbone, probe: LinearProbe) -> Backbone:
    """A copy of the network with a probe on the last codes as its head."""
    backbone = source.with_classes(len(probe.bias))
    backbone.set_head(torch.from_numpy(probe.weight), torch.from_numpy(probe.bias))
    return backbone


def _without_network(fit: Fit, C: float) -> tuple[Fit, LinearProbe]:
    """A head as its weights alone: twenty splits would hold twenty networks that differ in nothing else."""
    weight, bias = (p.detach().numpy().copy() for p in fit.network.head_parameters())
    head = LinearProbe(weight=weight.reshape(len(bias), -1), bias=bias, loss="softmax", C=C)
    return replace(fit, model=None), head


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
    with threads(1):
        trial, inputs = _train_head(experiment, start, split, C=C)
        scores = predict_rows(trial.backbone, inputs, split.test)
    settings = TrainingSettings(plan=_head_plan(experiment, start, len(split.learn), C))
    return Fit(scores=scores, model=trial.backbone, settings=settings, audit=trial.audit, curve=trial.curve)


def _head_plan(experiment: Experiment, start: Backbone, images: int, C: float) -> Plan:
    return head_plan(start, penalty=1 / (C * images), balanced=experiment.balanced)


def _train_head(experiment: Experiment, start: Backbone, split: Split, *, C: float) -> tuple[Trained, Inputs]:
    """Train on standardised codes, then fold the standardisation into the head, so that it takes plain ones."""
    codes, rows = experiment.codes.last, split.learn
    mean, std = codes[rows].mean(axis=0), codes[rows].std(axis=0)
    std = np.where(std > 1e-6, std, 1.0).astype(np.float32)
    inputs = Inputs(
        cut=start.head_cut,
        examples=_head_examples((codes - mean) / std, start),
        features=_head_examples(codes, start),
        pixels=experiment.pixels,
        labels=experiment.task.labels,
        precision=experiment.engine.precision,
    )
    plan = _head_plan(experiment, start, len(rows), C)
    seed = derive_seed(experiment.seed, "head", split.name)
    trial = run_trial(start, plan, inputs, rows, seed=seed, advance=experiment.progress.checkpoint)
    weight, bias = (p.detach() for p in trial.backbone.head_parameters())
    folded = weight.reshape(len(bias), -1) / torch.from_numpy(std)
    trial.backbone.set_head(folded, bias - folded @ torch.from_numpy(mean))
    return trial, replace(inputs, examples=inputs.features)


def _head_examples(codes: Float[np.ndarray, "image code"], backbone: Backbone) -> Remembered:
    """Codes as what the head takes; a convolution as head takes them as a map of one pixel."""
    shaped = codes[:, :, None, None] if backbone.head_cut.layout == "NCHW" else codes
    none = np.empty((0, 0, *shaped.shape[1:]), np.float32)
    nowhere: Int[np.ndarray, " image"] = np.full(len(codes), -1, dtype=np.int64)
    return Remembered(shaped.astype(np.float32), none, nowhere)
