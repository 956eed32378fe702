"""A test folder of the user's own beside the images, and classes that are left out."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from unfreeze.core.errors import ImageSetError
from unfreeze.data.image_set import ImageSet
from unfreeze.data.inspection import read_image_set
from unfreeze.images.pool import DecoderPool

PhotoFolder = Callable[..., Path]


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    """Decoders for all tests here."""
    with DecoderPool(workers=1) as pool:
        yield pool


def splits(images: ImageSet) -> dict[str, str]:
    """The split of every image."""
    return {image.name: image.split for image in images.images}


def distinct(folder: Path) -> Path:
    """The folder with images that are no copies of those that `photo_folder` makes elsewhere."""
    from PIL import Image

    for path in folder.rglob("*.png"):
        Image.open(path).rotate(90).save(path)
    return folder


def test_a_test_folder_does_what_a_split_folder_does(photo_folder: PhotoFolder, pool: DecoderPool) -> None:
    """Images, labels and splits are those of the same files in train/ and test/; copies go in the same way."""
    photos = photo_folder("ants", "bees", count=4)
    held = distinct(photo_folder("ants", "bees", count=2, name="held"))
    photo_folder("ants", "bees", count=4, name="both/train")
    both = distinct(photo_folder("ants", "bees", count=2, name="both/test")).parent
    (held / "ants" / "copy.png").write_bytes((photos / "ants" / "000.png").read_bytes())
    (both / "test" / "ants" / "copy.png").write_bytes((photos / "ants" / "000.png").read_bytes())

    beside, inside = read_image_set(photos, pool=pool, test=held), read_image_set(both, pool=pool)

    assert sorted((i.label, i.sha256, i.split) for i in beside.images) == sorted(
        (i.label, i.sha256, i.split) for i in inside.images
    )
    assert [finding.code for finding in beside.findings] == [finding.code for finding in inside.findings]
    assert "../held/bees/000.png" in splits(beside)


def test_a_list_may_have_a_test_folder_too(photo_folder: PhotoFolder, pool: DecoderPool, tmp_path: Path) -> None:
    """Rows without a split train, those of a val part stay in it."""
    photos = photo_folder("ants", "bees", count=2)
    held = distinct(photo_folder("ants", "bees", count=1, name="held"))
    names = [path.relative_to(tmp_path).as_posix() for path in sorted(photos.rglob("*.png"))]
    (tmp_path / "list.csv").write_text("path,label\n" + "".join(f"{name},{name.split('/')[1]}\n" for name in names))

    found = read_image_set(tmp_path / "list.csv", pool=pool, test=held)

    assert splits(found) == {
        **dict.fromkeys(names, "train"),
        "held/ants/000.png": "test",
        "held/bees/000.png": "test",
    }


def test_classes_are_left_out_of_both(photo_folder: PhotoFolder, pool: DecoderPool) -> None:
    """No image of them is used, each is counted as skipped, and a class of the test folder alone may be among them."""
    photos = photo_folder("ants", "bees", "wasps", count=3)
    held = distinct(photo_folder("ants", "wasps", "dogs", count=2, name="held"))

    found = read_image_set(photos, pool=pool, test=held, exclude=("wasps", "dogs"))

    assert found.classes == ("ants", "bees")
    assert len(found.images) == 3 + 3 + 2
    assert found.skipped["of a class that was left out"] == 3 + 2 + 2


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("Ants", "Did you mean 'ants'?"),
        ("beas", "Did you mean 'bees'?"),
        ("zebra", "The classes are 'ants' and 'bees'."),
    ],
)
def test_an_unknown_class_is_answered_with_near_names(
    name: str, advice: str, photo_folder: PhotoFolder, pool: DecoderPool
) -> None:
    """A misspelt name, or all there are."""
    with pytest.raises(ImageSetError) as caught:
        read_image_set(photo_folder("ants", "bees", count=2), pool=pool, exclude=(name,))

    assert str(caught.value) == f"There is no class {name!r} to leave out. {advice}"


def refusal(source: Path, test: Path, pool: DecoderPool) -> str:
    """Why a test folder is refused."""
    with pytest.raises(ImageSetError) as caught:
        read_image_set(source, pool=pool, test=test)
    return str(caught.value)


def test_classes_of_the_test_folder_must_agree(photo_folder: PhotoFolder, pool: DecoderPool) -> None:
    """One that the source has not is named, with those that there are."""
    photos, held = photo_folder("ants", "bees", count=2), photo_folder("ants", "bee", count=1, name="held")

    assert refusal(photos, held, pool) == (
        f"The classes of the test folder must be those of {photos}, but 'bee' is in {held} alone. The classes to learn "
        "are 'ants' and 'bees': rename or remove what differs."
    )


def test_a_second_test_part_is_refused(photo_folder: PhotoFolder, pool: DecoderPool) -> None:
    """The source has one already."""
    photo_folder("ants", "bees", count=2, name="photos/train")
    photos = photo_folder("ants", "bees", count=1, name="photos/test").parent
    held = photo_folder("ants", "bees", count=1, name="held")

    assert refusal(photos, held, pool) == (
        f"{photos} has a test part of its own, so --test {held} would be a second one. Leave out either."
    )


@pytest.mark.parametrize("inside", ["ants", ".."], ids=["a folder in it", "the folder around it"])
def test_a_test_folder_lies_beside_the_images(inside: str, photo_folder: PhotoFolder, pool: DecoderPool) -> None:
    """An image could train and test otherwise."""
    photos = photo_folder("ants", "bees", count=2)

    assert "must lie beside each other" in refusal(photos, photos / inside, pool)


def test_one_folder_for_both_is_refused(photo_folder: PhotoFolder, pool: DecoderPool) -> None:
    """The same folder twice is named as that, and copies of the test photos as the cause where nothing is left."""
    photos = photo_folder("ants", "bees", count=2)
    copies = photo_folder("ants", "bees", count=2, name="held")

    assert refusal(photos, photos, pool).startswith(f"{photos} is given twice, to learn from and to test on.")
    assert refusal(photos, copies, pool) == (
        f"{photos} has no usable training image (4 removed as exact copies). Put images there that are none of those "
        "to test on."
    )


def test_what_is_listed_for_training_does_not_test(
    photo_folder: PhotoFolder, pool: DecoderPool, tmp_path: Path
) -> None:
    """A list that names images of the test folder is refused."""
    held = photo_folder("ants", "bees", count=1, name="held")
    (tmp_path / "list.csv").write_text("path,label\nheld/ants/000.png,ants\nheld/bees/000.png,bees\n")

    assert "An image either trains or tests" in refusal(tmp_path / "list.csv", held, pool)


def test_an_empty_test_folder_is_said(photo_folder: PhotoFolder, pool: DecoderPool, tmp_path: Path) -> None:
    """No folder, no class folders, or none with an image."""
    photos = photo_folder("ants", "bees", count=2)
    empty, bare = tmp_path / "empty", tmp_path / "bare"
    empty.mkdir()
    (bare / "ants").mkdir(parents=True)

    assert refusal(photos, tmp_path / "no", pool) == (
        f"There is no folder {tmp_path / 'no'} to test on. Check the spelling of --test."
    )
    assert refusal(photos, empty, pool).startswith(f"{empty} has no class folders.")
    assert refusal(photos, bare, pool).startswith(f"There is no image in the class folders of {bare}")
