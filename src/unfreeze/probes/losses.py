"""The losses of linear probes, summed over images, with what a solver needs of them.

Scores are arrays (part, output, image). A part is a training set of its own, for example that of a fold; an output is
a class, or the only thing to learn about two classes. Images lie innermost, so that every operation runs along
contiguous memory whatever the number of classes.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy.typing import NDArray

Scores = Float32[np.ndarray, "part output image"]
Vectors = Float[np.ndarray, "part output row"]
# One number per problem: (part, 1, 1) if the classes are coupled, (part, output, 1) if each is a problem of its own.
PerProblem = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Targets:
    """What every image is, and how much it counts in every part.

    Attributes:
        labels: Class index.
        weights: Of the image's loss; 0 where the part is without it.
        class_count: Number of classes.
    """

    labels: Int[np.ndarray, " image"]
    weights: Float32[np.ndarray, "part image"]
    class_count: int


@dataclass(frozen=True, eq=False)
class Point:
    """A loss at given scores.

    Attributes:
        total: Sum over images, per problem.
        slopes: Derivative by each score.
        curvatures: Second derivative by each score, others fixed.
        probabilities: Of a softmax; empty for others.
    """

    total: PerProblem
    slopes: Scores
    curvatures: Scores
    probabilities: Float32[np.ndarray, "..."]


_NONE = np.zeros((0, 0, 0), np.float32)


@runtime_checkable  # for the shape checks in tests
class Loss(Protocol):
    """A convex loss of scores.

    Attributes:
        outputs: How many weight vectors it needs: one per class, or a single one for two classes.
        at_zero: Value where all scores are 0.
    """

    outputs: int
    at_zero: PerProblem

    def at(self, scores: Scores) -> Point:
        """Value and derivatives."""
        ...

    def curve(self, point: Point, moves: Scores) -> Scores:
        """The Hessian by the scores, times `moves`."""
        ...

    def dot(self, first: Vectors, second: Vectors) -> PerProblem:
        """Inner product, per problem."""
        ...

    def per_class(self, of_outputs: Float32[np.ndarray, "part output row"]) -> Float32[np.ndarray, "part cls row"]:
        """Weights or scores of every class, from those of the outputs."""
        ...

    def per_output(self, of_classes: Float32[np.ndarray, "part cls row"]) -> Float32[np.ndarray, "part output row"]:
        """Weights or scores of the outputs, from those of every class."""
        ...


def loss_on(kind: Literal["softmax", "svm"], targets: Targets) -> Loss:
    """The loss of this kind; two classes need one output only."""
    if kind == "svm":
        return SquaredHinge(targets)
    return Logistic(targets) if targets.class_count == 2 else Softmax(targets)


@final
class Softmax:
    """Multinomial cross-entropy; the classes are coupled, so there is one problem a part."""

    def __init__(self, targets: Targets) -> None:
        self.outputs = targets.class_count
        self._weights = targets.weights[:, None]
        self._true = _one_hot(targets) * self._weights
        self.at_zero = self._weights.sum(axis=2, keepdims=True) * np.log(targets.class_count).astype(np.float32)

    def at(self, scores: Scores) -> Point:
        """Value and derivatives."""
        shifted = scores - scores.max(axis=1, keepdims=True)
        true = np.vecdot(shifted, self._true).sum(axis=1)[:, None, None]
        probabilities = np.exp(shifted, out=shifted)
        sums = probabilities.sum(axis=1, keepdims=True)
        probabilities /= sums
        weighted = probabilities * self._weights
        total = np.vecdot(np.log(sums), self._weights)[..., None] - true
        return Point(total, weighted - self._true, weighted - weighted * probabilities, probabilities)

    def curve(self, point: Point, moves: Scores) -> Scores:
        """Covariance under the predicted probabilities (the sum of a row of the Hessian is 0)."""
        p = point.probabilities
        moved = p * moves
        moved -= p * moved.sum(axis=1, keepdims=True)
        moved *= self._weights
        curved: Scores = moved
        return curved

    def dot(self, first: Vectors, second: Vectors) -> PerProblem:
        """One number over all classes."""
        products: PerProblem = np.vecdot(first, second).sum(axis=1)[:, None, None]
        return products

    def per_class(self, of_outputs: Float32[np.ndarray, "part output row"]) -> Float32[np.ndarray, "part cls row"]:
        """An output is a class."""
        return of_outputs

    def per_output(self, of_classes: Float32[np.ndarray, "part cls row"]) -> Float32[np.ndarray, "part output row"]:
        """An output is a class."""
        return of_classes


class _OutputsApart:
    """What losses share whose outputs are problems of their own."""

    def curve(self, point: Point, moves: Scores) -> Scores:
        """Scores do not interact."""
        curved: Scores = point.curvatures * moves
        return curved

    def dot(self, first: Vectors, second: Vectors) -> PerProblem:
        """One number an output."""
        products: PerProblem = np.vecdot(first, second)[..., None]
        return products


@final
class Logistic(_OutputsApart):
    """Softmax of two classes. Their weights are opposite, -w and w, so that their penalty is |w|^2, not |w|^2 / 2.

    The output has weights u = sqrt(2) w: their penalty is |u|^2 / 2, and the difference of the two scores
    is sqrt(2) times its own score.
    """

    outputs = 1

    def __init__(self, targets: Targets) -> None:
        self._weights = targets.weights[:, None]
        self._signs = (np.sqrt(2) * (2 * targets.labels[None, None] - 1)).astype(np.float32)
        self._weighted_signs = self._signs * self._weights
        self.at_zero = self._weights.sum(axis=2, keepdims=True) * np.log(2).astype(np.float32)

    def at(self, scores: Scores) -> Point:
        """Value and derivatives."""
        margins = scores * self._signs
        tail = np.exp(-np.abs(margins))
        sums = 1 + tail
        likelier = 1 / sums
        unlikelier = tail * likelier
        total = np.vecdot(np.log(sums) - np.minimum(margins, 0), self._weights)[..., None]
        slopes = self._weighted_signs * -np.where(margins > 0, unlikelier, likelier)
        return Point(total, slopes, 2 * self._weights * likelier * unlikelier, _NONE)

    def per_class(self, of_outputs: Float32[np.ndarray, "part output row"]) -> Float32[np.ndarray, "part cls row"]:
        """Opposite for the two classes."""
        half = of_outputs / np.float32(np.sqrt(2))
        return np.concatenate([-half, half], axis=1)

    def per_output(self, of_classes: Float32[np.ndarray, "part cls row"]) -> Float32[np.ndarray, "part output row"]:
        """From their difference: what both have in common changes no probability."""
        difference: Float32[np.ndarray, "part output row"] = of_classes[:, 1:] - of_classes[:, :1]
        return difference / np.float32(np.sqrt(2))


@final
class SquaredHinge(_OutputsApart):
    """One class against the rest, squared hinge; every class is a problem of its own, two classes are one problem."""

    def __init__(self, targets: Targets) -> None:
        true = _one_hot(targets)
        self._signs = (2 * true - 1)[:, -1:] if targets.class_count == 2 else 2 * true - 1
        self.outputs = self._signs.shape[1]
        self._double = 2 * targets.weights[:, None]
        self.at_zero = self._double.sum(axis=2, keepdims=True) / 2

    def at(self, scores: Scores) -> Point:
        """Value and derivatives."""
        missing = 1 - self._signs * scores
        curvatures = self._double * (missing > 0)
        slopes = curvatures * missing
        total = np.vecdot(slopes, missing)[..., None] / 2
        slopes *= -self._signs
        return Point(total, slopes, curvatures, _NONE)

    def per_class(self, of_outputs: Float32[np.ndarray, "part output row"]) -> Float32[np.ndarray, "part cls row"]:
        """An output is a class; the first of two is the opposite of the second."""
        if self.outputs > 1:
            return of_outputs
        return np.concatenate([-of_outputs, of_outputs], axis=1)

    def per_output(self, of_classes: Float32[np.ndarray, "part cls row"]) -> Float32[np.ndarray, "part output row"]:
        """That of a class against the rest; of two the second's."""
        return of_classes[:, -self.outputs :]


def _one_hot(targets: Targets) -> Float32[np.ndarray, "1 cls image"]:
    classes = np.arange(targets.class_count)[:, None]
    true: Float32[np.ndarray, "1 cls image"] = (targets.labels == classes)[None].astype(np.float32)
    return true
