"""A step from one strategy to another, measured on rounds of folds: how much it gains, how sure that is, the answer.

What is estimated is the expected difference *at the training size of a fold*, over training sets, images and seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.special import stdtr, stdtrit  # Student's t, as scipy.stats has it, whose import takes half a second

from unfreeze.core.errors import InputError
from unfreeze.core.records import Answer, Interval
from unfreeze.core.settings import Metric

FOLDS = 5  # of a round; together they test every image once
FEWEST_FOR_PROBABILITIES = 2  # common folds; one tells nothing of training sets

# Numbers of common folds, whole rounds, at which an answer is looked at: looking after every fold, and stopping when
# one likes what one sees, finds differences where there are none.
LOOKS = (FOLDS, 2 * FOLDS, 4 * FOLDS)

# What training sets, which folds and rounds share, add to the variance of images, as a part of what one round's images
# have: 1.2² - 1. From calibration on draws of real sets and on simulated ones; see `compare_folds`.
TRAINING_SETS = 0.44
# Times what images alone give a fold mean: what its variance may be before fits are held to be unstable.
_STABLE = 1.5
# Units that were not seen, half of each gained and half lost: among all images, and where units are groups or each
# class is estimated by itself. Without them three images that happen to fall alike would be a certainty.
_UNSEEN, _UNSEEN_OF_FEW = 1.0, 0.5
_FEWEST_GROUPS = 8  # below, nothing is called equivalent
_FEWEST_GROUPS_FOR_FITS = 30  # below, fold means say nothing of fits


@dataclass(frozen=True, eq=False, kw_only=True)
class Tested:
    """What was tested in each of some folds.

    Attributes:
        units: By fold, the number of the independent unit of every image: its group, or the image itself; the same
            unit has the same number in all folds (see `unfreeze.metrics.grouping.unit_numbers`). All images of a unit
            are in the same folds.
        classes: By fold, the class index of every image, where the metric is a mean over classes; else None.
        folds: How many make a round.
    """

    units: Sequence[Int[np.ndarray, "..."]]
    classes: Sequence[Int[np.ndarray, "..."]] | None = None
    folds: int = FOLDS

    def part(self, first: int, beyond: int) -> "Tested":
        """Some of the folds, the last one excluded."""
        classes = None if self.classes is None else self.classes[first:beyond]
        return replace(self, units=self.units[first:beyond], classes=classes)


Values = Sequence[Float[np.ndarray, "..."]]


@dataclass(frozen=True, kw_only=True)
class StepEstimate:
    """What folds say of the second strategy against the first.

    Attributes:
        difference: Second minus first, in the metric's unit (a fraction, or nats).
        interval: Of the expected difference; None with a single fold.
        worse: Probability that the second loses more than the margin. None with a single fold, like the next two.
        equivalent: Probability that the two differ by at most the margin.
        better: Probability that the second gains more than the margin.
        answer: "worth it": `better` is at least 0.5 + level / 2 (0.975 at the usual level). "equivalent": `equivalent`
            is. "not worth it": neither, but `worse + equivalent` is: a gain above the margin is ruled out, though not
            whether something is lost. "cannot tell": everything else, and always with a single fold.
        splits: Number of common folds.
        units: Number of different independent units (groups, or single images) that were tested.
        standard_error: Of the difference; None with a single fold, like the next.
        degrees_of_freedom: Of Student's t that `interval` and the probabilities are taken from.
        image_variance: Part of the squared standard error that images make.
        training_variance: Part that training sets add.
        fit_variance: Part that unstable fits add.
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
    degrees_of_freedom: float | None
    image_variance: float
    training_variance: float
    fit_variance: float
    margin: float
    level: float

    @property
    def variance(self) -> float:
        """Of the difference: of a single fold, that of its images and of training sets."""
        return self.image_variance + self.training_variance + self.fit_variance


def mean_score(values: Values, tested: Tested) -> float:
    """The metric over all images that folds tested, an image that was tested more often with its mean.

    Args:
        values: One array per fold: the value of every image (see `outcome_values`).
        tested: What these folds tested.

    Returns:
        The mean over images; where the metric is a mean over classes, over the classes that were tested.
    """
    return float(_Cells.of(values, tested).by_class().mean())


