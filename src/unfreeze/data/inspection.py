"""Inspection: from a folder or a list to an image set whose images can all be read and are all different."""

import itertools
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from unfreeze.core.errors import ImageSetError, TooManyBadFilesError
from unfreeze.core.file_names import LIST_SUFFIXES, absolute, as_written, scheme_of
from unfreeze.core.findings import NAMED_IMAGES, Finding, finding
from unfreeze.core.progress import SILENT, Advance, Progress
from unfreeze.core.records import Duplicate
from unfreeze.core.wording import count, listed
from unfreeze.data.copy_groups import keep_near_copies_together
from unfreeze.data.folders import add_test_folder, list_folder, skipped_as
from unfreeze.data.foreign import CAMERA_RAW
from unfreeze.data.glances import glances_of
from unfreeze.data.image_set import Image, ImageSet
from unfreeze.data.image_table import ImageTable, State, image_table
from unfreeze.data.left_out import exclude_classes
from unfreeze.data.levels import measure_levels
from unfreeze.data.listed_files import Candidate
from unfreeze.data.lists import list_rows
from unfreeze.data.shards import root_of, shards_of
from unfreeze.data.shortfalls import CONFLICTING, codes_of, shortfall
from unfreeze.data.store_folders import trees
from unfreeze.data.unpacking import add_packed
from unfreeze.images.geometry import Geometry
from unfreeze.images.pool import DecoderPool, Inspection
from unfreeze.metrics.imbalance import TINY, strongly_imbalanced

# One bad file of twenty is no reason to stop.
_BAD_FILES_ALWAYS_ALLOWED = 2
_SMALL_SIDE = 64
_SHOWN = 3
# Which copy of a duplicate stays: the one in test, else in val, else in train.
_RANK = {"test": 0, "val": 1, "train": 2, "": 2}


PORTION = 1024  # images whose pixels, and whose records in memory, are there at a time


def read_image_set(
    source: Path,
    *,
    pool: DecoderPool,
    progress: Progress = SILENT,
    max_bad: float = 0.01,
    follow_links: bool = False,
    geometry: Geometry | None = None,
    test: Path | None = None,
    exclude: Sequence[str] = (),
) -> ImageSet:
    """Read every file that a folder or a list names, set aside what cannot be used and remove exact duplicates.

    Args:
        source: A folder of class folders; a folder with ``train``, ``test`` (and ``val``) folders of class folders; a
            ``.csv`` or ``.parquet`` list with the columns path, label and, if wanted, split and group; or tars and
            Parquet files that hold photos, as `data.shards` takes them. Folders and packed files may lie at an address.
        pool: Decoder pool.
        progress: Reports progress per file.
        max_bad: Largest fraction of files that may be set aside; two bad files are always allowed.
        follow_links: Whether to follow links to folders below the class folders, too.
        geometry: Of the squares that will be read next, so that each file is decoded once (see `DecoderPool.inspect`);
            its levels are those that are found.
        test: As for `listed_images`, like the next.
        exclude: Classes that are left out.

    Returns:
        Images ordered by name, with `split` as given or empty.

    Raises:
        ImageSetError: The source is not there, or cannot be learned from.
        TooManyBadFilesError: More files than `max_bad` allows cannot be used.
    """
    listed = listed_images(source, test=test, exclude=exclude, follow_links=follow_links, progress=progress)
    with listed as table:
        table.looks_closely = True
        levels = measure_levels(table, pool=pool, progress=progress)
        geometry = None if geometry is None else replace(geometry, levels=levels)
        portions = inspected_portions(
            table, pool=pool, progress=progress, max_bad=max_bad, geometry=geometry, portion=max(1, len(table))
        )
        for _ in portions:
            pass
        keep_near_copies_together(table, advance=progress.checkpoint)
        return _image_set(table)


def read_images_to_score(
    table: ImageTable, *, pool: DecoderPool, progress: Progress = SILENT, geometry: Geometry | None = None
) -> ImageSet:
    """As `read_image_set`, of images that nothing is to learn from: one class is enough, and one image of each.

    No number of bad files is too many, since each is counted beside the score.

    Args:
        table: Of `listed_images`.
        pool: Decoder pool.
        progress: Reports progress per file.
        geometry: Of the squares that will be read next.

    Returns:
        Images ordered by name, with `split` as given or empty.

    Raises:
        ImageSetError: No image can be used, or class names differ only in case.
    """
    with progress.phase("inspect", total=table.number_of(State.WAITING), unit="image") as advance:
        _inspect(list(table.candidates()), table, pool, geometry, advance)
    _remove_duplicates(table)
    _check_names(table.labels())
    _check_any(table)
    return _image_set(table)


