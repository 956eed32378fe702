"""Inspection: from a folder or a list to an image set whose images can all be read and are all different."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from unfreeze.core.errors import ImageSetError, TooManyBadFilesError
from unfreeze.core.progress import SILENT, Progress
from unfreeze.data.candidates import Candidate, Candidates
from unfreeze.data.decoder_pool import DecoderPool, Inspection
from unfreeze.data.folders import IMAGE_SUFFIXES, candidates_in_folder
from unfreeze.data.geometry import Geometry
from unfreeze.data.image_set import Duplicate, Image, ImageSet, SetAside
from unfreeze.data.lists import LIST_SUFFIXES, candidates_in_list

# One bad file of twenty is no reason to stop.
_BAD_FILES_ALWAYS_ALLOWED = 2
_IMBALANCE = 10
_FEW_IMAGES = 5
_SMALL_SIDE = 64
_SHOWN = 3
# Which copy of a duplicate stays: the one in test, else in val, else in train.
_RANK = {"test": 0, "val": 1, "train": 2, "": 2}


@dataclass(frozen=True, eq=False)
class _Found:
    """A readable image with the hash of its pixels."""

    image: Image
    pixels_sha256: str


def read_image_set(
    source: Path,
    *,
    pool: DecoderPool,
    progress: Progress = SILENT,
    max_bad: float = 0.01,
    follow_links: bool = False,
    geometry: Geometry | None = None,
) -> ImageSet:
    """Read every file that a folder or a list names, set aside what cannot be used and remove exact duplicates.

    Args:
        source: A folder of class folders; a folder with ``train``, ``test`` (and ``val``) folders of class folders; or
            a ``.csv`` or ``.parquet`` list with the columns path, label and, if wanted, split and group.
        pool: Decodes.
        progress: Is told about every file.
        max_bad: Largest fraction of files that may be set aside; two bad files are always allowed.
        follow_links: Whether to follow symbolic links below a folder.
        geometry: Of the squares that will be read next, so that each file is decoded once (see `DecoderPool.inspect`).

    Returns:
        Images ordered by name, with `split` as given or empty.

    Raises:
        ImageSetError: The source is not there, or cannot be learned from.
        TooManyBadFilesError: More files than `max_bad` allows cannot be used.
    """
    candidates = _candidates(source, follow_links=follow_links)
    found, set_aside = _inspect_all(candidates, pool, progress, geometry)
    skipped = candidates.skipped + Counter({_STRANGER: sum(reason == _STRANGER for _, reason, _ in set_aside)})
    aside = tuple(
        SetAside(name=name, reason=reason, sha256=sha) for name, reason, sha in set_aside if reason != _STRANGER
    )
    _check_bad_files(aside, len(found) + len(aside), max_bad, source)
    kept, duplicates, duplicate_warnings = _without_duplicates(found)
    image_set = ImageSet(
        root=candidates.root,
        images=tuple(kept),
        set_aside=aside,
        duplicates=tuple(duplicates),
        skipped=MappingProxyType(dict(skipped)),
        warnings=(*candidates.warnings, *duplicate_warnings, *_warnings(kept)),
    )
    assert image_set.counts.found + skipped[_STRANGER] == len(candidates.files) + len(candidates.blocked)  # noqa: S101
    _check_classes(image_set, candidates)
    return image_set


_STRANGER = "not an image by name and content"


def _candidates(source: Path, *, follow_links: bool) -> Candidates:
    source = Path(source).expanduser().resolve()
    if not source.exists():
        msg = f"There is no folder or list {source}. Check the spelling."
        raise ImageSetError(msg)
    if source.is_dir():
        return candidates_in_folder(source, follow_links=follow_links)
    if source.suffix.lower() in LIST_SUFFIXES:
        return candidates_in_list(source)
    msg = f"{source} is neither a folder nor a .csv or .parquet list. Give the folder that holds the class folders."
    raise ImageSetError(msg)


def _inspect_all(
    candidates: Candidates, pool: DecoderPool, progress: Progress, geometry: Geometry | None
) -> tuple[list[_Found], list[tuple[str, str, str]]]:
    """Readable images, and (name, reason, sha256) of all others."""
    found: list[_Found] = []
    aside = [(name, reason, "") for name, reason in candidates.blocked]
    paths = (candidate.path for candidate in candidates.files)
    with progress.phase("inspect", total=len(candidates.files), unit="image") as advance:
        for candidate, seen in zip(candidates.files, pool.inspect(paths, geometry), strict=True):
            if seen.reason:
                aside.append((candidate.name, _reason(candidate, seen), seen.sha256))
            else:
                found.append(_Found(_image(candidate, seen), seen.pixels_sha256))
            advance(1)
    return found, aside


def _reason(candidate: Candidate, seen: Inspection) -> str:
    """The decoder's reason, unless neither the name nor the content claims to be an image."""
    is_stranger = seen.reason.startswith(("not-an-image", "empty-file", "format-not-allowed"))
    claims = candidate.listed or candidate.path.suffix.lower() in IMAGE_SUFFIXES
    return _STRANGER if is_stranger and not claims else seen.reason


