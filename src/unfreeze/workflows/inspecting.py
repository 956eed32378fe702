"""What is in a folder or a list of images."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from unfreeze.core.documents import ClassCounts, GivenSplits, GuessedSeries, InspectRecord, Spread
from unfreeze.data.image_set import SPLITS, Image, ImageSet
from unfreeze.data.inspection import read_image_set
from unfreeze.data.series import guessed_series
from unfreeze.features.resources import Resources


def inspect(source: Path, resources: Resources) -> InspectRecord:
    """Look at every file; no number of bad ones is too many, since looking at them is what this is for.

    Args:
        source: Folder or list.
        resources: Decoders and progress.

    Returns:
        What was found.

    Raises:
        ImageSetError: The source is not there, or cannot be learned from.
    """
    image_set = read_image_set(source, pool=resources.pool, progress=resources.progress, max_bad=1.0)
    return inspection(image_set, source=source)


def inspection(image_set: ImageSet, *, source: Path) -> InspectRecord:
    """What is known of inspected images.

    Args:
        image_set: The images.
        source: What the user named.

    Returns:
        The record.
    """
    images = image_set.images
    splits = Counter(image.split for image in images)
    by_class = Counter((image.label, image.split) for image in images)
    return InspectRecord(
        source=str(source),
        images=image_set.counts,
        classes=tuple(_class_counts(name, by_class) for name in image_set.classes),
        splits=GivenSplits(
            given=any(splits[name] for name in SPLITS), images={name: splits[name] for name in SPLITS if splits[name]}
        ),
        groups=len({image.group for image in images if image.group}),
        near_copies=image_set.near_copies,
        series=_series(images),
        width=_spread([image.width for image in images]),
        height=_spread([image.height for image in images]),
        modes=dict(Counter(image.mode for image in images).most_common()),
        flags=dict(Counter(flag for image in images for flag in image.flags).most_common()),
        set_aside=image_set.set_aside,
        duplicates=image_set.duplicates,
        skipped=dict(image_set.skipped),
        findings=image_set.findings,
    )


def _series(images: Sequence[Image]) -> GuessedSeries | None:
    found = guessed_series(images)
    if found is None:
        return None
    return GuessedSeries(number=found.number, photos=sum(map(bool, found.of_image)), by=found.by)


def _class_counts(name: str, by_class: Counter[tuple[str, str]]) -> ClassCounts:
    counts = {split: by_class[name, split] for split in SPLITS}
    return ClassCounts(name=name, images=sum(counts.values()) + by_class[name, ""], **counts)


def _spread(values: Sequence[int]) -> Spread | None:
    return Spread(min=min(values), median=median(values), max=max(values)) if values else None
