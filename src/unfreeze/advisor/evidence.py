"""From a run to facts, and from facts to a rule of thumb that is put to the test."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from unfreeze.advisor.facts import facts
from unfreeze.advisor.forecasts import forecast_gains
from unfreeze.advisor.phrases import measured_score
from unfreeze.advisor.rules import carries_out, held
from unfreeze.advisor.steps import Question, comparable, compare, mean_score
from unfreeze.advisor.verdict import SOFTMAX_ON_BEST, SOFTMAX_ON_LAST, SVM_ON_LAST
from unfreeze.core.facts import Facts, GainForecast, Prediction, Rival, Similarity
from unfreeze.core.records import Comparison, DepthPoint, plain
from unfreeze.features.similarity import SAMPLE, measure_similarity
from unfreeze.strategies.depth import depth_points
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.measuring import Measurement, well_measured
from unfreeze.strategies.step_one import StepOne

SHARE_OF_BUDGET = 0.02  # for similarity
SECONDS_AN_IMAGE = 0.08  # two passes through the network in float32, on one core of a server
FEWEST_IMAGES = 20
SURE = 0.975


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
    return measure_similarity(experiment.source, images, pool=experiment.squares.pool, count=count)


def facts_of(experiment: Experiment, similarity: Similarity, depth_curve: Sequence[DepthPoint] = ()) -> Facts:
    """What is known of the train part.

    Args:
        experiment: Images and network.
        similarity: As measured.
        depth_curve: Probes at every tap; none before they were fitted.

    Returns:
        The facts.
    """
    task = experiment.task
    images = [task.image_set.images[row] for row in task.train_rows]
    return facts(
        [image.label for image in images],
        [min(image.width, image.height) for image in images],
        input_size=experiment.source.card.size,
        similarity=similarity,
        groups=[image.group for image in images],
        accuracy_by_tap={point.tap: point.cv_accuracy for point in depth_curve if point.loss == "softmax"},
    )


def facts_before_training(shared: StepOne, similarity: Similarity) -> Facts:
    """The facts, with a depth curve of the first split alone: what is known before any network is trained.

    Args:
        shared: Fits the probes of that split, or has them; whoever measures on it takes them from there.
        similarity: As measured.

    Returns:
        The facts.
    """
    experiment, task = shared.experiment, shared.experiment.task
    split = task.split(0)
    with experiment.progress.phase("probes", total=len(shared.places), unit="fit") as advance:
        fitted = shared.fit(split, shared.places, advance)
    return facts_of(experiment, similarity, depth_points([(split, fitted)], task))


def gain_forecasts(
    shared: StepOne, similarity: Similarity, blocks: Sequence[int], question: Question
) -> tuple[GainForecast, ...]:
    """What each strategy is expected to gain over the next cheaper one, before any network is trained.

    Args:
        shared: As for `facts_before_training`.
        similarity: As measured.
        blocks: How many last blocks will be tried, ascending.
        question: Metric and margin.

    Returns:
        A forecast for each strategy that the table of measured studies knows.
    """
    names = (SOFTMAX_ON_LAST, SOFTMAX_ON_BEST, "head", *(f"unfreeze {number}" for number in blocks))
    facts = plain(facts_before_training(shared, similarity))
    return forecast_gains(facts, names, metric=question.metric, margin=question.margin)


def rule_record(prediction: Prediction, question: Question, measured: Sequence[Measurement]) -> dict[str, Any]:
    """The prediction, whether it held, and the sentence, as plain data.

    Args:
        prediction: Made before any training.
        question: Metric and margin.
        measured: Every strategy, cheapest first.

    Returns:
        ``rule``, ``said``, ``family``, ``size``, ``likeness``, ``answer``, ``sentence``.
    """
    usable = [m for m in measured if comparable(question, m, m)]
    of_family = [m for m in usable if _is_of(prediction, m)]
    # Means over other splits are not comparable: one lucky split makes no champion.
    mine = [m for m in well_measured(usable) if m in of_family] or of_family
    best = max(mine, key=lambda m: mean_score(question, m), default=None)
    rivals = [_rival(question, best, m) for m in usable if m not in of_family] if best else []
    found = held(prediction, best.name if best else None, _shown(question, best) if best else "", rivals)
    said: Mapping[str, Any] = plain(prediction)
    return {
        "rule": said["rule"],
        "said": said["sentence"],
        "family": said["family"],
        "size": said["size"],
        "likeness": said["likeness"],
        "answer": found.answer,
        "sentence": found.sentence,
    }


def _is_of(prediction: Prediction, measured: Measurement) -> bool:
    if prediction.family is None:
        return False
    on_last = measured.name in {SOFTMAX_ON_LAST, SVM_ON_LAST}
    return carries_out(prediction.family, measured.outcome.kind, on_last_codes=on_last)


def _rival(question: Question, best: Measurement, other: Measurement) -> Rival:
    is_cheaper = other.outcome.cost.seconds / other.splits < best.outcome.cost.seconds / best.splits
    return Rival(
        name=other.name,
        score=mean_score(question, other),
        shown=_shown(question, other),
        answer=_answer(compare(question, best, other), is_cheaper=is_cheaper),
        is_cheaper=is_cheaper,
    )


def _answer(step: Comparison, *, is_cheaper: bool) -> Literal["better", "worse", "equivalent", "cannot tell"]:
    """Of the rival. That a gain is ruled out is enough against a dearer one; a cheaper one may still do as well."""
    if step.answer == "worth it":
        return "better"
    if step.answer == "equivalent":
        return "equivalent"
    if (step.worse or 0.0) >= SURE or (step.answer == "not worth it" and not is_cheaper):
        return "worse"
    return "cannot tell"


def _shown(question: Question, measured: Measurement) -> str:
    """The score as a verdict writes it."""
    return measured_score(mean_score(question, measured), question.metric)
