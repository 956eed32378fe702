"""The temperature of a strategy, from what its splits held out, and how it gets into the head."""

from dataclasses import replace

import numpy as np

from unfreeze.core.calibration import Calibration
from unfreeze.data.tasks import Task
from unfreeze.metrics.calibration import fit_apart, fit_temperature, reliability
from unfreeze.strategies.predictions import Measured
from unfreeze.strategies.strategy import Fit
from unfreeze.zoo.backbones import Backbone

PARTS = 5  # of the images of a single split


def calibration_of(measured: Measured, task: Task) -> Calibration | None:
    """How far a strategy's probabilities can be believed, and by which temperature more so.

    The scores are those of models that had not learned from the images; of the first round of splits, so that every
    image counts once.

    Args:
        measured: The strategy.
        task: Labels and groups.

    Returns:
        The calibration; None for an SVM, whose margins are no probabilities, where scores were too many to be kept,
        and where all images that were tested are of one group.
    """
    kept = [(one.split.test, one.scores) for one in measured.predicted if one.scores is not None]
    if not kept:
        return None
    rows, scores = np.concatenate([rows for rows, _ in kept]), np.concatenate([scores for _, scores in kept])
    parts = np.repeat(np.arange(len(kept)), [len(rows) for rows, _ in kept])
    if len(kept) == 1:
        parts = np.unique(task.units[rows], return_inverse=True)[1] % PARTS
    if len(np.unique(parts)) < 2 or not np.isfinite(scores).all():
        return None
    labels = task.labels[rows]
    before = reliability(scores, labels)
    after = reliability(scores, labels, fit_apart(scores, labels, parts))
    pays = after.log_loss < before.log_loss
    temperature = round(fit_temperature(scores, labels), 4) if pays else 1.0
    return Calibration(temperature=temperature, images=len(labels), before=before, after=after)


def temperature_of(measured: Measured, task: Task) -> float:
    """By what the scores of a strategy are divided; 1 where nothing is known, or nothing is gained."""
    found = calibration_of(measured, task)
    return found.temperature if found else 1.0


def tempered(fit: Fit, temperature: float) -> Fit:
    """A fit whose scores are divided by a temperature: weight and bias of its head are, so that no label changes.

    Args:
        fit: With or without a model; is not changed.
        temperature: Above 0; 1 gives the fit itself.

    Returns:
        The fit, with a model of its own.
    """
    if temperature == 1.0:
        return fit
    model = fit.model
    if isinstance(model, Backbone):
        model = model.copy()
        weight, bias = (parameter.detach() / temperature for parameter in model.head_parameters())
        model.set_head(weight, bias)
    elif model is not None:
        divisor = np.float32(temperature)
        model = replace(model, weight=model.weight / divisor, bias=model.bias / divisor)
    return replace(fit, model=model, scores=(fit.scores / temperature).astype(fit.scores.dtype))
