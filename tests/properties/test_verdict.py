"""What must hold of a run's answer whatever was measured."""

import re
from collections import Counter

from hypothesis import given, settings

from drawn_runs import runs
from unfreeze.advisor.verdict import verdict
from unfreeze.core.run_record import RunResults
from unfreeze.core.strategies import HEAD, LINEAR_ON_ALL

UNFREEZING = ("Unfreezing ", "It is not clear yet whether unfreezing", "Whether unfreezing ")


@settings(max_examples=80, deadline=None)
@given(runs())
def test_an_answer_is_two_sentences_and_few_more(results: RunResults) -> None:
    """What to use comes first, whether unfreezing pays second; ten sentences, 160 words, none twice."""
    use, unfreezing, *rest = verdict(results, place="here/model")

    assert use.startswith(("Use the model in here/model (", "Do not rely on this model (", "There is no model"))
    assert unfreezing.startswith(UNFREEZING)
    assert len(rest) <= 8
    assert len(" ".join((use, unfreezing, *rest)).split()) <= 160
    assert [said for said, times in Counter((use, unfreezing, *rest)).items() if times > 1] == []
    assert all(said.endswith(".") and said[0].isupper() for said in (use, unfreezing, *rest))


@settings(max_examples=80, deadline=None)
@given(runs())
def test_an_answer_does_not_contradict_the_record(results: RunResults) -> None:
    """Worth it only beside a step that is, not worth it only beside none that is or is open; no number is negative."""
    use, unfreezing, *rest = verdict(results)
    by_step = {(step.first, step.second): step.answer for step in results.comparisons}
    from_all = any(first == LINEAR_ON_ALL and second.is_deeper for first, second in by_step)
    is_delivered = results.picked == LINEAR_ON_ALL and from_all
    base = LINEAR_ON_ALL if is_delivered or by_step.get((HEAD, LINEAR_ON_ALL)) == "worth it" else HEAD
    from_base = {second: answer for (first, second), answer in by_step.items() if first == base and second.is_deeper}
    answers = set(from_base.values())
    of_whole_rounds = {answer for second, answer in from_base.items() if second not in results.on_part}

    if unfreezing.startswith("Unfreezing is worth it"):
        assert "worth it" in answers
    elif unfreezing.startswith("Unfreezing is not needed"):
        outcome = results.outcome_of(base)
        assert outcome is not None
        assert outcome.accuracy is not None
        assert "worth it" in answers or 1 - outcome.accuracy <= results.margin
    elif unfreezing.startswith("It is not clear"):
        assert "cannot tell" in answers
        assert "worth it" not in answers
    else:
        assert unfreezing.startswith("Whether") == (not answers)
        assert "worth it" not in answers
        assert answers != {"cannot tell"}
        assert "cannot tell" not in of_whole_rounds
    assert use.startswith("Use ") == (results.picked is not None and not results.findings)
    assert not re.search(r"(?<![\d\w])-\d", " ".join((use, unfreezing, *rest)))
    assert not any("“" in said and "Not measured" in said for said in rest if not _left_out(results))


def _left_out(results: RunResults) -> bool:
    return any(not outcome.measured for outcome in results.strategies)
