"""Delivering what was picked: trained on everything, saved, and asked again as a stranger would ask it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Int

from unfreeze.advisor.model_card import model_card
from unfreeze.advisor.selection import Selection
from unfreeze.core.errors import AuditError
from unfreeze.core.files import write_bytes
from unfreeze.core.records import Outcome, plain
from unfreeze.data.decoder_pool import DecoderPool
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.measuring import Took, added, confirmation
from unfreeze.strategies.prediction import predict_images
from unfreeze.strategies.strategy import Fit
from unfreeze.strategies.trials import Feed, predict_rows
from unfreeze.strategies.tuning import fit_everything
from unfreeze.zoo.backbones import Backbone
from unfreeze.zoo.folders import save_model

DELIVERED_DIFFERENCE = 1e-2  # between scores of the trained network and of its folder; both in float32
CHECKED_IMAGES = 32


def deliver(experiment: Experiment, selection: Selection, folder: Path, *, pool: DecoderPool) -> Outcome:
    """Train the picked strategy on everything, save it, and check that its folder says the same in float32.

    Args:
        experiment: Images, network and settings of the run.
        selection: What was picked.
        folder: For the model; must not exist.
        pool: Decodes the images that the saved model is asked about.

    Returns:
        What the strategy gave, with its refit, and with the confirmation by the test folder where there is one: what is
        reported there are the predictions of the saved folder.

    Raises:
        AuditError: A training audit failed, or the folder does not say what the trained network says.
    """
    picked, task = selection.picked, experiment.task
    assert picked.strategy is not None  # noqa: S101 - what was measured is ready to run
    refit, fit = fit_everything(experiment, picked.strategy)
    assert fit.backbone is not None  # noqa: S101 - only what can be delivered is selected
    picked.note(fit)
    last = refit.cost
    cost = added(picked.outcome.cost, Took(last.refit_seconds, last.cpu_seconds, last.peak_bytes))
    picked.outcome = replace(picked.outcome, cost=replace(cost, refit_seconds=last.refit_seconds))
    outcome = picked.record(task)
    _save(folder, fit, outcome, experiment)
    rows = task.test_rows if len(task.test_rows) else task.train_rows[:CHECKED_IMAGES]
    scores = _scores_as_saved(folder, fit.backbone, experiment, rows, pool=pool)
    if len(task.test_rows):
        outcome = replace(outcome, confirmation=confirmation(replace(fit, scores=scores), task, seed=experiment.seed))
    _rewrite_card(folder, outcome, experiment, selection.because)
    return outcome


def _scores_as_saved(
    folder: Path, trained: Backbone, experiment: Experiment, rows: Int[np.ndarray, " row"], *, pool: DecoderPool
) -> np.ndarray:
    """Scores of `rows` by the folder, loaded as a stranger would; checked against the trained network on a few."""
    images = [experiment.task.image_set.images[row] for row in rows]
    said = predict_images(folder, [image.path for image in images], pool=pool, progress=experiment.progress)
    if said.set_aside:
        msg = f"{said.set_aside[0].name} could be read at the start of the run and cannot be read any more. Run again."
        raise AuditError(msg)
    pixels, few = experiment.pixels, rows[:CHECKED_IMAGES]
    feed = Feed(cut=trained.cuts[0], examples=pixels, features=pixels, pixels=pixels, labels=experiment.task.labels)
    own = predict_rows(trained, feed, few)
    difference = float(np.abs(said.scores[: len(few)] - own).max() / max(1.0, np.abs(own).max()))
    if difference > DELIVERED_DIFFERENCE:
        msg = (
            f"The saved model does not say what the trained network says: their scores differ by {difference:.1e} of "
            f"the largest on {len(few)} images, where {DELIVERED_DIFFERENCE:g} is allowed. The folder {folder} is not "
            "to be used; please report this."
        )
        raise AuditError(msg)
    return said.scores


def _save(folder: Path, fit: Fit, outcome: Outcome, experiment: Experiment) -> None:
    assert fit.backbone is not None  # noqa: S101 - only what can be delivered is selected
    card = _card(outcome, experiment, "")
    names = experiment.task.image_set.classes
    save_model(folder, fit.backbone, class_names=names, card_text=card, margins=not fit.probabilities)


def _rewrite_card(folder: Path, outcome: Outcome, experiment: Experiment, because: str) -> None:
    """The card again, now with what was measured on the saved model."""
    text = _card(outcome, experiment, because)
    write_bytes(folder / "README.md", text.encode("utf-8", "surrogateescape"))


def _card(outcome: Outcome, experiment: Experiment, how: str) -> str:
    task, image_set = experiment.task, experiment.task.image_set
    sentences = [how] if how else []
    return model_card(
        title=f"{outcome.name} on {image_set.root.name}",
        outcome=outcome,
        network=plain(experiment.source.card),
        classes=image_set.classes,
        images=image_set.counts,
        test_size=len(task.test_rows),
        measured=sentences,
    )
