"""Lists without what should not be learned from."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from unfreeze.data.cleaned_list import cleaned_rows, csv_bytes
from unfreeze.data.inspection import read_image_set
from unfreeze.images.pool import DecoderPool

PhotoFolder = Callable[..., Path]


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    """Decoders for all tests here."""
    with DecoderPool(workers=1) as pool:
        yield pool


def test_the_list_is_read_as_the_folder_without_what_it_leaves_out(
    photo_folder: PhotoFolder, pool: DecoderPool
) -> None:
    """Same images, labels and groups; a doubted, a damaged and a copied one are counted, and stay where they are."""
    photos = photo_folder("ants", "bees", count=6)
    (photos / "ants" / "copy.png").write_bytes((photos / "ants" / "000.png").read_bytes())
    (photos / "bees" / "broken.png").write_bytes((photos / "bees" / "000.png").read_bytes()[:90])
    files = sorted(path for path in photos.rglob("*") if path.is_file())
    found = read_image_set(photos, pool=pool, max_bad=1.0)
    doubted = found.images[2].name
    out = photos.parent / "cleaned.csv"

    out.write_bytes(csv_bytes(cleaned_rows(found, out.parent, {doubted: "looks wrong"})))
    again = read_image_set(out, pool=pool)

    kept = [image for image in found.images if image.name != doubted]
    assert [(i.sha256, i.label, i.group) for i in again.images] == [(i.sha256, i.label, i.group) for i in kept]
    assert again.skipped == {"left out by the list": 3}
    assert again.counts.found == found.counts.found
    assert sorted(path for path in photos.rglob("*") if path.is_file()) == files


def test_hard_names_and_a_given_split_survive(photo_folder: PhotoFolder, pool: DecoderPool) -> None:
    """Commas, quotation marks, accents and a minus in front are read back as they were, and so is the split."""
    photos = photo_folder("train", "test", count=6, name="-set")
    for part in ("train", "test"):
        for label, numbers in (('a, "b"', range(3)), ("Käse", range(3, 6))):
            (photos / part / label).mkdir()
            for number in numbers:
                (photos / part / f"{number:03}.png").rename(photos / part / label / f"{number}.png")
    found = read_image_set(photos, pool=pool)
    out = photos.parent / "cleaned.csv"

    out.write_bytes(csv_bytes(cleaned_rows(found, out.parent, {})))
    again = read_image_set(out, pool=pool)

    assert {(i.sha256, i.label, i.split) for i in again.images} == {(i.sha256, i.label, i.split) for i in found.images}
    assert {i.label for i in again.images} == {'a, "b"', "Käse"}


def test_spaces_around_names_survive(photo_folder: PhotoFolder, pool: DecoderPool) -> None:
    """A space in front of a folder's name or behind a photo's is part of the path, as it is on the disk."""
    photos = photo_folder("ants", " bees", count=3)
    (photos / "ants/000.png").rename(photos / "ants/000.png ")
    found = read_image_set(photos, pool=pool)

    (photos / "cleaned.csv").write_bytes(csv_bytes(cleaned_rows(found, photos, {})))
    again = read_image_set(photos / "cleaned.csv", pool=pool)

    assert {image.name for image in again.images} == {image.name for image in found.images}
