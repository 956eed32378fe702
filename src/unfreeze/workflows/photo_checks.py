"""What is doubtful about photos, asked of codes and held-out predictions that are there, within a share of the time."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from unfreeze.advisor.photo_checks import (
    MOST_ROWS,
    MOST_VOTERS,
    apart_finding,
    judge_labels,
    label_finding,
    outlier_finding,
    regained,
)
from unfreeze.advisor.shortcuts import shortcuts
from unfreeze.core.findings import Finding
from unfreeze.core.photo_checks import LabelCheck, PhotoCheck
from unfreeze.core.progress import SILENT, Progress
from unfreeze.core.wording import listed
from unfreeze.data.tasks import Task
from unfreeze.metrics.label_quality import HeldOut
from unfreeze.strategies.depth_curve import ProbeSpec, fit_tap_probes
from unfreeze.strategies.predictions import Predicted, predicted_of
from unfreeze.workflows.clock import RESERVE, Clock

CHECK_SHARE, CHECK_SECONDS = 0.05, 60.0  # of the budget, and at most
LEAST_SHARE = 0.02  # of the budget, where nothing is left of it
SPEED = 1e10  # multiplications and additions a second, of one core of a server
FEWEST_UNITS = 3  # groups, below which there are no splits
FITS = 7  # of a classifier by folds: three penalties on the first fold, one on the others


def held_out_of(predicted: Predicted) -> HeldOut:
    """What a fit says of the images of its split, which it has not learned from."""
    likelihoods = predicted.log_likelihoods
    return HeldOut(
        rows=predicted.split.test,
        called=predicted.predictions,
        probability=None if likelihoods is None else np.exp(likelihoods),
    )


def linear_held_out(
    task: Task, tap: str, codes: Float[np.ndarray, "image code"], progress: Progress = SILENT
) -> list[HeldOut]:
    """What softmax classifiers on codes say of images that they have not learned from.

    Args:
        task: Labels and groups.
        tap: Whose codes they are.
        codes: Of every image.
        progress: Reports progress per classifier.

    Returns:
        Of each split of the first round; nothing where there are too few groups for splits.
    """
    if len(np.unique(task.units[task.train_rows])) < FEWEST_UNITS:
        return []
    splits = [task.split(number) for number in range(task.folds)]
    with progress.phase("probes", total=len(splits), unit="probe") as advance:
        probes = fit_tap_probes(
            {tap: codes}, task, [ProbeSpec(split, tap, "softmax") for split in splits], advance=advance
        )
    return [
        held_out_of(predicted_of(probe.test_scores / probe.temperature, task, split))
        for split, probe in zip(splits, probes, strict=True)
    ]


def check_photos(
    task: Task,
    codes: Float[np.ndarray, "image code"],
    held_out: Sequence[HeldOut],
    *,
    classifiers: int,
    seed: int,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> PhotoCheck:
    """Look for what is doubtful, what matters most first; what would take longer than there is left is left out.

    Args:
        task: Labels and groups.
        codes: Of every image, the last ones.
        held_out: What each classifier says of the images of each split.
        classifiers: How many kinds of classifiers those are.
        seed: Of draws and folds.
        seconds: What it may take.
        clock: Seconds.

    Returns:
        What was found, and what was left out.
    """
    until = clock() + seconds
    images, width = len(task.train_rows), codes.shape[1]
    suspects = np.zeros(0, np.int64)
    labels: LabelCheck | None = None
    found: list[Finding | None] = []
    left_out: list[str] = []

    def there_is(needed: float, what: str) -> bool:
        fits = needed <= until - clock()
        left_out.extend(() if fits else (what,))
        return fits

    if there_is(_comparing(images if images <= MOST_VOTERS else 0, width), "labels that look wrong"):
        labels, suspects = judge_labels(task, codes, held_out, classifiers=classifiers)
        labels = _with_regained(labels, task, codes, suspects, seed=seed, there_is=there_is)
        found.append(label_finding(labels))
    if len(task.test_rows) and there_is(_fitting(2 * MOST_ROWS, width), "the test folder against the rest"):
        found.append(apart_finding(task, codes, seed=seed))
    if there_is(_comparing(min(images, 2 * MOST_ROWS), width), "photos unlike their class"):
        found.append(outlier_finding(task, codes, suspects.tolist(), seed=seed))
    if there_is(2 * _fitting(2000, 432), "shortcuts"):
        found += shortcuts(task.image_set.glances, seed=seed)
    note = f"There was no time to look for {listed(left_out)}." if left_out else ""
    return PhotoCheck(findings=tuple(one for one in found if one), labels=labels, note=note)


def _with_regained(
    check: LabelCheck,
    task: Task,
    codes: Float[np.ndarray, "image code"],
    suspects: Int[np.ndarray, " suspect"],
    *,
    seed: int,
    there_is: Callable[[float, str], bool],
) -> LabelCheck:
    """With what leaving out the suspects gives."""
    rows = min(len(task.train_rows), MOST_ROWS)
    if not len(suspects) or not there_is(2 * _fitting(rows, codes.shape[1]), "what leaving out such labels is worth"):
        return check
    return replace(check, regained=regained(task, codes, suspects, seed=seed))


def _fitting(rows: int, width: int) -> float:
    """Seconds of a ridge classifier by folds."""
    return FITS * (2 * rows * width**2 + width**3 / 3) / SPEED


def _comparing(rows: int, width: int) -> float:
    """Seconds of comparing each image with each."""
    return 2 * rows**2 * (width + 20) / SPEED


def check_seconds(clock: Clock) -> float:
    """What looking at the photos of a run may take: a little even if the race has used all of its budget."""
    budget = clock.budget
    if math.isinf(budget):
        return CHECK_SECONDS
    return min(CHECK_SECONDS, CHECK_SHARE * budget, max(LEAST_SHARE * budget, clock.left() + RESERVE * budget))
