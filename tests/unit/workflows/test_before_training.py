"""A rule of thumb, held against what was measured."""

from collections.abc import Callable, Sequence

import numpy as np

from unfreeze.advisor.fact_finding import facts
from unfreeze.advisor.questions import Question
from unfreeze.advisor.rule_check import rule_record
from unfreeze.advisor.rules import predicted
from unfreeze.core.facts import Similarity
from unfreeze.core.records import Cost, Outcome
from unfreeze.core.strategies import Kind
from unfreeze.data.tasks import Task
from unfreeze.strategies.measurement import Measurement, Predicted

MakeTask = Callable[..., Task]
# Many images, unlike the source's: rule 4, the whole network.
WHOLE = predicted(facts(["a", "b"] * 1000, [224] * 2000, input_size=224, similarity=Similarity(value=0.2, because="")))

# Few images, like the source's: rule 1, a linear classifier on the last codes.
LAST = predicted(facts(["a", "b"] * 100, [224] * 200, input_size=224, similarity=Similarity(value=0.8, because="")))


def measured(name: str, kind: Kind, task: Task, wrong: Sequence[int], *, splits: int, seconds: float) -> Measurement:
    """A strategy that is wrong on the given rows and right on all others."""
    outcome = Outcome(name=name, kind=kind, trained="", cost=Cost(seconds=seconds))
    found = []
    for number in range(splits):
        split = task.split(number)
        truth = task.labels[split.test]
        said = np.where(np.isin(split.test, wrong), 1 - truth, truth)
        found.append(
            Predicted(split=split, predictions=said, log_likelihoods=np.log(np.where(said == truth, 0.9, 0.1)))
        )
    return Measurement(None, outcome, found)


def test_what_a_rule_named_is_spoken_of_on_however_few_splits(make_rows: MakeTask) -> None:
    """The whole network on two splits of five: not settled, but not unmeasured either."""
    task = make_rows(500)
    question = Question(task=task, metric="accuracy", margin=0.01, seed=0)
    head = measured("head", "head", task, range(60), splits=5, seconds=1.0)
    full = measured("full", "full", task, range(20), splits=2, seconds=9.0)
    found = rule_record(WHOLE, question, [head, full])

    assert found["answer"] == "cannot tell"
    assert "full" in found["sentence"]
    assert "not settled against head" in found["sentence"]


def test_one_lucky_split_is_no_champion_of_a_rule(make_rows: MakeTask) -> None:
    """Of a rule's own strategies the best on five splits speaks for it, not a better one on a single split."""
    task = make_rows(500)
    question = Question(task=task, metric="accuracy", margin=0.01, seed=0)
    head = measured("head", "head", task, range(250), splits=5, seconds=1.0)
    lucky = measured("svm on the last codes", "probe", task, [], splits=1, seconds=1.0)
    full = measured("full", "full", task, [], splits=5, seconds=9.0)

    found = rule_record(LAST, question, [lucky, head, full])

    assert "measured: head" in found["sentence"]
    assert "full, 100.0 %, is better. It did not hold." in found["sentence"]


def test_a_rule_stays_open_against_a_rival_on_a_single_split(make_rows: MakeTask) -> None:
    """What was measured too rarely to be settled is not said to be worse."""
    task = make_rows(500)
    question = Question(task=task, metric="accuracy", margin=0.01, seed=0)
    head = measured("head", "head", task, [], splits=5, seconds=1.0)
    full = measured("full", "full", task, range(500), splits=1, seconds=9.0)

    found = rule_record(LAST, question, [head, full])

    assert found["answer"] == "cannot tell"
    assert "not settled against full 0.0 %" in found["sentence"]


def test_a_rule_under_log_loss_is_told_in_nats(make_rows: MakeTask) -> None:
    """The sentence of a rule gives the score that the table gives."""
    task = make_rows(500)
    question = Question(task=task, metric="log-loss", margin=0.01, seed=0)
    head = measured("head", "head", task, [], splits=5, seconds=1.0)
    full = measured("full", "full", task, range(500), splits=5, seconds=9.0)

    # -log 0.9 nats, since the right class has 0.9 of the probability everywhere
    assert rule_record(LAST, question, [head, full])["sentence"].endswith(
        "measured: head 0.105 nats, and nothing else that was measured was better, or as good for less. It held."
    )


def test_cheaper_means_less_time_and_not_an_earlier_place(make_rows: MakeTask) -> None:
    """As good as the whole network and slower: the rule held; as good and faster: it did not."""
    task = make_rows(500)
    question = Question(task=task, metric="accuracy", margin=0.05, seed=0)
    full = measured("full", "full", task, [], splits=5, seconds=9.0)
    answers = [
        rule_record(WHOLE, question, [measured("head", "head", task, [], splits=5, seconds=seconds), full])["answer"]
        for seconds in (1.0, 20.0)
    ]

    assert answers == ["did not hold", "held"]
