"""Minimise 1/2 |weights|^2 + C * loss(rows @ weights) for all classes at once.

Limited-memory BFGS (Nocedal 1980) whose first guess of the Hessian is its exact diagonal at the starting point. Scores
are linear along a direction, so the line search needs no further product with the rows and can afford to be exact; one
step costs two products with the rows. Problems that are independent (one class against the rest) get their own step
lengths and memories but share the products. Tried on real codes: the standard start of L-BFGS (a scaled identity), and
the bound of Boehning (1992) in place of the diagonal; both took several times as many steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from unfreeze.probes.losses import Loss, PerProblem, Point, Scores

Weights = Float32[np.ndarray, "column cls"]

_MEMORY = 8  # pairs; 4 to 10 take about as long on real codes
_MOST_LINE_STEPS = 12
_FLAT = 0.3  # the line search ends where the slope has fallen to this part; finer costs more than it saves
_ROWS_AT_ONCE = 8192
_TINY = 1e-30
_LONGEST = 1e6  # in units of the direction; reached only where a problem is solved already and all is rounding
_STALLED_AFTER = 10  # steps that together gain less than the tolerance: float32 gives no more


@dataclass(frozen=True, eq=False)
class Problem:
    """What is minimised over the weights; the last column of `rows` is 1 and its weights, the intercepts, are free.

    Attributes:
        rows: Standardised, rotated codes and a column of ones.
        loss: Of the scores `rows @ weights`.
        C: Weight of the loss against the penalty.
    """

    rows: Float32[np.ndarray, "image column"]
    loss: Loss
    C: float


@dataclass(frozen=True, eq=False)
class _State:
    weights: Weights
    scores: Scores
    value: PerProblem
    gradient: Weights
    point: Point


@dataclass(frozen=True, eq=False)
class _Pair:
    """A step, the change of the gradient along it, and 1 over their product."""

    step: Weights
    change: Weights
    inverse: PerProblem


def minimise(problem: Problem, start: Weights, *, tolerance: float, most_steps: int = 1000) -> Weights:
    """Weights near the minimum.

    Args:
        problem: What to minimise.
        start: Where to begin, for example the solution at a smaller C.
        tolerance: Stop where the distance to the minimum, estimated as half the gradient's square in the metric of
            the preconditioner, is below this part of the value, and of what was gained over weights of zero: under a
            strong penalty the value hardly moves while predictions still do.
        most_steps: Stop here in any case.

    Returns:
        The weights; the last row holds the intercepts.
    """
    state = _evaluate(problem, start, problem.rows @ start)
    diagonal = _diagonal(problem, state.point)  # taking it anew every 10 steps costs more steps
    pairs: list[_Pair] = []
    values = [float(np.sum(state.value))]
    at_zero = problem.C * float(np.sum(problem.loss.at(np.zeros_like(state.scores)).total))
    for _ in range(most_steps):
        gap = float(np.sum(problem.loss.dot(state.gradient / diagonal, state.gradient))) / 2
        if gap <= tolerance * min(values[-1], at_zero - values[-1]) or _stalled(values, tolerance):
            break
        direction = _direction(problem.loss, state.gradient, diagonal, pairs)
        following = _search_line(problem, state, direction)
        pairs = [*pairs, _pair(problem.loss, state, following)][-_MEMORY:]
        state = following
        values.append(float(np.sum(state.value)))
    return state.weights


def _pair(loss: Loss, state: _State, following: _State) -> _Pair:
    step, change = following.weights - state.weights, following.gradient - state.gradient
    curvature, penalised = loss.dot(step, change), _penalised(step)
    # The penalty alone gives a curvature of |step|^2; less is rounding, and 0 makes the recursion skip the pair.
    sound = curvature > np.maximum(loss.dot(penalised, penalised) / 2, _TINY)
    return _Pair(step, change, np.where(sound, 1 / np.where(sound, curvature, 1), 0))


def _stalled(values: Sequence[float], tolerance: float) -> bool:
    return len(values) > _STALLED_AFTER and values[-1 - _STALLED_AFTER] - values[-1] <= tolerance / 10 * values[-1]


def _penalised(weights: Weights) -> Weights:
    """The weights with the intercepts set to 0."""
    return np.concatenate([weights[:-1], np.zeros_like(weights[-1:])])


def _evaluate(problem: Problem, weights: Weights, scores: Scores, point: Point | None = None) -> _State:
    point = point or problem.loss.at(scores)
    penalised = _penalised(weights)
    C = np.float32(problem.C)
    return _State(
        weights=weights,
        scores=scores,
        value=problem.loss.dot(penalised, penalised) / 2 + problem.C * point.total,
        gradient=penalised + C * (problem.rows.T @ point.slopes),
        point=point,
    )


def _diagonal(problem: Problem, point: Point) -> Weights:
    """Diagonal of the Hessian, never zero."""
    total = np.zeros((problem.rows.shape[1], point.slopes.shape[1]), np.float32)
    for first in range(0, len(problem.rows), _ROWS_AT_ONCE):  # the squares of all rows at once would double the memory
        rows = problem.rows[first : first + _ROWS_AT_ONCE]
        total += (rows * rows).T @ point.curvatures[first : first + _ROWS_AT_ONCE]
    total *= np.float32(problem.C)
    total[:-1] += 1
    return np.maximum(total, np.float32(1e-6))


def _direction(loss: Loss, gradient: Weights, diagonal: Weights, pairs: Sequence[_Pair]) -> Weights:
    """Minus the inverse Hessian times the gradient: the two-loop recursion."""
    direction = -gradient
    backward: list[PerProblem] = []
    for pair in reversed(pairs):
        amount = (pair.inverse * loss.dot(pair.step, direction)).astype(np.float32)
        backward.append(amount)
        direction -= amount * pair.change
    direction /= diagonal
    for pair, amount in zip(pairs, reversed(backward), strict=True):
        correction = amount - pair.inverse * loss.dot(pair.change, direction)
        direction += correction.astype(np.float32) * pair.step
    uphill = loss.dot(direction, gradient) >= 0
    if np.any(uphill):  # rounding, or a problem that has converged already
        direction = np.where(uphill, -gradient / diagonal, direction)
    return direction


def _search_line(problem: Problem, state: _State, direction: Weights) -> _State:
    """Newton's method with bisection on the convex function along `direction`, per problem."""
    loss, C = problem.loss, problem.C
    moves = problem.rows @ direction
    penalised = _penalised(direction)
    along, square = loss.dot(_penalised(state.weights), penalised), loss.dot(penalised, penalised)
    slope = loss.dot(state.gradient, direction)
    length = np.minimum(-slope / np.maximum(square + C * loss.curvature_along(state.point, moves), _TINY), _LONGEST)
    low, high = np.zeros_like(length), np.full_like(length, np.inf)
    for _ in range(_MOST_LINE_STEPS):
        scores = state.scores + length.astype(np.float32) * moves
        point = loss.at(scores)
        slope_here = along + length * square + C * loss.dot(point.slopes, moves)
        if np.all(np.abs(slope_here) <= _FLAT * np.abs(slope) + _TINY):
            break
        low, high = np.where(slope_here < 0, length, low), np.where(slope_here < 0, high, length)
        newton = length - slope_here / np.maximum(square + C * loss.curvature_along(point, moves), _TINY)
        middle = np.where(np.isfinite(high), (low + high) / 2, 2 * length)
        length = np.minimum(np.where((newton > low) & (newton < high), newton, middle), _LONGEST)
    else:
        scores = state.scores + length.astype(np.float32) * moves
        point = loss.at(scores)
    return _evaluate(problem, state.weights + length.astype(np.float32) * direction, scores, point)
