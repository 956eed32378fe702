"""The answers of a step on rounds of folds, against the closed form by hand; values of metrics; a winner's optimism."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import t as student
from sklearn import metrics as sklearn_metrics
from sklearn.utils.class_weight import compute_sample_weight

from unfreeze.core.errors import InputError
from unfreeze.metrics.comparison import difference_over_seeds, paired_difference
from unfreeze.metrics.grouping import unit_numbers
from unfreeze.metrics.repeated import (
    LOOKS,
    StepEstimate,
    Tested,
    class_weights,
    compare_folds,
    largest_difference,
    largest_outcome,
    mean_score,
    metric_values,
    outcome_values,
    t_quantile,
)
from unfreeze.metrics.selection_bias import corrected_winner, mean_by_image


def rounds_of(images: int, *, rounds: int = 1, folds: int = 5, seed: int = 0) -> list[np.ndarray]:
    """Complete folds of images that are numbered from 0: each round deals them anew."""
    rng = np.random.default_rng(seed)
    return [part for _ in range(rounds) for part in np.array_split(rng.permutation(images), folds)]


def compared(
    differences: np.ndarray, tests: Sequence[np.ndarray], *, margin: float = 0.01, **settings: float
) -> StepEstimate:
    """A study in which every image has one difference, whatever was trained on."""
    first, second = [np.zeros(len(test)) for test in tests], [differences[test] for test in tests]
    return compare_folds(first, second, Tested(units=list(tests)), margin=margin, **settings)


def some(images: int, *, gained: int = 0, lost: int = 0, seed: int = 0) -> np.ndarray:
    """Differences of images of which so many are gained and lost, anywhere."""
    values = np.zeros(images)
    values[:gained], values[gained : gained + lost] = 1.0, -1.0
    return np.random.default_rng(seed).permutation(values)


@pytest.mark.parametrize(
    ("images", "gained", "lost", "answer"),
    [
        (1000, 100, 10, "worth it"),
        (1000, 10, 100, "not worth it"),  # it loses more than the margin
        (3000, 6, 36, "not worth it"),  # a loss at the margin: a gain above it is ruled out, more is not known
        (3000, 6, 6, "equivalent"),
        (100, 5, 3, "cannot tell"),
    ],
)
def test_each_answer(images: int, gained: int, lost: int, answer: str) -> None:
    """Each of the four answers is given where it should be."""
    assert compared(some(images, gained=gained, lost=lost), rounds_of(images)).answer == answer


def test_a_clear_loss_is_not_worth_it_at_any_margin() -> None:
    """Even for somebody to whom every difference matters."""
    assert compared(some(300, lost=60), rounds_of(300), margin=0.0).answer == "not worth it"


def test_a_definite_answer_needs_its_probability() -> None:
    """Over many studies the answer is the one whose probability reaches 0.975."""
    answers = set()
    for gained in range(20, 60):
        said = compared(some(400, gained=gained, lost=12, seed=gained), rounds_of(400, seed=gained))
        answers.add(said.answer)
        assert said.better is not None
        assert (said.answer == "worth it") == (said.better >= 0.975)
    assert answers == {"worth it", "cannot tell"}


@pytest.mark.parametrize(("folds", "level", "largest"), [(5, 0.95, 1.0), (5, 0.8, 0.5), (4, 0.9, 2.0)])
def test_one_round_has_the_variance_of_the_closed_form(
    folds: int, level: float, largest: float, rng: np.random.Generator
) -> None:
    """1.2² (S² + largest²/n)/n + max(0, s² - 1.5 u)/folds, Student's t with n - 1, and probabilities of the same t."""
    n = 60
    tests, differences = rounds_of(n, folds=folds), rng.choice([-1.0, 0.0, 1.0], n, p=[0.1, 0.6, 0.3])
    shifted = differences.copy()
    shifted[tests[0]] += 1.5  # the fits of one fold are better: what the excess is for
    for values in (differences, shifted):
        parts = [values[test] for test in tests]
        excess = np.var([part.mean() for part in parts], ddof=1) - 1.5 * np.mean(
            [part.var(ddof=1) / len(part) for part in parts]
        )
        images = 1.44 * (values.var(ddof=1) + largest**2 / n) / n
        error, t = np.sqrt(images + max(0.0, excess) / folds), student(n - 1)
        half, gain = t.ppf(0.5 + level / 2) * error, values.mean()

        tested = Tested(units=tests, folds=folds)
        said = compare_folds(
            [np.zeros(len(part)) for part in parts], parts, tested, margin=0.05, level=level, largest=largest
        )

        assert said.interval is not None
        assert said.difference == pytest.approx(gain)
        assert (said.interval.low, said.interval.high) == pytest.approx((gain - half, gain + half))
        assert (said.worse, said.better) == pytest.approx((t.cdf((-0.05 - gain) / error), t.sf((0.05 - gain) / error)))
        assert said.worse + said.equivalent + said.better == pytest.approx(1)  # type: ignore[operator]
        assert said.image_variance + said.training_variance == pytest.approx(images)
        assert said.fit_variance == pytest.approx(max(0.0, excess) / folds)
        assert (said.standard_error, said.degrees_of_freedom) == pytest.approx((error, n - 1))
        assert (said.splits, said.units, said.margin, said.level) == (folds, n, 0.05, level)
    assert excess > 0


