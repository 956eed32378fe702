"""The four answers, what would settle one, the winner's optimism, and what is refused."""

from collections.abc import Sequence
from itertools import pairwise

import baycomp
import numpy as np
import pytest
from scipy.stats import t as student
from sklearn import metrics as sklearn_metrics
from sklearn.utils.class_weight import compute_sample_weight

from unfreeze.core.errors import InputError
from unfreeze.metrics.comparison import difference_over_seeds, paired_difference
from unfreeze.metrics.grouping import unit_numbers
from unfreeze.metrics.repeated import (
    StepEstimate,
    compare_splits,
    inflation,
    largest_difference,
    metric_values,
    t_quantile,
)
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


def lucky(gains: int, *, splits: int = 5, **settings: float) -> StepEstimate:
    """Splits of 20 other images each, of which the second always gains the same number."""
    first, second = [np.zeros(20)] * splits, [(np.arange(20) < gains).astype(float)] * splits
    units = [np.arange(20) + 20 * split for split in range(splits)]
    chosen = {"test_fraction": 0.2, "margin": 0.05} | settings
    return compare_splits(first, second, units=units, **chosen)


@pytest.mark.parametrize(("largest", "level"), [(1.0, 0.95), (2.0, 0.95), (0.5, 0.8)])
def test_agreeing_splits_have_the_spread_of_their_images(largest: float, level: float) -> None:
    """Two of 20 gained in each of five splits give every number of the estimate as by hand, though s² is 0."""
    # S² = 2 x 18 / (20 x 19) between images and 2 x largest² / 100 for the unseen, times 0.8 / 20 between splits, times
    # 1/5 + 0.2/0.8 for the mean; with 100 images in all Student's t has 99 degrees of freedom
    least = 0.8 / 20 * (2 * 18 / (20 * 19) + 2 * largest**2 / 100)
    error = np.sqrt(least * (1 / 5 + 1 / 4))
    half = student.ppf(0.5 + level / 2, 99) * error
    worse, better = student.cdf((-0.05 - 0.1) / error, 99), student.sf((0.05 - 0.1) / error, 99)

    said = lucky(2, largest=largest, level=level)

    assert said.difference == pytest.approx(0.1)
    assert said.interval is not None
    assert (said.interval.low, said.interval.high) == pytest.approx((0.1 - half, 0.1 + half))
    assert (said.worse, said.equivalent, said.better) == pytest.approx((worse, 1 - worse - better, better))
    assert (said.standard_error, said.degrees_of_freedom) == (pytest.approx(error), 99)
    assert (said.least_variance, said.split_variance) == (pytest.approx(least), pytest.approx(0, abs=1e-12))
    assert (said.splits, said.units, said.test_fraction, said.margin, said.level) == (5, 100, 0.2, 0.05, level)


def test_differing_splits_have_the_spread_of_their_means(rng: np.random.Generator) -> None:
    """Where the splits differ most, probabilities are baycomp's and the interval has k - 1 degrees of freedom."""
    shift = np.array([-0.4, -0.2, 0.0, 0.3, 0.5])
    first = [rng.normal(0, 0.01, 10) for _ in shift]
    second = [part + one for part, one in zip(first, shift, strict=True)]
    theirs = baycomp.CorrelatedTTest.probs(np.zeros(5), shift, rope=0.1, runs=1)  # five folds: r is 1/5
    error = shift.std(ddof=1) * np.sqrt(1 / 5 + 1 / 4)

    said = compare_splits(first, second, units=[np.arange(10)] * 5, test_fraction=0.2, margin=0.1, largest=0.01)

    assert (said.worse, said.equivalent, said.better) == pytest.approx(theirs)
    assert (said.standard_error, said.degrees_of_freedom) == (pytest.approx(error), 4)
    assert said.split_variance == pytest.approx(shift.var(ddof=1))
    assert said.interval is not None
    assert said.interval.high - said.difference == pytest.approx(student.ppf(0.975, 4) * error)


@pytest.mark.parametrize("sizes", [(1, 2, 3, 4), (5, 1)])
def test_groups_vary_as_the_ratio_of_their_totals_and_sizes(sizes: Sequence[int], rng: np.random.Generator) -> None:
    """The least variance is Cochran's of a ratio over the groups of each test part, averaged over the parts."""
    parts = [rng.random(sum(sizes)) for _ in range(3)]
    groups = [np.repeat([f"{split} {group}" for group in range(len(sizes))], sizes) for split in range(3)]
    number, between = len(sizes), []
    for part in parts:
        totals = np.array([one.sum() for one in np.split(part, np.cumsum(sizes)[:-1])])
        residuals = totals - part.mean() * np.array(sizes)
        between.append((residuals**2).sum() / (number - 1) / np.mean(sizes) ** 2)

    said = compare_splits([np.zeros(sum(sizes))] * 3, parts, units=groups, test_fraction=0.3, margin=0.01)

    assert said.units == 3 * number
    assert said.least_variance == pytest.approx(0.7 * (np.mean(between) + 2 / (3 * number)) / number)


