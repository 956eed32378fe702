"""Choosing a strategy on what its splits held out."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.selection import Selection, select_strategy, winner_of
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import (
    HEAD,
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


def picked(candidates: list[Measured], comparisons: Comparisons) -> Selection:
    """What is selected, where something is."""
    found = select_strategy(candidates, comparisons)
    assert found is not None
    return found


def test_a_gain_within_one_standard_error_does_not_pay(task: Task, measured: Measure, comparisons: Compare) -> None:
    """Sixteen images gained and fourteen lost are two more, with a standard error of more than five."""
    cheap, expensive = measured(CHEAP, task, range(20)), measured(EXPENSIVE, task, range(16, 34))
    error = 120 * np.sqrt((30 / 500 - 0.004**2) / 499 + 1 / 500**2)  # 1.2² (S² + 1/n)/n, in points

    found = picked([cheap, expensive], comparisons(task))

    assert found.picked == CHEAP
    assert found.because == (
        "It is the cheapest within one standard error of unfreeze 1, which scores best and gains +0.4 points "
        f"(standard error {error:.1f}, 5 common splits) over it."
    )


def test_a_clear_gain_is_taken(task: Task, measured: Measure, comparisons: Compare) -> None:
    """Fifty more images right of five hundred, none lost, are far beyond one standard error."""
    assert picked(
        [measured(CHEAP, task, range(60)), measured(EXPENSIVE, task, range(10))], comparisons(task)
    ).picked == (EXPENSIVE)


def test_what_scores_best_is_kept_where_it_is_the_cheapest(task: Task, measured: Measure, comparisons: Compare) -> None:
    """Nothing has to be weighed."""
    found = picked([measured(CHEAP, task, range(10)), measured(EXPENSIVE, task, range(60))], comparisons(task))

    assert (found.picked, found.because) == (CHEAP, "It is the cheapest, and nothing scores better.")


def test_a_better_score_on_other_splits_alone_is_no_better_one(
    task: Task, measured: Measure, comparisons: Compare
) -> None:
    """On the round that both have they are equal; the cheaper one's second round went worse."""
    first, later = measured(CHEAP, task, range(10)), measured(CHEAP, task, range(60), splits=10)
    cheap = replace(first, predicted=(*first.predicted, *later.predicted[5:]))
    found = picked([cheap, measured(EXPENSIVE, task, range(10))], comparisons(task))

    assert (found.picked, found.because) == (CHEAP, "It is the cheapest, and nothing scores better.")


@pytest.mark.parametrize(("metric", "unit"), [("accuracy", ".1f} points"), ("log-loss", ".3f} nats")])
def test_the_reason_names_the_gain_and_its_standard_error(
    task: Task, measured: Measure, comparisons: Compare, metric: Metric, unit: str
) -> None:
    """Fifty images more are right of 500, each tested once: 1.2² (S² + largest²/n)/n, and no unstable fits."""
    cheap, expensive = measured(CHEAP, task, range(60)), measured(EXPENSIVE, task, range(10))
    each, largest = (100.0, 100.0) if metric == "accuracy" else (np.log(0.9) - np.log(0.1), np.log(2))
    gains = each * np.isin(np.arange(500), range(10, 60))
    gain = f"{{:+{unit}".format(gains.mean())
    error = f"{{:{unit.split(maxsplit=1)[0]}".format(1.2 * np.sqrt((gains.var(ddof=1) + largest**2 / 500) / 500))

    found = picked([cheap, expensive], comparisons(task, metric))

    assert found.because == (
        f"It scores best, and gains {gain} (standard error {error}, 5 common splits) over the best of what is cheaper, "
        "head."
    )


