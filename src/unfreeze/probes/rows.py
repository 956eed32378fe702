"""The rows of linear problems, of several training sets at once: in memory, or read a block at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float32

from unfreeze.probes.coordinates import Axes, CodeBlocks, Scaling
from unfreeze.probes.losses import Scores

# The last column is the intercept.
Weights = Float32[np.ndarray, "part output column"]


@runtime_checkable  # for the shape checks in tests
class Rows(Protocol):
    """Training images of every part; a column is a coordinate, the last one is 1."""

    @property
    def mean_squares(self) -> Float32[np.ndarray, "part column"]:
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

    Attributes:
        columns: The images; all 0 where a part has fewer images than the longest.
    """

    columns: Float32[np.ndarray, "part column image"]

    @classmethod
    def of(cls, parts: Sequence[Float32[np.ndarray, "axis _"]]) -> "RowsInMemory":
        """From the coordinates of each part's images, one image a column."""
        longest = max(part.shape[1] for part in parts)
        columns = np.zeros((len(parts), len(parts[0]) + 1, longest), np.float32)
        for place, part in zip(columns, parts, strict=True):
            place[:-1, : part.shape[1]] = part
            place[-1, : part.shape[1]] = 1
        return cls(columns)

    @cached_property
    def mean_squares(self) -> Float32[np.ndarray, "part column"]:
        """Mean square of every column."""
        squares: Float32[np.ndarray, "part column"] = np.vecdot(self.columns, self.columns)
        squares /= self.columns[:, -1:].sum(axis=2)
        return squares

    @cached_property
    def gram(self) -> Float32[np.ndarray, "part image image"]:
        """Products between images, without the column of ones."""
        coordinates = self.columns[:, :-1]
        gram: Float32[np.ndarray, "part image image"] = coordinates.transpose(0, 2, 1) @ coordinates
        return gram

    def scores(self, weights: Weights) -> Scores:
        """Products of weights and images."""
        scores: Scores = weights @ self.columns
        return scores

    def gradient(self, slopes: Scores) -> Weights:
        """Sums over images of slope times image."""
        gradient: Weights = slopes @ self.columns.transpose(0, 2, 1)
        return gradient


@final
@dataclass(frozen=True, eq=False)
class RowsInBlocks:
    """One part whose codes stay where they are. Weights are turned, not codes: every pass reads the codes once.

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
    def mean_squares(self) -> Float32[np.ndarray, "part column"]:
        """Mean square of every column."""
        return np.append(self.strengths / len(self.blocks), np.float32(1))[None]

    def scores(self, weights: Weights) -> Scores:
        """Products of weights and images."""
        on_codes = self.axes @ weights[0, :, :-1].T
        scores = np.empty((1, weights.shape[1], len(self.blocks)), np.float32)
        for places, codes in self.blocks:
            scores[0, :, places] = (self.scaling.apply(codes) @ on_codes).T
        scores += weights[:, :, -1:]
        return scores

    def gradient(self, slopes: Scores) -> Weights:
        """Sums over images of slope times image."""
        on_codes = np.zeros((slopes.shape[1], len(self.axes)), np.float32)
        for places, codes in self.blocks:
            on_codes += slopes[0, :, places] @ self.scaling.apply(codes)
        return np.concatenate([on_codes @ self.axes, slopes[0].sum(axis=1, keepdims=True)], axis=1)[None]
