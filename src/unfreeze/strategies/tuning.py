"""One strategy alone: what `unfreeze tune` and the estimator run."""

import time
from typing import Literal

from unfreeze.core.errors import PlanError
from unfreeze.core.progress import Progress
from unfreeze.core.records import Outcome
from unfreeze.data.decoder_pool import DecoderPool
from unfreeze.data.image_set import ImageSet
from unfreeze.data.transforms import RECIPES
from unfreeze.strategies.depth import LOSSES, fit_tap_probes, last_probe, probe_strategies
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.finetuning import (
    from_head,
    full_strategy,
    head_strategy,
    scratch_strategy,
    unfreeze_strategy,
)
from unfreeze.strategies.measuring import Measured
from unfreeze.strategies.preparation import prepare, with_measured_flips
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

    Returns:
        The outcome and the trained network.

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
    left = budget_seconds - (time.perf_counter() - started)
    measured = tuned(experiment, unfreeze, scratch=scratch, allowance=left, epochs=epochs)
    if measured.backbone is None:
        msg = f"The budget is too small: {measured.outcome.note}. Give a larger --budget, or fewer --epochs."
        raise PlanError(msg)
    return measured.outcome, measured.backbone


def tuned(
    experiment: Experiment, unfreeze: Depth, *, scratch: bool = False, allowance: float, epochs: int | None = None
) -> Measured:
    """One strategy of an experiment, with what has to come before it.

    Args:
        experiment: Task, network, codes.
        unfreeze: head, a number of blocks, or all.
        scratch: Start from random weights.
        allowance: Seconds.
        epochs: Passes over the images, instead of the plan's own number.

    Returns:
        The strategy.
    """
    last = {experiment.source.taps[-1].name: experiment.codes.last}
    probes = fit_tap_probes(
        last, experiment.task, losses=LOSSES[:1], balanced=experiment.balanced, progress=experiment.progress
    )
    C = last_probe(probes, "softmax").search.C
    if unfreeze == "head":
        return head_strategy(experiment, C=C)
    experiment = with_measured_flips(experiment, C=C)
    if scratch:
        return scratch_strategy(experiment, allowance=allowance, epochs=epochs)
    head = from_head(head_strategy(experiment, C=C))
    if unfreeze == "all":
        return full_strategy(experiment, head, allowance=allowance, epochs=epochs)
    return unfreeze_strategy(experiment, head, blocks=int(unfreeze), allowance=allowance, epochs=epochs)


def codes_only(experiment: Experiment) -> Measured:
    """The feature extractor that cross-validation prefers among those that can be delivered: softmax or SVM."""
    last = {experiment.source.taps[-1].name: experiment.codes.last}
    probes = fit_tap_probes(last, experiment.task, balanced=experiment.balanced, progress=experiment.progress)
    strategies = probe_strategies(probes, experiment.task, experiment.source, seed=experiment.seed)
    return max(strategies, key=lambda s: s.outcome.selection_accuracy or 0.0)