def test_two_rounds_average_image_by_image(rng: np.random.Generator) -> None:
    """S² is that of the images' means over both rounds, S₁² that of one; s² is pooled inside rounds, over ten folds."""
    n = 50
    tests = rounds_of(n, rounds=2)
    parts = [rng.choice([-1.0, 0.0, 1.0], len(test)) + 0.8 * (number % 5 == 0) for number, test in enumerate(tests)]
    by_image = np.zeros(n)
    for test, part in zip(tests, parts, strict=True):
        by_image[test] += part / 2
    single = np.mean([np.concatenate(parts[at : at + 5]).var(ddof=1) for at in (0, 5)])
    means = np.array([part.mean() for part in parts]).reshape(2, 5)
    inside = np.mean([part.var(ddof=1) / len(part) for part in parts])
    excess = means.var(axis=1, ddof=1).mean() - 1.5 * inside

    said = compare_folds([np.zeros(len(part)) for part in parts], parts, Tested(units=tests), margin=0.01)

    assert excess > 0
    assert said.difference == pytest.approx(by_image.mean())
    assert said.image_variance == pytest.approx((by_image.var(ddof=1) + 1 / n) / n)
    assert said.training_variance == pytest.approx(0.44 * (single + 1 / n) / n)
    assert said.fit_variance == pytest.approx(excess / 10)
    assert (said.splits, said.units, said.degrees_of_freedom) == (10, n, n - 1)


def test_rounds_that_agree_prove_nothing_new() -> None:
    """The same differences in another round of other folds leave the images' variance as it is."""
    differences = some(100, gained=12, lost=4)
    once, twice = (compared(differences, rounds_of(100, rounds=rounds)) for rounds in (1, 2))

    assert twice.image_variance == pytest.approx(once.image_variance)
    assert twice.training_variance == pytest.approx(once.training_variance)
    assert twice.difference == pytest.approx(once.difference)


def test_part_of_a_round_speaks_for_what_it_tested() -> None:
    """Two folds of five have tested 40 of 100 images: these are n."""
    tests, differences = rounds_of(100)[:2], np.zeros(100)
    differences[tests[0][:3]], differences[tests[1][:3]] = 1.0, 1.0
    seen = differences[np.concatenate(tests)]

    said = compared(differences, tests)

    assert (said.splits, said.units, said.degrees_of_freedom) == (2, 40, 39)
    assert said.difference == pytest.approx(6 / 40)
    assert said.image_variance + said.training_variance == pytest.approx(1.44 * (seen.var(ddof=1) + 1 / 40) / 40)
    assert said.fit_variance == 0


def test_a_single_fold_decides_nothing_and_two_may() -> None:
    """All images gained are no answer in one fold, not even an interval; in two they are worth it."""
    one, two = (compared(np.ones(500), rounds_of(500)[:folds]) for folds in (1, 2))

    assert (one.difference, one.interval, one.worse, one.equivalent, one.better) == (1, None, None, None, None)
    assert (one.standard_error, one.degrees_of_freedom, one.answer) == (None, None, "cannot tell")
    assert one.image_variance > 0
    assert two.interval is not None
    assert two.answer == "worth it"


