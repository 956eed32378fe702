"""Near copies in folders: one group of every split, and what is said of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unfreeze.data.image_set import ImageSet
from unfreeze.data.inspection import read_image_set
from unfreeze.data.splits import split_image_set
from unfreeze.images.pool import DecoderPool


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    """Decoders for all tests here."""
    with DecoderPool(workers=1) as pool:
        yield pool


def scene(seed: int) -> Image.Image:
    """Blots of grey, 80 x 60."""
    blots = np.random.default_rng(seed).integers(0, 256, (6, 8)).astype(np.uint8)
    return Image.fromarray(blots).resize((80, 60), Image.Resampling.BICUBIC)


def save(path: Path, image: Image.Image) -> None:
    """As PNG or JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def fill(root: Path, part: str = "") -> None:
    """Two classes of eight photos each."""
    for number in range(16):
        save(root / part / "ab"[number % 2] / f"{number}.jpg", scene(number))


def groups(image_set: ImageSet) -> dict[str, str]:
    """Of the images that have one."""
    return {image.name: image.group for image in image_set.images if image.group}


def found(image_set: ImageSet) -> dict[str, tuple[str, ...]]:
    """Codes of the findings on near copies, and their images."""
    return {one.code: one.images for one in image_set.findings if one.code in {"UF113", "UF114", "UF115"}}


def test_near_copies_stay_on_one_side(pool: DecoderPool, tmp_path: Path) -> None:
    """A photo that was made smaller and a mirrored one are a group with the original: named, and never torn apart."""
    fill(tmp_path)
    save(tmp_path / "a/small.jpg", scene(0).resize((40, 30)))
    save(tmp_path / "a/turned.jpg", scene(0).transpose(Image.Transpose.FLIP_LEFT_RIGHT))

    seen = read_image_set(tmp_path, pool=pool)

    names = ("a/0.jpg", "a/small.jpg", "a/turned.jpg")
    assert seen.near_copies == (names,)
    assert groups(seen) == dict.fromkeys(names, "a/0.jpg")
    assert found(seen) == {"UF113": names}
    for seed in range(5):
        parts = {image.split for image in split_image_set(seen, seed=seed).images if image.group}
        assert len(parts) == 1


def test_near_copies_in_two_classes_are_said(pool: DecoderPool, tmp_path: Path) -> None:
    """A near copy with another label is kept, and named in a warning."""
    fill(tmp_path)
    save(tmp_path / "b/small.jpg", scene(0).resize((40, 30)))

    seen = read_image_set(tmp_path, pool=pool)

    assert found(seen)["UF114"] == ("a/0.jpg", "b/small.jpg")
    assert len(seen.images) == 17


def test_near_copies_across_parts_are_said_and_not_grouped(pool: DecoderPool, tmp_path: Path) -> None:
    """A near copy in the test part is named in a warning; the two parts were given and stay what they are."""
    fill(tmp_path, "train")
    for number in range(16, 20):
        save(tmp_path / "test" / "ab"[number % 2] / f"{number}.jpg", scene(number))
    save(tmp_path / "test/a/small.jpg", scene(0).resize((40, 30)))

    seen = read_image_set(tmp_path, pool=pool)

    assert found(seen)["UF115"] == ("test/a/small.jpg", "train/a/0.jpg")
    assert not groups(seen)
    assert {image.name: image.split for image in seen.images}["test/a/small.jpg"] == "test"


def test_given_groups_are_joined_and_never_torn(pool: DecoderPool, tmp_path: Path) -> None:
    """Near copies in two groups of a list make them one, with every image of both; other groups stay as they are."""
    rows = ["path,label,group"]
    for number in range(16):
        save(tmp_path / f"{number}.jpg", scene(number))
        rows.append(f"{number}.jpg,{'ab'[number % 2]},patient {number // 4}")
    save(tmp_path / "small.jpg", scene(0).resize((40, 30)))
    rows.append("small.jpg,a,patient 3")
    (tmp_path / "list.csv").write_text("\n".join(rows), encoding="utf-8")

    seen = groups(read_image_set(tmp_path / "list.csv", pool=pool))

    first = {name for name, group in seen.items() if group == seen["0.jpg"]}
    assert first == {*(f"{number}.jpg" for number in (0, 1, 2, 3, 12, 13, 14, 15)), "small.jpg"}
    assert {seen[f"{number}.jpg"] for number in range(4, 8)} == {"patient 1"}


def test_a_chain_of_given_groups_is_not_made_one(pool: DecoderPool, tmp_path: Path) -> None:
    """Where near copies would join ten people of ten to one group, everybody's photos stay a group; it is said."""
    rows = ["path,label,group"]
    for number in range(40):
        save(tmp_path / f"{number}.jpg", scene(number))
        rows.append(f"{number}.jpg,{'ab'[number % 2]},person {number // 4}")
    for person in range(1, 10):  # has a near copy of a photo of the person before
        save(tmp_path / f"small {person}.jpg", scene(4 * person - 4).resize((40, 30)))
        rows.append(f"small {person}.jpg,a,person {person}")
    (tmp_path / "list.csv").write_text("\n".join(rows), encoding="utf-8")

    seen = read_image_set(tmp_path / "list.csv", pool=pool)

    assert groups(seen)["0.jpg"] == "person 0"
    assert len(set(groups(seen).values())) == 10
    (sentence,) = [one.sentence for one in seen.findings if one.code == "UF113"]
    assert sentence.endswith("9 of them lie across groups that you gave, which stay as they are.")


def test_a_set_of_photos_without_copies_has_no_groups(pool: DecoderPool, tmp_path: Path) -> None:
    """Different photos are left alone."""
    fill(tmp_path)

    seen = read_image_set(tmp_path, pool=pool)

    assert not groups(seen)
    assert not found(seen)
    assert seen.near_copies == ()


def test_the_camera_tells_when_a_photo_was_taken(pool: DecoderPool, tmp_path: Path) -> None:
    """The time in a photo's EXIF is read behind the decoder's locks; a time that no clock shows is none."""
    fill(tmp_path)
    for name, text in (("good", "2001:09:09 01:46:40"), ("bad", "0000:00:00 00:00:00")):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = text
        scene(100 + len(name)).save(tmp_path / f"a/{name}.jpg", exif=exif)

    taken = {image.name: image.taken for image in read_image_set(tmp_path, pool=pool).images}

    assert taken["a/good.jpg"] == 1_000_000_000
    assert taken["a/bad.jpg"] is None
    assert taken["a/0.jpg"] is None
