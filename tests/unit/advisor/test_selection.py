"""Choosing a strategy on what its splits held out."""

from collections.abc import Callable

import numpy as np
import pytest

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.selection import select_strategy, standard_error, winner_of
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import (
    HEAD,
    SOFTMAX_ON_BEST,
    SOFTMAX_ON_LAST,
    SVM_ON_LAST,
    unfreeze,
)
from unfreeze.data.tasks import Task
from unfreeze.strategies.predictions import Measured

MakeTask = Callable[..., Task]
Measure = Callable[..., Measured]
Compare = Callable[..., Comparisons]
CHEAP, EXPENSIVE = HEAD, unfreeze(1)


@pytest.fixture
def task(make_rows: MakeTask) -> Task:
    """Five hundred rows: each split tests on a hundred."""
    return make_rows(500)


def test_a_gain_within_one_standard_error_does_not_pay(task: Task, measured: Measure, comparisons: Compare) -> None:
    """Sixteen images gained and fourteen lost, each tested once, are two more, with a standard error of five."""
    tested = np.concatenate([task.split(number).test for number in range(5)])
    rows, times = np.unique(tested, return_counts=True)
    once = rows[times == 1].tolist()
    cheap, expensive = measured(CHEAP, task, once[:20]), measured(EXPENSIVE, task, once[16:34])
    selection = select_strategy([cheap, expensive], comparisons(task))

    assert selection is not None
    assert selection.picked == CHEAP
    assert "Nothing gains more than one standard error over head, the cheapest." in selection.because


def test_a_clear_gain_is_taken(task: Task, measured: Measure, comparisons: Compare) -> None:
    """Fifty more images right of five hundred, none lost, are far beyond one standard error."""
    cheap, expensive = measured(CHEAP, task, range(60)), measured(EXPENSIVE, task, range(10))
    selection = select_strategy([cheap, expensive], comparisons(task))

    assert selection is not None
    assert selection.picked == EXPENSIVE


def test_a_gain_that_is_settled_to_be_within_the_margin_is_not_taken(
    task: Task, measured: Measure, comparisons: Compare
) -> None:
    """Ten more images right of five hundred are beyond one standard error, and nothing where ten points matter."""
    cheap, expensive = measured(CHEAP, task, range(10)), measured(EXPENSIVE, task, [])

    for margin, picked in ((0.01, EXPENSIVE), (0.1, CHEAP)):
        selection = select_strategy([cheap, expensive], comparisons(task, margin=margin))
        assert selection is not None
        assert selection.picked == picked
        assert ("within your margin" in selection.because) == (picked == CHEAP)


@pytest.mark.parametrize(("metric", "unit"), [("accuracy", ".1f} points"), ("log-loss", ".3f} nats")])
def test_the_reason_names_the_gain_and_its_standard_error(
    task: Task, measured: Measure, comparisons: Compare, metric: Metric, unit: str
) -> None:
    """Fifty images more are right; a row that came up in several splits counts as one, as often as it came up."""
    cheap, expensive = measured(CHEAP, task, range(60)), measured(EXPENSIVE, task, range(10))
    tested = np.concatenate([task.split(number).test for number in range(5)])
    each = 100.0 if metric == "accuracy" else float(np.log(0.9) - np.log(0.1))
    gains = each * ((tested >= 10) & (tested < 60))
    totals = np.bincount(tested, gains - gains.mean())
    gain = f"{{:+{unit}".format(gains.mean())
    error = f"{{:{unit}".format(np.sqrt((totals**2).sum()) / len(tested)).split()[0]

    selection = select_strategy([cheap, expensive], comparisons(task, metric))

    assert selection is not None
    assert selection.because == (
        f"It gains {gain} over head on 5 common splits, more than one standard error ({error})."
    )