def test_images_that_happen_to_agree_are_not_a_certainty() -> None:
    """Where every fold gains two of twenty, no fits differ, and the interval keeps the width that images allow."""
    tests = [np.arange(20) + 20 * fold for fold in range(5)]
    differences = np.zeros(100)
    differences[[test[0] for test in tests] + [test[1] for test in tests]] = 1.0

    said = compared(differences, tests)

    assert said.fit_variance == 0
    assert said.interval is not None
    assert said.interval.high - said.interval.low > 0.1


def test_fits_that_differ_no_more_than_their_images_explain_add_nothing() -> None:
    """Of 200 studies in which outcomes do not depend on fits, fits add to few, as 1.5 u is rarely exceeded by much."""
    adding = [compared(some(200, gained=20, lost=10, seed=s), rounds_of(200, seed=s)).fit_variance for s in range(200)]

    assert np.mean(np.array(adding) > 0) < 0.3
    assert np.median(adding) == 0


def test_groups_vary_as_the_ratio_of_their_totals_and_sizes(rng: np.random.Generator) -> None:
    """1.2² (sum of (r / (1 - share))² + half a group), r the residual of a ratio over n; t with G_eff - 1."""
    sizes = np.array([1, 2, 3, 4, 5, 5, 6, 4, 3, 7])
    n, effective = sizes.sum(), sizes.sum() ** 2 / (sizes**2).sum()
    group_of = np.repeat(np.arange(10), sizes)
    values = rng.choice([-1.0, 0.0, 1.0], n)
    totals = np.bincount(group_of, weights=values)
    residuals = (totals - values.mean() * sizes) / n / (1 - sizes / n)
    variance = 1.44 * ((residuals**2).sum() + 0.5 / effective**2)
    tests = [np.flatnonzero(group_of % 5 == fold) for fold in range(5)]

    said = compare_folds(
        [np.zeros(len(test)) for test in tests],
        [values[test] for test in tests],
        Tested(units=[group_of[test] for test in tests]),
        margin=0.01,
    )

    assert said.units == 10
    assert said.difference == pytest.approx(values.mean())
    assert said.image_variance + said.training_variance == pytest.approx(variance)
    assert said.fit_variance == 0  # fewer than thirty groups say nothing of fits
    assert said.degrees_of_freedom == pytest.approx(effective - 1)
    assert said.interval is not None
    assert said.interval.high - said.difference == pytest.approx(student.ppf(0.975, effective - 1) * variance**0.5)


def by_group(values: np.ndarray, groups: np.ndarray, *, margin: float = 0.01, balanced: bool = False) -> StepEstimate:
    """One round in which group g is tested in fold g modulo five; classes in turn."""
    tests = [np.flatnonzero(groups % 5 == fold) for fold in range(5)]
    classes = [test % 2 for test in tests] if balanced else None
    tested = Tested(units=[groups[test] for test in tests], classes=classes)
    return compare_folds([np.zeros(len(t)) for t in tests], [values[t] for t in tests], tested, margin=margin)


@pytest.mark.parametrize(("groups", "answer"), [(7, "not worth it"), (8, "equivalent")])
def test_fewer_than_eight_groups_are_never_equivalent(groups: int, answer: str) -> None:
    """With a margin that nothing can reach, seven groups only rule out a gain, and eight say equivalent."""
    assert by_group(np.zeros(10 * groups), np.repeat(np.arange(groups), 10), margin=1.0).answer == answer


def test_one_group_of_a_class_is_never_equivalent() -> None:
    """Of a mean over classes each needs two groups."""
    groups, tested = np.repeat(np.arange(20), 4), [np.arange(16 * fold, 16 * fold + 16) for fold in range(5)]

    def answer(classes: np.ndarray) -> str:
        outcomes = [np.ones(16)] * 5
        of = Tested(units=[groups[t] for t in tested], classes=[classes[t] for t in tested])
        return compare_folds(outcomes, outcomes, of, margin=3.5).answer

    assert answer((groups == 0).astype(int)) == "not worth it"
    assert answer((groups < 2).astype(int)) == "equivalent"


