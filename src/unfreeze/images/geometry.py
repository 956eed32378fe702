"""How an image becomes a square of fixed size: resize and crop, equal to timm's evaluation bit for bit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unfreeze.images.levels import WHOLE, Range

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}
_CROPS = ("center", "squash", "border")


@dataclass(frozen=True)
class Geometry:
    """A resized image, of which the middle is cut out; what lies beyond its edges is border.

    The decoder hands over a square a little larger than the network's: it lets training crop at random from what was
    decoded once; its centre is what evaluation sees.

    Attributes:
        size: Side of the network's input in pixels.
        resize: What `crop` resizes to, in pixels; timm's ``floor(size / crop_pct)``.
        interpolation: Pillow's filter, by timm's name.
        crop: timm's word: ``center`` resizes the shorter side to `resize`, ``border`` the longer one, ``squash`` both.
        background: Colour behind transparent pixels.
        border: Colour of the border.
        levels: Of a photo with 16 bits a channel, which becomes black and which white.
    """

    size: int
    resize: int
    interpolation: str = "bicubic"
    crop: str = "center"
    background: tuple[int, int, int] = (255, 255, 255)
    border: tuple[int, int, int] = (0, 0, 0)
    levels: Range = WHOLE

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
    def decoding(self) -> tuple[object, ...]:
        """What decoding depends on: squares that agree in it can be made of one decoded image."""
        return self.at_least, self.background, self.levels

    @property
    def side(self) -> int:
        """Side of the square that the decoder returns.

        It exceeds `size` by a multiple of four: crop offsets round half to even, so only then does the centre of this
        square lie, for every shape of image, exactly where a crop of `size` from the resized image would.
        """
        return self.size + 4 * ((self.resize - self.size) // 4)

    @property
    def bytes(self) -> int:
        """Of the square that the decoder returns."""
        return 3 * self.side**2


def square(image: Image.Image, geometry: Geometry) -> NDArray[np.uint8]:
    """Resize and crop an RGB image.

    Args:
        image: Mode RGB, upright.
        geometry: What to make of it.

    Returns:
        Read-only array of shape (side, side, 3). The arithmetic is that of timm's evaluation: torchvision's ``Resize``
        and ``CenterCrop``, or timm's own ``ResizeKeepRatio`` and ``CenterCropOrPad``.
    """
    wanted = _resized(*image.size, geometry)
    if image.size != wanted:
        image = image.resize(wanted, FILTERS[geometry.interpolation])
    side = geometry.side
    left, top = (_start(length, geometry) for length in wanted)
    if all(0 <= start <= length - side for start, length in zip((left, top), wanted, strict=True)):
        return np.asarray(image.crop((left, top, left + side, top + side)))
    canvas = Image.new("RGB", (side, side), geometry.border)
    canvas.paste(image, (-left, -top))
    return np.asarray(canvas)


def _resized(width: int, height: int, geometry: Geometry) -> tuple[int, int]:
    """Width and height of the resized image."""
    side = geometry.resize
    if geometry.crop == "squash":
        return side, side
    if geometry.crop == "border":
        ratio = max(width / side, height / side)
        return max(1, round(width / ratio)), max(1, round(height / ratio))
    if width <= height:
        return side, int(side * height / width)
    return int(side * width / height), side


def _start(length: int, geometry: Geometry) -> int:
    """Where the square begins in a resized length; negative if there is a border, whose odd pixel lies at the end."""
    size = geometry.size
    start = round((length - size) / 2.0) if length >= size else -((size - length) // 2)
    return start - (geometry.side - size) // 2


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