def _image_set(table: ImageTable) -> ImageSet:
    return ImageSet(
        root=table.root,
        images=tuple(table.images()),
        set_aside=tuple(table.files_set_aside()),
        duplicates=tuple(table.duplicates()),
        skipped=MappingProxyType(dict(table.skipped)),
        findings=tuple(table.findings),
        near_copies=table.near_copies,
        levels=table.levels,
        glances=glances_of(table.glances()),
    )


@contextmanager
def listed_images(
    source: Path,
    *,
    test: Path | None = None,
    exclude: Sequence[str] = (),
    follow_links: bool = False,
    progress: Progress = SILENT,
    labelled: bool = True,
) -> Iterator[ImageTable]:
    """What a source names, before anything is decoded.

    Args:
        source: As for `read_image_set`.
        test: A folder of class folders, whose images become the test part; the source may have none then. All classes
            in it must be classes of the source.
        exclude: Classes that are left out, of the source and of `test`.
        follow_links: Whether to follow links to folders below the class folders, too.
        progress: Its stop is looked at for every file.
        labelled: Whether photos without a label are refused, in a list or in a folder without class folders; otherwise
            it is empty.

    Yields:
        A table of candidates, for `inspected_portions`.

    Raises:
        ImageSetError: The source or the test folder is not there, or is none, or their classes do not agree, or there
            is no class of a name to exclude.
    """
    source, advance = absolute(Path(source)), progress.checkpoint
    shards = shards_of(source)
    if not (shards or scheme_of(source)):
        _check_source(source)
    root = root_of(shards) if shards else source if scheme_of(source) else None
    with image_table(source, root=root) as table:
        with trees(progress) as places:
            if shards:
                add_packed(table, shards, labelled=labelled, progress=progress)
            elif table.is_folder:
                tree = places.at(source)
                list_folder(table, tree=tree, follow_links=follow_links, advance=advance, labelled=labelled)
            else:
                list_rows(table, labelled=labelled, advance=advance)
            if test is not None:
                tree = places.at(absolute(test))
                add_test_folder(table, test, tree=tree, follow_links=follow_links, to_exclude=exclude, advance=advance)
            exclude_classes(table, exclude)
            places.fetch(table)
        yield table


def _check_source(source: Path) -> None:
    """Refuse what is neither a folder nor a list."""
    if not source.exists():
        msg = f"There is no folder or list {source}. Check the spelling."
        raise ImageSetError(msg)
    if not source.is_dir() and source.suffix.lower() not in LIST_SUFFIXES:
        msg = f"{source} is neither a folder nor a .csv or .parquet list. {_instead(source)}"
        raise ImageSetError(msg)


def _instead(source: Path) -> str:
    if source.suffix.lower() in {".xlsx", ".xls", ".ods", ".numbers"}:
        return "Save the table as CSV, and give that."
    if source.suffix.lower() in {".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"}:
        return "Unpack it, and give the folder, or pack it as a .tar that is not compressed."
    return "Give the folder that holds the class folders."


def inspected_portions(
    table: ImageTable,
    *,
    pool: DecoderPool,
    progress: Progress = SILENT,
    max_bad: float = 0.01,
    geometry: Geometry | None = None,
    portion: int = PORTION,
    labelled: bool = True,
) -> Iterator[list[Image]]:
    """Inspect the candidates of a table, a portion at a time: what comes next can be done while its pixels are there.

    Args:
        table: Of candidates; what they are is noted in it.
        pool: Decoder pool.
        progress: Reports progress per file.
        max_bad: Largest fraction of files that may be set aside; two bad files are always allowed.
        geometry: Of the squares that will be read next.
        portion: Number of candidates in each.
        labelled: Whether there must be classes to learn.

    Yields:
        Images that can be read, by name. Duplicates are found, and the checks of the whole made, before the last
        portion: it holds none, while images of earlier ones may turn out to be copies of later ones.

    Raises:
        ImageSetError: The images cannot be learned from.
        TooManyBadFilesError: More files than `max_bad` allows cannot be used.
    """
    left = table.number_of(State.WAITING)
    candidates = table.candidates()
    with progress.phase("inspect", total=left, unit="image") as advance:
        while True:
            some = list(itertools.islice(candidates, portion))
            left -= len(some)
            _inspect(some, table, pool, geometry, advance)
            if not left:
                break
            yield table.images_called(candidate.name for candidate in some)
    end_inspection(table, max_bad=max_bad, labelled=labelled)
    yield table.images_called(candidate.name for candidate in some)


def end_inspection(table: ImageTable, *, max_bad: float, labelled: bool) -> None:
    """Find duplicates and check the whole, once every candidate was inspected; arguments as for `inspected_portions`.

    Raises:
        ImageSetError: The images cannot be learned from.
        TooManyBadFilesError: More files than `max_bad` allows cannot be used.
    """
    _check_bad_files(table, max_bad)
    _remove_duplicates(table)
    _group_by_stem(table)
    if labelled:
        _check_classes(table)
    else:
        _check_names(table.labels())
        _check_any(table)
    if len(table.labels()) > 1:
        table.findings += _findings(table)


