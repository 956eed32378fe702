"""Near copies and series: what holding back whole groups of photos costs, by a linear classifier on the last codes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Bool, Int

from unfreeze.core.errors import ImageSetError
from unfreeze.core.file_names import as_written
from unfreeze.core.findings import Finding, finding
from unfreeze.core.journal import once
from unfreeze.core.progress import Progress
from unfreeze.core.records import Interval
from unfreeze.core.wording import percent
from unfreeze.data.copy_groups import merged_groups
from unfreeze.data.image_set import Image, ImageSet
from unfreeze.data.series import FEWEST, Series, guessed_series
from unfreeze.data.tasks import Task, make_task
from unfreeze.metrics.comparison import paired_difference
from unfreeze.metrics.grouping import unit_numbers
from unfreeze.probes.cores import side_by_side
from unfreeze.probes.solver import fit_probe
from unfreeze.strategies.experiment import Experiment

SHARE: Final = 0.05  # of the budget, at most, for each of the two
REGULARISATION: Final = 3e-3  # C, the same with and without groups: a middle one of `probes.search.DEFAULT_CS`
_MOSTLY = 0.5  # of the photos that have groups: nothing is guessed then


@dataclass(frozen=True, kw_only=True)
class HeldBack:
    """What a linear classifier reaches on photos that were held back in two ways.

    Attributes:
        by_photo: Accuracy where groups may lie on both sides of a split.
        by_group: Accuracy where whole groups are held back.
        interval: Of the second less the first, 95 %, by whole groups.
    """

    by_photo: float
    by_group: float
    interval: Interval


def in_series(image_set: ImageSet) -> ImageSet:
    """The image set with what its photos seem to come in as groups, beside those that they have.

    Args:
        image_set: Inspected images.

    Returns:
        The same images, other groups.

    Raises:
        ImageSetError: No series can be guessed.
    """
    series = guessed_series(image_set.images)
    if series is None:
        msg = (
            f"No series of photos can be guessed in {as_written(image_set.root)}: neither folders below the class "
            "folders, nor names, nor the camera's clock tell of any that could be held back. Leave out "
            "--groups guessed, or name them in a column group of a list."
        )
        raise ImageSetError(msg)
    return replace(image_set, images=_with_groups(image_set.images, series))


def with_groups_measured(experiment: Experiment, *, budget: float) -> Experiment:
    """The experiment, its findings with what near copies and series do to the measured accuracy.

    Args:
        experiment: With codes.
        budget: Seconds of the whole run; where fits take more than a share of it, nothing is measured.

    Returns:
        The same with UF113 completed, and UF116 if other series are recognised less well, beyond chance.
    """
    image_set = experiment.task.image_set
    findings = list(image_set.findings)
    places = [place for place, found in enumerate(findings) if found.code == "UF113"]
    if places:
        without = make_task(replace(image_set, images=_without_copies(image_set)), seed=experiment.task.seed)
        held = _held_back_once("near-copies", experiment, without, experiment.task, budget=budget)
        findings[places[0]] = _completed(findings[places[0]], held)
    found = _series_finding(experiment, budget=budget)
    if found is not None:
        experiment.progress.notice(found)
        findings.append(found)
    task = replace(experiment.task, image_set=replace(image_set, findings=tuple(findings)))
    return replace(experiment, task=task)


def _series_finding(experiment: Experiment, *, budget: float) -> Finding | None:
    """UF116, where the drop is beyond its interval; nothing where most photos have groups already."""
    image_set = experiment.task.image_set
    images = image_set.images
    if sum(bool(image.group) for image in _without_copies(image_set)) > _MOSTLY * len(images):
        return None
    series = guessed_series(images)
    if series is None:
        return None
    with_series = make_task(replace(image_set, images=_with_groups(images, series)), seed=experiment.task.seed)
    if len(np.unique(with_series.units[with_series.train_rows])) < FEWEST:  # none could be held back
        return None
    held = _held_back_once("series", experiment, experiment.task, with_series, budget=budget)
    if held is None or held.interval.high >= 0:
        return None
    return finding(
        "UF116",
        f"Your photos come in {series.number:,} series, {series.by}: photos of held-back series are predicted "
        f"at {percent(held.by_group)}, held-back photos at {percent(held.by_photo)} (linear classifier).",
        "If new photos will come from other series, believe the first number: run again with --groups guessed, or name "
        "the series in a column group of a list.",
        images=_some_of_each(images, series),
    )


def _some_of_each(images: Sequence[Image], series: Series) -> list[str]:
    """Two photos of each series, by name."""
    shown: dict[str, list[str]] = {}
    for image, key in zip(images, series.of_image, strict=True):
        if key and len(shown.setdefault(key, [])) < 2:
            shown[key].append(image.name)
    return [name for names in shown.values() for name in names]


def _completed(found: Finding, held: HeldBack | None) -> Finding:
    if held is None:
        return found
    sentence = (
        f"{found.sentence} The linear classifier is right on {percent(held.by_group)} of held-out photos so, and on "
        f"{percent(held.by_photo)} where they may lie on both sides."
    )
    return replace(found, sentence=sentence)


def _with_groups(images: Sequence[Image], series: Series) -> tuple[Image, ...]:
    """Images with the groups of a guess, beside those that they have."""
    members: dict[str, list[Image]] = {}
    for image, key in zip(images, series.of_image, strict=True):
        if key:
            members.setdefault(key, []).append(image)
    changed = merged_groups(images, list(members.values()))
    return tuple(replace(image, group=changed.get(image.name, image.group)) for image in images)


def _without_copies(image_set: ImageSet) -> tuple[Image, ...]:
    """Images without the groups that were made of near copies alone; those are called by the name of a photo."""
    near = {name for same in image_set.near_copies for name in same}
    return tuple(
        replace(image, group="") if image.name in near and image.group in near else image for image in image_set.images
    )


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What is kept in the journal: a value, or that there was no time for one."""

    held: HeldBack | None


