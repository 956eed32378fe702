"""Geometry against timm's own evaluation transform."""

import numpy as np
import pytest
from PIL import Image
from timm.data import create_transform

from unfreeze.images.geometry import Geometry, centre, square

SHAPES = [
    (256, 256),
    (500, 375),
    (375, 500),
    (17, 23),
    (23, 17),
    (224, 1000),
    (257, 511),
    (333, 334),
    (1, 1),
    (99, 640),
]


def noise(width: int, height: int) -> Image.Image:
    """An image without two equal neighbours, so that a shift of one pixel shows."""
    return Image.fromarray(np.random.default_rng(width * height).integers(0, 256, (height, width, 3), dtype=np.uint8))


def timm_pixels(image: Image.Image, geometry: Geometry, crop_pct: float) -> np.ndarray:
    """What timm hands to the network before normalisation."""
    transform = create_transform(
        (3, geometry.size, geometry.size),
        is_training=False,
        crop_pct=crop_pct,
        interpolation=geometry.interpolation,
        crop_mode=geometry.crop,
        mean=tuple(value / 255 for value in geometry.border),
        normalize=False,
    )
    return transform(image).numpy().transpose(1, 2, 0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("size", "crop_pct", "interpolation", "crop"),
    [
        (224, 0.875, "bicubic", "center"),
        (224, 0.9, "bilinear", "center"),
        (96, 0.875, "bicubic", "center"),
        (65, 0.95, "bilinear", "center"),
        (64, 1.0, "bicubic", "center"),
        (96, 0.875, "bicubic", "squash"),
        (224, 1.0, "bicubic", "squash"),
        (224, 1.0, "bicubic", "border"),
        (96, 0.875, "bilinear", "border"),
        (65, 0.9, "bicubic", "border"),
    ],
)
def test_centre_equals_timm(shape: tuple[int, int], size: int, crop_pct: float, interpolation: str, crop: str) -> None:
    """The centre of the decoded square is, bit for bit, what timm's evaluation shows to the network."""
    geometry = Geometry(size, int(size / crop_pct), interpolation, crop, border=(124, 116, 104))
    image = noise(*shape)

    ours = square(image, geometry)

    assert ours.shape == (geometry.side, geometry.side, 3)
    np.testing.assert_array_equal(centre(ours, size), timm_pixels(image, geometry, crop_pct))


def test_a_strip_keeps_a_pixel_of_its_width() -> None:
    """A photo a hundred times as long as wide is no wider than a third of a pixel here, and one row of it is shown."""
    seen = square(Image.new("RGB", (800, 8), (9, 9, 9)), Geometry(32, 32, crop="border"))

    assert np.count_nonzero((seen == 9).all(axis=(1, 2))) == 1


def test_side_leaves_room_by_a_multiple_of_four() -> None:
    """The square is at least the network's size and exceeds it by a multiple of four, never above the resized side."""
    for size in range(1, 300, 7):
        for resize in range(size, size + 60):
            side = Geometry(size, resize).side
            assert size <= side <= resize
            assert (side - size) % 4 == 0
            assert resize - side < 4


def test_centre_is_a_view() -> None:
    """Taking the centre copies nothing."""
    squares = np.zeros((2, 12, 12, 3), np.uint8)

    assert np.shares_memory(centre(squares, 4), squares)
    assert centre(squares, 4).shape == (2, 4, 4, 3)


@pytest.mark.parametrize("settings", [{"size": 10, "resize": 9}, {"size": 0, "resize": 9}])
def test_impossible_sizes_are_refused(settings: dict[str, int]) -> None:
    """A crop cannot be larger than what it is cut from."""
    with pytest.raises(ValueError, match="0 < size <= resize"):
        Geometry(**settings)


def test_unknown_words_are_refused() -> None:
    """An interpolation or crop that the decoder does not know is an error, not a default."""
    with pytest.raises(ValueError, match="stretch"):
        Geometry(8, 8, crop="stretch")
    with pytest.raises(ValueError, match="cubic"):
        Geometry(8, 8, interpolation="cubic")
