"""What a glance at a photo sees, without anything of its content: how bright and sharp it is, its frame and its middle.

It is measured while the photo is decoded anyway, and small enough to be kept of thousands.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CELLS = 20  # of which the outer two on each side are the frame: 10 % of the photo
RING, MARGIN = 2, 4  # the middle lies within the margin: it has as many cells as the frame
PART = 3 * 4 * RING * (CELLS - RING)  # numbers of the frame, and of the middle: 144 cells of three colours
# Photos are decoded in different sizes, and the sharpness of a pixel depends on them; so it is that of a small copy.
SIDE = 128
_LIGHT = 2 * np.dtype(np.float32).itemsize


@dataclass(frozen=True, eq=False, kw_only=True)
class Glance:
    """What a glance sees.

    Attributes:
        brightness: Mean of the grey values, 0 to 255.
        sharpness: Variance of the Laplacian of the grey values, above 0: small where the photo is blurred (Pech-Pacheco
            et al., ICPR 2000), measured with the longer side at about `SIDE` pixels, or fewer.
        frame: Colours of the cells of the outer 10 % of the photo.
        middle: Colours of as many cells of its middle.
    """

    brightness: float
    sharpness: float
    frame: NDArray[np.uint8]
    middle: NDArray[np.uint8]

    def packed(self) -> bytes:
        """As few bytes as it takes; `unpacked` reads them."""
        light = np.array([self.brightness, self.sharpness], np.float32)
        return light.tobytes() + self.frame.tobytes() + self.middle.tobytes()


def unpacked(packed: bytes) -> Glance:
    """What `Glance.packed` wrote."""
    brightness, sharpness = np.frombuffer(packed, np.float32, 2).tolist()
    cells = np.frombuffer(packed, np.uint8, offset=_LIGHT)
    return Glance(brightness=brightness, sharpness=sharpness, frame=cells[:PART], middle=cells[PART:])


def glance(image: Image.Image) -> Glance:
    """Glance at a photo.

    Args:
        image: Upright, of mode RGB.

    Returns:
        What is seen.
    """
    # Each pixel of the copy is the mean of as many as fit: the fastest way to make one smaller, and exact.
    small = image.reduce(max(1, round(max(image.size) / SIDE)))
    grey = np.asarray(small.convert("L"), np.float32)
    cells = np.asarray(small.resize((CELLS, CELLS), Image.Resampling.BOX))
    is_frame = np.ones((CELLS, CELLS), bool)
    is_frame[RING:-RING, RING:-RING] = False
    return Glance(
        brightness=float(grey.mean()),
        sharpness=_sharpness(grey),
        frame=cells[is_frame].reshape(-1),
        middle=cells[MARGIN:-MARGIN, MARGIN:-MARGIN].reshape(-1),
    )


def _sharpness(grey: NDArray[np.float32]) -> float:
    """By the Laplacian of the four neighbours, without the edge, where some are missing."""
    if min(grey.shape) < 3:
        return 0.0
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((around - 4 * grey[1:-1, 1:-1]).var(dtype=np.float64))
