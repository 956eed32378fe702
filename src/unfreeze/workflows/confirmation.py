"""The user's own test folder: it confirms trained models after everything was chosen, and chooses nothing."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from unfreeze.advisor.questions import Question
from unfreeze.core.errors import DidNotTrainError
from unfreeze.core.records import Confirmation, FolderStep, Outcome
from unfreeze.core.run_record import RUN_FILE, STOPPED_FILE
from unfreeze.core.seeding import derive_seed
from unfreeze.core.settings import Metric
from unfreeze.data.tasks import Task
from unfreeze.metrics.comparison import difference_over_seeds
from unfreeze.metrics.repeated import largest_difference, metric_values
from unfreeze.strategies.calibration import calibrated
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.finetuning import FineTuning
from unfreeze.strategies.measurement import Measurement, fit_everything
from unfreeze.strategies.predictions import Measured, confirmation_of
from unfreeze.strategies.strategy import Strategy

SEEDS = 3  # of the delivered strategy, the delivered model included


def confirmed(outcome: Outcome, experiment: Experiment, strategy: Strategy, measured: Measured) -> Outcome:
    """The outcome with what the strategy, trained on the whole train part, reaches on the test folder.

    Args:
        outcome: Of the strategy.
        experiment: With a test folder.
        strategy: Ready to run.
        measured: What it gave on splits: its temperature, which the delivered model has too.

    Returns:
        The outcome with its confirmation.
    """
    fit, _ = calibrated(fit_everything(experiment, strategy)[1], measured, experiment.task)
    confirmation = confirmation_of(fit.scores, experiment.task, probabilities=fit.probabilities, seed=experiment.seed)
    return replace(outcome, confirmation=confirmation)


def other_seeds(experiment: Experiment, picked: Measurement, *, seconds: float) -> tuple[Confirmation, ...]:
    """The delivered strategy trained on everything with other seeds, as far as the time allows.

    Args:
        experiment: With a test folder.
        picked: The strategy; step one gives the same with every seed, so that nothing is trained again.
        seconds: That are left.

    Returns:
        At most two.
    """
    found: list[Confirmation] = []
    strategy = picked.strategy
    if not isinstance(strategy, FineTuning):
        return ()
    for number in range(1, SEEDS):
        if number * picked.refit_seconds > seconds:
            break
        other = strategy.with_seed(derive_seed(experiment.seed, "again", number))
        try:
            confirmation = confirmed(strategy.outcome, experiment, other, picked.measured).confirmation
        except DidNotTrainError:  # with this seed
            continue
        found += [confirmation] if confirmation else []
    return tuple(found)


def folder_step(
    question: Question, first: Outcome, second: Outcome, others: Sequence[Confirmation]
) -> FolderStep | None:
    """How two trained strategies differ on the test folder, seeds averaged.

    Args:
        question: Metric and task.
        first: What is compared against; gives the same with every seed.
        second: What was delivered.
        others: The delivered strategy with other seeds.

    Returns:
        The step; None where one of them was not asked about the folder, or has no such metric.
    """
    if first.confirmation is None or second.confirmation is None or first.strategy == second.strategy:
        return None
    seconds = [second.confirmation, *others]
    if question.metric == "log-loss" and not all(one.log_likelihoods for one in (first.confirmation, *seconds)):
        return None
    task = question.task
    groups = [task.groups[row] for row in task.test_rows]
    after = np.stack([_values(one, question.metric, task) for one in seconds])
    before = np.broadcast_to(_values(first.confirmation, question.metric, task), after.shape)
    difference, interval = difference_over_seeds(
        before,
        after,
        groups if any(groups) else None,
        seed=derive_seed(question.seed, "folder"),
        largest=largest_difference(question.metric, task.labels[task.test_rows]),
    )
    return FolderStep(
        first=first.strategy,
        second=second.strategy,
        difference=difference,
        interval=interval,
        seeds=len(seconds),
        seeds_differ=second.strategy.trains_blocks,
    )


def _values(found: Confirmation, metric: Metric, task: Task) -> Float[np.ndarray, " image"]:
    if metric == "log-loss":
        return np.array(found.log_likelihoods)
    return metric_values(metric, task.labels[task.test_rows], predictions=np.array(found.predictions))


def earlier_looks(out: Path, test_images: Sequence[str]) -> int:
    """How many runs beside this one have looked at the same test folder.

    Args:
        out: Folder of this run; its siblings are asked.
        test_images: Names of the test images.

    Returns:
        A count of records, of stopped runs too, that name the same test images and confirm a strategy on them.
    """
    looks = 0
    for path in (*out.parent.glob(f"*/{RUN_FILE}"), *out.parent.glob(f"*/{STOPPED_FILE}")):
        try:
            document = json.loads(path.read_text("utf-8"))
            same = path.parent != out and document["test_images"] == list(test_images)
            looks += same and any(strategy["confirmation"] is not None for strategy in document["strategies"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue  # somebody else's file, or a damaged one
    return looks
