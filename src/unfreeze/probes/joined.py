"""A linear classifier on several readouts of a network at once: which of them, and how regular, is chosen on folds.

Every readout is standardised on all rows that learn and divided by the square root of its width, so that a wide one
counts no more than a narrow one. Folds share that scaling, which knows no labels: so one matrix of products serves them
all, and that of several readouts is the sum of theirs.

Tried on the same codes, by held-out accuracy of two splits of a train part: softmax and SVM (ridge 88.8 and 88.9 on
trashnet, softmax 87.1 and 88.2, SVM 87.6 and 88.7; no difference beyond noise on two small sets). They do not pay.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from numpy.typing import NDArray

from unfreeze.core.errors import InputError
from unfreeze.core.progress import Advance, ignore
from unfreeze.metrics.calibration import fit_temperature
from unfreeze.metrics.imbalance import balanced_weights
from unfreeze.probes.coordinates import Scaling, scaling_of
from unfreeze.probes.cores import side_by_side
from unfreeze.probes.ridge import Ridge, ridge_in_dual, ridge_in_primal, ridge_targets, ridges_to_choose_from
from unfreeze.probes.search import Folds, behind_best, choose, held_out_temperature, search_probe
from unfreeze.probes.solver import check_training_rows

# Of joined codes whose mean square length is 1. On train folds of six sets (244 to 8,330 images, 2 to 136 classes) the
# best lay between 0.1 and 3.
PENALTIES: tuple[float, ...] = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03)
# Rows on which readouts and penalty are chosen; the classifier itself is fitted on all. The time of a choice grows with
# the cube of the rows, and what is best hardly moves with them.
_MOST_CHOSEN_ON = 2500

_EVERY = slice(None)  # rows

Codes = Float[np.ndarray, "image _"]
Scores = Float32[np.ndarray, "row cls"]


@dataclass(frozen=True, eq=False)
class JoinedSearch:
    """A classifier on joined readouts, and how it was found.

    Attributes:
        group: Places of the readouts that it reads.
        weight: Of the codes as they are, those of a readout together, in the order of `group`; standardisation and
            temperature are folded in, so that scores are logits.
        bias: Of each class.
        C: The regularisation that was chosen: 1/2 |w|^2 + C * loss, as of the other linear classifiers. A ridge
            classifier's is of codes whose mean square length is 1.
        Cs: What it was chosen from, ascending.
        cv_accuracy: Held-out accuracy of group and C; where asked for, balanced accuracy.
        of_groups: The same of every group at its own best C.
        temperature: By which scores were divided.
        loss: ridge; softmax where all classes count the same.
        held_out_temperature: By what held-out rows say that scores should still be divided: 1 of a ridge classifier.
    """

    group: tuple[int, ...]
    weight: Float32[np.ndarray, "cls code"]
    bias: Float32[np.ndarray, " cls"]
    C: float
    Cs: tuple[float, ...]
    cv_accuracy: float
    of_groups: tuple[float, ...]
    temperature: float
    loss: Literal["ridge", "softmax"] = "ridge"
    held_out_temperature: float = 1.0

    def scores(self, readouts: Sequence[Codes], rows: slice | NDArray[np.int64] = _EVERY) -> Scores:
        """Logits.

        Args:
            readouts: All that were given to the search, of any images; those of `group` alone are looked at.
            rows: Which of the images.

        Returns:
            One row an image that was asked about.
        """
        scores, first = self.bias[None], 0
        for place in self.group:
            codes = readouts[place][rows].astype(np.float32, copy=False)
            scores = scores + codes @ self.weight[:, first : first + codes.shape[1]].T
            first += codes.shape[1]
        return scores


def search_joined(
    readouts: Sequence[Codes],
    labels: Int[np.ndarray, " image"],
    folds: Folds,
    *,
    groups: Sequence[tuple[int, ...]],
    class_count: int,
    balanced: bool = False,
    advance: Advance = ignore,
) -> JoinedSearch:
    """Choose readouts and penalty on the folds, and fit a ridge classifier on all rows.

    Of the groups whose held-out accuracy is within a standard error of the best, the first is taken.

    Args:
        readouts: Codes of every training image, float32 or float16; by readout.
        labels: Class index of each.
        folds: Pairs of row numbers (train, held out).
        groups: Places of readouts that may be read together; those with fewest codes first.
        class_count: Number of classes.
        balanced: Make all classes count the same, however many images each has: then it is a softmax (see
            `search.search_probe`), on the first group or the one in the middle. Weights and taking off the classes'
            shares do less for a ridge classifier: on folds of magtile's train part (7 classes, 23 to 661 images) it had
            32.1 % and 25.7 % of balanced accuracy where the softmax on last codes had 36.6 and this one 36.8.
        advance: Called with 0 while work is under way, so that it can look at the stop.

    Returns:
        The classifier.

    Raises:
        InputError: The codes or labels cannot be fitted, or there is nothing to choose by; the text says why.
    """
    for codes in readouts:
        check_training_rows(codes, labels, class_count)
    if not groups or not any(len(held_out) for _, held_out in folds):
        msg = f"A choice needs groups of readouts and folds that hold rows out; got {len(groups)} and {len(folds)}."
        raise InputError(msg)

    def look(_: int) -> None:
        advance(0)

    if balanced:
        return _softmax(readouts, labels, folds, groups=groups, class_count=class_count)
    joined = _Joined(readouts, [scaling_of(codes) for codes in readouts], labels, class_count)
    rows = spread_rows(labels, _MOST_CHOSEN_ON)
    tried = _held_out_scores(joined, rows, folds, groups, look)
    seen = np.flatnonzero(np.isfinite(tried[0, 0]).all(axis=1))
    found = _chosen(tried[:, :, seen], labels[rows][seen], class_count)
    (fitted,) = side_by_side(
        lambda group: joined.fitted(group, PENALTIES[found.penalty]), [groups[found.group]], size=len, advance=look
    )
    weight, bias = (part / found.temperature for part in joined.unscaled(groups[found.group], fitted))
    return JoinedSearch(
        group=groups[found.group],
        weight=weight.astype(np.float32),
        bias=bias.astype(np.float32),
        C=_weight_of_loss(PENALTIES[found.penalty]),
        Cs=tuple(sorted(map(_weight_of_loss, PENALTIES))),
        cv_accuracy=found.accuracies[found.group],
        of_groups=found.accuracies,
        temperature=found.temperature,
    )


def _softmax(
    readouts: Sequence[Codes],
    labels: Int[np.ndarray, " image"],
    folds: Folds,
    *,
    groups: Sequence[tuple[int, ...]],
    class_count: int,
) -> JoinedSearch:
    """The better of two groups, of near ones the first; all classes count the same."""
    tried = list(dict.fromkeys((groups[0], groups[len(groups) // 2])))
    found = [
        search_probe(
            np.concatenate([readouts[place].astype(np.float32, copy=False) for place in group], axis=1),
            labels,
            folds,
            loss="softmax",
            class_count=class_count,
            balanced=True,
        )
        for group in tried
    ]
    seen = np.flatnonzero(np.isfinite(found[0].held_out_scores).all(axis=1))
    correct = np.stack([one.held_out_scores[seen].argmax(axis=1) == labels[seen] for one in found])
    behind, noise = behind_best(correct, balanced_weights(labels[seen]))
    place = int(np.flatnonzero(behind <= noise)[0])
    best = found[place]
    return JoinedSearch(
        group=tried[place],
        weight=best.probe.weight,
        bias=best.probe.bias,
        C=best.C,
        Cs=best.Cs,
        cv_accuracy=best.cv_accuracy,
        of_groups=tuple(one.cv_accuracy for one in found),
        temperature=1.0,
        loss="softmax",
        held_out_temperature=held_out_temperature(best, labels),
    )


def _weight_of_loss(penalty: float) -> float:
    """A penalty on the squared weights beside the loss, as the weight of the loss beside half of these."""
    return round(1 / (2 * penalty), 6)


def spread_rows(labels: Int[np.ndarray, " image"], most: int) -> Int[np.ndarray, " row"]:
    """At most so many rows, spread over all: each class keeps its share.

    Args:
        labels: Class index of every row.
        most: How many.

    Returns:
        Row numbers, ascending.
    """
    if len(labels) <= most:
        return np.arange(len(labels))
    by_class = np.argsort(labels, kind="stable")
    return np.sort(by_class[np.linspace(0, len(labels) - 1, most).round().astype(np.int64)])


@dataclass(frozen=True, eq=False)
class _Joined:
    """Training images, and how their readouts are scaled."""

    readouts: Sequence[Codes]
    scalings: Sequence[Scaling]
    labels: Int[np.ndarray, " image"]
    class_count: int

    def scaled(self, place: int, rows: slice | NDArray[np.int64]) -> Float32[np.ndarray, "row code"]:
        """A readout of some rows: standardised, its mean square length 1."""
        scaled = self.scalings[place].apply(self.readouts[place][rows])
        scaled /= np.float32(np.sqrt(scaled.shape[1]))
        return scaled

    def gram(self, places: Sequence[int], rows: slice | NDArray[np.int64]) -> Float32[np.ndarray, "row row"]:
        """Products of rows, summed over readouts, of which one at a time is held in float32."""
        first, *others = places
        scaled = self.scaled(first, rows)
        gram: Float32[np.ndarray, "row row"] = scaled @ scaled.T
        for place in others:
            scaled = self.scaled(place, rows)
            gram += scaled @ scaled.T
        return gram

    def fitted(self, group: tuple[int, ...], penalty: float) -> Ridge:
        """On all rows, as weights of the scaled codes."""
        targets = ridge_targets(self.labels, self.class_count)
        shrunk = np.float32(1 / np.sqrt(len(group)))  # to a mean square length of 1
        if sum(self.readouts[place].shape[1] for place in group) < len(self.labels):
            codes = np.concatenate([self.scaled(place, _EVERY) for place in group], axis=1)
            codes *= shrunk
            found = ridge_in_primal(codes, targets, penalty)
            return Ridge(found.coefficients * shrunk, found.intercept)
        gram = self.gram(group, _EVERY)
        gram *= shrunk**2
        dual = ridge_in_dual(gram, targets, penalty)
        coefficients = (shrunk**2 * dual.coefficients).astype(np.float32)
        parts = [self.scaled(place, _EVERY).T @ coefficients for place in group]
        return Ridge(np.concatenate(parts), dual.intercept)

    def unscaled(
        self, group: tuple[int, ...], fitted: Ridge
    ) -> tuple[Float[np.ndarray, "cls code"], Float[np.ndarray, " cls"]]:
        """Weight and bias for codes as they are."""
        scale = np.concatenate([self.scalings[p].scale * np.sqrt(self.readouts[p].shape[1]) for p in group])
        mean = np.concatenate([self.scalings[place].mean for place in group])
        weight = fitted.coefficients.T.astype(np.float64) / scale
        return weight, fitted.intercept - weight @ mean


def _held_out_scores(
    joined: _Joined,
    rows: Int[np.ndarray, " row"],
    folds: Folds,
    groups: Sequence[tuple[int, ...]],
    look: Advance,
) -> Float32[np.ndarray, "group penalty row cls"]:
    """Scores of `rows` from the fits that did not see them; NaN for those that no fold holds out."""
    pieces: dict[tuple[int, ...], list[int]] = defaultdict(list)  # readouts that are in the same groups
    for place in range(len(joined.readouts)):
        pieces[tuple(number for number, group in enumerate(groups) if place in group)].append(place)
    pieces.pop((), None)
    grams = dict(
        zip(
            pieces,
            side_by_side(lambda places: joined.gram(places, rows), list(pieces.values()), size=len, advance=look),
            strict=True,
        )
    )
    labels = joined.labels[rows]
    scores = np.full((len(groups), len(PENALTIES), len(rows), joined.class_count), np.nan, np.float32)
    kept = [(np.flatnonzero(np.isin(rows, train)), np.flatnonzero(np.isin(rows, held))) for train, held in folds]

    def fit(number: int) -> None:
        gram = np.sum([piece for inside, piece in grams.items() if number in inside], axis=0)
        gram /= np.float32(len(groups[number]))
        for train, held_out in kept:
            inside, across = gram[np.ix_(train, train)], gram[np.ix_(held_out, train)]
            targets = ridge_targets(labels[train], joined.class_count)
            for place, found in enumerate(ridges_to_choose_from(inside, targets, PENALTIES)):
                scores[number, place, held_out] = found.scores(across)

    side_by_side(fit, range(len(groups)), size=lambda number: len(groups[number]), advance=look)
    return scores


@dataclass(frozen=True)
class _Choice:
    """Which group, the place of its penalty, its temperature, and the accuracy of every group."""

    group: int
    penalty: int
    temperature: float
    accuracies: tuple[float, ...]


def _chosen(
    scores: Float32[np.ndarray, "group penalty row cls"],
    labels: Int[np.ndarray, " row"],
    class_count: int,
) -> _Choice:
    """The best penalty of every group, then the smallest group that is as good as the best."""
    targets = ridge_targets(labels, class_count)
    correct: Bool[np.ndarray, "group penalty row"] = scores.argmax(axis=3) == labels
    penalties = []
    for of_group, right in zip(scores, correct, strict=True):
        missed = (np.square(of_penalty - targets).sum(axis=1) for of_penalty in of_group)
        penalties.append(choose(right, np.array([of_rows.mean() for of_rows in missed])))
    best = correct[np.arange(len(scores)), penalties]
    behind, noise = behind_best(best, None)
    group = int(np.flatnonzero(behind <= noise)[0])
    return _Choice(
        group=group,
        penalty=penalties[group],
        temperature=fit_temperature(scores[group, penalties[group]], labels),
        accuracies=tuple(float(mean) for mean in best.mean(axis=1)),
    )
