"""Series guessed: photos of one burst, patient, slide or panel, by where they lie, how they are called, when taken.

A guess is only that: `workflows.series` measures whether photos of other series are recognised less well.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from unfreeze.data.image_set import Image

BURST_SECONDS: Final = 10  # between two photos of a burst, at most
FEWEST: Final = 6  # series in all, and two in nearly every class, so that others can be held back
COVERED: Final = 0.5  # of the photos that must lie in a series of two or more
LARGEST: Final = 1 / 3  # of the photos that one series may hold
_CLASSES: Final = 0.9  # of the classes that must have two series
_LEVELS: Final = 4  # numbers at the end of a name that may be running ones
# What is left of a name, then a separator or a digit, a short word or none, and a number at the end.
_LAST_NUMBER: Final = re.compile(
    r"^(.*?)(?:[^0-9A-Za-z]+[A-Za-z]{0,6}|(?<=\d)[A-Za-z]{1,6})[^0-9A-Za-z]*\d+[^0-9A-Za-z]*$", re.ASCII | re.DOTALL
)


@dataclass(frozen=True, kw_only=True)
class Series:
    """A guess of which photos belong together.

    Attributes:
        of_image: Series of every image, in their order; empty for one that is alone.
        by: How it was guessed, in words that end a sentence.
    """

    of_image: tuple[str, ...]
    by: str

    @property
    def number(self) -> int:
        """How many series have two photos or more."""
        return len(set(self.of_image) - {""})


def guessed_series(images: Sequence[Image]) -> Series | None:
    """What photos seem to come in; the most certain sign first, of names the largest series.

    Args:
        images: In the order of their names.

    Returns:
        The guess; None where there is no sign, or where held-back series would say nothing: too few of them, one that
        holds most photos, or series that are the classes.

    Example:
        ``patient07_slide2.jpg`` belongs to ``patient07``, ``panelA_r3_c4.jpg`` to ``panelA``.
    """
    for keys, by in _signs(images):
        sizes = Counter(key for key in keys if key)
        of_image = tuple(key if sizes[key] > 1 else "" for key in keys)
        if _is_telling(of_image, [image.label for image in images]):
            return Series(of_image=of_image, by=by)
    return None


def _signs(images: Sequence[Image]) -> Iterator[tuple[list[str], str]]:
    """Ways of guessing: the series of each image, and how it was guessed."""
    yield [_folder_below(image) for image in images], "by the folders below the class folders"
    stems = [PurePosixPath(image.name).stem for image in images]
    # Numbers that begin anew in every class name nobody twice.
    apart = [image.label for image in images] if len(set(stems)) < len(stems) else [""] * len(images)
    for level in range(_LEVELS, 0, -1):
        keys = [_without_numbers(stem, level) for stem in stems]
        numbers = "the last number" if level == 1 else f"the last {level} numbers"
        yield (
            [f"{label}/{key}" if key else "" for label, key in zip(apart, keys, strict=True)],
            (f"by their names up to {numbers}"),
        )
    yield _bursts(images), f"by the camera's clock, {BURST_SECONDS} seconds apart at most"


def _folder_below(image: Image) -> str:
    """The folder of a photo that does not lie in its class folder itself; else empty."""
    parts = PurePosixPath(image.name).parts[:-1]
    if image.label not in parts[:-1]:
        return ""
    return "/".join(parts)


def _without_numbers(stem: str, level: int) -> str:
    """A name without its last numbers and the short words before them; empty where there are fewer, or nothing else."""
    for _ in range(level):
        found = _LAST_NUMBER.match(stem)
        if found is None or not found[1]:
            return ""
        stem = found[1]
    return stem


def _bursts(images: Sequence[Image]) -> list[str]:
    """Photos by the camera's clock, each at most `BURST_SECONDS` after the one before."""
    keys, burst, last = [""] * len(images), 0, None
    timed = sorted((image.taken, place) for place, image in enumerate(images) if image.taken is not None)
    for taken, place in timed:
        if last is None or taken - last > BURST_SECONDS:
            burst += 1
        keys[place], last = f"burst {burst}", taken
    return keys


def _is_telling(of_image: Sequence[str], labels: Sequence[str]) -> bool:
    """Whether such series could be held back, and are not the classes themselves."""
    sizes = Counter(key for key in of_image if key)
    if len(sizes) < FEWEST or sizes.total() < COVERED * len(of_image):
        return False
    if max(sizes.values()) > LARGEST * len(of_image):
        return False
    in_class: defaultdict[str, set[str]] = defaultdict(set)
    for place, (key, label) in enumerate(zip(of_image, labels, strict=True)):
        in_class[label].add(key or f"alone {place}")
    return sum(len(keys) > 1 for keys in in_class.values()) >= _CLASSES * len(in_class)
