"""What a glance at a photo sees."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFilter

from unfreeze.images.glance import PART, glance, unpacked


def noise(width: int = 100, height: int = 80) -> Image.Image:
    """A photo of noise, too small to be reduced."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_brightness_and_sharpness_are_those_of_opencv() -> None:
    """On a photo that is not reduced they are the mean grey value, and the variance of OpenCV's Laplacian inside."""
    photo = noise()
    grey = np.asarray(photo.convert("L"))

    seen = glance(photo)

    assert seen.brightness == pytest.approx(grey.mean())
    assert seen.sharpness == pytest.approx(cv2.Laplacian(grey, cv2.CV_64F)[1:-1, 1:-1].var())


def test_a_blurred_photo_is_less_sharp() -> None:
    """Blur lowers the sharpness, and leaves the brightness."""
    photo = noise(600, 400).resize((1200, 800))
    blurred = photo.filter(ImageFilter.GaussianBlur(12))

    assert glance(blurred).sharpness < glance(photo).sharpness / 4
    assert glance(blurred).brightness == pytest.approx(glance(photo).brightness, abs=1)


def test_the_frame_is_the_outer_tenth_and_the_middle_has_as_many_cells() -> None:
    """Of a photo that is red outside and green in its inner four fifths, the frame is red and the middle green."""
    photo = Image.new("RGB", (240, 120), (255, 0, 0))
    photo.paste((0, 255, 0), (24, 12, 216, 108))

    seen = glance(photo)

    assert len(seen.frame) == len(seen.middle) == PART
    assert (seen.frame.reshape(-1, 3) == (255, 0, 0)).all()
    assert (seen.middle.reshape(-1, 3) == (0, 255, 0)).all()


@pytest.mark.parametrize("size", [(1, 1), (2, 90), (5000, 50)])
def test_what_is_packed_is_unpacked(size: tuple[int, int]) -> None:
    """Photos of any shape give the same after packing as before."""
    seen = glance(Image.new("RGB", size, (10, 20, 30)))

    again = unpacked(seen.packed())

    assert again.brightness == pytest.approx(seen.brightness)
    assert again.sharpness == seen.sharpness == 0
    np.testing.assert_array_equal(again.frame, seen.frame)
    np.testing.assert_array_equal(again.middle, seen.middle)
