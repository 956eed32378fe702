"""What thresholds on one of two classes give, against scikit-learn."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score

from unfreeze.core.records import Calibration, Reliability, SplitRecord
from unfreeze.core.run_record import RunRecord
from unfreeze.core.strategies import SVM_ON_LAST, unfreeze
from unfreeze.report.thresholds import Thresholds, thresholds_of

NOTHING = Reliability(log_loss=0.0, error=0.0, bins=())


def drawn(record: RunRecord, rng: np.random.Generator, *, temperature: float) -> tuple[RunRecord, np.ndarray]:
    """A run of two unequal classes with one split of all images, and the probability of the rarer one of each."""
    images = len(record.train_images)
    labels = (rng.random(images) < 0.7).astype(int)
    odds = rng.normal(size=images) + np.where(labels == 0, 1.5, -1.5)
    own = -np.log1p(np.exp(np.where(labels == 0, -odds, odds)))
    calibration = Calibration(temperature=temperature, images=images, before=NOTHING, after=NOTHING)
    picked = record.outcome_of(record.picked)
    assert picked is not None
    told = replace(
        picked,
        predictions=(tuple((odds < 0).astype(int).tolist()),),
        log_likelihoods=(tuple(own.tolist()),),
        calibration=calibration,
    )
    splits = (SplitRecord(number=0, test=tuple(range(images))),)
    strategies = tuple(told if one.strategy == record.picked else one for one in record.strategies)
    run = replace(record, train_labels=tuple(labels.tolist()), splits=splits, strategies=strategies)
    return run, 1 / (1 + np.exp(-odds / temperature))


def found_in(record: RunRecord) -> Thresholds:
    """There are some."""
    found = thresholds_of(record)
    assert found is not None
    return found


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_counts_and_areas_are_those_of_scikit_learn(
    record: RunRecord, rng: np.random.Generator, temperature: float
) -> None:
    """At every threshold, of the delivered model's probabilities; the rarer class is what is looked for."""
    run, probabilities = drawn(record, rng, temperature=temperature)
    wanted = np.array(run.train_labels) == 0

    found = found_in(run)

    assert (found.wanted, found.images) == (0, len(wanted))
    for row in found.rows:
        (passed, alarms), (missed, right) = confusion_matrix(wanted, probabilities >= row.at)
        assert (row.passed, row.false_alarms, row.missed, row.found) == (passed, alarms, missed, right)
    assert found.area == pytest.approx(roc_auc_score(wanted, probabilities))
    assert found.average_precision == pytest.approx(average_precision_score(wanted, probabilities))


def test_the_curve_goes_from_nothing_to_everything(record: RunRecord, rng: np.random.Generator) -> None:
    """At first no image is called so, at last every one is, and each step calls more."""
    found = found_in(drawn(record, rng, temperature=1.0)[0])
    called = [one.called for one in found.every]

    assert (called[0], called[-1]) == (0, found.images)
    assert (np.diff(called) > 0).all()
    assert found.every[0].precision is None


def test_there_are_none_without_two_classes_or_probabilities(record: RunRecord) -> None:
    """An SVM has margins, of three classes there is no single threshold, and without a pick there is nothing."""
    assert thresholds_of(replace(record, picked=SVM_ON_LAST)) is None
    assert thresholds_of(replace(record, picked=None)) is None
    assert thresholds_of(replace(record, classes=("a", "b", "c"))) is None
    assert thresholds_of(replace(record, picked=unfreeze(2))) is not None
