"""Whether a rule of thumb held, from what was measured."""

from collections.abc import Sequence
from typing import Literal

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.rules import carries_out, held
from unfreeze.core.facts import Prediction, Rival, RuleRecord
from unfreeze.core.records import Comparison
from unfreeze.core.wording import measured_score
from unfreeze.metrics.repeated import FOLDS
from unfreeze.strategies.predictions import Measured, well_measured

SURE = 0.975


def rule_record(prediction: Prediction, measured: Sequence[Measured], comparisons: Comparisons) -> RuleRecord:
    """The prediction, whether it held, and the sentence.

    Args:
        prediction: Made before any training.
        measured: Every strategy, cheapest first.
        comparisons: Metric and margin.

    Returns:
        The record.
    """
    usable = [m for m in measured if comparisons.has_metric(m)]
    of_family = [m for m in usable if prediction.family and carries_out(prediction.family, m.strategy)]
    # Means over other splits are not comparable: one lucky split makes no champion.
    comparable = [m for m in well_measured(usable) if m in of_family] or of_family
    best = max(comparable, key=comparisons.mean_score, default=None)
    if best is None:
        return held(prediction, None, "", [])
    most = max(m.splits for m in usable)
    others = [m for m in usable if m not in of_family and not _is_one_of(of_family, m, comparisons)]
    rivals = [_rival(comparisons, best, m, most) for m in others]
    return held(prediction, best.strategy, _shown(comparisons, best, most), rivals)


def _is_one_of(of_family: Sequence[Measured], other: Measured, comparisons: Comparisons) -> bool:
    """Whether another strategy turned out to be one of the family that costs no more.

    Where every split chose the last tap, the best tap says nothing against the last codes.
    """
    return any(
        not _is_cheaper(other, member) and comparisons.compare(member, other).answer == "same" for member in of_family
    )


def _is_cheaper(one: Measured, other: Measured) -> bool:
    return one.outcome.cost.seconds / one.splits < other.outcome.cost.seconds / other.splits


def _rival(comparisons: Comparisons, best: Measured, other: Measured, most: int) -> Rival:
    is_cheaper = _is_cheaper(other, best)
    step = comparisons.compare(best, other)
    return Rival(
        strategy=other.strategy,
        gain=step.difference,
        shown=_shown(comparisons, other, most),
        answer=_answer(step, is_cheaper=is_cheaper),
        is_cheaper=is_cheaper,
    )


def _answer(step: Comparison, *, is_cheaper: bool) -> Literal["better", "worse", "equivalent", "cannot tell"]:
    """Of the rival. That a gain is ruled out is enough against a costlier one; a cheaper one may still do as well."""
    if step.answer == "worth it":
        return "better"
    if step.answer in {"equivalent", "same"}:
        return "equivalent"
    if (step.worse or 0.0) >= SURE or (step.answer == "not worth it" and not is_cheaper):
        return "worse"
    return "cannot tell"


def _shown(comparisons: Comparisons, measured: Measured, most: int) -> str:
    """The score as a verdict writes it, with its splits where they are fewer than a round that others have."""
    score = measured_score(comparisons.mean_score(measured), comparisons.question.metric)
    return score if measured.splits >= min(FOLDS, most) else f"{score} (on {measured.splits} of {most} splits)"
