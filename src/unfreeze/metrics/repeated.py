"""A step from one strategy to another, measured on repeated splits: how much it gains, how sure that is, the answer.

What is estimated is the expected difference *at the training size of a split*, over training sets, images and seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.stats import t as student

from unfreeze.core.errors import InputError
from unfreeze.core.records import Answer, Interval
from unfreeze.core.settings import Metric

FEWEST_FOR_PROBABILITIES = 5  # common splits; below that Student's t has tails too heavy for a definite answer anyway

# Numbers of common splits at which an answer is looked at: looking after every split, and stopping when one likes what
# one sees, finds differences where there are none.
LOOKS = (5, 10, 20)


@dataclass(frozen=True, kw_only=True)
class StepEstimate:
    """What repeated splits say of the second strategy against the first.

    Attributes:
        difference: Mean over the splits of second minus first, in the metric's unit (a fraction, or nats).
        interval: Corrected interval of the expected difference; None with a single split.
        worse: Probability that the second loses more than the margin. None with fewer than five splits, like the next.
        equivalent: Probability that the two differ by at most the margin.
        better: Probability that the second gains more than the margin.
        answer: "worth it": `better` is at least 0.5 + level / 2 (0.975 at the usual level). "equivalent": `equivalent`
            is. "not worth it": neither, but `worse + equivalent` is: a gain above the margin is ruled out, though not
            whether something is lost. "cannot tell": everything else, and always with fewer than five splits.
        splits: Number of common splits, k.
        units: Number of different independent units (groups, or single images) that were tested on in any split.
        standard_error: Of the difference, corrected; None with a single split, like the next two.
        degrees_of_freedom: Of Student's t that `interval` and the probabilities are taken from.
        split_variance: Variance of the difference between the splits, s².
        least_variance: What s² is expected to be at least, from the differences between units.
        test_fraction: Share of the images that a split tests on.
        margin: Smallest gain that the user cares about, in the metric's unit.
        level: Coverage of `interval`.
    """

    difference: float
    interval: Interval | None
    worse: float | None
    equivalent: float | None
    better: float | None
    answer: Answer
    splits: int
    units: int
    standard_error: float | None
    degrees_of_freedom: int | None
    split_variance: float | None
    least_variance: float
    test_fraction: float
    margin: float
    level: float


def compare_splits(
    first: Sequence[Float[np.ndarray, "..."]],
    second: Sequence[Float[np.ndarray, "..."]],
    *,
    units: Sequence[Shaped[np.ndarray, "..."]],
    test_fraction: float,
    margin: float,
    level: float = 0.95,
    largest: float = 1.0,
) -> StepEstimate:
    """Compare two strategies on common splits of one image set, paired by image and by split.

    **Interval.** With d_j the mean difference on the test part of split j of k, s² the variance of the d_j and r the
    test fraction, the variance of their mean is s² (1/k + r/(1-r)), and the interval takes Student's t with k - 1
    degrees of freedom (Nadeau & Bengio, Machine Learning 52, 2003). The second term is there because the splits share
    their images: however many there are, the mean does not become surer than the images allow.

    **Probabilities.** The same distribution, read as the posterior of the expected difference: the correlated Bayesian
    t-test with correlation r (Corani & Benavoli, Machine Learning 100, 2015).

    **Never surer than the images.** Few splits, or few images on which the two differ, can make s² absurdly small by
    chance. But test parts are drawn from a finite number of units, so that s² is expected to be at least (1-r) S²/m,
    where S² is the variance of the difference between the units of a test part and m their number (sampling without
    replacement, Cochran, Sampling Techniques, 1977, theorem 2.2). To S² two units are added that were not seen, one
    gained and one lost (Bonett & Price, J. Educ. Behav. Stat. 37, 2012): among all M different units they add 2/M.
    Otherwise three images that happen to fall alike would be a certainty. This least variance is known from M units,
    not from k splits, so it goes with M - 1 degrees of freedom. Both intervals are computed, and the wider one is
    taken, with its distribution for the probabilities. Units are groups where there are groups, by their totals and
    sizes (the variance of a ratio, Cochran, chapter 6).

    **Identical outcomes.** What was not seen in M units may still happen in 3 of M (the rule of three, Hanley &
    Lippman-Hand, JAMA 249, 1983). If nothing differs at all, the interval reaches at least that far to both sides, and
    "equivalent" needs a larger margin.

    Args:
        first: One array per split: the value of every image of its test part with the first strategy, such that their
            mean is the metric and larger is better (see `metric_values`).
        second: The same of the second: same splits, same images, same order.
        units: One array per split: name or number of the independent unit of every image, its group or the image
            itself; the same unit has the same name in all splits (see `unfreeze.metrics.grouping.unit_numbers`).
        test_fraction: Share of the images that a split tests on, between 0 and 1.
        margin: Smallest difference that matters, in the metric's unit; not negative.
        level: Coverage of the interval; a definite answer needs the probability 0.5 + level / 2.
        largest: Difference that one image can make: see `largest_difference`.

    Returns:
        The estimate, seen from the second strategy.

    Raises:
        InputError: No splits, an empty test part, sides that do not match, or settings out of range.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> images = [rng.choice(300, 60, replace=False) for _ in range(10)]
        >>> first = [(image % 10 != 0).astype(float) for image in images]
        >>> second = [np.ones(60) for _ in images]
        >>> compare_splits(first, second, units=images, test_fraction=0.2, margin=0.01).answer
        'worth it'
    """
    _check(first, second, units, test_fraction=test_fraction, margin=margin)
    differences = [np.asarray(b, np.float64) - np.asarray(a, np.float64) for a, b in zip(first, second, strict=True)]
    means = np.array([difference.mean() for difference in differences])
    splits, difference = len(means), float(means.mean())
    number = len(np.unique(np.concatenate([np.asarray(part) for part in units])))
    bare = StepEstimate(
        difference=difference,
        interval=None,
        worse=None,
        equivalent=None,
        better=None,
        answer="cannot tell",
        splits=splits,
        units=number,
        standard_error=None,
        degrees_of_freedom=None,
        split_variance=None,
        least_variance=_least_variance(differences, units, number=number, test_fraction=test_fraction, largest=largest),
        test_fraction=test_fraction,
        margin=margin,
        level=level,
    )
    if splits == 1:
        return bare
    unseen = 3 * largest / number if np.ptp(np.concatenate(differences)) == 0 else 0.0
    return _with_interval(bare, float(means.var(ddof=1)), unseen=unseen)


def _with_interval(bare: StepEstimate, variance: float, *, unseen: float) -> StepEstimate:
    """The estimate with its interval, probabilities and answer.

    Args:
        bare: Of two splits or more.
        variance: Of the difference between the splits.
        unseen: How far the interval reaches at least where outcomes are identical; else 0.

    Returns:
        The estimate.
    """
    splits, difference, level, margin = bare.splits, bare.difference, bare.level, bare.margin
    known = ((variance, splits - 1), (bare.least_variance, max(1, bare.units - 1)))  # two variances, their freedom
    factor = inflation(splits, bare.test_fraction)
    half, error, freedom = max(
        (t_quantile(level, df) * (s2 * factor) ** 0.5, (s2 * factor) ** 0.5, df) for s2, df in known
    )
    half = max(half, unseen)
    worse, equivalent, better = _probabilities(difference, error, freedom=freedom, margin=margin, splits=splits)
    return replace(
        bare,
        interval=Interval(difference - half, difference + half),
        worse=worse,
        equivalent=equivalent,
        better=better,
        answer=_answer(worse, equivalent, better, needed=0.5 + level / 2, near_enough=not unseen or unseen < margin),
        standard_error=error,
        degrees_of_freedom=freedom,
        split_variance=variance,
    )


def inflation(splits: int, test_fraction: float) -> float:
    """What the variance between splits is multiplied by for that of their mean: 1/k + r/(1-r).

    Args:
        splits: Number of splits, k.
        test_fraction: Share of the images that a split tests on, r.

    Returns:
        A factor; it falls towards n_test / n_train with the number of splits, and no lower.

    Source:
        C. Nadeau & Y. Bengio, Inference for the generalization error, Machine Learning 52 (2003).
    """
    return 1 / splits + test_fraction / (1 - test_fraction)


def t_quantile(level: float, freedom: int) -> float:
    """How many standard errors an interval of this level reaches to either side, by Student's t.

    Args:
        level: Coverage wanted, a fraction.
        freedom: Degrees of freedom.

    Returns:
        A number of standard errors.
    """
    return float(student.ppf(0.5 + level / 2, freedom))


def _check(
    first: Sequence[np.ndarray],
    second: Sequence[np.ndarray],
    units: Sequence[np.ndarray],
    *,
    test_fraction: float,
    margin: float,
) -> None:
    lengths = [[len(part) for part in side] for side in (first, second, units)]
    if not lengths[0] or 0 in lengths[0] or lengths.count(lengths[0]) != 3:
        msg = (
            "Splits are compared image by image: at least one split, at least one image in each, and as many values "
            f"of both strategies and units; got test parts of {lengths[0]}, {lengths[1]} and {lengths[2]} images."
        )
        raise InputError(msg)
    if not (0 < test_fraction < 1 and margin >= 0):
        msg = (
            "The test fraction lies between 0 and 1 and the margin is not negative; "
            f"got a test fraction of {test_fraction} and a margin of {margin}."
        )
        raise InputError(msg)


def _least_variance(
    differences: Sequence[Float[np.ndarray, "..."]],
    units: Sequence[Shaped[np.ndarray, "..."]],
    *,
    number: int,
    test_fraction: float,
    largest: float,
) -> float:
    """Lower bound of the variance between splits: (1-r) (S² + 2/M) / m; see `compare_splits`."""
    parts = [_between_units(part, unit) for part, unit in zip(differences, units, strict=True)]
    seen = [variance for variance, _ in parts if variance is not None]
    # one unit a test part says nothing of a variance: the largest possible takes its place
    between = float(np.mean(seen)) if seen else largest**2
    tested = float(np.mean([tested for _, tested in parts]))
    return (1 - test_fraction) * (between + 2 * largest**2 / number) / tested


def _between_units(
    differences: Float[np.ndarray, " image"], units: Shaped[np.ndarray, " image"]
) -> tuple[float | None, int]:
    """Variance of the difference between the units of one test part (None for a single one), and their number."""
    _, unit_of = np.unique(units, return_inverse=True)
    sizes = np.bincount(unit_of)
    if len(sizes) == 1:
        return None, 1
    residuals = np.bincount(unit_of, weights=differences) - sizes * differences.mean()
    return float(residuals @ residuals / (len(sizes) - 1) / sizes.mean() ** 2), len(sizes)


def _probabilities(
    difference: float, error: float, *, freedom: int, margin: float, splits: int
) -> tuple[float, float, float] | tuple[None, None, None]:
    """Of worse, equivalent and better, by Student's t about the difference."""
    if splits < FEWEST_FOR_PROBABILITIES:
        return None, None, None
    worse = float(student.cdf((-margin - difference) / error, freedom))
    better = float(student.sf((margin - difference) / error, freedom))
    return worse, max(0.0, 1 - worse - better), better


