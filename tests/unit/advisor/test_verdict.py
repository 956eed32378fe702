"""The answer of a run: what it says of example runs."""

from dataclasses import replace

import pytest

from example_run import run_results
from unfreeze.advisor.verdict import verdict
from unfreeze.core.records import Answer, Comparison, Interval, Settling
from unfreeze.core.run_record import RunResults
from unfreeze.core.strategies import HEAD, LINEAR_ON_ALL, SOFTMAX_ON_BEST, unfreeze


def step_to_two_blocks(low: float, high: float, answer: Answer, settling: Settling | None = None) -> Comparison:
    """From the head to two blocks, with an interval and an answer."""
    known = next(step for step in run_results().comparisons if (step.first, step.second) == (HEAD, unfreeze(2)))
    interval = Interval(low, high)
    return replace(known, interval=interval, difference=(low + high) / 2, answer=answer, settling=settling)


def second_sentence(step: Comparison) -> str:
    """What is said of unfreezing where that is the only step."""
    return verdict(replace(run_results(), comparisons=(step,)))[1]


def test_the_model_is_named_where_it_lies() -> None:
    """For whoever stands outside of the run's folder its path, for a reader inside its name."""
    assert verdict(run_results(), place="runs/a/model")[0].startswith("Use the model in runs/a/model (last 2 blocks): ")
    assert verdict(run_results())[0].startswith(
        "Use the model in the folder model/ beside this report (last 2 blocks): "
    )


@pytest.mark.parametrize(
    ("settling", "ending"),
    [
        (Settling(kind="splits", splits=10, seconds=115.0), "--budget 12m would probably tell."),  # (485 + 115) x 1.15
        (Settling(kind="images", low=500, high=900), "about 500 to 900 more photos would tell."),
        (Settling(kind="beyond"), "so take what is cheaper."),
        (Settling(kind="dropped"), "gain up to 5 points or lose up to 1 point."),
    ],
)
def test_an_open_question_says_what_would_close_it(settling: Settling, ending: str) -> None:
    """A budget, a number of photos, or that neither would."""
    said = second_sentence(step_to_two_blocks(-0.01, 0.05, "cannot tell", settling))

    assert said.startswith("It is not clear yet whether unfreezing helps: “last 2 blocks” could gain up to 5 points")
    assert said.endswith(ending)


def test_each_answer_has_its_sentence() -> None:
    """Worth it with the gain, equivalent as no difference that matters, not worth it with the most that it gains."""
    worth, same, not_worth = (
        second_sentence(step_to_two_blocks(0.02, 0.06, "worth it")),
        second_sentence(step_to_two_blocks(-0.005, 0.005, "equivalent")),
        second_sentence(step_to_two_blocks(-0.08, 0.005, "not worth it")),
    )

    assert worth == (
        "Unfreezing is worth it: “last 2 blocks” gains 4 points over the last layer alone (95 % sure: 2 to 6 points)."
    )
    assert same.startswith("Unfreezing makes no difference that matters here (“last 2 blocks”)")
    assert not_worth == (
        "Unfreezing is not worth it here (“last 2 blocks”): it gains no more than 1 point over the last layer alone."
    )


def test_what_had_too_little_time_does_not_take_back_what_whole_rounds_say() -> None:
    """A depth on one split of ten is named as open behind the answer on the others; alone it leaves all open."""
    decided, four = step_to_two_blocks(-0.02, 0.005, "not worth it"), unfreeze(4)
    opened = replace(step_to_two_blocks(-0.02, 0.04, "cannot tell"), second=four)
    run = run_results()
    split_once = [replace(one, splits=1) if one.strategy == four else one for one in run.strategies]
    on_part = replace(run, strategies=tuple(split_once))

    assert verdict(replace(on_part, comparisons=(decided, opened)))[1] == (
        "Unfreezing is not worth it here (“last 2 blocks”): it gains no more than 1 point over the last layer alone; "
        "“last 4 blocks” had too little time to tell."
    )
    assert verdict(replace(on_part, comparisons=(opened,)))[1].startswith("It is not clear yet")
    assert verdict(replace(run, comparisons=(decided, opened)))[1].startswith("It is not clear yet")