def _inspect(
    some: Sequence[Candidate], table: ImageTable, pool: DecoderPool, geometry: Geometry | None, advance: Advance
) -> None:
    answers = pool.inspect((candidate.path for candidate in some), geometry, closely=table.looks_closely)
    note_inspected(some, answers, table, advance)


def note_inspected(
    some: Sequence[Candidate], answers: Iterable[Inspection], table: ImageTable, advance: Advance
) -> None:
    """Note in a table what decoders, here or elsewhere, said of some of its candidates.

    Args:
        some: The candidates.
        answers: One of each, in their order.
        table: Of the candidates.
        advance: Reports progress per answer.
    """
    found = []
    for candidate, seen in zip(some, answers, strict=True):
        found.append((candidate, _state(candidate, seen), seen))
        advance(1)
    table.record(found)
    for candidate, state, seen in found:
        if state is State.UNRECOGNISED:
            table.skip(candidate.label, skipped_as(candidate.path, seen.reason))


def _state(candidate: Candidate, seen: Inspection) -> State:
    """What becomes of a file that was read."""
    if not seen.reason:
        return State.USED
    other = skipped_as(candidate.path, seen.reason)
    # What a list names should be an image; that it has the camera's originals too is no fault of the list.
    is_passed_over = other == CAMERA_RAW or (other and not candidate.listed)
    return State.UNRECOGNISED if is_passed_over else State.SET_ASIDE


def _check_bad_files(table: ImageTable, max_bad: float) -> None:
    source, bad = as_written(table.source), table.number_of(State.SET_ASIDE)
    total = bad + table.number_of(State.USED)
    if bad > max(_BAD_FILES_ALWAYS_ALLOWED, max_bad * total):
        msg = (
            f"{bad} of {total} files in {source} cannot be used ({codes_of(table.files_set_aside())}; "
            f"for example {next(table.files_set_aside()).name}), but at most {max_bad:.0%} may be. "
            "Mend or remove them, or allow more."
        )
        raise TooManyBadFilesError(msg)


def _remove_duplicates(table: ImageTable) -> None:
    """Leave images with different pixels; note what the user should know about the others."""
    conflicting = 0
    shown: list[str] = []
    concerned: list[str] = []
    leaks: dict[tuple[str, str], list[str]] = defaultdict(list)
    for same in table.twins():
        if len({image.label for image in same}) > 1:
            conflicting += len(same)
            concerned += [image.name for image in same][: NAMED_IMAGES - len(concerned)]
            if len(shown) < _SHOWN:
                shown.append(" = ".join(image.name for image in same[:_SHOWN]))
            table.remove(_conflict(image, same) for image in same)
            continue
        first, *others = sorted(same, key=lambda image: (_RANK[image.split], image.name))
        for other in others:
            if other.split != first.split:
                leaks[other.split, first.split].append(other.name)
        table.remove(Duplicate(name=other.name, same_as=first.name, why=_why(other, first)) for other in others)
    if conflicting:
        sentence = (
            f"{conflicting} images with conflicting labels were left out: the same picture lies in two classes "
            f"({'; '.join(shown)})."
        )
        table.findings.append(finding("UF101", sentence, "Decide which is right.", images=concerned))
    table.findings += _leak_findings(leaks)


def _group_by_stem(table: ImageTable) -> None:
    """Files of one name in one folder, as photo.jpg and photo.png, are one photo in two forms: one group."""
    names = table.group_by_stem()
    if names:
        sentence = (
            f"{count(len(names), 'photo')} {'lies' if len(names) == 1 else 'lie'} beside another of the same name, in "
            "another format: each such pair stays on one side of every split."
        )
        table.findings.append(finding("UF118", sentence, images=names))


def _conflict(image: Image, same: Sequence[Image]) -> Duplicate:
    other = next(other for other in same if other.label != image.label)
    return Duplicate(name=image.name, same_as=other.name, why=CONFLICTING)


def _why(other: Image, first: Image) -> str:
    if other.split == first.split:
        return "same pixels"
    return f"same pixels in {first.split}"


def _leak_findings(leaks: Mapping[tuple[str, str], Sequence[str]]) -> Iterator[Finding]:
    for (gone, stayed), names in sorted(leaks.items()):
        sentence = f"{len(names)} {gone} images were left out because they are exact copies of {stayed} images: a leak."
        yield finding("UF102", sentence, images=names)


def _check_classes(table: ImageTable) -> None:
    """Refuse what cannot be learned or measured, in one sentence each."""
    labels = table.labels()
    _check_names(labels)
    _check_any(table)
    if len(labels) < 2:
        only = next(iter(labels))
        msg = f"{table.where} has one class only, {only!r}. A classifier needs the images of at least two."
        raise ImageSetError(msg)
    if table.given_splits() - {""}:
        _check_given_splits(table, labels)
    else:
        _check_sizes(table, labels)


