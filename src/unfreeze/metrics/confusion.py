"""Which classes are taken for which, and how well each is recognised."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from unfreeze.core.errors import InputError
from unfreeze.core.records import ClassScores, Interval
from unfreeze.metrics.intervals import accuracy_interval, wilson

__all__ = ["ClassScores", "confusion", "largest_confusions", "per_class", "per_class_of_groups"]

_Share = tuple[float, Interval] | None


def confusion(
    labels: Int[np.ndarray, " image"], predictions: Int[np.ndarray, " image"], classes: int
) -> Int[np.ndarray, "given predicted"]:
    """Count how often each class is taken for each.

    Args:
        labels: Class index of every image, from 0.
        predictions: Predicted class index of every image.
        classes: Number of classes; some may have no image.

    Returns:
        Numbers of images: a row per given class, a column per predicted one; what is right stands on the diagonal.

    Raises:
        InputError: An index is no class.

    Example:
        >>> confusion(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), 2).tolist()
        [[1, 1], [0, 2]]
    """
    both = np.concatenate([labels, predictions])
    beyond = both[(both < 0) | (both >= classes)]
    if len(beyond):
        msg = f"A confusion of {classes} classes needs class indices from 0 to {classes - 1}; got {beyond[0]}."
        raise InputError(msg)
    cells = np.bincount(np.asarray(labels) * classes + predictions, minlength=classes * classes)
    counts: Int[np.ndarray, "given predicted"] = cells.reshape(classes, classes)
    return counts


def per_class(confusion: Int[np.ndarray, "given predicted"]) -> tuple[ClassScores, ...]:
    """Precision, recall and F1 of every class with 95 % intervals, each image an independent draw.

    Precision and recall are proportions: their intervals are Wilson's. F1 is one in disguise. With ``J``, the share of
    the images of the class or taken for it that are both, ``F1 = 2 J / (1 + J)``, which rises with ``J``; so it maps
    the ends of Wilson's interval of ``J`` to those of F1, with the same coverage.

    Args:
        confusion: Of `confusion`.

    Returns:
        One a class, in the order of the class indices.

    Example:
        >>> first, _ = per_class(np.array([[3, 1], [0, 4]]))
        >>> first.precision, first.recall, round(first.f1, 3)
        (1.0, 0.75, 0.857)

    Source:
        D. J. Hand, P. Christen & N. Kirielle, F*: an interpretable transformation of the F-measure, Machine Learning
        110 (2021), for ``J`` and ``F1``; Wilson's interval, see `metrics.intervals.wilson`.
    """
    images, predicted, right = confusion.sum(axis=1), confusion.sum(axis=0), confusion.diagonal()

    def share(number: int, of: int) -> _Share:
        return (number / of, wilson(number, of)) if of else None

    rows = []
    for of_class, taken, both in zip(images.tolist(), predicted.tolist(), right.tolist(), strict=True):
        shares = share(both, taken), share(both, of_class), share(both, of_class + taken - both)
        rows.append(_scores((of_class, taken, both), *shares))
    return tuple(rows)


def scores_by_class(
    labels: Int[np.ndarray, " image"],
    predictions: Int[np.ndarray, " image"],
    classes: int,
    groups: Sequence[str],
    *,
    seed: int,
) -> tuple[ClassScores, ...]:
    """Precision, recall and F1 of every class: of whole groups where any are given, else image by image.

    Args:
        labels: Class index of every image, from 0.
        predictions: Predicted class index of every image.
        classes: Number of classes.
        groups: Group of every image; "" is a group of its own.
        seed: Of the draws of groups.

    Returns:
        One a class, in the order of the class indices; see `per_class` and `per_class_of_groups`.
    """
    if any(groups):
        return per_class_of_groups(labels, predictions, classes, groups, seed=seed)
    return per_class(confusion(labels, predictions, classes))


def per_class_of_groups(
    labels: Int[np.ndarray, " image"],
    predictions: Int[np.ndarray, " image"],
    classes: int,
    groups: Sequence[str],
    *,
    seed: int,
) -> tuple[ClassScores, ...]:
    """As `per_class`, but whole groups are the independent draws, as in `metrics.intervals.accuracy_interval`.

    Args:
        labels: Class index of every image, from 0.
        predictions: Predicted class index of every image.
        classes: Number of classes.
        groups: Group of every image; "" is a group of its own.
        seed: Of the draws.

    Returns:
        One a class, in the order of the class indices.
    """
    correct, group_of = labels == predictions, np.asarray(groups, object)

    def share(chosen: Bool[np.ndarray, " image"]) -> _Share:
        if not chosen.any():
            return None
        right = correct[chosen]
        return float(right.mean()), accuracy_interval(right, group_of[chosen].tolist(), seed=seed)

    rows = []
    for number in range(classes):
        of_class, taken = labels == number, predictions == number
        sizes = int(of_class.sum()), int(taken.sum()), int((of_class & taken).sum())
        rows.append(_scores(sizes, share(taken), share(of_class), share(of_class | taken)))
    return tuple(rows)


def largest_confusions(confusion: Int[np.ndarray, "given predicted"]) -> list[tuple[int, int, int]]:
    """Which classes are taken for which other ones, the most frequent first.

    Args:
        confusion: Of `confusion`.

    Returns:
        Given class, predicted class, and number of images, at least one; equal numbers in the order of the classes.

    Example:
        >>> largest_confusions(np.array([[3, 1], [2, 4]]))
        [(1, 0, 2), (0, 1, 1)]
    """
    cells = [(int(given), int(predicted)) for given, predicted in np.argwhere(confusion) if given != predicted]
    return sorted(((*cell, int(confusion[cell])) for cell in cells), key=lambda cell: -cell[2])


def _scores(sizes: tuple[int, int, int], precision: _Share, recall: _Share, both: _Share) -> ClassScores:
    images, predicted, right = sizes
    f1 = both and (_f1(both[0]), Interval(*map(_f1, both[1])))
    return ClassScores(
        images=images,
        predicted=predicted,
        right=right,
        precision=precision and precision[0],
        recall=recall and recall[0],
        f1=f1 and f1[0],
        precision_interval=precision and precision[1],
        recall_interval=recall and recall[1],
        f1_interval=f1 and f1[1],
    )


def _f1(both: float) -> float:
    """F1 where `both` is the share of the images of a class or taken for it that are both."""
    return 2 * both / (1 + both)
