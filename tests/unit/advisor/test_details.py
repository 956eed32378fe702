"""The sentences of the verdict, on outcomes and comparisons made by hand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from example_run import LEARNING, NO_RULE, run_results
from unfreeze.advisor.details import details, on_overrun
from unfreeze.core import strategies as known
from unfreeze.core.findings import finding
from unfreeze.core.phrases import CAVEAT, CAVEAT_OF_SEVERAL
from unfreeze.core.records import (
    Answer,
    Comparison,
    Confirmation,
    Cost,
    DepthPoint,
    FolderStep,
    Interval,
    LearningCurves,
    Outcome,
    Settling,
    SplitRecord,
    Winner,
)
from unfreeze.core.run_record import RunResults

CURVE = tuple(
    DepthPoint(tap=tap, width=64, loss="softmax", C=0.01, cv_accuracy=0.8, accuracy=0.8)
    for tap in ("blocks.2", "blocks.4", "features")
)
SPLITS, TESTED, TRAIN = 10, 80, 400


def outcome(strategy: known.StrategyId, *, splits: int = SPLITS, **other: Any) -> Outcome:
    """A measured outcome."""
    made = Outcome(
        strategy=strategy,
        description="",
        splits=splits,
        accuracy=0.9,
        interval=Interval(0.86, 0.93),
        balanced_accuracy=0.8,
        log_loss=0.25,
        predictions=((0,) * TESTED,) * splits,
        cost=Cost(seconds=200.0, cpu_seconds=390.0, peak_bytes=1_400_000_000),
    )
    return replace(made, **other)


SOFTMAX = outcome(known.SOFTMAX_ON_LAST, tap="features")
ALL = outcome(known.LINEAR_ON_ALL, accuracy=0.93)
SVM = outcome(known.SVM_ON_LAST, tap="features", log_loss=None)
EARLIER = outcome(known.SOFTMAX_ON_BEST, tap="blocks.4", accuracy=0.95)
HEAD = outcome(known.HEAD, cost=Cost(seconds=12.0))
ONE = outcome(known.unfreeze(1))
TWO = outcome(known.unfreeze(2))
FULL = outcome(known.FULL)
SCRATCH = outcome(known.SCRATCH)
LEFT_OUT = Outcome(strategy=known.unfreeze(4), description="", status="left out", note="no time left.")


def step(first: Outcome, second: Outcome, answer: Answer = "worth it", **other: Any) -> Comparison:
    """A comparison with this answer."""
    likely: tuple[float, float, float] = {
        "worth it": (0.001, 0.009, 0.99),
        "not worth it": (0.28, 0.71, 0.01),
        "equivalent": (0.01, 0.98, 0.01),
        "cannot tell": (0.1, 0.3, 0.6),
        "same": (0.0, 1.0, 0.0),
    }[answer]
    made = Comparison(
        first=first.strategy,
        second=second.strategy,
        difference=0.042,
        interval=Interval(0.011, 0.073),
        splits=SPLITS,
        worse=likely[0],
        equivalent=likely[1],
        better=likely[2],
        answer=answer,
        disagreements=60,
        predictions=SPLITS * TESTED,
    )
    return replace(made, **other)


def measured(
    outcomes: Sequence[Outcome] = (),
    comparisons: Sequence[Comparison] = (),
    *,
    picked: Outcome | None = None,
    splits: int = SPLITS,
    test_size: int = 0,
    **other: Any,
) -> RunResults:
    """Results of a run without a test folder, in which nothing but what is given was measured."""
    settings: dict[str, Any] = {
        "strategies": tuple(outcomes),
        "comparisons": tuple(comparisons),
        "picked": picked.strategy if picked else None,
        "winner": None,
        "depth_curve": CURVE,
        "train_images": tuple(f"{number}.jpg" for number in range(TRAIN)),
        "splits": tuple(SplitRecord(number=number, test=()) for number in range(splits)),
        "test_images": tuple(f"test/{number}.jpg" for number in range(test_size)),
        "test_looks": 0,
        "folder_step": None,
        "learning_curve": None,
        "rule": NO_RULE,
    }
    return replace(run_results(), **{**settings, **other})


def written(outcomes: Sequence[Outcome] = (), comparisons: Sequence[Comparison] = (), **other: Any) -> str:
    """The whole verdict as one text; arguments as for `measured`."""
    sentences = details(measured(outcomes, comparisons, **other))
    assert all(sentence.endswith(".") and ".." not in sentence and ": :" not in sentence for sentence in sentences)
    return "\n".join(sentences)


def test_a_step_that_is_worth_it_means_that_step_one_is_not_enough() -> None:
    """One deeper strategy that pays makes the head alone too little; numbers, probability and cost stand beside it."""
    text = written([HEAD, TWO], [step(HEAD, TWO)])

    assert "Step one (the head alone) is not enough here" in text
    assert (
        "Unfreezing the last 2 blocks (3 min 20 s) instead of the head alone (12 s) is worth it: +4.2 points, "
        "95 % interval +1.1 to +7.3, probability 99 % of more than 1 point."
    ) in text


def test_step_one_is_enough_if_no_step_gains_more_than_the_margin() -> None:
    """Equivalent and not worth it, in any mixture, leave the head alone as enough."""
    text = written([HEAD, ONE, FULL], [step(HEAD, ONE, "equivalent"), step(HEAD, FULL, "not worth it")], margin=0.02)

    assert "Step one (the head alone) is enough here: training more than the head gains no more than 2 points." in text
    assert "is equivalent: +4.2 points" in text
    assert "probability 98 % of a difference within 2 points" in text
    assert "is not worth it: +4.2 points" in text
    assert "probability 99 % of no gain above 2 points" in text


def test_step_one_is_only_said_to_be_enough_for_the_depths_that_were_measured() -> None:
    """Where a depth was left out, or the whole network never tried, the answer names those that it rests on."""
    for outcomes in ([HEAD, ONE, LEFT_OUT], [HEAD, ONE]):
        text = written(outcomes, [step(HEAD, ONE, "equivalent")])

        assert "is enough here, as far as was measured (unfreeze 1): training more than the head" in text


def test_a_model_that_was_not_made_is_not_spoken_of_as_delivered() -> None:
    """Ctrl-C while the picked strategy is trained on everything."""
    text = written([HEAD, TWO], picked=TWO, interrupted=True, model=None)

    assert "There is no model: the run was stopped before one was made." in text
    assert "refitted" not in text


@pytest.mark.parametrize(
    ("answer", "ending"),
    [
        ("not worth it", ", though not over a linear classifier on all taps."),
        ("equivalent", ", though not over a linear classifier on all taps."),
        ("cannot tell", "."),
        ("worth it", "."),
    ],
)
def test_step_one_is_asked_against_all_taps_too(answer: Answer, ending: str) -> None:
    """Where unfreezing beats the head and is settled not to beat the classifier on all taps, the answer says both."""
    joined = replace(HEAD, strategy=known.LINEAR_ON_ALL)
    deeper = replace(HEAD, strategy=known.unfreeze(2))
    text = written([HEAD, joined, deeper], [step(HEAD, deeper, "worth it"), step(joined, deeper, answer)])

    assert f"Step one (the head alone) is not enough here: training more than the head is worth it{ending}" in text


def test_one_open_step_leaves_the_question_open() -> None:
    """If one step cannot be told and none is worth it, so is the whole question; what is not ruled out is said."""
    wide = step(HEAD, TWO, "cannot tell", interval=Interval(-0.011, 0.073))
    text = written([HEAD, ONE, TWO], [step(HEAD, ONE, "equivalent"), wide])

    assert (
        "It is unclear whether step one (the head alone) is enough here: training more may or may not gain more than 1 "
        "point, though hardly more than 7.3 points."
    ) in text
    assert (
        "It is unclear whether unfreezing the last 2 blocks (3 min 20 s) instead of the head alone (12 s) is worth it:"
        in text
    )
    assert (
        "+4.2 points, 95 % interval -1.1 to +7.3, a gain of up to 7.3 points or a loss of up to 1.1 points is not "
        "ruled out."
    ) in text
    assert "probability" not in text.split("is worth it: ")[1].splitlines()[0]


@pytest.mark.parametrize(
    ("settling", "words"),
    [
        (
            Settling(kind="splits", splits=10, seconds=100.0),
            "; 10 common splits of the same images would probably settle it (--budget 8m).",
        ),
        (Settling(kind="images", low=300, high=500), "; about 300 to 500 more images would probably settle it"),
        (Settling(kind="beyond"), "; neither more splits nor four times your data would probably settle it"),
        (Settling(kind="few", seconds=600.0), "; too few common splits to tell: more need --budget 18m."),
        (Settling(kind="dropped"), "; one of the two was dropped and is not measured further"),
    ],
)
def test_an_open_step_comes_with_what_would_settle_it(settling: Settling, words: str) -> None:
    """More splits with the budget of a run of five minutes that holds them, more images, or neither."""
    text = written([HEAD, TWO], [step(HEAD, TWO, "cannot tell", settling=settling)], seconds=300.0)

    assert words in text
    assert ("--budget" in text) == (settling.kind in {"splits", "few"})
    assert ("more images would" in text) == (settling.kind == "images")


def test_depths_are_compared_one_with_the_next() -> None:
    """Each measured depth is spoken of against the next shallower one; what was left out is passed over."""
    outcomes = [HEAD, ONE, TWO, LEFT_OUT, FULL]
    steps = [step(HEAD, TWO), step(ONE, TWO, "equivalent"), step(TWO, FULL, "not worth it", difference=-0.004)]

    text = written(outcomes, steps)

    assert (
        "From one depth to the next, unfreeze 1 to unfreeze 2: equivalent (+4.2 points); unfreeze 2 to full: not worth "
        "it (-0.4 points)."
    ) in text


def test_few_differing_predictions_make_the_head_the_feature_extractor() -> None:
    """Up to two predictions in a hundred are rounding; more is a difference, with its own answer."""
    same = written([SOFTMAX, HEAD], [step(SOFTMAX, HEAD, "cannot tell", disagreements=16)])
    open_ = written([SOFTMAX, HEAD], [step(SOFTMAX, HEAD, "cannot tell", disagreements=17)])
    equivalent = written([SOFTMAX, HEAD], [step(SOFTMAX, HEAD, "equivalent")])
    longer = replace(SOFTMAX, accuracy=0.89, splits=2 * HEAD.splits)
    elsewhere = written([longer, HEAD], [step(longer, HEAD, "cannot tell", disagreements=0)])

    assert "they disagree on 0 of 800 predictions." in elsewhere
    assert (
        "Step one is no different from the feature extractor (softmax on the last codes): they disagree on 16 of 800 "
        "predictions; accuracy 90.0 % and 90.0 %."
    ) in same
    assert "Step one is not the same as the feature extractor (softmax on the last codes), and it is unclear" in open_
    assert (
        "Step one is equivalent to the feature extractor (softmax on the last codes) within your margin" in equivalent
    )


def test_an_svm_is_spoken_of_where_it_can_be_told() -> None:
    """A definite answer on the SVM is a sentence, an open one is not."""
    assert (
        "The svm on the last codes (3 min 20 s) instead of the softmax on the last codes (3 min 20 s) is worth it"
        in written([SOFTMAX, SVM], [step(SOFTMAX, SVM)])
    )
    assert "The svm" not in written([SOFTMAX, SVM], [step(SOFTMAX, SVM, "cannot tell")])


@pytest.mark.parametrize(
    ("answer", "tap", "opening"),
    [
        ("worth it", "blocks.4", "Earlier layers do better here: softmax on the best tap 95.0 %, softmax on the last"),
        ("not worth it", "blocks.4", "Earlier layers gain no more than 1 point here"),
        ("equivalent", "blocks.4", "Earlier layers do as well as the last codes here, and no better"),
        ("cannot tell", "blocks.4", "It is unclear whether earlier layers do better here"),
        ("cannot tell", "features", "It is unclear whether earlier layers do better here"),
    ],
)
def test_earlier_layers_are_judged_by_their_step(answer: Answer, tap: str, opening: str) -> None:
    """The probe whose tap is chosen inside each split, and the tap that does best in cross-validation."""
    curve = tuple(replace(point, cv_accuracy=0.9 if point.tap == tap else 0.8) for point in CURVE)
    text = written([SOFTMAX, EARLIER], [step(SOFTMAX, EARLIER, answer)], depth_curve=curve)

    assert opening in text
    best = "the last codes" if tap == "features" else "the codes of blocks.4"
    assert f"where on average {best} score best in cross-validation." in text


def test_scores_on_other_splits_do_not_stand_beside_a_difference_on_common_ones() -> None:
    """Means over other splits would seem to contradict it."""
    fewer = replace(EARLIER, splits=5)
    text = written([SOFTMAX, fewer], [step(SOFTMAX, fewer, "worth it", splits=5)], depth_curve=CURVE)

    assert "Earlier layers do better here: softmax on the best tap over softmax on the last codes +4.2 points" in text


def test_a_limit_that_no_gain_can_pass_is_not_said() -> None:
    """Of two splits an interval reaches beyond what a difference can be."""
    wide = step(HEAD, TWO, "cannot tell", splits=2, interval=Interval(-1.2, 1.3))

    assert "though hardly more" not in written([HEAD, TWO], [wide])
    assert "-100.0 to +100.0" in written([HEAD, TWO], [wide])


def test_the_picked_strategy_is_named_with_its_numbers() -> None:
    """What to use, what it reaches and costs, how much of that is luck, and what is delivered."""
    winner = Winner(strategy=TWO.strategy, naive=0.9, corrected=0.893, interval=Interval(0.85, 0.92), among=4)

    text = written([SOFTMAX, HEAD, TWO], picked=TWO, winner=winner)

    assert (
        "Use unfreeze 2 (unfreezing the last 2 blocks): accuracy 90.0 %, 95 % interval 86.0 to 93.0, on 10 splits. It "
        "took 3 min 20 s (6 min 30 s of processor time, at most 1.4 GB of memory)."
    ) in text
    assert (
        "That is the best score of 4 strategies, 90.0 % on the splits that all of them have; corrected for having been "
        "picked as the best, 89.3 % (95 % interval 85.0 to 92.0)."
    ) in text
    assert (
        "The delivered model was trained on all 400 images; the scores are those of models that saw about 320 of them"
        in text
    )


def test_a_best_strategy_that_was_not_picked_is_named() -> None:
    """Where a cheaper strategy was picked, the best score is that of another, with its name."""
    winner = Winner(strategy=FULL.strategy, naive=0.91, corrected=0.9, interval=Interval(0.85, 0.92), among=4)

    assert "Full has the best score of 4 strategies, 91.0 % on" in written([HEAD, FULL], picked=HEAD, winner=winner)


def test_all_layers_as_one_classifier_stand_against_step_one_and_against_unfreezing() -> None:
    """The feature extractor's best answer against the head, and each training against it; else the softmax's step."""
    steps = [step(HEAD, ALL), step(ALL, ONE, "equivalent"), step(ALL, TWO, "cannot tell"), step(SOFTMAX, ALL)]

    text = written([SOFTMAX, HEAD, ALL, ONE, TWO], steps)
    alone = written([SOFTMAX, ALL], [step(SOFTMAX, ALL)])

    name = ALL.strategy.in_words
    assert f"{name[0].upper()}{name[1:]} (3 min 20 s) instead of the head alone (12 s) is worth it" in text
    assert f"Unfreezing the last block (3 min 20 s) instead of {name} (3 min 20 s) is equivalent" in text
    assert f"unclear whether unfreezing the last 2 blocks (3 min 20 s) instead of {name} (3 min 20 s) is worth" in text
    assert "instead of the softmax on the last codes" not in text
    assert "instead of the softmax on the last codes (3 min 20 s) is worth it" in alone


def test_what_is_the_same_is_no_step() -> None:
    """The head that predicts what the softmax does is no different from it; the best tap that is the last one neither.

    Neither has a probability or a gain.
    """
    head = step(SOFTMAX, HEAD, "same", difference=0.0, disagreements=0)
    text = written([SOFTMAX, EARLIER, HEAD], [head, step(SOFTMAX, EARLIER, "same", difference=0.0, disagreements=0)])

    assert (
        "Step one is no different from the feature extractor (softmax on the last codes): they disagree on 0 of 800 "
        "predictions; accuracy 90.0 % and 90.0 %."
    ) in text
    assert (
        "Earlier layers do no better here: softmax on the best tap predicts what softmax on the last codes does "
        "(95.0 %)."
    ) in text
    assert "interval" not in text
    assert "probability" not in text


def test_what_is_missing_is_said() -> None:
    """Left out, dropped, shortened and interrupted strategies are named with their reasons, and nothing is made up."""
    short = replace(HEAD, status="shortened", note="5 of 20 epochs fit into the budget")
    dropped = replace(FULL, status="dropped", note="hopeless after 5 splits")

    text = written([short, LEFT_OUT, dropped], interrupted=True)

    assert "was not measured: no pretrained block was trained" in text
    assert "one of the two is missing" in text
    assert "Whether earlier layers do better than the last codes was not measured." in text
    assert "No strategy was finished" in text
    assert "Unfreezing the last 4 blocks was left out: no time left." in text
    assert "Fine-tuning the whole network was dropped: hopeless after 5 splits." in text
    assert "The head alone was shortened: 5 of 20 epochs fit into the budget." in text
    assert "The run was interrupted" in text


def test_a_run_that_outlasts_its_budget_says_with_what() -> None:
    """Beyond a fifth more than the budget: both times and the two longest phases; nothing where it ended in time."""
    phases = {"inspect": 70.0, "step one": 250.0, "facts": 3.0, "deliver": 120.0}

    late = on_overrun(443.0, 180.0, phases)

    assert "The run took 7 min 23 s, more than its budget of 3 min" in late
    assert "the most of it for step one (4 min 10 s) and deliver (2 min)" in late
    assert late in written([HEAD], seconds=443.0, budget_seconds=180.0, phases=phases).splitlines()
    assert on_overrun(1.2 * 180.0, 180.0, phases) == ""


def test_a_run_that_was_continued_within_a_budget_says_what_that_means() -> None:
    """Its splits count, its choices might have been others; without a budget they are the same, and nothing is said."""
    said = "The run was stopped and continued 2 times: every split that had been measured counts"

    assert said in written([HEAD], resumed=2)
    assert "continued" not in written([HEAD], resumed=2, budget_seconds=None)
    assert "continued" not in written([HEAD])


def test_strategies_with_the_same_fate_for_the_same_reason_share_a_sentence() -> None:
    """Two that were left out for want of time are named together, a third with another reason by itself."""
    missing = [replace(one, status="left out", note="no time left.", splits=0) for one in (ONE, FULL)]
    text = written([*missing, replace(LEFT_OUT, note="too expensive")])

    assert "Unfreezing the last block and fine-tuning the whole network were left out: no time left." in text
    assert "Unfreezing the last 4 blocks was left out: too expensive." in text


def test_nothing_at_all_still_gives_a_verdict() -> None:
    """A run that was stopped at once says that nothing was measured."""
    text = written([], splits=0, depth_curve=(), interrupted=True)

    assert "the head alone was not measured" in text
    assert "No split was finished, so nothing here is measured." in text


def test_how_it_was_measured_is_said() -> None:
    """Of 400 images each split tests on 80; what a difference is and from when it matters."""
    text = written([HEAD])

    assert (
        "How this was measured: up to 10 times, the same for all strategies, about 80 of 400 images were held out to "
        "test on and the others trained; a round of splits tests every image once. Differences in accuracy are those "
        "expected of other training sets, images and seeds of this size; up to 1 point they do not matter."
    ) in text
    assert "nothing is decided" not in text


def test_one_split_decides_nothing_and_the_verdict_says_so() -> None:
    """What it cannot show, and what would help; of three splits nothing of the kind is said."""
    one = step(HEAD, TWO, "cannot tell", worse=None, equivalent=None, better=None, splits=1)
    winner = Winner(strategy=TWO.strategy, naive=0.9, corrected=0.893, interval=Interval(0.85, 0.92), among=2)
    outcomes = [replace(each, splits=1, predictions=each.predictions[:1]) for each in (HEAD, TWO)]

    text = written(outcomes, [one], splits=1, picked=outcomes[1], winner=winner)

    assert "95 % interval +1.1 to +7.3, a gain of up to 7.3 points is not ruled out" in text
    assert "One split does not show what another set of training images would change, so nothing is decided" in text
    assert "How this was measured: once," in text
    assert "That is the best score of 2 strategies, 90.0 % on the only split;" in text
    assert "on 1 split." in text
    assert "nothing is decided" not in written([HEAD, TWO], [step(HEAD, TWO, splits=3)], splits=3)


def test_a_pick_that_is_no_better_than_one_class_says_so_first() -> None:
    """The finding opens the verdict, and nobody is told to use the model."""
    found = finding("UF130", "Head is no better than always answering 'ants'.", "Do not rely on it.")

    first, *_ = details(measured([HEAD], picked=HEAD, findings=(found,)))
    text = written([HEAD], picked=HEAD, findings=(found,))

    assert first == "Head is no better than always answering 'ants'. Do not rely on it."
    assert "The pick is head (the head alone): accuracy" in text
    assert "Use head" not in text


def test_a_pick_on_part_of_the_images_says_on_how_many_splits() -> None:
    """Two splits of ten of which each tests other images; where as many images were tested nothing is added."""
    splits = tuple(SplitRecord(number=number, test=(number,)) for number in range(SPLITS))
    short = replace(TWO, splits=2, predictions=TWO.predictions[:2])

    text = written([HEAD, short], picked=short, **{"splits": SPLITS, "winner": None})
    assert "on 2 splits." in text
    results = replace(measured([HEAD, short], picked=short), splits=splits)
    assert any("on 2 of 10 splits." in sentence for sentence in details(results))


def test_a_gain_is_not_called_no_difference() -> None:
    """One prediction in a hundred may be a gain that is worth it where the margin is small."""
    text = written([SOFTMAX, HEAD], [step(SOFTMAX, HEAD, "worth it", disagreements=8)])

    assert "no different" not in text
    assert "Step one does better than the feature extractor" in text


def test_a_step_on_fewer_splits_says_so() -> None:
    """A dropped strategy shares fewer splits than the others; its step says how many."""
    assert "of more than 1 point, on 5 common splits." in written([HEAD, TWO], [step(HEAD, TWO, splits=5)])
    assert "on 10 common splits" not in written([HEAD, TWO], [step(HEAD, TWO)])


def test_the_test_folder_confirms_and_does_not_choose() -> None:
    """With the user's own test folder its numbers are named, and what their interval does not hold."""
    found = Confirmation(
        accuracy=0.903, interval=Interval(0.865, 0.932), balanced_accuracy=0.89, log_loss=0.3, predictions=(0,) * 300
    )

    text = written([replace(HEAD, confirmation=found)], picked=HEAD, test_size=300)

    assert (
        "On your own test folder (300 images) the delivered model reaches accuracy 90.3 % (95 % interval 86.5 to 93.2)"
    ) in text
    assert CAVEAT in text
    assert CAVEAT not in written([HEAD], picked=HEAD)
    assert "Your own test folder (300 images) was not used" in written([HEAD], picked=None, test_size=300)


