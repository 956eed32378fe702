"""What is in a folder or a list of images."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from unfreeze.advisor.shortcuts import shortcuts
from unfreeze.core.documents import ClassCounts, GivenSplits, GuessedSeries, InspectRecord, Spread
from unfreeze.core.errors import InputError
from unfreeze.core.file_names import absolute, as_written, scheme_of
from unfreeze.core.files import write_bytes
from unfreeze.core.photo_checks import LabelCheck, PhotoCheck
from unfreeze.core.settings import ImageSettings
from unfreeze.core.wording import percent
from unfreeze.data.cleaned_list import cleaned_rows, csv_bytes
from unfreeze.data.image_set import SPLITS, Image, ImageSet
from unfreeze.data.inspection import read_image_set
from unfreeze.data.series import guessed_series
from unfreeze.data.shards import shards_of
from unfreeze.data.squares import geometry_of
from unfreeze.data.tasks import make_task
from unfreeze.features.extraction import codes_of, with_codes_only
from unfreeze.features.resources import Resources
from unfreeze.workflows.photo_checks import check_photos, linear_held_out
from unfreeze.workflows.reading import frozen_network


def inspect(source: Path, resources: Resources, *, deep: bool = False, fix: Path | None = None) -> InspectRecord:
    """Look at every file; no number of bad ones is too many, since looking at them is what this is for.

    Args:
        source: Folder or list.
        resources: Decoders, progress and cache.
        deep: Whether to read the codes of all images, and to say which labels and photos they make doubtful.
        fix: Where to write a list without what cannot be used or looks wrong; None for nowhere.

    Returns:
        What was found.

    Raises:
        UnfreezeError: The source is not there, or cannot be learned from; the list cannot be written.
    """
    if fix is not None and (scheme_of(source) or shards_of(absolute(source))):
        msg = f"{as_written(source)} holds photos that are no files, which a list could not name. Leave out --fix."
        raise InputError(msg)
    image_set, check = _deeply(source, resources) if deep else _quickly(source, resources)
    image_set = replace(image_set, findings=(*image_set.findings, *check.findings))
    if fix is not None:
        rows = cleaned_rows(image_set, fix.resolve().parent, _doubts(check.labels, image_set.classes))
        write_bytes(fix, csv_bytes(rows))
    return replace(inspection(image_set, source=source), label_check=check.labels)


def _quickly(source: Path, resources: Resources) -> tuple[ImageSet, PhotoCheck]:
    """What can be said without any network."""
    image_set = read_image_set(source, pool=resources.pool, progress=resources.progress, max_bad=1.0)
    return image_set, PhotoCheck(findings=shortcuts(image_set.glances, seed=0))


def _deeply(source: Path, resources: Resources) -> tuple[ImageSet, PhotoCheck]:
    """What the default network's codes say too."""
    settings = ImageSettings(source=source)
    network = frozen_network(settings, resources.cache)
    image_set = read_image_set(
        source, pool=resources.pool, progress=resources.progress, max_bad=1.0, geometry=geometry_of(network.card)
    )
    codes = codes_of(image_set, network.with_levels(image_set.levels), resources, settings.request)
    image_set = with_codes_only(image_set, codes)
    tap, last = list(codes.by_tap.items())[-1]
    task = make_task(image_set, seed=settings.seed)
    held_out = linear_held_out(task, tap, last, resources.progress)
    check = check_photos(task, last, held_out, classifiers=bool(held_out), seed=settings.seed, seconds=math.inf)
    return image_set, check


def _doubts(check: LabelCheck | None, classes: Sequence[str]) -> dict[str, str]:
    """By name of the image, why its label looks wrong."""
    return {
        one.image: f"the label looks wrong ({percent(one.probability)}): called {classes[one.called]}"
        for one in (check.suspects if check else ())
    }


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
        source=as_written(source),
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
