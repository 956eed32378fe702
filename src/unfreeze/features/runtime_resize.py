"""Resizing by the runtime of an exported model: faster than `features.pillow_resize`, and not quite Pillow's."""

from typing import Any, final

import torch
from jaxtyping import UInt8
from torch import Tensor, nn
from torch.nn import functional

from unfreeze.images.geometry import Geometry

FILTERS = ("bilinear", "bicubic")
_Length = Any  # int, and torch.SymInt while it is exported


@final
class RuntimeSquare(nn.Module):
    """From a decoded image to the square that a network sees, by the antialiased resizing of PyTorch or ONNX.

    Args:
        geometry: What to make of an image. Its filter is one of `FILTERS`.
    """

    border: Tensor

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.geometry = geometry
        self.register_buffer("border", torch.tensor(geometry.border, dtype=torch.float32).reshape(3, 1, 1))

    def forward(self, image: UInt8[Tensor, "height width 3"]) -> UInt8[Tensor, "1 size size 3"]:
        """The square of an image of any shape (red, green, blue)."""
        size = self.geometry.size
        tall, wide = self._resized(image.shape[0], image.shape[1])
        planes = image.permute(2, 0, 1)[None].to(torch.float32)
        planes = functional.interpolate(planes, (tall, wide), mode=self.geometry.interpolation, antialias=True)
        planes = torch.clamp(torch.round(planes[0]), 0, 255)
        if self.geometry.crop == "border":
            (left, right), (top, bottom) = _missing(wide, size), _missing(tall, size)
            planes = functional.pad(planes - self.border, (left, right, top, bottom)) + self.border
        top, left = _cut(tall, size), _cut(wide, size)
        square = planes[:, top : top + size, left : left + size]
        return square.permute(1, 2, 0).to(torch.uint8).reshape(1, size, size, 3)

    def _resized(self, height: _Length, width: _Length) -> tuple[_Length, _Length]:
        """Height and width of the resized image, as `images.geometry` has them but for halves of a pixel."""
        side = self.geometry.resize
        if self.geometry.crop == "squash":
            return side, side
        if self.geometry.crop == "border":
            longer = torch.sym_max(height, width)
            tall, wide = (torch.sym_max(1, (2 * side * one + longer) // (2 * longer)) for one in (height, width))
            return tall, wide
        shorter = torch.sym_min(height, width)
        return side * height // shorter, side * width // shorter


def _missing(length: _Length, size: int) -> tuple[_Length, _Length]:
    """Border before and after; an odd pixel lies at the end."""
    missing = torch.sym_max(size - length, 0)
    return missing // 2, missing - missing // 2


def _cut(length: _Length, size: int) -> _Length:
    """Where the middle begins; halves go to the even number, as in Python's ``round``."""
    beyond = torch.sym_max(length - size, 0)
    return beyond // 2 + beyond % 4 // 3
