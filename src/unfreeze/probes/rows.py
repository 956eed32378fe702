"""The rows of linear problems, in memory or read a block at a time; training sets fitted together are parts of them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32

from unfreeze.probes.coordinates import Axes, CodeBlocks, Scaling
from unfreeze.probes.losses import Scores, Vectors

# The last column is the intercept.
Weights = Float32[np.ndarray, "part output column"]


@runtime_checkable  # for the shape checks in tests
class Rows(Protocol):
    """Images, which all parts share: what an image counts in each is a matter of the loss.

    A column is a coordinate, the last one is 1.
    """

    @property
    def mean_squares(self) -> Float32[np.ndarray, " column"]:
        """Mean square of every column."""
        ...

    def scores(self, weights: Weights) -> Scores:
        """Products of weights and images."""
        ...

    def gradient(self, slopes: Scores) -> Weights:
        """Sums over images of slope times image."""
        ...


@final
@dataclass(frozen=True, eq=False)
class RowsInMemory:
    """All images as one array.

    One product serves all parts. An array for each took two to three times as long for few classes, since memory was
    read for each (1,600 and 3,900 images of 1,280 codes, five parts, one core; at 136 classes a tenth less).

    Attributes:
        columns: The images.
    """

    columns: Float32[np.ndarray, "column image"]

    @classmethod
    def of(cls, along: Float32[np.ndarray, "axis image"]) -> "RowsInMemory":
        """From their coordinates, one image a column."""
        return cls(np.concatenate([along, np.ones((1, along.shape[1]), np.float32)]))

    @cached_property
    def mean_squares(self) -> Float32[np.ndarray, " column"]:
        """Mean square of every column."""
        squares: Float32[np.ndarray, " column"] = np.vecdot(self.columns, self.columns)
        squares /= self.columns.shape[1]
        return squares

    @cached_property
    def gram(self) -> Float32[np.ndarray, "image image"]:
        """Products between images, without the column of ones."""
        gram: Float32[np.ndarray, "image image"] = self.columns[:-1].T @ self.columns[:-1]
        return gram

    def scores(self, weights: Weights) -> Scores:
        """Products of weights and images."""
        scores: Scores = (_as_matrix(weights) @ self.columns).reshape(*weights.shape[:2], -1)
        return scores

    def gradient(self, slopes: Scores) -> Weights:
        """Sums over images of slope times image."""
        gradient: Weights = (_as_matrix(slopes) @ self.columns.T).reshape(*slopes.shape[:2], -1)
        return gradient


@final
@dataclass(frozen=True, eq=False)
class RowsInBlocks:
    """Codes stay where they are. Weights are turned, not codes: every pass reads the codes once.

    Attributes:
        blocks: Raw codes.
        scaling: Standardises them.
        axes: Main axes, complete.
        strengths: Sum of squares along each axis.
    """

    blocks: CodeBlocks
    scaling: Scaling
    axes: Axes
    strengths: Float32[np.ndarray, " axis"]

    @property
    def mean_squares(self) -> Float32[np.ndarray, " column"]:
        """Mean square of every column."""
        return np.append(self.strengths / len(self.blocks), np.float32(1))

    def scores(self, weights: Weights) -> Scores:
        """Products of weights and images."""
        flat = _as_matrix(weights)
        on_codes = self.axes @ flat[:, :-1].T
        scores = np.empty((len(flat), len(self.blocks)), np.float32)
        for places, codes in self.blocks:
            scores[:, places] = (self.scaling.apply(codes) @ on_codes).T
        scores += flat[:, -1:]
        return scores.reshape(*weights.shape[:2], -1)

    def gradient(self, slopes: Scores) -> Weights:
        """Sums over images of slope times image."""
        flat = _as_matrix(slopes)
        on_codes = np.zeros((len(flat), len(self.axes)), np.float32)
        for places, codes in self.blocks:
            on_codes += flat[:, places] @ self.scaling.apply(codes)
        found = np.concatenate([on_codes @ self.axes, flat.sum(axis=1, keepdims=True)], axis=1)
        return found.reshape(*slopes.shape[:2], -1)


def _as_matrix(vectors: Vectors) -> Float[np.ndarray, "problem row"]:
    """Those of all parts and outputs, one below the other."""
    return vectors.reshape(-1, vectors.shape[2])
