"""How an image becomes a square of fixed size: resize and crop, equal to timm's evaluation bit for bit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}
_CROPS = ("center", "squash")


@dataclass(frozen=True)
class Geometry:
    """Shorter side to `resize`, then a centre crop; the decoder hands over a square a little larger than the network's.

    The larger square lets training crop at random from what was decoded once; its centre is what evaluation sees.

    Attributes:
        size: Side of the network's input in pixels.
        resize: Length of the shorter side after resizing; timm's ``floor(size / crop_pct)``.
        interpolation: Pillow's filter, by timm's name.
        crop: ``center`` keeps the shape; ``squash`` resizes both sides to `resize`.
        background: Colour behind transparent pixels.
    """

    size: int
    resize: int
    interpolation: str = "bicubic"
    crop: str = "center"
    background: tuple[int, int, int] = (255, 255, 255)

    def __post_init__(self) -> None:
        """Refuse what no decoder can do: that would be a caller's mistake."""
        if not 0 < self.size <= self.resize:
            msg = f"size and resize must satisfy 0 < size <= resize; got {self.size} and {self.resize}."
            raise ValueError(msg)
        if self.interpolation not in FILTERS or self.crop not in _CROPS:
            got = f"{self.interpolation!r} and {self.crop!r}"
            msg = f"Wanted an interpolation of {sorted(FILTERS)} and a crop of {list(_CROPS)}; got {got}."
            raise ValueError(msg)

    @property
    def at_least(self) -> int:
        """Pixels that both sides must have for resizing to see no difference worth having.

        Twice the target, as Pillow's thumbnail has it (its `reducing_gap`): on a photo of 12 megapixels the result then
        differs by 0.3 of 255 levels on average.
        """
        return 2 * self.resize

    @property
    def side(self) -> int:
        """Side of the square that the decoder returns.

        It exceeds `size` by a multiple of four: crop offsets round half to even, so only then does the centre of this
        square lie, for every shape of image, exactly where a crop of `size` from the resized image would.
        """
        return self.size + 4 * ((self.resize - self.size) // 4)


def square(image: Image.Image, geometry: Geometry) -> NDArray[np.uint8]:
    """Resize and crop an RGB image.

    Args:
        image: Mode RGB, upright.
        geometry: What to make of it.

    Returns:
        Read-only array of shape (side, side, 3). The arithmetic is torchvision's ``Resize`` and ``CenterCrop``, which
        timm uses.
    """
    width, height = image.size
    if geometry.crop == "squash":
        wanted = (geometry.resize, geometry.resize)
    elif width <= height:
        wanted = (geometry.resize, int(geometry.resize * height / width))
    else:
        wanted = (int(geometry.resize * width / height), geometry.resize)
    if image.size != wanted:
        image = image.resize(wanted, FILTERS[geometry.interpolation])
    left, top = (round((length - geometry.side) / 2.0) for length in wanted)
    return np.asarray(image.crop((left, top, left + geometry.side, top + geometry.side)))


def centre(squares: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The middle of each square: what evaluation sees.

    Args:
        squares: Shape (image, side, side, 3), or one square without the first axis.
        size: Side of the result in pixels; differs from the squares' side by an even number.

    Returns:
        A view of shape (image, size, size, 3), no copy.
    """
    offset = (squares.shape[-2] - size) // 2
    return squares[..., offset : offset + size, offset : offset + size, :]
