"""Sentences that verdict, progress and report share."""

import pytest

from unfreeze.core.phrases import looked_at, not_proved, on_folder, probability_of, settled_by
from unfreeze.core.records import Answer, FolderStep, Interval, Settling
from unfreeze.core.strategies import FULL, SOFTMAX_ON_LAST


@pytest.mark.parametrize(
    ("seeds", "differ", "said"),
    [(3, True, "mean of 3 seeds"), (1, True, "of one seed, whose"), (1, False, "to +5.0).")],
)
def test_a_single_seed_is_said_where_another_could_differ(seeds: int, differ: bool, said: str) -> None:
    """A trained network differs from seed to seed, which one seed does not show; a probe does not."""
    step = FolderStep(
        first=SOFTMAX_ON_LAST,
        second=FULL,
        difference=0.03,
        interval=Interval(0.01, 0.05),
        seeds=seeds,
        seeds_differ=differ,
    )

    assert said in on_folder(step, "accuracy")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("worth it", "probability 60 % of more than 1 point"),
        ("equivalent", "probability 30 % of a difference within 1 point"),
        ("not worth it", "probability 40 % of no gain above 1 point"),
        (
            "cannot tell",
            "probability 60 % of more than 1 point better, 30 % of a difference within it, 10 % of more than 1 point "
            "worse",
        ),
    ],
)
def test_an_answer_is_said_with_the_probability_that_it_rests_on(answer: Answer, said: str) -> None:
    """Not worth it is a loss or no difference that matters, and what cannot be told has all three."""
    assert probability_of(answer, 0.1, 0.3, 0.6, "1 point") == said


def test_images_that_would_settle_a_step_are_a_range() -> None:
    """Only where more images help are their numbers said."""
    assert "about 1,200 to 2,000 more images" in settled_by(Settling(kind="images", low=1200, high=2000))
    assert not any(sign.isdigit() for sign in settled_by(Settling(kind="beyond")))


def test_what_a_forecast_did_not_prove_is_one_clause() -> None:
    """The verb agrees with how many parts were no better, and nothing is said where both were."""
    assert not_proved(gain=True, probability=True) == ""
    assert not_proved(gain=False, probability=True).startswith("in tests the gain was no better")
    assert not_proved(gain=False, probability=False).startswith("in tests the gain and the probability were no better")


def test_looks_at_the_test_folder_are_counted() -> None:
    """The first look is told from later ones, whose number is said."""
    assert looked_at(1) == "No other run in this directory has looked at the folder."
    assert looked_at(3).startswith("3 runs in this directory, this one included")