def compare_folds(
    first: Values,
    second: Values,
    tested: Tested,
    *,
    margin: float,
    level: float = 0.95,
    largest: float = 1.0,
) -> StepEstimate:
    """Compare two strategies on common folds of one image set, paired by image.

    **Images.** Each image has a difference, averaged over the rounds that tested it. With S² the variance of these
    differences over n images, those alone give the mean a variance of S²/n, which is too small, as folds share their
    training images (Bayle, Bayle, Janson & Mackey 2020, "Cross-validation confidence intervals for test error",
    NeurIPS 33, prove it for learners that are stable enough, which real ones are not). What training sets add is taken
    for 0.44 of S₁²/n, S₁² being the variance in a single round (the mean over rounds), which holds what fits do to
    images and which more rounds of the same images do not make smaller. The factor is a calibration on real draws and
    simulated ones (`benchmarks/coverage.py`, `benchmarks/draws.py`).

    **Fits.** Where the means of folds vary more than 1.5 times what their images explain, fits are unstable, and what
    is beyond is added, divided by the number of folds: max(0, s² - 1.5 u) / folds, s² the variance of fold means
    inside rounds, u the variance that images alone give a fold mean. Fits of which one in ten collapses cannot be
    seen in five folds, by no interval.

    **Images that were not seen.** To the images one is added of which half is gained and half lost: 1/n to S² and S₁².
    If nothing differs at all, what was not seen in n images may still happen in 3 of n (the rule of three, Hanley &
    Lippman-Hand, JAMA 249, 1983): the interval reaches that far to both sides, and "equivalent" needs a larger margin.

    **Groups.** Units are groups where there are groups, by their totals and sizes: the residuals of a ratio, each
    divided by one minus its share of the images (as jackknife residuals are), and half a group not seen. Student's t
    has one degree of freedom less than the groups that count, n² / sum of squared sizes. Below eight groups, or two in
    a class, nothing is called equivalent.

    **Mean over classes.** All of that class by class, with half an image not seen in each: the image of a rare class
    counts for many.

    **Probabilities.** The same distribution, read as the posterior of the expected difference.

    Args:
        first: One array per fold: the value of every image with the first strategy (see `outcome_values`).
        second: The same of the second: same folds, same images, same order.
        tested: What the folds tested.
        margin: Smallest difference that matters, in the metric's unit; not negative.
        level: Coverage of the interval; a definite answer needs the probability 0.5 + level / 2.
        largest: Difference that one image can make: see `largest_difference`.

    Returns:
        The estimate, seen from the second strategy.

    Raises:
        InputError: No folds, an empty one, sides that do not match, or a negative margin.

    Example:
        >>> images = np.random.default_rng(0).permutation(300).reshape(5, 60)
        >>> first = [(fold % 10 != 0).astype(float) for fold in images]
        >>> second = [np.ones(60) for _ in images]
        >>> compare_folds(first, second, Tested(units=list(images)), margin=0.01).answer
        'worth it'
    """
    _check(first, second, tested, margin=margin)
    differences = [np.asarray(b, np.float64) - np.asarray(a, np.float64) for a, b in zip(first, second, strict=True)]
    cells = _Cells.of(differences, tested)
    bare = StepEstimate(
        difference=float(cells.by_class().mean()),
        interval=None,
        worse=None,
        equivalent=None,
        better=None,
        answer="cannot tell",
        splits=len(differences),
        units=cells.units,
        standard_error=None,
        degrees_of_freedom=None,
        image_variance=cells.variance(largest),
        training_variance=TRAINING_SETS * _of_one_round(differences, tested, cells, largest),
        fit_variance=_excess(differences, cells, folds=tested.folds) / len(differences),
        margin=margin,
        level=level,
    )
    if bare.splits < FEWEST_FOR_PROBABILITIES:
        return bare
    unseen = cells.unseen(largest) if np.ptp(np.concatenate(differences)) == 0 else 0.0
    return _with_interval(bare, cells, unseen=unseen)


