"""Delivering what was picked: trained on everything, saved, reloaded from disk and checked."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from unfreeze.advisor.folder_check import contradicting_folder
from unfreeze.core.errors import AuditError
from unfreeze.core.files import write_bytes
from unfreeze.core.metering import Usage, added
from unfreeze.core.records import Outcome
from unfreeze.core.trained_on import write_trained_on
from unfreeze.images.pool import DecoderPool
from unfreeze.report.model_card import PROGRAM_HEADING, model_card, program_section
from unfreeze.strategies.calibration import calibrated
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.measurement import Measurement, fit_everything, with_fit
from unfreeze.strategies.predictions import Measured, confirmation_of
from unfreeze.strategies.strategy import Fit
from unfreeze.training.trials import Inputs, predict_rows
from unfreeze.workflows.model_time import with_milliseconds
from unfreeze.workflows.prediction import predict_images
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.folders import save_model
from unfreeze.zoo.model_config import README, read_card
from unfreeze.zoo.programs import has_program, write_program
from unfreeze.zoo.tap_classifier import TapClassifier

DELIVERED_DIFFERENCE = 1e-2  # between scores of the trained network and of its folder; both in float32
CHECKED_IMAGES = 32


def deliver(
    experiment: Experiment,
    picked: Measurement,
    because: str,
    folder: Path,
    *,
    pool: DecoderPool,
    confirm: bool = True,
    warnings: Sequence[str] = (),
    margin: float = 0.0,
) -> Outcome:
    """Train the picked strategy on everything, save it, and check that its folder says the same in float32.

    Its head is divided by the temperature that its held-out predictions give, if that makes probabilities better.

    Args:
        experiment: Images, network and settings of the run.
        picked: What was picked; was measured.
        because: Why, for the model card.
        folder: For the model; must not exist.
        pool: Decoder pool.
        confirm: Whether the test folder may be looked at, if there is one, and the model timed: not in a run that was
            stopped.
        warnings: Sentences that the model card begins with, before the alarm of a test folder that contradicts.
        margin: As for `advisor.folder_check.contradicting_folder`.

    Returns:
        What the strategy gave, with its refit, and with the confirmation by the test folder where there is one: what is
        reported there are the predictions of the saved folder.

    Raises:
        AuditError: A training audit failed, or the folder does not say what the trained network says.
    """
    task = experiment.task
    assert picked.strategy is not None, picked.label  # noqa: S101 - what was measured is ready to run
    refit, fit = fit_everything(experiment, picked.strategy)
    outcome = _with_refit(picked.measured, refit, fit).record(task)
    outcome = with_milliseconds(outcome, experiment) if confirm else outcome
    scaled, calibration = calibrated(fit, picked.measured, task)
    outcome = replace(outcome, calibration=calibration)
    _save(folder, scaled, outcome, experiment, warnings)
    confirms = confirm and len(task.test_rows) > 0
    rows = task.test_rows if confirms else task.train_rows[:CHECKED_IMAGES]
    assert fit.model is not None, picked.label  # noqa: S101 - only what gives a model is picked
    temperature = calibration.temperature if calibration else 1.0
    scores = _scores_as_saved(folder, fit.model, experiment, rows, temperature=temperature, pool=pool)
    if confirms:
        confirmation = confirmation_of(scores, task, probabilities=fit.probabilities, seed=experiment.seed)
        outcome = replace(outcome, confirmation=confirmation)
    alarm = contradicting_folder(outcome, margin=margin)
    warnings = (*warnings, alarm.text) if alarm else warnings
    card = _card(outcome, experiment, warnings, because)  # again, now with what was measured on the saved model
    write_bytes(folder / README, card.encode("utf-8", "surrogateescape"))
    return outcome


def add_program(folder: Path) -> str:
    """Add ``model.pt2``, which plain torch runs, to a model's folder, and to its card how to use it.

    It takes seconds, so that it comes after the model is there; where it is there already, nothing is done.

    Args:
        folder: Of a model.

    Returns:
        Why there is none, in a sentence; empty if it is there.
    """
    lacking = "" if has_program(folder) else write_program(folder)
    if not lacking:
        network, probabilities = read_card(folder)
        section = program_section(network, probabilities=probabilities)
        write_bytes(folder / README, f"{card_of(folder)}\n{section}".encode("utf-8", "surrogateescape"))
    return lacking


def card_of(folder: Path) -> str:
    """The card of a saved model, without what it says of its program."""
    try:
        text = (folder / README).read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:  # nothing needs it
        return ""
    return f"{text.partition(PROGRAM_HEADING)[0].rstrip()}\n"


def _with_refit(measured: Measured, refit: Outcome, fit: Fit) -> Measured:
    """What was measured, with what the training on everything took and says of itself."""
    last, outcome = refit.cost, with_fit(measured.outcome, fit)
    cost = added(outcome.cost, Usage(last.refit_seconds, last.cpu_seconds, last.peak_bytes))
    return replace(measured, outcome=replace(outcome, cost=replace(cost, refit_seconds=last.refit_seconds)))


def _scores_as_saved(
    folder: Path,
    trained: Backbone | TapClassifier,
    experiment: Experiment,
    rows: Int[np.ndarray, " row"],
    *,
    temperature: float,
    pool: DecoderPool,
) -> np.ndarray:
    """Scores of `rows` by the folder, reloaded from disk; checked on a few against the network as it was trained."""
    images = [experiment.task.image_set.images[row] for row in rows]
    paths = [image.path for image in images]
    predictions = predict_images(
        folder, paths, pool=pool, progress=experiment.progress, device=experiment.device, cache=experiment.cache
    )
    if predictions.set_aside:
        name = predictions.set_aside[0].name
        msg = f"{name} could be read at the start of the run and cannot be read any more. Run again."
        raise AuditError(msg)
    few = rows[:CHECKED_IMAGES]
    expected = _scores_as_trained(trained, experiment, few) / temperature
    difference = float(np.abs(predictions.scores[: len(few)] - expected).max() / max(1.0, np.abs(expected).max()))
    if difference > DELIVERED_DIFFERENCE:
        msg = (
            f"The saved model does not say what the trained network says: their scores differ by {difference:.1e} of "
            f"the largest on {len(few)} images, where {DELIVERED_DIFFERENCE:g} is allowed. The folder {folder} is not "
            "to be used; please report this."
        )
        raise AuditError(msg)
    return predictions.scores


def _scores_as_trained(
    trained: Backbone | TapClassifier, experiment: Experiment, rows: Int[np.ndarray, " row"]
) -> Float[np.ndarray, "row cls"]:
    """Scores of a few rows, in float32, by the network in memory."""
    pixels = experiment.pixels
    if isinstance(trained, Backbone):
        labels = experiment.task.labels
        inputs = Inputs(cut=trained.cuts[0], examples=pixels, features=pixels, pixels=pixels, labels=labels)
        return predict_rows(trained, inputs, rows)
    images = torch.from_numpy(np.stack(list(pixels.views(rows, epoch=None))))
    with torch.inference_mode():
        scores: Float[np.ndarray, "row cls"] = trained.module()(images).numpy()
    return scores


def _save(folder: Path, fit: Fit, outcome: Outcome, experiment: Experiment, warnings: Sequence[str]) -> None:
    card = _card(outcome, experiment, warnings, "")
    names = experiment.task.image_set.classes
    assert fit.model is not None, outcome.name  # noqa: S101 - only what gives a model is picked
    save_model(folder, fit.model, class_names=names, card_text=card, margins=not fit.probabilities)
    images = experiment.task.image_set.images
    write_trained_on(folder, (images[row].sha256 for row in experiment.task.train_rows))


def _card(outcome: Outcome, experiment: Experiment, warnings: Sequence[str], how: str) -> str:
    task, image_set = experiment.task, experiment.task.image_set
    return model_card(
        title=f"{outcome.name} on {image_set.root.name}",
        outcome=outcome,
        network=experiment.source.card,
        classes=image_set.classes,
        images=image_set.counts,
        test_size=len(task.test_rows),
        measured=[how] if how else [],
        warnings=warnings,
    )
