"""The four answers, what would settle one, the winner's optimism, and what is refused."""

import numpy as np
import pytest

from unfreeze.core.errors import InputError
from unfreeze.metrics.comparison import difference_over_seeds, paired_difference
from unfreeze.metrics.grouping import unit_numbers
from unfreeze.metrics.repeated import StepEstimate, compare_splits, largest_difference, metric_values
from unfreeze.metrics.selection_bias import corrected_winner, mean_by_image
from unfreeze.metrics.settling import what_would_settle


def study(images: int, *, gained: float, lost: float, splits: int = 10, seed: int = 0) -> StepEstimate:
    """A study in which these shares of the images are won and lost by the second strategy, whatever it trained on."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(images) / images
    first, second = (kinds < 0.7 + lost).astype(float), ((kinds < 0.7) | (kinds >= 1 - gained)).astype(float)
    tests = [rng.choice(images, images // 5, replace=False) for _ in range(splits)]
    return compare_splits(
        [first[t] for t in tests], [second[t] for t in tests], units=tests, test_fraction=0.2, margin=0.01
    )


@pytest.mark.parametrize(
    ("images", "gained", "lost", "answer"),
    [
        (1000, 0.10, 0.01, "worth it"),
        (1000, 0.01, 0.10, "not worth it"),  # it loses more than the margin
        (3000, 0.002, 0.012, "not worth it"),  # a loss at the margin: a gain above it is ruled out, more is not known
        (3000, 0.002, 0.002, "equivalent"),
        (100, 0.05, 0.03, "cannot tell"),
    ],
)
def test_each_answer(images: int, gained: float, lost: float, answer: str) -> None:
    """Each of the four answers is given where it should be."""
    assert study(images, gained=gained, lost=lost).answer == answer


def test_a_clear_loss_is_not_worth_it_at_any_margin() -> None:
    """Even for somebody to whom every difference matters."""
    rng = np.random.default_rng(0)
    tests = [rng.choice(300, 60, replace=False) for _ in range(10)]
    first, second = ([np.where(t % 10 < right, 1.0, 0.0) for t in tests] for right in (9, 7))

    found = compare_splits(first, second, units=tests, test_fraction=0.2, margin=0.0)

    assert found.answer == "not worth it"


def test_a_definite_answer_needs_its_probability() -> None:
    """Over many studies the answer is the one whose probability reaches 0.975."""
    for seed in range(60):
        said = study(400, gained=0.06, lost=0.03, seed=seed)
        assert said.better is not None
        assert (said.answer == "worth it") == (said.better >= 0.975)


def test_three_lucky_images_are_not_a_certainty() -> None:
    """Where the splits happen to agree to the last digit, the interval still has the width that the images allow."""
    first, second = np.zeros(20), np.zeros(20)
    second[:2] = 1.0
    tests = [np.arange(20) + 20 * split for split in range(5)]

    said = compare_splits([first] * 5, [second] * 5, units=tests, test_fraction=0.2, margin=0.01)

    assert said.split_variance == pytest.approx(0)
    assert said.interval is not None
    assert said.interval.high - said.interval.low > 0.1
    assert said.answer == "cannot tell"


def test_more_splits_are_named_before_more_images() -> None:
    """A difference well away from the margin that five splits leave open is settled by more splits."""
    said = [study(400, gained=0.09, lost=0.02, splits=5, seed=seed) for seed in range(40)]
    settled = [
        what_would_settle(s, images=400, splits=20, seed=0)
        for s in said
        if s.answer == "cannot tell" and s.difference > 0.06
    ]

    assert any(s.splits is not None and s.more_images is None for s in settled)


def test_a_difference_at_the_margin_is_not_settled_by_four_times_the_data() -> None:
    """Where the truth seems to lie at the margin, nothing is promised."""
    said = what_would_settle(study(100, gained=0.05, lost=0.04), images=100, splits=20, seed=0)

    assert (said.splits, said.more_images_range) == (None, None)
    assert said.more_images is None


def test_the_optimism_of_a_winner_among_equals_is_removed() -> None:
    """Of ten strategies that guess, the best seems better than chance; corrected it is at chance, within two errors."""
    naive, corrected = [], []
    for seed in range(300):
        values = (np.random.default_rng(seed).random((10, 100)) < 0.5).astype(float)
        said = corrected_winner(values, np.arange(100), seed=seed + 1000, draws=40)
        naive.append(said.naive)
        corrected.append(said.corrected)

    error = np.std(corrected) / np.sqrt(300)
    assert np.mean(naive) > 0.55
    assert abs(np.mean(corrected) - 0.5) < 2 * error


def test_a_single_strategy_has_no_optimism() -> None:
    """With nothing to choose from, the corrected estimate is the mean."""
    values = (np.random.default_rng(0).random((1, 400)) < 0.7).astype(float)

    said = corrected_winner(values, np.arange(400), seed=0)

    assert said.corrected == pytest.approx(values.mean(), abs=0.003)


def test_values_of_one_image_are_averaged_over_its_splits() -> None:
    """Each image counts once, however often it was tested on."""
    values, images = mean_by_image([np.array([1.0, 0.0]), np.array([0.0])], [np.array(["a", "b"]), np.array(["a"])])

    assert values.tolist() == [0.5, 0.0]
    assert images.tolist() == ["a", "b"]


def test_images_without_a_group_are_units_of_their_own() -> None:
    """Images of one group share a number; the empty group joins nothing."""
    assert unit_numbers(["a", "", "a", ""]).tolist() == [0, 1, 0, 2]


def test_one_seed_is_the_paired_difference(rng: np.random.Generator) -> None:
    """With a single seed there is no variance over seeds to add."""
    first, second = rng.random(200) < 0.7, rng.random(200) < 0.8

    over_seeds = difference_over_seeds(first[None].astype(float), second[None].astype(float), seed=0)

    assert over_seeds == paired_difference(first, second, seed=0)


@pytest.mark.parametrize(("gained", "lost"), [(1, 0), (5, 5), (30, 0)])
def test_few_differing_images_count_one_more_gained_and_lost(gained: int, lost: int) -> None:
    """The paired interval is no narrower than Bonett and Price's about the difference that was seen."""
    first, second = np.zeros(400, bool), np.zeros(400, bool)
    second[:gained], first[gained : gained + lost] = True, True
    rates = (gained + 1) / 402, (lost + 1) / 402
    half = 1.959964 * np.sqrt((sum(rates) - (rates[0] - rates[1]) ** 2) / 402)

    difference, interval = paired_difference(first, second, seed=0)

    assert difference - interval.low >= 0.98 * half
    assert interval.high - difference >= 0.98 * half


