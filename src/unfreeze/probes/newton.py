"""Minimise 1/2 |weights|^2 + C * loss(scores) for all parts and classes at once.

Newton's method, its equations solved roughly by conjugate gradients (Lin, Weng & Keerthi 2008, JMLR 9: "Trust region
Newton method for large-scale logistic regression"), preconditioned by the diagonal that the Hessian has if curvatures
and codes are independent. The loss is only evaluated once a Newton step; an inner step costs two products with the
rows and nothing costly. Problems share the products; each has its own step lengths. Tried on real codes: L-BFGS
with the exact diagonal, whose steps (two products each) for an SVM grow into the hundreds at large C; and the exact
diagonal here, which changes the number of products by some per cent, either way.
"""

from dataclasses import dataclass

import numpy as np

from unfreeze.probes.exact import exact_direction, is_cheap
from unfreeze.probes.losses import Loss, PerProblem, Point, Scores, SquaredHinge
from unfreeze.probes.rows import Rows, RowsInMemory, Weights

_MOST_STEPS = 100
_MOST_INNER_STEPS = 50
_MOST_LINE_STEPS = 12
_FORCING = 0.3  # inner residual, relative; 0.1 saves Newton steps and costs more products on real codes
_FLAT = 0.5  # the line search ends where the slope has fallen to this part; finer costs more than it saves
_TINY = 1e-30
_NEAR_ZERO = 1e-4
_LEAST_CURVATURE = 1e-6  # relative to the preconditioner's; less is rounding where images are told apart already
_LOWER = 1e-5  # a value that is lower by this part is progress; float32 carries less, but the gain shows that
_STALLED_AFTER = 8  # steps without getting closer: float32 gives no more
# Under a weak penalty, where the value is less than this part of what was gained, it need be known to this part only.
# Finer took five times as long (136 classes at C = 3: 18 s and 4 s) and changed no label of three sets' test images.
_WEAK, _KNOWN = 0.1, 1e-7


@dataclass(frozen=True, eq=False)
class Problem:
    """What is minimised over the weights; the intercepts are free.

    Attributes:
        rows: Standardised, turned codes and a column of ones.
        loss: Of the scores.
        C: Weight of the loss against the penalty.
    """

    rows: Rows
    loss: Loss
    C: float


@dataclass(frozen=True, eq=False)
class Solution:
    """Weights and what is known there, from which a problem with another C can go on."""

    weights: Weights
    scores: Scores
    point: Point


def nothing(rows: Rows, loss: Loss) -> Solution:
    """All weights 0."""
    return at_weights(rows, loss, np.zeros((len(loss.at_zero), loss.outputs, len(rows.mean_squares)), np.float32))


def at_weights(rows: Rows, loss: Loss, weights: Weights) -> Solution:
    """Start from these weights."""
    scores = rows.scores(weights)
    return Solution(weights, scores, loss.at(scores))


