"""The user's own test folder against the splits."""

from dataclasses import replace

import numpy as np
import pytest

from example_run import CONFIRMED, run_record
from unfreeze.advisor.details import details
from unfreeze.advisor.folder_check import contradicting_folder, difference_of_two
from unfreeze.advisor.verdict import verdict
from unfreeze.core.records import Interval, Outcome
from unfreeze.metrics.intervals import wilson


def picked(on_folder: float, interval: Interval) -> Outcome:
    """The example's pick, 92.1 % on splits (89.1 to 94.6 %), with this on the folder."""
    record = run_record()
    outcome = record.outcome_of(record.picked)
    assert outcome is not None
    return replace(outcome, confirmation=replace(CONFIRMED, accuracy=on_folder, interval=interval))


def test_the_interval_of_a_difference_is_that_of_the_literature() -> None:
    """Newcombe (1998) gives 56 of 70 against 48 of 80 as 0.0524 to 0.3339 by his method 10."""
    first, second = (48 / 80, wilson(48, 80)), (56 / 70, wilson(56, 70))

    assert difference_of_two(first, second) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_two_estimates_of_one_accuracy_seldom_raise_an_alarm() -> None:
    """Of a thousand folders as good as the splits, one in a hundred contradicts them: no more than 25 do."""
    random = np.random.default_rng(0)
    alarms = 0
    for _ in range(1000):
        on_splits, on_folder = random.binomial(300, 0.9), random.binomial(200, 0.9)
        outcome = replace(
            picked(on_folder / 200, wilson(on_folder, 200)), accuracy=on_splits / 300, interval=wilson(on_splits, 300)
        )
        alarms += contradicting_folder(outcome) is not None

    assert alarms <= 25


def test_a_worse_folder_names_both_causes() -> None:
    """Groups that were cut, or photos from elsewhere; with both accuracies and their intervals."""
    found = contradicting_folder(picked(0.71, Interval(0.65, 0.77)))

    assert found is not None
    assert (found.code, found.severity) == ("UF131", "warning")
    assert "right on 71.0 % of its photos (95 % interval 65.0 to 77.0 %), where 92.1 % were expected" in found.sentence
    assert "photos come in groups" in found.advice
    assert "from elsewhere" in found.advice


def test_a_better_folder_is_not_to_be_trusted() -> None:
    """Then the folder may hold photos of the groups that were learned from."""
    found = contradicting_folder(picked(0.999, Interval(0.995, 1.0)))

    assert found is not None
    assert found.advice.startswith("Do not count on the folder.")


def test_what_agrees_is_not_spoken_of() -> None:
    """The example's folder lies inside; a difference within the margin does not matter; without a folder is none."""
    assert contradicting_folder(picked(CONFIRMED.accuracy, CONFIRMED.interval)) is None
    assert contradicting_folder(picked(0.71, Interval(0.65, 0.77)), margin=0.3) is None
    assert contradicting_folder(replace(picked(0.71, Interval(0.65, 0.77)), confirmation=None)) is None
    assert contradicting_folder(None) is None


def test_the_verdict_says_it() -> None:
    """In place of what the folder says otherwise; with the advice among the statistics."""
    found = contradicting_folder(picked(0.71, Interval(0.65, 0.77)))
    assert found is not None
    record = run_record()

    contradicted = replace(record, findings=(found, *record.findings))

    assert [said for said in verdict(contradicted) if "test folder" in said] == [found.sentence]
    assert found.text in details(contradicted)