def _answer(
    worse: float | None, equivalent: float | None, better: float | None, *, needed: float, near_enough: bool
) -> Answer:
    """One of the four; `near_enough` is whether the rule of three allows to call the two equivalent."""
    if worse is None or equivalent is None or better is None:
        return "cannot tell"
    if better >= needed:
        return "worth it"
    if equivalent >= needed and near_enough:
        return "equivalent"
    return "not worth it" if 1 - better >= needed and near_enough else "cannot tell"


def metric_values(
    metric: Metric,
    labels: Int[np.ndarray, " image"],
    *,
    predictions: Int[np.ndarray, " image"] | None = None,
    probabilities: Float[np.ndarray, "image cls"] | None = None,
) -> Float[np.ndarray, " image"]:
    """One value per image of a test part, such that their mean is the metric and larger is better.

    Args:
        metric: accuracy: 1 where right, else 0. balanced accuracy: where right n / (number of classes present x number
            of images of its class), else 0, n being the number of images. log-loss: the logarithm of the probability
            that the true class was given, in nats (negative).
        labels: Class index of every image of this test part.
        predictions: Predicted class index of every image; without it the most probable class counts.
        probabilities: Probability of every class for every image; log-loss needs it.

    Returns:
        The values, float64.

    Raises:
        InputError: There are no images, numbers of images differ, or what the metric needs was not given.

    Example:
        >>> right = np.array([0, 0, 0, 0])
        >>> metric_values("balanced accuracy", np.array([0, 0, 0, 1]), predictions=right).tolist()
        [0.6666666666666666, 0.6666666666666666, 0.6666666666666666, 0.0]
    """
    given = probabilities if metric == "log-loss" or predictions is None else predictions
    if given is None or len(labels) == 0 or len(given) != len(labels):
        needed = "probabilities" if metric == "log-loss" else "predictions or probabilities"
        found = "none" if given is None else f"{len(given)} for {len(labels)} images"
        msg = f"{metric} needs {needed} of every image, and at least one image; got {found}."
        raise InputError(msg)
    if metric == "log-loss":
        rows = np.asarray(probabilities)
        true = rows[np.arange(len(labels)), labels]
        values: np.ndarray = np.log(np.clip(true, np.finfo(rows.dtype).eps, 1.0), dtype=np.float64)
        return values
    predicted = given if predictions is not None else np.argmax(given, axis=1)
    weights = _class_weights(labels) if metric == "balanced accuracy" else np.ones(len(labels))
    return np.where(predicted == labels, weights, 0.0)


def largest_difference(metric: Metric, labels: Int[np.ndarray, " image"]) -> float:
    """How far one image can move its value, for `compare_splits`: what an unseen change may cost.

    Args:
        metric: Which metric.
        labels: Class index of every image of a test part.

    Returns:
        accuracy: 1. balanced accuracy: the weight of an image of the rarest class. log-loss, which has no largest
        change: the logarithm of the number of classes, from knowing the class to knowing nothing.
    """
    if metric == "log-loss":
        return float(np.log(max(2, len(np.unique(labels)))))
    return float(_class_weights(labels).max()) if metric == "balanced accuracy" else 1.0


def _class_weights(labels: Int[np.ndarray, " image"]) -> Float[np.ndarray, " image"]:
    """Weight of every image, n / (classes present x images of its class); their mean is 1."""
    _, class_of, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return (len(labels) / (len(counts) * counts))[class_of]
