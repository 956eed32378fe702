"""Linear probes: softmax and SVM classifiers on codes, with scikit-learn's objectives."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, Int, Int64
from numpy.typing import NDArray

from unfreeze.core.errors import InputError
from unfreeze.probes.coordinates import (
    Axes,
    CodeBlocks,
    Scaling,
    axes_of_gram,
    main_axes,
    scaling_of,
    scaling_of_blocks,
)
from unfreeze.probes.losses import Targets, loss_on
from unfreeze.probes.newton import Problem, minimise, nothing
from unfreeze.probes.rows import Rows, RowsInBlocks, RowsInMemory

Loss = Literal["softmax", "svm"]

FIT_TOLERANCE = 1e-9  # float32 just carries it; 1e-7 moved 1 in 100 predictions where C was tiny
_MOST_IN_MEMORY = 2**27  # numbers, 512 MiB in float32; a search holds them several times over
BLOCK = 8192  # rows read at a time


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """A linear classifier that reads codes as they are; standardisation is folded into it.

    Attributes:
        loss: What it was fitted with.
        C: Weight of the loss against the penalty (scikit-learn's convention: smaller means stronger regularisation).
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
    block_rows: int | None = None,
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
        block_rows: Rows of codes read at a time, in every pass, for codes that do not fit in memory (a memory map). If
            None, all are held in memory up to 512 MiB, and 8,192 beyond.

    Returns:
        The probe, for codes as they come (not standardised).

    Raises:
        InputError: The codes or labels cannot be fitted; the text says why.
    """
    check_training_rows(codes, labels, class_count)
    block = block_rows or (None if fit_in_memory(codes.size) else BLOCK)
    if block is None:
        coordinates, rows = fitted(codes)
    else:
        coordinates, rows = fitted_in_blocks(CodeBlocks(codes, None, block))
    weights = None if class_weight is None else np.asarray(class_weight, np.float32)[labels][None]
    problem = Problem(rows, loss_on(loss, targets_of(labels, class_count, weights=weights)), C)
    found = minimise(problem, nothing(rows, problem.loss), tolerance=FIT_TOLERANCE)
    return coordinates.probe(problem.loss.per_class(found.weights)[0], loss=loss, C=C)


@dataclass(frozen=True, eq=False)
class Coordinates:
    """The coordinates of training images, and the way back to raw codes.

    Attributes:
        scaling: Mean and scale of the codes.
        axes: Orthonormal axes of the standardised codes.
    """

    scaling: Scaling
    axes: Axes

    def weights(self, probe: LinearProbe) -> Float32[np.ndarray, "cls column"]:
        """The weights on the rows that equal a classifier on raw codes."""
        varies = np.isfinite(self.scaling.scale)
        scale = np.where(varies, self.scaling.scale, 0)
        columns = ((probe.weight * scale) @ self.axes).astype(np.float32)
        # A code that is constant here is 0 on the rows; what it adds belongs to the intercept.
        intercepts = probe.bias + probe.weight @ self.scaling.mean
        return np.concatenate([columns, intercepts[:, None].astype(np.float32)], axis=1)

    def probe(self, weights: Float32[np.ndarray, "cls column"], *, loss: Loss, C: float) -> LinearProbe:
        """The classifier on raw codes that equals `weights` on the rows."""
        weight = (weights[:, :-1] @ self.axes.T).astype(np.float64) / self.scaling.scale
        intercepts = weights[:, -1].astype(np.float64)
        if loss == "softmax":
            intercepts = intercepts - intercepts.mean()  # a common shift changes nothing
        bias = intercepts - weight @ self.scaling.mean
        return LinearProbe(loss, float(C), weight.astype(np.float32), bias.astype(np.float32))


def fit_in_memory(numbers: int) -> bool:
    """Whether codes of so many numbers are held in memory, and not read a block at a time."""
    return numbers <= _MOST_IN_MEMORY


def fitted(codes: Float[np.ndarray, "image code"]) -> tuple[Coordinates, Rows]:
    """Coordinates for these codes, and the codes in them."""
    scaling = scaling_of(codes)
    axes, along = main_axes(scaling.apply(codes))
    return Coordinates(scaling, axes), RowsInMemory.of(along)


def fitted_in_blocks(blocks: CodeBlocks) -> tuple[Coordinates, RowsInBlocks]:
    """The same in three passes over codes that stay where they are."""
    scaling = scaling_of_blocks(blocks)
    width = blocks.codes.shape[1]
    gram = np.zeros((width, width), np.float32)
    for _, codes in blocks:
        standardised = scaling.apply(codes)
        gram += standardised.T @ standardised
    axes = axes_of_gram(gram.copy())
    strengths = np.maximum(np.einsum("ij,ij->j", axes, gram @ axes), 0)
    return Coordinates(scaling, axes), RowsInBlocks(blocks, scaling, axes, strengths)


def targets_of(
    labels: Int[np.ndarray, " image"],
    class_count: int,
    *,
    weights: Float[np.ndarray, "part image"] | None = None,
) -> Targets:
    """What images are, and how much they count.

    Args:
        labels: Class index of every image.
        class_count: Number of classes.
        weights: Of every image in every part, 0 where it is not; if None, there is one part, which has all of them.

    Returns:
        Arrays for all parts.
    """
    weights = np.ones((1, len(labels))) if weights is None else weights
    return Targets(labels, weights.astype(np.float32), class_count)


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
    blocks = CodeBlocks(codes, None, BLOCK)
    if not all(np.isfinite(block).all() for _, block in blocks):
        rows = sum(int((~np.isfinite(block)).any(axis=1).sum()) for _, block in blocks)
        msg = f"The codes of {rows} of {len(codes)} images are not finite; the network's weights may be damaged."
        raise InputError(msg)