def _with_interval(bare: StepEstimate, cells: "_Cells", *, unseen: float) -> StepEstimate:
    """The estimate of two folds or more with its interval, probabilities and answer.

    Args:
        bare: Without them.
        cells: What was tested.
        unseen: How far the interval reaches at least where outcomes are identical; else 0.

    Returns:
        The estimate.
    """
    difference, level, margin = bare.difference, bare.level, bare.margin
    error, freedom = bare.variance**0.5, cells.freedom
    half = max(t_quantile(level, freedom) * error, unseen)
    worse = float(stdtr(freedom, (-margin - difference) / error))
    better = float(stdtr(freedom, (difference - margin) / error))
    equivalent = max(0.0, 1 - worse - better)
    needed = 0.5 + level / 2
    near = not unseen or unseen < margin
    answer: Answer = "cannot tell"
    if better >= needed:
        answer = "worth it"
    elif equivalent >= needed and near and cells.enough_groups:
        answer = "equivalent"
    elif worse + equivalent >= needed and near:
        answer = "not worth it"
    return replace(
        bare,
        interval=Interval(difference - half, difference + half),
        worse=worse,
        equivalent=equivalent,
        better=better,
        answer=answer,
        standard_error=error,
        degrees_of_freedom=freedom,
    )


def t_quantile(level: float, freedom: float) -> float:
    """How many standard errors an interval of this level reaches to either side, by Student's t.

    Args:
        level: Coverage wanted, a fraction.
        freedom: Degrees of freedom.

    Returns:
        A number of standard errors.
    """
    return float(stdtrit(freedom, 0.5 + level / 2))


