"""Which steps a verdict speaks of."""

from itertools import permutations

from example_run import COMPARISONS, STRATEGIES
from unfreeze.advisor.questions import (
    best_extractor,
    best_probe,
    between,
    deeper,
    may_be_the_same,
    measured_strategies,
    pairs,
)
from unfreeze.core.strategies import (
    FULL,
    HEAD,
    LINEAR_ON_ALL,
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
        (SOFTMAX_ON_LAST, SOFTMAX_ON_BEST),
        (HEAD, SOFTMAX_ON_BEST),
        *((SOFTMAX_ON_BEST, strategy) for strategy in (ONE, TWO, FULL)),
    }


def test_the_classifier_on_all_taps_is_asked_about_in_place_of_the_best_tap() -> None:
    """Against the head, and each deeper strategy against it; the best tap is asked about beside the last codes only."""
    made = pairs([SOFTMAX_ON_LAST, SOFTMAX_ON_BEST, LINEAR_ON_ALL, HEAD, ONE, FULL])

    assert set(made) == {
        (SOFTMAX_ON_LAST, HEAD),
        (HEAD, ONE),
        (HEAD, FULL),
        (ONE, FULL),
        (SOFTMAX_ON_LAST, SOFTMAX_ON_BEST),
        (HEAD, LINEAR_ON_ALL),
        (LINEAR_ON_ALL, ONE),
        (LINEAR_ON_ALL, FULL),
    }


def test_without_a_head_the_classifier_on_all_taps_is_compared_with_the_last_codes() -> None:
    """By the softmax where there is one, else by the SVM."""
    assert pairs([SOFTMAX_ON_LAST, LINEAR_ON_ALL]) == ((SOFTMAX_ON_LAST, LINEAR_ON_ALL),)
    assert pairs([SVM_ON_LAST, LINEAR_ON_ALL]) == ((SVM_ON_LAST, LINEAR_ON_ALL),)


def test_the_feature_extractors_best_answer() -> None:
    """All taps before the best one, and the softmax before the SVM."""
    assert best_extractor([SOFTMAX_ON_BEST, LINEAR_ON_ALL]) == LINEAR_ON_ALL
    assert best_extractor([SVM_ON_BEST, SOFTMAX_ON_BEST]) == SOFTMAX_ON_BEST
    assert best_extractor([HEAD, SOFTMAX_ON_LAST]) is None


def test_only_the_same_classifier_on_what_may_be_the_same_codes_is_one_function() -> None:
    """The head and both softmaxes can be one, and both SVMs; nothing else, and no training, in either order."""
    everything = [SOFTMAX_ON_LAST, SOFTMAX_ON_BEST, SVM_ON_LAST, SVM_ON_BEST, LINEAR_ON_ALL, HEAD, ONE, FULL, SCRATCH]
    found = {pair for pair in permutations(everything, 2) if may_be_the_same(*pair)}

    assert found == {
        *permutations([HEAD, SOFTMAX_ON_LAST, SOFTMAX_ON_BEST], 2),
        *permutations([SVM_ON_LAST, SVM_ON_BEST], 2),
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
