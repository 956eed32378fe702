"""What is found out before any network is trained: similarity, facts, forecasts."""

from collections.abc import Sequence

import numpy as np

from unfreeze.advisor.fact_finding import facts_of
from unfreeze.advisor.forecasts import forecast_gains
from unfreeze.advisor.questions import Question
from unfreeze.core.facts import Facts, GainForecast, Similarity
from unfreeze.core.journal import once
from unfreeze.core.records import DepthPoint
from unfreeze.core.strategies import HEAD, SOFTMAX_ON_BEST, SOFTMAX_ON_LAST, StrategyId
from unfreeze.features.similarity import SAMPLE, measure_similarity
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.step_one import StepOne

SHARE_OF_BUDGET = 0.02  # for similarity
SECONDS_AN_IMAGE = 0.08  # two passes through the network in float32, on one core of a server
FEWEST_IMAGES = 20


def similarity_within(experiment: Experiment, *, budget: float) -> Similarity:
    """Similarity of the train part to the source, on as many images as a small share of the budget allows.

    Args:
        experiment: Network and images.
        budget: Seconds.

    Returns:
        As `measure_similarity`.
    """
    count = int(np.clip(SHARE_OF_BUDGET * budget / SECONDS_AN_IMAGE, FEWEST_IMAGES, SAMPLE))
    task = experiment.task
    images = [task.image_set.images[row] for row in task.train_rows]
    pool, checkpoint = experiment.squares.pool, experiment.progress.checkpoint
    return measure_similarity(experiment.source, images, pool=pool, count=count, advance=checkpoint)


def facts_before_training(shared: StepOne, similarity: Similarity) -> Facts:
    """The facts, with a depth curve of the first split alone: what is known before any network is trained.

    Args:
        shared: Fits the probes of that split, or has them; whoever measures on it takes them from there.
        similarity: As measured.

    Returns:
        The facts.
    """
    experiment, task = shared.experiment, shared.experiment.task
    points = once(
        experiment.resources.journal, "depth-curve-of-split-0", tuple[DepthPoint, ...], lambda: _points(shared)
    )
    shared.take_note(task.split(0).name, points)
    return facts_of(task, experiment.source.card.size, similarity, points)


def _points(shared: StepOne) -> tuple[DepthPoint, ...]:
    """Every probe of the first split."""
    split, probes = shared.experiment.task.split(0), shared.every_probe
    with shared.experiment.progress.phase("probes", total=len(probes), unit="fit") as advance:
        shared.fit(split, probes, advance)
    return shared.points(split, probes)


def gain_forecasts(
    shared: StepOne, similarity: Similarity, strategies: Sequence[StrategyId], question: Question
) -> tuple[GainForecast, ...]:
    """What each strategy is expected to gain over the next cheaper one, before any network is trained.

    Args:
        shared: As for `facts_before_training`.
        similarity: As measured.
        strategies: What will be trained, from cheap to expensive.
        question: Metric and margin.

    Returns:
        A forecast for each strategy that the table of measured studies knows.
    """
    known = (SOFTMAX_ON_LAST, SOFTMAX_ON_BEST, HEAD, *strategies)
    facts = facts_before_training(shared, similarity)
    return forecast_gains(facts, known, metric=question.metric, margin=question.margin)
