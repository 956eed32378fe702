"""Codes in a plane, and what lies near each class."""

import numpy as np
from jaxtyping import Float, Int

from unfreeze.core.seeing import SIDE_OF_MAP, ClassNeighbours

MOST_POINTS = 2000
FEWEST_POINTS = 12  # below, a plane shows no neighbourhoods
NEIGHBOURS = 10
PERPLEXITY = 30  # van der Maaten and Hinton (2008) say 5 to 50; scikit-learn's own value
_PRINCIPAL = 50  # components that t-SNE sees, as van der Maaten and Hinton (2008) have it
_NAMED = 3  # classes that a class lies among


def drawn_rows(labels: Int[np.ndarray, " image"], most: int, *, rng: np.random.Generator) -> Int[np.ndarray, " drawn"]:
    """So many images at most, drawn so that each class keeps its share, and one image at least.

    Args:
        labels: Class index of every image.
        most: How many.
        rng: Draws.

    Returns:
        Their rows, ascending.
    """
    order = rng.permutation(len(labels))
    _, places, sizes = np.unique(labels[order], return_inverse=True, return_counts=True)
    by_class = np.argsort(places, kind="stable")
    rank = np.empty(len(labels))  # of an image among those of its class, from 0
    rank[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    drawn: Int[np.ndarray, " drawn"] = np.sort(order[np.argsort(rank / sizes[places], kind="stable")[:most]])
    return drawn


def comparable(codes: Float[np.ndarray, "image code"]) -> Float[np.ndarray, "image code"]:
    """Codes of which each counts the same, of length 1: so that distances are cosine distances.

    Args:
        codes: One row an image; columns may have any scale.

    Returns:
        In float32.
    """
    values = codes.astype(np.float32)
    values = values - values.mean(axis=0)
    spread = values.std(axis=0)
    values /= np.where(spread > 0, spread, 1)
    unit: Float[np.ndarray, "image code"] = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    return unit


def plane(codes: Float[np.ndarray, "image code"], *, seed: int) -> Int[np.ndarray, "image 2"]:
    """The images in a plane by t-SNE (van der Maaten and Hinton 2008), near each other where their codes are.

    Distances between far groups mean nothing in it, and neither do sizes of groups.

    Args:
        codes: As `comparable` gives them, of `FEWEST_POINTS` images or more.
        seed: Equal seeds give equal planes.

    Returns:
        x and y of each, from 0 to `SIDE_OF_MAP`.
    """
    from sklearn.decomposition import PCA  # a moment of import that no other command needs
    from sklearn.manifold import TSNE

    components = min(_PRINCIPAL, *codes.shape)
    principal = PCA(components, random_state=seed, svd_solver="randomized").fit_transform(codes)
    perplexity = min(PERPLEXITY, (len(codes) - 1) / 3)
    found = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(principal)
    low, high = found.min(axis=0), found.max(axis=0)
    unit: Int[np.ndarray, "image 2"] = np.rint(SIDE_OF_MAP * (found - low) / np.maximum(high - low, 1e-12)).astype(int)
    return unit


def class_neighbours(
    codes: Float[np.ndarray, "image code"],
    labels: Int[np.ndarray, " image"],
    *,
    classes: int,
    neighbours: int = NEIGHBOURS,
) -> tuple[ClassNeighbours, ...]:
    """For each class, of which classes the nearest neighbours of its images are.

    Args:
        codes: As `comparable` gives them.
        labels: Class index of every image.
        classes: How many there are.
        neighbours: How many of each image, which is none of its own; fewer where there are no more images.

    Returns:
        A row per class.
    """
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=min(neighbours, len(labels) - 1)).fit(codes)
    nearest = labels[search.kneighbors(return_distance=False)]  # asked about its own images, it leaves each out
    return tuple(_of_class(nearest[labels == one], one, classes) for one in range(classes))


def _of_class(nearest: Int[np.ndarray, "image neighbour"], own: int, classes: int) -> ClassNeighbours:
    """Of the classes of the neighbours of one class's images."""
    if not len(nearest):
        return ClassNeighbours(images=0, same=None, among=())
    shares = np.bincount(nearest.ravel(), minlength=classes) / nearest.size
    others = [int(one) for one in np.argsort(-shares, kind="stable") if one != own and shares[one] > 0]
    among = tuple((one, round(float(shares[one]), 4)) for one in others[:_NAMED])
    return ClassNeighbours(images=len(nearest), same=round(float(shares[own]), 4), among=among)