def test_seeds_that_differ_widen_the_interval_by_their_closed_form(rng: np.random.Generator) -> None:
    """Distances are added in quadrature: images by the bootstrap, seeds by Student's t."""
    image = rng.normal(0, 0.3, 400)
    same, shift = np.tile(image, (3, 1)), np.array([[-0.1], [0.0], [0.1]])
    nothing = np.zeros((3, 400))

    middle, narrow = difference_over_seeds(nothing, same, seed=0)
    moved, wide = difference_over_seeds(nothing, same + shift, seed=0)

    assert moved == pytest.approx(middle)
    seeds = 4.302653 * 0.1 / 3**0.5  # the 97.5 % quantile of Student's t with 2 degrees of freedom, from a table
    assert wide.high - moved == pytest.approx(np.hypot(narrow.high - middle, seeds), rel=1e-6)
    assert moved - wide.low == pytest.approx(np.hypot(middle - narrow.low, seeds), rel=1e-6)


def test_the_largest_difference_of_an_image() -> None:
    """An image of a quarter's class, of two, weighs two; log-loss moves by the logarithm of the number of classes."""
    labels = np.array([0, 0, 0, 1])

    assert largest_difference("accuracy", labels) == 1.0
    assert largest_difference("balanced accuracy", labels) == 2.0
    assert largest_difference("log-loss", labels) == pytest.approx(np.log(2))


def test_a_comparison_refuses_what_does_not_fit() -> None:
    """Sides of different lengths, no splits, a test fraction of 1, a negative margin."""
    ones, units = [np.ones(4)], [np.arange(4)]
    with pytest.raises(InputError, match=r"test parts of \[4\], \[3\] and \[4\] images"):
        compare_splits(ones, [np.ones(3)], units=units, test_fraction=0.2, margin=0.01)
    with pytest.raises(InputError, match="at least one split"):
        compare_splits([], [], units=[], test_fraction=0.2, margin=0.01)
    with pytest.raises(InputError, match="test fraction of 1"):
        compare_splits(ones, ones, units=units, test_fraction=1.0, margin=0.01)
    with pytest.raises(InputError, match=r"margin of -0\.01"):
        compare_splits(ones, ones, units=units, test_fraction=0.2, margin=-0.01)


def test_log_loss_needs_probabilities() -> None:
    """An SVM has none, and is told so."""
    with pytest.raises(InputError, match="log-loss needs probabilities"):
        metric_values("log-loss", np.array([0, 1]), predictions=np.array([0, 1]))


def test_settling_and_winners_refuse_too_little() -> None:
    """One split, or one unit, cannot be planned or resampled from."""
    one = compare_splits([np.ones(4)], [np.ones(4)], units=[np.arange(4)], test_fraction=0.2, margin=0.01)
    with pytest.raises(InputError, match="at least two splits"):
        what_would_settle(one, images=20, splits=20, seed=0)
    with pytest.raises(InputError, match="at least two independent units"):
        corrected_winner(np.ones((2, 3)), ["a", "a", "a"], seed=0)
