"""What must hold of the sentences behind a verdict whatever was measured."""

import re
from collections import Counter
from dataclasses import replace

from hypothesis import given, settings

from drawn_runs import runs
from unfreeze.advisor.details import details
from unfreeze.core.run_record import RunResults
from unfreeze.core.strategies import HEAD, SOFTMAX_ON_LAST


def spoken(results: RunResults) -> list[str]:
    """The verdict, sentence by sentence."""
    return [part for said in details(results) for part in re.split(r"(?<=[.])\s+(?=[A-Z])", said)]


def is_plain(results: RunResults) -> None:
    """No sentence twice, none of one thing in the plural, no negative cost, no zero with a minus."""
    sentences = spoken(results)
    text = " ".join(sentences)

    assert [said for said, times in Counter(sentences).items() if times > 1] == []
    assert all(said.endswith(".") for said in sentences)
    assert not re.search(r"\bcosts? (\w+ ){0,2}-", text)
    assert not re.search(r"(?<![\d.,])1 (common )?(splits|images|strategies|predictions)\b", text)
    assert not re.search(r"-0\.0+(?!\d)", text)
    assert "enough splits" not in text


def each_step_has_one_answer(results: RunResults) -> None:
    """What is said of a step agrees with the record, and nowhere in the verdict is it both told and unclear."""
    sentences = spoken(results)
    for step in results.comparisons:
        first, second = re.escape(step.first.in_words), re.escape(step.second.in_words)
        sides = rf"{second} \([^)]*\) instead of {first} \([^)]*\) is "
        answers = {
            "unclear" if said.startswith("It is unclear") else answer
            for said in sentences
            for answer in re.findall(rf"(?i){sides}(worth it|not worth it|equivalent)", said)
        }
        assert answers <= {{"cannot tell": "unclear"}.get(step.answer, step.answer)}


def step_one_follows_from_its_steps(results: RunResults) -> None:
    """Not enough only beside a step that is worth it, enough only beside none that is or is open, unclear else."""
    said = next(one for one in details(results) if "tep one (the head alone)" in one)
    answers = {step.answer for step in results.comparisons if step.first == HEAD and step.second.is_deeper}
    expected = "is enough here"
    if not answers:
        expected = "was not measured"
    elif "worth it" in answers:
        expected = "is not enough here"
    elif "cannot tell" in answers:
        expected = "It is unclear"
    assert expected in said

    gained = [step for step in results.comparisons if (step.first, step.second) == (SOFTMAX_ON_LAST, HEAD)]
    if gained and gained[0].answer == "worth it":
        assert not any("no different from the feature extractor" in one for one in details(results))


def what_is_no_better_than_one_class_is_not_recommended(results: RunResults) -> None:
    """The finding opens the verdict, and only then is nothing said to be used."""
    first, *rest = details(results)
    recommended = any(said.startswith("Use ") for said in rest)

    assert (first in {found.text for found in results.findings}) == bool(results.findings)
    assert recommended == (results.picked is not None and not results.findings)


def a_best_score_is_that_of_all_images(results: RunResults) -> None:
    """The winner has as many images tested as any with the metric, and lies in its interval; a pick on part says so."""
    winner = results.winner
    scored = [one for one in results.strategies if results.metric != "log-loss" or one.strategy.loss != "svm"]
    assert winner is None or winner.strategy not in replace(results, strategies=tuple(scored)).on_part
    assert winner is None or winner.interval.low <= winner.corrected <= winner.interval.high
    if results.picked in results.on_part:
        picked = results.outcome_of(results.picked)
        assert picked is not None
        assert f"on {picked.splits} of {len(results.splits)} splits." in " ".join(details(results))


@settings(max_examples=60, deadline=None)
@given(runs())
def test_a_verdict_does_not_contradict_itself(results: RunResults) -> None:
    """Neither one sentence another, nor one the record that it was made of."""
    is_plain(results)
    each_step_has_one_answer(results)
    step_one_follows_from_its_steps(results)
    what_is_no_better_than_one_class_is_not_recommended(results)
    a_best_score_is_that_of_all_images(results)
