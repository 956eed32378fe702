"""One strategy alone: what `unfreeze tune` and the estimator run."""

import time
from dataclasses import replace
from typing import Literal

from unfreeze.core.errors import PlanError
from unfreeze.core.progress import Progress, ignore
from unfreeze.core.records import Metric, Outcome
from unfreeze.data.decoder_pool import DecoderPool
from unfreeze.data.image_set import ImageSet
from unfreeze.data.transforms import RECIPES
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.finetuning import FineTuning, Wish, ready_full, ready_scratch, ready_unfreeze
from unfreeze.strategies.measuring import Measurement, added, confirmation, metered
from unfreeze.strategies.preparation import metric_for, prepare, with_measured_flips
from unfreeze.strategies.step_one import HeadStrategy, ProbeStrategy, StepOne
from unfreeze.strategies.strategy import Fit, Strategy
from unfreeze.zoo.backbones import Backbone

Depth = int | Literal["head", "all"]


def tune_model(
    image_set: ImageSet,
    backbone: Backbone,
    *,
    unfreeze: Depth,
    scratch: bool = False,
    seed: int = 0,
    budget_seconds: float = 900.0,
    epochs: int | None = None,
    pool: DecoderPool,
    progress: Progress,
    engine: str = "auto",
    precision: str = "auto",
    augment: str = "light",
    metric: Metric | None = None,
) -> tuple[Outcome, Backbone]:
    """Train one strategy on the train part and report it on the test part.

    Args:
        image_set: Every image has a split.
        backbone: The pretrained network.
        unfreeze: head, a number of blocks, or all.
        scratch: Start from random weights (with all).
        seed: Of everything.
        budget_seconds: What it may take; fewer epochs fit a smaller budget.
        epochs: Passes over the images, instead of the plan's own number.
        pool: Decodes.
        progress: Is told where the work stands.
        engine: Of the prefix: auto, openvino or torch.
        precision: Of the prefix: auto, f32, bf16 or int8.
        augment: Augmentation of training images: light, standard, strong or none.
        metric: With balanced accuracy all classes count the same in training; None to go by the classes.

    Returns:
        The outcome, its `confirmation` being what the test part says, and the trained network.

    Raises:
        PlanError: The budget does not hold even the fewest epochs, or scratch goes with something else than all.
    """
    if scratch and unfreeze != "all":
        msg = f"From scratch everything learns: --scratch goes with --unfreeze all, not with {unfreeze!r}."
        raise PlanError(msg)
    started = time.perf_counter()
    if unfreeze not in {"head", "all"}:
        backbone.cut_before_blocks(int(unfreeze))  # refuses too many blocks before any work
    experiment = prepare(
        image_set,
        backbone,
        pool=pool,
        progress=progress,
        engine=engine,
        precision=precision,
        seed=seed,
        augmentation=RECIPES[augment],
    )
    decides, because = metric_for(experiment.task, metric)
    progress.say(because)
    experiment = replace(experiment, metric=decides)
    left = budget_seconds - (time.perf_counter() - started)
    outcome, fit = tuned(experiment, unfreeze, scratch=scratch, wish=Wish(allowance=left, splits=0, epochs=epochs))
    assert fit.backbone is not None  # noqa: S101 - only probes at earlier taps have none
    return replace(outcome, confirmation=confirmation(fit, experiment.task, seed=seed)), fit.backbone


def tuned(experiment: Experiment, unfreeze: Depth, *, scratch: bool = False, wish: Wish) -> tuple[Outcome, Fit]:
    """Train one strategy on the whole train part, with what has to come before it.

    Args:
        experiment: Task, network, codes.
        unfreeze: head, a number of blocks, or all.
        scratch: Start from random weights.
        wish: Time and epochs; no splits.

    Returns:
        Its record, without measurements, and its fit.

    Raises:
        PlanError: It does not fit.
    """
    shared = StepOne(experiment, taps=(experiment.source.taps[-1].name,))
    if unfreeze == "head":
        return fit_everything(experiment, HeadStrategy(shared))
    everything = experiment.task.everything()
    experiment = with_measured_flips(experiment, C=shared.on_last(everything, "softmax").C)
    shared = replace(shared, experiment=experiment)
    if scratch:
        ready = ready_scratch(experiment, wish=wish)
    elif unfreeze == "all":
        ready = ready_full(shared, wish=wish)
    else:
        ready = ready_unfreeze(shared, blocks=int(unfreeze), wish=wish)
    if not isinstance(ready, FineTuning):
        msg = f"The budget is too small: {ready.note}. Give a larger budget, or fewer epochs."
        raise PlanError(msg)
    return fit_everything(experiment, ready)


def fit_everything(experiment: Experiment, strategy: Strategy) -> tuple[Outcome, Fit]:
    """Train a strategy on the whole train part; its test part, if there is one, is predicted."""
    everything, outcome = experiment.task.everything(), strategy.outcome
    total = strategy.work * len(everything.learn)
    with (
        metered() as took,
        experiment.progress.phase(outcome.name, total=total or 1, unit="image" if total else "fit") as advance,
    ):
        fit = strategy.fit(everything, advance=advance if total else ignore)
        if not total:
            advance(1)
    measured = Measurement(strategy, outcome)
    measured.note(fit)
    return replace(measured.outcome, cost=replace(added(outcome.cost, took), refit_seconds=took.seconds)), fit


def codes_only(experiment: Experiment) -> tuple[Outcome, Fit]:
    """The feature extractor that cross-validation prefers among those that can be delivered: softmax or SVM."""
    shared = StepOne(experiment, taps=(experiment.source.taps[-1].name,))
    everything = experiment.task.everything()
    best = max(shared.fit(everything, shared.places), key=lambda probe: probe.cv_accuracy)
    return fit_everything(experiment, ProbeStrategy(shared, best.loss, last=True))