def minimise(problem: Problem, start: Solution, *, tolerance: float) -> Solution:
    """Weights near the minimum.

    Args:
        problem: What to minimise.
        start: Where to begin, for example the solution at a smaller C.
        tolerance: Stop after the step that Newton's model predicted to gain less than this part of the value, and of
            what was gained over weights of zero: under a strong penalty the value hardly moves while predictions
            still do. Under a weak one it may be coarser, see `_KNOWN`.

    Returns:
        The solution.
    """
    rows, loss, C = problem.rows, problem.loss, np.float32(problem.C)
    exactly = isinstance(loss, SquaredHinge)
    free = np.ones(start.weights.shape[2], np.float32)
    free[-1] = 0  # the intercept has no penalty
    at_zero = C * loss.at_zero
    here, closest, lowest, since = start, np.inf, np.inf, 0
    for _ in range(_MOST_STEPS):
        penalised = here.weights * free
        value = loss.dot(penalised, penalised) / 2 + C * here.point.total
        gradient = rows.gradient(here.point.slopes)
        gradient *= C
        gradient += penalised
        if exactly and isinstance(rows, RowsInMemory) and is_cheap(rows, here.point):
            direction, moves = exact_direction(rows, here.point, problem.C, (here.weights, here.scores, gradient))
        else:
            diagonal = C * here.point.curvatures.sum(axis=2, keepdims=True) * rows.mean_squares + free
            direction, moves = _newton_direction(problem, here.point, gradient, np.maximum(diagonal, np.float32(1e-6)))
        gain = -loss.dot(gradient, direction) / 2
        # The floor is for images that intercepts alone tell apart: there is no minimum.
        gained = at_zero - value + gain
        goal = tolerance * np.maximum(np.minimum(value, gained), _NEAR_ZERO * at_zero)
        goal = np.where(value < _WEAK * gained, np.maximum(goal, _KNOWN * value), goal)
        here = _search_line(problem, here, (direction, moves, penalised), gain, goal)
        farthest, total = float(np.max(gain / np.maximum(goal, _TINY))), float(value.sum())
        since = 0 if farthest < closest or total < (1 - _LOWER) * lowest else since + 1
        closest, lowest = min(closest, farthest), min(lowest, total)
        exactly = exactly and since < 2  # float32 products between images carry a solution only so far
        if farthest <= 1 or since == _STALLED_AFTER:
            break
    return here


def _newton_direction(problem: Problem, point: Point, gradient: Weights, diagonal: Weights) -> tuple[Weights, Scores]:
    """Minus the inverse Hessian times the gradient, by preconditioned conjugate gradients; and how the scores move."""
    rows, loss, C = problem.rows, problem.loss, np.float32(problem.C)
    direction, moves = np.zeros_like(gradient), np.zeros_like(point.slopes)
    residual = -gradient
    inverse = 1 / diagonal
    search = residual * inverse
    square = loss.dot(residual, search)
    enough = _FORCING**2 * square
    for _ in range(_MOST_INNER_STEPS):
        moved = rows.scores(search)
        curved = rows.gradient(loss.curve(point, moved))
        curved *= C
        curved[:, :, :-1] += search[:, :, :-1]
        curvature = loss.dot(search, curved)
        curves = curvature > _LEAST_CURVATURE * square
        length = np.where(curves, square / np.where(curves, curvature, 1), 0)
        direction += length * search
        moves += length * moved
        residual -= length * curved
        scaled = residual * inverse
        previous, square = square, loss.dot(residual, scaled)
        if (square <= enough).all():
            break
        search *= square / np.maximum(previous, _TINY)
        search += scaled
    return direction, moves


def _search_line(
    problem: Problem,
    here: Solution,
    along: tuple[Weights, Scores, Weights],
    gain: PerProblem,
    goal: PerProblem,
) -> Solution:
    """Newton's method with bisection on the convex function along the direction, per problem; length 1 mostly does."""
    loss, C = problem.loss, np.float32(problem.C)
    direction, moves, penalised = along
    linear = loss.dot(penalised, direction)
    square = loss.dot(direction[:, :, :-1], direction[:, :, :-1])
    flat = np.maximum(2 * _FLAT * gain, goal / 2)
    length = np.ones_like(gain)
    low, high = np.zeros_like(length), np.full_like(length, np.inf)
    for _ in range(_MOST_LINE_STEPS):
        scores = here.scores + length * moves
        point = loss.at(scores)
        slope = linear + length * square + C * loss.dot(point.slopes, moves)
        found = np.abs(slope) <= flat
        if found.all():
            break
        low, high = np.where(slope < 0, length, low), np.where(slope < 0, high, length)
        curvature = square + C * loss.dot(loss.curve(point, moves), moves)
        newton = length - slope / np.maximum(curvature, _TINY)
        middle = np.where(np.isfinite(high), (low + high) / 2, 2 * length)
        length = np.where(found, length, np.where((newton > low) & (newton < high), newton, middle))
    else:
        scores = here.scores + length * moves
        point = loss.at(scores)
    return Solution(here.weights + length * direction, scores, point)
