"""Linear probes: softmax and SVM classifiers on codes, with scikit-learn's objectives."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, Int, Int64
from numpy.typing import NDArray

from unfreeze.core.errors import InputError
from unfreeze.probes import losses
from unfreeze.probes.coordinates import Basis, Scaling, main_axes, scaling_of, with_intercept
from unfreeze.probes.descent import Problem, Weights, minimise

Loss = Literal["softmax", "svm"]

_FIT_TOLERANCE = 1e-9  # float32 just carries it; 1e-7 moved 1 in 100 predictions where C was tiny


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """A linear classifier that reads codes as they are; standardisation is folded into it.

    Attributes:
        loss: What it was fitted with.
        C: Weight of the loss against the penalty (scikit-learn's convention: smaller is more regular).
        weight: One row per class, also for two classes.
        bias: One number per class.
    """

    loss: Loss
    C: float
    weight: Float32[np.ndarray, "cls code"]
    bias: Float32[np.ndarray, " cls"]

    def scores(self, codes: Float[np.ndarray, "image code"]) -> Float32[np.ndarray, "image cls"]:
        """Score of every class: logits of a softmax, signed distances (in margins) of an SVM."""
        scores: Float32[np.ndarray, "image cls"] = codes.astype(np.float32, copy=False) @ self.weight.T + self.bias
        return scores

    def predict(self, codes: Float[np.ndarray, "image code"]) -> Int64[np.ndarray, " image"]:
        """Class index of the highest score."""
        classes: Int64[np.ndarray, " image"] = np.argmax(self.scores(codes), axis=1)
        return classes

    def probabilities(self, codes: Float[np.ndarray, "image code"]) -> Float32[np.ndarray, "image cls"]:
        """Probability of every class.

        Args:
            codes: One row per image.

        Returns:
            Rows that add up to 1.

        Raises:
            ValueError: The probe is an SVM, whose scores are no probabilities.
        """
        if self.loss != "softmax":
            msg = "An SVM gives scores, not probabilities. Use scores(), or fit a probe with loss='softmax'."
            raise ValueError(msg)
        return softmax(self.scores(codes))


def softmax(scores: Float32[np.ndarray, "image cls"]) -> Float32[np.ndarray, "image cls"]:
    """Probabilities from logits."""
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities: Float32[np.ndarray, "image cls"] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def fit_probe(
    codes: Float[np.ndarray, "image code"],
    labels: Int[np.ndarray, " image"],
    *,
    loss: Loss,
    C: float,
    class_count: int,
    class_weight: NDArray[np.floating] | None = None,
) -> LinearProbe:
    """Fit one linear classifier to convergence.

    The objective, on codes standardised by their own mean and standard deviation, is that of scikit-learn's
    ``LogisticRegression`` (multinomial) and ``LinearSVC(loss="squared_hinge")``, intercepts not penalised::

        1/2 |W|^2 + C * sum over images of class_weight[label] * loss(scores, label)

    For two classes the softmax keeps a row per class; scikit-learn's binary logistic regression of the same solution
    has twice that C: its one row w is the difference of the two, which are opposite, so |W|^2 / 2 = |w|^2 / 4.

    Args:
        codes: One row per training image.
        labels: Class index of each, from 0.
        loss: "softmax" (cross-entropy over all classes) or "svm" (each class against the rest, squared hinge).
        C: Weight of the loss against the penalty, above 0.
        class_count: Number of classes; some may have no images here.
        class_weight: Weight of every class; all 1 if None.

    Returns:
        The probe, for codes as they come (not standardised).

    Raises:
        InputError: The codes or labels cannot be fitted; the text says why.
    """
    check_training_rows(codes, labels, class_count)
    coordinates = Coordinates.of(codes)
    return next(fit_path(coordinates, labels, (C,), loss=loss, class_count=class_count, class_weight=class_weight))


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Training codes, standardised and turned, and the way back.

    Attributes:
        scaling: Mean and scale of the codes.
        basis: Orthonormal axes.
        rows: The training images in these axes, and a column of ones.
    """

    scaling: Scaling
    basis: Basis
    rows: Float32[np.ndarray, "image column"]

    @classmethod
    def of(cls, codes: Float[np.ndarray, "image code"], basis: Basis | None = None) -> "Coordinates":
        """Coordinates for these training codes; `basis` may be any complete set of axes that nearly fits them."""
        scaling = scaling_of(codes)
        standardised = scaling.apply(codes)
        axes = main_axes(standardised) if basis is None else basis
        return cls(scaling, axes, with_intercept(standardised @ axes))

    def probe(self, weights: Weights, *, loss: Loss, C: float) -> LinearProbe:
        """The classifier on raw codes that equals `weights` on the rows."""
        weight = (self.basis @ weights[:-1]).T.astype(np.float64) / self.scaling.scale
        intercepts = weights[-1].astype(np.float64)
        if loss == "softmax":
            intercepts = intercepts - intercepts.mean()  # a common shift changes nothing
        bias = intercepts - weight @ self.scaling.mean
        return LinearProbe(loss, float(C), weight.astype(np.float32), bias.astype(np.float32))


def fit_path(
    coordinates: Coordinates,
    labels: Int[np.ndarray, " image"],
    Cs: Sequence[float],
    *,
    loss: Loss,
    class_count: int,
    class_weight: NDArray[np.floating] | None = None,
    tolerance: float = _FIT_TOLERANCE,
) -> Iterator[LinearProbe]:
    """Fit one probe per C, each starting from the one before.

    Args:
        coordinates: Of the training images.
        labels: Class index of each.
        Cs: In ascending order, so that each solution is near the one before.
        loss: "softmax" or "svm".
        class_count: Number of classes.
        class_weight: Weight of every class; all 1 if None.
        tolerance: Estimated distance to the minimum at which to stop, relative to the objective.

    Yields:
        The probes, in the order of `Cs`.
    """
    weighted = np.ones(class_count) if class_weight is None else class_weight
    image_weights = np.asarray(weighted, np.float32)[labels]
    of_scores: losses.Loss = (
        losses.Softmax(labels, image_weights)
        if loss == "softmax"
        else losses.SquaredHinge(labels, image_weights, class_count)
    )
    weights = np.zeros((coordinates.rows.shape[1], class_count), np.float32)
    for C in Cs:
        weights = minimise(Problem(coordinates.rows, of_scores, C), weights, tolerance=tolerance)
        yield coordinates.probe(weights, loss=loss, C=C)


def check_training_rows(
    codes: Float[np.ndarray, "image code"], labels: Int[np.ndarray, " image"], class_count: int
) -> None:
    """Refuse what no linear classifier can be fitted to.

    Args:
        codes: One row per training image.
        labels: Class index of each.
        class_count: Number of classes.

    Raises:
        InputError: Too few classes or images, labels out of range, or codes that are not finite.
    """
    if len(codes) != len(labels) or len(codes) == 0:
        msg = f"A probe needs one label per row of codes; got {len(codes)} rows and {len(labels)} labels."
        raise InputError(msg)
    if class_count < 2 or labels.min() < 0 or labels.max() >= class_count:
        msg = (
            f"A probe needs at least two classes and labels from 0 to the number of classes minus 1; got {class_count} "
            f"classes and labels from {labels.min()} to {labels.max()}."
        )
        raise InputError(msg)
    if not np.isfinite(codes).all():
        rows = int((~np.isfinite(codes)).any(axis=1).sum())
        msg = f"The codes of {rows} of {len(codes)} images are not finite; the network's weights may be damaged."
        raise InputError(msg)