def _image(candidate: Candidate, seen: Inspection) -> Image:
    return Image(
        path=candidate.path,
        name=candidate.name,
        label=candidate.label,
        sha256=seen.sha256,
        width=seen.width,
        height=seen.height,
        mode=seen.mode,
        split=candidate.split,
        group=candidate.group,
        flags=seen.notes,
    )


def _check_bad_files(aside: Sequence[SetAside], total: int, max_bad: float, source: Path) -> None:
    if len(aside) > max(_BAD_FILES_ALWAYS_ALLOWED, max_bad * total):
        msg = (
            f"{len(aside)} of {total} files in {source} cannot be used ({_counted(aside)}; "
            f"for example {aside[0].name}), but at most {max_bad:.0%} may be. Mend or remove them, or allow more."
        )
        raise TooManyBadFilesError(msg)


def _counted(aside: Iterable[SetAside]) -> str:
    """Reasons and their counts, most frequent first."""
    reasons = Counter(re.split(r"[: ]", item.reason, maxsplit=1)[0] for item in aside)
    return ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())


def _without_duplicates(found: Sequence[_Found]) -> tuple[list[Image], list[Duplicate], list[str]]:
    """Images with different pixels; what was removed; what the user should know about it."""
    by_pixels: dict[str, list[Image]] = defaultdict(list)
    for item in found:
        by_pixels[item.pixels_sha256].append(item.image)
    kept: list[Image] = []
    duplicates: list[Duplicate] = []
    conflicts: list[list[Image]] = []
    leaks: Counter[tuple[str, str]] = Counter()
    for same in by_pixels.values():
        if len({image.label for image in same}) > 1:
            conflicts.append(same)
            duplicates += [_conflict(image, same) for image in same]
            continue
        first, *others = sorted(same, key=lambda image: (_RANK[image.split], image.name))
        kept.append(first)
        for other in others:
            leaks[other.split, first.split] += other.split != first.split
            duplicates.append(Duplicate(name=other.name, same_as=first.name, why=_why(other, first)))
    kept.sort(key=lambda image: image.name)
    duplicates.sort(key=lambda duplicate: duplicate.name)
    return kept, duplicates, [*_conflict_warnings(conflicts), *_leak_warnings(leaks)]


def _conflict(image: Image, same: Sequence[Image]) -> Duplicate:
    other = next(other for other in same if other.label != image.label)
    return Duplicate(name=image.name, same_as=other.name, why="conflicting labels")


def _why(other: Image, first: Image) -> str:
    if other.split == first.split:
        return "same pixels"
    return f"same pixels in {first.split}"


def _conflict_warnings(conflicts: Sequence[Sequence[Image]]) -> Iterator[str]:
    if conflicts:
        shown = "; ".join(" = ".join(image.name for image in same[:_SHOWN]) for same in conflicts[:_SHOWN])
        count = sum(map(len, conflicts))
        yield (
            f"{count} images with conflicting labels were left out: the same picture lies in two classes ({shown}). "
            "Decide which is right."
        )


def _leak_warnings(leaks: Counter[tuple[str, str]]) -> Iterator[str]:
    for (gone, stayed), count in sorted(leaks.items()):
        if count:
            yield f"{count} {gone} images were left out because they are exact copies of {stayed} images: a leak."


