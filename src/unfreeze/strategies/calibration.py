"""The temperature of a strategy, from what its splits held out, and how it gets into the head."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from unfreeze.core.records import Abstaining, Calibration
from unfreeze.core.seeding import derive_seed
from unfreeze.data.tasks import Task
from unfreeze.metrics.abstention import abstaining_curve
from unfreeze.metrics.calibration import fit_apart, fit_temperature, log_probabilities, reliability
from unfreeze.strategies.predictions import Measured
from unfreeze.strategies.strategy import Fit
from unfreeze.zoo.backbones import Backbone

PARTS = 5  # of the images of a single split


@dataclass(frozen=True, eq=False)
class _HeldOut:
    """What models answered that had not learned from the images; each image once.

    Attributes:
        rows: Of the images.
        scores: As trained.
        own: Of each row the temperature that the learning side of its model gave.
        parts: Of each row its split, or, of a single split, a part of it that has whole groups.
    """

    rows: Int[np.ndarray, " row"]
    scores: Float[np.ndarray, "row cls"]
    own: Float[np.ndarray, " row"]
    parts: Int[np.ndarray, " row"]


def calibrated(fit: Fit, measured: Measured, task: Task) -> tuple[Fit, Calibration | None]:
    """A training on everything with the temperature that the strategy's splits give.

    A softmax has chosen its C in every training anew, and with it the size of its scores. So its scores are first
    divided by what held-out rows of its own learning side say, on splits and on everything; then by what all splits
    together say of scores that were. Tried on hymenoptera (244 images): with the splits' temperature alone, 0.65, the
    log-loss on its test folder rose from 0.164 to 0.205, since most splits had chosen a smaller C.

    Args:
        fit: On everything; is not changed.
        measured: The same strategy on splits.
        task: Labels and groups.

    Returns:
        The fit, its scores divided by a temperature if that lowers the log-loss of held-out images; and what was found:
        None where the scores are no probabilities or were too many to be kept.
    """
    held = _held_out(measured, task) if fit.probabilities else None
    if held is None:
        return fit, None
    labels, scaled = task.labels[held.rows], held.scores / held.own[:, None]
    groups, seed = [task.groups[row] for row in held.rows], derive_seed(task.seed, "reliability")
    before = reliability(held.scores, labels, groups=groups, seed=seed)
    apart = held.own * fit_apart(scaled, labels, held.parts)
    after = reliability(held.scores, labels, apart, groups=groups, seed=seed)
    pays = after.log_loss < before.log_loss
    temperature = round(fit.temperature * fit_temperature(scaled, labels), 4) if pays else 1.0
    found = Calibration(
        temperature=temperature,
        images=len(labels),
        before=before,
        after=after,
        abstaining=_abstaining(log_probabilities(held.scores, apart if pays else 1.0), labels, groups, seed),
    )
    return tempered(fit, temperature), found


def _abstaining(
    logs: Float[np.ndarray, "row cls"], labels: Int[np.ndarray, " row"], groups: Sequence[str], seed: int
) -> tuple[Abstaining, ...]:
    return abstaining_curve(np.exp(logs.max(axis=1)), logs.argmax(axis=1) == labels, groups, seed=seed)


def _held_out(measured: Measured, task: Task) -> _HeldOut | None:
    """Of the first round of splits; None where nothing was kept, or all of it is of one group."""
    kept = [(one.split.test, one.scores, one.temperature) for one in measured.predicted if one.scores is not None]
    if not kept:
        return None
    sizes = [len(rows) for rows, *_ in kept]
    rows, scores = np.concatenate([rows for rows, *_ in kept]), np.concatenate([scores for _, scores, _ in kept])
    parts = np.repeat(np.arange(len(kept)), sizes)
    if len(kept) == 1:
        parts = np.unique(task.units[rows], return_inverse=True)[1] % PARTS
    if len(np.unique(parts)) < 2 or not np.isfinite(scores).all():
        return None
    return _HeldOut(rows, scores, np.repeat([own for *_, own in kept], sizes), parts)


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
    return replace(fit, model=model, scores=fit.scores / np.float32(temperature))
