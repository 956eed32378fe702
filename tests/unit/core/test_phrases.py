"""Sentences that verdict, progress and report share."""

import pytest

from unfreeze.core.phrases import agreement, looked_at, not_ruled_out, on_folder, probability_of, settled_by
from unfreeze.core.records import Answer, Comparison, FolderStep, Interval, Settling
from unfreeze.core.settings import Metric
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
        ("cannot tell", ""),
        ("same", ""),
    ],
)
def test_an_answer_is_said_with_the_probability_that_it_rests_on(answer: Answer, said: str) -> None:
    """Not worth it is a loss or no difference that matters; what cannot be told, or is no step, rests on none."""
    assert probability_of(answer, 0.1, 0.3, 0.6, "1 point") == said


def test_images_that_would_settle_a_step_are_a_range() -> None:
    """Only where more images help are their numbers said."""
    assert "about 1,200 to 2,000 more images" in settled_by(Settling(kind="images", low=1200, high=2000), 60.0)
    assert not any(sign.isdigit() for sign in settled_by(Settling(kind="beyond"), 60.0))


@pytest.mark.parametrize(
    ("took", "more", "budget"),
    [(200.0, 90.0, "6m"), (300.0, 300.0, "12m"), (10.0, 1.0, "1m"), (3600.0, 7200.0, "207m")],
)
def test_more_splits_are_named_with_the_budget_that_holds_them(took: float, more: float, budget: str) -> None:
    """What the run took and what they take, 15 % more, in whole minutes."""
    splits = settled_by(Settling(kind="splits", splits=10, seconds=more), took)
    few = settled_by(Settling(kind="few", seconds=more), took)

    assert splits == f"10 common splits of the same images would probably settle it (--budget {budget})"
    assert few == f"too few common splits to tell: more need --budget {budget}"


@pytest.mark.parametrize(
    ("interval", "metric", "said"),
    [
        ((-0.011, 0.073), "accuracy", "a gain of up to 7.3 points or a loss of up to 1.1 points is not ruled out"),
        ((0.002, 0.052), "accuracy", "a gain of up to 5.2 points is not ruled out"),
        ((-0.02, -0.004), "balanced accuracy", "a loss of up to 2 points is not ruled out"),
        ((-1.2, 1.3), "accuracy", "a gain of up to 100 points or a loss of up to 100 points is not ruled out"),
        ((-0.1, 1.25), "log-loss", "a gain of up to 1.25 nats or a loss of up to 0.1 nats is not ruled out"),
        ((-0.0001, 0.01), "accuracy", "a gain of up to 1 point is not ruled out"),
        ((0.0, 0.0), "accuracy", ""),
    ],
)
def test_what_is_not_ruled_out_is_the_largest_gain_and_loss(
    interval: tuple[float, float], metric: Metric, said: str
) -> None:
    """As far as the interval leaves either, and a difference can reach."""
    assert not_ruled_out(Interval(*interval), metric) == said


def test_looks_at_the_test_folder_are_counted() -> None:
    """The first look needs no sentence; of later ones the number is said."""
    assert looked_at(1) == ""
    assert looked_at(3).startswith("3 runs in this directory, this one included")


@pytest.mark.parametrize(
    ("predictions", "differ", "said"),
    [
        (244, 4, "they agree on all but 4 of 244 images: at most 2.1 points either way"),
        (488, 4, "they agree on all but 4 of 488 predictions: at most 2.1 points either way"),
        (244, 0, "they agree on all 244 images: at most 2.1 points either way"),
    ],
)
def test_strategies_that_hardly_differ_are_said_to_agree(predictions: int, differ: int, said: str) -> None:
    """With the further end of the interval; one round predicts each image once, more rounds more often."""
    step = Comparison(
        first=SOFTMAX_ON_LAST,
        second=FULL,
        difference=0.008,
        interval=Interval(-0.005, 0.021),
        splits=5,
        worse=0.1,
        equivalent=0.5,
        better=0.4,
        answer="cannot tell",
        disagreements=differ,
        predictions=predictions,
    )

    assert agreement(step, "accuracy", 244) == said