def test_one_group_a_part_may_vary_by_all_that_an_image_can() -> None:
    """Where each of three parts is a single group, largest² takes the place of S², with m = 1."""
    parts = [np.full(4, 1.0), np.full(4, 0.5), np.full(4, 0.75)]

    said = compare_splits(
        [np.zeros(4)] * 3, parts, units=[np.full(4, name) for name in "abc"],
        test_fraction=0.25, margin=0.01, largest=3.0,
    )  # fmt: skip

    assert said.least_variance == pytest.approx(0.75 * (9 + 2 * 9 / 3))


def test_parts_of_one_group_do_not_hide_what_others_show() -> None:
    """Of a part with two groups and one with a single group, S² comes from the first, and m is the mean, 1.5."""
    # the two groups' totals are 0 and 1 of one image each, so that S² = 1/2; two groups exist in all
    said = compare_splits(
        [np.zeros(2), np.zeros(1)], [np.array([0.0, 1.0]), np.ones(1)], units=[np.array([1, 2]), np.array([2])],
        test_fraction=0.5, margin=0.01,
    )  # fmt: skip

    assert said.least_variance == pytest.approx(0.5 * (1 / 2 + 2 / 2) / 1.5)


def test_a_single_unit_leaves_one_degree_of_freedom() -> None:
    """Two splits of the same single group have Student's t with one degree of freedom, and not with none."""
    said = compare_splits(
        [np.zeros(3)] * 2, [np.ones(3)] * 2, units=[np.zeros(3, int)] * 2, test_fraction=0.5, margin=0.01
    )

    assert said.units == 1
    assert said.degrees_of_freedom == 1


@pytest.mark.parametrize("largest", [1.0, 0.5])
def test_what_never_differed_may_differ_by_the_rule_of_three(largest: float) -> None:
    """Where nothing differs in 100 images, 3/100 of the largest change stay open, and the margin has to be larger."""
    outcomes, units = [np.arange(100) % 3 / 2] * 5, [np.arange(100)] * 5

    def said(margin: float) -> StepEstimate:
        return compare_splits(outcomes, outcomes, units=units, test_fraction=0.2, margin=margin, largest=largest)

    found, unseen = said(3 * largest / 100), 3 * largest / 100
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((-unseen, unseen))
    assert found.better is not None
    assert found.better < 0.025
    assert [said(margin).answer for margin in (0.9 * unseen, unseen, 1.1 * unseen)] == [
        "cannot tell",
        "cannot tell",
        "equivalent",
    ]


def test_definite_answers_begin_at_five_splits() -> None:
    """One split gives nothing but the difference, four give an interval too, and five the probabilities as well."""
    one, four, five = (lucky(20, splits=splits) for splits in (1, 4, 5))

    assert (one.difference, one.interval, one.better, one.answer) == (1, None, None, "cannot tell")
    assert (one.standard_error, one.degrees_of_freedom, one.split_variance) == (None, None, None)
    assert four.interval is not None
    assert (four.worse, four.equivalent, four.better, four.answer) == (None, None, None, "cannot tell")
    assert five.better is not None
    assert five.answer == "worth it"


def test_a_probability_that_just_reaches_what_is_needed_suffices() -> None:
    """A difference of exactly the margin is better with probability 1/2, which is what a level of 0 asks for."""
    said = lucky(5, margin=0.25, level=0.0)

    assert said.better == 0.5
    assert said.answer == "worth it"


def test_inflation_is_that_of_nadeau_and_bengio() -> None:
    """1/k + r/(1-r): ten splits that test on a fifth give 0.1 + 0.25, and no number of them less than 0.25."""
    assert inflation(10, 0.2) == pytest.approx(0.35)
    assert inflation(4, 0.5) == pytest.approx(1.25)
    assert all(inflation(more, 0.2) < inflation(fewer, 0.2) for fewer, more in pairwise(range(1, 30)))
    assert inflation(10**9, 0.2) == pytest.approx(0.25)


def test_t_quantiles_are_those_of_a_table() -> None:
    """The quantiles are those that tables of Student's t print for 95 % and 80 %."""
    assert t_quantile(0.95, 1) == pytest.approx(12.706, abs=5e-4)
    assert t_quantile(0.95, 9) == pytest.approx(2.262, abs=5e-4)
    assert t_quantile(0.8, 4) == pytest.approx(1.533, abs=5e-4)