def test_groups_are_the_evidence_for_a_gain(make_rows: MakeTask, measured: Measure, comparisons: Compare) -> None:
    """Where five groups of twenty all gained and four all lost, one group more is no evidence; twenty images are."""
    grouped, single = (make_rows(500, groups=groups) for groups in ([str(row // 20) for row in range(500)], None))
    chosen = [
        picked(
            [measured(CHEAP, task, range(100)), measured(EXPENSIVE, task, range(100, 180))], comparisons(task)
        ).picked
        for task in (single, grouped)
    ]

    assert chosen == [EXPENSIVE, CHEAP]


def test_the_cheapest_that_is_near_the_best_is_taken(task: Task, measured: Measure, comparisons: Compare) -> None:
    """Of four, two lose clearly, and of the two that are near each other the cheaper one is taken."""
    candidates = [
        measured(CHEAP, task, range(200)),
        measured(unfreeze(1), task, range(14)),
        measured(unfreeze(2), task, range(10, 23)),
        measured(unfreeze(3), task, range(195)),
    ]

    assert picked(candidates, comparisons(task)).picked == unfreeze(1)


def test_steps_that_are_each_near_the_one_before_do_not_add_up(
    task: Task, measured: Measure, comparisons: Compare
) -> None:
    """Each of five gains less than one standard error over the one before; the first is far below the last."""
    # 4 gained and 2 lost each time: a standard error of 3 images; eight such steps are beyond it in sum
    wrong, candidates = set(range(100)), []
    for step in range(9):
        candidates.append(measured(unfreeze(step + 1), task, sorted(wrong)))
        wrong = wrong - set(range(4 * step, 4 * step + 4)) | {400 + 2 * step, 401 + 2 * step}
    known = comparisons(task)
    nearby = [known.estimate(*pair) for pair in pairwise(candidates)]
    assert all(step.difference < (step.standard_error or 0.0) for step in nearby)

    found = next(one for one in candidates if one.strategy == picked(candidates, known).picked)

    assert found is not candidates[0]
    last = known.estimate(found, candidates[-1])
    assert last.difference <= (last.standard_error or 0.0)


@pytest.mark.parametrize("metric", ["accuracy", "balanced accuracy", "log-loss"])
def test_the_pick_is_never_more_than_one_standard_error_below_the_best(
    task: Task, measured: Measure, comparisons: Compare, metric: Metric, rng: np.random.Generator
) -> None:
    """Of 40 sets of six strategies with random mistakes, on one or two rounds each: against the best score."""
    for _ in range(40):
        candidates = [
            measured(unfreeze(number), task, np.flatnonzero(rng.random(500) < rate), splits=int(rng.choice([5, 10])))
            for number, rate in enumerate(rng.uniform(0.1, 0.2, 6), start=1)
        ]
        known = comparisons(task, metric)
        best = max(candidates, key=known.mean_score)

        kept = next(one for one in candidates if one.strategy == picked(candidates, known).picked)

        gain = known.estimate(kept, best)
        assert gain.difference <= (gain.standard_error or 0.0)
        for cheaper in candidates[: candidates.index(kept)]:
            gain = known.estimate(cheaper, best)
            assert gain.difference > (gain.standard_error or 0.0)


def test_strategies_are_compared_on_splits_that_all_of_them_ran_on(
    task: Task, measured: Measure, comparisons: Compare
) -> None:
    """What a cheap strategy got wrong on later splits is no gain of an expensive one that ran on two."""
    cheap = measured(CHEAP, task, task.split(2).test)

    assert picked([cheap, measured(EXPENSIVE, task, [], splits=2)], comparisons(task)).picked == CHEAP


def test_two_splits_that_are_far_above_the_best_are_taken(task: Task, measured: Measure, comparisons: Compare) -> None:
    """More than one standard error on two common splits; on one alone nothing is, whatever it seems to gain."""
    cheap, expensive = measured(CHEAP, task, range(60)), measured(EXPENSIVE, task, range(50))

    for splits, strategy in ((1, EXPENSIVE), (2, unfreeze(2))):
        few = measured(unfreeze(2), task, splits=splits)
        assert picked([cheap, expensive, few], comparisons(task)).picked == strategy


def test_two_splits_that_are_above_what_is_kept_and_not_above_the_best_are_not_taken(
    task: Task, measured: Measure, comparisons: Compare
) -> None:
    """The best on a whole round is what they have to beat."""
    best = measured(EXPENSIVE, task, range(10))
    few = measured(unfreeze(2), task, range(9), splits=2)

    assert picked([measured(CHEAP, task, range(60)), best, few], comparisons(task)).picked == EXPENSIVE


def test_nothing_is_compared_with_one_lucky_split(task: Task, measured: Measure, comparisons: Compare) -> None:
    """A probe that had time for one split, and stands before the others, changes nothing about them."""
    lucky = measured(SVM_ON_LAST, task, range(10), splits=1)
    cheap, expensive = measured(CHEAP, task, range(60)), measured(EXPENSIVE, task, range(10))
    found = picked([cheap, lucky, expensive], comparisons(task))

    assert found.picked == EXPENSIVE
    assert "over the best of what is cheaper, head" in found.because


def test_of_nothing_nothing_is_picked(task: Task, comparisons: Compare) -> None:
    """There is no pick among no strategies."""
    assert select_strategy([], comparisons(task)) is None


def test_what_has_no_probabilities_cannot_win_by_log_loss(task: Task, measured: Measure, comparisons: Compare) -> None:
    """An SVM has no log-loss, so that it is passed over where that decides."""
    svm, softmax = measured(SVM_ON_LAST, task, [], probabilities=False), measured(SOFTMAX_ON_LAST, task, range(30))
    selection = select_strategy([svm, softmax], comparisons(task, "log-loss"))

    assert selection is not None
    assert selection.picked == SOFTMAX_ON_LAST


def test_the_best_log_loss_is_told_as_a_loss(make_rows: MakeTask, measured: Measure, comparisons: Compare) -> None:
    """Two classifiers that give the truth 0.9 and 0.8: the first wins, with -log 0.9 nats, and no luck is in it."""
    task = make_rows(100)
    winner = winner_of([measured(HEAD, task), measured(SOFTMAX_ON_LAST, task, sure=0.8)], comparisons(task, "log-loss"))

    assert winner is not None
    assert winner.strategy == HEAD
    assert winner.naive == pytest.approx(-np.log(0.9))
    assert winner.corrected == pytest.approx(-np.log(0.9))
    assert winner.interval == pytest.approx((-np.log(0.9), -np.log(0.9)))


def test_one_group_that_all_splits_test_on_has_no_winner(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """How much of a best score is luck is found by drawing groups, of which there must be two."""
    task = make_rows(30, groups=[str(row // 10) for row in range(30)])
    assert len(np.unique(task.units[task.split(0).test])) == 1

    both = [measured(CHEAP, task, splits=1), measured(EXPENSIVE, task, [0], splits=1)]
    assert winner_of(both, comparisons(task)) is None


def test_a_winner_is_the_best_of_several_that_have_a_round(task: Task, measured: Measure, comparisons: Compare) -> None:
    """Of three the best is not the one with a lucky split; of one alone there is no winner."""
    found = [
        measured(SVM_ON_LAST, task, [], splits=1),
        measured(CHEAP, task, range(60)),
        measured(EXPENSIVE, task, range(10)),
    ]
    winner = winner_of(found, comparisons(task))

    assert winner is not None
    assert (winner.strategy, winner.among) == (EXPENSIVE, 2)
    assert winner.naive == pytest.approx(490 / 500)
    assert winner.corrected <= winner.naive
    assert winner_of(found[:2], comparisons(task)) is None


def test_two_groups_are_enough_for_a_winner(make_rows: MakeTask, measured: Measure, comparisons: Compare) -> None:
    """Drawing groups needs two of them."""
    task = make_rows(100, groups=[str(row // 10) for row in range(100)])
    assert len(np.unique(task.units[task.split(0).test])) == 2

    both = [measured(CHEAP, task, splits=1), measured(EXPENSIVE, task, [0], splits=1)]
    assert winner_of(both, comparisons(task)) is not None
