"""A rule of thumb, held against what was measured."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.fact_finding import facts
from unfreeze.advisor.rule_check import rule_record
from unfreeze.advisor.rules import predicted
from unfreeze.core.facts import Similarity
from unfreeze.core.records import Cost
from unfreeze.core.strategies import FULL, HEAD, SOFTMAX_ON_BEST, SOFTMAX_ON_LAST, SVM_ON_LAST
from unfreeze.data.tasks import Task
from unfreeze.strategies.predictions import Measured

MakeTask = Callable[..., Task]
Measure = Callable[..., Measured]
Compare = Callable[..., Comparisons]
FAST, SLOW, SLOWER = Cost(seconds=1.0), Cost(seconds=9.0), Cost(seconds=20.0)
# Many images, unlike the source's: rule 4, the whole network.
WHOLE = predicted(facts(["a", "b"] * 1000, [224] * 2000, input_size=224, similarity=Similarity(value=0.2, because="")))

# Few images, like the source's: rule 1, a linear classifier on the last codes.
LAST = predicted(facts(["a", "b"] * 100, [224] * 200, input_size=224, similarity=Similarity(value=0.8, because="")))


def test_what_a_rule_named_is_spoken_of_on_however_few_splits(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """The whole network on one split of five: not settled, but not unmeasured either; on two its gain is settled."""
    task = make_rows(500)
    head = measured(HEAD, task, range(60), splits=5, cost=FAST)
    once, twice = (
        rule_record(WHOLE, [head, measured(FULL, task, range(10), splits=splits, cost=SLOW)], comparisons(task))
        for splits in (1, 2)
    )

    assert once.answer == "cannot tell"
    assert "full" in once.sentence
    assert "not settled against head" in once.sentence
    assert twice.answer == "held"


def test_a_rival_that_turned_out_to_be_the_same_does_as_well(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """Where earlier codes were foretold and every split chose the last ones, these do as well for less."""
    task = make_rows(100)
    prediction = replace(LAST, family="linear on earlier codes")
    best, last = measured(SOFTMAX_ON_BEST, task, cost=SLOW), measured(SOFTMAX_ON_LAST, task, cost=FAST)

    found = rule_record(prediction, [last, best], comparisons(task))

    assert found.answer == "did not hold"
    assert "does as well for less" in found.sentence


def test_a_probe_that_always_chose_the_last_tap_says_nothing_against_the_last_codes(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """It is the classifier that was foretold, though it costs less than the head, which is one of the family too."""
    task = make_rows(100)
    last, best = (measured(kind, task, cost=FAST) for kind in (SOFTMAX_ON_LAST, SOFTMAX_ON_BEST))
    head, full = measured(HEAD, task, cost=SLOW), measured(FULL, task, range(60), cost=SLOWER)

    found = rule_record(LAST, [last, best, head, full], comparisons(task))

    assert found.answer == "held"


def test_one_lucky_split_is_no_champion_of_a_rule(make_rows: MakeTask, measured: Measure, comparisons: Compare) -> None:
    """Of a rule's own strategies the best on five splits speaks for it, not a better one on a single split."""
    task = make_rows(500)
    head = measured(HEAD, task, range(250), splits=5, cost=FAST)
    lucky = measured(SVM_ON_LAST, task, [], splits=1, cost=FAST)
    full = measured(FULL, task, [], splits=5, cost=SLOW)

    found = rule_record(LAST, [lucky, head, full], comparisons(task))

    assert "measured: head" in found.sentence
    assert "full, 100.0 %, is better. It did not hold." in found.sentence


