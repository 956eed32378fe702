"""Scores that rank networks by their codes alone, without fitting a classifier: LogME, H-score, k-NN.

They screen networks before anything is trained. Larger is better in all three; only k-NN has a unit. None of them knows
of groups: images of one group that resemble each other flatter k-NN most.
"""

import numpy as np
from jaxtyping import Float, Int
from sklearn.covariance import ledoit_wolf
from sklearn.neighbors import NearestNeighbors

NEIGHBOURS = 5
_ROUNDS = 100  # of the fixed point; a dozen are usual (You et al. 2021)
_TOLERANCE = 1e-6  # relative change of the precisions' ratio
_TINY = 1e-12
_LARGEST_RATIO = 1e12  # of the precisions: the codes say nothing of the class


def log_maximum_evidence(codes: Float[np.ndarray, "image code"], labels: Int[np.ndarray, " image"]) -> float:
    """LogME: log evidence an image of a linear Gaussian model of each class's indicator, mean over the classes.

    Weights have precision alpha, noise has precision beta; both maximise the evidence, by MacKay's fixed point in the
    coordinates of the codes' singular vectors.

    Args:
        codes: One row an image; not centred, as in the paper.
        labels: Class index of every image.

    Returns:
        Natural logarithm, per image. Comparable between networks on the same images and labels only.

    References:
        You et al. (2021), LogME: Practical Assessment of Pre-trained Models for Transfer Learning, ICML.
    """
    _check(codes, labels)
    squares, projections, lengths = _singular_coordinates(codes.astype(np.float64), _indicators(labels))
    evidences = [
        _evidence(squares, projections[:, place] ** 2, float(lengths[place]), len(codes))
        for place in range(projections.shape[1])
    ]
    return float(np.mean(evidences))


def _indicators(labels: Int[np.ndarray, " image"]) -> Float[np.ndarray, "image cls"]:
    return np.asarray(labels[:, None] == np.unique(labels), dtype=np.float64)


def _singular_coordinates(
    codes: Float[np.ndarray, "image code"], targets: Float[np.ndarray, "image cls"]
) -> tuple[Float[np.ndarray, " rank"], Float[np.ndarray, "rank cls"], Float[np.ndarray, " cls"]]:
    """Squared singular values of the codes, targets on the left singular vectors, squared lengths of the targets."""
    left, values, _ = np.linalg.svd(codes, full_matrices=False)
    kept = values > values[0] * max(codes.shape) * np.finfo(np.float64).eps  # as numpy's matrix_rank has it
    return values[kept] ** 2, left[:, kept].T @ targets, (targets**2).sum(axis=0)


def _evidence(
    squares: Float[np.ndarray, " rank"], projected: Float[np.ndarray, " rank"], length: float, count: int
) -> float:
    """Largest log evidence an image of one indicator.

    Args:
        squares: Squared singular values of the codes.
        projected: Squared projections of the indicator on their left singular vectors.
        length: Squared length of the indicator.
        count: Images.

    Returns:
        Per image.
    """
    outside = max(length - float(projected.sum()), 0.0)
    ratio, alpha, beta = 1.0, 1.0, 1.0
    for _ in range(_ROUNDS):
        # never all of the images: codes that fit the classes without a residual would leave nothing to divide by
        effective = min(float((squares / (squares + ratio)).sum()), count * (1 - _TINY))
        weights, residual = _fit(squares, projected, ratio, outside)
        alpha, beta = effective / max(weights, 1e-300), (count - effective) / max(residual, 1e-300)
        before, ratio = ratio, min(alpha / beta, _LARGEST_RATIO)
        if abs(ratio - before) <= _TOLERANCE * before:
            break
    weights, residual = _fit(squares, projected, ratio, outside)
    alpha = ratio * beta
    # log N(y; 0, I/beta + F F'/alpha): determinant and quadratic form in singular coordinates
    log_determinant = float(np.log1p(squares / ratio).sum()) - count * np.log(beta)
    return float(-0.5 * (count * np.log(2 * np.pi) + log_determinant + beta * residual + alpha * weights) / count)


def _fit(
    squares: Float[np.ndarray, " rank"], projected: Float[np.ndarray, " rank"], ratio: float, outside: float
) -> tuple[float, float]:
    """Squared length of the posterior mean of the weights, and squared residual."""
    weights = float((squares * projected / (squares + ratio) ** 2).sum())
    return weights, float((projected * (ratio / (squares + ratio)) ** 2).sum()) + outside


def h_score(codes: Float[np.ndarray, "image code"], labels: Int[np.ndarray, " image"]) -> float:
    """H-score: how much of the codes' variance lies between classes, with a shrunk covariance.

    The trace of the inverse covariance of the codes times the covariance of their class means. The plain score needs
    many more images than codes; this one shrinks the covariance as Ledoit and Wolf do, and the means' with it.

    Args:
        codes: One row an image.
        labels: Class index of every image.

    Returns:
        From 0 to the number of classes less one.

    References:
        Bao et al. (2019), An information-theoretic approach to transferability in task transfer learning, ICIP.
        Ibrahim et al. (2021), Newer is not always better: rethinking transferability metrics, arXiv:2110.06893.
    """
    _check(codes, labels)
    values = codes.astype(np.float64)
    shrunk, shrinkage = ledoit_wolf(values)
    classes, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    means = np.zeros((len(classes), values.shape[1]))
    np.add.at(means, places, values - values.mean(axis=0))
    means /= counts[:, None]
    spread = means * np.sqrt(counts / len(labels))[:, None]  # spread' spread is the covariance of the class means
    # A code that never varies has no variance to divide by and no class means apart: it adds nothing.
    inverse = np.linalg.pinv(shrunk, hermitian=True)
    return float((1 - shrinkage) * np.einsum("ki,ij,kj->", spread, inverse, spread, optimize=True))


def neighbour_accuracy(
    codes: Float[np.ndarray, "image code"], labels: Int[np.ndarray, " image"], *, neighbours: int = NEIGHBOURS
) -> float:
    """Leave-one-out accuracy of the k nearest neighbours by cosine distance; ties go to the lower class index.

    Args:
        codes: One row an image.
        labels: Class index of every image.
        neighbours: k; fewer than there are images.

    Returns:
        Fraction of the images whose neighbours name their class.

    Raises:
        ValueError: There are no more images than neighbours.
    """
    _check(codes, labels)
    if not 0 < neighbours < len(labels):
        msg = f"Wanted 1 to {len(labels) - 1} neighbours of {len(labels)} images; got {neighbours}."
        raise ValueError(msg)
    search = NearestNeighbors(n_neighbors=neighbours, metric="cosine").fit(codes)
    nearest = search.kneighbors(return_distance=False)  # asked about its own images, it leaves each out
    _, places = np.unique(labels, return_inverse=True)
    votes = np.zeros((len(labels), int(places.max()) + 1), dtype=np.int64)
    np.add.at(votes, (np.arange(len(labels))[:, None], places[nearest]), 1)
    return float(np.mean(votes.argmax(axis=1) == places))


def _check(codes: Float[np.ndarray, "image code"], labels: Int[np.ndarray, " image"]) -> None:
    if len(np.unique(labels)) < 2 or not np.isfinite(codes).all():
        msg = f"Wanted finite codes and two classes at least; got {len(np.unique(labels))} classes."
        raise ValueError(msg)
