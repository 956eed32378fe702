"""A small grey copy of a photo, by which near copies are found; see `data.near_copies`."""

from typing import Final

from PIL import Image

SIDE: Final = 32  # pixels


def small_copy(image: Image.Image) -> bytes:
    """The whole photo as 32 x 32 grey levels, row by row; its aspect is lost.

    Args:
        image: Mode RGB, upright.

    Returns:
        1,024 bytes.
    """
    return image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0).convert("L").tobytes()