def test_a_mean_over_classes_varies_class_by_class(rng: np.random.Generator) -> None:
    """1.2² sum over classes of (S_c² + 0.5/n_c)/n_c / K², and the difference is the mean of the classes' means."""
    classes = rng.permutation(np.repeat([0, 1, 2], [60, 30, 10]))
    values = rng.choice([-1.0, 0.0, 1.0], 100, p=[0.1, 0.7, 0.2])
    tests = rounds_of(100)
    of_class = [values[classes == label] for label in range(3)]
    variance = sum((one.var(ddof=1) + 0.5 / len(one)) / len(one) for one in of_class) / 9

    said = compare_folds(
        [np.zeros(len(test)) for test in tests],
        [values[test] for test in tests],
        Tested(units=tests, classes=[classes[test] for test in tests]),
        margin=0.01,
    )

    assert said.difference == pytest.approx(np.mean([one.mean() for one in of_class]))
    assert said.image_variance + said.training_variance == pytest.approx(1.44 * variance)
    assert (said.units, said.degrees_of_freedom) == (100, 99)


def test_classes_that_gain_differently_are_no_unstable_fits() -> None:
    """Where one class is all gained and one is all lost, folds with more of the one differ, and fits add nothing."""
    tests = [np.arange(20) + 20 * fold for fold in range(5)]
    classes = np.concatenate([np.arange(20) < first for first in (2, 6, 10, 14, 18)]).astype(int)
    values = np.where(classes == 1, 1.0, -1.0)

    said = compare_folds(
        [np.zeros(20)] * 5,
        [values[test] for test in tests],
        Tested(units=tests, classes=[classes[test] for test in tests]),
        margin=0.01,
    )

    assert said.difference == pytest.approx(0)
    assert said.fit_variance == pytest.approx(0)


def test_the_only_image_of_a_class_may_vary_by_all_that_an_image_can() -> None:
    """Its variance cannot be seen: the largest difference takes its place, weighed as its class."""
    tests = [np.array([0, 1, 2]), np.array([3, 4])]
    classes = [np.array([0, 0, 1]), np.array([0, 0])]

    said = compare_folds(
        [np.zeros(3), np.zeros(2)],
        [np.zeros(3), np.zeros(2)],
        Tested(units=tests, classes=classes, folds=2),
        margin=0.01,
        largest=2.0,
    )

    assert said.image_variance + said.training_variance == pytest.approx(1.44 * 4 / 4 * (1 + 0.5 * (1 / 16 + 1)))


@pytest.mark.parametrize("largest", [1.0, 0.5])
def test_what_never_differed_may_differ_by_the_rule_of_three(largest: float) -> None:
    """Where nothing differs in 100 images, 3/100 of the largest change stay open, and the margin has to be larger."""

    def said(margin: float) -> StepEstimate:
        return compared(np.zeros(100), rounds_of(100), margin=margin, largest=largest)

    unseen = 3 * largest / 100
    found = said(unseen).interval
    assert found is not None
    assert (found.low, found.high) == pytest.approx((-unseen, unseen))
    answers = [said(margin).answer for margin in (0.9 * unseen, unseen, 1.1 * unseen)]
    assert answers == ["cannot tell", "cannot tell", "equivalent"]


def test_identical_outcomes_of_a_rare_class_stay_open() -> None:
    """Of a mean over two classes of 90 and 10 images, 3 / (2 x 10) may still differ."""
    classes = (np.arange(100) % 10 == 0).astype(int)
    tests, outcomes = rounds_of(100), [np.ones(20)] * 5
    tested = Tested(units=tests, classes=[classes[test] for test in tests])

    found = compare_folds(outcomes, outcomes, tested, margin=0.01).interval

    assert found is not None
    assert (found.low, found.high) == pytest.approx((-3 / 20, 3 / 20))


def test_looks_are_whole_rounds() -> None:
    """After one, two and four rounds of five folds."""
    assert LOOKS == (5, 10, 20)


def test_a_score_counts_every_image_once(rng: np.random.Generator) -> None:
    """An image that was tested twice with its mean; of classes the mean of theirs: numpy's, of the matrix by hand."""
    tests = rounds_of(30, rounds=2)[:7]  # a round, and two folds of the next
    values = [rng.random(len(test)) for test in tests]
    matrix = np.full((7, 30), np.nan)
    for row, test, part in zip(matrix, tests, values, strict=True):
        row[test] = part
    by_image, classes = np.nanmean(matrix, axis=0), np.arange(30) % 3 // 2
    balanced = Tested(units=tests, classes=[classes[test] for test in tests])

    assert mean_score(values, Tested(units=tests)) == pytest.approx(by_image.mean())
    assert mean_score(values, balanced) == pytest.approx(
        (by_image[classes == 0].mean() + by_image[classes == 1].mean()) / 2
    )


