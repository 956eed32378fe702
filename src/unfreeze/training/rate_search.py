"""The rate and the number of epochs of a plan, chosen on a fold inside what a trial learns from.

Off by default (`Plan.chosen_on_fold`). Tried on two sets of 244 and 420 training images (two blocks, 64 px, held-out
folds of 50 to 90 images): the short trials took a third of the rate on one set, where whole trainings with it got
84.5 %, not 88.1 %; in two cases of six a fold chose another epoch than the last one, which cost the other folds 8 and 2
points.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.special import log_softmax

from unfreeze.core.plans import FoldChoice, Plan, TriedRate
from unfreeze.core.progress import Advance, ignore
from unfreeze.data.tasks import Fold
from unfreeze.metrics.imbalance import balanced_weights
from unfreeze.training.trials import Inputs, predict_rows, run_trial
from unfreeze.zoo.backbones import Backbone

FACTORS = (1.0, 1 / 3, 3.0)  # of the plan's own rates, which come first
SHORT = 0.25  # of a plan's epochs, for each rate that is tried
FEWEST_SHORT_EPOCHS = 2


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What a training says of rows that it has not seen.

    Attributes:
        losses: Negative log-likelihood of every row's class, nats, times the row's weight.
        right: The row's weight if the predicted class is the true one, else 0; weights have mean 1.
    """

    losses: Float[np.ndarray, " row"]
    right: Float[np.ndarray, " row"]


def held_out(scores: Float[np.ndarray, "row cls"], labels: Int[np.ndarray, " row"], *, balanced: bool) -> HeldOut:
    """Losses and hits of these scores; every row weighs the same, or every class if `balanced`."""
    weights = balanced_weights(labels) if balanced else np.ones(len(labels))
    losses = -log_softmax(scores.astype(np.float64), axis=1)[np.arange(len(labels)), labels]
    return HeldOut(weights * losses, weights * (scores.argmax(axis=1) == labels))


def preferred(candidates: Sequence[HeldOut], *, standard: int) -> int:
    """The candidate with the lowest held-out loss, if it is better than the standard one beyond noise.

    Better beyond noise: no fewer rows right, and a mean loss that is lower by more than one standard error of the
    paired difference. So chance alone seldom moves away from what is known to be sound.

    Args:
        candidates: All about the same rows.
        standard: Index of the one that is kept in doubt.

    Returns:
        An index; of equals the first.
    """
    known = candidates[standard]
    allowed = [number for number, found in enumerate(candidates) if _is_better(found, known)]
    return min(allowed, key=lambda number: float(candidates[number].losses.mean()), default=standard)


def _is_better(found: HeldOut, known: HeldOut) -> bool:
    gain = known.losses - found.losses
    noise = gain.std() / np.sqrt(len(gain))
    return bool(found.right.sum() >= known.right.sum() and gain.mean() > noise)


def epochs_of_choices(plan: Plan) -> int:
    """How many epochs' work it is to choose rate and stop: three short trainings and a whole one."""
    return len(FACTORS) * _short(plan) + plan.epochs


def _short(plan: Plan) -> int:
    return min(plan.epochs, max(FEWEST_SHORT_EPOCHS, round(SHORT * plan.epochs)))


def choose_inside(
    start: Backbone, plan: Plan, inputs: Inputs, fold: Fold, *, seed: int, advance: Advance = ignore
) -> tuple[Plan, FoldChoice]:
    """Rate and stop, chosen on a fold of what a trial learns from.

    Args:
        start: A head that has not seen what the fold holds out.
        plan: Whose rates and epochs are the standard, which is kept in doubt.
        inputs: Inputs and labels.
        fold: Rows that learn and rows that are held out.
        seed: Of the trainings.
        advance: Reports progress per image.

    Returns:
        The plan, and what was tried.
    """
    learn, select = fold
    plan, choice = choose_rate(start, plan, inputs, fold, seed=seed, advance=advance)
    trial = run_trial(start, plan, inputs, learn, seed=seed, advance=advance, watch=select)
    plan = choose_stop(trial.watched, inputs.labels[select], plan)
    return plan, replace(choice, stop=plan.stop)


def choose_rate(
    start: Backbone, plan: Plan, inputs: Inputs, fold: Fold, *, seed: int, advance: Advance = ignore
) -> tuple[Plan, FoldChoice]:
    """Try a third of the plan's rates, the rates themselves and three times as much, for a few epochs each.

    Args:
        start: A head that has not seen what the fold holds out.
        plan: Whose rates are multiplied.
        inputs: Inputs and labels.
        fold: Rows that learn and rows that are held out.
        seed: Of the trainings, the same for each rate.
        advance: Reports progress per image.

    Returns:
        The plan with the rates that are best (`preferred`), and what was tried.
    """
    learn, select = fold
    epochs = _short(plan)
    found = []
    for factor in FACTORS:
        short = replace(plan.with_rates_times(factor), epochs=epochs, stop=None)
        trial = run_trial(start, short, inputs, learn, seed=seed, advance=advance)
        found.append(
            held_out(predict_rows(trial.backbone, inputs, select), inputs.labels[select], balanced=plan.balanced)
        )
    chosen = FACTORS[preferred(found, standard=0)]
    tried = tuple(
        TriedRate(factor=factor, loss=float(of.losses.mean()), accuracy=float(of.right.mean()))
        for factor, of in zip(FACTORS, found, strict=True)
    )
    return plan.with_rates_times(chosen), FoldChoice(factor=chosen, tried=tried, epochs=epochs)


def choose_stop(watched: Sequence[Float[np.ndarray, "row cls"]], labels: Int[np.ndarray, " row"], plan: Plan) -> Plan:
    """The plan, ended after the epoch whose held-out scores are best; after its last one in doubt (`preferred`).

    Args:
        watched: Scores of the held-out rows after every epoch.
        labels: Of those rows.
        plan: That was trained.

    Returns:
        The plan with `stop` set, or as it was.
    """
    if not watched or not len(labels):
        return plan
    best = 1 + preferred(
        [held_out(scores, labels, balanced=plan.balanced) for scores in watched], standard=len(watched) - 1
    )
    return plan if best == len(watched) else replace(plan, stop=best)
