"""The two losses of linear probes, summed over images, with what a solver needs of them."""

from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy.typing import NDArray

Scores = Float32[np.ndarray, "image cls"]
# One number per problem: a single one if the classes are coupled, one per class if each is a problem of its own.
PerProblem = NDArray[np.floating] | np.floating


@dataclass(frozen=True, eq=False)
class Point:
    """A loss at given scores.

    Attributes:
        total: Sum over images, per problem.
        slopes: Derivative by each score.
        curvatures: Second derivative by each score, others fixed.
        inside: What `curvature_along` needs: probabilities, or nothing.
    """

    total: PerProblem
    slopes: Scores
    curvatures: Scores
    inside: Scores


@runtime_checkable  # for the shape checks in tests
@runtime_checkable
class Loss(Protocol):
    """A convex loss of scores."""

    def at(self, scores: Scores) -> Point:
        """Value and derivatives."""
        ...

    def curvature_along(self, point: Point, direction: Scores) -> PerProblem:
        """Second derivative when all scores move along `direction`, per problem."""
        ...

    def dot(self, first: Float[np.ndarray, "row cls"], second: Float[np.ndarray, "row cls"]) -> PerProblem:
        """Inner product, per problem."""
        ...


@final
class Softmax:
    """Multinomial cross-entropy; the classes are coupled, so there is one problem."""

    def __init__(self, labels: Int[np.ndarray, " image"], weights: Float32[np.ndarray, " image"]) -> None:
        self._labels = labels
        self._rows = np.arange(len(labels))
        self._weights = weights[:, None]

    def at(self, scores: Scores) -> Point:
        """Value and derivatives."""
        shifted = scores - scores.max(axis=1, keepdims=True)
        probabilities = np.exp(shifted)
        sums = probabilities.sum(axis=1, keepdims=True)
        probabilities /= sums
        losses = np.log(sums[:, 0]) - shifted[self._rows, self._labels]
        slopes = probabilities.copy()
        slopes[self._rows, self._labels] -= 1
        slopes *= self._weights
        total = np.asarray(np.dot(losses.astype(np.float64), self._weights[:, 0].astype(np.float64)))
        return Point(total, slopes, self._weights * probabilities * (1 - probabilities), probabilities)

    def curvature_along(self, point: Point, direction: Scores) -> PerProblem:
        """Weighted variance of `direction` under the predicted probabilities."""
        mean = np.einsum("ij,ij->i", point.inside, direction)[:, None]
        return np.asarray(np.vdot(self._weights * point.inside, (direction - mean) ** 2), np.float64)

    def dot(self, first: Float[np.ndarray, "row cls"], second: Float[np.ndarray, "row cls"]) -> PerProblem:
        """One number over all classes."""
        return np.asarray(np.vdot(first, second), np.float64)


@final
class SquaredHinge:
    """One class against the rest, squared hinge; every class is a problem of its own."""

    def __init__(
        self, labels: Int[np.ndarray, " image"], weights: Float32[np.ndarray, " image"], class_count: int
    ) -> None:
        self._signs = np.full((len(labels), class_count), -1, np.float32)
        self._signs[np.arange(len(labels)), labels] = 1
        self._weights = weights[:, None]

    def at(self, scores: Scores) -> Point:
        """Value and derivatives."""
        missing = 1 - self._signs * scores
        np.maximum(missing, 0, out=missing)
        weighted = self._weights * missing
        total = np.einsum("ij,ij->j", weighted, missing).astype(np.float64)
        curvatures = np.where(missing > 0, 2 * self._weights, np.float32(0))
        weighted *= -2 * self._signs
        return Point(total, weighted, curvatures, missing)

    def curvature_along(self, point: Point, direction: Scores) -> PerProblem:
        """Sum over the images inside the margin."""
        return np.asarray(np.einsum("ij,ij,ij->j", point.curvatures, direction, direction), np.float64)

    def dot(self, first: Float[np.ndarray, "row cls"], second: Float[np.ndarray, "row cls"]) -> PerProblem:
        """One number per class."""
        return np.asarray(np.einsum("ij,ij->j", first, second), np.float64)
