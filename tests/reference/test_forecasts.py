"""Forecasts of gains against scikit-learn, against the comparison of folds, and the table against its studies."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from unfreeze.advisor.forecasts import MeasuredStep, fit_ridge, shipped_table
from unfreeze.metrics.repeated import Tested, compare_folds

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("penalty", [0.01, 0.3, 10.0])
def test_ridge_is_that_of_scikit_learn(rng: np.random.Generator, penalty: float) -> None:
    """On standardised facts both give the same forecasts of new studies."""
    facts, new = rng.normal(3, 2, (30, 6)), rng.normal(3, 2, (5, 6))
    gains = facts @ rng.normal(size=6) + rng.normal(size=30)
    scaler = StandardScaler().fit(facts)
    theirs = Ridge(alpha=penalty * len(facts)).fit(scaler.transform(facts), gains)

    ours = fit_ridge(facts, gains, penalty=penalty)

    assert ours.at(new) == pytest.approx(theirs.predict(scaler.transform(new)))


def test_what_paid_is_what_the_splits_said(rng: np.random.Generator) -> None:
    """From difference, standard error and degrees of freedom comes the probability that the comparison gave."""
    units = [part for _ in range(4) for part in np.array_split(rng.permutation(200), 5)]
    first, second = ([(rng.random(40) < rate).astype(float) for _ in units] for rate in (0.7, 0.75))
    found = compare_folds(first, second, Tested(units=units), margin=0.01)
    measured = MeasuredStep(
        facts=np.zeros((1, 6)),
        gains=np.array([found.difference]),
        errors=np.array([found.standard_error]),
        freedom=np.array([found.degrees_of_freedom]),
        sources=("photos",),
    )

    assert measured.paid(0.01)[0] == pytest.approx(found.better)


@pytest.mark.skipif(not (BENCHMARKS / "steps.jsonl").exists(), reason="the studies are not here")
def test_the_table_that_ships_is_made_from_the_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made again from the studies that are in the repository, the table is the one that ships."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    forecasts = importlib.import_module("forecasts")
    studies = [json.loads(line) for line in (BENCHMARKS / "steps.jsonl").read_text().splitlines()]

    made = json.loads(forecasts.written(forecasts.table_of(studies)))

    assert made["studies"] == shipped_table().document["studies"]
    for ours, theirs in zip(made["tests"], shipped_table().document["tests"], strict=True):
        assert ours.keys() == theirs.keys()
        assert all(ours[name] == pytest.approx(theirs[name], abs=1e-4) for name in ours)
