"""The image set: labelled images after inspection, and where every other file went."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import NDArray

from unfreeze.core.files import sha256_of
from unfreeze.core.findings import Finding
from unfreeze.core.records import Duplicate, ImageCounts, SetAside
from unfreeze.images.levels import WHOLE, Range

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class Image:
    """One labelled image that can be read.

    Attributes:
        path: Absolute.
        name: Relative to the set's root, with slashes; unique, and what people are shown.
        label: Its class.
        sha256: Of the file's bytes.
        width: In pixels, after the camera's rotation was applied.
        height: In pixels, after the camera's rotation was applied.
        mode: Pillow's mode of the file.
        split: ``train``, ``val`` or ``test``; empty when none was given.
        group: What must stay on one side of every split (a subject, a tile); empty when none was given.
        flags: What a person should know, for example ``animated: frame 1 of 7``.
        taken: When it was taken by the camera's clock, seconds since 1970; None if the file does not say.
    """

    path: Path
    name: str
    label: str
    sha256: str
    width: int
    height: int
    mode: str
    split: str = ""
    group: str = ""
    flags: tuple[str, ...] = ()
    taken: int | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Glances:
    """Images, and what a glance at each sees; one a row.

    Attributes:
        names: Of the images.
        labels: Their classes.
        groups: Their groups; empty strings where none was given.
        numbers: Logarithms of the number of pixels, of width over height and of the sharpness, and the brightness.
        frames: Colours of the outer 10 %.
        middles: Colours of as many cells of the middle.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    numbers: Float[np.ndarray, "image 4"]
    frames: UInt8[np.ndarray, "image number"]
    middles: UInt8[np.ndarray, "image number"]


def _nothing_skipped() -> Mapping[str, int]:
    return MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """Labelled images, inspected, without exact duplicates.

    Attributes:
        root: The folder that names are relative to.
        images: Ordered by name.
        set_aside: Files that could not be used, and why.
        duplicates: Images that were removed, and why.
        skipped: Number of files that are not read, by reason.
        findings: What the user should know.
        class_names: All classes when `images` is a part of a larger set; empty to take those of `images`.
        near_copies: Names of photos that are near copies of each other, a tuple each; see `data.near_copies`.
        levels: By which photos of 16 bits are scaled, which whoever reads them has to know; see `data.levels`.
        glances: At some of the images outside of the test part; None where nobody has looked.
    """

    root: Path
    images: tuple[Image, ...]
    set_aside: tuple[SetAside, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=_nothing_skipped)
    findings: tuple[Finding, ...] = ()
    class_names: tuple[str, ...] = ()
    near_copies: tuple[tuple[str, ...], ...] = ()
    levels: Range = WHOLE
    glances: Glances | None = field(default=None, compare=False)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names, sorted; a class index is a place in this tuple."""
        return self.class_names or tuple(sorted({image.label for image in self.images}))

    @property
    def counts(self) -> ImageCounts:
        """Where every file that was found has gone."""
        used, bad, removed = len(self.images), len(self.set_aside), len(self.duplicates)
        return ImageCounts.of(used=used, set_aside=bad, duplicates_removed=removed, skipped=self.skipped)

    @property
    def digest(self) -> str:
        """A hash of everything that decides results: names, bytes, labels, groups and splits of all images."""
        rows = sorted((i.name, i.sha256, i.label, i.group, i.split) for i in self.images)
        return sha256_of(repr(rows).encode("utf-8", "surrogatepass"))

    def labels(self) -> NDArray[np.int64]:
        """Class index of every image, in the order of `images`."""
        index = {name: number for number, name in enumerate(self.classes)}
        return np.array([index[image.label] for image in self.images], dtype=np.int64)

    def part(self, split: str) -> "ImageSet":
        """The images of one split; the classes stay those of the whole set, what was set aside stays with the whole.

        Args:
            split: ``train``, ``val`` or ``test``.

        Returns:
            A set of the same root and classes; it may be empty.
        """
        chosen = tuple(image for image in self.images if image.split == split)
        return replace(
            self,
            images=chosen,
            set_aside=(),
            duplicates=(),
            skipped=_nothing_skipped(),
            findings=(),
            near_copies=(),
            glances=None,
            class_names=self.classes,
        )
