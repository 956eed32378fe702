"""How often predictions are right, and how good their probabilities are."""

import numpy as np
from jaxtyping import Float, Int

from unfreeze.core.errors import InputError


def _check_rows(labels: np.ndarray, predictions: np.ndarray) -> None:
    if len(labels) != len(predictions) or len(labels) == 0:
        msg = (
            "A metric needs one prediction per label and at least one label; "
            f"got {len(labels)} labels and {len(predictions)} predictions."
        )
        raise InputError(msg)


def accuracy(labels: Int[np.ndarray, " image"], predictions: Int[np.ndarray, " image"]) -> float:
    """Fraction of the images whose predicted class is the true one.

    Args:
        labels: Class index of every image.
        predictions: Predicted class index of every image.

    Returns:
        A fraction in [0, 1].

    Raises:
        InputError: There are no images, or the two differ in length.

    Example:
        >>> accuracy(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2]))
        0.75
    """
    _check_rows(labels, predictions)
    return float(np.mean(np.asarray(labels) == np.asarray(predictions)))


def balanced_accuracy(labels: Int[np.ndarray, " image"], predictions: Int[np.ndarray, " image"]) -> float:
    """Mean over the classes of the fraction of their images that are right, so that rare classes count as much.

    Classes without an image in `labels` do not count.

    Args:
        labels: Class index of every image.
        predictions: Predicted class index of every image.

    Returns:
        A fraction in [0, 1].

    Raises:
        InputError: There are no images, or the two differ in length.

    Example:
        >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
        0.5
    """
    _check_rows(labels, predictions)
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    _, class_of = np.unique(labels, return_inverse=True)
    right = np.bincount(class_of, weights=labels == predictions)
    return float(np.mean(right / np.bincount(class_of)))


def log_loss(labels: Int[np.ndarray, " image"], probabilities: Float[np.ndarray, "image cls"]) -> float:
    """Mean negative logarithm of the probability that the true class was given, in nats.

    A probability of zero is raised to the smallest step of its number format, as scikit-learn does, so that one
    confident mistake costs much (36 nats in float64) but not everything.

    Args:
        labels: Class index of every image.
        probabilities: Probability of every class for every image; rows add up to one.

    Returns:
        A number from 0 (certain and right).

    Raises:
        InputError: There are no images, or the two differ in length.

    Example:
        >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.75, 0.25]])), 3)
        1.04
    """
    _check_rows(labels, probabilities)
    given = probabilities[np.arange(len(labels)), labels]
    floor = np.finfo(probabilities.dtype).eps
    return float(-np.mean(np.log(np.clip(given, floor, 1.0), dtype=np.float64)))
