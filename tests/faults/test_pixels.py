"""Pixels against OpenCV, which shares no line of code with Pillow but the libraries of the formats."""

import io

import numpy as np
import pytest
from PIL import Image

from unfreeze.images.decoding import decode

pytestmark = pytest.mark.lab

cv2 = pytest.importorskip("cv2")

TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def picture() -> Image.Image:
    """Smooth, and different at each of its corners and edges."""
    y, x = np.mgrid[0:48, 0:64]
    return Image.fromarray(np.stack([x * 3, y * 4, 255 - x * 2], -1).astype(np.uint8))


def saved(image: Image.Image, kind: str, **settings: object) -> bytes:
    """As a file."""
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


def opencv(data: bytes) -> np.ndarray:
    """Pixels [height, width, RGB] as OpenCV has them."""
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize(
    ("mode", "kind", "settings", "far"),
    [
        ("RGB", "PNG", {}, 0), ("L", "PNG", {}, 0), ("P", "PNG", {}, 0), ("1", "PNG", {}, 0), ("RGB", "BMP", {}, 0),
        ("RGB", "TIFF", {}, 0), ("RGB", "TIFF", {"compression": "tiff_lzw"}, 0), ("RGB", "WEBP", {"lossless": True}, 0),
        ("RGB", "JPEG", {"quality": 95}, 3), ("RGB", "JPEG", {"progressive": True}, 3), ("L", "JPEG", {}, 3),
        ("RGB", "JPEG", {"subsampling": 2}, 8), ("RGB", "WEBP", {"quality": 90}, 3),
    ],
)  # fmt: skip
def test_a_second_decoder_sees_the_same(mode: str, kind: str, settings: dict[str, object], far: int) -> None:
    """Lossless formats have equal pixels; of lossy ones, whose decoders round, none is further off than `far`."""
    data = saved(picture().convert(mode), kind, **settings)

    ours = np.asarray(decode(data).image).astype(int)

    assert np.abs(ours - opencv(data).astype(int)).max() <= far


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_every_orientation_is_upright(orientation: int, kind: str) -> None:
    """A photo that a camera stored in any of the eight ways is the photo that was seen."""
    exif, turn = Image.Exif(), TURNS[orientation]
    exif[0x0112] = orientation
    turned = picture() if turn is None else picture().transpose(turn)
    lossless: dict[str, object] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(kind, {})

    ours = np.asarray(decode(saved(turned, kind, exif=exif, **lossless)).image).astype(int)

    assert ours.shape == (48, 64, 3)
    assert np.abs(ours - np.asarray(picture()).astype(int)).max() <= (4 if kind == "JPEG" else 0)
