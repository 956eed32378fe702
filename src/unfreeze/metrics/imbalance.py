"""How unequal the classes are, and what to take off scores for it."""

import numpy as np
from jaxtyping import Float64, Int

TINY = 5  # images; a class with fewer can hardly be measured: one image more or less right moves its accuracy a lot
# Times as many images. Ten is the ratio from which the long-tail literature builds its benchmarks (Cui et al. 2019,
# Class-balanced loss, CVPR: factors 10 to 200); the KEEL sets call a ratio above 9 highly imbalanced (Fernández et al.
# 2008, Fuzzy Sets and Systems 159).
STRONG = 10.0
MAJORITY = 0.5  # of all images, in one of three or more classes: naming it always is right more often than wrong


def strongly_imbalanced(labels: Int[np.ndarray, " image"]) -> bool:
    """Whether the classes are so unequal that accuracy says little: the one rule, for the metric and for the finding.

    They are if the largest class has more than ten times the images of the smallest one, or most of the images of three
    classes or more. Classes with fewer than five images are passed over as long as two others are left: three stray
    images beside a hundred of each of ten classes leave accuracy what it is, while the mean over classes would rest to
    an eleventh on them. Where fewer than two others are left, as with 50 images and 2, all count: always naming
    the larger class would be right for 96 % of the images, and accuracy could not tell that from having learned.

    Args:
        labels: Class index of every image.

    Returns:
        False if there is one class alone.

    Example:
        >>> strongly_imbalanced(np.repeat([0, 1], [60, 5]))
        True
        >>> strongly_imbalanced(np.repeat([0, 1], [50, 2]))
        True
        >>> strongly_imbalanced(np.repeat([0, 1, 2], [40, 20, 2]))
        False
    """
    every = np.bincount(labels)
    large = every[every >= TINY]
    counts = large if len(large) > 1 else every[every > 0]
    has_majority = len(counts) > 2 and counts.max() > MAJORITY * counts.sum()
    return bool(len(counts) > 1 and (has_majority or counts.max() > STRONG * counts.min()))


def balanced_weights(labels: Int[np.ndarray, " image"]) -> Float64[np.ndarray, " image"]:
    """Weight of every image, such that each class that occurs weighs the same and the mean is 1.

    What scikit-learn calls ``class_weight="balanced"``.

    Args:
        labels: Class index of every image, of at least one.

    Returns:
        Positive numbers.

    Example:
        >>> balanced_weights(np.array([0, 0, 0, 1])).round(2).tolist()
        [0.67, 0.67, 0.67, 2.0]
    """
    _, class_of, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights: Float64[np.ndarray, " image"] = (len(labels) / (len(counts) * counts))[class_of]
    return weights


def log_shares(labels: Int[np.ndarray, " image"], class_count: int) -> Float64[np.ndarray, " cls"]:
    """Logarithm of the share of the images that each class has.

    What logit adjustment takes off the scores of a classifier that was trained on these images, so that it answers as
    if all classes were equally frequent (Menon et al. 2021, arXiv:2007.07314).

    Args:
        labels: Class index of every image.
        class_count: Number of classes; one without an image counts as if it had one.

    Returns:
        Negative numbers.

    Example:
        >>> np.exp(log_shares(np.array([0, 0, 0, 1]), 2)).round(2).tolist()
        [0.75, 0.25]
    """
    counts = np.maximum(np.bincount(labels, minlength=class_count), 1)
    shares: Float64[np.ndarray, " cls"] = np.log(counts / counts.sum())
    return shares