def test_looks_at_the_test_folder_are_counted() -> None:
    """The first look needs no sentence; further ones come with a warning; without a folder nothing is counted."""
    found = Confirmation(
        accuracy=0.9, interval=Interval(0.86, 0.93), balanced_accuracy=0.89, log_loss=0.3, predictions=(0,) * 300
    )
    asked = [replace(HEAD, confirmation=found)]

    assert "in this directory" not in written(asked, picked=HEAD, test_size=300, test_looks=1)
    assert "3 runs in this directory, this one included" in written(asked, picked=HEAD, test_size=300, test_looks=3)
    assert "in this directory" not in written([HEAD], picked=HEAD)


def test_log_loss_is_in_nats() -> None:
    """Where log-loss decides, scores and differences are in nats, and more is still better."""
    text = written(
        [SOFTMAX, HEAD, TWO],
        [step(HEAD, TWO, difference=0.031, interval=Interval(0.012, 0.05))],
        metric="log-loss",
        margin=0.02,
        picked=TWO,
    )

    assert "is worth it: +0.031 nats, 95 % interval +0.012 to +0.050, probability 99 % of more than 0.02 nats" in text
    assert "log-loss 0.250 nats (accuracy 90.0 %, 95 % interval 86.0 to 93.0)" in text
    assert "point" not in text


