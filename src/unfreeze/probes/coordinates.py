"""Coordinates in which linear problems on codes are well-conditioned: standardised, then turned to their main axes.

A penalty on the length of a weight vector does not care about rotations, so the solution is the same in every
rotated system; but in the axes of the Gram matrix the Hessian of every loss is nearly diagonal, and a diagonal
preconditioner turns hundreds of steps into tens. Where there are fewer images than code values, only the span of the
images matters (the representer theorem), and the problem shrinks to it.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy.linalg import eigh

# A float32 mean is off by 6e-8 of its size, so deviations this small are rounding, not information.
_CONSTANT_BELOW = 1e-6
# Axes of the span weaker than this, relative to the strongest, are rounding of the Gram matrix (float64).
_SPAN_ABOVE = 1e-11

Axes = Float32[np.ndarray, "code axis"]
Along = Float32[np.ndarray, "axis image"]
Standardised = Float32[np.ndarray, "image code"]


@dataclass(frozen=True, eq=False)
class Scaling:
    """Mean and standard deviation of each code over the training images; constant codes have scale infinity.

    Attributes:
        mean: Subtracted first.
        scale: Divided by next.
    """

    mean: Float[np.ndarray, " code"]
    scale: Float[np.ndarray, " code"]

    def apply(self, codes: Float[np.ndarray, "image code"]) -> Standardised:
        """Standardised codes; constant ones become zero."""
        standardised: Standardised = np.subtract(codes, self.mean.astype(np.float32), dtype=np.float32)
        standardised *= (1 / self.scale).astype(np.float32)
        return standardised


@dataclass(frozen=True, eq=False)
class CodeBlocks:
    """Some rows of a table of codes, read a block at a time, so that the table may be larger than memory.

    Attributes:
        codes: The table; an array or a memory map.
        rows: Which rows of it; all if None.
        block: Rows read at a time.
    """

    codes: Float[np.ndarray, "row code"]
    rows: Int[np.ndarray, " image"] | None
    block: int

    def __len__(self) -> int:
        """Number of images."""
        return len(self.codes) if self.rows is None else len(self.rows)

    def __iter__(self) -> Iterator[tuple[slice, Float[np.ndarray, "image code"]]]:
        """Places of the block in `rows`, and its codes."""
        for first in range(0, len(self), self.block):
            places = slice(first, min(first + self.block, len(self)))
            yield places, self.codes[places if self.rows is None else self.rows[places]]
            _let_go(self.codes)


def _let_go(codes: Float[np.ndarray, "row code"]) -> None:
    """Tell the system that pages of a memory map are not needed now: until then they count as this process's memory."""
    if not isinstance(codes, np.memmap) or codes.mode != "r" or not hasattr(mmap, "MADV_DONTNEED"):
        return  # what was written to a private map would be lost
    owner: object = codes
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, mmap.mmap):
        owner.madvise(mmap.MADV_DONTNEED)


def scaling_of(codes: Float[np.ndarray, "image code"]) -> Scaling:
    """Scaling by which `codes` get mean 0 and standard deviation 1 (with division by n, as scikit-learn's scaler).

    Args:
        codes: Of the training images.

    Returns:
        The scaling; a code that does not vary gets scale infinity, so that it becomes 0 everywhere.
    """
    return scaling_of_blocks(CodeBlocks(codes, None, len(codes)))


def scaling_of_blocks(blocks: CodeBlocks) -> Scaling:
    """The same in two passes over blocks."""
    mean = np.zeros(blocks.codes.shape[1])
    for _, codes in blocks:
        mean += codes.sum(axis=0, dtype=np.float64)
    mean /= len(blocks)
    squares = np.zeros_like(mean)
    for _, codes in blocks:
        centred = np.subtract(codes, mean.astype(np.float32), dtype=np.float32)
        squares += np.einsum("ij,ij->j", centred, centred)
    deviation = np.sqrt(squares / len(blocks))
    return Scaling(mean, np.where(deviation > _CONSTANT_BELOW * np.abs(mean), deviation, np.inf))


def main_axes(standardised: Standardised) -> tuple[Axes, Along]:
    """Orthonormal axes along which the images vary independently; they span the images.

    Args:
        standardised: Standardised codes.

    Returns:
        Axes as columns: all if there are at least as many images as codes, else those of the images' span. And the
        images along them.
    """
    images, width = standardised.shape
    if images >= width:
        axes = axes_of_gram(standardised.T @ standardised)
        return axes, turned(standardised, axes)
    # float64: weak axes of the span come from the difference of large numbers
    wide = standardised.astype(np.float64)
    strengths, turns = _eigenvectors(wide @ wide.T)
    kept = strengths > _SPAN_ABOVE * max(float(strengths[-1]), 1e-300)
    lengths, turns = np.sqrt(strengths[kept]), turns[:, kept]
    axes = standardised.T @ (turns / lengths).astype(np.float32)
    return axes, np.ascontiguousarray((turns * lengths).T, np.float32)


def axes_of_gram(gram: Float32[np.ndarray, "code code"]) -> Axes:
    """All main axes, from the matrix of products between codes."""
    return np.ascontiguousarray(_eigenvectors(gram)[1])


def _eigenvectors(gram: Float[np.ndarray, "axis axis"]) -> tuple[np.ndarray, np.ndarray]:
    strengths, axes = eigh(gram, driver="evd", overwrite_a=True, check_finite=False)
    return strengths, axes


def turned(standardised: Standardised, axes: Axes) -> Along:
    """The images along the axes, one image a column."""
    along: Along = axes.T @ standardised.T
    return along