def test_the_first_folds_alone() -> None:
    """Units and classes of the first ones, and as many in a round as before."""
    tested = Tested(units=rounds_of(12, folds=3), classes=[np.zeros(4, int)] * 3, folds=3)

    first = tested.part(0, 2)

    assert [list(one) for one in first.units] == [list(one) for one in tested.units[:2]]
    assert first.classes is not None
    assert (len(first.classes), first.folds) == (2, 3)


def test_a_comparison_refuses_what_does_not_fit() -> None:
    """Sides of different lengths, no folds, an empty one, missing units or classes, a negative margin."""
    ones, units = [np.ones(4)], [np.arange(4)]
    with pytest.raises(InputError, match=r"folds of \[4\] and \[3\] and \[4\] images"):
        compare_folds(ones, [np.ones(3)], Tested(units=units), margin=0.01)
    with pytest.raises(InputError, match="at least one fold"):
        compare_folds([], [], Tested(units=[]), margin=0.01)
    with pytest.raises(InputError, match=r"^Folds are compared image by image: .*of \[0\] and \[0\] and \[0\] images"):
        compare_folds([np.ones(0)], [np.ones(0)], Tested(units=[np.ones(0, int)]), margin=0.01)
    with pytest.raises(InputError, match=r"\[4, 4\] and \[4, 4\] and \[4\]"):
        compare_folds(ones * 2, ones * 2, Tested(units=units), margin=0.01)
    with pytest.raises(InputError, match=r"classes; got folds of \[4\] and \[4\] and \[4\] and \[2\] images"):
        compare_folds(ones, ones, Tested(units=units, classes=[np.zeros(2, int)]), margin=0.01)
    with pytest.raises(InputError, match=r"margin is not negative; got -0\.01"):
        compare_folds(ones, ones, Tested(units=units), margin=-0.01)


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


def test_winners_refuse_a_single_unit() -> None:
    """One unit cannot be resampled from."""
    with pytest.raises(InputError, match="at least two independent units"):
        corrected_winner(np.ones((2, 3)), ["a", "a", "a"], seed=0)


def test_the_largest_difference_of_an_image() -> None:
    """An image of a quarter's class, of two, weighs two; log-loss moves by the logarithm of the number of classes."""
    labels = np.array([0, 0, 0, 1])

    assert largest_difference("accuracy", labels) == 1.0
    assert largest_difference("balanced accuracy", labels) == 2.0
    assert largest_difference("log-loss", labels) == pytest.approx(np.log(2))


def test_log_loss_needs_probabilities() -> None:
    """An SVM has none, and is told so."""
    with pytest.raises(InputError, match="log-loss needs probabilities"):
        metric_values("log-loss", np.array([0, 1]), predictions=np.array([0, 1]))


def test_t_quantiles_are_those_of_a_table() -> None:
    """The quantiles are those that tables of Student's t print for 95 % and 80 %."""
    assert t_quantile(0.95, 1) == pytest.approx(12.706, abs=5e-4)
    assert t_quantile(0.95, 9) == pytest.approx(2.262, abs=5e-4)
    assert t_quantile(0.8, 4) == pytest.approx(1.533, abs=5e-4)


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


def test_outcomes_carry_no_weights_of_classes(rng: np.random.Generator) -> None:
    """Balanced accuracy of an image is 1 or 0, as accuracy is; times the weights of the classes it is its value."""
    labels, said = rng.integers(3, size=40), rng.integers(3, size=40)
    plain = outcome_values("balanced accuracy", labels, predictions=said)

    assert plain.tolist() == outcome_values("accuracy", labels, predictions=said).tolist()
    assert plain * class_weights(labels) == pytest.approx(metric_values("balanced accuracy", labels, predictions=said))
    assert class_weights(labels) == pytest.approx(compute_sample_weight("balanced", labels))


def test_the_largest_outcome_knows_no_weights() -> None:
    """1, and of log-loss from knowing the class to knowing nothing: log 10 of ten classes; one class counts as two."""
    assert largest_outcome("accuracy", 10) == largest_outcome("balanced accuracy", 10) == 1.0
    assert largest_outcome("log-loss", 10) == pytest.approx(np.log(10))
    assert largest_outcome("log-loss", 1) == pytest.approx(np.log(2))
