"""Which steps a verdict speaks of, and what they are measured by."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from unfreeze.core.records import Comparison, Outcome
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import (
    HEAD,
    LINEAR_ON_ALL,
    SCRATCH,
    SOFTMAX_ON_BEST,
    SOFTMAX_ON_LAST,
    SVM_ON_BEST,
    SVM_ON_LAST,
    StrategyId,
)
from unfreeze.data.tasks import Task


@dataclass(frozen=True, eq=False, kw_only=True)
class Question:
    """What steps are measured by.

    Attributes:
        task: Labels, groups and splits.
        metric: What decides.
        margin: Differences up to this do not matter.
        seed: Of what is simulated.
    """

    task: Task
    metric: Metric
    margin: float
    seed: int


def pairs(measured: Iterable[StrategyId]) -> tuple[tuple[StrategyId, StrategyId], ...]:
    """The steps that a verdict speaks of, as far as both sides were measured.

    The head against the softmax on the last codes; each deeper strategy against the head; each deeper one against the
    next shallower one; SVM against softmax; pretrained against random weights; the probes at the best tap against the
    same probes on the last codes. The feature extractor's best answer, the classifier on all taps (without it the
    probe at the best tap, the softmax where there is one, since an SVM at another tap would answer two questions at
    once), against the head, and each deeper strategy against it.

    An SVM has no log-loss: where that decides, its pairs cannot be compared and have to be passed over.

    Args:
        measured: What was measured.

    Returns:
        Each pair once: what is compared against, and what is asked about.
    """
    return tuple(dict.fromkeys(_pairs(tuple(measured))))


def _pairs(measured: Sequence[StrategyId]) -> Iterable[tuple[StrategyId, StrategyId]]:
    heads, softmax, svm, scratch = (
        [known for known in measured if known == wanted] for wanted in (HEAD, SOFTMAX_ON_LAST, SVM_ON_LAST, SCRATCH)
    )
    trained = deeper(measured)
    yield from product(softmax, heads)
    yield from product(heads, trained)
    yield from pairwise(trained)
    yield from product(softmax, svm)
    yield from product(scratch, [known for known in trained if known.kind == "full"])
    for last, best in ((softmax, SOFTMAX_ON_BEST), (svm, SVM_ON_BEST)):
        yield from product(last, [known for known in measured if known == best])
    extractor = best_extractor(measured)
    if extractor is not None:
        yield from ((one, extractor) for one in heads or softmax or svm)
        yield from ((extractor, one) for one in trained)


def may_be_the_same(first: StrategyId, second: StrategyId) -> bool:
    """Whether two strategies can be one function.

    The head is a softmax on the last codes, and the best tap may be the last one: these three can be one, and two SVMs.

    Args:
        first: One.
        second: The other.

    Returns:
        True for these alone; whether they are the same, their predictions say.
    """
    sides = {first, second}
    return sides <= {HEAD, SOFTMAX_ON_LAST, SOFTMAX_ON_BEST} or sides <= {SVM_ON_LAST, SVM_ON_BEST}


def deeper(strategies: Iterable[StrategyId]) -> list[StrategyId]:
    """What trains more than the head, shallow to deep; random weights apart."""
    return sorted((known for known in strategies if known.is_deeper), key=lambda known: known.rank)


def best_probe(measured: Iterable[StrategyId]) -> StrategyId | None:
    """The probe whose tap was chosen: the softmax where it was measured, else the SVM; None if neither was."""
    known = set(measured)
    return next((probe for probe in (SOFTMAX_ON_BEST, SVM_ON_BEST) if probe in known), None)


def best_extractor(measured: Iterable[StrategyId]) -> StrategyId | None:
    """The feature extractor's best answer: the classifier on all taps, else the probe at the best one."""
    known = list(measured)
    return LINEAR_ON_ALL if LINEAR_ON_ALL in known else best_probe(known)


def measured_strategies(outcomes: Iterable[Outcome]) -> list[StrategyId]:
    """Of those that have predictions."""
    return [outcome.strategy for outcome in outcomes if outcome.measured]


def between(
    comparisons: Iterable[Comparison], first: StrategyId | None, second: StrategyId | None
) -> Comparison | None:
    """The step from the first to the second; None if it was not compared."""
    return next((c for c in comparisons if (c.first, c.second) == (first, second)), None)