def test_groups_are_the_evidence_for_a_gain(make_rows: MakeTask, measured: Measure, comparisons: Compare) -> None:
    """Where five groups of twenty all gained and four all lost, one group more is no evidence; twenty images are."""
    grouped, single = (make_rows(500, groups=groups) for groups in ([str(row // 20) for row in range(500)], None))
    tested = np.concatenate([grouped.split(number).test for number in range(5)])
    most = np.argsort(-np.bincount(tested // 20, minlength=25), kind="stable")  # groups, those first that tested most
    before, after = (np.flatnonzero(np.isin(np.arange(500) // 20, chosen)) for chosen in (most[:5], most[5:9]))

    picked = []
    for task in (single, grouped):
        both = [measured(CHEAP, task, before), measured(EXPENSIVE, task, after)]
        selection = select_strategy(both, comparisons(task))
        assert selection is not None
        picked.append(selection.picked)

    assert picked == [EXPENSIVE, CHEAP]


def test_what_is_passed_over_ends_nothing(task: Task, measured: Measure, comparisons: Compare) -> None:
    """After one that loses, and one whose gain is within the margin, the one that gains more than that is taken."""
    candidates = [
        measured(CHEAP, task, range(200)),
        measured(unfreeze(1), task, range(210)),
        measured(unfreeze(2), task, range(195)),
        measured(unfreeze(3), task, range(10)),
    ]
    selection = select_strategy(candidates, comparisons(task, margin=0.1))

    assert selection is not None
    assert selection.picked == unfreeze(3)
    assert "over head on 5 common splits" in selection.because
    assert "margin" not in selection.because


def test_what_gained_within_the_margin_is_named_after_what_was_taken(
    task: Task, measured: Measure, comparisons: Compare
) -> None:
    """Both reasons are given: why one was taken, and why two that gained a little more were not."""
    candidates = [
        measured(CHEAP, task, range(200)),
        measured(unfreeze(1), task, range(10)),
        measured(unfreeze(2), task, range(2)),
        measured(unfreeze(3), task, range(1)),
    ]
    selection = select_strategy(candidates, comparisons(task, margin=0.1))
    tested = np.concatenate([task.split(number).test for number in range(5)])
    gains = [100 * np.mean((tested >= least) & (tested < 10)) for least in (2, 1)]

    assert selection is not None
    assert selection.picked == unfreeze(1)
    assert selection.because.startswith("It gains ")
    named = f"unfreeze 2 ({gains[0]:+.1f} points) and unfreeze 3 ({gains[1]:+.1f} points)"
    assert selection.because.endswith(f" What {named} gained over it is settled to be within your margin.")


def test_a_gain_that_is_settled_to_be_small_does_not_pay(task: Task, measured: Measure, comparisons: Compare) -> None:
    """With a margin that the gain nearly fills, not worth it is as settled as equivalent: neither is taken."""
    cheap, expensive = measured(CHEAP, task, range(3)), measured(EXPENSIVE, task, [])
    found = comparisons(task, margin=0.05)

    assert found.estimate(cheap, expensive).answer in {"equivalent", "not worth it"}
    selection = select_strategy([cheap, expensive], found)
    assert selection is not None
    assert selection.picked == CHEAP


def test_strategies_are_compared_on_splits_that_all_of_them_ran_on(
    task: Task, measured: Measure, comparisons: Compare
) -> None:
    """What a cheap strategy got wrong on later splits is no gain of an expensive one that ran on two."""
    late = sorted(set(task.split(2).test) - set(task.split(0).test) - set(task.split(1).test))
    cheap = measured(CHEAP, task, late)
    selection = select_strategy([cheap, measured(EXPENSIVE, task, [], splits=2)], comparisons(task))

    assert selection is not None
    assert selection.picked == CHEAP


def test_a_strategy_with_few_splits_does_not_hide_what_others_gained(
    task: Task, measured: Measure, comparisons: Compare
) -> None:
    """A third one that ran on a single split changes nothing about a gain that two others show on five."""
    cheap, expensive = measured(CHEAP, task, range(60)), measured(EXPENSIVE, task, range(10))
    once = measured(unfreeze(2), task, range(30), splits=1)
    selection = select_strategy([cheap, expensive, once], comparisons(task))

    assert selection is not None
    assert selection.picked == EXPENSIVE
    assert "over head on 5 common splits" in selection.because


def test_nothing_is_compared_with_one_lucky_split(task: Task, measured: Measure, comparisons: Compare) -> None:
    """A probe that had time for one split, and stands before the others, comes after those that ran on five."""
    lucky = measured(SVM_ON_LAST, task, range(10), splits=1)
    cheap, expensive = measured(CHEAP, task, range(60)), measured(EXPENSIVE, task, range(10))
    selection = select_strategy([cheap, lucky, expensive], comparisons(task))

    assert selection is not None
    assert selection.picked == EXPENSIVE
    assert "over head on 5 common splits" in selection.because


def test_what_cannot_be_delivered_is_never_picked(task: Task, measured: Measure, comparisons: Compare) -> None:
    """A probe on a cut-off network is reported, not picked; of nothing nothing is picked."""
    tap = measured(SOFTMAX_ON_BEST, task, [], deliverable=False)
    last = measured(SOFTMAX_ON_LAST, task, range(200))
    selection = select_strategy([tap, last], comparisons(task))

    assert selection is not None
    assert selection.picked == SOFTMAX_ON_LAST
    assert select_strategy([tap], comparisons(task)) is None


def test_what_has_no_probabilities_cannot_win_by_log_loss(task: Task, measured: Measure, comparisons: Compare) -> None:
    """An SVM has no log-loss, so that it is passed over where that decides."""
    svm, softmax = measured(SVM_ON_LAST, task, [], probabilities=False), measured(SOFTMAX_ON_LAST, task, range(30))
    selection = select_strategy([svm, softmax], comparisons(task, "log-loss"))

    assert selection is not None
    assert selection.picked == SOFTMAX_ON_LAST


def test_the_standard_error_is_that_of_a_mean_of_paired_differences(rng: np.random.Generator) -> None:
    """Of images that come up once it is the population standard deviation over the root of their number."""
    first, second = (rng.random(300) < 0.8).astype(float), (rng.random(300) < 0.7).astype(float)

    assert standard_error(first, second, [""] * 300) == pytest.approx((first - second).std() / np.sqrt(300))


def test_testing_an_image_again_is_no_new_evidence(rng: np.random.Generator) -> None:
    """The same predictions of the same images in three splits leave the standard error as it is."""
    first, second = (rng.random(60) < 0.8).astype(float), (rng.random(60) < 0.7).astype(float)
    units = [str(image) for image in range(60)]
    once = standard_error(first, second, units)

    assert standard_error(np.tile(first, 3), np.tile(second, 3), units * 3) == pytest.approx(once)


def test_the_best_log_loss_is_told_as_a_loss(make_rows: MakeTask, measured: Measure, comparisons: Compare) -> None:
    """Two classifiers that give the truth 0.9 and 0.8: the first wins, with -log 0.9 nats, and no luck is in it."""
    task = make_rows(100)
    winner = winner_of([measured(HEAD, task), measured(SOFTMAX_ON_LAST, task, sure=0.8)], comparisons(task, "log-loss"))

    assert winner is not None
    assert winner.strategy == HEAD
    assert winner.naive == pytest.approx(-np.log(0.9))
    assert winner.corrected == pytest.approx(-np.log(0.9))
    assert winner.interval.low <= winner.corrected <= winner.interval.high


def test_one_group_that_all_splits_test_on_has_no_winner(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """How much of a best score is luck is found by drawing groups, of which there must be two."""
    task = make_rows(30, groups=[str(row // 10) for row in range(30)])
    assert len(np.unique(task.units[task.split(0).test])) == 1

    both = [measured(CHEAP, task, splits=1), measured(EXPENSIVE, task, [0], splits=1)]
    assert winner_of(both, comparisons(task)) is None


def test_a_winner_is_the_best_of_several_that_can_be_delivered(
    task: Task, measured: Measure, comparisons: Compare
) -> None:
    """Of four the best is not the undeliverable one nor the lucky one; of one alone there is no winner."""
    found = [
        measured(SOFTMAX_ON_BEST, task, [], deliverable=False),
        measured(SVM_ON_LAST, task, [], splits=1),
        measured(CHEAP, task, range(60)),
        measured(EXPENSIVE, task, range(10)),
    ]
    winner = winner_of(found, comparisons(task))
    tested = np.unique(np.concatenate([task.split(number).test for number in range(5)]))

    assert winner is not None
    assert (winner.strategy, winner.among) == (EXPENSIVE, 2)
    assert winner.naive == pytest.approx(np.mean(tested >= 10))
    assert winner.corrected <= winner.naive
    assert winner_of(found[:3], comparisons(task)) is None


def test_two_groups_are_enough_for_a_winner(make_rows: MakeTask, measured: Measure, comparisons: Compare) -> None:
    """Drawing groups needs two of them."""
    task = make_rows(100, groups=[str(row // 10) for row in range(100)])
    assert len(np.unique(task.units[task.split(0).test])) == 2

    both = [measured(CHEAP, task, splits=1), measured(EXPENSIVE, task, [0], splits=1)]
    assert winner_of(both, comparisons(task)) is not None
