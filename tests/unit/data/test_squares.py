"""Decoded squares, and what becomes of an image that cannot be decoded any more."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from unfreeze.core.cards import CROP_MODES, Card
from unfreeze.core.errors import ImageSetError
from unfreeze.core.files import sha256_of_file
from unfreeze.core.records import SetAside
from unfreeze.data.image_set import Image
from unfreeze.data.squares import Squares, decoded, geometry_of
from unfreeze.images.pool import DecoderPool

CARD = Card(
    name="none",
    library="timm",
    source="",
    licence="",
    weights_sha256="",
    size=32,
    crop_pct=1.0,
    crop_mode="center",
    interpolation="bilinear",
    channels="RGB",
    scale=255.0,
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    parameters=0,
    num_features=0,
    blocks=(),
    taps=(),
    head="",
)


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    """Decoders for all tests here."""
    with DecoderPool(workers=1) as pool:
        yield pool


@pytest.fixture
def images(tmp_path: Path) -> list[Image]:
    """Three images of one grey each, 0, 1 and 2."""
    found = []
    for grey in range(3):
        path = tmp_path / f"{grey}.png"
        PillowImage.new("RGB", (40, 40), (grey, grey, grey)).save(path)
        found.append(
            Image(path=path, name=f"{grey}", label="a", sha256=sha256_of_file(path), width=40, height=40, mode="RGB")
        )
    return found


@pytest.mark.parametrize(
    ("size", "crop_pct", "resize"), [(224, 0.875, 256), (224, 0.9, 248), (299, 0.875, 341), (96, 1.0, 96)]
)
def test_images_are_resized_as_timm_resizes_them(size: int, crop_pct: float, resize: int) -> None:
    """The side before cropping is the size over the cropped part, rounded down, which timm's transform has too."""
    from timm.data.transforms_factory import transforms_imagenet_eval

    found = geometry_of(replace(CARD, size=size, crop_pct=crop_pct))
    theirs = transforms_imagenet_eval(size, crop_pct=crop_pct).transforms[0].size

    assert found.resize == resize == (theirs if isinstance(theirs, int) else theirs[0])
    assert (found.size, found.crop, found.interpolation) == (size, "center", "bilinear")


@pytest.mark.parametrize(
    ("shown", "border"),
    [
        (replace(CARD, mean=(0.485, 0.456, 0.406)), (124, 116, 104)),
        (replace(CARD, channels="BGR", scale=1.0, mean=(104.0, 117.0, 123.0)), (123, 117, 104)),
    ],
)
def test_a_border_is_zero_to_the_network(
    tmp_path: Path, pool: DecoderPool, shown: Card, border: tuple[int, int, int]
) -> None:
    """Padded, a wide photo lies whole between stripes of the mean colour, in whatever order the network takes it."""
    card = replace(shown, crop_pct=0.875).resized_by("pad")
    PillowImage.new("RGB", (64, 32), (255, 255, 255)).save(tmp_path / "wide.png")

    (seen,) = pool.squares([tmp_path / "wide.png"], geometry_of(card))

    assert seen.shape == (32, 32, 3)
    assert (seen[8:24] == 255).all()
    assert (seen[[0, 7, 24, 31]] == border).all()
    ordered = np.array(border if card.channels == "RGB" else border[::-1]) / card.scale
    np.testing.assert_allclose(ordered, card.mean, atol=0.5 / card.scale)


def test_the_usual_way_stays_as_it_is() -> None:
    """Asked for what a card has already, it keeps its crop; the other ways show whole photos, and lead back."""
    own = replace(CARD, crop_mode="squash", crop_pct=0.9)

    assert own.resized_by("squash") == own
    assert replace(CARD, crop_pct=0.875).resized_by("crop").crop_pct == 0.875
    assert (own.resized_by("pad").crop_mode, own.resized_by("pad").crop_pct) == ("border", 1.0)
    assert [CARD.resized_by(word).resize for word in CROP_MODES] == list(CROP_MODES)


def test_what_cannot_be_decoded_is_set_aside_and_the_rest_comes_in_order(
    images: list[Image], pool: DecoderPool
) -> None:
    """The gap is named with its reason and its hash, and no other image moves into its place."""
    known = images[1].sha256
    images[1].path.write_bytes(b"")
    aside: list[SetAside] = []

    found = [(image.name, int(square.max())) for image, square in decoded(images, CARD, pool, aside)]

    assert found == [("0", 0), ("2", 2)]
    assert aside == [SetAside(name="1", reason="changed", sha256=known)]


def test_rows_are_read_in_the_order_that_was_asked_for(images: list[Image], pool: DecoderPool) -> None:
    """A row may come twice, and nobody can change what others will see."""
    squares = list(Squares(images, CARD, pool).read(np.array([2, 0, 2])))

    assert [int(square.min()) for square in squares] == [2, 0, 2]
    assert not any(square.flags.writeable for square in squares)


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_an_image_that_goes_bad_during_a_run_ends_it(images: list[Image], pool: DecoderPool, bad: int) -> None:
    """Wherever it stands the error names it, since a row without pixels would shift all labels after it."""
    images[bad].path.write_bytes(b"")

    with pytest.raises(ImageSetError, match=rf"^{bad} could be read at the start .*changed.*Leave the images alone"):
        list(Squares(images, CARD, pool).read(np.arange(3)))
