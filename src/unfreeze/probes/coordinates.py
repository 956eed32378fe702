"""Coordinates in which linear problems on codes are well-conditioned: standardised, then turned to their main axes.

A penalty on the length of a weight vector does not care about rotations, so the solution is the same in every
rotated system; but in the axes of the Gram matrix the Hessian of every loss is nearly diagonal, and a diagonal
preconditioner turns hundreds of steps into tens. Where there are fewer images than code values, only the span of the
images matters (the representer theorem), and the problem shrinks to it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32
from scipy.linalg import eigh

# A float32 mean is off by 6e-8 of its size, so deviations this small are rounding, not information.
_CONSTANT_BELOW = 1e-6
# Axes of the span weaker than this, relative to the strongest, are rounding of the Gram matrix (float64).
_SPAN_ABOVE = 1e-11

Basis = Float32[np.ndarray, "code axis"]


@dataclass(frozen=True, eq=False)
class Scaling:
    """Mean and standard deviation of each code over the training images; constant codes have scale infinity.

    Attributes:
        mean: Subtracted first.
        scale: Divided by next.
    """

    mean: Float[np.ndarray, " code"]
    scale: Float[np.ndarray, " code"]

    def apply(self, codes: Float[np.ndarray, "image code"]) -> Float32[np.ndarray, "image code"]:
        """Standardised codes; constant ones become zero."""
        standardised: Float32[np.ndarray, "image code"] = np.subtract(
            codes, self.mean.astype(np.float32), dtype=np.float32
        )
        standardised *= (1 / self.scale).astype(np.float32)
        return standardised


def scaling_of(codes: Float[np.ndarray, "image code"]) -> Scaling:
    """Scaling by which `codes` get mean 0 and standard deviation 1 (with division by n, as scikit-learn's scaler).

    Args:
        codes: Of the training images.

    Returns:
        The scaling; a code that does not vary gets scale infinity, so that it becomes 0 everywhere.
    """
    mean = codes.mean(axis=0, dtype=np.float64)
    centred = np.subtract(codes, mean.astype(np.float32), dtype=np.float32)
    deviation = np.sqrt(np.einsum("ij,ij->j", centred, centred) / len(codes)).astype(np.float64)
    return Scaling(mean, np.where(deviation > _CONSTANT_BELOW * np.abs(mean), deviation, np.inf))


def main_axes(standardised: Float32[np.ndarray, "image code"]) -> Basis:
    """Orthonormal axes along which the images vary independently; they span the images.

    Args:
        standardised: Standardised codes.

    Returns:
        As columns, all axes if there are at least as many images as codes, else those of the images' span.
    """
    images, width = standardised.shape
    if images >= width:
        return np.ascontiguousarray(_eigenvectors(standardised.T @ standardised)[1])
    # float64: weak axes of the span come from the difference of large numbers
    wide = standardised.astype(np.float64)
    strengths, axes = _eigenvectors(wide @ wide.T)
    kept = strengths > _SPAN_ABOVE * max(float(strengths[-1]), 1e-300)
    basis: Basis = (wide.T @ (axes[:, kept] / np.sqrt(strengths[kept]))).astype(np.float32)
    return basis


def _eigenvectors(gram: Float[np.ndarray, "axis axis"]) -> tuple[np.ndarray, np.ndarray]:
    strengths, axes = eigh(gram, driver="evd", overwrite_a=True, check_finite=False)
    return strengths, axes


def with_intercept(rotated: Float32[np.ndarray, "image axis"]) -> Float32[np.ndarray, "image column"]:
    """`rotated` with a last column of ones, whose weight is the intercept."""
    return np.concatenate([rotated, np.ones((len(rotated), 1), np.float32)], axis=1)
