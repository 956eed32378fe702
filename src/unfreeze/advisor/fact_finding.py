"""Facts about a task, measured before any training, from plain data: no network, no pixels."""

from collections.abc import Mapping, Sequence

import numpy as np

from unfreeze.core.facts import Facts, Similarity
from unfreeze.core.records import DepthPoint
from unfreeze.data.tasks import Task
from unfreeze.metrics.imbalance import strongly_imbalanced


def facts(
    labels: Sequence[str],
    sides: Sequence[int],
    *,
    input_size: int,
    similarity: Similarity,
    groups: Sequence[str] | None = None,
    accuracy_by_tap: Mapping[str, float] | None = None,
) -> Facts:
    """Put together what is known of a task before any training.

    Args:
        labels: Class of every image of the train part.
        sides: Shorter side of each, in pixels, before any resizing.
        input_size: Side of the network's input in pixels.
        similarity: As measured.
        groups: Group of each, "" where it has none; None if none were given.
        accuracy_by_tap: Cross-validated accuracy of one kind of probe, 0 to 1, by tap from shallow to deep.

    Returns:
        The facts.

    Raises:
        ValueError: There are no images, or lists of different lengths.
    """
    if not labels or len(sides) != len(labels) or (groups is not None and len(groups) != len(labels)):
        msg = f"Wanted a label and a side for each of at least one image; got {len(labels)} and {len(sides)}."
        raise ValueError(msg)
    _, class_of, counts = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    imbalance = float(counts.max() / counts.min())
    by_tap = dict(accuracy_by_tap or {})
    peak_tap, peak_depth, peak_gain = _peak(by_tap)
    return Facts(
        images=len(labels),
        classes=len(counts),
        smallest_class=int(counts.min()),
        median_class=float(np.median(counts)),
        largest_class=int(counts.max()),
        imbalance=imbalance,
        balance=_balance(counts / counts.sum()),
        is_imbalanced=strongly_imbalanced(class_of),
        median_side=float(np.median(sides)),
        small_images=float(np.mean(np.asarray(sides) < input_size)),
        groups=_group_count(groups),
        similarity=similarity,
        peak_tap=peak_tap,
        peak_depth=peak_depth,
        peak_gain=peak_gain,
        probe_accuracy=list(by_tap.values())[-1] if by_tap else None,
    )


def _balance(shares: np.ndarray) -> float:
    """Normalised entropy; one class alone is balanced."""
    if len(shares) == 1:
        return 1.0
    return float(-(shares * np.log(shares)).sum() / np.log(len(shares)))


def _group_count(groups: Sequence[str] | None) -> int | None:
    """An image without a group is one of its own."""
    if groups is None or not any(groups):
        return None
    return len({group for group in groups if group}) + sum(not group for group in groups)


def _peak(accuracy_by_tap: Mapping[str, float]) -> tuple[str | None, float | None, float | None]:
    """Best tap (the deepest of equals), its place among the taps, and what it has over the last."""
    taps = list(accuracy_by_tap)
    if not taps:
        return None, None, None
    place = max(range(len(taps)), key=lambda i: (accuracy_by_tap[taps[i]], i))
    gain = accuracy_by_tap[taps[place]] - accuracy_by_tap[taps[-1]]
    return taps[place], place / max(len(taps) - 1, 1), gain


def facts_of(task: Task, input_size: int, similarity: Similarity, depth_curve: Sequence[DepthPoint] = ()) -> Facts:
    """What is known of the train part.

    Args:
        task: Images.
        input_size: Side of the network's input in pixels.
        similarity: As measured.
        depth_curve: Probes at every tap; none before they were fitted.

    Returns:
        The facts.
    """
    images = [task.image_set.images[row] for row in task.train_rows]
    return facts(
        [image.label for image in images],
        [min(image.width, image.height) for image in images],
        input_size=input_size,
        similarity=similarity,
        groups=[image.group for image in images],
        accuracy_by_tap={point.tap: point.cv_accuracy for point in depth_curve if point.loss == "softmax"},
    )
