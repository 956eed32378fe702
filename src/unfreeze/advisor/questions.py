"""Which steps a verdict speaks of, and what they are measured by."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from unfreeze.core.records import Comparison, Outcome
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import (
    HEAD,
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
    same probes on the last codes, and one of them (the softmax where there is one, since an SVM at another tap would
    answer two questions at once) against everything else that was measured.

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
    chosen = best_probe(measured)
    if chosen is not None:
        yield from ((other, chosen) for other in [*softmax, *svm, *heads, *trained, *scratch])


def deeper(strategies: Iterable[StrategyId]) -> list[StrategyId]:
    """What trains more than the head, shallow to deep; random weights apart."""
    return sorted((known for known in strategies if known.is_deeper), key=lambda known: known.rank)


def best_probe(measured: Iterable[StrategyId]) -> StrategyId | None:
    """The probe whose tap was chosen: the softmax where it was measured, else the SVM; None if neither was."""
    known = set(measured)
    return next((probe for probe in (SOFTMAX_ON_BEST, SVM_ON_BEST) if probe in known), None)


def measured_strategies(outcomes: Iterable[Outcome]) -> list[StrategyId]:
    """Of those that have predictions."""
    return [outcome.strategy for outcome in outcomes if outcome.measured]


def between(
    comparisons: Iterable[Comparison], first: StrategyId | None, second: StrategyId | None
) -> Comparison | None:
    """The step from the first to the second; None if it was not compared."""
    return next((c for c in comparisons if (c.first, c.second) == (first, second)), None)
