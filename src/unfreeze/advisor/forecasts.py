"""What each step will gain, forecast from facts before a network is trained, by what it gained in measured studies.

The table of studies ships with the package (`forecasts.json`); ``python benchmarks/forecasts.py --rebuild`` makes it.
For each step a ridge regression on six standardised facts gives the point, and another one the probability that the
gain exceeds the margin. How far both are shrunk to the mean of the studies is chosen with whole source sets left out,
and what the forecast of sets that were left out missed by gives the interval: studies of one set are alike, so that it
is the number of sets that counts, not of studies. Whether a forecast is better than the mean gain of other sets is
measured when the table is made, and stands in it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import stdtr, stdtrit

from unfreeze.core.facts import Facts, GainForecast
from unfreeze.core.phrases import not_proved
from unfreeze.core.records import Interval
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import HEAD, SOFTMAX_ON_BEST, SOFTMAX_ON_LAST, StrategyId, parse_strategy, unfreeze
from unfreeze.core.wording import difference, difference_span, probability

FACTS = ("log images", "log images per class", "similarity", "peak depth", "peak gain", "error left")
Step = tuple[StrategyId, StrategyId]
STEPS: tuple[Step, ...] = (
    (SOFTMAX_ON_LAST, SOFTMAX_ON_BEST),
    (SOFTMAX_ON_BEST, HEAD),
    (HEAD, unfreeze(1)),
    (unfreeze(1), unfreeze(2)),
    (HEAD, unfreeze(2)),
)
LEVEL = 0.8
PENALTIES = (np.inf, 3.0, 1.0, 0.3, 0.1, 0.03)  # in units of the number of studies; the first leaves the mean alone
SURE = 0.01  # a forecast from a few sets is never surer than this


def fact_values(facts: Facts) -> list[float | None]:
    """What a forecast is made from.

    Args:
        facts: Before any training.

    Returns:
        A number for each of `FACTS`; None where it was not measured.
    """
    accuracy = facts.probe_accuracy
    return [
        float(np.log(facts.images)),
        float(np.log(facts.images / facts.classes)),
        facts.similarity.value,
        facts.peak_depth,
        facts.peak_gain,
        None if accuracy is None else 1 - accuracy,
    ]


@dataclass(frozen=True, eq=False, kw_only=True)
class MeasuredStep:
    """What one step gained in studies.

    Attributes:
        facts: Before training, in the order of `FACTS`; NaN where one was not measured.
        gains: Measured difference of the second strategy to the first, a fraction.
        errors: Its standard error.
        freedom: Degrees of freedom of Student's t about it.
        sources: Source set of each study.
    """

    facts: Float[np.ndarray, "study fact"]
    gains: Float[np.ndarray, " study"]
    errors: Float[np.ndarray, " study"]
    freedom: Float[np.ndarray, " study"]
    sources: tuple[str, ...]

    def paid(self, margin: float) -> Float[np.ndarray, " study"]:
        """Posterior probability that the gain of each study exceeds a margin, as `compare_folds` has it."""
        return np.asarray(stdtr(self.freedom, (self.gains - margin) / self.errors))

    def is_from(self, source: str) -> Bool[np.ndarray, " study"]:
        """Which studies are of a source set."""
        return np.array([known == source for known in self.sources], dtype=bool)

    def part(self, chosen: Bool[np.ndarray, " study"]) -> "MeasuredStep":
        """Some of the studies."""
        return MeasuredStep(
            facts=self.facts[chosen],
            gains=self.gains[chosen],
            errors=self.errors[chosen],
            freedom=self.freedom[chosen],
            sources=tuple(np.array(self.sources)[chosen].tolist()),
        )


@dataclass(frozen=True, eq=False)
class Ridge:
    """A linear function of standardised facts.

    Attributes:
        centre: Of each fact; takes the place of one that was not measured.
        scale: Of each fact.
        weights: Of the standardised facts.
        mean: What it gives at the centre.
    """

    centre: Float[np.ndarray, " fact"]
    scale: Float[np.ndarray, " fact"]
    weights: Float[np.ndarray, " fact"]
    mean: float

    def at(self, facts: Float[np.ndarray, "study fact"]) -> Float[np.ndarray, " study"]:
        """Its values."""
        return np.asarray(self.mean + _standardised(facts, self.centre, self.scale) @ self.weights)


def fit_ridge(facts: Float[np.ndarray, "study fact"], targets: Float[np.ndarray, " study"], *, penalty: float) -> Ridge:
    """Least squares with a penalty on the squared weights.

    Args:
        facts: Any scale; NaN where one was not measured.
        targets: Any scale.
        penalty: Times the number of studies, what the squared norm of the weights is multiplied by; infinity gives the
            mean of the targets.

    Returns:
        The minimum of ``|targets - mean - Z w|² + penalty n |w|²``, Z the standardised facts.
    """
    known = np.isfinite(facts)
    count = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, facts, 0.0).sum(axis=0) / count
    scale = np.sqrt((np.where(known, facts - centre, 0.0) ** 2).sum(axis=0) / count)
    scale = np.where(scale > 0, scale, 1.0)
    mean = float(targets.mean())
    if np.isinf(penalty):
        return Ridge(centre, scale, np.zeros(facts.shape[1]), mean)
    z = _standardised(facts, centre, scale)
    weights = np.linalg.solve(z.T @ z + penalty * len(z) * np.eye(z.shape[1]), z.T @ (targets - mean))
    return Ridge(centre, scale, weights, mean)


def _standardised(
    facts: Float[np.ndarray, "study fact"], centre: Float[np.ndarray, " fact"], scale: Float[np.ndarray, " fact"]
) -> Float[np.ndarray, "study fact"]:
    return np.where(np.isfinite(facts), (facts - centre) / scale, 0.0)


def left_out(
    measured: MeasuredStep, targets: Float[np.ndarray, " study"], *, penalty: float
) -> Float[np.ndarray, " study"]:
    """For each study what the studies of other source sets say of it.

    Args:
        measured: Of two source sets or more.
        targets: Of each study.
        penalty: As in `fit_ridge`.

    Returns:
        Forecasts.
    """
    found = np.empty(len(targets))
    for source in set(measured.sources):
        held_out = measured.is_from(source)
        ridge = fit_ridge(measured.facts[~held_out], targets[~held_out], penalty=penalty)
        found[held_out] = ridge.at(measured.facts[held_out])
    return found


def choose_penalty(measured: MeasuredStep, targets: Float[np.ndarray, " study"]) -> float:
    """The largest penalty that forecasts source sets, each left out in turn, as well as the best one within its noise.

    Within its noise: its squared error is greater by no more than one standard error, over sets, of the difference (the
    rule of Breiman et al., Classification and Regression Trees, 1984, paired). So in doubt the mean is what is left.

    Args:
        measured: The studies; of a single source set nothing can be left out, and the mean is all there is.
        targets: Of each study.

    Returns:
        One of `PENALTIES`.
    """
    sources = sorted(set(measured.sources))
    if len(sources) < 2:
        return PENALTIES[0]
    errors = np.stack([(left_out(measured, targets, penalty=p) - targets) ** 2 for p in PENALTIES])
    by_set = np.stack([errors[:, measured.is_from(source)].mean(axis=1) for source in sources], axis=1)
    more = by_set - by_set[by_set.mean(axis=1).argmin()]
    noise = more.std(axis=1, ddof=1) / len(sources) ** 0.5
    return PENALTIES[int(np.flatnonzero(more.mean(axis=1) <= noise)[0])]


@dataclass(frozen=True, eq=False, kw_only=True)
class StepForecaster:
    """Forecasts of one step.

    Attributes:
        gain: Point.
        spread: Root mean square of what it missed source sets by that were left out.
        freedom: One less than the number of source sets.
        pays: Probability that the gain exceeds the margin.
    """

    gain: Ridge
    spread: float
    freedom: int
    pays: Ridge

    def gains(self, facts: Float[np.ndarray, "study fact"]) -> Float[np.ndarray, " study"]:
        """Points."""
        return self.gain.at(facts)

    def half_width(self, level: float = LEVEL) -> float:
        """Half the interval of what a study of a new set will measure."""
        return float(stdtrit(self.freedom, 0.5 + level / 2)) * self.spread

    def probabilities(self, facts: Float[np.ndarray, "study fact"]) -> Float[np.ndarray, " study"]:
        """That the gain exceeds the margin."""
        return np.asarray(np.clip(self.pays.at(facts), SURE, 1 - SURE))


def fit_forecaster(measured: MeasuredStep, *, margin: float) -> StepForecaster:
    """Everything that studies say of a step.

    Args:
        measured: The studies.
        margin: Gains up to this do not pay; a fraction.

    Returns:
        The forecaster.
    """
    paid = measured.paid(margin)
    penalty = choose_penalty(measured, measured.gains)
    several = len(set(measured.sources)) > 1
    missed = (
        left_out(measured, measured.gains, penalty=penalty) if several else np.full(len(paid), measured.gains.mean())
    )
    return StepForecaster(
        gain=fit_ridge(measured.facts, measured.gains, penalty=penalty),
        spread=float(np.sqrt(((missed - measured.gains) ** 2).mean())),
        freedom=max(1, len(set(measured.sources)) - 1),
        pays=fit_ridge(measured.facts, paid, penalty=choose_penalty(measured, paid)),
    )


@dataclass(frozen=True, eq=False)
class ForecastTable:
    """The studies, and what a test of their forecasts gave.

    Attributes:
        document: As `forecasts.json` has it.
    """

    document: Mapping[str, Any]

    @cached_property
    def steps(self) -> dict[Step, MeasuredStep]:
        """The studies of each step, by what is compared against and what is asked about."""
        return {step: of_step(self.document["studies"], step) for step in STEPS}

    def is_better_than_mean(self, step: Step) -> bool:
        """Whether the forecast of the gain was better than the mean gain of other sets, beyond chance."""
        return bool(self._tests(step).get("better_than_mean", False))

    def is_better_than_rate(self, step: Step) -> bool:
        """Whether the probability that it pays was better than the base rate of other sets, beyond chance."""
        return bool(self._tests(step).get("better_than_rate", False))

    def _tests(self, step: Step) -> Mapping[str, Any]:
        return next((row for row in self.document["tests"] if _step_of(row) == step), {})


def _step_of(row: Mapping[str, Any]) -> Step:
    return parse_strategy(row["first"]), parse_strategy(row["second"])


def of_step(studies: Sequence[Mapping[str, Any]], step: Step) -> MeasuredStep:
    """What one step gained in the studies that measured it.

    Args:
        studies: Each with ``set``, ``facts`` (in the order of `FACTS`) and ``steps``: ``first``, ``second``, ``gain``,
            ``error``, ``freedom``.
        step: First and second.

    Returns:
        The step.
    """
    found = [(study, each) for study in studies for each in study["steps"] if _step_of(each) == step]
    facts = np.array([study["facts"] for study, _ in found], dtype=np.float64)  # None becomes NaN
    return MeasuredStep(
        facts=facts.reshape(len(found), len(FACTS)),
        gains=np.array([each["gain"] for _, each in found], dtype=np.float64),
        errors=np.array([each["error"] for _, each in found], dtype=np.float64),
        freedom=np.array([each["freedom"] for _, each in found], dtype=np.float64),
        sources=tuple(study["set"] for study, _ in found),
    )


@cache
def shipped_table() -> ForecastTable:
    """The table that ships with the package."""
    text = files("unfreeze.advisor").joinpath("forecasts.json").read_text(encoding="utf-8")
    return ForecastTable(json.loads(text))


def forecast_gains(
    facts: Facts,
    strategies: Sequence[StrategyId],
    *,
    metric: Metric,
    margin: float,
    table: ForecastTable | None = None,
) -> tuple[GainForecast, ...]:
    """What each strategy is expected to gain over the next cheaper one that the table knows.

    Args:
        facts: Of probes that were fitted.
        strategies: Cheapest first.
        metric: What decides.
        margin: Gains up to this do not pay; a fraction.
        table: Of studies; the one that ships if None.

    Returns:
        A forecast for each strategy that the table has studies of; none where log-loss decides, which they did not
        measure.
    """
    if metric == "log-loss":
        return ()
    known = table or shipped_table()
    values = np.array([fact_values(facts)], dtype=np.float64)
    steps = [step for step in _next_steps(strategies) if len(known.steps[step].gains)]
    return tuple(_forecast(known, step, values, margin) for step in steps)


def _next_steps(strategies: Sequence[StrategyId]) -> list[Step]:
    """For each strategy the step to it from the most expensive of the cheaper ones."""
    found = []
    for place, second in enumerate(strategies):
        cheaper = [first for first in strategies[:place] if (first, second) in STEPS]
        found += [(cheaper[-1], second)] if cheaper else []
    return found


def _forecast(table: ForecastTable, step: Step, facts: Float[np.ndarray, "1 fact"], margin: float) -> GainForecast:
    forecaster = fit_forecaster(table.steps[step], margin=margin)
    gain, half = float(forecaster.gains(facts)[0]), forecaster.half_width()
    return GainForecast(
        strategy=step[1],
        over=step[0],
        gain=gain,
        low=gain - half,
        high=gain + half,
        pays=float(forecaster.probabilities(facts)[0]),
        better_than_mean=table.is_better_than_mean(step),
        better_than_rate=table.is_better_than_rate(step),
    )


def forecast_sentence(forecast: GainForecast) -> str:
    """One line for whoever watches.

    Args:
        forecast: Made before training.

    Returns:
        Gain, interval, probability, and whether such forecasts have proved themselves.
    """
    span = difference_span(Interval(forecast.low, forecast.high), "accuracy")
    gain = f"{difference(forecast.gain, 'accuracy')} over {forecast.over.label} ({100 * LEVEL:.0f} %: {span})"
    said = (
        f"Forecast before training: {forecast.strategy.label} {gain}, pays with a probability of "
        f"{probability(forecast.pays)}"
    )
    doubt = not_proved(gain=forecast.better_than_mean, probability=forecast.better_than_rate)
    return f"{said}; {doubt}." if doubt else f"{said}."
