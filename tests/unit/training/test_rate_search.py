"""The rate and the epoch that a fold prefers."""

import numpy as np
import pytest

from unfreeze.core.plans import NONE, Plan, Rule
from unfreeze.core.strategies import FULL
from unfreeze.training.rate_search import HeldOut, choose_rate, choose_stop, held_out, preferred
from unfreeze.training.trials import Inputs
from unfreeze.zoo.backbones import Backbone

FOLD = (np.arange(24), np.arange(24, 32))
PLAN = Plan(strategy=FULL, rules=(Rule(".*", 1e-3),), epochs=4, batch_size=8, augmentation=NONE, label_smoothing=0.0)


def said(*losses: float) -> HeldOut:
    """Rows with these losses, all right."""
    return HeldOut(np.array(losses, dtype=np.float64), np.ones(len(losses)))


def test_the_lowest_loss_is_preferred() -> None:
    """Of two candidates that beat the standard by a constant, the one with the lower loss."""
    assert preferred([said(1, 2, 3), said(0.5, 1.5, 2.5), said(0.2, 1.2, 2.2)], standard=0) == 2


def test_noise_and_wrong_answers_do_not_move_from_the_standard() -> None:
    """A gain within one standard error stays, and so does a lower loss with fewer rows right."""
    fewer = HeldOut(np.array([0.1, 0.1, 0.8]), np.array([1.0, 1.0, 0.0]))

    assert preferred([said(1, 2, 3), said(0, 2.9, 2.9)], standard=0) == 0
    assert preferred([said(1, 2, 3), fewer], standard=0) == 0


def test_balanced_rows_count_by_class() -> None:
    """Three right rows of one class and a wrong one of another: half are right, as in balanced accuracy."""
    scores = np.tile([1.0, 0.0], (4, 1))

    assert held_out(scores, np.array([0, 0, 0, 1]), balanced=True).right.mean() == pytest.approx(0.5)
    assert held_out(scores, np.array([0, 0, 0, 1]), balanced=False).right.mean() == pytest.approx(0.75)


@pytest.mark.slow
def test_a_rate_that_is_far_too_low_is_raised(start: Backbone, inputs: Inputs) -> None:
    """Where the plan's own rates learn nothing in so few steps, three times as much has the lower held-out loss."""
    plan, told = choose_rate(start, PLAN.with_rates_times(0.03), inputs, FOLD, seed=0)
    losses = {one.factor: one.loss for one in told.tried}

    assert told.factor == 3.0 == min(losses, key=losses.__getitem__)
    assert plan.rate_of("fc.weight") == pytest.approx(9e-5)


@pytest.mark.slow
def test_trying_rates_is_reported(start: Backbone, inputs: Inputs) -> None:
    """Three rates, two epochs of 24 images each: whoever counts may leave in between."""
    done: list[int] = []

    choose_rate(start, PLAN, inputs, FOLD, seed=0, advance=done.append)

    assert sum(done) == 3 * 2 * 24


def test_training_ends_where_the_held_out_rows_say() -> None:
    """Held-out rows that are right in the second epoch and wrong in the last end it after two; equal epochs do not."""
    labels = np.array([0, 1, 0, 1])
    right = np.where(labels[:, None] == np.arange(2), 3.0, -3.0)

    assert choose_stop([0 * right, right, 0.5 * right, -right], labels, PLAN).stop == 2
    assert choose_stop([right, right], labels, PLAN).stop is None
    assert choose_stop([], labels, PLAN) == PLAN