def test_what_all_layers_do_as_well_is_not_needed() -> None:
    """Two blocks beat the head, and a linear classifier on all layers is no worse than they are."""
    gain = step_to_two_blocks(0.02, 0.06, "worth it")
    level = replace(gain, first=LINEAR_ON_ALL, interval=Interval(-0.02, 0.005), answer="not worth it")
    said = verdict(replace(run_results(), comparisons=(gain, level)))[1]

    assert said.startswith("Unfreezing is not needed: “last 2 blocks” gains 4 points over the last layer alone, but")


def test_unfreezing_is_measured_by_what_all_layers_give_where_that_beats_the_last_one() -> None:
    """Two blocks gain over the head, and so does the classifier on all layers: open is the step between these two."""
    gain = step_to_two_blocks(0.02, 0.06, "worth it")
    joined = replace(gain, second=LINEAR_ON_ALL)
    still = replace(gain, first=LINEAR_ON_ALL, interval=Interval(-0.02, 0.02), difference=0.0, answer="cannot tell")
    said = verdict(replace(run_results(), comparisons=(gain, joined, still)))[1]

    assert "could gain up to 2 points or lose up to 2 points over a linear classifier on all layers" in said


def test_unfreezing_is_measured_by_the_classifier_on_all_layers_where_that_is_delivered() -> None:
    """Over the last layer two blocks are open; over what the first sentence says to use they are not worth it."""
    results = run_results()
    picked = next(one for one in results.strategies if one.strategy == HEAD)
    joined = replace(picked, strategy=LINEAR_ON_ALL)
    unclear = step_to_two_blocks(-0.006, 0.027, "cannot tell")
    no = replace(unclear, first=LINEAR_ON_ALL, interval=Interval(-0.02, 0.006), answer="not worth it")
    record = replace(results, strategies=(*results.strategies, joined), picked=LINEAR_ON_ALL, comparisons=(unclear, no))

    assert verdict(record)[1] == (
        "Unfreezing is not worth it here (“last 2 blocks”): it gains no more than 1 point over a linear classifier on "
        "all layers."
    )


@pytest.mark.parametrize(("behind", "opening"), [(0.0, "Unfreezing is not worth it"), (0.01, "It is not clear yet")])
def test_all_layers_stand_for_an_earlier_layer_that_is_delivered_where_they_do_as_well(
    behind: float, opening: str
) -> None:
    """No depth is compared with that layer; where all layers score lower, the last one is asked about."""
    results = run_results()
    known = next(one for one in results.strategies if one.strategy == HEAD)
    picked = replace(known, strategy=SOFTMAX_ON_BEST)
    joined = replace(known, strategy=LINEAR_ON_ALL, accuracy=known.accuracy - behind)
    unclear = step_to_two_blocks(-0.006, 0.027, "cannot tell")
    no = replace(unclear, first=LINEAR_ON_ALL, interval=Interval(-0.02, 0.006), answer="not worth it")
    strategies = (*(one for one in results.strategies if one.strategy != SOFTMAX_ON_BEST), picked, joined)

    said = verdict(replace(results, strategies=strategies, picked=SOFTMAX_ON_BEST, comparisons=(unclear, no)))

    assert said[1].startswith(opening)


def test_where_hardly_a_mistake_is_left_nothing_can_be_gained() -> None:
    """The last layer is right on 99.2 of 100 at least: one without a mistake gains 0.8 points, less than the margin."""
    results = run_results()
    sure = tuple(
        replace(one, accuracy=0.996, interval=Interval(0.992, 1.0)) if one.strategy == HEAD else one
        for one in results.strategies
    )
    said = verdict(replace(results, strategies=sure, comparisons=(step_to_two_blocks(-0.01, 0.05, "cannot tell"),)))[1]

    assert said.startswith("Unfreezing is not needed: the last layer alone is right so often")


def test_where_nothing_was_unfrozen_it_says_why() -> None:
    """As asked, or for want of time."""
    results = replace(run_results(), comparisons=())
    asked = replace(results, command=replace(results.command, strategies=()))

    assert "--budget" in verdict(results)[1]
    assert verdict(asked)[1].endswith("no block was to be trained (--strategies none).")


def test_the_own_test_folder_is_told_of_only_where_there_is_one() -> None:
    """With its number of photos."""

    def of_folder(results: RunResults) -> list[str]:
        return [said for said in verdict(results) if "test folder" in said]

    assert "300 photos" in of_folder(run_results())[0]
    assert of_folder(run_results(test_folder=False)) == []
