"""One strategy alone, trained on the train part and reported on the test part."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from unfreeze.advisor.metric_choice import metric_for
from unfreeze.core.documents import TuneRecord
from unfreeze.core.errors import DidNotTrainError, InputError, PlanError
from unfreeze.core.plans import RECIPES, Arithmetic, TrainingSettings
from unfreeze.core.progress import Progress
from unfreeze.core.records import Outcome
from unfreeze.core.room import check_room, model_bytes
from unfreeze.core.run_record import read_run
from unfreeze.core.settings import ImageSettings, TuneSettings
from unfreeze.core.strategies import StrategyId, parse_strategy
from unfreeze.core.threads import usable_cores
from unfreeze.core.trained_on import write_trained_on
from unfreeze.core.wording import capital, count
from unfreeze.data.image_set import ImageSet
from unfreeze.features.resources import Resources
from unfreeze.report.model_card import model_card
from unfreeze.strategies.catalogue import LeftOut, readied
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.finetuning import Price, Request, price
from unfreeze.strategies.measurement import fit_everything
from unfreeze.strategies.predictions import confirmation_of
from unfreeze.strategies.preparation import prepare, with_measured_flips
from unfreeze.strategies.step_one import ProbeStrategy, StepOne, step_one
from unfreeze.strategies.strategy import Fit, Strategy
from unfreeze.training.precision import arithmetics
from unfreeze.training.processes import InProcesses
from unfreeze.training.trials import IN_THIS_PROCESS, Trainer
from unfreeze.workflows.delivery import add_program
from unfreeze.workflows.loading import load_network
from unfreeze.workflows.model_time import with_milliseconds
from unfreeze.workflows.reading import Phases, say_what_weights, split_images
from unfreeze.workflows.unlike import add_unlike
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.devices import Device, check_processes, find_device
from unfreeze.zoo.folders import save_model


def tune(
    settings: ImageSettings,
    tuning: TuneSettings,
    resources: Resources,
    *,
    out: Path,
    phases: Phases | None = None,
    elsewhere: Trainer | None = None,
) -> TuneRecord:
    """Train one strategy and write the model.

    Args:
        settings: Which images and which network.
        tuning: Which strategy, and what it may take.
        resources: Decoders, progress and cache.
        out: An empty folder, for the model.
        phases: Where seconds are noted; counted from now if None.
        elsewhere: Where the training is carried out; in `tuning.devices` processes here if None.

    Returns:
        What was trained; the `confirmation` of its outcome is what the test part says.

    Raises:
        UnfreezeError: The images or the network cannot be used, or the strategy does not fit.
    """
    phases = phases or Phases()
    trainer = elsewhere or _trainer_here(settings, tuning, resources.progress)
    _check_shared(trainer, tuning)
    source = load_network(settings)  # first, since a mistake in its name should not cost an inspection
    say_what_weights(settings.weights, source.card, resources.progress)
    check_room(out, model_bytes(source.card.parameters), "the model's files")
    phases.started()
    with phases.timed("decode"):
        image_set = split_images(settings, source.card, resources)
    source = source.with_levels(image_set.levels)
    with phases.timed("train"):
        outcome, fit = tune_model(image_set, source, settings, tuning, resources, trainer=trainer)
    with phases.timed("write"):
        _save(out, outcome, fit, image_set, source)
        if lacking := add_program(out):
            resources.progress.say(lacking)
        _add_unlike(out, image_set, settings, resources)
    tested = image_set.part("test")
    return TuneRecord(
        weights=source.card.source,
        images=image_set.counts,
        skipped=dict(image_set.skipped),
        classes=image_set.classes,
        test_images=tuple(image.name for image in tested.images),
        test_labels=tuple(tested.labels().tolist()),
        strategies=(outcome,),
        model=str(out),
        phases=phases.all(),
    )


def _trainer_here(settings: ImageSettings, tuning: TuneSettings, progress: Progress) -> Trainer:
    """In this process, or in as many as are wanted.

    Raises:
        InputError: There are fewer GPUs.
    """
    number = tuning.devices
    if number is None or number == 1:
        return IN_THIS_PROCESS
    device = find_device(settings.request.device)
    check_processes(number, device)
    if device.is_cpu and number > usable_cores():
        progress.say(f"{number} processes share {count(usable_cores(), 'core')}: that is slower than one process.")
    return InProcesses(number, speedup=1.0 if device.is_cpu else number)


def _check_shared(trainer: Trainer, tuning: TuneSettings) -> None:
    """What is shared by several processes has to be a training of blocks, and cannot have the bits of one process.

    Raises:
        PlanError: It is not.
        InputError: They are asked for.
    """
    if trainer.processes == 1:
        return
    strategy = parse_strategy(tuning.strategy)
    if not strategy.trains_blocks:
        msg = (
            f"The {strategy.label} trains in one process, in seconds. Leave --devices or --on out, or unfreeze blocks."
        )
        raise PlanError(msg)
    if tuning.like is not None:
        msg = "--like stands for the bits of a training in one process, and several round otherwise. Leave one out."
        raise InputError(msg)


def tune_model(
    image_set: ImageSet,
    source: Backbone,
    settings: ImageSettings,
    tuning: TuneSettings,
    resources: Resources,
    *,
    trainer: Trainer = IN_THIS_PROCESS,
) -> tuple[Outcome, Fit]:
    """Train one strategy on the train part and report it on the test part.

    Args:
        image_set: Every image has a split.
        source: The pretrained network.
        settings: Seed and engine.
        tuning: Which strategy, and what it may take.
        resources: Decoders, progress and cache.
        trainer: Where it is trained.

    Returns:
        The outcome, and the fit with the trained network.

    Raises:
        PlanError: The budget does not hold even the fewest epochs, or the strategy gives no model.
    """
    started, strategy = time.perf_counter(), parse_strategy(tuning.strategy)
    if strategy.blocks is not None:
        source.cut_before_blocks(strategy.blocks)  # refuses too many blocks before any work
    experiment = prepare(
        image_set,
        source,
        resources,
        settings.request,
        seed=settings.seed,
        augmentation=RECIPES[tuning.augment],
    )
    metric, because = metric_for(experiment.task, tuning.metric)
    resources.progress.say(because)
    pinned = _pinned(tuning.like, strategy, experiment.device)
    experiment = replace(experiment, metric=metric, pinned=pinned, trainer=trainer)
    left = tuning.budget_seconds - (time.perf_counter() - started)
    outcome, fit = tuned(experiment, strategy, Request(allowance=left, splits=0), epochs=tuning.epochs)
    confirmation = confirmation_of(fit.scores, experiment.task, probabilities=fit.probabilities, seed=settings.seed)
    return with_milliseconds(replace(outcome, confirmation=confirmation), experiment), fit


def _pinned(run: Path | None, strategy: StrategyId, device: Device) -> Arithmetic | None:
    """How a run computed when it trained a strategy on everything; None without a run, or where no block learns.

    Raises:
        InputError: The run did not train it, or in a precision that there is none of here.
    """
    if run is None or not strategy.trains_blocks:
        return None
    outcomes = [one for one in read_run(run).strategies if one.strategy == strategy and one.status != "left out"]
    settings = [outcome.settings for outcome in outcomes]
    timed = [one.timed for one in settings if isinstance(one, TrainingSettings) and one.timed]
    if not timed:
        msg = f"The run in {run} did not train {strategy.in_words}. Name a run that did, or leave --like out."
        raise InputError(msg)
    found = timed[0][-1].arithmetic  # of a training that runs alone
    if replace(found, threads=None) not in arithmetics(device):
        msg = f"The run in {run} trained in {found.precision}, which this machine does not have. Leave --like out."
        raise InputError(msg)
    return found


def tuned(
    experiment: Experiment, strategy: StrategyId, request: Request, *, epochs: int | None = None
) -> tuple[Outcome, Fit]:
    """Train one strategy on the whole train part, with what has to come before it.

    Args:
        experiment: Task, network, codes.
        strategy: Which.
        request: Time; no splits.
        epochs: Passes over the images; the plan's own number, or what fits, if None.

    Returns:
        Its record, without measurements, and its fit.

    Raises:
        PlanError: It does not fit, gives no model, or its loss rose, at an eighth of its rates too.
    """
    shared, cheap = step_one(experiment)
    if not strategy.trains_blocks:
        return _fitted(experiment, cheap, strategy)
    everything = experiment.task.everything()
    experiment = with_measured_flips(experiment, C=shared.on_last(everything, "softmax").C)
    shared = replace(shared, experiment=experiment)
    found = price(shared, strategy, epochs=epochs, affordable=request.allowance)
    entry = readied(shared, found, request) if isinstance(found, Price) else LeftOut(found)
    if isinstance(entry, LeftOut):
        msg = f"The budget is too small: {entry.outcome.note}. Give a larger budget, or fewer epochs."
        raise PlanError(msg)
    try:
        return fit_everything(experiment, entry)
    except DidNotTrainError as error:
        msg = f"{capital(strategy.in_words)} {error}."
        raise PlanError(msg) from error


def _fitted(experiment: Experiment, cheap: Sequence[Strategy], strategy: StrategyId) -> tuple[Outcome, Fit]:
    """One of step one."""
    known = next((one for one in cheap if one.outcome.strategy == strategy), None)
    outcome, fit = fit_everything(experiment, known) if known else (None, None)
    if outcome is None or fit is None or fit.model is None:
        msg = f"The {strategy.label} gives no model on these images. Choose another strategy."
        raise PlanError(msg)
    return outcome, fit


def codes_only(experiment: Experiment) -> tuple[Outcome, Fit]:
    """The feature extractor on the last codes that cross-validation prefers: softmax or SVM."""
    shared = StepOne(experiment, taps=(experiment.source.taps[-1].name,))
    everything = experiment.task.everything()
    best = max(shared.fit(everything, shared.every_probe), key=lambda probe: probe.cv_accuracy)
    return fit_everything(experiment, ProbeStrategy(shared, best.loss, last=True))


def _save(folder: Path, outcome: Outcome, fit: Fit, image_set: ImageSet, source: Backbone) -> None:
    card = model_card(
        title=f"{outcome.name} on {image_set.root.name}",
        outcome=outcome,
        network=source.card,
        classes=image_set.classes,
        images=image_set.counts,
        test_size=len(image_set.part("test").images),
        measured=(),
    )
    assert fit.model is not None, outcome.name  # noqa: S101 - `tuned` gives nothing without
    save_model(folder, fit.model, class_names=image_set.classes, card_text=card, margins=not fit.probabilities)
    write_trained_on(folder, (image.sha256 for image in image_set.images if image.split != "test"))


def _add_unlike(folder: Path, image_set: ImageSet, settings: ImageSettings, resources: Resources) -> None:
    rows = np.flatnonzero([image.split != "test" for image in image_set.images])
    add_unlike(
        folder,
        [image_set.images[row].path for row in rows],
        image_set.labels()[rows],
        pool=resources.pool,
        device=find_device(settings.request.device),
        seed=settings.seed,
        cache=resources.cache,
        progress=resources.progress,
    )