def _check_classes(image_set: ImageSet, candidates: Candidates) -> None:
    """Refuse what cannot be learned or measured, in one sentence each."""
    labels = {candidate.label for candidate in candidates.files} | {label for label, _ in candidates.empty_labels}
    _check_names(labels)
    if not image_set.images:
        reasons = _reasons_of(image_set.set_aside)
        msg = f"No image in {image_set.root} can be used{reasons}. Wanted folders with images of each class."
        raise ImageSetError(msg)
    if len(labels) < 2:
        only = next(iter(labels))
        msg = f"{image_set.root} has one class only, {only!r}. A classifier needs the images of at least two."
        raise ImageSetError(msg)
    if any(image.split for image in image_set.images) or any(file.split for file in candidates.files):
        _check_given_splits(image_set, labels, candidates)
    else:
        _check_sizes(image_set, labels, candidates)


def _check_names(labels: Iterable[str]) -> None:
    """Class names must differ on every file system."""
    same: dict[str, list[str]] = defaultdict(list)
    for label in sorted(labels):
        same[unicodedata.normalize("NFC", label).casefold()].append(label)
    twins = [names for names in same.values() if len(names) > 1]
    if twins:
        shown = "; ".join(" and ".join(map(repr, names)) for names in twins[:_SHOWN])
        msg = f"Class names differ only in case or in how accents are encoded: {shown}. Rename or merge them."
        raise ImageSetError(msg)


def _check_given_splits(image_set: ImageSet, labels: Iterable[str], candidates: Candidates) -> None:
    in_train = {image.label for image in image_set.images if image.split == "train"}
    if not in_train:
        msg = f"{image_set.root} has no usable training image{_reasons_of(image_set.set_aside)}. Mark images as train."
        raise ImageSetError(msg)
    missing = sorted(set(labels) - in_train)
    if missing:
        elsewhere = Counter(image.label for image in image_set.images)
        shown = ", ".join(
            f"{label!r} ({elsewhere[label]} elsewhere{_reasons_of(_aside_of(label, image_set, candidates))})"
            for label in missing[:_SHOWN]
        )
        msg = (
            f"{len(missing)} class(es) have no usable training image: {shown}. Add training images or remove the class."
        )
        raise ImageSetError(msg)


def _check_sizes(image_set: ImageSet, labels: Iterable[str], candidates: Candidates) -> None:
    sizes = Counter(image.label for image in image_set.images)
    small = sorted(label for label in labels if sizes[label] < 2)
    if small:
        shown = ", ".join(
            f"{label!r} has {sizes[label]}{_reasons_of(_aside_of(label, image_set, candidates))}"
            for label in small[:_SHOWN]
        )
        msg = (
            f"Each class needs at least two usable images, one to learn from and one to measure on, but {len(small)} "
            f"class(es) have fewer: {shown}. Add images or remove the folder."
        )
        raise ImageSetError(msg)


def _aside_of(label: str, image_set: ImageSet, candidates: Candidates) -> list[SetAside]:
    names = {candidate.name for candidate in candidates.files if candidate.label == label}
    return [item for item in image_set.set_aside if item.name in names]


def _reasons_of(aside: Sequence[SetAside]) -> str:
    return f" ({len(aside)} set aside: {_counted(aside)})" if aside else ""


def _warnings(images: Sequence[Image]) -> Iterator[str]:
    """Sentences on what makes these images hard to learn from or to measure on."""
    sizes = Counter(image.label for image in images if image.split in {"", "train"})
    if not sizes:
        return
    (large, most), (small, least) = sizes.most_common()[0], sizes.most_common()[-1]
    if most > _IMBALANCE * least:
        yield (
            f"The classes are unbalanced: {large!r} has {most} images to learn from, {small!r} has {least}. "
            "Look at the balanced accuracy."
        )
    few = sorted(label for label, size in sizes.items() if size < _FEW_IMAGES)
    if few:
        names = ", ".join(map(repr, few[:_SHOWN])) + (", ..." if len(few) > _SHOWN else "")
        yield f"{len(few)} class(es) have fewer than {_FEW_IMAGES} images to learn from ({names}): expect little there."
    tiny = sum(min(image.width, image.height) < _SMALL_SIDE for image in images)
    if tiny > len(images) / 2:
        yield (
            f"{tiny} of {len(images)} images are smaller than {_SMALL_SIDE} pixels on their shorter side: "
            "they are enlarged, which adds no detail."
        )
