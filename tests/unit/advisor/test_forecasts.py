"""Forecasts of gains: what they are made from, what they leave out, and how wide they are."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unfreeze.advisor.forecasts import (
    FACTS,
    PENALTIES,
    STEPS,
    ForecastTable,
    MeasuredStep,
    Step,
    choose_penalty,
    fact_values,
    fit_forecaster,
    fit_ridge,
    forecast_gains,
    forecast_sentence,
    left_out,
    shipped_table,
)
from unfreeze.core.facts import Facts, Similarity
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import FULL, HEAD, SCRATCH, StrategyId, parse_strategy, unfreeze

SETS = 6
STUDIES = 6  # of each set


def measured_step(rng: np.random.Generator, *, slope: float, between: float = 0.01, sets: int = SETS) -> MeasuredStep:
    """Studies whose gain grows with the last fact, with an effect of their set and noise of their own."""
    count = sets * STUDIES
    facts = rng.normal(size=(count, len(FACTS)))
    effects = np.repeat(rng.normal(0, between, sets), STUDIES)
    gains = 0.01 + slope * facts[:, -1] + effects + rng.normal(0, 0.01, count)
    return MeasuredStep(
        facts=facts,
        gains=gains,
        errors=np.full(count, 0.01),
        freedom=np.full(count, 19.0),
        sources=tuple(f"set {number // STUDIES}" for number in range(count)),
    )


def task_facts(**other: Any) -> Facts:
    """Facts of a task."""
    known: dict[str, Any] = {
        "images": 200,
        "classes": 4,
        "smallest_class": 50,
        "median_class": 50.0,
        "largest_class": 50,
        "imbalance": 1.0,
        "balance": 1.0,
        "is_imbalanced": False,
        "median_side": 300.0,
        "small_images": 0.0,
        "groups": None,
        "similarity": Similarity(value=0.6),
        "peak_depth": 0.5,
        "peak_gain": 0.02,
        "probe_accuracy": 0.8,
    }
    return Facts(**{**known, **other})


def table(rng: np.random.Generator, steps: tuple[Step, ...], *, proved: bool) -> ForecastTable:
    """A table of studies at random."""
    studies = [
        {
            "set": f"set {number // STUDIES}",
            "facts": fact_values(task_facts(images=int(rng.integers(60, 400)))),
            "steps": [
                {
                    "first": first.key,
                    "second": second.key,
                    "gain": float(rng.normal(0.01, 0.02)),
                    "error": 0.01,
                    "freedom": 19,
                }
                for first, second in steps
            ],
        }
        for number in range(SETS * STUDIES)
    ]
    tests = [
        {"first": first.key, "second": second.key, "better_than_mean": proved, "better_than_rate": proved}
        for first, second in steps
    ]
    return ForecastTable({"studies": studies, "tests": tests})


def test_an_infinite_penalty_leaves_the_mean(rng: np.random.Generator) -> None:
    """Shrunk all the way, every forecast is the mean gain of the studies."""
    measured = measured_step(rng, slope=0.03)

    found = fit_ridge(measured.facts, measured.gains, penalty=np.inf).at(measured.facts)

    assert found == pytest.approx(np.full(len(found), measured.gains.mean()))


def test_a_fact_that_is_missing_counts_as_average(rng: np.random.Generator) -> None:
    """A forecast without a fact is the forecast with the mean of that fact, and studies without it can be fitted."""
    measured = measured_step(rng, slope=0.03)
    facts = measured.facts.copy()
    facts[::3, 2] = np.nan
    ridge = fit_ridge(facts, measured.gains, penalty=0.1)
    without, average = facts[:1].copy(), facts[:1].copy()
    without[0, 2], average[0, 2] = np.nan, np.nanmean(facts[:, 2])

    assert ridge.at(without) == pytest.approx(ridge.at(average))
    nothing_known = np.full_like(facts, np.nan)
    assert fit_ridge(nothing_known, measured.gains, penalty=0.1).at(facts) == pytest.approx(measured.gains.mean())


@given(numbers=st.lists(st.floats(-10, 10), min_size=STUDIES, max_size=STUDIES), source=st.integers(0, SETS - 1))
def test_a_set_that_is_left_out_has_no_say(numbers: list[float], source: int) -> None:
    """Whatever a set's own studies gained, their forecasts from the other sets stay the same; the others' change."""
    measured = measured_step(np.random.default_rng(0), slope=0.03)
    mine = measured.is_from(f"set {source}")
    other = measured.gains.copy()
    other[mine] = numbers

    before = left_out(measured, measured.gains, penalty=0.1)
    after = left_out(measured, other, penalty=0.1)

    assert np.array_equal(after[mine], before[mine])
    assert not np.array_equal(after[~mine], before[~mine])


def test_the_order_of_studies_does_not_matter(rng: np.random.Generator) -> None:
    """Shuffled studies give the same forecasts, penalty and interval."""
    measured = measured_step(rng, slope=0.03)
    order = rng.permutation(len(measured.gains))
    shuffled = MeasuredStep(
        facts=measured.facts[order],
        gains=measured.gains[order],
        errors=measured.errors[order],
        freedom=measured.freedom[order],
        sources=tuple(np.array(measured.sources)[order].tolist()),
    )

    one, other = fit_forecaster(measured, margin=0.01), fit_forecaster(shuffled, margin=0.01)

    assert one.gains(measured.facts) == pytest.approx(other.gains(measured.facts))
    assert one.probabilities(measured.facts) == pytest.approx(other.probabilities(measured.facts))
    assert one.half_width() == pytest.approx(other.half_width())


def test_what_facts_say_is_used_and_what_they_do_not_is_shrunk() -> None:
    """Where a fact decides the gain the forecast beats the mean; where none does, the mean is mostly what is left."""
    rng = np.random.default_rng(1)
    telling = measured_step(rng, slope=0.05)
    shrunk = [
        choose_penalty(measured, measured.gains) for measured in (measured_step(rng, slope=0.0) for _ in range(40))
    ]

    missed = left_out(telling, telling.gains, penalty=choose_penalty(telling, telling.gains)) - telling.gains

    assert np.abs(missed).mean() < 0.5 * np.abs(telling.gains - telling.gains.mean()).mean()
    assert np.mean(np.isin(shrunk, PENALTIES[:2])) > 0.7


@pytest.mark.slow
@pytest.mark.parametrize("slope", [0.0, 0.03])
def test_the_interval_holds_studies_of_new_sets(slope: float) -> None:
    """Of simulated studies of a set that was not there the 80 % interval holds about 80 %, though sets differ."""
    rng = np.random.default_rng(2)
    held = []
    for _ in range(150):
        measured = measured_step(rng, slope=slope, between=0.02, sets=SETS + 1)
        new = measured.is_from(f"set {SETS}")
        forecaster = fit_forecaster(measured.part(~new), margin=0.01)
        missed = np.abs(forecaster.gains(measured.facts[new]) - measured.gains[new])
        held.append(np.mean(missed <= forecaster.half_width()))

    assert 0.75 < np.mean(held) < 0.92


def test_probabilities_are_never_certain(rng: np.random.Generator) -> None:
    """Also where every study paid, a forecast of another set stays below certainty, and above impossibility."""
    measured = measured_step(rng, slope=0.0)

    for margin in (-1.0, 1.0):
        found = fit_forecaster(measured, margin=margin).probabilities(measured.facts)
        assert np.all((found > 0) & (found < 1))


def test_each_strategy_is_compared_with_the_costliest_cheaper_one_that_is_tried(rng: np.random.Generator) -> None:
    """Two blocks are compared with one block, with the head where one block is not tried; others are not forecast."""
    one, two = unfreeze(1), unfreeze(2)
    steps = ((HEAD, one), (one, two), (HEAD, two))
    known = table(rng, steps, proved=True)

    def pairs(*strategies: StrategyId, metric: Metric = "accuracy") -> list[Step]:
        found = forecast_gains(task_facts(), strategies, metric=metric, margin=0.01, table=known)
        return [(forecast.over, forecast.strategy) for forecast in found]

    assert pairs(HEAD, one, two, FULL, SCRATCH) == [(HEAD, one), (one, two)]
    assert pairs(HEAD, two) == [(HEAD, two)]
    assert pairs(HEAD, one, metric="log-loss") == []


def test_a_task_without_similarity_or_probes_has_a_forecast(rng: np.random.Generator) -> None:
    """A network without BatchNorm gives no similarity; the forecast goes without it."""
    known = table(rng, ((HEAD, unfreeze(1)),), proved=False)
    facts = task_facts(similarity=Similarity(value=None), peak_depth=None, peak_gain=None, probe_accuracy=None)

    (found,) = forecast_gains(facts, (HEAD, unfreeze(1)), metric="accuracy", margin=0.01, table=known)

    assert found.low < found.gain < found.high
    assert 0 < found.pays < 1


def test_the_sentence_says_whether_forecasts_proved_themselves(rng: np.random.Generator) -> None:
    """A forecast that was no better than the mean of other sets says so; one that was does not."""
    for proved in (True, False):
        known = table(rng, ((HEAD, unfreeze(1)),), proved=proved)
        (found,) = forecast_gains(task_facts(), (HEAD, unfreeze(1)), metric="accuracy", margin=0.01, table=known)
        said = forecast_sentence(found)
        assert said.startswith("Forecast before training: unfreeze 1 ")
        assert f"{100 * found.gain:+.1f} points over head (80 %: " in said
        assert ("no better than the mean" in said) is not proved


def test_the_table_that_ships_is_complete() -> None:
    """It has studies of every step, none of the facts of a study is infinite, and each step says how it was tested."""
    known = shipped_table()

    assert set(known.steps) == set(STEPS)
    for step, measured in known.steps.items():
        assert len(measured.gains) == len(measured.sources) > 0
        assert measured.facts.shape == (len(measured.gains), len(FACTS))
        assert not np.isinf(measured.facts).any()
        assert np.all(measured.errors > 0)
        assert isinstance(known.is_better_than_mean(step), bool)
    tested = {(parse_strategy(row["first"]), parse_strategy(row["second"])) for row in known.document["tests"]}
    assert tested == set(STEPS)
