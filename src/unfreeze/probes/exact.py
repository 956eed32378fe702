"""Newton's direction for a squared hinge, solved exactly: a problem at a time, on the images inside its margin.

A squared hinge is a least-squares problem on the images inside the margin, and Newton's method ends after a few steps
(Keerthi & DeCoste 2005, JMLR 6: "A modified finite Newton method for fast solution of large scale linear SVMs").
Under a weak penalty few images are inside, and their Gram matrix is solved sooner than conjugate gradients converge.
"""

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve

from unfreeze.probes.losses import Point, Scores
from unfreeze.probes.rows import RowsInMemory, Weights

Right = Float[np.ndarray, "unknown *any"]

# Conjugate gradients take 5 to 50 inner steps a Newton step on real codes, the more the weaker the penalty.
_INNER_STEPS = 20
# A problem's own overhead (picking rows, calls for small systems), in operations.
_OVERHEAD = 8e6
# Gram matrices of the images at most this many times as large as the rows themselves.
_MOST_GRAM = 2


def is_cheap(rows: RowsInMemory, point: Point) -> bool:
    """Whether the exact direction takes less time than conjugate gradients would.

    Exact systems are solved class by class; of conjugate gradients all classes share the products, which then take
    little longer than for one. Counted without that, an SVM of 136 classes (omniglot, blocks.6, two cores) took 120 s
    instead of 8, one of 6 classes (trashnet, blocks.5) 5 s instead of 0.6.
    """
    columns, images = rows.columns.shape
    inside = np.count_nonzero(point.curvatures, axis=2).astype(np.float64)
    exact = inside**3 / 3 if _by_images(rows) else columns**2 * inside + columns**3 / 3
    return bool((exact + _OVERHEAD).mean() < _INNER_STEPS * 4.0 * columns * images / point.curvatures.shape[1])


def _by_images(rows: RowsInMemory) -> bool:
    """Whether the equations have an unknown per image inside the margin, rather than one per column."""
    columns, images = rows.columns.shape
    return bool(images <= _MOST_GRAM * columns)


def exact_direction(
    rows: RowsInMemory, point: Point, C: float, here: tuple[Weights, Scores, Weights]
) -> tuple[Weights, Scores]:
    """Minus the inverse Hessian times the gradient, and how the scores move along it.

    Args:
        rows: In memory.
        point: A squared hinge at `here`.
        C: Weight of the loss.
        here: Weights, their scores, and the gradient.

    Returns:
        Direction and moves.
    """
    weights, scores, gradient = here
    if _by_images(rows):
        direction = _by_image(rows, point, C, scores) - weights
    else:
        direction = _by_column(rows, point, C, gradient)
    return direction, rows.scores(direction)


def _by_image(rows: RowsInMemory, point: Point, C: float, scores: Scores) -> Weights:
    """Where the direction leads to, from the Gram matrix K of the images.

    Weights are sums of images with coefficients a; those inside the margin, of curvature d, would have scores t, and
    get K a + b + a / (C d) = t with sum(a) = 0, where b is the intercept.
    """
    coefficients = np.zeros_like(scores)
    intercepts = np.zeros(scores.shape[:2], np.float32)
    for part, cls in np.ndindex(scores.shape[:2]):
        curvatures = point.curvatures[part, cls]
        inside = np.flatnonzero(curvatures)
        if not len(inside):
            intercepts[part, cls] = scores[part, cls, 0]
            continue
        wanted = scores[part, cls, inside] - point.slopes[part, cls, inside] / curvatures[inside]
        system = rows.gram.take(inside, axis=0).take(inside, axis=1).astype(np.float64)
        system[np.diag_indices_from(system)] += 1 / (C * curvatures[inside].astype(np.float64))
        both = _solve(system, np.stack([wanted, np.ones_like(wanted)], axis=1).astype(np.float64))
        intercepts[part, cls] = both[:, 0].sum() / both[:, 1].sum()
        coefficients[part, cls, inside] = both[:, 0] - intercepts[part, cls] * both[:, 1]
    found = rows.gradient(coefficients)
    found[:, :, -1] = intercepts
    return found


def _by_column(rows: RowsInMemory, point: Point, C: float, gradient: Weights) -> Weights:
    """From the Hessian itself."""
    direction = np.empty_like(gradient)
    for part, cls in np.ndindex(gradient.shape[:2]):
        inside = np.flatnonzero(point.curvatures[part, cls])
        images = rows.columns.take(inside, axis=1)
        hessian = (images * (np.float32(C) * point.curvatures[part, cls, inside])) @ images.T
        system = hessian.astype(np.float64)
        system[np.diag_indices_from(system)] += 1
        system[-1, -1] -= 1 - 1e-6  # the intercept has no penalty
        direction[part, cls] = _solve(system, -gradient[part, cls].astype(np.float64))
    return direction


def _solve(system: Float[np.ndarray, "unknown unknown"], right: Right) -> Right:
    factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
    solved: Right = cho_solve(factor, right, check_finite=False)
    return solved