def test_a_rule_stays_open_against_a_rival_on_a_single_split(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """What was measured too rarely to be settled is not said to be worse."""
    task = make_rows(500)
    head = measured(HEAD, task, [], splits=5, cost=FAST)
    full = measured(FULL, task, range(500), splits=1, cost=SLOW)

    found = rule_record(LAST, [head, full], comparisons(task))

    assert found.answer == "cannot tell"
    assert "not settled against full 0.0 % (on 1 of 5 splits)" in found.sentence


def test_rivals_are_ranked_on_common_splits(make_rows: MakeTask, measured: Measure, comparisons: Compare) -> None:
    """Of two that refute a rule the one with the larger gain on common splits is named, not the one with two easy ones.

    On its two splits a lucky rival is right everywhere, and so nearly is the head, which gains nothing from it there;
    on all five the other rival gains forty points.
    """
    task = make_rows(500)
    hard = [int(row) for number in range(2, 5) for row in task.split(number).test[:70]]
    easy = [int(row) for number in range(2) for row in task.split(number).test[:20]]
    head = measured(HEAD, task, [*hard, *easy], cost=FAST)
    lucky = measured(FULL, task, [], splits=2, cost=SLOW)
    steady = measured(SOFTMAX_ON_BEST, task, range(5), cost=SLOW)

    sentence = rule_record(LAST, [head, steady, lucky], comparisons(task)).sentence

    assert "and softmax on the best tap, 99.0 %, is better." in sentence


def test_a_rule_under_log_loss_is_told_in_nats(make_rows: MakeTask, measured: Measure, comparisons: Compare) -> None:
    """The sentence of a rule gives the score that the table gives."""
    task = make_rows(500)
    head = measured(HEAD, task, [], splits=5, cost=FAST)
    full = measured(FULL, task, range(500), splits=5, cost=SLOW)

    # -log 0.9 nats, since the right class has 0.9 of the probability everywhere
    assert rule_record(LAST, [head, full], comparisons(task, "log-loss")).sentence.endswith(
        "measured: head 0.105 nats, and nothing else that was measured was better, or as good for less. It held."
    )


def test_cheaper_means_less_time_and_not_an_earlier_place(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """As good as the whole network and slower: the rule held; as good and faster: it did not."""
    task = make_rows(500)
    full = measured(FULL, task, [], splits=5, cost=SLOW)
    answers = [
        rule_record(WHOLE, [measured(HEAD, task, [], cost=cost), full], comparisons(task, margin=0.05)).answer
        for cost in (FAST, SLOWER)
    ]

    assert answers == ["did not hold", "held"]


def test_a_rule_whose_strategies_were_not_measured_cannot_be_told(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """Without the whole network its rule has nothing to speak for it, and the prediction is kept beside that."""
    task = make_rows(500)
    found = rule_record(WHOLE, [measured(HEAD, task, cost=FAST)], comparisons(task))

    assert (found.prediction, found.answer) == (WHOLE, "cannot tell")
    assert found.sentence.endswith("(rule 4); measured: nothing of that kind. Cannot tell.")


def test_what_has_no_log_loss_is_no_rival(make_rows: MakeTask, measured: Measure, comparisons: Compare) -> None:
    """An SVM on the last codes carries out the first rule by accuracy, and is passed over where log-loss decides."""
    task = make_rows(500)
    svm = measured(SVM_ON_LAST, task, [], cost=FAST, probabilities=False)
    softmax = measured(SOFTMAX_ON_LAST, task, range(100), cost=FAST)

    said = [
        rule_record(LAST, [softmax, svm], comparisons(task, metric)).sentence for metric in ("accuracy", "log-loss")
    ]

    assert "measured: svm on the last codes 100.0 %" in said[0]
    assert "measured: softmax on the last codes" in said[1]


@pytest.mark.parametrize(("wrong", "answer"), [(range(200), "held"), (range(2), "cannot tell")])
def test_a_cheaper_rival_has_to_be_worse(
    make_rows: MakeTask, measured: Measure, comparisons: Compare, wrong: range, answer: str
) -> None:
    """Forty points behind, a cheaper rival refutes nothing; less than half a point behind, it may still do as well."""
    task = make_rows(500)
    head, full = measured(HEAD, task, wrong, cost=FAST), measured(FULL, task, [], cost=SLOW)

    assert rule_record(WHOLE, [head, full], comparisons(task, margin=0.004)).answer == answer
