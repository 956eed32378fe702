"""The sentences of the verdict, on outcomes made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from unfreeze.advisor.verdict import CAVEAT, best_probe, compare, comparisons_for, verdict
from unfreeze.core.records import DepthPoint, Interval, Outcome

TESTS = 400
LABELS = np.arange(TESTS) % 4
CURVE = tuple(
    DepthPoint(tap=tap, width=64, loss="softmax", C=0.01, cv_accuracy=0.8, accuracy=0.8)
    for tap in ("blocks.2", "blocks.4", "features")
)


def predictions(wrong: int, start: int = 0) -> tuple[int, ...]:
    """Predictions with `wrong` mistakes, beginning at image `start`."""
    given = LABELS.copy()
    at = (start + np.arange(wrong)) % TESTS
    given[at] = (given[at] + 1) % 4
    return tuple(given.tolist())


def outcome(name: str, kind: str = "probe", *, wrong: int = 40, start: int = 0, **other: object) -> Outcome:
    """A measured outcome with this many mistakes."""
    made = Outcome(
        name=name,
        kind=kind,  # type: ignore[arg-type]
        trained="",
        accuracy=1 - wrong / TESTS,
        interval=Interval(0.86, 0.93),
        selection_accuracy=0.9,
        selection_folds=3,
        seconds=200.0,
        predictions=predictions(wrong, start),
    )
    return replace(made, **other)  # type: ignore[arg-type]


EXTRACTOR = outcome("softmax on the last codes", tap="features")
HEAD = outcome("head", "head")
UNFREEZE = outcome("unfreeze 2", "unfreeze", blocks=2)
FULL = outcome("full", "full", blocks=None)
EARLIER = outcome("softmax on the codes of blocks.4", tap="blocks.4", selection_accuracy=0.8, deliverable=False)


def written(*outcomes: Outcome, picked: Outcome | None = None, interrupted: bool = False, size: int = TESTS) -> str:
    """The whole verdict as one text."""
    sentences = verdict(
        outcomes,
        comparisons_for(outcomes, LABELS, None, seed=0),
        picked=picked,
        depth_curve=CURVE,
        test_size=size,
        interrupted=interrupted,
    )
    assert all(sentence.endswith(".") for sentence in sentences)
    assert sentences[-1] == CAVEAT
    return "\n".join(sentences)


def test_a_clear_gain_means_that_step_one_is_not_enough() -> None:
    """If unfreezing mends 30 mistakes of 400 and makes none, the head alone is not enough, and numbers say so."""
    text = written(EXTRACTOR, HEAD, replace(UNFREEZE, predictions=predictions(10)), FULL)

    assert "Step one (the head alone) is not enough here" in text
    assert "Unfreezing the last 2 blocks, against the head alone: better (+7.5 points, 95 % interval +4.8 to" in text
    assert "on 400 test images" in text
    assert "Fine-tuning the whole network, against unfreezing the last 2 blocks: worse (-7.5 points" in text


def test_a_clear_loss_means_that_step_one_is_enough() -> None:
    """If training more makes 40 new mistakes, the head alone is enough."""
    text = written(HEAD, replace(UNFREEZE, predictions=predictions(80)))

    assert "Step one (the head alone) is enough here" in text
    assert "worse (-10.0 points" in text


def test_noise_means_cannot_tell() -> None:
    """Five mistakes mended and five made tell nothing, except how much more is unlikely."""
    text = written(HEAD, replace(UNFREEZE, predictions=predictions(40, start=5)))

    assert "Cannot tell whether step one (the head alone) is enough here" in text
    assert "cannot tell (+0.0 points, 95 % interval -1.7 to +1.7)" in text
    assert "a gain above 1.7 points is unlikely" in text


def test_identical_predictions_do_not_prove_equality() -> None:
    """The same predictions everywhere still leave room for a difference."""
    text = written(EXTRACTOR, HEAD, FULL)

    assert "cannot tell (+0.0 points, 95 % interval -0.8 to +0.8)" in text
    assert "no different from the feature extractor (softmax on the last codes): they disagree on 0 of 400" in text


def test_a_head_that_differs_from_the_extractor_is_called_so() -> None:
    """Disagreement on more than one image in a hundred is named with its difference."""
    text = written(replace(EXTRACTOR, predictions=predictions(40, start=10)), HEAD)

    assert "Step one is not the same as the feature extractor" in text
    assert "they disagree on 20 of 400 test images; accuracies 90.0 % and 90.0 %" in text
    assert "; the head against the softmax: cannot tell (+0.0 points" in text


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            10,
            "Earlier layers do better here: softmax on the codes of blocks.4 97.5 %, softmax on the last codes 90",
        ),
        (80, "Earlier layers do worse here, although cross-validation likes one best"),
        (39, "Cannot tell whether earlier layers do better here"),
    ],
)
def test_earlier_layers_are_judged_by_the_interval(wrong: int, sentence: str) -> None:
    """The tap that cross-validation likes best is compared with the last codes on the test images."""
    earlier = outcome(EARLIER.name, tap="blocks.4", wrong=wrong, selection_accuracy=0.97, deliverable=False)

    assert sentence in written(EXTRACTOR, earlier)


def test_the_best_tap_is_not_chosen_on_the_test_part() -> None:
    """A tap that is best on the test images but not in cross-validation is not the one spoken of."""
    lucky = replace(EARLIER, predictions=predictions(0), accuracy=1.0)

    assert best_probe([EXTRACTOR, lucky]) == EXTRACTOR
    assert "Earlier layers do not do better here" in written(EXTRACTOR, lucky)


def test_the_picked_strategy_is_named_with_its_numbers() -> None:
    """What to use, how it was chosen, what it reaches and what it costs."""
    text = written(EXTRACTOR, HEAD, UNFREEZE, picked=UNFREEZE)

    assert (
        "Use unfreeze 2 (unfreezing the last 2 blocks). "
        "It was chosen on held-out folds of the training part (90.0 % there); "
        "on the test images it reaches 90.0 % (95 % interval 86.0 to 93.0); it took 3 minutes."
    ) in text


def test_a_better_probe_that_cannot_be_delivered_is_mentioned() -> None:
    """A probe at an earlier tap that beats the pick is named, with the reason why it is not the model."""
    earlier = outcome(EARLIER.name, tap="blocks.4", wrong=5, selection_accuracy=0.97, deliverable=False)

    text = written(EXTRACTOR, HEAD, earlier, picked=HEAD)

    assert "Softmax on the codes of blocks.4 measured better than that: better (+8.8 points" in text
    assert "cut off at blocks.4" in text


def test_what_is_missing_is_said() -> None:
    """Left out, shortened and interrupted strategies are named with their reasons, and nothing is made up."""
    left_out = Outcome(name="full", kind="full", trained="", status="left out", note="the budget was used up.")
    short = replace(HEAD, status="shortened", note="5 of 20 epochs fit into the budget")

    text = written(short, left_out, interrupted=True)

    assert "was not measured: nothing more was trained" in text
    assert "one of the two is missing" in text
    assert "Whether earlier layers do better than the last codes was not measured." in text
    assert "No strategy was finished" in text
    assert "Fine-tuning the whole network was left out: the budget was used up." in text
    assert "The head alone was shortened: 5 of 20 epochs fit into the budget." in text
    assert "The run was interrupted" in text


def test_nothing_at_all_still_gives_a_verdict() -> None:
    """A run that was stopped at once says that nothing was measured."""
    sentences = verdict((), (), picked=None, depth_curve=(), test_size=0, interrupted=True)

    assert "the head alone was not measured" in sentences[0]
    assert "There are no test images, so nothing here is measured." in sentences
    assert sentences[-1] == CAVEAT


def test_a_small_test_part_is_called_small() -> None:
    """Under a hundred test images the width of an interval is named: 20 points for 40 images at 90 %."""
    text = written(HEAD, picked=HEAD, size=40)

    assert "with 40 images the interval of an accuracy spans about 19 points" in text
    assert "The test part is small" not in written(HEAD, picked=HEAD)


def test_pretrained_weights_are_compared_with_random_ones() -> None:
    """Where training from scratch was asked for, what the pretrained weights gave is said."""
    text = written(FULL, outcome("scratch", "scratch", wrong=200, blocks=None))

    assert "pretrained weights instead of random ones: better (+40.0 points" in text


def test_groups_widen_a_comparison() -> None:
    """Forty mended mistakes inside two groups are two pieces of evidence: cannot tell."""
    better = replace(UNFREEZE, predictions=predictions(0))
    groups = [str(number // 20) for number in range(TESTS)]

    assert compare(HEAD, better, LABELS, None, seed=0).answer == "better"
    assert compare(HEAD, better, LABELS, groups, seed=0).answer == "cannot tell"


def test_every_pair_is_compared_once() -> None:
    """The pairs of the verdict, each once, and only what was measured."""
    svm = outcome("svm on the last codes", tap="features")
    unmeasured = Outcome(name="scratch", kind="scratch", trained="", status="left out")
    earlier = replace(EARLIER, selection_accuracy=0.95)

    made = comparisons_for([EXTRACTOR, svm, earlier, HEAD, UNFREEZE, FULL, unmeasured], LABELS, None, seed=0)

    pairs = [(comparison.first, comparison.second) for comparison in made]
    assert len(pairs) == len(set(pairs))
    assert {
        ("head", "unfreeze 2"),
        ("head", "full"),
        ("unfreeze 2", "full"),
        (EXTRACTOR.name, "head"),
        (EXTRACTOR.name, svm.name),
        (EXTRACTOR.name, earlier.name),
        ("full", earlier.name),
    } <= set(pairs)
    assert not any("scratch" in pair for pair in pairs)