def test_the_rule_of_thumb_is_repeated() -> None:
    """The sentence of the rule stands in the verdict."""
    rule = replace(NO_RULE, answer="held", sentence="The rule of thumb held.")

    assert "The rule of thumb held." in written([HEAD], rule=rule).splitlines()


def test_pretrained_weights_are_compared_with_random_ones() -> None:
    """Where training from scratch was asked for, what the pretrained weights gave is said."""
    text = written([FULL, SCRATCH], [step(SCRATCH, FULL)])

    assert (
        "Fine-tuning the whole network (3 min 20 s) instead of training from scratch (3 min 20 s) is worth it" in text
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"overtakes": "already ahead"}, "Unfreezing the last 2 blocks is ahead of softmax on the last codes already."),
        ({"overtakes": "not within"}, "is not expected to overtake softmax on the last codes within four times"),
        (
            {"overtakes": "within", "between": (412, 987)},
            "overtake softmax on the last codes between about 410 and 990 ",
        ),
        (
            {"overtakes": "within", "between": (320, 987)},
            "overtake softmax on the last codes by about 990 training images",
        ),
        ({"overtakes": "cannot tell"}, "softmax on the last codes within four times your data."),
        ({"overtakes": "cannot tell", "note": "no time"}, "within four times your data: no time."),
    ],
)
def test_the_learning_curve_says_what_more_images_are_expected_to_give(found: dict[str, Any], said: str) -> None:
    """The probe's band at twice the images, and where fine-tuning overtakes it."""
    text = written([SOFTMAX, TWO], learning_curve=replace(LEARNING, **found))

    assert "is expected to reach accuracy 86.3 to 92.1 %; with 320 it reaches 87.8 % (10 splits)." in text
    assert said in text


