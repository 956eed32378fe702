"""The image set as a value."""

from pathlib import Path

from unfreeze.core.records import Duplicate, SetAside
from unfreeze.data.image_set import Image, ImageSet


def image(name: str, label: str, split: str = "") -> Image:
    """An image that exists in words only."""
    return Image(path=Path("/") / name, name=name, label=label, sha256="", width=1, height=1, mode="RGB", split=split)


SET = ImageSet(
    root=Path("/"),
    images=(image("a", "dog", "test"), image("b", "ant", "train"), image("c", "dog", "train")),
    set_aside=(SetAside(name="d", reason="truncated"),),
    duplicates=(Duplicate(name="e", same_as="a", why="same pixels"),),
)


def test_labels_are_places_in_the_sorted_classes() -> None:
    """Class indices follow the sorted names, whatever the order of the images."""
    assert SET.classes == ("ant", "dog")
    assert SET.labels().tolist() == [1, 0, 1]


def test_counts_add_up() -> None:
    """Found is used, set aside and removed together."""
    assert (SET.counts.found, SET.counts.used, SET.counts.set_aside, SET.counts.duplicates_removed) == (5, 3, 1, 1)


def test_a_part_keeps_the_classes() -> None:
    """A part without any ant still numbers dogs as the whole does."""
    part = SET.part("test")

    assert [image.name for image in part.images] == ["a"]
    assert part.classes == SET.classes
    assert part.labels().tolist() == [1]
    assert part.counts.found == 1