def _held_back_once(name: str, experiment: Experiment, one: Task, two: Task, *, budget: float) -> HeldBack | None:
    codes, progress = experiment.codes.last, experiment.progress
    kept = once(
        experiment.resources.journal,
        f"held-back-{name}",
        _Answer,
        lambda: _Answer(held=held_back(codes, one, two, seconds=SHARE * budget, progress=progress)),
    )
    return kept.held


def held_back(
    codes: np.ndarray, by_photo: Task, by_group: Task, *, seconds: float, progress: Progress
) -> HeldBack | None:
    """What a linear classifier reaches on one round of the splits of two tasks.

    Args:
        codes: Of every row, shape (image, code).
        by_photo: The images, with fewer groups.
        by_group: The same images, with more.
        seconds: What it may take, by the time of its first fit.
        progress: Its stop is looked at.

    Returns:
        Both accuracies over the train part; None if that would take too long.
    """
    jobs = [(task, number) for task in (by_photo, by_group) for number in range(task.folds)]

    def right(job: tuple[Task, int]) -> tuple[Int[np.ndarray, " test"], Bool[np.ndarray, " test"]]:
        task, number = job
        split = task.split(number)
        probe = fit_probe(
            codes[split.learn],
            task.labels[split.learn],
            loss="softmax",
            C=REGULARISATION,
            class_count=task.class_count,
        )
        return split.test, probe.predict(codes[split.test]) == task.labels[split.test]

    begun = time.perf_counter()
    first = side_by_side(right, jobs[:1], size=_number, advance=progress.checkpoint)
    if (len(jobs) - 1) * (time.perf_counter() - begun) > seconds:
        return None
    answers = [*first, *side_by_side(right, jobs[1:], size=_number, advance=progress.checkpoint)]
    correct = np.zeros((2, len(codes)), bool)
    for (task, _), (rows, are_right) in zip(jobs, answers, strict=True):
        correct[int(task is by_group), rows] = are_right
    train = by_group.train_rows
    groups = [str(unit) for unit in unit_numbers(by_group.groups)[train]]
    _, interval = paired_difference(correct[0, train], correct[1, train], groups, seed=by_group.seed)
    return HeldBack(
        by_photo=float(correct[0, train].mean()), by_group=float(correct[1, train].mean()), interval=interval
    )


def _number(job: tuple[Task, int]) -> int:
    return -job[1]