def test_without_fine_tuning_nothing_overtakes() -> None:
    """Then the curve of the probe is all that is spoken of; without a curve nothing is."""
    alone = LearningCurves(metric="accuracy", probe=LEARNING.probe, fine_tuning=None, overtakes=None, between=None)

    assert "overtake" not in written([SOFTMAX], learning_curve=alone)
    assert "twice as many" in written([SOFTMAX], learning_curve=alone)
    assert "twice as many" not in written([SOFTMAX])


def test_what_was_delivered_is_held_against_the_feature_extractor_on_the_test_folder() -> None:
    """The difference on the user's own folder stands in the verdict, and its caveat is of both intervals."""
    found = Confirmation(
        accuracy=0.9, interval=Interval(0.86, 0.93), balanced_accuracy=0.89, log_loss=0.3, predictions=(0,) * 300
    )
    step_there = FolderStep(
        first=SOFTMAX.strategy,
        second=HEAD.strategy,
        difference=0.03,
        interval=Interval(0.01, 0.05),
        seeds=1,
        seeds_differ=False,
    )
    text = written([replace(HEAD, confirmation=found)], picked=HEAD, test_size=300, folder_step=step_there)

    assert (
        "There head is 3 points better than softmax on the last codes (95 % interval of the difference +1.0 to +5.0)."
        in text
    )
    assert CAVEAT_OF_SEVERAL in text
    assert CAVEAT not in text
