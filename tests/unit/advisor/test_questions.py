"""Which steps a verdict speaks of."""

from itertools import permutations

from example_run import COMPARISONS, STRATEGIES
from unfreeze.advisor.questions import best_probe, between, deeper, measured_strategies, pairs
from unfreeze.core.strategies import (
    FULL,
    HEAD,
    SCRATCH,
    SOFTMAX_ON_BEST,
    SOFTMAX_ON_LAST,
    SVM_ON_BEST,
    SVM_ON_LAST,
    unfreeze,
)

ONE, TWO = unfreeze(1), unfreeze(2)


def test_every_pair_is_asked_once() -> None:
    """The pairs of the verdict, each once, at any number of depths, and only of what was measured."""
    made = pairs([SVM_ON_LAST, SOFTMAX_ON_LAST, SVM_ON_BEST, SOFTMAX_ON_BEST, HEAD, TWO, ONE, FULL, SCRATCH])

    assert len(made) == len(set(made))
    assert set(made) == {
        (SOFTMAX_ON_LAST, HEAD),
        (HEAD, ONE),
        (HEAD, TWO),
        (HEAD, FULL),
        (ONE, TWO),
        (TWO, FULL),
        (SOFTMAX_ON_LAST, SVM_ON_LAST),
        (SCRATCH, FULL),
        (SVM_ON_LAST, SVM_ON_BEST),
        *((other, SOFTMAX_ON_BEST) for other in (SOFTMAX_ON_LAST, SVM_ON_LAST, HEAD, ONE, TWO, FULL, SCRATCH)),
    }


def test_the_order_in_which_strategies_were_measured_changes_no_pair() -> None:
    """The same strategies in any order give the same pairs."""
    made = {frozenset(pairs(order)) for order in permutations([SOFTMAX_ON_LAST, HEAD, ONE, FULL])}

    assert made == {
        frozenset({(SOFTMAX_ON_LAST, HEAD), (HEAD, ONE), (HEAD, FULL), (ONE, FULL)}),
    }


def test_of_one_strategy_nothing_is_asked() -> None:
    """A pair needs two strategies that belong together: none, one, or two unrelated ones give no pair."""
    assert pairs([]) == pairs([HEAD]) == pairs([SVM_ON_LAST, SCRATCH]) == ()


def test_the_best_probe_is_the_softmax_where_there_is_one() -> None:
    """An SVM at another tap would answer two questions at once."""
    assert best_probe([SVM_ON_BEST, SOFTMAX_ON_BEST]) == SOFTMAX_ON_BEST
    assert best_probe([SOFTMAX_ON_LAST, SVM_ON_BEST]) == SVM_ON_BEST
    assert best_probe([SOFTMAX_ON_LAST, SVM_ON_LAST]) is None


def test_deeper_strategies_stand_from_shallow_to_deep() -> None:
    """Blocks by their number and then the whole network; probes, the head and random weights are not among them."""
    assert deeper([FULL, unfreeze(10), SCRATCH, TWO, HEAD, SVM_ON_BEST]) == [TWO, unfreeze(10), FULL]


def test_only_what_has_predictions_was_measured() -> None:
    """Of the example's eight strategies all but the whole network, which was left out."""
    assert measured_strategies(STRATEGIES) == [
        SOFTMAX_ON_LAST,
        SVM_ON_LAST,
        SOFTMAX_ON_BEST,
        HEAD,
        ONE,
        TWO,
        unfreeze(4),
    ]


def test_a_step_is_found_by_its_sides_in_their_order() -> None:
    """From the head to two blocks there is a step, the other way round and to nothing there is none."""
    found = between(COMPARISONS, HEAD, TWO)

    assert found is not None
    assert found.difference == 0.042
    assert between(COMPARISONS, TWO, HEAD) is None
    assert between(COMPARISONS, None, HEAD) is None