def test_more_of_what_cannot_be_compared_is_refused() -> None:
    """Empty parts, missing units and a test fraction of 0 are refused with what was found; single images are not."""
    ones, units = [np.ones(2)] * 2, [np.arange(2)] * 2
    with pytest.raises(InputError, match=r"^Splits are compared image by image: .*of \[0\], \[0\] and \[0\] images"):
        compare_splits([np.ones(0)], [np.ones(0)], units=[np.ones(0)], test_fraction=0.2, margin=0.01)
    with pytest.raises(InputError, match=r"test parts of \[2, 2\], \[2, 2\] and \[2\] images"):
        compare_splits(ones, ones, units=units[:1], test_fraction=0.2, margin=0.01)
    with pytest.raises(InputError, match=r"^The test fraction lies between 0 and 1 and the margin .* fraction of 0\.0"):
        compare_splits(ones, ones, units=units, test_fraction=0.0, margin=0.01)

    single = compare_splits([np.zeros(1)], [np.ones(1)], units=[np.zeros(1, int)], test_fraction=0.5, margin=0.0)
    assert single.difference == 1


def test_values_average_to_scikit_learns_metrics(rng: np.random.Generator) -> None:
    """The means are scikit-learn's metrics, from the predictions or, without these, from the most probable class."""
    labels = np.concatenate([np.arange(4), rng.choice(4, 96, p=[0.6, 0.2, 0.15, 0.05])])
    probabilities = rng.dirichlet(np.full(4, 0.5), 100)
    likely, other = probabilities.argmax(axis=1), rng.integers(4, size=100)

    for predicted, given in ((likely, None), (other, other)):
        right = metric_values("accuracy", labels, predictions=given, probabilities=probabilities)
        balanced = metric_values("balanced accuracy", labels, predictions=given, probabilities=probabilities)
        logarithms = metric_values("log-loss", labels, predictions=given, probabilities=probabilities)
        assert right.tolist() == (predicted == labels).astype(float).tolist()
        assert balanced.mean() == pytest.approx(sklearn_metrics.balanced_accuracy_score(labels, predicted))
        assert -logarithms.mean() == pytest.approx(sklearn_metrics.log_loss(labels, probabilities))


def test_single_values_of_images_by_hand() -> None:
    """Balanced, right images weigh 4/(2 x 3) in a class of three and 4/(2 x 1) in one of one; wrong ones nothing."""
    labels, predictions = np.array([0, 0, 0, 7]), np.array([0, 7, 0, 7])

    assert metric_values("accuracy", labels, predictions=predictions).tolist() == [1, 0, 1, 1]
    assert metric_values("balanced accuracy", labels, predictions=predictions) == pytest.approx([2 / 3, 0, 2 / 3, 2])
    assert metric_values("accuracy", labels[:1], predictions=predictions[:1]).tolist() == [1]


def test_logarithms_are_bounded_and_in_double_precision() -> None:
    """Zero costs the smallest step of float32, more than one gains nothing, and 0.1 has its float64 logarithm."""
    probabilities = np.array([[0.0, 1.0], [1.5, 0.0], [0.1, 0.9]], np.float32)

    values = metric_values("log-loss", np.array([0, 0, 0]), probabilities=probabilities)

    assert values.dtype == np.float64
    assert values == pytest.approx([-23 * np.log(2), 0, np.log(float(np.float32(0.1)))], rel=1e-13)


def test_values_need_what_their_metric_is_made_of() -> None:
    """Where nothing fits is given, or no image, the error says what is needed and what was found."""
    labels, none = np.array([0, 1]), np.zeros(0, int)
    with pytest.raises(InputError, match=r"^accuracy needs predictions or probabilities of every image.*; got none\.$"):
        metric_values("accuracy", labels)
    with pytest.raises(InputError, match=r"^log-loss needs probabilities of every image.*; got none\.$"):
        metric_values("log-loss", labels, predictions=labels)
    with pytest.raises(InputError, match=r"got 0 for 0 images"):
        metric_values("balanced accuracy", none, predictions=none)
    with pytest.raises((InputError, TypeError)):  # where shapes are checked by type, that check speaks first
        metric_values("accuracy", labels, predictions=labels[:1])


def test_an_image_moves_a_metric_by_its_weight_at_most(rng: np.random.Generator) -> None:
    """One image of a hundred changes accuracies by largest/100, and log-loss by the logarithm of the classes there."""
    labels = np.concatenate([np.arange(5), rng.choice(5, 95, p=[0.6, 0.2, 0.1, 0.05, 0.05])])

    assert largest_difference("accuracy", labels) == 1
    assert largest_difference("balanced accuracy", labels) == pytest.approx(
        compute_sample_weight("balanced", labels).max()
    )
    assert largest_difference("log-loss", labels) == pytest.approx(np.log(5))
    assert largest_difference("log-loss", np.zeros(3, int)) == pytest.approx(np.log(2))