def _check(first: Values, second: Values, tested: Tested, *, margin: float) -> None:
    sides = [first, second, tested.units, *([] if tested.classes is None else [tested.classes])]
    lengths = [[len(part) for part in side] for side in sides]
    if not lengths[0] or 0 in lengths[0] or lengths.count(lengths[0]) != len(lengths):
        msg = (
            "Folds are compared image by image: at least one fold, at least one image in each, and as many values "
            f"of both strategies, units and classes; got folds of {' and '.join(map(str, lengths))} images."
        )
        raise InputError(msg)
    if margin < 0:
        msg = f"The margin is not negative; got {margin}."
        raise InputError(msg)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Cells:
    """Values by unit and class, each unit with its mean over the folds that tested it.

    Attributes:
        totals: Sum over the images of a cell.
        sizes: Number of its images.
        unit_of: Its unit, from 0.
        class_of: Its class, from 0; all 0 unless the metric is a mean over classes.
        by_fold: The cell of every image that a fold tested.
        counts_classes: Whether the metric is a mean over classes.
    """

    totals: Float[np.ndarray, " cell"]
    sizes: Float[np.ndarray, " cell"]
    unit_of: Int[np.ndarray, " cell"]
    class_of: Int[np.ndarray, " cell"]
    by_fold: Sequence[Int[np.ndarray, "..."]]
    counts_classes: bool

    @classmethod
    def of(cls, values: Values, tested: Tested) -> "_Cells":
        """From the values of every fold."""
        joined = np.concatenate([np.asarray(part, np.float64) for part in values])
        lengths = [len(part) for part in values]
        fold_of = np.repeat(np.arange(len(values)), lengths)
        _, unit_of = np.unique(np.concatenate([np.asarray(part) for part in tested.units]), return_inverse=True)
        class_of = np.zeros(len(joined), np.int64)
        if tested.classes is not None:
            _, class_of = np.unique(np.concatenate([np.asarray(part) for part in tested.classes]), return_inverse=True)
        classes = int(class_of.max()) + 1
        cells, cell_of = np.unique(unit_of * classes + class_of, return_inverse=True)
        tests = np.bincount(np.unique(cell_of * len(values) + fold_of) // len(values))  # folds that tested a cell
        return cls(
            totals=np.bincount(cell_of, weights=joined) / tests,
            sizes=np.bincount(cell_of) / tests,
            unit_of=cells // classes,
            class_of=cells % classes,
            by_fold=np.split(cell_of, np.cumsum(lengths)[:-1]),
            counts_classes=tested.classes is not None,
        )

    @property
    def units(self) -> int:
        """How many."""
        return int(self.unit_of.max()) + 1

    @property
    def grouped(self) -> bool:
        """Whether units are more than single images."""
        return bool(self.units < self.sizes.sum())

    @property
    def groups_that_count(self) -> float:
        """Number of units of equal size that would say as much."""
        sizes = np.bincount(self.unit_of, weights=self.sizes)
        return float(sizes.sum() ** 2 / (sizes @ sizes))

    @property
    def freedom(self) -> float:
        """Degrees of freedom of Student's t."""
        return max(1.0, self.groups_that_count - 1)

    @property
    def enough_groups(self) -> bool:
        """Whether they are enough to call something equivalent."""
        return not self.grouped or (self.units >= _FEWEST_GROUPS and int(np.bincount(self.class_of).min()) >= 2)

    def by_class(self) -> Float[np.ndarray, " cls"]:
        """Mean over the images of every class, or of all."""
        return np.bincount(self.class_of, weights=self.totals) / np.bincount(self.class_of, weights=self.sizes)

    def variance(self, largest: float) -> float:
        """That images alone give the mean, those included that were not seen.

        Args:
            largest: Difference that one image can make.

        Returns:
            A variance.
        """
        images = np.bincount(self.class_of, weights=self.sizes)
        weight = 1 / len(images)  # of each class
        shares = self.sizes / images[self.class_of]
        residuals = (self.totals - self.by_class()[self.class_of] * self.sizes) / images[self.class_of]
        with np.errstate(divide="ignore", invalid="ignore"):
            whole = residuals / (1 - shares if self.grouped else np.sqrt(1 - shares))
        # the only unit of its class says nothing of a variance: the largest possible takes its place
        of_units = np.bincount(self.unit_of, weights=weight * np.where(shares < 1, whole, largest))
        unseen = _UNSEEN_OF_FEW if self.grouped or self.counts_classes else _UNSEEN
        return float(of_units @ of_units + unseen * largest**2 * weight**2 * (1 / self._units_by_class() ** 2).sum())

    def _units_by_class(self) -> Float[np.ndarray, " cls"]:
        """Number of units of every class, or of all, that would say as much if they were of equal size."""
        images = np.bincount(self.class_of, weights=self.sizes)
        return images**2 / np.bincount(self.class_of, weights=self.sizes**2)

    def unseen(self, largest: float) -> float:
        """What may differ although nothing does, by the rule of three."""
        units = self._units_by_class()
        return float(3 * largest / len(units) / units.min())


def _of_one_round(differences: Values, tested: Tested, cells: _Cells, largest: float) -> float:
    """Variance that the images of a single round give a mean over all of them: the mean over whole rounds."""
    starts = range(0, len(differences) - tested.folds + 1, tested.folds)
    rounds = [(differences[at : at + tested.folds], tested.part(at, at + tested.folds)) for at in starts]
    if len(rounds) < 2:
        return cells.variance(largest)
    return float(np.mean([_Cells.of(values, of_round).variance(largest) for values, of_round in rounds]))


def _excess(differences: Values, cells: _Cells, *, folds: int) -> float:
    """How far the variance of fold means inside rounds is beyond what stable fits would show; see `compare_folds`."""
    if cells.grouped and cells.units < _FEWEST_GROUPS_FOR_FITS:
        return 0.0
    centres, images = cells.by_class(), np.bincount(cells.class_of, weights=cells.sizes)
    weights = images.sum() / len(images) / images
    class_of = [cells.class_of[part] for part in cells.by_fold]
    # without what the classes of a fold explain
    residuals = [weights[c] * (d - centres[c]) for d, c in zip(differences, class_of, strict=True)]
    means = np.array([part.mean() for part in residuals])
    by_images = [_mean_variance(r, cells.unit_of[part]) for r, part in zip(residuals, cells.by_fold, strict=True)]
    rounds = [means[at : at + folds] for at in range(0, len(means), folds)]
    freedom = sum(len(one) - 1 for one in rounds)
    if not freedom:
        return 0.0
    between = sum(float(((one - one.mean()) ** 2).sum()) for one in rounds) / freedom
    return max(0.0, between - _STABLE * float(np.mean(by_images)))


def _mean_variance(values: Float[np.ndarray, " image"], unit_of: Int[np.ndarray, " image"]) -> float:
    """Variance that the units of a fold, numbered from 0 among those of all folds, give its mean; 0 of a single one."""
    sizes = np.bincount(unit_of)  # 0 of those of other folds, which have no residual either
    tested = np.count_nonzero(sizes)
    if tested == 1:
        return 0.0
    residuals = np.bincount(unit_of, weights=values) - sizes * values.mean()
    return float(residuals @ residuals * tested / (tested - 1) / len(values) ** 2)


def outcome_values(
    metric: Metric,
    labels: Int[np.ndarray, " image"],
    *,
    predictions: Int[np.ndarray, " image"] | None = None,
    probabilities: Float[np.ndarray, "image cls"] | None = None,
) -> Float[np.ndarray, " image"]:
    """One value per image, larger being better: for `compare_folds`, which weighs classes itself.

    Args:
        metric: accuracy and balanced accuracy: 1 where right, else 0. log-loss: the logarithm of the probability that
            the true class was given, in nats (negative).
        labels: Class index of every image.
        predictions: Predicted class index of every image; without it the most probable class counts.
        probabilities: Probability of every class for every image; log-loss needs it.

    Returns:
        The values, float64.

    Raises:
        InputError: There are no images, numbers of images differ, or what the metric needs was not given.

    Example:
        >>> outcome_values("accuracy", np.array([0, 0, 1]), predictions=np.array([0, 1, 1])).tolist()
        [1.0, 0.0, 1.0]
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
    right: np.ndarray = (predicted == labels).astype(np.float64)
    return right


def metric_values(
    metric: Metric,
    labels: Int[np.ndarray, " image"],
    *,
    predictions: Int[np.ndarray, " image"] | None = None,
    probabilities: Float[np.ndarray, "image cls"] | None = None,
) -> Float[np.ndarray, " image"]:
    """The same such that their mean is the metric: of balanced accuracy times n / (classes x images of the class).

    Args:
        metric: Which metric.
        labels: Class index of every image; classes without one do not count.
        predictions: As for `outcome_values`, like the next.
        probabilities: Of every class for every image.

    Returns:
        The values, float64.

    Raises:
        InputError: As `outcome_values`.

    Example:
        >>> right = np.array([0, 0, 0, 0])
        >>> metric_values("balanced accuracy", np.array([0, 0, 0, 1]), predictions=right).tolist()
        [0.6666666666666666, 0.6666666666666666, 0.6666666666666666, 0.0]
    """
    values = outcome_values(metric, labels, predictions=predictions, probabilities=probabilities)
    return values * class_weights(labels) if metric == "balanced accuracy" else values


def largest_difference(metric: Metric, labels: Int[np.ndarray, " image"]) -> float:
    """How far one image can move its value of `metric_values`: what an unseen change may cost.

    Args:
        metric: Which metric.
        labels: Class index of every image.

    Returns:
        That of `largest_outcome`; of balanced accuracy the weight of an image of the rarest class.
    """
    weight = float(class_weights(labels).max()) if metric == "balanced accuracy" else 1.0
    return weight * largest_outcome(metric, len(np.unique(labels)))


def largest_outcome(metric: Metric, classes: int) -> float:
    """How far one image can move its value of `outcome_values`, for `compare_folds`.

    Args:
        metric: Which metric.
        classes: Number of classes.

    Returns:
        1; of the log-loss, which has no largest change, the logarithm of the number of classes, from knowing the class
        to knowing nothing.
    """
    return float(np.log(max(2, classes))) if metric == "log-loss" else 1.0


def class_weights(labels: Int[np.ndarray, " image"]) -> Float[np.ndarray, " image"]:
    """Weight of every image, n / (classes present x images of its class): the mean over classes as one over images."""
    _, class_of, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights: np.ndarray = len(labels) / (len(counts) * counts)
    return weights[class_of]