def _check_any(table: ImageTable) -> None:
    if not table.number_of(State.USED):
        msg = f"No image in {table.where} can be used{shortfall(table)}. Wanted folders with images of each class."
        raise ImageSetError(msg)


def _check_names(labels: Iterable[str]) -> None:
    """Class names must differ on every file system, and to the eye."""
    same: dict[str, list[str]] = defaultdict(list)
    for label in sorted(labels):
        seen = "".join(mark for mark in label if unicodedata.category(mark) != "Cf")
        same[unicodedata.normalize("NFC", seen).casefold().strip().rstrip(". ")].append(label)
    twins = [names for names in same.values() if len(names) > 1]
    if twins:
        shown = "; ".join(" and ".join(map(repr, names)) for names in twins[:_SHOWN])
        msg = (
            "Class names differ only in case, in how accents are encoded, or in what cannot be seen: "
            f"{shown}. Rename or merge them."
        )
        raise ImageSetError(msg)


def _check_given_splits(table: ImageTable, labels: Iterable[str]) -> None:
    in_train = table.sizes("train")
    if not in_train:
        raise ImageSetError(_without_training(table))
    missing = sorted(set(labels) - set(in_train))
    if missing:
        elsewhere = table.sizes()
        shown = ", ".join(
            f"{label!r} ({elsewhere[label]} elsewhere{shortfall(table, label)})" for label in missing[:_SHOWN]
        )
        msg = (
            f"{len(missing)} class(es) have no usable training image: {shown}. Add training images or remove the class."
        )
        raise ImageSetError(msg)


def _without_training(table: ImageTable) -> str:
    """What to say of a source that gives parts, and none to learn from."""
    given = sorted(table.given_splits() - {"", "train"})
    if not table.is_folder:
        return f"{table.where} has no usable training image{shortfall(table)}. Mark images as train."
    if "train" in table.given_splits():
        return (
            f"{table.where} has no usable training image{shortfall(table)}. Put images there that are none of those to "
            "test on."
        )
    return (
        f"{table.where} has {listed([f'a {split} part' for split in given])} and no train part to learn from. Name the "
        "folder to learn from train/, or give the folders apart: unfreeze run ONE --test OTHER."
    )


def _check_sizes(table: ImageTable, labels: Iterable[str]) -> None:
    sizes = table.sizes()
    small = sorted(label for label in labels if sizes[label] < 2)
    if small:
        shown = ", ".join(f"{label!r} has {sizes[label]}{shortfall(table, label)}" for label in small[:_SHOWN])
        rest = "remove the folder" if table.is_folder else "leave the class out with --exclude"
        msg = (
            f"Each class needs at least two usable images, one to learn from and one to measure on, but {len(small)} "
            f"class(es) have fewer: {shown}. Add images or {rest}."
        )
        raise ImageSetError(msg)


def _findings(table: ImageTable) -> Iterator[Finding]:
    """What makes these images hard to learn from or to measure on."""
    sizes = table.sizes("", "train", "val")  # what a run learns from, and what its metric is chosen by
    if not sizes:
        return
    if strongly_imbalanced(np.repeat(np.arange(len(sizes)), list(sizes.values()))):
        (large, most), (small, least) = sizes.most_common()[0], sizes.most_common()[-1]
        sentence = (
            f"The classes are strongly imbalanced: {large!r} has {most:,} of {sizes.total():,} images to learn from "
            f"and {small!r} {least:,}."
        )
        yield finding("UF103", sentence, "Look at the balanced accuracy.")
    few = sorted(label for label, size in sizes.items() if size < TINY)
    if few:
        names = ", ".join(map(repr, few[:_SHOWN])) + (", ..." if len(few) > _SHOWN else "")
        have = "has" if len(few) == 1 else "have"
        sentence = f"{count(len(few), 'class')} {have} fewer than {TINY} images to learn from ({names})."
        yield finding("UF104", sentence, "Expect little there, or add images.")
    tiny, used = table.number_smaller_than(_SMALL_SIDE), table.number_of(State.USED)
    if tiny > used / 2:
        sentence = (
            f"{tiny} of {used} images are smaller than {_SMALL_SIDE} pixels on their shorter side: "
            "they are enlarged, which adds no detail."
        )
        yield finding("UF105", sentence)
    both = table.number_of_groups_on_both_sides()
    if both:
        sentence = (
            f"{count(both, 'group')} {'has' if both == 1 else 'have'} images in the test part and in the rest: what "
            "the test part says of such groups is too good to be true."
        )
        yield finding("UF106", sentence, "Give each group to one part.")
